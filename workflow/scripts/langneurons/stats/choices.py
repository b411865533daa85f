"""What a rule that chooses among candidates is worth, over several choices.

A choice is made for a group (a pair of languages), in which each item has a number:
what the chosen candidate gains on it. Few groups share few languages, so that whatever
is said over groups is of these, and of others like them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from . import significance

Floats = npt.NDArray[np.float64]
NAN = math.nan
ROUNDING = 1e-12
"""Means of shares that are nearer to 0 are 0."""


def mean_over(
    groups: Sequence[Floats],
    resamples: int = 10_000,
    seed: int = 0,
    level: float = 0.95,
) -> tuple[float, float, float]:
    """Return the mean of the groups' means, and its percentile bootstrap interval.

    A resample draws groups with replacement and, in each that is drawn, items with
    replacement, so that the interval is for other groups and other items.

    Args:
        groups: of each its items' numbers, at least one.
        resamples: number of resamples.
        seed: of the resampling.
        level: share of the resamples inside the interval.

    Returns:
        (mean, low, high); NaN without groups. With one group the interval is over its
        items alone: nothing is known of others.
    """
    if not groups:
        return NAN, NAN, NAN
    rng = np.random.default_rng(seed)
    drawn = np.stack([_means(group, resamples, rng) for group in groups])
    which = rng.integers(0, len(groups), (resamples, len(groups)))
    # A group that is drawn twice has other items the second time.
    again = rng.integers(0, resamples, (resamples, len(groups)))
    if len(groups) == 1:
        again = np.arange(resamples)[:, None]
    means = drawn[which, again].mean(axis=1)
    tail = (1 - level) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return float(np.mean([group.mean() for group in groups])), float(low), float(high)


def _means(items: Floats, resamples: int, rng: np.random.Generator) -> Floats:
    """Return the mean of each resample of items."""
    values, frequency = np.unique(items, return_counts=True)
    drawn = rng.multinomial(items.size, frequency / items.size, resamples)
    return np.asarray(drawn @ values / items.size)


def test_over(groups: Sequence[Floats]) -> float:
    """Return the two-sided p-value of the sign-flip test over the groups' means.

    It asks whether the mean would hold in other groups; items only make the groups'
    means what they are. NaN without groups.
    """
    means = np.array([group.mean() for group in groups])
    if not means.size:
        return NAN
    return significance.paired_permutation(means, np.zeros(means.size))


def differing(groups: Sequence[Floats]) -> int:
    """Count the groups whose mean is not 0: the test knows no other.

    Where the two ways are one and the same, so are the numbers.
    """
    return sum(abs(float(group.mean())) > ROUNDING for group in groups)


def smallest(groups: int) -> float:
    """Return the smallest p-value that :func:`test_over` can give; NaN without groups.

    Args:
        groups: that differ, see :func:`differing`.

    All differ in one direction then: one choice of signs of all, and its opposite.
    Beyond ``significance.ENUMERATED`` groups signs are drawn, and p has the
    number of draws for its limit; this is left out here.
    """
    return 2.0 ** (1 - groups) if groups else NAN


def spearman(a: Sequence[float], b: Sequence[float]) -> float:
    """Return Spearman's rank correlation where both have a number.

    NaN for fewer than three such places, and where one is the same everywhere.
    """
    from scipy.stats import spearmanr

    x, y = _both(a, b)
    return float(spearmanr(x, y).statistic) if x.size else NAN


def kendall(a: Sequence[float], b: Sequence[float]) -> float:
    """Return Kendall's tau-b where both have a number; NaN as in :func:`spearman`."""
    from scipy.stats import kendalltau

    x, y = _both(a, b)
    return float(kendalltau(x, y).statistic) if x.size else NAN


def _both(a: Sequence[float], b: Sequence[float]) -> tuple[Floats, Floats]:
    """Keep the places where both have a number; none if these say nothing of ranks."""
    x, y = np.asarray(a, np.float64), np.asarray(b, np.float64)
    there = np.isfinite(x) & np.isfinite(y)
    x, y = x[there], y[there]
    if x.size < 3 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return np.array([]), np.array([])
    return x, y
