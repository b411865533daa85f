"""References made from the code: a schema for editors, keys, terms, columns.

``python -m langneurons.study.references`` writes them (``make reference``); with
``--check`` it writes nothing and says which file is not what the code says. Every word
is that of the models in ``config`` and of the plug-ins. In the page about the library
only the columns of per-item tables are made.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from types import ModuleType
from typing import Any

from langneurons import methods, similarities, tasks
from langneurons.config import terms
from langneurons.config.fields import Frozen
from langneurons.config.schema import Config
from langneurons.grid import experiments
from langneurons.nn.models import families
from langneurons.tasks.common.explained import item_columns

from . import key_page

ROOT = Path(__file__).parents[4]
SCHEMA = "workflow/schemas/config.schema.json"
PAGE = "docs/keys.md"
ROOMS: Mapping[str, ModuleType] = {
    "experiments": experiments,
    "methods": methods,
    "similarities": similarities,
    "tasks": tasks,
}
"""Catalogues whose entries have a kind, and where the files of the kinds are."""
TERMS = "docs/terms.md"
LIBRARY = "docs/library.md"
BEGIN = "<!-- item columns: begin (made by `make reference`) -->"
END = "<!-- item columns: end -->"

Schema = dict[str, Any]


def plugins() -> dict[str, dict[str, type[Frozen]]]:
    """Return the catalogues whose entries have a kind, and each kind's parameters."""
    return {
        catalogue: {kind: room.load(kind).PARAMETERS for kind in room.kinds()}
        for catalogue, room in ROOMS.items()
    }


def whole_schema() -> Schema:
    """Return the JSON schema of a configuration, the parameters of all kinds included.

    Each kind's parameters are ``$defs/{catalogue}.{kind}``. Those of an experiment are
    its keys themselves; other entries have them under ``parameters``.
    """
    schema = Config.model_json_schema()
    schema["title"] = "langneurons configuration"
    for catalogue, kinds in plugins().items():
        for kind, parameters in kinds.items():
            schema["$defs"] |= _definitions(f"{catalogue}.{kind}", parameters)
        entry = schema["properties"][catalogue]["additionalProperties"]["$ref"]
        block = schema["$defs"][entry.rpartition("/")[2]]
        block["properties"]["kind"]["enum"] = [*kinds]
        names = {kind: f"{catalogue}.{kind}" for kind in kinds}
        if "parameters" in block["properties"]:
            block["allOf"] = [
                _only_of(kind, {"properties": {"parameters": _reference(name)}})
                for kind, name in names.items()
            ]
            continue
        block["allOf"] = [_only_of(k, _reference(name)) for k, name in names.items()]
        # The file below may say which kind it is; keys of two kinds are wrong anyway.
        block["allOf"].append(
            {
                "if": {"not": {"required": ["kind"]}},
                "then": {"anyOf": [_reference(name) for name in names.values()]},
            }
        )
        for kind, name in names.items():
            said = {"const": kind, "description": f"`{kind}`, this kind"}
            schema["$defs"][name]["properties"]["kind"] = said
    schema["$defs"]["Model"]["properties"]["family"]["enum"] = [*families.FAMILIES]
    for part in _mappings(schema):
        # A list of any length is a set (see ``fields``).
        if part.get("type") == "array" and "items" in part:
            part["uniqueItems"] = True
    return schema


def _definitions(name: str, parameters: type[Frozen]) -> Schema:
    """Return the definitions of a kind's parameters, under names of their own."""
    block = parameters.model_json_schema(ref_template=f"#/$defs/{name}.{{model}}")
    inner = block.pop("$defs", {})
    return {name: block} | {f"{name}.{key}": part for key, part in inner.items()}


def _reference(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


def _only_of(kind: str, then: Schema) -> Schema:
    is_it = {"properties": {"kind": {"const": kind}}, "required": ["kind"]}
    return {"if": is_it, "then": then}


def editor_schema() -> Schema:
    """Return the schema for editors: of a whole configuration, or one to put on top.

    What a file leaves out may stand in the one below it, so that no key is required
    here. A plain list of languages is a language set too.
    """
    schema = deepcopy(whole_schema())
    for part in _mappings(schema):
        if "additionalProperties" in part:
            part.pop("required", None)
        # Pydantic's titles only repeat the keys.
        if part is not schema and isinstance(part.get("title"), str):
            del part["title"]
    block = schema["$defs"]["LanguageSet"]
    schema["$defs"]["LanguageSet"] = {
        "anyOf": [block, block["properties"]["languages"]]
    }
    return schema


def _mappings(part: Any) -> Iterator[dict[str, Any]]:
    """Walk through all mappings of a schema, at any depth."""
    if isinstance(part, dict):
        yield part
    for inner in part.values() if isinstance(part, dict) else part:
        if isinstance(inner, (dict, list)):
            yield from _mappings(inner)


def files() -> dict[str, str]:
    """Return what each reference has to hold, by its path in the project."""
    sources = {}
    for catalogue, kinds in plugins().items():
        for kind in kinds:
            module = f"{ROOMS[catalogue].__name__}.{kind}"
            path = f"workflow/scripts/{module.replace('.', '/')}.py"
            about = sys.modules[module].__doc__ or ""
            sources[f"{catalogue}.{kind}"] = key_page.Source(path, about)
    schema = json.dumps(editor_schema(), indent=2, ensure_ascii=False)
    return {
        SCHEMA: f"{schema}\n",
        PAGE: key_page.write(whole_schema(), sources),
        TERMS: terms.page(),
        LIBRARY: _with_columns((ROOT / LIBRARY).read_text(encoding="utf-8")),
    }


def _with_columns(page: str) -> str:
    """Put the columns of every task's per-item tables between their marks."""
    head, _, rest = page.partition(BEGIN)
    tail = rest.partition(END)[2]
    lines = [BEGIN, ""]
    for kind in tasks.kinds():
        lines += [
            f"### Columns of {kind}",
            "",
            "| column | what it holds |",
            "|---|---|",
        ]
        shown = item_columns(kind).items()
        lines += [*(f"| `{name}` | {what} |" for name, what in shown), ""]
    return head + "\n".join([*lines, END]) + tail


def stale(root: Path = ROOT) -> list[str]:
    """List the references that are not there or not what the code says."""
    return [
        path
        for path, text in files().items()
        if not (root / path).is_file()
        or (root / path).read_text(encoding="utf-8") != text
    ]


def main(arguments: Sequence[str], root: Path = ROOT) -> int:
    """Write the references, or with ``--check`` only compare.

    Returns:
        0, or 1 if ``--check`` found one that is stale, which is printed.
    """
    parser = argparse.ArgumentParser(prog="langneurons.study.references")
    parser.add_argument("--check", action="store_true", help="only say what is stale")
    if not parser.parse_args(arguments).check:
        for path, text in files().items():
            (root / path).write_text(text, encoding="utf-8")
        return 0
    found = stale(root)
    for path in found:
        print(
            f"{path}: is not what the code says; `make reference` writes it anew",
            file=sys.stderr,
        )
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
