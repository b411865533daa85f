"""Percentile bootstrap intervals over items, paired, and over several seeds."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from langneurons.config.errors import DataError

from . import kept_draws

# Draws held at once: bounds the memory whatever the number of items.
DRAWS_AT_ONCE = 1 << 22
# Up to so many distinct values a resample is one multinomial draw of their counts.
FEW_VALUES = 64
# The same where draws of items are kept, and cost little: 8 ms and 1.4 ms a row.
FEW_BESIDE_KEPT = 8

Array = npt.NDArray[np.float64]


def is_few(distinct: int, kept: bool) -> bool:
    """Tell whether counts of distinct values are drawn, and not items or signs.

    Args:
        distinct: how many values there are.
        kept: whether draws of items, or signs, are kept for other rows.
    """
    return distinct <= (FEW_BESIDE_KEPT if kept else FEW_VALUES)


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
        DataError: the two do not hold the same number of items, at least one, or hold
            a value that is no number.
    """
    difference = differences_of(a, b, "paired bootstrap")
    return bootstrap_mean(difference, resamples, seed, level)


def differences_of(a: npt.ArrayLike, b: npt.ArrayLike, what: str) -> Array:
    """Return a - b item by item: [items], at least one.

    Raises:
        DataError: other numbers of items, none, or a value that is no number.
    """
    first, second = np.asarray(a, np.float64).ravel(), np.asarray(b, np.float64).ravel()
    if first.size != second.size:
        raise DataError(
            f"{what}: {first.size} items against {second.size}; "
            "both need the same items"
        )
    return finite(first - second, what)


def finite(items: Array, what: str) -> Array:
    """Return the items; refuse none, and NaN, with which every comparison fails.

    Raises:
        DataError: names the first such item.
    """
    if items.size == 0:
        raise DataError(f"{what}: there are no items")
    if not np.isfinite(items).all():
        bad = int(np.flatnonzero(~np.isfinite(items))[0])
        raise DataError(f"{what}: item {bad} (from 0) has no finite value")
    return items


def bootstrap_mean(
    values: npt.ArrayLike, resamples: int = 10_000, seed: int = 0, level: float = 0.95
) -> tuple[float, float, float]:
    """Return the mean and its percentile bootstrap interval over items.

    Args:
        values: [items] one number per item.
        resamples: number of resampled sets of items.
        seed: of the resampling.
        level: share of the resamples inside the interval.

    Returns:
        (mean, low, high). The resampled items depend on nothing but their number,
        ``resamples`` and ``seed``, and are drawn once for all values of a table; see
        ``kept_draws`` for the memory that this takes.

    Raises:
        DataError: no items, or one that is no number.
    """
    items = finite(np.asarray(values, np.float64).ravel(), "bootstrap")
    distinct, frequency = np.unique(items, return_counts=True)
    kept = kept_draws.keeps_items(items.size, resamples)
    if is_few(distinct.size, kept):
        # Drawing n items with replacement draws the counts of the distinct values.
        rng = np.random.default_rng(seed)
        drawn = rng.multinomial(items.size, frequency / items.size, resamples)
        means = drawn @ distinct / items.size
    elif kept:
        means = kept_draws.of_items(items.size, resamples, seed) @ items / items.size
    else:
        rng = np.random.default_rng(seed)
        means = np.empty(resamples)
        step = max(1, DRAWS_AT_ONCE // items.size)
        for start in range(0, resamples, step):
            size = (min(step, resamples - start), items.size)
            means[start : start + step] = items[rng.integers(0, items.size, size)].mean(
                1
            )
    return float(items.mean()), *_percentiles(means, level)


def _percentiles(resampled: Array, level: float) -> tuple[float, float]:
    tail = (1 - level) / 2
    low, high = np.quantile(resampled, [tail, 1 - tail])
    return float(low), float(high)


def pooled(
    differences: npt.ArrayLike,
    resamples: int = 10_000,
    seed: int = 0,
    level: float = 0.95,
) -> tuple[float, float, float]:
    """Return the mean difference over seeds and items, and its bootstrap interval.

    The model: the difference of item i in the run of seed s is
    ``effect + run_s + item_i + rest_si`` with runs and items drawn independently of
    each other. As every run is tested on the same items, seeds and items are crossed,
    so each resample draws runs and, separately, items, both with replacement, and
    averages over all their pairs. The interval is for other seeds and other items. With
    S runs it makes the variance between runs smaller by (S - 1) / S; with one run that
    variance cannot be seen at all, and the interval is that over items.

    The test that belongs to it is :func:`paired_permutation` of the scores of each item
    averaged over the runs. It takes the runs as given: it asks whether the effect of
    these runs would hold on other items.

    Args:
        differences: [seeds, items] score with the treatment minus that without.
        resamples: number of resampled sets.
        seed: of the resampling.
        level: share of the resamples inside the interval.

    Returns:
        (delta, low, high), in the unit of the scores. With one seed exactly what
        :func:`bootstrap_mean` returns for its items.

    Raises:
        DataError: not two axes, no items, or a value that is no number.
    """
    runs = np.asarray(differences, np.float64)
    if runs.ndim != 2:
        raise DataError(
            f"pooled bootstrap: an array of {runs.ndim} axes; it needs [seeds, items]"
        )
    finite(runs.ravel(), "pooled bootstrap")
    seeds, n = runs.shape
    if seeds == 1:
        return bootstrap_mean(runs[0], resamples, seed, level)
    # Items with the same differences in every run are drawn together, as counts.
    patterns, frequency = np.unique(runs, axis=1, return_counts=True)
    kept = kept_draws.keeps_items(n, resamples)
    few = is_few(frequency.size, kept)
    rng = np.random.default_rng(seed)
    weights = kept_draws.of_runs(rng, seeds, resamples)
    means = np.empty(resamples)
    step = max(1, DRAWS_AT_ONCE // (frequency.size if few else n))
    for start in range(0, resamples, step):
        part = slice(start, start + step)
        chunk = weights[part]
        if few:
            drawn = rng.multinomial(n, frequency / n, len(chunk))
            sums = (chunk @ patterns * drawn).sum(axis=1)
        elif kept:
            counts = kept_draws.of_items(n, resamples, seed, runs=seeds)[part]
            sums = (chunk @ runs * counts).sum(axis=1)
        else:
            chosen = rng.integers(0, n, (len(chunk), n))
            sums = np.take_along_axis(chunk @ runs, chosen, axis=1).sum(axis=1)
        means[part] = sums / n
    return float(runs.mean()), *_percentiles(means, level)
