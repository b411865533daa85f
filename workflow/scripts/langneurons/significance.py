"""Intervals and tests over items: what the paper's tables lack (methods.md 2.6)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from .errors import DataError

# Index draws held at once: bounds the memory whatever the number of items.
DRAWS_AT_ONCE = 1 << 22
# Up to so many distinct values a resample is one multinomial draw of their counts.
FEW_VALUES = 64


def paired_bootstrap(
    a: npt.ArrayLike,
    b: npt.ArrayLike,
    resamples: int = 10_000,
    seed: int = 0,
    level: float = 0.95,
) -> tuple[float, float, float]:
    """Return ``mean(a) - mean(b)`` and its percentile bootstrap interval over items.

    Args:
        a: [items] scores with the treatment.
        b: [items] scores of the same items, in the same order, without it.
        resamples: number of resampled sets of items.
        seed: of the resampling; the same seed gives the same interval.
        level: share of the resamples inside the interval.

    Returns:
        (delta, low, high), in the unit of the scores.

    Raises:
        DataError: the two do not hold the same number of items, at least one.
    """
    first, second = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if first.shape != second.shape:
        raise DataError(
            f"paired bootstrap: {first.size} items against {second.size}; "
            "both need the same items"
        )
    return bootstrap_mean(first - second, resamples, seed, level)


def bootstrap_mean(
    values: npt.ArrayLike, resamples: int = 10_000, seed: int = 0, level: float = 0.95
) -> tuple[float, float, float]:
    """Return the mean and its percentile bootstrap interval over items.

    Args:
        values: [items] one number an item.
        resamples: number of resampled sets of items.
        seed: of the resampling.
        level: share of the resamples inside the interval.

    Returns:
        (mean, low, high)

    Raises:
        DataError: no items.
    """
    items = np.asarray(values, np.float64).ravel()
    if items.size == 0:
        raise DataError("bootstrap: there are no items")
    rng = np.random.default_rng(seed)
    distinct, frequency = np.unique(items, return_counts=True)
    if distinct.size <= FEW_VALUES:
        # Drawing n items with replacement draws the counts of the distinct values.
        drawn = rng.multinomial(items.size, frequency / items.size, resamples)
        means = drawn @ distinct / items.size
    else:
        means = np.empty(resamples)
        step = max(1, DRAWS_AT_ONCE // items.size)
        for start in range(0, resamples, step):
            size = (min(step, resamples - start), items.size)
            means[start : start + step] = items[rng.integers(0, items.size, size)].mean(
                1
            )
    tail = (1 - level) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return float(items.mean()), float(low), float(high)


def wilson(successes: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """Return the Wilson score interval of a proportion (Wilson 1927).

    Args:
        successes: number of correct items, 0 to ``n``.
        n: number of items.
        level: confidence level.

    Returns:
        (low, high) in 0..1.

    Raises:
        DataError: impossible counts.
    """
    from scipy.stats import norm

    if not 0 <= successes <= n or n == 0:
        raise DataError(f"Wilson interval: {successes} correct of {n} items")
    z = float(norm.ppf((1 + level) / 2))
    p = successes / n
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    # At 0 and n the interval touches the end; rounding must not move it away.
    low = 0.0 if successes == 0 else middle - half
    high = 1.0 if successes == n else middle + half
    return low, high


def mcnemar_exact(a_correct: npt.ArrayLike, b_correct: npt.ArrayLike) -> float:
    """Return the two-sided p-value of McNemar's exact test (McNemar 1947).

    Args:
        a_correct: [items] whether each item is right with the treatment.
        b_correct: [items] the same without it.

    Returns:
        Probability, under no difference, of discordant pairs at least as uneven; 1
        where both are right and wrong on the same items.

    Raises:
        DataError: the two do not hold the same number of items.
    """
    from scipy.stats import binomtest

    a, b = np.asarray(a_correct, np.bool_), np.asarray(b_correct, np.bool_)
    if a.shape != b.shape:
        raise DataError(f"McNemar's test: {a.size} items against {b.size}")
    gained, lost = int((a & ~b).sum()), int((b & ~a).sum())
    if gained + lost == 0:
        return 1.0
    return float(binomtest(gained, gained + lost, 0.5).pvalue)


def holm(pvalues: Sequence[float]) -> list[float]:
    """Adjust p-values for their number (Holm 1979), in the order given.

    A NaN stands for a row without a test: it stays NaN and is not counted.

    Args:
        pvalues: unadjusted p-values.

    Returns:
        Adjusted p-values, at most 1, never below the unadjusted ones.
    """
    tested = [i for i, p in enumerate(pvalues) if not math.isnan(p)]
    adjusted = [math.nan] * len(pvalues)
    largest = 0.0
    for rank, i in enumerate(sorted(tested, key=lambda i: pvalues[i])):
        largest = max(largest, min(1.0, (len(tested) - rank) * pvalues[i]))
        adjusted[i] = largest
    return adjusted
