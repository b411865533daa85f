"""Correlation over languages, or within pairs of languages, with intervals.

Points come in groups that are drawn together: a language is a group of one point, a
pair of languages one of as many as it has candidates for a bridge.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
LEAST, LEAST_DRAWN = 3, 5
"""Points of which a correlation can be said, and groups whose resampling says of it."""


class Correlation(NamedTuple):
    """A correlation coefficient and the ends of its interval; NaN: cannot be said."""

    value: float = math.nan
    low: float = math.nan
    high: float = math.nan


def correlate(
    groups: Sequence[tuple[npt.ArrayLike, npt.ArrayLike]],
    *,
    ranks: bool = False,
    within: bool = False,
    resamples: int = 2000,
    seed: int = 0,
    level: float = 0.95,
) -> Correlation:
    """Correlate two numbers of points, and resample their groups.

    Args:
        groups: of each, [points] of both numbers.
        ranks: Spearman's coefficient; else Pearson's.
        within: each group's mean is taken off first, and ranks are those within it, so
            that differences between groups play no part.
        resamples: of the bootstrap over groups.
        seed: of the resampling.
        level: share of the resamples inside the interval. Those in which one of the
            two is the same everywhere are left out.

    Returns:
        NaN with fewer than ``LEAST`` points or where a number is the same everywhere;
        no interval with fewer than ``LEAST_DRAWN`` groups.
    """
    given = [np.array([x, y], np.float64) for x, y in groups]
    if within:
        # One point of a group says nothing of what differs within it.
        given = [_inside(x, ranks) for x in given if x.shape[1] > 1]
        ranks = False
    value = _coefficient(given, ranks) if given else math.nan
    if math.isnan(value) or len(given) < LEAST_DRAWN:
        return Correlation(value)
    rng = np.random.default_rng(seed)
    drawn = np.array(
        [
            _coefficient([given[i] for i in chosen], ranks)
            for chosen in rng.integers(0, len(given), (resamples, len(given)))
        ]
    )
    tail = (1 - level) / 2
    if np.isnan(drawn).all():
        return Correlation(value)
    low, high = np.asarray(np.nanquantile(drawn, [tail, 1 - tail]))
    return Correlation(value, float(low), float(high))


def _inside(points: Floats, ranks: bool) -> Floats:
    """Take the mean of a group off its points, or of their ranks: [2, points]."""
    rows = _ranked(points) if ranks else points
    centred: Floats = rows - rows.mean(axis=1, keepdims=True)
    return centred


def _ranked(points: Floats) -> Floats:
    from scipy.stats import rankdata

    return np.asarray(rankdata(points, axis=1), np.float64)


def _coefficient(groups: Sequence[Floats], ranks: bool) -> float:
    points = np.concatenate(groups, axis=1)
    if points.shape[1] < LEAST or (np.ptp(points, axis=1) == 0).any():
        return math.nan
    rows = _ranked(points) if ranks else points
    return float(np.corrcoef(rows)[0, 1])
