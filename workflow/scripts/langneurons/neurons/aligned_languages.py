"""Alignment of two languages from the means of parallel sentences that were recorded.

A neuron's value on a sentence is its mean over the sentence's tokens; its binary state
is whether that mean is above zero. What the paper takes instead (states of tokens,
averaged with weights that grow with their place) was not recorded: see
docs/alignment.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from langneurons.config.errors import DataError
from langneurons.stats import alignment
from langneurons.stats.alignment import Alignment

from .recorded_activations import Activations, check_same_model

VALUE, BINARY = "value", "binary"
STATES = (VALUE, BINARY)
FORMAT = "langneurons/alignment/1"
Pair = tuple[npt.NDArray[Any], npt.NDArray[Any]]


def align(
    first: Activations,
    second: Activations,
    site: str,
    *,
    states: Sequence[str] = STATES,
    sentences: int | None = None,
    resamples: int = 1000,
    numbers: Sequence[int] | None = None,
) -> dict[str, Alignment]:
    """Align two languages of one model.

    Args:
        first: recorded activations of one language, with means of sentences.
        second: those of the other, of the same sentences in the same order.
        site: gate_pre or act_post.
        states: which of ``STATES``.
        sentences: so many of the first are compared; None: all whose means are kept.
        resamples: of the bootstrap over sentences.
        numbers: of the layers; None: all.

    Returns:
        By kind of states.

    Raises:
        DataError: other models, means of other sentences, or fewer than are asked for.
    """
    check_same_model([first, second])
    count = _sentences(first, second, sentences)
    layers = range(first.layers) if numbers is None else numbers
    return {
        name: alignment.align(_layers(first, second, site, name, layers, count),
                              resamples)
        for name in states
    }  # fmt: skip


def _layers(
    first: Activations,
    second: Activations,
    site: str,
    name: str,
    layers: Sequence[int],
    count: int,
) -> Iterator[Pair]:
    """Yield the states of both languages, one layer in memory at a time."""
    for layer in layers:
        means = [x.chunk_means(site, layer)[:count] for x in (first, second)]
        a, b = map(alignment.binary, means) if name == BINARY else means
        yield a, b


def _sentences(first: Activations, second: Activations, asked: int | None) -> int:
    """Return how many sentences are compared, the first of both languages."""
    for one in (first, second):
        if one.metadata.get("unit") != "document":
            raise DataError(
                f"{one.path}: is of chunks, not of sentences; alignment needs a corpus "
                "of parallel sentences (unit: document)"
            )
    numbers = [one.chunk_numbers() for one in (first, second)]
    count = len(numbers[0]) if asked is None else asked
    for one, own in zip((first, second), numbers, strict=True):
        if len(own) < count:
            raise DataError(
                f"{one.path}: means of {len(own)} sentences are kept, and {count} are "
                "compared; raise chunk_means of the corpus"
            )
    if not np.array_equal(numbers[0][:count], numbers[1][:count]) or (
        asked is None and len(numbers[0]) != len(numbers[1])
    ):
        raise DataError(
            f"{second.path}: means of other sentences than in {first.path}; all "
            "languages need the same chunk_means, and the same sentences"
        )
    return count


def described(
    spec: Mapping[str, Any], found: Mapping[str, Alignment]
) -> dict[str, Any]:
    """Say what was found in the form of the output file.

    Args:
        spec: of the job: ``model``, ``corpus``, ``pair``, ``site``.
        found: by kind of states.
    """
    return {
        "format": FORMAT,
        **{key: spec[key] for key in ("model", "corpus", "pair", "site")},
        "states": {
            name: {
                "sentences": one.sentences,
                "over_layers": {k: list(v) for k, v in one.over_layers.items()},
                "by_layer": {k: v.tolist() for k, v in one.by_layer.items()},
            }
            for name, one in found.items()
        },
    }
