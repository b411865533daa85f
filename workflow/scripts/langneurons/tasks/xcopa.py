"""XCOPA: which of two sentences is the cause, or the effect, of another.

Ponti et al. 2020, scored as Rahmanisa et al. 2025 and lm-evaluation-harness do: the
premise and a connector are the context, both sentences its continuations
(docs/amplification.md 6). The official files have defects, which the wording keeps or
repairs.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field

from langneurons.config.errors import DataError, unknown_name
from langneurons.config.fields import Frozen, Language

from . import Item, Size
from .common import columns, rows
from .common.choices import Choices, Option, options
from .common.continuations import BOUNDARY, Boundary, Padding, blank
from .common.items import read_jsonl
from .common.switches import Switched

CONNECTORS = {
    "et": ("sest", "seetõttu"),
    "ht": ("poukisa", "donk sa"),
    "id": ("karena", "maka"),
    "it": ("perché", "quindi"),
    "qu": ("imataq", "chaymi"),
    "sw": ("kwa sababu", "kwa hiyo"),
    "ta": ("காரணமாக", "எனவே"),
    "th": ("เพราะ", "ดังนั้น"),
    "tr": ("çünkü", "bu yüzden"),
    "vi": ("bởi vì", "vì vậy"),
    "zh": ("因为", "所以"),
}
"""Language -> words between the premise and its cause, and its effect."""
COLUMNS = ("premise", "choice1", "choice2", "question", "label")
QUESTIONS = ("cause", "effect")
ASKED = {
    500: "8f2b58bf502aa02bb7a04d3fb1fdd8cad99d765b3db9b4da77c414bdc2907f63"
    "35cd4c81ece93c86057f9cbb6ca192b8347e108ba34ec89c56345e10d2020",
    100: "0bb7f575dc2927ffd201c8898",
}
"""Rows of an official file (500 test, 100 validation) -> what each asks, a bit per row:
1 for the cause. In et, ht, qu, ta, vi and zh all rows say so."""
DEFECTIVE = ("id", "it", "sw", "th", "tr")
"""Languages whose official files name the wrong question in some rows; th never says
cause."""


class Connectors(Frozen):
    """Words between a premise and an option."""

    cause: str = Field(min_length=1, description="before its cause (because)")
    effect: str = Field(min_length=1, description="before its effect (so)")


class Parameters(Switched):
    """How an item is written. Files have a JSON object per line, as the official ones.

    The columns are ``premise``, ``choice1``, ``choice2``, ``question`` (cause or
    effect), ``label`` (0 or 1) and, if it is there, ``idx``.
    """

    WORDINGS: ClassVar = {
        "repaired": {
            "trim": "final_punct",
            "question": "repaired",
            "join": "by_language",
            "boundary": "offsets",
            "padding": "exact",
        },
        "harness": {
            "trim": "last_char",
            "question": "as_is",
            "join": "space",
            "boundary": "alone",
            "padding": "exact",
        },
        "paper": {
            "trim": "last_char",
            "question": "as_is",
            "join": "space",
            "boundary": "separate",
            "padding": "paper_left",
        },
    }

    wording: Literal["repaired", "harness", "paper"] = Field(
        "repaired",
        description="what the other keys are where they are not given:\n"
        "`repaired`: trim: final_punct, question: repaired, join: by_language, "
        "boundary: offsets, padding: exact\n"
        "`harness`: as lm-evaluation-harness; last_char, as_is, space, alone, exact\n"
        "`paper`: as Rahmanisa et al. 2025; last_char, as_is, space, separate, "
        "paper_left",
    )
    trim: Literal["last_char", "final_punct"] | None = Field(
        None,
        description="what is cut off a premise before the connector; null: as the "
        "wording says\n"
        "`last_char`: its last character, in Thai and Tamil a letter\n"
        "`final_punct`: its last character if that is punctuation",
    )
    question: Literal["as_is", "repaired"] | None = Field(
        None,
        description="whether a row asks for cause or effect; null: as the wording "
        "says\n"
        "`as_is`: as its file says, which is wrong in rows of th, tr, sw, id and it\n"
        "`repaired`: as the same row of the other languages says",
    )
    join: Literal["space", "by_language"] | None = Field(
        None,
        description="between premise, connector and option; null: as the wording says\n"
        "`space`: a blank\n`by_language`: a blank, but nothing in zh and th",
    )
    boundary: Boundary | None = Field(
        None, description=f"{BOUNDARY}\nnull: as the wording says"
    )
    padding: Padding | None = Field(
        None,
        description="what an option's sum counts; null: as the wording says\n"
        "`exact`: its own tokens\n"
        "`paper_left`: where the tokenizer pads on the left, also as many tokens of "
        "the context as it is shorter than the other option (a mistake of the paper's "
        "code)",
    )

    connectors: dict[Language, Connectors] = Field(
        default_factory=dict,
        description="of languages that XCOPA does not have, or others than its own",
    )


class Xcopa(Choices[Parameters]):
    """Causes and effects; see the module."""

    PARAMETERS = Parameters
    TITLE = "XCOPA"
    OPTIONS = ("choice1", "choice2")
    SIZE = Size(
        0,
        500,
        0,
        31,
        "Ponti et al. 2020; premise, both options with Gemma 3's tokenizer, the mean "
        "of 11 languages",
    )

    def unmet(self, parameters: Parameters, languages: Sequence[str]) -> Iterator[str]:
        """Find languages without a connector."""
        known = {*CONNECTORS, *parameters.connectors}
        for lang in languages:
            if lang not in known:
                hint = "; give parameters.connectors of another"
                yield unknown_name("language", lang, known, "languages") + hint

    def read_file(self, path: Path | str) -> Iterator[Item]:
        return _items(rows.of_file(path, COLUMNS))

    def read_hub(
        self, source: Mapping[str, Any], language: str, split: str
    ) -> Iterator[Item]:
        return _items(rows.of_hub(source, language, split, COLUMNS))

    def read_items(self, path: Path | str) -> list[Item]:
        return read_jsonl(path, keys=("id", *COLUMNS, "asked"))

    def scoring(self, parameters: Parameters) -> tuple[Boundary, Padding]:
        """Do as the switches say."""
        boundary, padding = parameters.boundary, parameters.padding
        assert boundary is not None and padding is not None  # filled in
        return boundary, padding

    def wording(
        self, item: Item, parameters: Parameters, language: str
    ) -> Sequence[Option]:
        """Write premise and connector, and both options with a small first letter."""
        asked = item["question"]
        if parameters.question == "repaired" and language in DEFECTIVE:
            asked = item["asked"]
            if asked is None:
                raise DataError(
                    f"item {item['id']}: question: repaired needs the official file "
                    f"of {language}, of 500 rows (test) or 100 (validation); set "
                    "question: as_is for another"
                )
        connector = _connector(asked, parameters, language)
        premise = item["premise"].strip()
        if parameters.trim == "last_char" or _is_punctuation(premise[-1]):
            premise = premise[:-1]
        join = blank(language, str(parameters.join))
        texts = [item[name] for name in self.OPTIONS]
        small = [text[0].lower() + text[1:] for text in texts]
        return options(premise + join + connector, join, small)


def _connector(asked: str, parameters: Parameters, language: str) -> str:
    """Return the word between a premise and its cause, or its effect."""
    if (own := parameters.connectors.get(language)) is not None:
        return own.cause if asked == "cause" else own.effect
    if language not in CONNECTORS:
        raise DataError(unknown_name("language", language, CONNECTORS, "XCOPA"))
    return CONNECTORS[language][QUESTIONS.index(asked)]


def _is_punctuation(character: str) -> bool:
    return unicodedata.category(character).startswith("P")


def _items(given: Iterable[rows.Row]) -> Iterator[Item]:
    """Check rows, and note what the official row of their number asks."""
    found = list(given)
    bits = ASKED.get(len(found))
    for row, cells, where in found:
        texts = {name: columns.text(cells, name, where) for name in COLUMNS[:3]}
        question = rows.one_of(cells, "question", QUESTIONS, where)
        label = int(rows.one_of(cells, "label", ("0", "1"), where))
        asked = None
        if bits is not None:
            number = int(
                rows.one_of(
                    {"idx": cells.get("idx", row)},
                    "idx",
                    [str(i) for i in range(len(found))],
                    where,
                )
            )
            last = len(found) - 1
            asked = QUESTIONS[0 if int(bits, 16) >> (last - number) & 1 else 1]
        own = {"id": row, **texts, "question": question, "label": label}
        yield own | {"asked": asked} | columns.language(cells, where)


TASK = Xcopa()
