"""Random draws that depend on no score, made once for all rows of a table.

A resample of n items, or a choice of n signs, is the same for every row with n items,
as all rows have one seed. Of a resample is kept how often each item was drawn: one byte
per item, two above 255 items. Kept are the last ``KEPT`` (4) sets of resamples, of at
most ``MOST_ITEMS`` (2^24) items each, and ``MOST_SIGNS`` (2^22) signs of a byte: 138 MB
at most; 11 MB for XQuAD (three languages of up to 238 items, 10,000 resamples). What is
larger is drawn anew for each row, piece by piece.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

KEPT = 4
MOST_ITEMS = 1 << 24
MOST_SIGNS = 1 << 22
# Draws held while they are counted: what the processor's caches hold.
AT_ONCE = 1 << 18

Counts = npt.NDArray[np.integer]


def keeps_items(n: int, resamples: int) -> bool:
    """Tell whether so many resamples of n items are kept."""
    return n * resamples <= MOST_ITEMS


def keeps_signs(n: int, resamples: int) -> bool:
    """Tell whether so many choices of n signs are kept."""
    return n * resamples <= MOST_SIGNS


def of_runs(
    rng: np.random.Generator, runs: int, resamples: int
) -> npt.NDArray[np.float64]:
    """Draw runs with replacement: float64 [resamples, runs], the share of each."""
    return rng.multinomial(runs, [1 / runs] * runs, resamples) / runs


@lru_cache(KEPT)
def of_items(n: int, resamples: int, seed: int, runs: int = 1) -> Counts:
    """Return how often each item is drawn in each resample of n with replacement.

    Args:
        n: items, of which so many are drawn.
        resamples: number of resamples.
        seed: of the generator.
        runs: of several runs the generator first draws which (see :func:`of_runs`).

    Returns:
        [resamples, n] whole numbers whose rows sum to n; not to be written to.
    """
    rng = np.random.default_rng(seed)
    if runs > 1:
        of_runs(rng, runs, resamples)
    found = np.empty((resamples, n), np.min_scalar_type(n))
    step = max(1, AT_ONCE // n)
    for start in range(0, resamples, step):
        rows = min(step, resamples - start)
        drawn = rng.integers(0, n, (rows, n)) + n * np.arange(rows)[:, None]
        counted = np.bincount(drawn.ravel(), minlength=rows * n)
        found[start : start + rows] = counted.reshape(rows, n)
    found.flags.writeable = False
    return found


def of_signs(n: int, resamples: int, seed: int) -> npt.NDArray[np.int8]:
    """Return random choices of n signs: int8 [resamples, n], 1 for plus, 0 for minus.

    They are the first that the generator makes, so that fewer signs are the beginning
    of more.
    """
    return _signs(seed, MOST_SIGNS)[: resamples * n].reshape(resamples, n)


@lru_cache(1)
def _signs(seed: int, amount: int) -> npt.NDArray[np.int8]:
    signs = np.random.default_rng(seed).integers(0, 2, amount, np.int8)
    signs.flags.writeable = False
    return signs
