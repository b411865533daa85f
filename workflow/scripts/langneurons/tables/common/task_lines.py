"""Task tables seen as lines of cells: what stands where, and how a cell is written."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from langneurons.config import names
from langneurons.config.names import NO_TREATMENT, Selection, TuningName, split_draw

from .document import DRAWN, Cell, Grid, Sign, code, direction, grid, mark, together
from .metrics import Shown, group_title, group_unit
from .task_columns import is_control, is_mean
from .task_legend import PUBLISHED
from .words import ABSENT, NO_NEURONS, NOTHING, RANDOM, is_empty, neurons

NAMED = 6
"""Languages of a mean that its line names; it counts more."""

Row = Mapping[Any, Any]
Spot = dict[str, list[Row]]
"""What stands at one place: for each metric its row, or one row per random draw."""

Whose = tuple[Selection, str]
"""Neurons that are overwritten, and of which language; empty: of the text's own."""


@dataclass(frozen=True)
class Line:
    """A line of a layout.

    Attributes:
        head: names, one a left-hand column.
        cells: spots, one a column; None is left blank, an empty one has no result.
    """

    head: Sequence[str]
    cells: Sequence[Spot | None]


@dataclass(frozen=True)
class Layout:
    """Lines with the titles above them.

    Attributes:
        header: titles of the names, then of the cells.
        lines: as many names and cells in each.
        references: so many first cells are what the others are set against.
    """

    header: Sequence[str]
    lines: Sequence[Line]
    references: int


class Section:
    """Rows of a task table that are laid out together, found by their names.

    Attributes:
        table: the rows, of one seed (or pooled).
        models: names in the order of the table, as the following.
        langs: evaluation languages.
        tunings: without the number of a random draw.
        statistics: all but ``none``.
        overwritten: selections whose neurons are overwritten, and of which language
            where there are several for a language of test items; a random control
            counts as the selection that it matches.
    """

    def __init__(self, table: pd.DataFrame) -> None:
        self.table = table
        self.models: list[str] = list(dict.fromkeys(table["model"]))
        self.langs: list[str] = list(dict.fromkeys(table["lang"]))
        self.tunings = list(dict.fromkeys(map(without_draw, table["tuning"])))
        self.statistics: list[str] = list(dict.fromkeys(table["statistic"]))
        self._spots: dict[tuple[Any, ...], Spot] = {}
        overwritten: dict[Whose, None] = {}
        axes = ["model", "tuning", "lang", "method", "matched", "langset", "statistic"]
        several = table.groupby([*axes, "seed"])["neuron_lang"].transform("nunique") > 1
        for row, is_matrix in zip(table.to_dict("records"), several, strict=True):
            is_random = row["method"] == RANDOM
            method = row["matched"] if is_random else row["method"]
            selection = Selection(method, row["langset"])
            place = (row["model"], without_draw(row["tuning"]), row["lang"])
            whose = (selection, row["neuron_lang"] if is_matrix else "")
            what = (whose, is_random, row["statistic"])
            spot = self._spots.setdefault((*place, *what), {})
            spot.setdefault(row["metric"], []).append(row)
            if row["statistic"] != NO_TREATMENT:
                overwritten[whose] = None
        self.overwritten = list(overwritten)
        if NO_TREATMENT in self.statistics:
            self.statistics.remove(NO_TREATMENT)

    def none(self, model: str, tuning: str, lang: str) -> Spot:
        """Return the spot without an intervention."""
        nothing = (Selection(NOTHING, NOTHING), "")
        place = (model, tuning, lang, nothing, False, NO_TREATMENT)
        return self._spots.get(place, {})

    def treated(
        self, model: str, tuning: str, lang: str, whose: Whose, *right: str
    ) -> list[Line]:
        """Make the line of a selection's interventions, and that of random controls.

        Args:
            model: name.
            tuning: name, without a draw.
            lang: evaluation language.
            whose: neurons that are overwritten, or matched by random ones.
            right: further names between the neurons and the language.
        """
        found: list[Line] = []
        for is_random in (False, True):
            place = (model, tuning, lang, whose, is_random)
            spots = [self._spots.get((*place, s), {}) for s in self.statistics]
            if any(spots):
                what = code(neurons(whose[0].method, whose[0].languages))
                what = f"random for {what}" if is_random else what
                what += f" of {whose[1]}" if whose[1] else ""
                first = None if is_random else self.none(model, tuning, lang)
                head = [model, what, *right, called(lang)]
                found.append(Line(head, [first, *spots]))
        return found

    def untreated(
        self, model: str, tuning: str, lang: str, neurons: str, *right: str
    ) -> list[Line]:
        """Make the line of a tuning without interventions; none if it was not run."""
        none = self.none(model, tuning, lang)
        empty: list[Spot | None] = [{} for _ in self.statistics]
        head = [model, neurons, *right, called(lang)]
        return [Line(head, [none, *empty])] if none else []


def called(lang: str) -> str:
    """Name what is tested, a language or pair, or the mean over some."""
    langs = names.together(lang)
    if len(langs) == 1:
        return lang
    some = ", ".join(langs) if len(langs) <= NAMED else str(len(langs))
    return f"mean of {some}"


def without_draw(tuning: str) -> str:
    """Name all draws of a random tuning alike: ``random_lape.set1.vi``."""
    name = TuningName.parse(tuning)
    if name.selection is None:
        return tuning
    method = split_draw(name.selection.method)[0]
    plain = Selection(method, name.selection.languages)
    return str(TuningName(name.entry, plain, name.languages))


def grids(
    layout: Layout, groups: Sequence[Sequence[Shown]], signs: Sequence[Sign]
) -> list[Grid]:
    """Lay out the primary metrics, and all the others below them.

    Args:
        layout: what stands where; without lines there is no grid.
        groups: metrics that share a cell; the primary group first.
        signs: what may stand in cells, published values left out.
    """
    if not layout.lines:
        return []
    header, names = layout.header, len(layout.lines[0].head)
    given: dict[str, Any] = {"references": layout.references}
    rows = [cells for line in layout.lines for cells in _cells(line, groups[0])]
    shown = [*signs, *_published_signs(layout, groups[:1])]
    found = [grid(header, rows, names, signs=shown, **given)]
    if len(groups) > 1:
        more = [
            [*cells[:names], _metric(group, groups[0]), *cells[names:]]
            for line in layout.lines
            for group in groups[1:]
            for cells in _cells(line, group)
        ]
        titles = [*header[:names], "metric", *header[names:]]
        shown = [*signs, *_published_signs(layout, groups[1:])]
        given |= {"about": "Other metrics", "signs": shown}
        found.append(grid(titles, more, names + 1, **given))
    return found


def _published_signs(
    layout: Layout, groups: Sequence[Sequence[Shown]]
) -> Iterator[Sign]:
    """Explain published values in parentheses, if there are any."""
    alone = [group[0].name for group in groups if len(group) == 1]
    spots = [spot for line in layout.lines for spot in line.cells if spot]
    if any(
        not math.isnan(spot[name][0]["published"]) for spot in spots for name in alone
    ):
        yield PUBLISHED


def _metric(group: Sequence[Shown], primary: Sequence[Shown]) -> str:
    """Name a group, with its unit where that is not the one of the title."""
    unit = group_unit(group)
    return group_title(group) + (unit if unit != group_unit(primary) else "")


def _cells(line: Line, group: Sequence[Shown]) -> list[list[Cell | str]]:
    """Write a line; below it what was published, where a cell holds two metrics."""
    found: list[list[Cell | str]] = [
        [*line.head, *(_cell(spot, group) for spot in line.cells)]
    ]
    if len(group) > 1:
        printed = [_published(spot, group) for spot in line.cells]
        if any(p not in ("", ABSENT) for p in printed):
            found.append([*[""] * (len(line.head) - 1), "published", *printed])
    return found


def _cell(spot: Spot | None, group: Sequence[Shown]) -> Cell:
    """Write one cell: ``80.5 ▲ (80.1)``, ``41.0 ▼ (73.6)``, ``80.1 [79.0, 81.2]``."""
    if spot is None:
        return Cell("")
    if not spot:
        return Cell(ABSENT)
    first = spot[group[0].name][0]
    style = DRAWN if is_control(first) else ""
    if all(is_empty(row) for row in spot[group[0].name]):
        return Cell(NO_NEURONS, style)
    parts = []
    for metric in group:
        rows = spot[metric.name]
        text = _range(rows, metric) if style else _value(rows[0], metric)
        published = rows[0]["published"]
        if len(group) == 1 and not math.isnan(published):
            text += f" ({metric.value(published)})"
        parts.append(text)
    if style:
        return Cell(together(parts), style)
    style = direction(first["p_holm"], first["delta"])
    return Cell(together(parts), style, _evidence(first, group[0]))


def _range(rows: Iterable[Row], metric: Shown) -> str:
    values = [row["value"] for row in rows]
    interval = metric.interval(min(values), max(values))
    return metric.value(sum(values) / len(values)) + interval


def _value(row: Row, metric: Shown) -> str:
    text = metric.value(row["value"]) + mark(row["p_holm"], row["delta"])
    is_matrix = not math.isnan(row["p_value"]) and math.isnan(row["p_holm"])
    if row["statistic"] == NO_TREATMENT or is_matrix or is_mean(row["lang"]):
        text += metric.interval(row["ci_low"], row["ci_high"])
    return text


def _evidence(row: Row, metric: Shown) -> str:
    """Say what a cell is set against, and how clear the difference is."""
    if math.isnan(row["delta"]):
        return ""
    interval = metric.change(row["delta_ci_low"]), metric.change(row["delta_ci_high"])
    found = f"{metric.change(row['delta'])}{metric.points} against {row['against']}"
    if metric.is_tested:
        found += f" [{interval[0]}, {interval[1]}]"
    if not math.isnan(row["p_holm"]):
        found += f", Holm p {row['p_holm']:.2g}"
    return found


def _published(spot: Spot | None, group: Sequence[Shown]) -> str:
    if spot is None:
        return ""
    values = [spot[m.name][0]["published"] if spot else math.nan for m in group]
    if all(map(math.isnan, values)):
        return ABSENT
    return together([m.value(v) for m, v in zip(group, values, strict=True)])
