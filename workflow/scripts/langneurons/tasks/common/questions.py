"""Questions about passages: files in the layout of SQuAD 1.1, and hub data sets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from langneurons.config.errors import DataError
from langneurons.jobs import files, json_text
from langneurons.text import hub, row_languages

from . import columns
from .items import read_jsonl

COLUMNS = ("context", "question", "answers")
SPLITS = {"train": ("train", "validation"), "test": ("test", "validation")}
"""Splits of a hub data set, in order of preference; XQuAD has the last only."""


def read_file(path: Path | str) -> Iterator[dict[str, Any]]:
    """Read a JSON file in the layout of SQuAD 1.1.

    Yields:
        ``id`` (row number from 0), ``context``, ``question``, ``answers`` (texts);
        ``language`` if the file names one: as a whole, or for an article, a passage or
        a question.

    Raises:
        DataError: not such a file, or a question without an answer.
    """
    whole, row = files.read_json(path), 0
    for a, article in enumerate(_list(whole, "data", f"{path}: ")):
        where = f"{path}: data[{a}]."
        for p, paragraph in enumerate(_list(article, "paragraphs", where)):
            spot = f"{where}paragraphs[{p}]."
            for q, asked in enumerate(_list(paragraph, "qas", spot)):
                at = f"{spot}qas[{q}]"
                answers = _list(asked, "answers", f"{at}.")
                texts = [a.get("text") for a in answers if isinstance(a, dict)]
                cells = {
                    "context": paragraph.get("context"),
                    "question": asked.get("question"),
                    "answers": texts,
                }
                blocks = (whole, article, paragraph, asked)
                yield _item(row, cells | _languages(blocks, at), at)
                row += 1


def _languages(blocks: Iterable[Mapping[str, Any]], where: str) -> dict[str, Any]:
    """Return the language that a question is in, if the file says it; see ``_item``."""
    said = [row_languages.of(block, where) for block in blocks]
    given = [language for language in said if language is not None]
    if not all(row_languages.same(given[0], other) for other in given):
        raise DataError(f"{where}: the languages around it differ: {', '.join(given)}")
    return {"language": given[-1]} if given else {}


def _list(block: Any, key: str, where: str) -> list[Any]:
    found = block.get(key) if isinstance(block, dict) else None
    if not isinstance(found, list):
        raise DataError(
            f"{where}{key} is not a list. A file in the layout of SQuAD 1.1 is "
            "expected: data > paragraphs (context) > qas (question) > answers (text)"
        )
    return found


def read_hub(
    source: Mapping[str, Any], language: str, split: str
) -> Iterator[dict[str, Any]]:
    """Stream a hub data set with columns context, question, answers (with ``text``).

    Args:
        source: a ``HubSource`` as a mapping.
        language: replaces ``{lang}`` in its configuration.
        split: ``train`` or ``test``. Where the data set has none of that name, the
            ``validation`` split is read: XQuAD has no other, SQuAD hides its test.
    """
    for row, cells in enumerate(_rows(source, language, SPLITS[split])):
        where = f"hub dataset {source['repo']}, {language} {split}, row {row + 1:,}"
        if absent := [name for name in COLUMNS if name not in cells]:
            raise DataError(
                f"{where}: no column {', '.join(absent)}; has {list(cells)}"
            )
        answers = cells["answers"]
        texts = answers.get("text") if isinstance(answers, dict) else None
        yield _item(row, {**cells, "answers": texts}, where)


def _rows(
    source: Mapping[str, Any], language: str, splits: tuple[str, ...]
) -> Iterator[dict[str, Any]]:
    for split in splits:
        stream = iter(hub.rows(source, language, split))
        try:
            first = next(stream, None)
        except DataError as error:
            # A ValueError is what ``datasets`` says of a split that is not there.
            if split == splits[-1] or not isinstance(error.__cause__, ValueError):
                raise
            continue
        if first is not None:
            yield first
            yield from stream
        return


def _item(row: int, cells: Mapping[str, Any], where: str) -> dict[str, Any]:
    for name in COLUMNS[:2]:
        if not isinstance(cells[name], str) or not cells[name].strip():
            raise DataError(f"{where}: {name} is {cells[name]!r}; a text is expected")
    answers = cells["answers"]
    if not isinstance(answers, list) or not answers:
        raise DataError(
            f"{where}: no answer; every question needs one (SQuAD 1.1, not 2.0)"
        )
    if bad := [a for a in answers if not isinstance(a, str) or not a.strip()]:
        raise DataError(f"{where}: answer {bad[0]!r}; a text is expected")
    if not all(map(json_text.is_text, (*(cells[k] for k in COLUMNS[:2]), *answers))):
        raise DataError(f"{where}: its text holds {json_text.HALF_OF_A_PAIR}")
    item = {"id": row, **{name: cells[name] for name in COLUMNS}}
    return item | columns.language(cells, where)


def read_items(path: Path | str) -> list[dict[str, Any]]:
    """Read prepared items (JSON lines, as ``tasks.prepare`` writes them)."""
    items = read_jsonl(path, keys=("id", *COLUMNS))
    return [
        _item(item["id"], item, f"{path}: line {number:,}")
        for number, item in enumerate(items, start=1)
    ]
