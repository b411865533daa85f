"""The effect of neurons, and of as many random ones, against a parameter's value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, NullLocator

from langneurons.config.names import NO_TREATMENT
from langneurons.tables.common.metrics import COLUMNS, Shown
from langneurons.tables.common.task_columns import is_own
from langneurons.tables.common.task_lines import called
from langneurons.tables.common.words import RANDOM

from . import LEVEL, styled, wrapped
from .bridges import looks_of
from .panels import add_legend, pooled_if_there, with_one_scale

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NEEDED = (
    "model", "method", "langset", "draw", "matched", "neuron_lang", "tuning", "seed",
    "lang", "statistic", "metric", "delta", "delta_ci_low", "delta_ci_high", "p_holm",
    "n_neurons", *COLUMNS,
)  # fmt: skip
KEY = (
    "model", "method", "langset", "draw", "matched", "tuning", "lang", "statistic"
)  # fmt: skip
HEIGHT, MORE = 1.55, 0.3
"""Inches of a panel, and beside all of them."""
WIDE = 8
"""Values whose ends are so many times apart stand on a logarithmic scale."""


def sweep(
    table: pd.DataFrame, metric: str, values: Mapping[str, float], swept: str
) -> pd.DataFrame:
    """Pick what the values of a sweep do from a task's table.

    Args:
        table: of the task, means over languages included; see :data:`NEEDED`.
        metric: name of the metric.
        values: of each method, or statistic, of the sweep.
        swept: ``method`` or ``statistic``: which of them these are.

    Returns:
        A row for each change: ``model``, ``lang``, ``series`` (what is the same at all
        values), ``at`` (the value), ``control`` (random neurons), ``delta``, ``ci_low``
        and ``ci_high`` (fractions where the unit is ``%``), ``p_holm``,
        ``significant``, ``n_neurons``, and the names of the table. Where neurons of
        several languages were overwritten, those of the tested one.
    """
    rows = table[(table["metric"] == metric) & table["delta"].notna()]
    rows = rows[rows["statistic"] != NO_TREATMENT]
    rows = rows[is_own(rows, [*KEY, "seed", "neuron_lang"])]
    rows = pooled_if_there(rows, KEY)
    control = rows["method"] == RANDOM
    source = rows["method"].where(~control, rows["matched"])
    entry = source if swept == "method" else rows["statistic"]
    rows = rows.assign(control=control, source=source, at=entry.map(dict(values)))
    rows = rows[rows["at"].notna()]
    others = ["statistic", "langset"] if swept == "method" else ["source", "langset"]
    named = [others[0]]
    named += [c for c in (others[1], "tuning", "seed") if rows[c].nunique() > 1]
    series = [", ".join(map(str, x)) for x in rows[named].itertuples(index=False)]
    ends = {"ci_low": rows["delta_ci_low"], "ci_high": rows["delta_ci_high"]}
    found = rows.assign(series=series, significant=rows["p_holm"] < LEVEL, **ends)
    columns = ["model", "lang", "series", "at", "control", "delta", "ci_low", "ci_high"]
    columns += ["p_holm", "significant", "n_neurons", "method", "langset", "matched"]
    columns += ["draw", "tuning", "seed", "statistic"]
    order = ["model", "lang", "series", "control", "at"]
    by_first = {c: {v: i for i, v in enumerate(dict.fromkeys(found[c]))} for c in order}
    by_first["at"] = {value: value for value in found["at"]}
    key = {c: found[c].map(by_first[c]) for c in order}
    places = pd.DataFrame(key).sort_values(order, kind="stable").index
    return found.loc[places, columns].reset_index(drop=True)


@styled
def draw_sweep(data: pd.DataFrame, metric: Shown, parameter: str, title: str) -> Figure:
    """Draw a panel for each model and language, with a line for each series.

    Args:
        data: from :func:`sweep`, with at least one row.
        metric: whose changes they are.
        parameter: what is swept, for the axis.
        title: of the figure.
    """
    looks = looks_of(list(dict.fromkeys(data["series"])))
    panels = list(data.groupby(["model", "lang"], sort=False))
    figure, grid, room = with_one_scale(len(panels), title, HEIGHT, more=MORE)
    several = data["model"].nunique() > 1
    for axes, (key, part) in zip(grid, panels, strict=True):
        model, lang = map(str, key)
        name = f"{model}, {called(lang)}" if several else called(lang)
        axes.set_title(wrapped(name, room, 7.5), pad=3)
        axes.axhline(0, color="0.6", lw=0.6, zorder=1)
        for series, own in part.groupby("series", sort=False):
            _line(axes, own, metric.scale, looks[str(series)])
    _scale(grid[0], sorted(set(data["at"])))
    high = figure.get_figheight() - MORE
    figure.supylabel(wrapped(f"change of {metric.word}{metric.steps}", high))
    add_legend(figure, parameter, _handles(data, looks))
    return figure


def _line(axes: Axes, own: pd.DataFrame, scale: float, look: tuple[str, str]) -> None:
    """Draw a series: its changes with their intervals, over those of random neurons."""
    colour, marker = look
    drawn = own[own["control"]].groupby("at")["delta"]
    if len(drawn):
        low, middle, high = (
            scale * x for x in (drawn.min(), drawn.mean(), drawn.max())
        )
        axes.fill_between(middle.index, low, high, color=colour, alpha=0.15, lw=0)
        axes.plot(middle.index, middle, color=colour, lw=0.8, ls=(0, (4, 2)))
        if len(middle) == 1:  # no line to be seen
            axes.vlines(middle.index, low, high, color=colour, lw=0.8, ls=(0, (4, 2)))
    chosen = own[~own["control"]]
    axes.plot(chosen["at"], scale * chosen["delta"], color=colour, lw=0.9, zorder=2)
    for row in chosen.to_dict("records"):
        at, delta = row["at"], scale * row["delta"]
        ends = [scale * row["ci_low"], scale * row["ci_high"]]
        axes.plot([at, at], ends, color=colour, lw=0.8, zorder=2)
        face = colour if row["significant"] else "white"
        style: dict[str, Any] = {"color": colour, "mfc": face, "ms": 3.4, "mew": 0.9}
        axes.plot([at], [delta], marker, zorder=3, **style)


def _scale(axes: Axes, values: list[float]) -> None:
    """Choose the scale of the values, and mark each where they are few."""
    if values[0] > 0 and values[-1] >= WIDE * values[0]:
        axes.set_xscale("log")
    if len(values) <= 6:
        axes.xaxis.set_major_locator(FixedLocator(values))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_xticklabels([f"{value:g}" for value in values])
        if max(len(f"{value:g}") for value in values) > 3:
            axes.tick_params(axis="x", rotation=45)
    axes.margins(x=0.08)


def _handles(data: pd.DataFrame, looks: Mapping[str, tuple[str, str]]) -> list[Any]:
    """Make the legend."""
    known = data.loc[~data["control"], "ci_low"].notna().any()
    end = ", 95 % interval" if known else ""
    found = [
        Line2D([], [], color=c, marker=m, ms=3.4, mfc="white", label=f"{name}{end}")
        for name, (c, m) in looks.items()
    ]
    if data["significant"].any():
        style: dict[str, Any] = {"ls": "", "marker": "o", "color": "0.3", "ms": 3.4}
        found.append(Line2D([], [], label=f"Holm p < {LEVEL}", **style))
    if data["control"].any():
        style = {"color": "0.3", "lw": 0.8, "ls": (0, (4, 2))}
        found.append(Line2D([], [], label="random neurons", **style))
    return found
