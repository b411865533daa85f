"""Sentences of one language: read from files, in the order of their numbers.

For corpora with ``unit: document``: a sentence is a row of a table or a line of a text
file. All are held in memory; such corpora have some thousands of them.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from langneurons.config.errors import DataError, did_you_mean
from langneurons.jobs import files, json_text

from . import hub, row_languages
from .corpora import read_lines

SUFFIXES = (".txt", ".tsv", ".jsonl")


@dataclass(frozen=True)
class Sentence:
    """A sentence of a source.

    Attributes:
        number: that it is chosen and put in order by.
        text: not blank.
        where: names its row in messages.
    """

    number: int
    text: str
    where: str

    @property
    def hash(self) -> int:
        """A hash of the text, from -2^63 to 2^63 - 1."""
        digest = hashlib.blake2b(self.text.encode(), digest_size=8).digest()
        return int.from_bytes(digest, "little", signed=True)


def read(
    paths: Sequence[Path], rows: Mapping[str, Any], names: Sequence[str]
) -> list[Sentence]:
    """Read the sentences of some files whose numbers are in a range.

    Args:
        paths: .txt (a sentence per line), .tsv or .jsonl.
        rows: ``text_column``, ``column`` (of numbers; None: rows are numbered from 0,
            through all files), ``at_least``, ``below`` (None: all) and ``split``: of
            rows that say theirs, as in what :func:`fetch` writes; None: any.
        names: what the language is called here and in the source.

    Returns:
        In the order of their numbers.

    Raises:
        DataError: a file cannot be read, a column is missing, a text is empty or a
            number none, two have the same number, or no row is left.
    """
    where = ", ".join(map(str, paths))
    column, below, found = rows["column"], rows["below"], list[Sentence]()
    counted = 0
    own = {path: row_languages.Own(names[-1], str(path)) for path in paths}
    for path, cells, place in _cells(paths, rows["text_column"]):
        said = row_languages.of(cells, place)
        if not own[path].take(names[-1] if said in names else said):
            continue
        if rows.get("split") is not None and cells.get("split") != rows["split"]:
            continue
        number = counted if column is None else _number(cells, column, place)
        counted += 1
        if number >= rows["at_least"] and (below is None or number < below):
            text = _text(cells, rows["text_column"], place)
            found.append(Sentence(number, text, place))
    for one in own.values():
        one.close()
    if not found:
        limit = "" if below is None else f" and below {below:,}"
        raise DataError(
            f"{where}: no sentence is numbered at least {rows['at_least']:,}{limit}; "
            f"there are {counted:,} rows"
        )
    found.sort(key=lambda sentence: sentence.number)
    for first, other in pairwise(found):
        if first.number == other.number:
            raise DataError(
                f"{other.where}: {column} is {other.number}, as in {first.where}; rows "
                "are chosen and put in order by it, so each needs its own"
            )
    return found


def require_columns(path: Path, rows: Mapping[str, Any]) -> None:
    """Refuse a file whose first row lacks a column that :func:`read` asks for.

    No more of the file is read than that row. A file without rows passes, and one whose
    rows say their language: the first may be one that is not read.

    Args:
        path: .txt, .tsv or .jsonl.
        rows: ``text_column`` and ``column``, as in :func:`read`.

    Raises:
        DataError: names the file, the column and those that are there; or the file
            cannot be read.
    """
    for _, cells, place in _cells([path], rows["text_column"]):
        if row_languages.of(cells, place) is not None:
            return
        _cell(cells, rows["text_column"], place, "text_column of the corpus")
        if rows["column"] is not None:
            _cell(cells, rows["column"], place, "column, in recorded and held_out,")
        return


def _cells(
    paths: Sequence[Path], text_column: str
) -> Iterator[tuple[Path, dict[str, Any], str]]:
    """Yield the file, cells and place of each row of all files."""
    for path in paths:
        if path.suffix not in SUFFIXES:
            raise DataError(f"{path}: sentences are in {', '.join(SUFFIXES)} files")
        if path.suffix == ".tsv":
            rows = _table(path)
        elif path.suffix == ".jsonl":
            rows = _objects(path)
        else:
            rows = (({text_column: line}, place) for line, place in _lines(path))
        for cells, place in rows:
            yield path, cells, place


def _lines(path: Path) -> Iterator[tuple[str, str]]:
    """Yield the lines of a file; blank ones at its end are none."""
    blank: list[tuple[str, str]] = []
    for number, _, line in read_lines(path):
        blank.append((line, f"{path}: line {number:,}"))
        if line.strip():
            yield from blank
            blank.clear()


def _table(path: Path) -> Iterator[tuple[dict[str, Any], str]]:
    lines = _lines(path)
    header = next(lines, ("", ""))[0].split("\t")
    if twice := sorted({name for name in header if header.count(name) > 1}):
        raise DataError(f"{path}: the first line names {', '.join(twice)} twice")
    for line, place in lines:
        try:
            cells = next(csv.reader(io.StringIO(line), delimiter="\t", strict=True))
        except csv.Error as error:
            raise DataError(
                f"{place}: {error}; a cell that begins with a quotation mark ends with "
                'one, and those inside stand twice: "He said ""no""."'
            ) from error
        if len(cells) != len(header):
            raise DataError(
                f"{place}: {len(cells)} cells, but the header names {len(header)}"
            )
        yield dict(zip(header, cells, strict=True)), place


def _objects(path: Path) -> Iterator[tuple[dict[str, Any], str]]:
    for line, place in _lines(path):
        try:
            found = json_text.loads(line)
        except ValueError as error:
            raise DataError(f"{place} is not a JSON object ({error})") from error
        if not isinstance(found, dict):
            raise DataError(f"{place} is not a JSON object")
        yield found, place


def _text(cells: Mapping[str, Any], column: str, where: str) -> str:
    text = _cell(cells, column, where, "text_column of the corpus")
    if not isinstance(text, str) or not text.strip():
        raise DataError(
            f"{where}: {column} is {text!r}; a sentence is expected. Take the row out, "
            "in all languages where they are parallel"
        )
    if not json_text.is_text(text):
        raise DataError(f"{where}: {column}: {json_text.HALF_OF_A_PAIR}")
    return text.strip()


def _number(cells: Mapping[str, Any], column: str, where: str) -> int:
    given = _cell(cells, column, where, "column, in recorded and held_out,")
    # A truth value is a number to Python.
    is_whole = isinstance(given, (int, str)) and not isinstance(given, bool)
    try:
        return int(given) if is_whole else int("none")
    except ValueError as error:
        raise DataError(
            f"{where}: {column} is {given!r}, not a whole number"
        ) from error


def _cell(cells: Mapping[str, Any], column: str, where: str, key: str) -> Any:
    if column not in cells:
        hint = did_you_mean(column, cells)
        raise DataError(
            f"{where}: no column {column!r}{hint}; there are: {', '.join(cells)}. "
            f"Set {key} to one of them"
        )
    return cells[column]


def fetch(spec: Mapping[str, Any], out: Path) -> int:
    """Write the rows of some splits of a hub data set, one JSON object per line.

    Args:
        spec: ``hub`` (a ``HubSource``), ``text_column``, ``language``, ``code`` (what
            the data set calls it) and ``parts``: each ``split``, ``column`` and
            ``below``, as in ``SourceRows``.
        out: a .jsonl file: ``split``, ``number`` and ``text``.

    Returns:
        How many.

    Raises:
        DataError: the hub cannot be read, a column is missing, or a text is empty.
    """
    source, names = spec["hub"], (spec["language"], spec["code"])
    written = 0
    with files.atomic(out) as part, part.open("w", encoding="utf-8") as handle:
        for asked in spec["parts"]:
            split, column = asked["split"], asked["column"]
            what = f"hub dataset {source['repo']!r}, split {split!r}, {names[1]!r}"
            own, number = row_languages.Own(names[-1], what), 0
            for cells in hub.rows(source, names[0], split, code=names[1]):
                place = f"{what}: row {number + 1:,}"
                said = row_languages.of(cells, place)
                if not own.take(names[-1] if said in names else said):
                    continue
                if column is None and number == asked["below"]:
                    break
                row = {
                    "split": split,
                    "number": _number(cells, column, place) if column else number,
                    "text": _text(cells, spec["text_column"], place),
                }
                handle.write(files.canonical(row) + "\n")
                number += 1
            own.close()
            if not number:
                raise DataError(f"{what}: no rows at all")
            written += number
    return written
