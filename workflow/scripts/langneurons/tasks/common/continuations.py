"""Likelihoods of texts that continue a context: where a context ends, as tokens.

A tokenizer may join the last characters of a context with the first ones of what
follows. A context and its continuation are therefore encoded as one text, and cut.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from langneurons.config.errors import DataError
from langneurons.nn.evaluation.examples import Ids, Likelihood

if TYPE_CHECKING:
    from langneurons.nn.evaluation.language_model import LanguageModel

Boundary = Literal["offsets", "separate", "alone"]
Padding = Literal["exact", "paper_left"]

BOUNDARY = (
    "where the tokens of a continuation begin:\n"
    "`offsets`: with the first token that holds a character of it\n"
    "`separate`: after as many tokens as the context alone has (paper)\n"
    "`alone`: there too, behind the tokens that the context alone has (as "
    "lm-evaluation-harness does, which repeats or loses characters where a token would "
    "hold some of both)"
)
UNSPACED = {"ja", "jpn", "zh", "zho", "th", "tha"}
"""Languages that put no blank between words, as codes of two or three letters."""


@dataclass(frozen=True)
class Continued:
    """A context and what may follow it.

    Attributes:
        item: number of the item, for messages.
        context: text, from its beginning.
        continuations: texts that follow it, the blank before them included.
    """

    item: int
    context: str
    continuations: Sequence[str]


def blank(language: str, join: str) -> str:
    """Return what stands between two parts of a text.

    Args:
        language: of the text.
        join: ``space``, or ``by_language``: nothing in Japanese, Chinese and Thai.
    """
    own = language.replace("_", "-").partition("-")[0].lower()
    return "" if join == "by_language" and own in UNSPACED else " "


def score(
    lm: LanguageModel,
    given: Sequence[Continued],
    *,
    boundary: Boundary = "offsets",
    padding: Padding = "exact",
) -> list[Likelihood]:
    """Score the continuations of each context; one that is equal for all is run once.

    Args:
        lm: the model, as it is or under an intervention.
        given: contexts with their continuations.
        boundary: where the tokens of a continuation begin; see ``BOUNDARY``.
        padding: ``paper_left`` makes the mistake of the code of Rahmanisa et al. 2025
            where the tokenizer pads on the left: their scorer takes padding to be on
            the right, so that a continuation shorter than the longest of its item by p
            tokens also counts the last p tokens of its context. The first token of a
            text, which nothing predicts, is never counted.

    Returns:
        Per context, the likelihoods of its continuations; ``tokens`` counts those of
        the continuations only.

    Raises:
        DataError: a context or a continuation has no tokens, or see
            ``LanguageModel.loglikelihood``.
    """
    coded = encode(lm, given, boundary)
    # Where tokens were joined across the boundary, contexts of one item differ.
    contexts: list[Ids] = []
    continuations: list[list[Ids]] = []
    places: list[list[tuple[int, int]]] = []
    for pairs in coded:
        groups: dict[bytes, int] = {}
        shifts = _shifts(lm, pairs, padding)
        spots = []
        for (context, continuation), shift in zip(pairs, shifts, strict=True):
            end = len(context) - shift
            begun, rest = context[:end], np.concatenate([context[end:], continuation])
            group = groups.setdefault(begun.tobytes(), len(contexts))
            if group == len(contexts):
                contexts.append(begun)
                continuations.append([])
            spots.append((group, len(continuations[group])))
            continuations[group].append(rest)
        places.append(spots)
    found = lm.loglikelihood(contexts, continuations)
    return [
        Likelihood(
            np.array([found[group].logprob[i] for group, i in spots]),
            np.array([len(continuation) for _, continuation in pairs]),
            np.array([found[group].greedy[i] for group, i in spots]),
        )
        for spots, pairs in zip(places, coded, strict=True)
    ]


def encode(
    lm: LanguageModel, given: Sequence[Continued], boundary: Boundary
) -> list[list[tuple[Ids, Ids]]]:
    """Turn contexts and continuations into tokens.

    What the tokenizer puts in front of a text (BOS) belongs to the context.

    Returns:
        Per context, for each of its continuations the tokens of the context and those
        of the continuation, int64.

    Raises:
        DataError: one of them has no tokens; names the item.
    """
    whole = [one.context + text for one in given for text in one.continuations]
    coded = iter(lm.encode_with_ends(whole))
    alone: list[list[int]] = [[]] * len(given)
    if boundary != "offsets":
        alone = lm.encode([one.context for one in given], beginning=True)
    found = []
    for one, begun in zip(given, alone, strict=True):
        pairs = []
        for text in one.continuations:
            ids, ends = next(coded)
            start = len(begun)
            if boundary == "offsets":
                beyond = (i for i, end in enumerate(ends) if end > len(one.context))
                start = next(beyond, len(ids))
            if start == 0 or start >= len(ids):
                what = "continuation" if start else "context"
                raise DataError(
                    f"item {one.item}: the {what} has no tokens; context "
                    f"{one.context!r}, continuation {text!r}, {len(ids)} tokens in all"
                )
            context = begun if boundary == "alone" else ids[:start]
            pair = np.asarray(context, np.int64), np.asarray(ids[start:], np.int64)
            pairs.append(pair)
        found.append(pairs)
    return found


def _shifts(
    lm: LanguageModel, pairs: Sequence[tuple[Ids, Ids]], padding: Padding
) -> list[int]:
    """Return how many tokens of its context each continuation counts too."""
    if padding == "exact" or lm.padding_side != "left":
        return [0] * len(pairs)
    lengths = [len(context) + len(rest) for context, rest in pairs]
    return [
        min(max(lengths) - length, len(context) - 1)
        for length, (context, _) in zip(lengths, pairs, strict=True)
    ]
