"""Means over the cells of a matrix of scores that are of all items together.

As :mod:`.cells`, for scores that are no means over items: a resample draws items, each
with all its cells, and every cell has the score of its own sums (``resummed``).

That holds of cells with the same items. Items that differ between cells have no
counterpart to be drawn with: each such cell is resampled by itself, so that the
interval of the mean takes their scores to be independent of each other. (Cells with as
many items draw the same places of their lists, which pairs unrelated items by chance.)
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

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
        names: of the cells.
        own: of each cell the numbers of its items, int64 [n of the cell].
        values: [cells].
        drawn: float32 [cells, RESAMPLES].
    """

    names: tuple[Hashable, ...]
    own: tuple[Items, ...]
    values: Floats
    drawn: npt.NDArray[np.float32]

    @classmethod
    def of(cls, parts: Mapping[Hashable, tuple[Items, Change]]) -> ScoreCells:
        """Put cells side by side; those with other items are resampled by themselves.

        Args:
            parts: of each cell its items, each once, and the change of their score.
        """
        changes = [change for _, change in parts.values()]
        drawn = np.array([one.drawn for one in changes], np.float32)
        values = np.array([one.value for one in changes], np.float64)
        own = tuple(items for items, _ in parts.values())
        return cls(tuple(parts), own, values, drawn.reshape(len(changes), -1))

    @cached_property
    def items(self) -> Items:
        """Numbers of the items, int64, ascending; each is in some cell."""
        return np.unique(np.concatenate([np.array([], np.int64), *self.own]))

    @property
    def fewest(self) -> int:
        """The items of the cell that has the fewest; 0 without cells."""
        return min(map(len, self.own), default=0)

    @property
    def is_empty(self) -> bool:
        return not self.fewest

    def only(self, names: Sequence[Hashable]) -> ScoreCells:
        """Keep some of the cells, in the order given."""
        rows = [self.names.index(name) for name in names]
        own = tuple(self.own[row] for row in rows)
        return ScoreCells(tuple(names), own, self.values[rows], self.drawn[rows])

    def minus(self, other: ScoreCells) -> ScoreCells:
        """Subtract, resample by resample, in the cells that both have.

        Raises:
            DataError: such a cell has other items in the other.
        """
        a = self.only([name for name in self.names if name in other.names])
        b = other.only(a.names)
        for name, one, against in zip(a.names, a.own, b.own, strict=True):
            if not np.array_equal(one, against):
                raise DataError(
                    f"{name}: {len(one)} items are set against {len(against)} others"
                )
        return ScoreCells(a.names, a.own, a.values - b.values, a.drawn - b.drawn)

    @staticmethod
    def average(draws: Sequence[ScoreCells]) -> ScoreCells:
        """Average several treatments, cell by cell, where all have a number."""
        names = [x for x in draws[0].names if all(x in one.names for one in draws)]
        own = [one.only(names) for one in draws]
        values = np.mean([one.values for one in own], axis=0)
        drawn = np.mean([one.drawn for one in own], axis=0)
        return ScoreCells(own[0].names, own[0].own, values, drawn)

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
        """Test that the mean is 0; see ``resummed.p_value`` and ``detectable``.

        NaN if any cell has too few items for them.
        """
        if self.is_empty:
            return NAN, NAN
        means = self.drawn.mean(axis=0, dtype=np.float64)
        n = self.fewest
        found = resummed.p_value(float(self.values.mean()), means, n)
        return found, resummed.detectable(means, n)
