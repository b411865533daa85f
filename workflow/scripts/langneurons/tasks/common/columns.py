"""Items that are given as named columns: tab-separated files, rows of the hub."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from langneurons.config.errors import DataError, did_you_mean
from langneurons.jobs import json_text
from langneurons.text import row_languages
from langneurons.text.corpora import read_lines


def read_parallel(path: Path | str) -> Iterator[tuple[int, str, str]]:
    """Read a text per line, parallel line by line to those of other languages.

    Yields:
        Row number from 0, the line, and where it is, for messages. Blank lines at the
        end are none.

    Raises:
        DataError: a blank line before others; or see ``corpora.read_lines``.
    """
    blank: int | None = None
    for number, _, line in read_lines(path):
        if not line.strip():
            blank = blank or number
            continue
        if blank is not None:
            raise DataError(
                f"{path}: line {blank:,} is empty; lines of two languages belong "
                "together by their number, so take it out in all of them"
            )
        yield number - 1, line, f"{path}: line {number:,}"


def read_tsv(
    path: Path | str, names: Sequence[str]
) -> Iterator[tuple[int, dict[str, str], str]]:
    """Read a tab-separated file with a header that names the columns.

    Columns may stand in any order, others are ignored; quotes have no meaning.

    Args:
        path: of the file.
        names: columns that must be there.

    Yields:
        Row number from 0, cells by column, and where that is, for messages.

    Raises:
        DataError: not UTF-8, a column missing or named twice, a row of another width.
    """
    lines = read_lines(path)
    header = next(lines, (0, 0, ""))[2].split("\t")
    if absent := [name for name in names if name not in header]:
        raise DataError(
            f"{path}: the first line must name the columns {', '.join(names)}, "
            f"separated by tabs; missing: {', '.join(absent)}; found: {header}"
        )
    read = {*names, *(n for n in header if n.lower() in row_languages.COLUMNS)}
    if twice := sorted(name for name in read if header.count(name) > 1):
        raise DataError(f"{path}: the first line names {', '.join(twice)} twice")
    row = -1
    for number, _, line in lines:
        if not line:
            continue
        row += 1
        where = f"{path}: row {row + 1:,} (line {number:,})"
        cells = line.split("\t")
        if len(cells) != len(header):
            raise DataError(
                f"{where}: {len(cells)} cells, but the header names {len(header)}"
            )
        yield row, dict(zip(header, cells, strict=True)), where


def require(cells: Mapping[str, Any], names: Sequence[str], where: str) -> None:
    """Refuse a row that lacks a column."""
    if absent := [name for name in names if name not in cells]:
        raise DataError(f"{where}: no column {', '.join(absent)}; has {list(cells)}")


def text(cells: Mapping[str, Any], name: str, where: str) -> str:
    """Return a text that is not empty.

    Raises:
        DataError: it is, or no text.
    """
    found = cells[name]
    if not isinstance(found, str) or not found.strip():
        raise DataError(f"{where}: {name} is {found!r}; a text is expected")
    if not json_text.is_text(found):
        raise DataError(f"{where}: {name} holds {json_text.HALF_OF_A_PAIR}")
    return found


def label(value: Any, labels: Sequence[str], where: str) -> int:
    """Read a label given as a class name or as its number, from 0.

    Raises:
        DataError: anything else.
    """
    said = str(value).strip()
    if said in labels:
        return labels.index(said)
    numbers = [str(i) for i in range(len(labels))]
    if said in numbers and not isinstance(value, bool):
        return int(said)
    allowed = ", ".join(f"{i} or {name}" for i, name in enumerate(labels))
    hint = did_you_mean(said, labels) or "."
    raise DataError(f"{where}: label {value!r} is not allowed{hint} Allowed: {allowed}")


def language(cells: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return the language that a row says it is in, as a key of its item."""
    said = row_languages.of(cells, where)
    return {} if said is None else {"language": said}
