"""The page of all keys as Markdown, from the JSON schema of a configuration.

A section for each block, in the order of the configuration, with a row for each key:
its default, what is allowed and what it means. The words are those of the schema.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

Schema = dict[str, Any]
TOP = "Top level"
HEAD = """\
# Keys of a configuration

Made by `make reference` from the models in `workflow/scripts/langneurons/config/` and
the keys of each kind of experiment, method, similarity and task; edit their
descriptions, not this page. What a configuration is:
[config/README.md](../config/README.md); how to do this or that:
[recipes.md](recipes.md). Numbered sections are those of Mondal et al. 2025.

In the column *default*, **required** marks a key without one, and *block* a mapping
with keys of its own. Names of entries are lower case letters, digits, `-` and `_`.
"""
TEXTS = {
    r"^[a-z][a-zA-Z_]*$": "code of a language",
    r"^[0-9a-f]{40}$": "40 hexadecimal digits",
    r"^[0-9a-f]{64}$": "64 hexadecimal digits",
}
"""What is allowed where text has a pattern; any other pattern is shown itself."""


@dataclass(frozen=True)
class Section:
    """A block of keys.

    Attributes:
        title: its heading.
        level: of the heading, 2 or 3.
        block: its schema.
    """

    title: str
    level: int
    block: Schema

    @property
    def anchor(self) -> str:
        """Its anchor, as GitHub makes it."""
        return re.sub(r"[^\w\- ]", "", self.title.lower()).replace(" ", "-")


class Source(NamedTuple):
    """The file of a kind.

    Attributes:
        path: from the project's folder.
        about: its docstring.
    """

    path: str
    about: str


def write(schema: Schema, sources: Mapping[str, Source]) -> str:
    """Write the page.

    Args:
        schema: of a configuration, as ``references.whole_schema`` makes it.
        sources: name of a kind's definition, such as ``methods.lape`` -> its file.
    """
    return _Page(schema, sources).text()


class _Page:
    """Sections found in a schema, and how they are written."""

    def __init__(self, schema: Schema, sources: Mapping[str, Source]) -> None:
        self.defined: Mapping[str, Schema] = schema["$defs"]
        self.sources = sources
        self.sections: dict[str, Section] = {}
        """Name of a definition, or nothing for the top -> its section, in order."""
        self._add("", Section(TOP, 2, schema))

    def _add(self, name: str, section: Section) -> None:
        """Add a section and those of the blocks below it, the first time they come."""
        self.sections[name] = section
        for key, part in section.block["properties"].items():
            for inner in references(part):
                if inner not in self.sections:
                    path = f"{section.title}.{key}" if name else key
                    level = 3 if name else 2
                    self._add(inner, Section(path, level, self.defined[inner]))
        for name in _kinds(section.block):
            catalogue, _, kind = name.partition(".")
            title = f"{catalogue} of kind {kind}"
            self._add(name, Section(title, 3, self.defined[name]))

    def text(self) -> str:
        titles = [f"[{s.title}](#{s.anchor})" for s in self.sections.values()]
        lines = [HEAD, " ·\n".join(titles), ""]
        for name, section in self.sections.items():
            lines += [f"{'#' * section.level} {section.title}", ""]
            if name:
                lines += [self._about(name, section), ""]
            keys = section.block["properties"]
            if not keys:
                lines += ["No keys.", ""]
                continue
            lines += ["| key | default | allowed | meaning |", "|---|---|---|---|"]
            required = section.block.get("required", ())
            for key, part in keys.items():
                standard = "**required**" if key in required else default(part)
                cells = (f"`{key}`", standard, self._allowed(key, part, section))
                meaning = part.get("description") or self._summary(part)
                lines.append(f"| {' | '.join(map(_cell, (*cells, meaning)))} |")
            lines.append("")
        return "\n".join(lines)

    def _about(self, name: str, section: Section) -> str:
        """Say what a block is; of a kind also where it comes from."""
        own = _prose(section.block.get("description", ""))
        if re.fullmatch(r"Parameters of `\w+`\.", own):
            own = ""  # the heading says it
        if name not in self.sources:
            return own
        path, docstring = self.sources[name]
        about = _prose(docstring.partition("\n\n")[0])
        parts = (about, own, f"Written in `{path}`.")
        return "\n\n".join(filter(None, parts))

    def _summary(self, part: Schema) -> str:
        """Return the first sentence on the block that a key holds."""
        for name in references(part):
            return _prose(self.defined[name].get("description", "")).split("\n\n")[0]
        return ""

    def _allowed(self, key: str, part: Schema, section: Section) -> str:
        """Say what may stand at a key."""
        kinds = _kinds(section.block)
        if kinds and key == "kind":
            return ", ".join(
                f"[`{name.partition('.')[2]}`](#{self.sections[name].anchor})"
                for name in kinds
            )
        if kinds and key == "parameters":
            return "keys of its kind"
        return self._type(part)

    def _type(self, part: Schema) -> str:
        """Say what a part of the schema allows."""
        if "$ref" in part:
            section = self.sections[part["$ref"].rpartition("/")[2]]
            return f"[{section.title}](#{section.anchor})"
        if "anyOf" in part:
            return ", or ".join(map(self._type, part["anyOf"]))
        if "else" in part:
            return f"{self._type(part['else'])} or `null`"
        if isinstance(part.get("type"), list):
            return ", or ".join(self._type(part | {"type": x}) for x in part["type"])
        if "enum" in part or "const" in part:
            words = part.get("enum", [part.get("const")])
            return ", ".join(f"`{_yaml(word)}`" for word in words)
        kind = part.get("type")
        if kind == "array" and "prefixItems" in part:
            return f"list of {len(part['prefixItems'])}: " + ", ".join(
                map(self._type, part["prefixItems"])
            )
        if kind == "array":
            least = f", at least {n}" if (n := part.get("minItems")) else ""
            return f"list{least}: {self._type(part['items'])}"
        if kind == "object":
            inner = part.get("additionalProperties")
            return f"name → {self._type(inner)}" if isinstance(inner, dict) else "block"
        if kind == "string":
            pattern = part.get("pattern")
            return TEXTS.get(pattern, f"`{pattern}`") if pattern else "text"
        names = {
            "integer": "whole number",
            "number": "number",
            "boolean": "`true`, `false`",
            "null": "`null`",
        }
        return f"{names[str(kind)]}{_bounds(part)}"


def _kinds(block: Schema) -> list[str]:
    """Return the definitions of the parameters of each kind that a block may have."""
    conditions = block.get("allOf", ())
    return list(dict.fromkeys(x for one in conditions for x in references(one["then"])))


def references(part: Any) -> Iterator[str]:
    """Return the names of the definitions that a part of a schema refers to."""
    if isinstance(part, dict):
        if "$ref" in part:
            yield part["$ref"].rpartition("/")[2]
        part = list(part.values())
    if isinstance(part, list):
        for inner in part:
            yield from references(inner)


def _bounds(part: Schema) -> str:
    signs = {"minimum": "≥", "exclusiveMinimum": ">"}
    signs |= {"maximum": "≤", "exclusiveMaximum": "<"}
    found = [f"{sign} {_yaml(part[key])}" for key, sign in signs.items() if key in part]
    return f" {', '.join(found)}" if found else ""


def default(part: Schema) -> str:
    """Write a default; one that pydantic leaves out is a block or made anew."""
    value = part.get("default", {})
    return "block" if isinstance(value, dict) else f"`{_yaml(value)}`"


def _yaml(value: Any) -> str:
    """Write a value the way YAML does."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, list):
        return f"[{', '.join(map(_yaml, value))}]"
    if isinstance(value, float) and float(short := f"{value:g}") == value:
        return short
    if isinstance(value, str) and "\n" in value:
        return json.dumps(value, ensure_ascii=False)
    return str(value) or '""'


def _prose(docstring: str) -> str:
    """Turn a docstring into Markdown."""
    lines = (line.strip() for line in docstring.strip().splitlines())
    text = "\n".join(lines).replace("``", "`")
    return re.sub(r"(?<![\w/\[])(?<!\]\()methods\.md", "[methods.md](methods.md)", text)


def _cell(text: str) -> str:
    """Fit a text into a cell of a table; each of its lines stays one."""
    return _prose(text).replace("|", "\\|").replace("\n", "<br>")
