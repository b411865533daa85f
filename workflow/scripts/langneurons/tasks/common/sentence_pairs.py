"""Sentences and their translations: files of a language each, or FLORES on the hub."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from langneurons.config.errors import DataError

from . import columns, rows

TEXTS = ("sentence", "text")
"""Columns of the sentence in the two editions of FLORES on the hub, and in files."""
ID = "id"
SUFFIXES = (".txt", ".tsv", ".jsonl")

Item = dict[str, Any]


def read_file(path: Path | str) -> Iterator[Item]:
    """Read the sentences of one language.

    Args:
        path: .txt (a sentence per line), or .tsv or .jsonl with a column ``sentence``
            or ``text`` and, if sentences are matched by it and not by line, ``id``.

    Yields:
        ``id`` (number of the row), ``key`` (of its translation too; None: its row is)
        and ``text``.

    Raises:
        DataError: another suffix, no such column, or an empty sentence.
    """
    path = Path(path)
    if path.suffix not in SUFFIXES:
        raise DataError(f"{path}: sentences are in {', '.join(SUFFIXES)} files")
    if path.suffix == ".txt":
        for row, line, where in columns.read_parallel(path):
            yield _item(row, {TEXTS[0]: line}, where)
        return
    read = columns.read_tsv if path.suffix == ".tsv" else rows.of_file
    yield from (_item(row, cells, where) for row, cells, where in read(path, ()))


def read_hub(source: Mapping[str, Any], language: str, split: str) -> Iterator[Item]:
    """Stream the sentences of one language; see :func:`read_file`."""
    for row, cells, where in rows.of_hub(source, language, split, ()):
        yield _item(row, cells, where)


def _item(row: int, cells: Mapping[str, Any], where: str) -> Item:
    name = next((name for name in TEXTS if name in cells), None)
    if name is None:
        raise DataError(
            f"{where}: no column {' or '.join(TEXTS)}; has {', '.join(map(str, cells))}"
        )
    key = None if cells.get(ID) is None else str(cells[ID]).strip()
    text = columns.text(cells, name, where).strip()
    return {"id": row, "key": key, "text": text, **columns.language(cells, where)}


def join(source: Sequence[Item], target: Sequence[Item], where: str) -> Iterator[Item]:
    """Put sentences and their translations together, by ``key`` or by row.

    Yields:
        ``id``, ``source`` and ``reference``, by ``id``: the row, or of sentences with a
        key the place of theirs among all keys, shorter ones first. So a sentence has
        one number in all pairs of languages, in whatever order their rows stand.

    Raises:
        DataError: a key stands twice or on one side only, or other numbers of rows.
    """
    keyed = [[item["key"] for item in side] for side in (source, target)]
    if any(None in side for side in keyed):
        if any(key is not None for side in keyed for key in side):
            raise DataError(f"{where}: some rows have an {ID}, and others do not")
        if len(source) != len(target):
            raise DataError(
                f"{where}: {len(source):,} sentences, but {len(target):,} "
                "translations; they belong together line by line"
            )
        sides: list[Sequence[Item]] = [source, target]
        numbers = [item["id"] for item in source]
    else:
        sides = _by_key(source, target, where)
        numbers = list(range(len(source)))
    for number, one, other in zip(numbers, *sides, strict=True):
        yield {"id": number, "source": one["text"], "reference": other["text"]}


def _by_key(
    source: Sequence[Item], target: Sequence[Item], where: str
) -> list[Sequence[Item]]:
    """Bring both sides into the order of their keys, which are the same."""
    by_key = []
    for side in (source, target):
        found = {item["key"]: item for item in side}
        if len(found) < len(side):
            keys = [item["key"] for item in side]
            twice = min(key for key in found if keys.count(key) > 1)
            raise DataError(f"{where}: {ID} {twice!r} stands twice")
        by_key.append(found)
    if missing := sorted(set(by_key[0]) ^ set(by_key[1])):
        raise DataError(
            f"{where}: {ID} {missing[0]!r} is in one of the two languages only, "
            f"and so are {len(missing) - 1:,} others; both need the same sentences"
        )
    # Shorter ones first: keys that are row numbers keep their order, 9 before 10.
    order = sorted(by_key[0], key=lambda key: (len(key), key))
    return [[found[key] for key in order] for found in by_key]
