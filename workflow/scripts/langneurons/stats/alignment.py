"""How well states of sentences in one language match those of their translations.

After NeuronXA (Huang et al. 2025, arXiv 2507.14900): cosines of the states of n
sentences in two languages are a matrix whose diagonal has the translations. A sentence
is found if its own translation is nearer than every other; the share of pairs that find
each other is the paper's score, its mean over layers the alignment of a model. The gap
between the mean cosine of translations and that of all others is a score without steps.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from langneurons.config.errors import DataError

from .bootstrap import DRAWS_AT_ONCE

Floats = npt.NDArray[np.float64]
Interval = tuple[float, float, float]
FOUND = ("forward", "backward", "mutual")
"""Shares of sentences: of the first language that find their translation, of the second
that do, of pairs that find each other."""
MEASURES = (*FOUND, "gap")
ROUNDING = 1e-12
"""Cosines that differ by less are equal, and a tie finds nothing."""


@dataclass(frozen=True)
class Alignment:
    """How well two languages are aligned, over layers and layer by layer.

    Attributes:
        sentences: pairs that were compared.
        over_layers: measure -> mean over layers, with the ends of its interval over
            sentences.
        by_layer: measure -> [layers] values.
    """

    sentences: int
    over_layers: dict[str, Interval]
    by_layer: dict[str, Floats]


def binary(values: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    """Return which neurons are on: those whose value is above zero."""
    return np.asarray(values) > 0


def cosines(first: npt.ArrayLike, second: npt.ArrayLike) -> Floats:
    """Return the cosine of each state of one language with each of the other.

    Args:
        first: [n, neurons] states of sentences.
        second: [n, neurons] states of their translations, in the same order.

    Returns:
        [n, n]; 0 for a state of zeros, which has no direction.

    Raises:
        DataError: other sizes, fewer than two sentences, or a state that is not finite.
    """
    a, b = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if a.ndim != 2 or a.shape != b.shape:
        raise DataError(
            f"alignment: states of shapes {a.shape} and {b.shape}; both languages need "
            "the same sentences and neurons"
        )
    if len(a) < 2:
        raise DataError(f"alignment: {len(a)} sentences; at least two are needed")
    # A zero stays one: it is divided by 1.
    sizes = [np.linalg.norm(x, axis=1, keepdims=True) for x in (a, b)]
    if not all(np.isfinite(size).all() for size in sizes):
        raise DataError("alignment: a state is not finite")
    a, b = (x / np.where(s > 0, s, 1) for x, s in zip((a, b), sizes, strict=True))
    return np.asarray(a @ b.T)


def found(matrix: Floats) -> npt.NDArray[np.bool_]:
    """Tell which sentences find their translation as their nearest neighbour.

    Args:
        matrix: [n, n] cosines, those of translations on the diagonal.

    Returns:
        [3, n], in the order of ``FOUND``.
    """
    own = np.diagonal(matrix)
    others = matrix.copy()
    np.fill_diagonal(others, -np.inf)
    forward = own > others.max(axis=1) + ROUNDING
    backward = own > others.max(axis=0) + ROUNDING
    return np.stack([forward, backward, forward & backward])


def gap(matrix: Floats) -> float:
    """Return the mean cosine of translations minus that of all other pairs."""
    n, own = len(matrix), float(np.trace(matrix))
    return own / n - (float(matrix.sum()) - own) / (n * (n - 1))


def align(
    layers: Iterable[tuple[npt.ArrayLike, npt.ArrayLike]],
    resamples: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> Alignment:
    """Align two languages, one layer after the other.

    Args:
        layers: of each, [n, neurons] states of both languages; held one at a time.
        resamples: of the bootstrap over sentences; 0: ends of intervals are NaN.
        seed: of the resampling.
        level: share of the resamples inside an interval.

    Raises:
        DataError: no layer, or what :func:`cosines` raises.
    """
    by_layer: dict[str, list[float]] = {name: [] for name in MEASURES}
    hits: Floats | float = 0.0
    total: Floats | float = 0.0
    for first, second in layers:
        matrix = cosines(first, second)
        own = found(matrix)
        hits, total = hits + own.astype(np.float64), total + matrix
        for name, each in zip(FOUND, own, strict=True):
            by_layer[name].append(float(each.mean()))
        by_layer["gap"].append(gap(matrix))
    count = len(by_layer["gap"])
    if isinstance(hits, float) or isinstance(total, float):
        raise DataError("alignment: there are no layers")
    # Both are linear in the layers, so that one resampling of their means does for all.
    tail, ends = (1 - level) / 2, np.full((2, len(MEASURES)), np.nan)
    if resamples:
        drawn = _resampled(hits / count, total / count, resamples, seed)
        ends = np.quantile(drawn, [tail, 1 - tail], axis=0)
    over = {
        name: (float(np.mean(by_layer[name])), float(low), float(high))
        for name, low, high in zip(MEASURES, *ends, strict=True)
    }
    return Alignment(len(total), over, {k: np.array(v) for k, v in by_layer.items()})


def _resampled(hits: Floats, matrix: Floats, resamples: int, seed: int) -> Floats:
    """Return the measures on resampled sentences: [resamples, MEASURES].

    A sentence that is drawn twice counts twice. What it competes with stays all other
    sentences: among fewer its translation would be easier to find. Two copies of one
    sentence are translations of each other, and so no pair of the others.
    """
    n, own = len(matrix), np.diagonal(matrix)
    rng = np.random.default_rng(seed)
    out = np.empty((resamples, len(MEASURES)))
    step = max(1, DRAWS_AT_ONCE // n)
    for start in range(0, resamples, step):
        size = min(step, resamples - start)
        counts = rng.multinomial(n, np.full(n, 1 / n), size).astype(np.float64)
        squares = counts**2
        others = ((counts @ matrix) * counts).sum(axis=1) - squares @ own
        pairs = n * n - squares.sum(axis=1)  # 0 where one sentence is drawn n times
        part = slice(start, start + size)
        out[part, :-1] = counts @ hits.T / n
        out[part, -1] = counts @ own / n - others / np.maximum(pairs, 1)
    return out
