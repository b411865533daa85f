"""Scores of all items together: resampled by summing up statistics of single items.

The corpus score of a translation (chrF, BLEU) is no mean over sentences. Each sentence
has sufficient statistics, such as counts of n-grams; their sums make the score. A
resample of sentences has the score of its own sums, so that nothing is scored anew.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from langneurons.config.errors import DataError

from . import kept_draws
from .significance import ALPHA, FEWEST_CHANGES, POWER

Floats = npt.NDArray[np.float64]
Score = Callable[[Floats], Floats]
"""From sums of statistics [..., k] to scores [...]; finite for all sums >= 0."""

AT_ONCE = 1_000
"""Resamples whose counts are held as floats at once: 8 MB for 1,000 items."""


@dataclass(frozen=True)
class Resummed:
    """Statistics of items whose sums make a score.

    Attributes:
        statistics: [n, k] numbers, at least 0; of any type, as they are kept.
        score: turns sums of them into a score.
    """

    statistics: npt.NDArray[Any]
    score: Score
    _drawn: dict[tuple[int, int], Floats] = field(
        default_factory=dict, compare=False, repr=False
    )

    def __len__(self) -> int:
        return len(self.statistics)

    @property
    def value(self) -> float:
        """The score of all items together."""
        return float(self.score(self.statistics.sum(axis=0, dtype=np.float64)))

    def resampled(self, resamples: int, seed: int = 0) -> Floats:
        """Return the score of each resample of the items: [resamples]; kept.

        The items that a resample draws depend on nothing but their number,
        ``resamples`` and ``seed``, so that two results on the same items are paired.

        Raises:
            DataError: there are no items.
        """
        if not len(self):
            raise DataError("bootstrap of sums: there are no items")
        if (resamples, seed) not in self._drawn:
            whole = self.statistics.dtype.kind in "iu"
            # Below 2^24 sums of whole numbers are exact in single precision.
            small = whole and int(self.statistics.max()) * len(self) < 1 << 24
            own = self.statistics.astype(np.float32 if small else np.float64)
            scores = [
                self.score((counts.astype(own.dtype) @ own).astype(np.float64))
                for counts in _counts(len(own), resamples, seed)
            ]
            self._drawn[resamples, seed] = np.concatenate(scores)
        return self._drawn[resamples, seed]


def _counts(
    n: int, resamples: int, seed: int
) -> Iterator[npt.NDArray[np.integer[Any]]]:
    """Yield how often each of n items is drawn, some resamples at a time."""
    kept = kept_draws.keeps_items(n, resamples)
    rng = np.random.default_rng(seed)
    for start in range(0, resamples, AT_ONCE):
        stop = min(start + AT_ONCE, resamples)
        if kept:
            yield kept_draws.of_items(n, resamples, seed)[start:stop]
        else:
            yield rng.multinomial(n, [1 / n] * n, stop - start)


def interval(
    items: Resummed, resamples: int = 10_000, seed: int = 0, level: float = 0.95
) -> tuple[float, float, float]:
    """Return the score of all items, and its percentile bootstrap interval.

    Args:
        items: their statistics.
        resamples: number of resampled sets of items.
        seed: of the resampling.
        level: share of the resamples inside the interval.
    """
    return items.value, *percentiles(items.resampled(resamples, seed), level)


def compare(
    a: Resummed, b: Resummed, resamples: int = 10_000, seed: int = 0
) -> dict[str, float]:
    """Set a score against that of the same items under another treatment.

    Args:
        a: items with the treatment.
        b: the same items, in the same order, without it.
        resamples: number of resampled sets of items, the same for both.
        seed: of the resampling.

    Returns:
        ``delta``, ``delta_ci_low``, ``delta_ci_high``, ``p_value`` and ``detectable``,
        see :func:`p_value` and :func:`detectable`.

    Raises:
        DataError: other numbers of items.
    """
    if len(a) != len(b):
        raise DataError(
            f"paired bootstrap of sums: {len(a)} items against {len(b)}; both need the "
            "same items"
        )
    delta = a.value - b.value
    drawn = a.resampled(resamples, seed) - b.resampled(resamples, seed)
    return compared(delta, drawn, len(a))


def compared(delta: float, drawn: Floats, n: int) -> dict[str, float]:
    low, high = percentiles(drawn)
    return {
        "delta": delta,
        "delta_ci_low": low,
        "delta_ci_high": high,
        "p_value": p_value(delta, drawn, n),
        "detectable": detectable(drawn, n),
    }


def percentiles(drawn: npt.NDArray[Any], level: float = 0.95) -> tuple[float, float]:
    """Return the ends of the middle ``level`` of resampled numbers."""
    tail = (1 - level) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail])
    return float(low), float(high)


def p_value(delta: float, drawn: npt.NDArray[Any], n: int) -> float:
    """Return the two-sided p-value of a difference by its bootstrap.

    Under no difference resampled ones lie around 0 as they now lie around their mean
    (shift method; Noreen 1989, for translations Riezler and Maxwell 2005, and as
    sacrebleu's paired bootstrap). The observed one is counted as one more, so that p
    is never 0.

    Args:
        delta: the difference.
        drawn: [resamples] the same of each resample.
        n: items.

    Returns:
        NaN for fewer than ``FEWEST_CHANGES`` items, whose resamples are too alike.
    """
    if n < FEWEST_CHANGES:
        return math.nan
    away = np.abs(drawn - drawn.mean())
    # The same numbers in another order may differ in the last digits.
    extreme = int((away >= abs(delta) - 1e-12).sum())
    return (1 + extreme) / (1 + len(drawn))


def detectable(drawn: npt.NDArray[Any], n: int) -> float:
    """Return the smallest difference that a test at ALPHA finds with POWER.

    ``(z1 + z2) s``, with s the standard deviation of the resampled differences: as
    ``significance.detectable`` for real numbers.

    Args:
        drawn: [resamples] differences.
        n: items.

    Returns:
        NaN for fewer than ``FEWEST_CHANGES`` items, or if all resamples are alike.
    """
    from scipy.stats import norm

    noise = float(drawn.std(ddof=1))
    if n < FEWEST_CHANGES or noise == 0:
        return math.nan
    return noise * float(norm.ppf(1 - ALPHA / 2) + norm.ppf(POWER))


def pooled(
    a: Sequence[Resummed],
    b: Sequence[Resummed] | None = None,
    resamples: int = 10_000,
    seed: int = 0,
) -> dict[str, float]:
    """Take several runs together; a resample draws runs and, separately, items.

    Args:
        a: of each run its items, the same in all.
        b: of each run what it is set against; None: the mean score itself.
        resamples: number of resamples.
        seed: of the resampling.

    Returns:
        With ``b`` as :func:`compare`; without, ``value``, ``ci_low`` and ``ci_high``.
    """
    values = np.array([one.value for one in a])
    drawn = np.stack([one.resampled(resamples, seed) for one in a])
    if b is not None:
        values = values - [one.value for one in b]
        drawn = drawn - np.stack([one.resampled(resamples, seed) for one in b])
    runs = kept_draws.of_runs(np.random.default_rng(seed), len(a), resamples)
    means = (runs * drawn.T).sum(axis=1)
    if b is not None:
        return compared(float(values.mean()), means, len(a[0]))
    low, high = percentiles(means)
    return {"value": float(values.mean()), "ci_low": low, "ci_high": high}
