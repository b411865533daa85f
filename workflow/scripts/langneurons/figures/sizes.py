"""A task's score against the number of neurons touched, random ones included."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullLocator

from .. import names, tables
from . import (
    BLUE,
    COLUMN,
    GREEN,
    GREY,
    ORANGE,
    PAGE,
    PURPLE,
    SKY,
    VERMILLION,
    new,
    robust_limit,
    styled,
)
from .effects import KEY, described
from .panels import add_legend, joined, pooled_if_there

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY)
MARKERS = "osD^vPh"  # 7 of them and 6 colours: 42 pairs
ASIDE = 0.9  # random neurons are as many as those they match, and stand beside them
BASELINE: dict[str, Any] = dict(color="0.3", lw=0.7, ls=(0, (4, 2)))


def sizes(table: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Pick scores and numbers of neurons touched from a task's table.

    Args:
        table: the task table; see ``effects.NEEDED``.
        metric: name of the metric.

    Returns:
        Columns model, lang, series (the method, ``random``, or ``none`` for what the
        others are set against), value (a fraction), n_neurons, and the table's names.
    """
    rows = pooled_if_there(described(table, metric), KEY)
    base = rows["against"] == tables.NOTHING
    rows = rows[base | (rows["n_neurons"].fillna(0) > 0)]
    series = rows["source"].where(~rows["control"], tables.RANDOM)
    series = series.where(~base, names.NO_TREATMENT)
    columns = ["model", "lang", "series", "value", "n_neurons", "method", "langset"]
    columns += ["draw", "tuning", "seed", "statistic"]
    return rows.assign(series=series)[columns].reset_index(drop=True)


@styled
def draw_size(data: pd.DataFrame, metric: str, title: str) -> Figure:
    """Draw the score against the number of neurons touched.

    Each panel is centred on its score without intervention; all have the same span.

    Args:
        data: from :func:`sizes`, with at least one row that is not ``none``.
        metric: its name.
        title: name of the table.
    """
    touched = data[data["series"] != names.NO_TREATMENT]
    series = list(dict.fromkeys(touched["series"]))
    series.sort(key=lambda name: name == tables.RANDOM)
    marks = {name: _mark(i, name) for i, name in enumerate(series)}
    models, langs = (list(dict.fromkeys(data[k])) for k in ("model", "lang"))
    columns = min(len(langs), 4)
    per_model = math.ceil(len(langs) / columns)
    lines = per_model * len(models)
    figure = new(min(PAGE, max(COLUMN, 0.4 + 1.7 * columns)), 1.3 * lines + 0.4, title)
    grid = figure.subplots(lines, columns, sharex=True, squeeze=False)
    for axes in grid.flat:
        axes.set_visible(False)
    centres = {
        (str(model), str(lang)): 100 * _centre(part)
        for (model, lang), part in data.groupby(["model", "lang"])
    }
    # There may be many random draws; the scale is made for the others.
    chosen = touched[touched["series"] != tables.RANDOM]
    chosen = chosen if len(chosen) else touched
    own = [centres[key] for key in zip(chosen["model"], chosen["lang"], strict=True)]
    away = 100 * chosen["value"].to_numpy(float) - own
    span = max(0.5, robust_limit(away, 0.8)) * 1.15
    for m, model in enumerate(models):
        for i, lang in enumerate(langs):
            axes = grid[m * per_model + i // columns, i % columns]
            part = data[(data["model"] == model) & (data["lang"] == lang)]
            if part.empty:
                continue
            axes.set_visible(True)
            axes.set_title(f"{model}, {lang}" if len(models) > 1 else lang, pad=3)
            last = i + columns >= len(langs) and m == len(models) - 1
            axes.tick_params(labelbottom=last)
            middle = centres[model, lang]
            axes.set_ylim(middle - span, middle + span)
            _panel(axes, part, marks, middle, span)
            if i % columns == 0:
                axes.set_ylabel(f"{metric}, %")
    _scale(grid[0, 0], touched["n_neurons"])
    base = data.loc[data["series"] == names.NO_TREATMENT, "tuning"]
    label = "no intervention"
    if set(touched["tuning"]) - set(base):
        label = f"{joined(base)} tuning"
    handles = [Line2D([], [], label=label, **BASELINE)]
    for name, mark in marks.items():
        shown = "random neurons" if name == tables.RANDOM else name
        handles.append(Line2D([], [], label=shown, **mark))
    # A letter is some 0.06 inches wide.
    widest = max(len(str(h.get_label())) for h in handles) * 0.06 + 0.45
    fit = max(1, int(figure.get_figwidth() / widest))
    add_legend(figure, "number of neurons touched", handles, min(fit, len(handles)))
    return figure


def _mark(i: int, name: str) -> dict[str, Any]:
    if name == tables.RANDOM:
        return dict(ls="", marker="x", color=GREY, ms=3, mew=0.7, zorder=2)
    colour, marker = COLOURS[i % len(COLOURS)], MARKERS[i % len(MARKERS)]
    return dict(
        ls="", marker=marker, color=colour, mfc="none", ms=3.4, mew=0.8, zorder=3
    )


def _centre(part: pd.DataFrame) -> float:
    """Return the score without intervention, or the median where there is none."""
    base = part.loc[part["series"] == names.NO_TREATMENT, "value"]
    return float((base if len(base) else part["value"]).median())


def _panel(
    axes: Axes, part: pd.DataFrame, marks: dict[str, Any], middle: float, span: float
) -> None:
    axes.grid(axis="y", color="0.93", lw=0.5)
    for value in part.loc[part["series"] == names.NO_TREATMENT, "value"]:
        axes.axhline(100 * value, zorder=1, **BASELINE)
    for name, own in part[part["series"].isin(marks)].groupby("series", sort=False):
        x = own["n_neurons"].astype(float) * (ASIDE if name == tables.RANDOM else 1)
        y = 100 * own["value"]
        inside = (y - middle).abs() <= span
        axes.plot(x[inside], y[inside], **marks[str(name)])
        for side in (-1, 1):
            beyond = ~inside & ((y - middle) * side > 0)
            for spot, values in y[beyond].groupby(x[beyond]):
                _beyond(
                    axes,
                    float(str(spot)),
                    values,
                    middle + side * span,
                    marks[str(name)],
                )


def _beyond(
    axes: Axes, x: float, values: pd.Series, edge: float, mark: dict[str, Any]
) -> None:
    """Draw an arrow at the edge, with the numbers of the points beyond it."""
    up = float(values.iloc[0]) > edge
    inward = -4 if up else 4
    axes.annotate(
        ", ".join(f"{v:.1f}" for v in sorted(values)),
        (x, edge),
        (5, 1.6 * inward),
        textcoords="offset points",
        va="center_baseline",
        fontsize=6,
        bbox={"fc": "white", "ec": "none", "pad": 0.3},
        zorder=5,
    )
    axes.annotate(
        "",
        (x, edge),
        (0, 2.4 * inward),
        textcoords="offset points",
        arrowprops={"arrowstyle": "-|>", "color": mark["color"], "lw": 0.9,
                    "mutation_scale": 5, "shrinkA": 0, "shrinkB": 0},
        zorder=4,
    )  # fmt: skip


def _scale(axes: Axes, numbers: pd.Series) -> None:
    """Make the axis of numbers of neurons logarithmic, with plain numbers."""
    low, high = float(numbers.min()) * ASIDE, float(numbers.max())
    axes.set_xscale("log")
    # Room on the right for the numbers of points beyond the scale.
    stretch = max(1.25, (high / low) ** 0.12)
    low, high = low / stretch, high * stretch**2
    axes.set_xlim(low, high)
    subs = (
        (1.0, 2.0, 5.0)
        if high / low < 12
        else (1.0, 3.0)
        if high / low < 60
        else (1.0,)
    )
    axes.xaxis.set_major_locator(LogLocator(subs=subs, numticks=12))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter("{x:.0f}")
