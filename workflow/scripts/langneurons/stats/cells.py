"""Means over the cells of a matrix whose cells share their items.

In a matrix of languages every cell is tested on the same items (facts, or items that
are parallel in all languages), so that an interval of the mean over cells resamples
items, each with all its cells.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from . import kept_draws, significance
from .bootstrap import DRAWS_AT_ONCE, bootstrap_mean

NAN = math.nan
Floats = npt.NDArray[np.float64]
Items = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Cells:
    """A number per item and cell.

    Attributes:
        items: int64 [n] their numbers, ascending; each has a number in some cell.
        names: of the cells; each has a number of some item.
        values: [n, cells]; NaN: the item is not in the cell.
    """

    items: Items
    names: tuple[Hashable, ...]
    values: Floats

    @classmethod
    def of(cls, parts: Mapping[Hashable, tuple[Items, Floats]]) -> Cells:
        """Put cells side by side.

        Args:
            parts: of each cell its items, each once, and their numbers.
        """
        all_of_them = [items for items, _ in parts.values()]
        items = np.unique(np.concatenate([np.array([], np.int64), *all_of_them]))
        values = np.full((len(items), len(parts)), np.nan)
        for column, (own, numbers) in enumerate(parts.values()):
            values[np.searchsorted(items, own), column] = numbers
        return cls(items, tuple(parts), values).tidy()

    def tidy(self) -> Cells:
        """Leave out items and cells without a number."""
        there = ~np.isnan(self.values)
        rows = there.any(axis=1)
        columns = np.flatnonzero(there.any(axis=0))
        names = tuple(self.names[column] for column in columns)
        return Cells(self.items[rows], names, self.values[rows][:, columns])

    def where(self, chosen: npt.NDArray[np.bool_]) -> Cells:
        """Keep some of the items."""
        return Cells(self.items[chosen], self.names, self.values[chosen]).tidy()

    def only(self, names: Sequence[Hashable]) -> Cells:
        """Keep some of the cells, in the order given."""
        columns = [self.names.index(name) for name in names]
        return Cells(self.items, tuple(names), self.values[:, columns]).tidy()

    def minus(self, other: Cells) -> Cells:
        """Subtract, item by item, in the cells and items that both have."""
        names = [name for name in self.names if name in other.names]
        items = np.intersect1d(self.items, other.items)
        a, b = (
            one.values[np.searchsorted(one.items, items)][
                :, [one.names.index(name) for name in names]
            ]
            for one in (self, other)
        )
        return Cells(items, tuple(names), a - b).tidy()

    @staticmethod
    def average(draws: Sequence[Cells]) -> Cells:
        """Average several treatments, item by item, where all have a number."""
        total = draws[0]
        for draw in draws[1:]:
            total = total.minus(Cells(draw.items, draw.names, -draw.values))
        return Cells(total.items, total.names, total.values / len(draws))

    @cached_property
    def _there(self) -> Floats:
        return (~np.isnan(self.values)).astype(np.float64)

    @property
    def is_empty(self) -> bool:
        return not len(self.items)

    def mean(self) -> float:
        """Return the mean over cells of each one's mean over items; NaN without any."""
        return float(np.nanmean(self.values, axis=0).mean()) if len(self.items) else NAN

    def shares(self) -> Floats:
        """Return what each item adds to the mean: [n], with this mean.

        They have a sign-flip symmetry where a and b of the difference a - b may be
        exchanged item by item, whatever the cells that an item is in.
        """
        sizes = self._there.sum(axis=0)
        weighted = np.nan_to_num(self.values) / sizes
        return np.asarray(weighted.sum(axis=1) * len(self.items) / len(sizes))

    def interval(
        self, resamples: int = 10_000, seed: int = 0, level: float = 0.95
    ) -> tuple[float, float, float]:
        """Return the mean and its percentile bootstrap interval over items.

        An item is drawn with all its cells. A cell of which a resample drew no item is
        left out of that resample's mean.
        """
        if self.is_empty:
            return NAN, NAN, NAN
        n = len(self.items)
        if self._there.all():
            return bootstrap_mean(self.values.mean(axis=1), resamples, seed, level)
        numbers, means = np.nan_to_num(self.values), np.empty(resamples)
        kept = kept_draws.keeps_items(n, resamples)
        rng = np.random.default_rng(seed)
        step = max(1, DRAWS_AT_ONCE // max(numbers.shape))
        for start in range(0, resamples, step):
            part = slice(start, min(start + step, resamples))
            if kept:
                counts = kept_draws.of_items(n, resamples, seed)[part]
            else:
                counts = rng.multinomial(n, [1 / n] * n, part.stop - start)
            drawn = counts.astype(np.float64)
            sizes = drawn @ self._there
            with np.errstate(invalid="ignore"):
                own = drawn @ numbers / sizes
            means[part] = np.nansum(own, axis=1) / (sizes > 0).sum(axis=1)
        tail = (1 - level) / 2
        low, high = np.quantile(means, [tail, 1 - tail])
        return self.mean(), float(low), float(high)

    def test(self) -> tuple[float, float]:
        """Test a difference: p of the sign-flip test over items, and what it can see.

        Returns:
            The two-sided p-value that the mean is 0, and the smallest difference that
            the test would have found with 80 % power (NaN: not known).
        """
        if self.is_empty:
            return NAN, NAN
        found, nothing = self.shares(), np.zeros(len(self.items))
        p_value = significance.paired_permutation(found, nothing)
        return p_value, significance.detectable(found, nothing, "real")
