"""Belebele across languages: a question in one about a passage in another.

As in BridgeX-ICL (Xu et al. 2025): question and answers are in the target language of
a pair, and the passage is in its source language. Through a bridge the model first
translates the passage into a third language, and then answers from its translation
(docs/bridges.md).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field, model_validator

from langneurons.config.errors import DataError
from langneurons.config.names import Pair

from . import Item, Metric, Size, Task
from .belebele import ANSWERS, COLUMNS, LETTERS, item_of
from .common import rows
from .common.continuations import Continued, score
from .common.items import read_jsonl
from .common.translating import Translated, translated

if TYPE_CHECKING:
    import pandas as pd

    from langneurons.nn.evaluation.language_model import LanguageModel

# The paper has one instruction in English; its words are not known here.
INSTRUCTION = "Read the passage and answer the question with one letter: A, B, C, or D."
LETTER = re.compile(r"\b[A-D]\b")
PLACE = ("link", "question_number")
NONE = -1
"""Choice of an answer without a letter."""


class Parameters(Translated):
    """How passages are translated, and how an answer is read.

    Files have a JSON object per line, in the layout of the hub, one file per language.
    """

    answer: Literal["loglik", "generate"] = Field(
        "loglik",
        description="which answer is the model's:\n`loglik`: the letter that is the "
        "likeliest after the question, as lm-evaluation-harness scores it\n"
        "`generate`: the first letter in what the model writes (paper)",
    )
    pattern: Literal["case_sensitive", "paper"] = Field(
        "case_sensitive",
        description="with answer generate, which letters count, each a word of its "
        "own:\n`case_sensitive`: capital A, B, C or D\n`paper`: small ones too, so "
        "that the English article is answer A",
    )
    first: int | None = Field(
        None,
        ge=1,
        description="only the first so many items of the data set are asked (paper: "
        "500); null: all of them",
    )
    answer_tokens: int = Field(
        10, ge=1, description="tokens of an answer at most, answer generate (paper: 10)"
    )

    @model_validator(mode="after")
    def _pattern_is_of_text(self) -> Parameters:
        fields = type(self).model_fields
        idle = [
            key
            for key in ("answer_tokens", "pattern")
            if getattr(self, key) != fields[key].default
        ]
        if self.answer == "loglik" and idle:
            shown = ", ".join(map(repr, idle))
            raise ValueError(
                f"answer loglik writes no text that {shown} would be of; take it out, "
                "or give answer: generate"
            )
        return self


class BelebeleBridged(Task[Parameters]):
    """Questions about passages in another language; see the module."""

    PARAMETERS = Parameters
    TITLE = "Belebele across languages"
    METRICS = MappingProxyType({"correct": Metric("binary", "accuracy")})
    SIZE = Size(
        0,
        900,
        0,
        230,
        "as belebele, and 30 tokens of the instruction",
        texts=488,
    )
    CONTINUES = True
    PAIRS = True
    NOTES = (
        "share of questions whose right answer the model chooses; the passage is in "
        "the source language of the pair, or is the model's translation of it into "
        "the bridge, and question and answers are in its target language.",
    )

    def unmet(self, parameters: Parameters, languages: Sequence[str]) -> Iterator[str]:
        """Find languages that passages are translated from or into without a name."""
        return parameters.nameless(languages)

    def read_file(self, path: Path | str) -> Iterator[Item]:
        return _placed(rows.of_file(path, (*COLUMNS, *PLACE)))

    def read_hub(
        self, source: Mapping[str, Any], language: str, split: str
    ) -> Iterator[Item]:
        return _placed(rows.of_hub(source, language, split, (*COLUMNS, *PLACE)))

    def join(
        self, source: Sequence[Item], target: Sequence[Item], where: str
    ) -> Iterator[Item]:
        """Put passages of one language before questions of the other, by their link."""
        passages: dict[str, str] = {}
        for item in source:
            first = passages.setdefault(item["link"], item["flores_passage"])
            if first != item["flores_passage"]:
                raise DataError(
                    f"{where}: two passages in the source language have the link "
                    f"{item['link']!r}; which one a question is about is not known"
                )
        asked: set[tuple[str, str]] = set()
        for item in target:
            place = (item["link"], item["question_number"])
            if place in asked:
                raise DataError(
                    f"{where}: question {place[1]} about {place[0]!r} stands twice in "
                    "the target language; keep one of them"
                )
            asked.add(place)
            if item["link"] not in passages:
                raise DataError(
                    f"{where}: no passage in the source language has the link "
                    f"{item['link']!r} of question {item['id'] + 1:,} in the target "
                    "language; both need the same passages"
                )
            yield item | {"flores_passage": passages[item["link"]]}

    def read_items(self, path: Path | str) -> list[Item]:
        names = ("flores_passage", "question", *ANSWERS)
        return read_jsonl(path, keys=("id", *names, "label"))

    def generates(self, parameters: Parameters) -> int:
        return parameters.answer_tokens if parameters.answer == "generate" else 0

    def generates_via(self, parameters: Parameters) -> int:
        return parameters.max_new_tokens + self.generates(parameters)

    def evaluate(
        self,
        lm: LanguageModel,
        items: Sequence[Item],
        parameters: Parameters,
        language: str,
    ) -> pd.DataFrame:
        """Ask every question about the passage as it is; see ``table``."""
        asked = _asked(items, parameters)
        passages = [item["flores_passage"] for item in asked]
        return _answered(lm, asked, passages, [""] * len(asked), parameters)

    def evaluate_via(
        self,
        lm: LanguageModel,
        items: Sequence[Item],
        parameters: Parameters,
        language: str,
        bridge: str,
    ) -> pd.DataFrame:
        """Ask every question about the model's own translation of the passage."""
        asked = _asked(items, parameters)
        passages = translated(
            lm,
            [item["flores_passage"] for item in asked],
            (Pair.parse(language).source, bridge),
            parameters,
        )
        return _answered(lm, asked, passages, passages, parameters)

    def per_item(self) -> Mapping[str, str]:
        """Explain the columns of ``_answered``."""
        return {
            "item": "whole number: the question, numbered from 0 as in the file of the "
            "target language",
            "correct": "true or false: whether choice is label",
            "label": "whole number: the right answer (0 A, 1 B, 2 C, 3 D)",
            "choice": "whole number: the model's answer; -1 where it wrote no letter",
            "aid": "text: the model's translation of the passage; empty where it was "
            "asked directly",
            "raw": "text: what the model wrote as an answer; empty with answer loglik",
        } | {
            f"logprob_{number}": f"number: log-probability of answer {letter}, nats; "
            "only with answer loglik"
            for number, letter in enumerate("ABCD")
        }


def _placed(given: Iterator[rows.Row]) -> Iterator[Item]:
    """Read items with the place that says which passage and question they are."""
    for row, cells, where in given:
        place = {name: str(cells[name]).strip() for name in PLACE}
        if not all(place.values()):
            raise DataError(f"{where}: {' or '.join(PLACE)} is empty")
        yield item_of(row, cells, where) | place


def _asked(items: Sequence[Item], parameters: Parameters) -> list[Item]:
    """Return those of the items that are asked."""
    found = [
        item
        for item in items
        if parameters.first is None or item["id"] < parameters.first
    ]
    if not found:
        raise DataError(
            f"none of {len(items)} items is among the first {parameters.first} of the "
            "data set; raise parameters.first, or let test_items be null"
        )
    return found


def question(item: Item, passage: str) -> str:
    """Write the prompt that a letter follows."""
    listed = (f"{a}: {item[b].strip()}" for a, b in zip(LETTERS, ANSWERS, strict=True))
    asked = f"Passage: {passage}\nQuestion: {item['question'].strip()}\nChoices:"
    return "\n".join([INSTRUCTION, asked, *listed, "Answer:"])


def choice(text: str, pattern: str) -> int:
    """Return which answer a text gives, from 0; -1 where it has no letter.

    Args:
        text: what the model wrote.
        pattern: see ``Parameters``.
    """
    found = LETTER.search(text.upper() if pattern == "paper" else text)
    return LETTERS.index(found[0]) if found else NONE


def _answered(
    lm: LanguageModel,
    items: Sequence[Item],
    passages: Sequence[str],
    aids: Sequence[str],
    parameters: Parameters,
) -> pd.DataFrame:
    """Ask questions about passages, and lay answers out, one row per question.

    Returns:
        DataFrame: item int32, correct bool, label and choice int8, aid and raw text;
        with answer loglik also logprob_0 to logprob_3 float64 (nats).
    """
    import pandas as pd

    prompts = [question(i, text) for i, text in zip(items, passages, strict=True)]
    label = np.asarray([item["label"] for item in items], dtype=np.int8)
    raw, extra = [""] * len(items), {}
    if parameters.answer == "generate":
        coded = lm.encode(prompts, beginning=True)
        raw = [lm.decode(x) for x in lm.generate(coded, parameters.answer_tokens)]
        chosen = np.asarray([choice(text, parameters.pattern) for text in raw])
    else:
        letters = [f" {letter}" for letter in LETTERS]
        given = [
            Continued.of(item["id"], text, letters)
            for item, text in zip(items, prompts, strict=True)
        ]
        found = score(lm, given, boundary="alone")
        logs = np.stack([one.logprob for one in found])
        chosen = logs.argmax(axis=1)
        extra = {f"logprob_{number}": logs[:, number] for number in range(4)}
    return pd.DataFrame(
        {
            "item": np.asarray([item["id"] for item in items], dtype=np.int32),
            "correct": chosen == label,
            "label": label,
            "choice": chosen.astype(np.int8),
            "aid": list(aids),
            "raw": raw,
            **extra,
        }
    )


TASK = BelebeleBridged()
