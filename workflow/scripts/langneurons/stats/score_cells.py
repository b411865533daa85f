"""Means over the cells of a matrix of scores that are of all items together.

As :mod:`.cells`, for scores that are no means over items: a resample draws items, each
with all its cells, and every cell has the score of its own sums (``resummed``).
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from langneurons.config.errors import DataError

from . import resummed
from .cells import NAN, Floats, Items
from .resummed import Resummed

RESAMPLES = 2_000
"""Resamples kept per cell: 8 kB each; p is at least 1 / 2,001."""


@dataclass(frozen=True)
class Change:
    """How a score differs between two treatments of the same items.

    Attributes:
        value: of all items.
        drawn: float32 [RESAMPLES] the same of each resample.
    """

    value: float
    drawn: npt.NDArray[np.float32]

    @classmethod
    def of(cls, after: Resummed, before: Resummed) -> Change:
        """Set a score against another; resamples of the same number are paired."""
        drawn = after.resampled(RESAMPLES) - before.resampled(RESAMPLES)
        return cls(after.value - before.value, drawn.astype(np.float32))


@dataclass(frozen=True)
class ScoreCells:
    """A change of a score per cell, and that of each resample of items.

    Attributes:
        items: int64 [n] numbers of the items, the same in all cells.
        names: of the cells.
        values: [cells].
        drawn: float32 [cells, RESAMPLES].
    """

    items: Items
    names: tuple[Hashable, ...]
    values: Floats
    drawn: npt.NDArray[np.float32]

    @classmethod
    def of(cls, parts: Mapping[Hashable, tuple[Items, Change]]) -> ScoreCells:
        """Put cells side by side.

        Raises:
            DataError: two cells have other items, so that no resample is of both.
        """
        items = next((items for items, _ in parts.values()), np.array([], np.int64))
        for name, (own, _) in parts.items():
            if not np.array_equal(own, items):
                raise DataError(
                    f"{name}: {len(own)} items, which are not the {len(items)} of "
                    f"{next(iter(parts))}; a mean over pairs of languages resamples "
                    "items with all their pairs, which must be parallel: give all "
                    "pairs the same items"
                )
        changes = [change for _, change in parts.values()]
        drawn = np.array([one.drawn for one in changes], np.float32)
        values = np.array([one.value for one in changes], np.float64)
        return cls(items, tuple(parts), values, drawn.reshape(len(changes), -1))

    @property
    def is_empty(self) -> bool:
        return not len(self.items) or not self.names

    def only(self, names: Sequence[Hashable]) -> ScoreCells:
        """Keep some of the cells, in the order given."""
        rows = [self.names.index(name) for name in names]
        return ScoreCells(self.items, tuple(names), self.values[rows], self.drawn[rows])

    def minus(self, other: ScoreCells) -> ScoreCells:
        """Subtract, resample by resample, in the cells that both have.

        Raises:
            DataError: of other items.
        """
        if not np.array_equal(self.items, other.items):
            raise DataError(
                f"{len(self.items)} items are set against {len(other.items)} others"
            )
        a = self.only([name for name in self.names if name in other.names])
        b = other.only(a.names)
        return ScoreCells(a.items, a.names, a.values - b.values, a.drawn - b.drawn)

    @staticmethod
    def average(draws: Sequence[ScoreCells]) -> ScoreCells:
        """Average several treatments, cell by cell, where all have a number."""
        names = [x for x in draws[0].names if all(x in one.names for one in draws)]
        own = [one.only(names) for one in draws]
        values = np.mean([one.values for one in own], axis=0)
        drawn = np.mean([one.drawn for one in own], axis=0)
        return ScoreCells(draws[0].items, tuple(names), values, drawn)

    def interval(self, resamples: int = RESAMPLES) -> tuple[float, float, float]:
        """Return the mean over cells and its percentile bootstrap interval over items.

        Args:
            resamples: the first so many of those that are kept.
        """
        if self.is_empty:
            return NAN, NAN, NAN
        means = self.drawn[:, :resamples].mean(axis=0, dtype=np.float64)
        return float(self.values.mean()), *resummed.percentiles(means)

    def test(self) -> tuple[float, float]:
        """Test that the mean is 0; see ``resummed.p_value`` and ``detectable``."""
        if self.is_empty:
            return NAN, NAN
        means = self.drawn.mean(axis=0, dtype=np.float64)
        n = len(self.items)
        found = resummed.p_value(float(self.values.mean()), means, n)
        return found, resummed.detectable(means, n)
