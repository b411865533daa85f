"""INCLUDE: questions of local exams, with four answers to choose from.

Romanou et al. 2024, scored as Rahmanisa et al. 2025 or lm-evaluation-harness do, which
differ (docs/amplification.md 6): the letters of the answers, or the answers themselves.
EXAMS (Hardalov et al. 2020) is read too: questions of the same kind.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field

from langneurons.config.errors import DataError

from . import Item, Size
from .common import columns, rows
from .common.choices import Choices, Option, options
from .common.continuations import BOUNDARY, Boundary, Padding
from .common.items import read_jsonl
from .common.switches import Switched

LETTERS = ("A", "B", "C", "D")
BASE = ("option_a", "option_b", "option_c", "option_d")
"""Columns of the answers in include-base; include-lite has a list, ``choices``."""
UNKNOWN = "@"
"""Right answer of a question of EXAMS of which it is not known."""
LANGUAGES: Mapping[str, str] = {
    "Albanian": "sq",
    "Arabic": "ar",
    "Armenian": "hy",
    "Azerbaijani": "az",
    "Basque": "eu",
    "Belarusian": "be",
    "Bengali": "bn",
    "Bulgarian": "bg",
    "Chinese": "zh",
    "Croatian": "hr",
    "Dutch": "nl",
    "Estonian": "et",
    "Finnish": "fi",
    "French": "fr",
    "Georgian": "ka",
    "German": "de",
    "Greek": "el",
    "Hebrew": "he",
    "Hindi": "hi",
    "Hungarian": "hu",
    "Indonesian": "id",
    "Italian": "it",
    "Japanese": "ja",
    "Kazakh": "kk",
    "Korean": "ko",
    "Lithuanian": "lt",
    "Malay": "ms",
    "Malayalam": "ml",
    "Nepali": "ne",
    "North Macedonian": "mk",
    "Persian": "fa",
    "Polish": "pl",
    "Portuguese": "pt",
    "Russian": "ru",
    "Serbian": "sr",
    "Spanish": "es",
    "Tagalog": "tl",
    "Tamil": "ta",
    "Telugu": "te",
    "Turkish": "tr",
    "Ukrainian": "uk",
    "Urdu": "ur",
    "Uzbek": "uz",
    "Vietnamese": "vi",
}
"""What rows call a language -> its code here."""


class Parameters(Switched):
    """How an item is written.

    Files have a JSON object per line, in the layout of include-lite (``question``,
    ``choices``, ``answer`` from 0), of include-base (``option_a`` to ``option_d``), or
    of EXAMS (``question`` with ``stem`` and ``choices``, ``answerKey``). One file may
    have several languages, by name or code in ``language``.
    """

    WORDINGS: ClassVar = {
        "repaired": {
            "listed": "dot",
            "target": "spaced",
            "about": "nothing",
            "boundary": "offsets",
        },
        "harness": {
            "listed": "dot_uneven",
            "target": "spaced",
            "about": "domain",
            "boundary": "alone",
        },
        "paper": {
            "listed": "paren",
            "target": "bare",
            "about": "nothing",
            "boundary": "apart",
        },
        "answers": {
            "listed": "not",
            "target": "answer",
            "about": "nothing",
            "boundary": "offsets",
        },
    }

    wording: Literal["repaired", "harness", "paper", "answers"] = Field(
        "repaired",
        description="what the other keys are where they are not given:\n"
        "`repaired`: listed: dot, target: spaced, about: nothing, boundary: offsets\n"
        "`harness`: as lm-evaluation-harness; dot_uneven, spaced, domain, alone\n"
        "`paper`: as Rahmanisa et al. 2025; paren, bare, nothing, apart\n"
        "`answers`: the answers in full, for models that do not know letters; not, "
        "answer, nothing, offsets",
    )
    listed: Literal["dot", "dot_uneven", "paren", "not"] | None = Field(
        None,
        description="how answers stand below the question; null: as the wording says\n"
        "`dot`: each behind its letter and a full stop\n`dot_uneven`: likewise, with a "
        "blank before the D (as the harness has it)\n`paren`: behind its letter and a "
        "bracket\n`not`: they do not",
    )
    target: Literal["spaced", "bare", "answer"] | None = Field(
        None,
        description="what is scored at the end; null: as the wording says\n"
        "`spaced`: a blank and the letter\n`bare`: the letter\n"
        "`answer`: a blank and the answer",
    )
    about: Literal["nothing", "domain"] | None = Field(
        None,
        description="what stands before the question; null: as the wording says\n"
        "`nothing`\n`domain`: a sentence that names the item's domain, without a blank "
        "behind it (as the harness has it); nothing where the item has none",
    )
    boundary: Boundary | None = Field(
        None, description=f"{BOUNDARY}\nnull: as the wording says"
    )


class Include(Choices[Parameters]):
    """Questions of exams with four answers; see the module."""

    PARAMETERS = Parameters
    TITLE = "INCLUDE"
    OPTIONS = tuple(f"answer {letter}" for letter in LETTERS)
    ALL_LANGUAGES = True
    SIZE = Size(
        0,
        250,
        0,
        84,
        "include-lite, a language; tokens of EXAMS with Gemma 3's tokenizer, the mean "
        "of 16 languages",
    )

    def read_file(self, path: Path | str) -> Iterator[Item]:
        return _items(rows.of_file(path, ("question",)), str(path))

    def read_hub(
        self, source: Mapping[str, Any], language: str, split: str
    ) -> Iterator[Item]:
        found = rows.of_hub(source, language, split, ("question", "answer"))
        return _items(found, f"hub dataset {source['repo']}, {language}")

    def read_items(self, path: Path | str) -> list[Item]:
        return read_jsonl(path, keys=("id", "question", "choices", "label", "domain"))

    def scoring(self, parameters: Parameters) -> tuple[Boundary, Padding]:
        """Do as the switches say."""
        assert parameters.boundary is not None  # filled in
        return parameters.boundary, "exact"

    def wording(
        self, item: Item, parameters: Parameters, language: str
    ) -> Sequence[Option]:
        """Write the question, perhaps the answers below it, and what is scored."""
        answers = item["choices"]
        if parameters.listed in ("dot", "not"):
            answers = [answer.strip() for answer in answers]
        mark = ")" if parameters.listed == "paren" else "."
        listed = [f"{x}{mark} {y}" for x, y in zip(LETTERS, answers, strict=True)]
        if parameters.listed == "dot_uneven":
            listed[-1] = f" {listed[-1]}"
        elif parameters.listed == "not":
            listed = []
        context = "\n".join([item["question"].strip(), *listed, "Answer:"])
        if parameters.about == "domain" and item["domain"] is not None:
            context = _about(item["domain"]) + context
        if parameters.target == "answer":
            return options(context, " ", answers)
        return options(context, "" if parameters.target == "bare" else " ", LETTERS)


def _about(domain: str) -> str:
    """Write what the harness says first; the question follows at once."""
    return f"The following is multiple-choice question about {domain}."


def _items(given: Iterable[rows.Row], where: str) -> Iterator[Item]:
    """Read rows of four answers, and say at the end how many others there were."""
    left_out: Counter[str] = Counter()
    for number, cells, place in given:
        row = _as_lite(cells, place)
        texts, answer, named = row["choices"], row["answer"], _language(row, place)
        language = named.get("language", "all rows")
        if len(texts) != len(LETTERS):
            left_out[f"{language}, {len(texts)} answers"] += 1
        elif answer == UNKNOWN:
            left_out[f"{language}, no right answer"] += 1
        else:
            own = {
                "id": number,
                "question": columns.text(row, "question", place),
                "choices": [_answer(text, place) for text in texts],
                "label": columns.label(answer, LETTERS, place),
                "domain": row.get("domain"),
            }
            yield own | named
    if left_out:
        shown = "; ".join(f"{what}: {n:,}" for what, n in sorted(left_out.items()))
        print(f"{where}: left out: {shown}", file=sys.stderr, flush=True)


def _as_lite(cells: Mapping[str, Any], where: str) -> Mapping[str, Any]:
    """Put a row of one of three layouts into that of include-lite."""
    asked = cells["question"]
    if isinstance(asked, dict):
        columns.require(cells, ("answerKey", "info"), where)
        columns.require(asked, ("stem", "choices"), where)
        texts = [each.get("text") for each in _list(asked["choices"], dict, where)]
        found = {"question": asked["stem"], "answer": cells["answerKey"]}
        return {**cells["info"], **found, "choices": texts}
    columns.require(cells, ("answer",), where)
    if "choices" in cells:
        return {**cells, "choices": _list(cells["choices"], str, where)}
    columns.require(cells, BASE, where)
    return {**cells, "choices": [cells[name] for name in BASE]}


def _list(found: Any, kind: type, where: str) -> list[Any]:
    if not isinstance(found, list) or not all(isinstance(x, kind) for x in found):
        what = "texts" if kind is str else "objects with a text"
        raise DataError(f"{where}: choices are {found!r}; a list of {what} is expected")
    return found


def _answer(text: Any, where: str) -> str:
    return columns.text({"an answer": text}, "an answer", where)


def _language(row: Mapping[str, Any], where: str) -> Item:
    """Return the language that a row names, by its code here."""
    found = columns.language(row, where)
    return {key: LANGUAGES.get(name, name) for key, name in found.items()}


TASK = Include()
