"""Facts with subject and object in several languages: mLAMA's files, and hub sets.

Every language has an item for every fact, also where the fact has no object in it, so
that a sample of items is one of facts, and the number of an item is that of its fact.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from langneurons.config.errors import DataError

from . import columns, rows
from .items import read_jsonl

TEMPLATES = "templates.tsv"
KEYS = ("relation", "template", "subject", "objects")


def read_file(path: Path | str) -> Iterator[dict[str, Any]]:
    """Read facts with the templates beside them.

    Yields:
        For every fact and every language that the templates have: ``id`` (the number
        of the fact), ``language``, ``relation``, ``template``, ``subject`` (None where
        the fact has no subject or object in it) and ``objects``, by language.

    Raises:
        DataError: a fact of a relation without a template, an empty label, or a file
            of another layout.
    """
    beside = Path(path).with_name(TEMPLATES)
    templates = _templates(beside)
    for row, cells, where in rows.of_file(path, ("relation", "sub", "obj")):
        relation = columns.text(cells, "relation", where)
        if relation not in templates:
            raise DataError(
                f"{where}: relation {relation!r} has no template in {beside}; it has "
                f"{', '.join(templates)}"
            )
        subjects, objects = (_labels(cells, name, where) for name in ("sub", "obj"))
        for language, template in templates[relation].items():
            yield {
                "id": row,
                "language": language,
                "relation": relation,
                "template": template,
                "subject": subjects.get(language) if language in objects else None,
                "objects": objects,
            }


def _templates(path: Path) -> dict[str, dict[str, str]]:
    """Read a table of templates: relation -> language -> template."""
    found: dict[str, dict[str, str]] = {}
    for _, cells, where in columns.read_tsv(path, ["relation"]):
        own = {name: text for name, text in cells.items() if name != "relation"}
        for language, template in own.items():
            _check_template(template, f"{where}, {language}")
        if cells["relation"] in found:
            raise DataError(f"{where}: relation {cells['relation']} stands twice")
        found[cells["relation"]] = own
    if not found:
        raise DataError(f"{path}: no templates")
    return found


def _check_template(template: str, where: str) -> None:
    for name in ("[X]", "[Y]"):
        if template.count(name) != 1:
            raise DataError(
                f"{where}: the template {template!r} has {name} {template.count(name)} "
                "times; [X] for the subject and [Y] for the object are expected, once "
                "each"
            )


def _labels(cells: Mapping[str, Any], name: str, where: str) -> dict[str, str]:
    given = cells[name]
    if not isinstance(given, dict) or not given:
        raise DataError(
            f"{where}: {name} is {given!r}; an object of texts by language is expected"
        )
    return {code: columns.text(given, code, f"{where}: {name}") for code in given}


def read_hub(
    source: Mapping[str, Any], language: str, split: str
) -> Iterator[dict[str, Any]]:
    """Stream a hub set whose configuration of a language has its templates.

    The columns are ``template``, ``predicate_id`` and, for each language, ``sub_<l>``
    and ``obj_<l>``, with the data set's codes (``codes`` of the source).

    Raises:
        DataError: a column is missing, or a label is empty.
    """
    codes: Mapping[str, str] = source.get("codes") or {}
    ours = {theirs: code for code, theirs in codes.items()}
    own = codes.get(language, language)
    names = ("template", "predicate_id", f"sub_{own}", f"obj_{own}")
    for row, cells, where in rows.of_hub(source, language, split, names):
        _check_template(columns.text(cells, "template", where), where)
        theirs = [name[4:] for name in cells if str(name).startswith("obj_")]
        yield {
            "id": row,
            "relation": columns.text(cells, "predicate_id", where),
            "template": cells["template"],
            "subject": columns.text(cells, f"sub_{own}", where),
            "objects": {
                ours.get(code, code): columns.text(cells, f"obj_{code}", where)
                for code in theirs
                if cells[f"obj_{code}"] is not None
            },
        }


def read_items(path: Path | str) -> list[dict[str, Any]]:
    """Read prepared items (JSON lines, as ``tasks.prepare`` writes them)."""
    return read_jsonl(path, keys=("id", *KEYS))
