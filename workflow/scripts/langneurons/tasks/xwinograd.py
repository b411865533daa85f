"""XWinograd: which of two that were named a pronoun means.

Tikhonov and Ryabinin 2021, scored as Rahmanisa et al. 2025 and lm-evaluation-harness
do: each option takes the pronoun's place, and what follows it, the same in both, is
scored behind the sentence that is begun so (docs/amplification.md 6).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field

from langneurons.config.errors import DataError
from langneurons.jobs import json_text
from langneurons.text.corpora import read_lines

from . import Item, Size
from .common import columns, rows
from .common.choices import Choices, Option
from .common.continuations import BOUNDARY, Boundary, Padding
from .common.items import read_jsonl
from .common.switches import Switched

BLANK = "_"
"""What stands in a sentence in the place of its pronoun."""
COLUMNS = ("sentence", "option1", "option2", "answer")
ANSWERS = ("1", "2")
OFFICIAL = ("language", "set", "origin", "sentence", "tokens", "pronoun", "options")
"""Cells of a row of the official file, which has no header."""
CODES = {"jp": "ja"}
"""What the official file calls a language -> its code here."""
QUOTES = {"``": '"', "''": '"'}
"""Tokens of the official file -> what its sentences have there."""


class Parameters(Switched):
    """How an item is written.

    A file has a JSON object per line, in the layout of the hub (``sentence`` with one
    ``_``, ``option1``, ``option2``, ``answer`` 1 or 2); one whose name ends in
    ``.tsv`` is the official ``dataset.tsv``, which has all languages.
    """

    WORDINGS: ClassVar = {
        "repaired": {"join": "as_written", "boundary": "offsets", "padding": "exact"},
        "harness": {"join": "space", "boundary": "alone", "padding": "exact"},
        "paper": {"join": "space", "boundary": "separate", "padding": "paper_left"},
    }

    wording: Literal["repaired", "harness", "paper"] = Field(
        "repaired",
        description="what the other keys are where they are not given:\n"
        "`repaired`: join: as_written, boundary: offsets, padding: exact\n"
        "`harness`: as lm-evaluation-harness; space, alone, exact\n"
        "`paper`: as Rahmanisa et al. 2025; space, separate, paper_left",
    )
    join: Literal["as_written", "space"] | None = Field(
        None,
        description="between an option and what follows it; null: as the wording says\n"
        "`as_written`: what is there in the sentence: nothing in ja and zh, or before "
        "a full stop. Items in which nothing follows, 10 of ru, are not asked\n"
        "`space`: always a blank; it is all that follows in those",
    )
    boundary: Boundary | None = Field(
        None, description=f"{BOUNDARY}\nnull: as the wording says"
    )
    padding: Padding | None = Field(
        None,
        description="what an option's sum counts; null: as the wording says\n"
        "`exact`: the tokens of what follows it\n"
        "`paper_left`: where the tokenizer pads on the left, also as many tokens "
        "before as the option is shorter than the other (a mistake of the paper's "
        "code)",
    )


class Xwinograd(Choices[Parameters]):
    """Pronouns and what they may mean; see the module."""

    PARAMETERS = Parameters
    TITLE = "XWinograd"
    OPTIONS = ("option1", "option2")
    ALL_LANGUAGES = True
    SIZE = Size(
        0,
        741,
        0,
        50,
        "Muennighoff et al. 2023, the mean of 6 languages (83 to 2,325); both "
        "sentences with Gemma 3's tokenizer",
    )

    def read_file(self, path: Path | str) -> Iterator[Item]:
        if Path(path).suffix == ".tsv":
            return map(_of_official, _official(path))
        return map(_item, rows.of_file(path, COLUMNS))

    def read_hub(
        self, source: Mapping[str, Any], language: str, split: str
    ) -> Iterator[Item]:
        return map(_item, rows.of_hub(source, language, split, COLUMNS))

    def read_items(self, path: Path | str) -> list[Item]:
        return read_jsonl(path, keys=("id", *COLUMNS[:3], "label"))

    def scoring(self, parameters: Parameters) -> tuple[Boundary, Padding]:
        """Do as the switches say."""
        boundary, padding = parameters.boundary, parameters.padding
        assert boundary is not None and padding is not None  # filled in
        return boundary, padding

    def wording(
        self, item: Item, parameters: Parameters, language: str
    ) -> Sequence[Option]:
        """Write the sentence up to the pronoun with each option, and what follows."""
        before, _, behind = item["sentence"].partition(BLANK)
        rest = behind.strip()
        join = " "
        if parameters.join == "as_written":
            if not rest:
                return ()
            join = behind[: behind.index(rest)]
        return [Option(before + item[name], join, rest) for name in self.OPTIONS]


def _item(row: rows.Row) -> Item:
    """Check a row in the layout of the hub."""
    number, cells, where = row
    texts = {name: columns.text(cells, name, where) for name in COLUMNS[:3]}
    if (count := texts["sentence"].count(BLANK)) != 1:
        raise DataError(
            f"{where}: sentence has {count} {BLANK!r}, {texts['sentence']!r}; exactly "
            "one is needed, in the place of the pronoun"
        )
    answer = rows.one_of(cells, "answer", ANSWERS, where)
    own = {"id": number, **texts, "label": ANSWERS.index(answer)}
    return own | columns.language(cells, where)


def _official(path: Path | str) -> Iterator[rows.Row]:
    """Split the lines of an official file into cells, the last three from JSON."""
    lines = ((number, line) for number, _, line in read_lines(path) if line)
    for row, (number, line) in enumerate(lines):
        where, given = f"{path}: line {number:,}", line.split("\t")
        if len(given) != len(OFFICIAL):
            raise DataError(
                f"{where}: {len(given)} cells separated by tabs; {len(OFFICIAL)} are "
                f"expected: {', '.join(OFFICIAL)}"
            )
        cells: dict[str, Any] = dict(zip(OFFICIAL, given, strict=True))
        try:
            cells |= {name: json_text.loads(cells[name]) for name in OFFICIAL[-3:]}
        except ValueError as error:
            raise DataError(
                f"{where}: {', '.join(OFFICIAL[-3:])} are to be JSON: {error}"
            ) from error
        yield row, cells, where


def _of_official(row: rows.Row) -> Item:
    """Put a row of the official file into the layout of the hub.

    The pronoun is found by its tokens: the same word may stand in the sentence twice.
    """
    number, cells, where = row
    sentence = columns.text(cells, "sentence", where)
    try:
        tokens = cells["tokens"]
        pronoun, (first, end), _ = cells["pronoun"]
        (one, _, _, is_one), (two, _, _, is_two) = cells["options"]
        spots = list(_spots(sentence, tokens))
        begun, ended = spots[first][0], spots[end - 1][1]
    except (TypeError, ValueError, IndexError) as error:
        raise DataError(
            f"{where}: tokens, pronoun and two options, as in the official file, are "
            f"expected: {error}"
        ) from error
    if sentence[begun:ended] != pronoun or {is_one, is_two} != {True, False}:
        raise DataError(
            f"{where}: the tokens {first} to {end} are {sentence[begun:ended]!r}, the "
            f"pronoun {pronoun!r}; options are {is_one} and {is_two}, one of them is "
            "to be true"
        )
    given = {
        "sentence": sentence[:begun] + BLANK + sentence[ended:],
        "option1": one,
        "option2": two,
        "answer": "1" if is_one else "2",
        "language": CODES.get(cells["language"], cells["language"]),
    }
    return _item((number, given, where))


def _spots(sentence: str, tokens: Iterable[str]) -> Iterator[tuple[int, int]]:
    """Find where each token begins and ends in the sentence, in characters."""
    at = 0
    for token in tokens:
        at += len(sentence[at:]) - len(sentence[at:].lstrip())
        spelt = token if sentence.startswith(token, at) else QUOTES.get(token, token)
        if not sentence.startswith(spelt, at):
            raise ValueError(f"token {token!r} is not at character {at} of the text")
        yield at, at + len(spelt)
        at += len(spelt)


TASK = Xwinograd()
