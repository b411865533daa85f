"""BLI: translate a word into another language, directly or through a third one.

Bilingual lexicon induction as in BridgeX-ICL (Xu et al. 2025): no examples, only the
word, or also the word in a bridge language, which the model itself gave before
(docs/bridges.md).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from langneurons.config.errors import DataError, unknown_name
from langneurons.config.names import Pair, languages_of
from langneurons.text.dictionaries import PairDictionary

from . import Item, Metric, Size, Task
from .common import translations
from .common.items import read_jsonl
from .common.translations import Translating

if TYPE_CHECKING:
    import pandas as pd

    from langneurons.nn.evaluation.language_model import LanguageModel


class Parameters(Translating):
    """How words are asked for. Items are the test words of `data.dictionary`."""


class Bli(Task[Parameters]):
    """Words to translate; see the module."""

    PARAMETERS = Parameters
    TITLE = "BLI"
    METRICS = MappingProxyType(
        {
            "correct": Metric(
                "binary",
                "accuracy",
                about="words whose translation is right",
            )
        }
    )
    SIZE = Size(0, 1_500, 0, 12, "MUSE's test words; tokens of a prompt assumed")
    PAIRS = True
    WORDS = True
    NOTES = (
        "share of words whose translation by the model, after `post`, is one of the "
        "dictionary's.",
    )

    def unmet(self, parameters: Parameters, languages: Sequence[str]) -> Iterator[str]:
        """Find languages that the prompts have no name for."""
        each = [code for given in languages for code in languages_of(given)]
        known = parameters.called()
        for code in parameters.nameless(each):
            yield unknown_name("language", code, known, "parameters.names")

    def read_file(self, path: Path | str) -> Iterator[Item]:
        for row, one in enumerate(PairDictionary.read(path).test):
            yield {"id": row, "word": one.word, "gold": list(one.gold)}

    def read_hub(
        self, source: Mapping[str, Any], language: str, split: str
    ) -> Iterator[Item]:
        raise DataError(f"{self.TITLE} reads the words of a dictionary, not the hub")

    def read_items(self, path: Path | str) -> list[Item]:
        return read_jsonl(path, keys=("id", "word", "gold"))

    def generates(self, parameters: Parameters) -> int:
        return parameters.max_new_tokens

    def generates_via(self, parameters: Parameters) -> int:
        return 2 * parameters.max_new_tokens

    def evaluate(
        self,
        lm: LanguageModel,
        items: Sequence[Item],
        parameters: Parameters,
        language: str,
    ) -> pd.DataFrame:
        """Ask for every word's translation; see ``table``."""
        pair, names = Pair.parse(language), parameters.called()
        asked = [translations.prompt(names, pair, item["word"]) for item in items]
        raw = translations.ask(lm, asked, parameters.max_new_tokens)
        return table(items, raw, [""] * len(items), parameters)

    def evaluate_via(
        self,
        lm: LanguageModel,
        items: Sequence[Item],
        parameters: Parameters,
        language: str,
        bridge: str,
    ) -> pd.DataFrame:
        """Ask for every word in the bridge language, then for its translation."""
        pair, names = Pair.parse(language), parameters.called()
        new, words = parameters.max_new_tokens, [item["word"] for item in items]
        first = Pair(pair.source, bridge)
        said = [translations.prompt(names, first, word) for word in words]
        found = [
            translations.aid(text, parameters.post)
            for text in translations.ask(lm, said, new)
        ]
        asked = [
            translations.prompt(names, pair, word, aid=(bridge, aid))
            for word, aid in zip(words, found, strict=True)
        ]
        return table(items, translations.ask(lm, asked, new), found, parameters)

    def per_item(self) -> Mapping[str, str]:
        """Explain the columns of ``table``."""
        return {
            "item": "whole number: the word, numbered from 0 as in the dictionary's "
            "test part",
            "correct": "true or false: whether answer is one of the translations, as "
            "`post` compares them",
            "word": "text: the word in the source language",
            "gold": "text: its translations in the dictionary, parted by ' | '",
            "answer": "text: what counts of raw, see `post`",
            "aid": "text: the word in the bridge language that the model gave; empty "
            "where it was asked directly",
            "raw": "text: what the model wrote, up to the end of the line",
        }


def table(
    items: Sequence[Item],
    raw: Sequence[str],
    aids: Sequence[str],
    parameters: Parameters,
) -> pd.DataFrame:
    """Lay answers out, one row per word.

    Args:
        items: with ``id``, ``word`` and ``gold``.
        raw: of each, what the model wrote.
        aids: of each, the word in the bridge language; empty where there is none.
        parameters: ``post`` says what of an answer counts, and what is right.

    Returns:
        DataFrame: item int32, correct bool; word, gold, answer, aid and raw text.
    """
    import pandas as pd

    post = parameters.post
    answers = [translations.answer(text, post) for text in raw]
    pairs = zip(answers, items, strict=True)
    return pd.DataFrame(
        {
            "item": np.asarray([item["id"] for item in items], dtype=np.int32),
            "correct": [translations.matches(a, i["gold"], post) for a, i in pairs],
            "word": [item["word"] for item in items],
            "gold": [" | ".join(item["gold"]) for item in items],
            "answer": answers,
            "aid": list(aids),
            "raw": list(raw),
        }
    )


TASK = Bli()
