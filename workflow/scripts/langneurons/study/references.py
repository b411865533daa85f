"""References made from the code: a schema for editors, a page of all keys, columns.

``python -m langneurons.study.references`` writes them (``make reference``); with
``--check`` it writes nothing and says which file is not what the code says. Every word
is that of the models in ``config`` and of the plug-ins. In the page about the library
only the columns of per-item tables are made.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

from langneurons import methods, tasks
from langneurons.config.fields import Frozen
from langneurons.config.schema import Config
from langneurons.nn.models import families
from langneurons.tasks.common.explained import item_columns

from . import key_page

ROOT = Path(__file__).parents[4]
SCHEMA = "workflow/schemas/config.schema.json"
PAGE = "docs/keys.md"
LIBRARY = "docs/library.md"
BEGIN = "<!-- item columns: begin (made by `make reference`) -->"
END = "<!-- item columns: end -->"
PACKAGE = methods.__name__.partition(".")[0]

Schema = dict[str, Any]


def plugins() -> dict[str, dict[str, type[Frozen]]]:
    """Return the catalogues whose entries have a kind, and each kind's parameters."""
    return {
        "methods": {kind: methods.load(kind).PARAMETERS for kind in methods.kinds()},
        "tasks": {kind: tasks.load(kind).PARAMETERS for kind in tasks.kinds()},
    }


def whole_schema() -> Schema:
    """Return the JSON schema of a configuration, the parameters of all kinds included.

    Each kind's parameters are ``$defs/{catalogue}.{kind}``.
    """
    schema = Config.model_json_schema()
    schema["title"] = "langneurons configuration"
    for catalogue, kinds in plugins().items():
        for kind, parameters in kinds.items():
            schema["$defs"] |= _definitions(f"{catalogue}.{kind}", parameters)
        entry = schema["properties"][catalogue]["additionalProperties"]["$ref"]
        block = schema["$defs"][entry.rpartition("/")[2]]
        block["properties"]["kind"]["enum"] = [*kinds]
        block["allOf"] = [_only_of(kind, f"{catalogue}.{kind}") for kind in kinds]
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


def _only_of(kind: str, name: str) -> Schema:
    return {
        "if": {"properties": {"kind": {"const": kind}}, "required": ["kind"]},
        "then": {"properties": {"parameters": {"$ref": f"#/$defs/{name}"}}},
    }


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
    sources = {
        f"{catalogue}.{kind}": sys.modules[f"{PACKAGE}.{catalogue}.{kind}"].__doc__
        or ""
        for catalogue, kinds in plugins().items()
        for kind in kinds
    }
    schema = json.dumps(editor_schema(), indent=2, ensure_ascii=False)
    return {
        SCHEMA: f"{schema}\n",
        PAGE: key_page.write(whole_schema(), sources),
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
