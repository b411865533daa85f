"""A task's score against the number of neurons touched, random ones included."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import cycle
from typing import TYPE_CHECKING, Any

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from langneurons.config import names
from langneurons.tables.common import words
from langneurons.tables.common.metrics import Shown

from . import (
    BLUE,
    COLUMN,
    GREEN,
    ORANGE,
    PAGE,
    PURPLE,
    RANDOM,
    SKY,
    TALLEST,
    VERMILLION,
    new,
    robust_limit,
    styled,
)
from .effects import KEY, described
from .notes import NOTE, beyond, note
from .number_axis import number_axis
from .panels import add_legend, joined, pooled_if_there, side_by_side

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY)
MARKERS = "osD^vP*<>hpd"
"""Shapes: of statistics where there are several, else of methods."""
FILLS = ("none", "full", "left", "bottom", "right", "top")
"""Of methods, beside their colours, where statistics have the shapes."""
ASIDE = 0.9  # random neurons are as many as those they match, and stand beside them
LEAST = 10  # units of the last digit that a panel shows at least
BASELINE: dict[str, Any] = dict(color="0.5", lw=0.7, ls=(0, (4, 2)))


def sizes(table: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Pick scores and numbers of neurons touched from a task's table.

    Args:
        table: the task table; see ``effects.NEEDED``.
        metric: name of the metric.

    Returns:
        Columns model, lang, series (the method, ``random``, or ``none`` for what the
        others are set against), value (a fraction where the unit is ``%``), n_neurons,
        and the table's names.
    """
    rows = pooled_if_there(described(table, metric), KEY)
    untreated = rows["statistic"] == names.NO_TREATMENT
    base = _references(rows) & untreated
    rows = rows[base | (rows["n_neurons"].fillna(0) > 0)]
    series = rows["source"].where(~rows["control"], words.RANDOM)
    series = series.where(~base, names.NO_TREATMENT)
    columns = ["model", "lang", "series", "value", "n_neurons", "method", "langset"]
    columns += ["draw", "tuning", "seed", "statistic"]
    return rows.assign(series=series)[columns].reset_index(drop=True)


def _references(rows: pd.DataFrame) -> pd.Series:
    """Mark the rows of what others are set against, without intervention.

    That is attention where it is tuned, though it may itself be set against base.
    """
    attention = rows["tuning"] == words.ATTENTION
    found = (rows["against"] == words.NOTHING) | attention
    if (attention & (rows["against"] == names.BASE)).any():
        found &= rows["tuning"] != names.BASE
    return found


@dataclass(frozen=True)
class Scale:
    """What part of the scores is shown.

    Attributes:
        ranges: lowest and highest score, in its unit, of each (model, language).
        shared: whether they are the same everywhere.
        notes: the most methods of a panel that have points beyond them.
    """

    ranges: dict[tuple[str, str], tuple[float, float]]
    shared: bool
    notes: int

    def bottom(self, key: tuple[str, str], height: float) -> float:
        """Return where a panel of a height ends that has room for its notes."""
        low, high = self.ranges[key]
        room = min(0.6, (self.notes + 0.3) * NOTE / height) if self.notes else 0
        return low - (high - low) * room / (1 - room)


def choose_scale(data: pd.DataFrame, metric: Shown) -> Scale:
    """Choose the scores that are shown: the same for all languages if they allow it.

    Where they lie too far apart for one scale, each panel shows the same span about its
    score without intervention.
    """
    value, series = metric.scale * data["value"], data["series"]
    least = LEAST * 10.0**-metric.decimals
    key = [data["model"], data["lang"]]
    base = value.where(series == names.NO_TREATMENT).groupby(key).transform("median")
    centre = base.fillna(value.groupby(key).transform("median"))
    away = value - centre
    touched = series != names.NO_TREATMENT
    chosen = touched & (series != words.RANDOM)
    # Random draws may be many; they may widen the scale, but not narrow it.
    limits = [robust_limit(away[x]) for x in (touched, chosen) if x.any()]
    usual = ~touched | (away.abs() <= max(limits))
    low, high = away[usual].min(), away[usual].max()
    lowest, highest = value[usual].min(), value[usual].max()
    shared = bool(highest - lowest <= 3 * max(high - low, least))
    ends = [lowest, highest] if shared else [low, high]
    margin = max(0.07 * (ends[1] - ends[0]), (least - (ends[1] - ends[0])) / 2)
    start = 0 * centre if shared else centre
    bottom, top = start + ends[0] - margin, start + ends[1] + margin
    beyond = data[(value < bottom) | (value > top)].groupby(["model", "lang"])
    panels = [(str(m), str(lang)) for m, lang in zip(*key, strict=True)]
    pairs = zip(bottom.astype(float), top.astype(float), strict=True)
    return Scale(
        dict(zip(panels, pairs, strict=True)),
        shared,
        int(beyond["series"].nunique().max()) if len(beyond) else 0,
    )


@styled
def draw_size(data: pd.DataFrame, metric: Shown, title: str) -> Figure:
    """Draw the score against the number of neurons touched.

    Args:
        data: from :func:`sizes`, with at least one row that is not ``none``.
        metric: whose scores they are.
        title: name of the table.
    """
    touched = data[data["series"] != names.NO_TREATMENT]
    series = list(dict.fromkeys(touched["series"]))
    series.sort(key=lambda name: name == words.RANDOM)
    own = touched[touched["series"] != words.RANDOM]["statistic"]
    statistics = list(dict.fromkeys(own))
    several = len(statistics) > 1
    marks = {name: _mark(i, name, several) for i, name in enumerate(series)}
    shapes = dict(zip(statistics, cycle(MARKERS), strict=False)) if several else {}
    models, langs = (list(dict.fromkeys(data[k])) for k in ("model", "lang"))
    scale = choose_scale(data, metric)
    columns = side_by_side(len(langs), 1)
    per_model = math.ceil(len(langs) / columns)
    lines = per_model * len(models)
    width = min(PAGE, max(COLUMN, 0.4 + 1.7 * columns))
    height = min(1.3 + scale.notes * NOTE, (TALLEST - 1) / lines)
    figure = new(width, height * lines + 0.4, title)
    grid = figure.subplots(
        lines, columns, sharex=True, sharey=scale.shared, squeeze=False
    )
    for axes in grid.flat:
        axes.set_visible(False)
    inches = (width - 0.5) / columns - (0.15 if scale.shared else 0.5)
    for (model, lang), part in data.groupby(["model", "lang"], sort=False):
        i = langs.index(lang)
        line, column = models.index(model) * per_model + i // columns, i % columns
        axes = grid[line, column]
        axes.set_visible(True)
        axes.set_title(f"{model}, {lang}" if len(models) > 1 else lang, pad=3)
        key = str(model), str(lang)
        axes.set_ylim(scale.bottom(key, height - 0.4), scale.ranges[key][1])
        _panel(axes, part, marks, scale.ranges[key], metric, shapes=shapes)
        if column == 0:
            axes.set_ylabel(metric.label)
    for column in grid.T:
        *above, lowest = [axes for axes in column if axes.get_visible()]
        for axes in above:
            axes.tick_params(labelbottom=False)
        lowest.tick_params(labelbottom=True)
    numbers = touched["n_neurons"]
    least = float(numbers.min()) * ASIDE
    number_axis(grid[0, 0], numbers, least, inches)
    base = data.loc[data["series"] == names.NO_TREATMENT, "tuning"]
    label = "no intervention"
    if set(touched["tuning"]) - set(base):
        untuned = set(base) == {names.BASE}
        label = "not fine-tuned" if untuned else f"{joined(base)} tuning"
    handles = [Line2D([], [], label=label, **BASELINE)]
    for name, mark in marks.items():
        shown = "random neurons" if name == words.RANDOM else name
        handles.append(Line2D([], [], label=shown, **mark))
    called = {names.NO_TREATMENT: "nothing written"}
    for name, shape in shapes.items():
        mark = _mark(0, name, several=True) | dict(marker=shape, color=RANDOM)
        handles.append(Line2D([], [], label=called.get(name, name), **mark))
    axis = "number of neurons touched"
    if not several and statistics != [names.NO_TREATMENT]:
        axis += f"; written into them: {joined(statistics or touched['statistic'])}"
    add_legend(figure, axis, handles)
    return figure


def _mark(i: int, name: str, several: bool) -> dict[str, Any]:
    """Choose the mark of a method; of several statistics each has its own shape."""
    if name == words.RANDOM:
        return dict(ls="", marker="x", color=RANDOM, ms=4, mew=1.0, zorder=4)
    mark: dict[str, Any] = dict(ls="", ms=3.4, mew=0.8, zorder=3)
    mark |= dict(color=COLOURS[i % len(COLOURS)], markerfacecoloralt="white")
    fill = FILLS[i % len(FILLS)] if several else "none"
    return mark | dict(
        marker=MARKERS[0 if several else i % len(MARKERS)], fillstyle=fill
    )


def _panel(
    axes: Axes,
    part: pd.DataFrame,
    marks: dict[str, dict[str, Any]],
    shown: tuple[float, float],
    metric: Shown,
    *,
    shapes: Mapping[str, str],
) -> None:
    """Draw the scores of a panel, and below them a note on those beyond the scale.

    Args:
        axes: the panel.
        part: its rows of ``sizes``.
        marks: of each method.
        shown: lowest and highest score.
        metric: whose scores they are.
        shapes: of each statistic; empty where there is only one.
    """
    low, high = shown
    ticks = MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
    axes.set_yticks([tick for tick in ticks if low <= tick <= high])
    axes.grid(axis="y", color="0.93", lw=0.5)
    axes.spines["left"].set_bounds(low, high)
    if axes.get_ylim()[0] < low:
        axes.axhspan(axes.get_ylim()[0], low, color="0.96", lw=0, zorder=0.5)
    for value in part.loc[part["series"] == names.NO_TREATMENT, "value"]:
        axes.axhline(metric.scale * value, zorder=1, **BASELINE)
    notes = 0
    # From below to above, notes are in the order of the legend.
    for name in reversed(marks):
        own = part[part["series"] == name]
        x = own["n_neurons"].astype(float) * (ASIDE if name == words.RANDOM else 1)
        y = metric.scale * own["value"]
        inside = y.between(low, high)
        usual = marks[name]["marker"]
        known = {} if name == words.RANDOM else shapes
        found = [known.get(statistic, usual) for statistic in own["statistic"]]
        shape = pd.Series(found, index=own.index, dtype=object)
        for one in dict.fromkeys(shape[inside]):
            here = inside & (shape == one)
            axes.plot(x[here], y[here], **marks[name] | {"marker": one})
        if not inside.all():
            text = beyond(y[~inside], shown, metric.decimals)
            note(axes, text, marks[name], notes)
            notes += 1
            arrow = dict(ls="", color=marks[name]["color"], ms=3, mew=0, zorder=4)
            for outside, edge, marker in ((y < low, low, 7), (y > high, high, 6)):
                spots = x[outside].unique()
                axes.plot(spots, [edge] * len(spots), marker=marker, **arrow)
