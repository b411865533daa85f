"""The mean over languages of a score: for other items and runs of the same languages.

Languages are those that were chosen, not drawn from all languages, so that a resample
keeps each of them. It draws items, every item with all the languages that have it: the
items of a parallel test are one item. Runs (seeds) are drawn too where there are
several, the same ones in all languages.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from langneurons.config.errors import DataError

from . import kept_draws, resummed, significance
from .bootstrap import DRAWS_AT_ONCE
from .cells import Cells, Floats, Items
from .resummed import Resummed

FEWEST = 1_000
"""Resamples at least."""


class Part(NamedTuple):
    """The scores of one language.

    Attributes:
        items: int64 [n] their numbers, each once.
        scores: [runs, n].
    """

    items: Items
    scores: Floats


def _cells(parts: Sequence[Part]) -> Cells:
    """Put languages side by side, each item with its mean over runs."""
    return Cells.of({i: (x.items, x.scores.mean(axis=0)) for i, x in enumerate(parts)})


def _runs(parts: Sequence[Part]) -> int:
    """Count the runs.

    Raises:
        DataError: languages have different runs, or there are none.
    """
    numbers = {len(part.scores) for part in parts}
    if len(numbers) != 1:
        raise DataError(
            f"mean over languages: {sorted(numbers)} runs of {len(parts)} languages; "
            "all need the same"
        )
    return numbers.pop()


def interval(
    parts: Sequence[Part], resamples: int = 10_000, seed: int = 0, level: float = 0.95
) -> tuple[float, float, float]:
    """Return the mean over languages of their means, and its bootstrap interval.

    Args:
        parts: of each language its scores, or differences of scores.
        resamples: number of resamples; of languages with other items at most as many
            as are kept for other rows (``kept_draws``), but ``FEWEST``.
        seed: of the resampling.
        level: share of the resamples inside the interval.

    Returns:
        (mean, low, high), in the unit of the scores; every language counts alike,
        however many items it has.

    Raises:
        DataError: languages have different runs.
    """
    runs, cells = _runs(parts), _cells(parts)
    if all(np.array_equal(part.items, parts[0].items) for part in parts):
        scores = np.mean([part.scores for part in parts], axis=0)
        return significance.pooled(scores, resamples, seed, level)
    most = kept_draws.MOST_ITEMS // len(cells.items)
    resamples = min(resamples, max(FEWEST, most))
    if runs == 1:
        return cells.interval(resamples, seed, level)
    rng = np.random.default_rng(seed)
    weights = kept_draws.of_runs(rng, runs, resamples)
    n = len(cells.items)
    places = [np.searchsorted(cells.items, part.items) for part in parts]
    means = np.empty(resamples)
    step = max(1, DRAWS_AT_ONCE // n)
    for start in range(0, resamples, step):
        chunk = weights[start : start + step]
        counts = rng.multinomial(n, [1 / n] * n, len(chunk))
        own = np.full((len(chunk), len(parts)), np.nan)
        for column, (part, place) in enumerate(zip(parts, places, strict=True)):
            drawn = counts[:, place]
            with np.errstate(invalid="ignore"):
                sums = (chunk @ part.scores * drawn).sum(axis=1)
                own[:, column] = sums / drawn.sum(axis=1)
        # A language of which a resample drew no item is left out of that resample.
        means[start : start + step] = np.nanmean(own, axis=1)
    return cells.mean(), *resummed.percentiles(means, level)


def test(parts: Sequence[Part]) -> tuple[float, float]:
    """Test that a mean difference over languages is 0, for the runs that there are.

    Args:
        parts: of each language the differences of its items.

    Returns:
        The two-sided p-value of the sign-flip test, which flips an item in all its
        languages at once, and the smallest difference that it finds with 80 % power.

    Raises:
        DataError: languages have different runs.
    """
    _runs(parts)
    return _cells(parts).test()


def of_sums(
    own: Sequence[Sequence[Resummed]],
    others: Sequence[Sequence[Resummed]] | None = None,
    resamples: int = 10_000,
    seed: int = 0,
) -> dict[str, float]:
    """Average scores of all items together; see :mod:`.resummed`.

    Languages with as many items draw the same places of their lists.

    Args:
        own: of each language its runs.
        others: of each language what they are set against; None: the mean itself.
        resamples: number of resamples.
        seed: of the resampling.

    Returns:
        ``value``, ``ci_low`` and ``ci_high``, or with ``others`` ``delta``,
        ``delta_ci_low``, ``delta_ci_high``, ``p_value`` and ``detectable``.
    """
    runs = len(own[0])
    weights = kept_draws.of_runs(np.random.default_rng(seed), runs, resamples)

    def drawn(of: Sequence[Sequence[Resummed]]) -> tuple[float, Floats]:
        value = float(np.mean([[run.value for run in lang] for lang in of]))
        total: npt.NDArray[np.float64] = np.zeros(resamples)
        for lang in of:
            scores = np.stack([run.resampled(resamples, seed) for run in lang], axis=1)
            total += (weights * scores).sum(axis=1)
        return value, total / len(of)

    value, means = drawn(own)
    if others is None:
        low, high = resummed.percentiles(means)
        return {"value": value, "ci_low": low, "ci_high": high}
    other, beside = drawn(others)
    fewest = min(len(lang[0]) for lang in own)
    return resummed.compared(value - other, means - beside, fewest)
