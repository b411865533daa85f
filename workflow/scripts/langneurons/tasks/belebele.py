"""Belebele: a question about a passage, with four answers to choose from.

Bandarkar et al. 2024. The letters of the answers are scored as lm-evaluation-harness
does (docs/amplification.md 6), or the answers themselves.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from langneurons.config.fields import Frozen

from . import Item, Size
from .common import columns, rows
from .common.choices import Choices, Option, options
from .common.continuations import Boundary, Padding
from .common.items import read_jsonl

LETTERS = ("A", "B", "C", "D")
ANSWERS = ("mc_answer1", "mc_answer2", "mc_answer3", "mc_answer4")
COLUMNS = ("flores_passage", "question", *ANSWERS, "correct_answer_num")
NUMBERS = ("1", "2", "3", "4")


class Parameters(Frozen):
    """What is scored. Files have a JSON object per line, in the layout of the hub."""

    wording: Literal["harness", "answers"] = Field(
        "harness",
        description="continuations that are scored:\n"
        "`harness`: the letters A to D, after passage, question and the four answers, "
        "as lm-evaluation-harness writes them\n"
        "`answers`: the four answers in full, after passage and question, for models "
        "that do not know letters",
    )


class Belebele(Choices[Parameters]):
    """Questions about passages with four answers; see the module."""

    PARAMETERS = Parameters
    TITLE = "Belebele"
    OPTIONS = tuple(f"answer {letter}" for letter in LETTERS)
    SIZE = Size(
        0,
        900,
        0,
        200,
        "Bandarkar et al. 2024; 154 English and 192 German tokens with Gemma 3's "
        "tokenizer",
    )

    def read_file(self, path: Path | str) -> Iterator[Item]:
        for row, cells, where in rows.of_file(path, COLUMNS):
            yield item_of(row, cells, where)

    def read_hub(
        self, source: Mapping[str, Any], language: str, split: str
    ) -> Iterator[Item]:
        for row, cells, where in rows.of_hub(source, language, split, COLUMNS):
            yield item_of(row, cells, where)

    def read_items(self, path: Path | str) -> list[Item]:
        names = ("flores_passage", "question", *ANSWERS)
        return read_jsonl(path, keys=("id", *names, "label"))

    def scoring(self, parameters: Parameters) -> tuple[Boundary, Padding]:
        """Cut as the harness does, or by characters."""
        return "alone" if parameters.wording == "harness" else "offsets", "exact"

    def wording(
        self, item: Item, parameters: Parameters, language: str
    ) -> Sequence[Option]:
        """Write passage, question and what follows; a blank stands before an option."""
        lines = [f"P: {item['flores_passage']}", f"Q: {item['question'].strip()}"]
        answers = [item[name] for name in ANSWERS]
        if parameters.wording == "answers":
            full = [answer.strip() for answer in answers]
            return options("\n".join([*lines, "Answer:"]), " ", full)
        listed = [f"{a}: {b}" for a, b in zip(LETTERS, answers, strict=True)]
        return options("\n".join([*lines, *listed, "Answer:"]), " ", LETTERS)


def item_of(row: int, cells: Mapping[str, Any], where: str) -> Item:
    """Read a row of the data set."""
    texts = {name: columns.text(cells, name, where) for name in COLUMNS[:-1]}
    number = rows.one_of(cells, "correct_answer_num", NUMBERS, where)
    own = {"id": row, **texts, "label": NUMBERS.index(number)}
    return own | columns.language(cells, where)


TASK = Belebele()
