"""Items that are given as JSON objects, one per line, or as rows of the hub."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from langneurons.config.errors import DataError
from langneurons.jobs import json_text
from langneurons.text import hub
from langneurons.text.corpora import read_lines

from . import columns

Row = tuple[int, Mapping[str, Any], str]
"""Number of a row from 0, its cells by column, and where that is, for messages."""


def of_file(path: Path | str, names: Sequence[str]) -> Iterator[Row]:
    """Read a file of JSON objects, one per line, that have the columns.

    Raises:
        DataError: a line is no such object, or a column is missing.
    """
    row = -1
    for number, _, line in read_lines(path):
        if not line.strip():
            continue
        row += 1
        where = f"{path}: row {row + 1:,} (line {number:,})"
        try:
            cells = json_text.loads(line)
        except ValueError as error:
            raise DataError(f"{where}: not valid JSON: {error}") from error
        if not isinstance(cells, dict):
            raise DataError(
                f"{where}: {type(cells).__name__} is given; an object with the columns "
                f"{', '.join(names)} is expected"
            )
        columns.require(cells, names, where)
        yield row, cells, where


def of_hub(
    source: Mapping[str, Any], language: str, split: str, names: Sequence[str]
) -> Iterator[Row]:
    """Stream a split of a hub data set that has the columns."""
    for row, cells in enumerate(hub.rows(source, language, split)):
        where = f"hub dataset {source['repo']}, {language} {split}, row {row + 1:,}"
        columns.require(cells, names, where)
        yield row, cells, where


def one_of(
    cells: Mapping[str, Any], name: str, allowed: Sequence[str], where: str
) -> str:
    """Return a cell that is one of some words or numbers, as text.

    Raises:
        DataError: it is another.
    """
    said = cells[name]
    found = str(said).strip()
    if isinstance(said, bool) or found not in allowed:
        raise DataError(
            f"{where}: {name} is {said!r}, which is not allowed. Allowed: "
            f"{', '.join(allowed)}"
        )
    return found
