"""XNLI: does a premise entail a hypothesis? Three classes, parallel test sets.

Mondal et al. 2025, section 4 (methods.md 2.3). Trained on English, tested zero-shot.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from langneurons.config.catalogue import Frozen
from langneurons.config.errors import DataError, did_you_mean
from langneurons.jobs import json_text
from langneurons.text import hub, row_languages
from langneurons.text.corpora import read_lines

from . import Item, Metric, Size, Task
from .common.items import read_jsonl

LABELS = ("entailment", "neutral", "contradiction")
"""Class names in the order of their numbers, as on the hub."""

COLUMNS = ("premise", "hypothesis", "label")


class Parameters(Frozen):
    """How an item becomes a sequence, and where the classifier reads it.

    Files have the columns ``premise``, ``hypothesis`` and ``label``, separated by tabs.
    """

    max_length: int = Field(256, ge=8, description="tokens of an item")
    pool: Literal["padded_last", "last_real_token", "mean"] = Field(
        "padded_last",
        description="hidden state that the head reads:\n"
        "`padded_last`: of the last of max_length positions, a padding EOS (paper)\n"
        "`last_real_token`: of the last token of the text\n"
        "`mean`: the mean over the text",
    )
    separator: Literal["eos", "space"] = Field(
        "eos",
        description="between premise and hypothesis:\n`eos`: EOS between blanks "
        "(paper)\n`space`: a blank",
    )
    template: str | None = Field(
        None,
        description="text with `{premise}`, then `{hypothesis}`, instead of the "
        "separator; an ending in one language makes the token that last_real_token "
        "reads the same in all",
    )
    drop_long: bool = Field(
        True,
        description="drop training items that fill max_length (paper), else cut them; "
        "test items are always cut",
    )

    @field_validator("template")
    @classmethod
    def _has_both(cls, template: str | None) -> str | None:
        if template is not None:
            first, second = template.find("{premise}"), template.find("{hypothesis}")
            if not 0 <= first < second or template.count("{premise}") > 1:
                raise ValueError(
                    "must hold {premise} and then {hypothesis}, each once, "
                    f"but is {template!r}"
                )
        return template

    @model_validator(mode="after")
    def _template_or_separator(self) -> Parameters:
        if self.template is not None and self.separator != "eos":
            raise ValueError(
                "'template' says what stands between the texts; 'separator' would have "
                "no effect"
            )
        return self


def parse_label(value: Any, where: str) -> int:
    """Read a label given as a class name or as 0, 1, 2.

    Raises:
        DataError: anything else; ``where`` names the file and row.
    """
    text = str(value).strip()
    if text in LABELS:
        return LABELS.index(text)
    if text in ("0", "1", "2") and not isinstance(value, bool):
        return int(text)
    allowed = ", ".join(f"{i} or {name}" for i, name in enumerate(LABELS))
    hint = did_you_mean(text, LABELS)
    raise DataError(f"{where}: label {value!r} is not allowed{hint} Allowed: {allowed}")


def read_file(path: Path | str) -> Iterator[dict[str, Any]]:
    """Read a tab-separated file with a header that names the three columns.

    Columns may stand in any order, others are ignored; quotes have no meaning.

    Yields:
        ``id`` (row number from 0), ``premise``, ``hypothesis``, ``label`` (0, 1, 2);
        ``language`` if the file has such a column.

    Raises:
        DataError: not UTF-8, a column missing or named twice, a row of another width, a
            bad label.
    """
    lines = read_lines(path)
    header = next(lines, (0, 0, ""))[2].split("\t")
    if absent := [name for name in COLUMNS if name not in header]:
        raise DataError(
            f"{path}: the first line must name the columns {', '.join(COLUMNS)}, "
            f"separated by tabs; missing: {', '.join(absent)}; found: {header}"
        )
    read = {*COLUMNS, *(n for n in header if n.lower() in row_languages.COLUMNS)}
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
        yield _item(row, dict(zip(header, cells, strict=True)), where)


def read_hub(
    source: Mapping[str, Any], language: str, split: str
) -> Iterator[dict[str, Any]]:
    """Stream a split of a hub data set with columns premise, hypothesis, label."""
    for row, cells in enumerate(hub.rows(source, language, split)):
        where = f"hub dataset {source['repo']}, {language} {split}, row {row + 1:,}"
        if absent := [name for name in COLUMNS if name not in cells]:
            raise DataError(
                f"{where}: no column {', '.join(absent)}; has {list(cells)}"
            )
        yield _item(row, cells, where)


def _item(row: int, cells: Mapping[str, Any], where: str) -> dict[str, Any]:
    texts = {name: cells[name] for name in COLUMNS[:2]}
    for name, text in texts.items():
        if not isinstance(text, str) or not text.strip():
            raise DataError(f"{where}: {name} is {text!r}; a sentence is expected")
        if not json_text.is_text(text):
            raise DataError(f"{where}: {name} holds {json_text.HALF_OF_A_PAIR}")
    item = {"id": row, **texts, "label": parse_label(cells["label"], where)}
    said = row_languages.of(cells, where)
    return item if said is None else item | {"language": said}


def read_items(path: Path | str) -> list[dict[str, Any]]:
    """Read prepared items (JSON lines, as ``tasks.prepare`` writes them)."""
    items = read_jsonl(path, keys=("id", *COLUMNS))
    for number, item in enumerate(items, start=1):
        item["label"] = parse_label(item["label"], f"{path}: line {number:,}")
    return items


class Xnli(Task[Parameters]):
    """Three classes of sentence pairs; see the module."""

    PARAMETERS = Parameters
    TITLE = "XNLI"
    METRICS = MappingProxyType({"accuracy": Metric("binary", "accuracy")})
    LABELS = LABELS
    PUBLISHED = "xnli"
    SIZE = Size(
        392_702,
        5_010,
        40,
        65,
        "Conneau et al. 2018 (MultiNLI's training set); 30 and 20 English words a pair",
    )
    DEMO = "nli"

    def read_file(self, path: Path | str) -> Iterator[Item]:
        return read_file(path)

    def read_hub(
        self, source: Mapping[str, Any], language: str, split: str
    ) -> Iterator[Item]:
        return read_hub(source, language, split)

    def read_items(self, path: Path | str) -> list[Item]:
        return read_items(path)

    def longest(self, parameters: Parameters) -> int:
        return parameters.max_length


TASK = Xnli()
