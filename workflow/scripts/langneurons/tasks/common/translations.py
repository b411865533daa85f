"""Words translated by a model: what it is asked, and what of its answer counts.

BridgeX-ICL (Xu et al. 2025) asks for the translation of one word without an example,
directly or behind the word in a third language, the aid.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from langneurons.config.fields import Frozen, Language
from langneurons.config.names import Pair

if TYPE_CHECKING:
    from langneurons.nn.evaluation.language_model import LanguageModel

Post = Literal["paper", "clean"]

STOP = ("\n",)
"""Texts that end an answer."""
NAMES: Mapping[str, str] = {
    "en": "English",
    "de": "Deutsch",
    "fr": "Français",
    "it": "Italiano",
    "pt": "Português",
    "es": "Español",
    "zh": "中文",
    "ja": "日本語",
    "ar": "عربي",
    "he": "עִברִית",
    "id": "Indonesia",
    "tl": "Tagalog",
    "sw": "kiswahili",
    "fi": "suomi",
    "hu": "magyar",
}
"""What the released code calls the languages of the study, in their own words."""
QUOTES = str.maketrans("", "", "'\"「」")
OTHER_QUOTES = str.maketrans("", "", "“”„‘’«»")
POINTS = re.compile("[\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7]")
"""Hebrew points and accents; the signs between them are punctuation."""
AID_ENDS = ","
ANSWER_ENDS = ",(?"
CLEAN_ENDS = ";/"
"""What also parts two answers on one line, with ``clean``."""
WIDE = str.maketrans("，、（？：。；／،؛؟", ",,(?:.;/,;?")
"""Punctuation of Chinese, Japanese and Arabic, and what it is in Latin script."""


class Translating(Frozen):
    """How a model is asked for words, and how its answers are read."""

    names: dict[Language, str] = Field(
        default_factory=dict,
        description="what prompts call a language, by its code, beside or instead of "
        "the names of the study, which are the languages' own (中文 for zh)",
    )
    post: Post = Field(
        "clean",
        description="which answers are right. Of both, the first line counts, without "
        "full stops and quotes, up to a comma, a bracket or a question mark:\n"
        "`paper`: and up to a blank; in small letters and without Hebrew points it is "
        "exactly a translation of the dictionary, which stays as it is: one with a "
        "blank or a capital letter is never met\n"
        "`clean`: and up to a semicolon or slash, and up to a blank where the "
        "translation has none; such signs also in Chinese and Arabic; both sides in "
        "NFC, in small letters and without Hebrew points and quotes",
    )
    max_new_tokens: int = Field(
        30, ge=1, description="tokens generated at most for a word (paper: 30)"
    )

    def called(self) -> dict[str, str]:
        """Return what prompts call each language that has a name, by its code."""
        return {**NAMES, **self.names}

    def nameless(self, languages: Iterable[str]) -> list[str]:
        """List languages, each once, that no prompt can name."""
        known = self.called()
        return [each for each in dict.fromkeys(languages) if each not in known]


def prompt(
    names: Mapping[str, str],
    pair: Pair,
    word: str,
    *,
    aid: tuple[str, str] | None = None,
) -> str:
    """Write what the translation of a word follows.

    Args:
        names: what languages are called, by code.
        pair: from which language into which.
        word: in the source language.
        aid: a third language and the word in it; None: directly. How the aid itself is
            asked for is a direct prompt, into that language.
    """
    asked = f'{names[pair.source]}:"{word}"→'
    if aid is not None:
        language, known = aid
        asked += f'{names[language]}:"{known}"→'
    return f"{asked}{names[pair.target]}:"


def ask(lm: LanguageModel, prompts: Sequence[str], max_new_tokens: int) -> list[str]:
    """Let a model continue prompts greedily, up to the end of the line.

    Args:
        lm: the model, as it is or under an intervention.
        prompts: texts; each gets the tokenizer's own beginning (BOS).
        max_new_tokens: generated at most.

    Returns:
        What it wrote, per prompt.
    """
    coded = lm.encode(prompts, beginning=True)
    made = lm.generate(coded, max_new_tokens, stop=STOP)
    return [lm.decode(tokens, STOP) for tokens in made]


def aid(text: str, post: Post) -> str:
    """Return the word of a bridge language that stands in the second prompt.

    Args:
        text: what the model wrote.
        post: see ``Translating``.
    """
    return _cut(_said(text, post), AID_ENDS + CLEAN_ENDS * (post == "clean"))


def answer(text: str, post: Post) -> str:
    """Return what counts of an answer, as ``matches`` takes it.

    Args:
        text: what the model wrote.
        post: see ``Translating``.
    """
    marks = ANSWER_ENDS + CLEAN_ENDS * (post == "clean")
    found = _cut(_said(text, post), marks)
    if post == "clean":
        return found
    return POINTS.sub("", _cut(found, " ").lower())


def matches(answer: str, gold: Iterable[str], post: Post) -> bool:
    """Tell whether an answer is one of the right translations.

    Args:
        answer: see the function of that name.
        gold: right translations; texts.
        post: see ``Translating``.
    """
    if post == "paper":
        return answer in set(gold)
    said = _folded(answer)
    for each in map(_folded, gold):
        if each and each == (said if " " in each else _cut(said, " ")):
            return True
    return False


def _said(text: str, post: Post) -> str:
    """Return the words of an answer: of its first line and segment, without quotes.

    Arrows part the segments of a prompt; a model that goes on with the pattern writes
    them too, and names languages before a colon.
    """
    if post == "clean":
        text = unicodedata.normalize("NFC", text).translate(WIDE)
    line = text.strip().partition("\n")[0].replace(".", "")
    said = line.partition("→")[0].rpartition(":")[2].translate(QUOTES)
    if post == "clean":
        said = said.translate(OTHER_QUOTES)
    return said.strip()


def _cut(text: str, marks: str) -> str:
    for mark in marks:
        text = text.partition(mark)[0]
    return text.strip()


def _folded(text: str) -> str:
    """Return a text in the form in which both sides of ``clean`` are compared."""
    plain = unicodedata.normalize("NFC", text).replace(".", "").translate(WIDE)
    plain = plain.translate(QUOTES).translate(OTHER_QUOTES)
    return " ".join(POINTS.sub("", plain).casefold().split())
