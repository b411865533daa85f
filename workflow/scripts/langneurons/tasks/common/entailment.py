"""Whether a premise entails a hypothesis, by which word is the likeliest between them.

``{premise}, right? Yes, {hypothesis}`` with a word for each of three classes, in the
language of the hypothesis. See ``Entailment``.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Generic, Literal, NamedTuple, TypeVar

from pydantic import Field

from langneurons.config.errors import DataError, unknown_name
from langneurons.config.fields import Frozen, Language

from .. import Item
from .choices import Choices, Option, options
from .continuations import BOUNDARY, Boundary, Padding
from .labelled import Labelled
from .switches import Switched

TEXTS = ("premise", "hypothesis")
CLASSES = ("entailment", "neutral", "contradiction")
"""Numbered as on the hub."""
ROWS = Labelled(TEXTS, CLASSES)


class Words(Frozen):
    """Words between a premise and a hypothesis."""

    right: str = Field(min_length=1, description="asks about the premise (right)")
    entailment: str = Field(min_length=1, description="yes")
    neutral: str = Field(min_length=1, description="also")
    contradiction: str = Field(min_length=1, description="no")


def _words(right: str, *classes: str) -> Words:
    return Words(right=right, **dict(zip(CLASSES, classes, strict=True)))


HARNESS: Mapping[str, Words] = {
    "ar": _words("صحيح", "نعم", "لذا", "رقم"),
    "bg": _words("правилно", "да", "така", "не"),
    "de": _words("richtig", "Ja", "Auch", "Nein"),
    "el": _words("σωστός", "Ναί", "Έτσι", "όχι"),
    "en": _words("right", "Yes", "Also", "No"),
    "es": _words("correcto", "Sí", "Asi que", "No"),
    "fr": _words("correct", "Oui", "Aussi", "Non"),
    "hi": _words("सही", "हाँ", "इसलिए", "नहीं"),
    "ru": _words("правильно", "Да", "Так", "Нет"),
    "sw": _words("sahihi", "Ndiyo", "Hivyo", "Hapana"),
    "th": _words("ถูกต้อง", "ใช่", "ดังนั้น", "ไม่"),
    "tr": _words("doğru", "Evet", "Böylece", "Hayır"),
    "ur": _words("صحیح", "جی ہاں", "اس لئے", "نہیں"),
    "vi": _words("đúng", "Vâng", "Vì vậy", "Không"),
    "zh": _words("正确", "是的", "所以", "不是的"),
}
"""Words of lm-evaluation-harness, by language. Outside of de, en and fr that for
neutral means "so" or "therefore", and the Arabic "no" is the abbreviation of number."""
ALSO = {
    "ar": "أيضا",
    "bg": "също",
    "el": "Επίσης",
    "es": "También",
    "hi": "साथ ही",
    "ru": "Также",
    "sw": "Pia",
    "th": "นอกจากนี้",
    "tr": "Ayrıca",
    "ur": "نیز",
    "vi": "Ngoài ra",
    "zh": "另外",
}
"""The word for neutral, repaired."""
NO = {"ar": "لا"}
"""The word for contradiction, repaired."""


class Marks(NamedTuple):
    """A comma and a question mark, and what stands behind each."""

    comma: str
    question: str
    blank: str


ASCII = Marks(",", "?", " ")
MARKS = {
    "zh": Marks("，", "？", ""),
    "ar": Marks("،", "؟", " "),
    "ur": Marks("،", "؟", " "),
    "el": Marks(",", ";", " "),
}
"""Punctuation of languages that have other marks."""


class Parameters(Switched):
    """How an item is written.

    Files have the columns ``premise``, ``hypothesis`` and ``label``, separated by tabs.
    """

    WORDINGS: ClassVar = {
        "repaired": {
            "vocabulary": "repaired",
            "marks": "by_language",
            "trim": "final_punct",
            "scored": "answer",
            "boundary": "offsets",
        },
        "harness": {
            "vocabulary": "harness",
            "marks": "ascii",
            "trim": "nothing",
            "scored": "everything",
            "boundary": "alone",
        },
    }

    wording: Literal["repaired", "harness"] = Field(
        "repaired",
        description="what the other keys are where they are not given:\n"
        "`repaired`: vocabulary: repaired, marks: by_language, trim: final_punct, "
        "scored: answer, boundary: offsets\n"
        "`harness`: as lm-evaluation-harness; harness, ascii, nothing, everything, "
        "alone",
    )
    vocabulary: Literal["harness", "repaired"] | None = Field(
        None,
        description="words between premise and hypothesis; null: as the wording says\n"
        "`harness`: its own, of which that for neutral means so or therefore in all "
        "languages but de, en and fr, and the Arabic no is that of number one\n"
        "`repaired`: also, and no, there",
    )
    marks: Literal["ascii", "by_language"] | None = Field(
        None,
        description="comma and question mark; null: as the wording says\n"
        "`ascii`: those of English, each with a blank behind it\n"
        "`by_language`: in ar, el, ur and zh their own, in zh without blanks",
    )
    trim: Literal["nothing", "final_punct"] | None = Field(
        None,
        description="what is cut off a premise; null: as the wording says\n"
        "`nothing`\n`final_punct`: blanks, and its last character if that is "
        "punctuation",
    )
    scored: Literal["everything", "answer", "hypothesis"] | None = Field(
        None,
        description="what counts of the text; null: as the wording says\n"
        "`everything`: all of it, which differs from `answer` by the premise, the same "
        "in all three classes\n"
        "`answer`: the word of the class, and the hypothesis\n"
        "`hypothesis`: the hypothesis alone, behind each word",
    )
    boundary: Boundary | None = Field(
        None, description=f"{BOUNDARY}\nnull: as the wording says"
    )
    words: dict[Language, Words] = Field(
        default_factory=dict,
        description="of languages that XNLI does not have, or others than those of "
        "`vocabulary`",
    )

    def known(self) -> dict[str, Words]:
        """Return the words of each language that has some."""
        found = dict(HARNESS)
        if self.vocabulary == "repaired":
            for language, word in ALSO.items():
                also, no = {"neutral": word}, NO.get(language)
                change = also | ({} if no is None else {"contradiction": no})
                found[language] = found[language].model_copy(update=change)
        return found | self.words


C = TypeVar("C", bound=Parameters)


class Entailment(Choices[C], Generic[C]):
    """A task that asks whether a premise entails a hypothesis; see the module."""

    OPTIONS = CLASSES

    def read_file(self, path: Path | str) -> Iterator[Item]:
        return ROWS.read_file(path)

    def read_hub(
        self, source: Mapping[str, Any], language: str, split: str
    ) -> Iterator[Item]:
        return ROWS.read_hub(source, language, split)

    def read_items(self, path: Path | str) -> list[Item]:
        return ROWS.read_items(path)

    def unmet(self, parameters: C, languages: Sequence[str]) -> Iterator[str]:
        """Find languages of hypotheses without words."""
        known = parameters.known()
        for lang in languages:
            if lang not in known:
                hint = "; give parameters.words of another"
                yield unknown_name("language", lang, known, "languages") + hint

    def scoring(self, parameters: C) -> tuple[Boundary, Padding]:
        """Do as the switches say."""
        assert parameters.boundary is not None  # filled in
        return parameters.boundary, "exact"

    def wording(self, item: Item, parameters: C, language: str) -> Sequence[Option]:
        """Write the premise, each class's word, and the hypothesis."""
        known = parameters.known()
        if language not in known:
            raise DataError(unknown_name("language", language, known, self.TITLE))
        words = known[language]
        own = parameters.marks == "by_language"
        comma, question, blank = MARKS.get(language, ASCII) if own else ASCII
        premise, hypothesis = item["premise"], item["hypothesis"]
        if parameters.trim == "final_punct":
            premise, hypothesis = _bare(premise), hypothesis.strip()
        asked = f"{premise}{comma}{blank}{words.right}{question}"
        answers = [f"{getattr(words, name)}{comma}" for name in self.OPTIONS]
        if parameters.scored == "hypothesis":
            begun = (f"{asked}{blank}{answer}" for answer in answers)
            return [Option(context, blank, hypothesis) for context in begun]
        said = [f"{answer}{blank}{hypothesis}" for answer in answers]
        if parameters.scored == "answer":
            return options(asked, blank, said)
        return options("", " ", [f"{asked}{blank}{text}" for text in said])


def _bare(text: str) -> str:
    text = text.strip()
    if text and unicodedata.category(text[-1]).startswith("P"):
        return text[:-1].rstrip()
    return text
