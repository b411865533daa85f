"""Asking a model for the words of a pair, to find those that it knows: the probes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from langneurons.config.names import Pair
from langneurons.text.dictionaries import Word

from . import translations

if TYPE_CHECKING:
    from langneurons.nn.evaluation.language_model import LanguageModel

Asked = dict[str, Any]
"""A word with ``gold``, ``answer``, ``correct`` and perhaps the way back."""


def drawn(words: Sequence[Word], seed: int, count: int) -> list[Word]:
    """Return some words in a random order; fewer are the first ones of more.

    Args:
        words: of a dictionary.
        seed: of the order.
        count: how many; all of them if there are fewer.
    """
    order = np.random.default_rng(seed).permutation(len(words))
    return [words[i] for i in order[:count]]


def untold(words: Sequence[Word]) -> list[Asked]:
    """Return words that the model is not asked."""
    return [_entry(word) | {"answer": None, "correct": None} for word in words]


def ask(
    lm: LanguageModel,
    words: Sequence[Word],
    pair: Pair,
    wording: Mapping[str, Any],
    *,
    back: bool,
) -> list[Asked]:
    """Let a model translate words.

    Args:
        lm: the model.
        words: in the order of the results.
        pair: from which language into which.
        wording: ``names`` of both languages, ``post`` and ``max_new_tokens``.
        back: ask for the way back, too, of each word that is right: from the
            translation that was given; where another source word is said, it is wrong.
    """
    post = wording["post"]
    found = [_entry(word) for word in words]
    answers = _answers(lm, [word.word for word in words], pair, wording)
    for entry, answer in zip(found, answers, strict=True):
        entry["answer"] = answer
        entry["correct"] = translations.matches(answer, entry["gold"], post)
    if back:
        right = [entry for entry in found if entry["correct"]]
        given = [_met(entry, post) for entry in right]
        other = Pair(pair.target, pair.source)
        said = iter(_answers(lm, given, other, wording))
        for entry in found:
            entry["back"] = next(said) if entry["correct"] else None
            entry["back_correct"] = entry["correct"] and translations.matches(
                entry["back"], [entry["word"]], post
            )
    return found


def _entry(word: Word) -> Asked:
    return {"word": word.word, "gold": list(word.gold)}


def _answers(
    lm: LanguageModel, words: Sequence[str], pair: Pair, wording: Mapping[str, Any]
) -> list[str]:
    if not words:
        return []
    names, post = wording["names"], wording["post"]
    prompts = [translations.prompt(names, pair, word) for word in words]
    raw = translations.ask(lm, prompts, wording["max_new_tokens"])
    return [translations.answer(text, post) for text in raw]


def _met(entry: Asked, post: translations.Post) -> str:
    """Return the translation of the dictionary that an answer is."""
    gold: list[str] = entry["gold"]
    return next(x for x in gold if translations.matches(entry["answer"], [x], post))


def kept(words: Sequence[Asked], keep: str, most: int) -> list[int]:
    """Return the places of the words that are probes, the first ones.

    Args:
        words: that were asked.
        keep: ``correct``, ``both`` or ``all``.
        most: how many at most.
    """
    keys = {"correct": "correct", "both": "back_correct"}
    places = range(len(words))
    if keep in keys:
        places = [i for i in places if words[i][keys[keep]]]  # type: ignore[assignment]
    return list(places)[:most]
