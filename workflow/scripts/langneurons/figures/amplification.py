"""Ways to steer side by side: the ladder of factors, and steering against damage."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from langneurons.tables.common import words
from langneurons.tables.common.amplification_numbers import ALL, NONE, PERPLEXITY
from langneurons.tables.common.ways import OTHER, OWN

from . import BLUE, GREEN, GREY, PAGE, PURPLE, VERMILLION, new, styled
from .panels import order

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NEEDED = (
    "experiment", "task", "model", "method", "langset", "draw", "matched", "statistic",
    "facts", "metric", "against", "value", "ci_low", "ci_high", "rank", "unit",
)  # fmt: skip
MEASURES = {"lss": "LSS, %", "lss_plus": "LSS+, %", "delta_t": "target's object, nats"}
"""Panels of the ladder, and the labels of their axes."""
STYLES: dict[str, tuple[str, str]] = {
    words.PROMPT: (GREEN, "D"), words.DIFFMEAN: (PURPLE, "^"),
    words.RANDOM: (GREY, "|"),
}  # fmt: skip
OTHERS = (BLUE, "o")
SHAPES = "osvP*Xd<>"
"""Markers of selections in the figure of damage, one after the other."""
BAND = "0.85"
NAME_POINTS = 5.5
Box = tuple[float, float, float, float]
"""Left, low, right and high end, in points."""


def _values(table: pd.DataFrame, task: str, model: str) -> pd.DataFrame:
    """Keep means themselves, over all items, of one model; named by their way."""
    rows = table[(table["model"] == model) & (table["facts"] == ALL)]
    rows = rows[rows["against"].isin((words.NOTHING, NONE))]
    rows = rows[rows["task"].isin((task, PERPLEXITY))]
    several = rows["experiment"].nunique() > 1
    front = rows["experiment"] + ": " if several else ""
    selection = rows["method"] + "." + rows["langset"]
    is_drawn = rows["method"] == words.RANDOM
    selection = selection.where(~is_drawn, rows["matched"] + "." + rows["langset"])
    bare = rows["langset"] == words.NOTHING
    selection = selection.where(~bare, rows["method"])
    return rows.assign(selection=front + selection)


def ladder(table: pd.DataFrame, task: str, model: str) -> pd.DataFrame:
    """Pick what the ladder of factors shows.

    Args:
        table: of amplification; see :data:`NEEDED`.
        task: whose facts are asked.
        model: its name.

    Returns:
        A row for each way and measure, and each random draw: ``selection`` (of random
        neurons the one that they match), ``statistic``, ``kind`` (selected, random,
        prompt or diffmean), ``draw``, ``metric``, ``value``, ``low`` and ``high`` (95 %
        interval), in percent or nats, and ``chosen``: the best of its selection on the
        first half of the facts.
    """
    rows = _values(table, task, model)
    rows = rows[(rows["task"] == task) & rows["metric"].isin(MEASURES)]
    scale = np.where(rows["unit"] == "%", 100.0, 1.0)
    controls = rows["method"].isin((words.RANDOM, words.PROMPT, words.DIFFMEAN))
    found = rows.assign(
        kind=rows["method"].where(controls, "selected"),
        value=scale * rows["value"],
        low=scale * rows["ci_low"],
        high=scale * rows["ci_high"],
        chosen=(rows["rank"] == 1).fillna(False).astype(bool),
    )
    columns = ["selection", "statistic", "kind", "draw", "metric", "value", "low"]
    return found[[*columns, "high", "chosen"]].reset_index(drop=True)


@styled
def draw_ladder(data: pd.DataFrame, title: str) -> Figure:
    """Draw every factor with its interval over its random neurons, and the controls.

    Args:
        data: from :func:`ladder`, with at least one row.
        title: of the figure.
    """
    data = data.sort_values("selection", kind="stable", key=order)
    spots: dict[tuple[str, str], float] = {}
    heads: dict[str, float] = {}
    bottom = 0.0
    # Random neurons are behind the factor that they match.
    for selection, part in data.groupby("selection", sort=False):
        heads[str(selection)] = bottom
        for statistic in dict.fromkeys(part["statistic"]):
            bottom += 1
            spots[str(selection), str(statistic)] = bottom
        bottom += 1.15
    figure = new(PAGE, 0.15 * bottom + 0.95, title)
    panels = figure.subplots(1, len(MEASURES), sharey=True, squeeze=False)[0]
    for axes, (metric, label) in zip(panels, MEASURES.items(), strict=True):
        own = data[data["metric"] == metric]
        for middle in heads.values():
            axes.axhspan(middle - 0.5, middle + 0.5, color="0.9", lw=0, zorder=1.1)
        if metric == "delta_t":
            axes.axvline(0, color="0.3", lw=0.6, zorder=1)
            axes.use_sticky_edges = False  # bands keep off the edge
        else:
            axes.set_xlim(-3, 103)
        for rung, part in own.groupby(["selection", "statistic"], sort=False):
            _rung(axes, part, spots[str(rung[0]), str(rung[1])])
        axes.grid(axis="y", color="0.93", lw=0.5)
        axes.set_xlabel(label)
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
    panels[0].set_ylim(bottom - 0.6, -0.55)
    panels[0].set_yticks([*spots.values()], [_rung_name(*key) for key in spots])
    for head, spot in heads.items():
        text = panels[0].annotate(
            head,
            (0, spot),
            (3, 0),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            va="center",
            fontweight="bold",
            fontsize=6.5,
        )
        text.set_in_layout(False)
    figure.legend(handles=_ladder_legend(data), loc="outside lower center", ncols=4)
    return figure


def _rung_name(selection: str, statistic: str) -> str:
    return "" if statistic == selection.split(": ")[-1] else statistic


def _rung(axes: Axes, part: pd.DataFrame, spot: float) -> None:
    """Draw one factor: the band and ticks of random draws, then its own interval."""
    drawn = part[(part["kind"] == words.RANDOM) & part["draw"].notna()]["value"]
    if len(drawn):
        wide = drawn.max() - drawn.min()
        axes.barh(spot, wide, 0.8, drawn.min(), color=BAND, zorder=1.2)
        style: dict[str, Any] = dict(color=GREY, ms=5, mew=0.8, zorder=1.3)
        axes.plot(drawn, [spot] * len(drawn), "|", **style)
    for _, one in part[part["kind"] != words.RANDOM].iterrows():
        colour, marker = STYLES.get(str(one["kind"]), OTHERS)
        if not math.isnan(one["low"]):
            ends = [one["low"], one["high"]]
            axes.plot(ends, [spot, spot], "-", color=colour, lw=0.9, zorder=2)
        face = colour if one["chosen"] else "white"
        style = dict(color=colour, mfc=face, ms=3.4, mew=0.9, zorder=3)
        axes.plot([one["value"]], [spot], marker, **style)


def _ladder_legend(data: pd.DataFrame) -> list[Any]:
    names = {"selected": "selected neurons, 95 % interval"}
    names |= {words.PROMPT: "prompt", words.DIFFMEAN: "DiffMean"}
    found: list[Any] = []
    for kind, text in names.items():
        if (data["kind"] == kind).any():
            colour, marker = STYLES.get(kind, OTHERS)
            style: dict[str, Any] = dict(color=colour, mfc="white", ms=3.4, mew=0.9)
            found.append(Line2D([], [], marker=marker, label=text, lw=0.9, **style))
    if (data["kind"] == words.RANDOM).any():
        found.append(
            Line2D([], [], marker="|", color=GREY, ls="", label="random, a draw")
        )
        found.append(Patch(color=BAND, label="range of random"))
    if data["chosen"].any():
        style = dict(color="black", ms=3.4, ls="", marker="o")
        found.append(Line2D([], [], label="filled: best on the first half", **style))
    return found


def damage(table: pd.DataFrame, task: str, model: str) -> pd.DataFrame:
    """Pick steering and damage of every way that was measured on text too.

    Args:
        table: of amplification; see :data:`NEEDED`.
        task: whose facts are asked.
        model: its name.

    Returns:
        A row for each way, draw and text (own or other language): ``selection``,
        ``statistic``, ``kind``, ``draw``, ``text``, ``nats`` (change of nats per token)
        and ``steering`` (mean change of the target's object, nats).
    """
    rows = _values(table, task, model)
    keys = ["experiment", "selection", "method", "statistic", "draw"]
    shift = rows[(rows["task"] == task) & (rows["metric"] == "delta_t")]
    text = rows[rows["task"] == PERPLEXITY]
    both = shift.merge(text, on=keys, suffixes=("", "_text"))
    controls = both["method"].isin((words.RANDOM, words.PROMPT, words.DIFFMEAN))
    found = both.assign(
        kind=both["method"].where(controls, "selected"),
        text=both["metric_text"],
        nats=both["value_text"],
        steering=both["value"],
    )
    columns = ["selection", "statistic", "kind", "draw", "text", "nats", "steering"]
    return found[columns].reset_index(drop=True)


@styled
def draw_damage(data: pd.DataFrame, title: str) -> Figure:
    """Draw steering against damage of own and of other text; a point a way.

    Args:
        data: from :func:`damage`, with at least one row.
        title: of the figure.
    """
    figure = new(PAGE, 3.6, title)
    panels = figure.subplots(1, 2, sharey=True, squeeze=False)[0]
    styles = _styles(data)
    for axes, text in zip(panels, (OWN, OTHER), strict=True):
        part = data[data["text"] == text]
        axes.axhline(0, color="0.7", lw=0.6, zorder=1)
        axes.axvline(0, color="0.7", lw=0.6, zorder=1)
        for _, one in part.iterrows():
            is_drawn = one["kind"] == words.RANDOM and not pd.isna(one["draw"])
            colour, marker, size = styles[str(one["selection"]), str(one["kind"])]
            style: dict[str, Any] = dict(color=colour, ms=size, mew=0.9, mfc="white")
            if one["kind"] == words.RANDOM and not is_drawn:
                continue  # its draws say it
            axes.plot([one["nats"]], [one["steering"]], marker, zorder=3, **style)
        what = "its own language" if text == OWN else "other languages"
        axes.set_xlabel(f"change of text of {what}, nats per token")
        axes.margins(0.16)
    panels[0].set_ylabel("change of the target's object, nats")
    handles = [
        Line2D([], [], color=c, marker=m, ms=s, ls="", mfc="white", label=_legend(*key))
        for key, (c, m, s) in styles.items()
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=4)
    FigureCanvasAgg(figure)
    figure.draw_without_rendering()
    for axes, text in zip(panels, (OWN, OTHER), strict=True):
        _name_points(figure, axes, data[data["text"] == text])
    return figure


def _styles(data: pd.DataFrame) -> Mapping[tuple[str, str], tuple[str, str, float]]:
    """Choose colour, marker and size of each selection, and of its random neurons."""
    found: dict[tuple[str, str], tuple[str, str, float]] = {}
    selected = list(dict.fromkeys(data.loc[data["kind"] == "selected", "selection"]))
    colours = (BLUE, VERMILLION)
    for key in dict.fromkeys(zip(data["selection"], data["kind"], strict=True)):
        name, kind = map(str, key)
        if kind == "selected":
            place = selected.index(name)
            colour = colours[place % len(colours)]
            found[name, kind] = (colour, SHAPES[place % len(SHAPES)], 4.0)
        else:
            colour, marker = STYLES[kind]
            found[name, kind] = (colour, "x" if marker == "|" else marker, 3.4)
    return found


def _legend(selection: str, kind: str) -> str:
    if kind == words.RANDOM:
        return f"random for {selection}, a draw"
    return selection


def _name_points(figure: Figure, axes: Axes, part: pd.DataFrame) -> None:
    """Write the factor beside each point, where it covers neither point nor name.

    The panels must have their final sizes. A name that fits nowhere is left out: all
    of them are in the data beside the figure.
    """
    to_points = 72 / figure.dpi
    places = axes.transData.transform(part[["nats", "steering"]].to_numpy(float))
    inside = axes.get_window_extent()
    edges = (inside.x0, inside.y0, inside.x1, inside.y1)
    start, bottom, end, top = (edge * to_points for edge in edges)
    taken = [(x - 3, y - 3, x + 3, y + 3) for x, y in places * to_points]
    named = (part["kind"] != words.RANDOM).to_numpy()
    rows = part.to_dict("records")
    for (x, y), one, wanted in zip(places * to_points, rows, named, strict=True):
        if not wanted:
            continue
        text = str(one["statistic"])
        wide, high = 0.62 * NAME_POINTS * len(text), 1.2 * NAME_POINTS
        for side, up in ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, 1), (1, -1)):
            left = x + side * (4 + wide / 2) - wide / 2
            low = y + up * (4 + high / 2) - high / 2
            box = (left, low, left + wide, low + high)
            fits = start < box[0] and box[2] < end and bottom < box[1] and box[3] < top
            if not fits or any(_touch(box, other) for other in taken):
                continue
            taken.append(box)
            text_ = axes.annotate(
                text,
                (one["nats"], one["steering"]),
                (left + wide / 2 - x, low + high / 2 - y),
                textcoords="offset points",
                ha="center",
                va="center",
                fontsize=NAME_POINTS,
                color="0.25",
            )
            text_.set_in_layout(False)
            break


def _touch(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
