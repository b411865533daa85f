"""Intervals, tests and power over items: what the paper's tables lack (section 4).

Proportions have Wilson intervals and McNemar's exact test; scores between 0 and 1, such
as F1, and real numbers a bootstrap interval and a sign-flip permutation test; all a
paired bootstrap interval of the difference and the smallest difference that the test
could have seen.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Sequence
from functools import cache

import numpy as np
import numpy.typing as npt

from langneurons.config.errors import DataError

from . import kept_draws
from .bootstrap import (
    DRAWS_AT_ONCE,
    bootstrap_mean,
    differences_of,
    is_few,
    paired_bootstrap,
    pooled,
)

__all__ = [
    "bootstrap_mean",
    "detectable",
    "holm",
    "mcnemar_exact",
    "paired_bootstrap",
    "paired_permutation",
    "pooled",
    "wilson",
]

# Up to so many items that differ the permutation test tries every choice of signs.
ENUMERATED = 16

ALPHA = 0.05
"""Two-sided level at which :func:`detectable` takes a test to reject."""
POWER = 0.8
"""Probability of rejecting at the difference that :func:`detectable` returns."""
FEWEST_CHANGES = 6
"""Fewest items that an exact test rejects with: 2 / 2**6 < 0.05 < 2 / 2**5."""


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


def paired_permutation(
    a: npt.ArrayLike, b: npt.ArrayLike, resamples: int = 10_000, seed: int = 0
) -> float:
    """Return the two-sided p-value of the sign-flip test of the mean difference.

    Under no effect the two scores of an item may be exchanged, so that the sign of each
    difference is as likely to be plus as minus (Fisher 1935). Up to ``ENUMERATED``
    items that differ, all choices of signs are tried; beyond, random ones, of which the
    observed one is counted as one more, so that p is never 0 (Phipson and Smyth 2010).

    Args:
        a: [items] scores with the treatment.
        b: [items] scores of the same items, in the same order, without it.
        resamples: number of random choices of signs.
        seed: of the random signs. Those of one seed are drawn once for all values of a
            table, see ``kept_draws``.

    Returns:
        Probability, under no effect, of a mean at least as far from 0; 1 where no item
        differs.

    Raises:
        DataError: the two do not hold the same number of items, at least one, or hold
            a value that is no number.
    """
    difference = differences_of(a, b, "permutation test")
    sizes = np.abs(difference[difference != 0])
    if sizes.size == 0:
        return 1.0
    # Sums of the same numbers in another order may differ in the last digits.
    observed = abs(difference.sum()) - 1e-9 * sizes.sum()
    if sizes.size <= ENUMERATED:
        choices = np.arange(2**sizes.size)[:, None] >> np.arange(sizes.size) & 1
        return float((np.abs((2 * choices - 1) @ sizes) >= observed).mean())
    distinct, frequency = np.unique(sizes, return_counts=True)
    kept = kept_draws.keeps_signs(sizes.size, resamples)
    few = is_few(distinct.size, kept)
    if kept and not few:
        plus = kept_draws.of_signs(sizes.size, resamples, seed) @ sizes
        extreme = int((np.abs(2 * plus - sizes.sum()) >= observed).sum())
        return (1 + extreme) / (1 + resamples)
    rng = np.random.default_rng(seed)
    step = max(1, DRAWS_AT_ONCE // (distinct.size if few else sizes.size))
    extreme = 0
    for start in range(0, resamples, step):
        rows = min(step, resamples - start)
        if few:
            # Of equal sizes only the number with a plus matters.
            plus = rng.binomial(frequency, 0.5, (rows, distinct.size)) @ distinct
        else:
            plus = rng.integers(0, 2, (rows, sizes.size), np.int8) @ sizes
        extreme += int((np.abs(2 * plus - sizes.sum()) >= observed).sum())
    return (1 + extreme) / (1 + resamples)


def detectable(a: npt.ArrayLike, b: npt.ArrayLike, kind: str) -> float:
    """Return the smallest difference of means that the test could have seen.

    That is the difference at which the test of ``kind`` rejects at the two-sided level
    ``ALPHA`` with probability ``POWER``, unadjusted for other tests, if the pair were
    as noisy as it was found to be. With z1 = 1.96 and z2 = 0.84 the quantiles of the
    normal distribution for the two:

    - ``binary``: from the share d of items on which the two disagree. Connor (1987)
      gives the number of items that McNemar's test needs,
      ``n = (z1 sqrt(d) + z2 sqrt(d - x**2))**2 / x**2``; this is solved for the
      difference x.
    - ``score`` and ``real``: ``x = (z1 + z2) s / sqrt(n)``, s the standard deviation
      of the differences.

    Where hardly any item differs, both go to 0, although the tests cannot reject at all
    below ``FEWEST_CHANGES`` items that all differ in one direction. So x is at least
    the share of items at which so many do with probability ``POWER`` (about 7.9 / n,
    as the rule of three is 3 / n), times the mean size of the differences found (1 for
    ``binary``, and for a ``score`` without any). A ``real`` number that differs on
    every item needs no such bound, and one that differs on none tells no size.

    Both are formulas for large samples; the exact test on few items needs a little
    more.

    Args:
        a: [items] right or wrong, or scores, with the treatment.
        b: [items] the same items, in the same order, without it.
        kind: ``binary`` (McNemar's test), ``score`` (from 0 to 1) or ``real`` (any
            number; both permutation test).

    Returns:
        A positive difference in the unit of the scores, NaN with fewer items than
        ``FEWEST_CHANGES``, where no difference can be seen, and for ``real`` numbers
        that are all the same, which do not tell how much they vary.

    Raises:
        DataError: another kind, or not the same items.
    """
    from scipy.stats import beta, norm

    if kind not in ("binary", "score", "real"):
        raise DataError(
            f"detectable difference: kind {kind!r}; allowed: binary, score, real"
        )
    difference = differences_of(a, b, "detectable difference")
    n = difference.size
    if n < FEWEST_CHANGES:
        return math.nan
    sizes = np.abs(difference[difference != 0])
    # P(at least k of n items differ) is a beta distribution's function of their share.
    least = float(beta.ppf(POWER, FEWEST_CHANGES, n - FEWEST_CHANGES + 1))
    z1, z2 = float(norm.ppf(1 - ALPHA / 2)), float(norm.ppf(POWER))
    if kind != "binary":
        noise = (z1 + z2) * float(difference.std(ddof=1)) / math.sqrt(n)
        if kind == "real" and sizes.size in (0, n):
            return noise if sizes.size else math.nan
        if sizes.size:
            least *= float(sizes.mean())
        return max(least, noise)
    root = z1 * math.sqrt(n) + z2 * math.sqrt(n + z2**2 - z1**2)
    return max(least, math.sqrt(sizes.size / n) * root / (n + z2**2))


@cache
def students(n: int) -> float:
    """Return by how many standard errors a 95 % interval of a mean of n reaches out."""
    from scipy.stats import t

    return float(t.ppf(0.975, n - 1))


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


def holm_within(
    pvalues: Iterable[float], families: Iterable[Hashable]
) -> npt.NDArray[np.float64]:
    """Adjust p-values for the number of those of the same family.

    Args:
        pvalues: unadjusted; NaN: no test, see :func:`holm`.
        families: what each belongs to.

    Returns:
        [tests] adjusted p-values, in the order given.
    """
    given = [float(p) for p in pvalues]
    members: dict[Hashable, list[int]] = {}
    for i, family in enumerate(families):
        members.setdefault(family, []).append(i)
    adjusted = np.full(len(given), np.nan)
    for rows in members.values():
        adjusted[rows] = holm([given[i] for i in rows])
    return adjusted
