"""Likelihoods of texts that continue a context: where a context ends, as tokens.

A tokenizer may join the last characters of a context with the first ones of what
follows. A context and its continuation are therefore encoded as one text, and cut.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Literal

import numpy as np

from langneurons.config.errors import DataError
from langneurons.nn.evaluation.examples import Ids, Likelihood

if TYPE_CHECKING:
    from langneurons.nn.evaluation.language_model import LanguageModel

Boundary = Literal["offsets", "separate", "alone", "apart"]
Padding = Literal["exact", "paper_left"]
Pairs = Sequence[tuple[str, str]]
"""Contexts and continuations, as texts."""
Cut = tuple[list[int], list[int]]
"""The tokens of a context and those of a continuation."""

BOUNDARY = (
    "where the tokens of a continuation begin:\n"
    "`offsets`: with the first token that holds a character of it\n"
    "`separate`: after as many tokens as the context alone has (paper)\n"
    "`alone`: there too, behind the tokens that the context alone has (as "
    "lm-evaluation-harness does, which repeats or loses characters where a token would "
    "hold some of both)\n"
    "`apart`: with its own tokens, as it has them by itself, behind those of the "
    "context"
)
UNSPACED = {"ja", "jpn", "zh", "zho", "th", "tha"}
"""Languages that put no blank between words, as codes of two or three letters."""


@dataclass(frozen=True)
class Continued:
    """What may be said of an item: contexts, and what follows them.

    Attributes:
        item: number of the item, for messages.
        pairs: a context, as text from its beginning, and a continuation, the blank
            before it included. The continuations that are compared may follow one
            context, or each its own.
    """

    item: int
    pairs: Sequence[tuple[str, str]]

    @classmethod
    def of(cls, item: int, context: str, continuations: Sequence[str]) -> Continued:
        """Let all continuations follow one context."""
        return cls(item, [(context, text) for text in continuations])


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
    """Score the continuations of items; a context that several follow is run once.

    Args:
        lm: the model, as it is or under an intervention.
        given: contexts with their continuations.
        boundary: where the tokens of a continuation begin; see ``BOUNDARY``.
        padding: ``paper_left`` makes the mistake of the code of Rahmanisa et al. 2025
            where the tokenizer pads on the left: their scorer takes padding to be on
            the right, so that where a text is p tokens shorter than the longest of its
            item, the last p tokens of its context are counted too. The first token of
            a text, which nothing predicts, is never counted.

    Returns:
        Per item, the likelihoods of its continuations; ``tokens`` counts those of the
        continuations only.

    Raises:
        DataError: a context or a continuation has no tokens, or see
            ``LanguageModel.loglikelihood``.
    """
    coded = encode(lm, given, boundary)
    # Contexts of one item differ also where tokens were joined across the boundary.
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

    What the tokenizer puts in front of a text (BOS) belongs to the context; where it
    puts nothing there, an empty context is ``LanguageModel.prefix``.

    Returns:
        Per item, for each of its pairs the tokens of the context and those of the
        continuation, int64.

    Raises:
        DataError: one of them has no tokens; names the item.
    """
    pairs = [pair for one in given for pair in one.pairs]
    if boundary == "alone":
        pairs = list(map(_blanks_behind, pairs))
    coded = zip(pairs, _ENCODERS[boundary](lm, pairs), strict=True)
    found = []
    for one in given:
        own = []
        for (context, text), (begun, rest) in islice(coded, len(one.pairs)):
            if not context:
                begun = begun or lm.prefix
            if not begun or not rest:
                what = "continuation" if begun else "context"
                raise DataError(
                    f"item {one.item}: the {what} has no tokens; context {context!r}, "
                    f"continuation {text!r}, {len(begun) + len(rest)} tokens in all"
                )
            own.append((np.asarray(begun, np.int64), np.asarray(rest, np.int64)))
        found.append(own)
    return found


def _blanks_behind(pair: tuple[str, str]) -> tuple[str, str]:
    """Move blanks at the end of a context to what follows it, as the harness does."""
    context, text = pair
    bare = context.rstrip()
    return bare, context[len(bare) :] + text


def _by_characters(lm: LanguageModel, pairs: Pairs) -> Iterator[Cut]:
    whole = lm.encode_with_ends([context + text for context, text in pairs])
    for (context, _), (ids, ends) in zip(pairs, whole, strict=True):
        beyond = (i for i, end in enumerate(ends) if end > len(context))
        start = next(beyond, len(ids))
        yield ids[:start], ids[start:]


def _by_length(lm: LanguageModel, pairs: Pairs) -> Iterator[Cut]:
    whole = lm.encode([context + text for context, text in pairs], beginning=True)
    for ids, begun in zip(whole, _contexts(lm, pairs), strict=True):
        yield ids[: len(begun)], ids[len(begun) :]


def _behind_contexts(lm: LanguageModel, pairs: Pairs) -> Iterator[Cut]:
    behind = [pair for pair in pairs if pair[0]]
    cuts = zip(_contexts(lm, behind), _by_length(lm, behind), strict=True)
    alone = iter(lm.encode([text for context, text in pairs if not context]))
    for context, _ in pairs:
        if context:
            begun, (_, rest) = next(cuts)
            yield begun, rest
        else:
            yield lm.prefix, next(alone)


def _by_themselves(lm: LanguageModel, pairs: Pairs) -> Iterator[Cut]:
    texts = lm.encode([text for _, text in pairs])
    return zip(_contexts(lm, pairs), texts, strict=True)


def _contexts(lm: LanguageModel, pairs: Pairs) -> list[list[int]]:
    """Encode contexts from their beginning; each of several that are equal once."""
    distinct = list(dict.fromkeys(context for context, _ in pairs))
    coded = dict(zip(distinct, lm.encode(distinct, beginning=True), strict=True))
    return [coded[context] for context, _ in pairs]


_ENCODERS: Mapping[Boundary, Callable[[LanguageModel, Pairs], Iterator[Cut]]] = {
    "offsets": _by_characters,
    "separate": _by_length,
    "alone": _behind_contexts,
    "apart": _by_themselves,
}


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
