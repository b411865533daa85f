"""Ways to steer: their numbers by item and cell, and which of them is the best.

A *way* is what is done for whatever target: the neurons of one selection and what is
written into them, a prompt, or one setting of DiffMean.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar, cast

import numpy as np
import numpy.typing as npt

from langneurons.config.errors import DataError
from langneurons.config.names import target_of
from langneurons.stats import steering
from langneurons.stats.cells import Cells
from langneurons.stats.score_cells import Change, ScoreCells
from langneurons.stats.steering import LSS, LSS_PLUS, MEASURES

from .steering_items import Changed, Shifted
from .words import DIFFMEAN, NOTHING, PROMPT, RANDOM, is_empty

OWN, OTHER = "own", "other"
"""Change where the target's language is tested, and where another one is."""
CONTROLS = (RANDOM, PROMPT, DIFFMEAN)


class Way(NamedTuple):
    """What is done to a model, whatever the target; ``-`` where there is none."""

    method: str
    langset: str
    draw: int | None
    matched: str
    statistic: str

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Way:
        texts = (str(row[k] or NOTHING) for k in ("method", "langset", "matched"))
        method, langset, matched = texts
        return cls(method, langset, row["draw"], matched, row["statistic"])

    @property
    def is_control(self) -> bool:
        return self.method in CONTROLS

    @property
    def random(self) -> Way:
        """As many random neurons under the same statistic, the mean over draws."""
        return Way(RANDOM, self.langset, None, self.method, self.statistic)

    def controls(self, diffmean: Way | None) -> dict[str, Way | None]:
        """Return what it is set against; of DiffMean the setting that is given."""
        prompt = Way(PROMPT, NOTHING, None, NOTHING, PROMPT)
        return {RANDOM: self.random, PROMPT: prompt, DIFFMEAN: diffmean}

    @property
    def family(self) -> tuple[str, str]:
        """Ways of one family differ in the factor, or setting, alone."""
        return self.method, self.langset


class Place(NamedTuple):
    """What is compared with each other: an experiment's model on one task."""

    experiment: str
    task: str
    model: str


Numbers = npt.NDArray[np.float64] | Change
Parts = dict[Hashable, tuple[npt.NDArray[np.int64], Numbers]]
AnyCells = Cells | ScoreCells
C = TypeVar("C", bound=AnyCells)


def together(parts: Parts) -> AnyCells:
    """Put cells side by side: numbers of items, or changes of scores of all items."""
    changes = {k: (i, x) for k, (i, x) in parts.items() if isinstance(x, Change)}
    if changes:
        return ScoreCells.of(changes)
    return Cells.of(
        {k: (i, x) for k, (i, x) in parts.items() if not isinstance(x, Change)}
    )


@dataclass
class Gathered:
    """Numbers by place, way and metric, cell by cell, as they are read.

    Attributes:
        parts: of each its cells.
    """

    parts: dict[Place, dict[Way, dict[str, Parts]]] = field(default_factory=dict)

    def add(
        self, row: Mapping[str, Any], task: str, metric: str, items: Any, numbers: Any
    ) -> None:
        """Add a cell of a metric.

        Raises:
            DataError: another treatment has its names.
        """
        place = Place(row["experiment"], task, row["model"])
        ways = self.parts.setdefault(place, {})
        own = ways.setdefault(Way.of(row), {}).setdefault(metric, {})
        cell = row["lang"], row["neuron_lang"]
        if cell in own:
            raise DataError(
                f"{place.model}, {task}: two treatments of {cell[1]} have the names "
                f"{', '.join(map(str, Way.of(row)))}; two random methods of one "
                "selection cannot stand in one experiment"
            )
        own[cell] = items, numbers

    def add_shifts(self, shifts: Iterable[Shifted]) -> None:
        """Add what was done to facts; where there are no neurons is no test."""
        for row, shift, n_neurons in shifts:
            if is_empty(dict(row) | {"n_neurons": n_neurons}):
                continue
            for metric in MEASURES:
                values = shift.values[metric]
                self.add(row, row["task"], metric, shift.facts, values)

    def add_changes(self, task: str | None, changes: Iterable[Changed]) -> None:
        """Add changes of own and other languages; ``task``: None takes the row's."""
        for row, items, change, n_neurons in changes:
            if is_empty(dict(row) | {"n_neurons": n_neurons}):
                continue
            own = target_of(row["lang"]) == row["neuron_lang"]
            metric = OWN if own else OTHER
            self.add(row, task or row["task"], metric, items, change)


Ways = dict[Way, dict[str, AnyCells]]


def first_half(cells: AnyCells, other: bool = False) -> Cells:
    """Keep the facts on which settings are chosen, or the others.

    Raises:
        DataError: these are no numbers of single facts.
    """
    if not isinstance(cells, Cells):
        raise DataError("a score of all items together has no halves")
    return cells.where(steering.first_half(cells.items) != other)


class Ranks(NamedTuple):
    """Places of the ways of each family on the first half of the facts, 1 the best."""

    by_lss: dict[Way, int]
    by_plus: dict[Way, int]

    def best(self, family: tuple[str, str], place: int = 1) -> Way | None:
        """Return the way of a family at a place."""
        found = [w for w, n in self.by_lss.items() if w.family == family and n == place]
        return found[0] if found else None


def ranked(ways: Ways) -> Ranks:
    """Rank the factors of each selection, and DiffMean's settings.

    By the mean of LSS over pairs on the first half of the facts; of equals that with
    the larger LSS+, then the one that stands first.
    """
    means: dict[Way, tuple[float, float]] = {}
    for way, cells in ways.items():
        if LSS not in cells or way.method in (RANDOM, PROMPT):
            continue
        halves = [first_half(cells[metric]) for metric in (LSS, LSS_PLUS)]
        if not halves[0].is_empty:
            means[way] = halves[0].mean(), halves[1].mean()

    def places(order: tuple[int, int]) -> dict[Way, int]:
        found: dict[Way, int] = {}
        taken: dict[tuple[str, str], int] = {}
        for way in sorted(means, key=lambda w: [-means[w][i] for i in order]):
            found[way] = taken[way.family] = taken.get(way.family, 0) + 1
        return found

    return Ranks(places((0, 1)), places((1, 0)))


def with_means(ways: Mapping[Way, dict[str, C]]) -> dict[Way, dict[str, C]]:
    """Add the mean over draws of each random control, as a way without a draw."""
    drawn: dict[Way, list[dict[str, C]]] = {}
    for way, cells in ways.items():
        if way.method == RANDOM:
            drawn.setdefault(way._replace(draw=None), []).append(cells)
    found = dict(ways)
    for way, several in drawn.items():
        metrics = [m for m in several[0] if all(m in one for one in several)]
        found[way] = {m: _average([one[m] for one in several]) for m in metrics}
    return found


def _average(several: Sequence[C]) -> C:
    """Average draws, which are all of one kind."""
    scores = [one for one in several if isinstance(one, ScoreCells)]
    if scores:
        return cast("C", ScoreCells.average(scores))
    return cast("C", Cells.average([one for one in several if isinstance(one, Cells)]))


def minus(cells: AnyCells, other: AnyCells) -> AnyCells:
    """Set two ways against each other on the items and cells that both have.

    Raises:
        DataError: numbers of items are set against scores of all of them.
    """
    if isinstance(cells, Cells) and isinstance(other, Cells):
        return cells.minus(other)
    if isinstance(cells, ScoreCells) and isinstance(other, ScoreCells):
        return cells.minus(other)
    raise DataError("scores of all items are set against numbers of single items")
