"""Correlation over languages, or within pairs of languages, with intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
LEAST, LEAST_DRAWN = 3, 5
"""Points of which a correlation can be said, and points, or groups of them, whose
resampling says something of it."""
ROUNDING = 1e-12
"""Numbers that differ by less of themselves are the same."""


class Correlation(NamedTuple):
    """A correlation coefficient and the ends of its interval; NaN: cannot be said."""

    value: float = math.nan
    low: float = math.nan
    high: float = math.nan


def over_points(
    first: npt.ArrayLike,
    second: npt.ArrayLike,
    *,
    ranks: bool = False,
    resamples: int = 2000,
    seed: int = 0,
    level: float = 0.95,
) -> Correlation:
    """Correlate two numbers of points, and resample the points.

    Args:
        first: [points].
        second: [points].
        ranks: Spearman's coefficient; else Pearson's.
        resamples: of the bootstrap. Those in which one of the two is the same
            everywhere are left out.
        seed: of the resampling.
        level: share of the resamples inside the interval.

    Returns:
        NaN with fewer than ``LEAST`` points or where a number is the same everywhere;
        no interval with fewer than ``LEAST_DRAWN`` points.
    """
    both = np.array([first, second], np.float64)
    n = both.shape[1]
    if n < LEAST:
        return Correlation()
    drawn = np.random.default_rng(seed).integers(0, n, (resamples, n))
    values = _coefficients(both[:, None, :], ranks)
    return _interval(values[0], _coefficients(both[:, drawn], ranks), n, level)


def within_groups(
    groups: Sequence[tuple[npt.ArrayLike, npt.ArrayLike]],
    *,
    ranks: bool = False,
    resamples: int = 2000,
    seed: int = 0,
    level: float = 0.95,
) -> Correlation:
    """Correlate two numbers within groups, and resample the groups.

    Each group's means are taken off first, and ranks are those within it, so that
    differences between groups play no part. A group of one point says nothing.

    Args:
        groups: of each, [points] of both numbers.
        ranks: see :func:`over_points`, as for the other arguments and what is returned.
        resamples: of the bootstrap over groups, whole groups being drawn.
        seed: of the resampling.
        level: share of the resamples inside the interval.
    """
    sums, points = [], 0
    for first, second in groups:
        x, y = np.array([first, second], np.float64)
        if x.size > 1:
            x, y = (_centred(_ranked(v) if ranks else v) for v in (x, y))
            sums.append([x @ y, x @ x, y @ y])
            points += x.size
    if points < LEAST:
        return Correlation()
    whole, n = np.array(sums), len(sums)
    drawn = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), resamples)
    value = _of_sums(whole.sum(axis=0, keepdims=True))[0]
    return _interval(value, _of_sums(drawn @ whole), n, level)


def _interval(value: float, drawn: Floats, groups: int, level: float) -> Correlation:
    known = drawn[~np.isnan(drawn)]
    if math.isnan(value) or groups < LEAST_DRAWN or not known.size:
        return Correlation(float(value))
    tail = (1 - level) / 2
    low, high = np.quantile(known, [tail, 1 - tail])
    return Correlation(float(value), float(low), float(high))


def _coefficients(both: Floats, ranks: bool) -> Floats:
    """Return the coefficient of each row: [rows], of [2, rows, points]."""
    x, y = (_centred(_ranked(v) if ranks else v) for v in both)
    return _of_sums(np.stack([(x * y).sum(-1), (x * x).sum(-1), (y * y).sum(-1)], -1))


def _centred(values: Floats) -> Floats:
    """Take off the mean over points; what is the same everywhere becomes 0."""
    centred = values - values.mean(axis=-1, keepdims=True)
    largest = np.abs(values).max(axis=-1, keepdims=True)
    return np.where(np.abs(centred) > ROUNDING * largest, centred, 0.0)


def _ranked(values: Floats) -> Floats:
    from scipy.stats import rankdata

    return np.asarray(rankdata(values, axis=-1), np.float64)


def _of_sums(sums: Floats) -> Floats:
    """Return coefficients of sums of products and squares: [rows], of [rows, 3]."""
    product, *squares = np.moveaxis(sums, -1, 0)
    size = np.sqrt(squares[0] * squares[1])
    there = size > 0
    return np.where(there, product / np.where(there, size, 1), np.nan)
