"""Steering against damage: what each way to steer does to facts and to text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from langneurons.tables.common import words
from langneurons.tables.common.amplification_numbers import PERPLEXITY
from langneurons.tables.common.ways import OTHER, OWN

from . import BLUE, PAGE, VERMILLION, new, styled
from .amplification import STYLES, means_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SHAPES = "osvP*Xd<>"
"""Markers of selections, one after the other."""
NAME_POINTS = 5.5
Box = tuple[float, float, float, float]
"""Left, low, right and high end, in points."""


def damage(table: pd.DataFrame, task: str, model: str) -> pd.DataFrame:
    """Pick steering and damage of every way that was measured on text too.

    Args:
        table: of amplification; see :data:`amplification.NEEDED`.
        task: whose facts are asked.
        model: its name.

    Returns:
        A row for each way, draw and text (own or other language): ``selection``,
        ``statistic``, ``kind``, ``draw``, ``text``, ``nats`` (change of nats per token)
        and ``steering`` (mean change of the target's object, nats).
    """
    rows = means_of(table, task, model)
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
        axes.axhline(0, color="0.85", lw=0.6, zorder=1)
        axes.axvline(0, color="0.85", lw=0.6, zorder=1)
        for _, one in part.iterrows():
            is_drawn = one["kind"] == words.RANDOM and not pd.isna(one["draw"])
            colour, marker, size = styles[str(one["selection"]), str(one["kind"])]
            style: dict[str, Any] = dict(color=colour, ms=size, mew=1.0, mfc="white")
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
            found[name, kind] = (colour, "x" if marker == "|" else marker, 4.0)
    return found


def _legend(selection: str, kind: str) -> str:
    if kind == words.RANDOM:
        return f"random for {selection}, a draw"
    return selection


def _name_points(figure: Figure, axes: Axes, part: pd.DataFrame) -> None:
    """Write the factor beside each point, where it covers neither point nor name.

    The panels must have their final sizes. Points are named from left to right, as
    near as there is room; a name that fits nowhere is left out: all of them are in the
    data beside the figure.
    """
    to_points = 72 / figure.dpi
    places = axes.transData.transform(part[["nats", "steering"]].to_numpy(float))
    inside = axes.get_window_extent()
    edges = (inside.x0, inside.y0, inside.x1, inside.y1)
    frame = tuple(edge * to_points for edge in edges)
    taken = [(x - 4, y - 4, x + 4, y + 4) for x, y in places * to_points]
    named = part.assign(x=places[:, 0] * to_points, y=places[:, 1] * to_points)
    named = named[named["kind"] != words.RANDOM].sort_values(["x", "y"])
    for one in named.to_dict("records"):
        text = str(one["statistic"])
        for box, far in _around(one["x"], one["y"], text):
            fits = frame[0] < box[0] and box[2] < frame[2]
            fits &= frame[1] < box[1] and box[3] < frame[3]
            if fits and not any(_touch(box, other) for other in taken):
                taken.append(box)
                _write(axes, one, box, leads=far)
                break


def _around(x: float, y: float, text: str) -> Iterator[tuple[Box, bool]]:
    """Yield where a name may stand about a point, and whether it is far from it."""
    wide, high = 0.68 * NAME_POINTS * len(text), 1.2 * NAME_POINTS
    sides = ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, 1), (1, -1), (-1, -1))
    for gap in (6, 14):
        for side, up in sides:
            left = x + side * (gap + wide / 2) - wide / 2
            low = y + up * (gap + high / 2) - high / 2
            yield (left, low, left + wide, low + high), gap > 6


def _write(axes: Axes, one: Mapping[Any, Any], box: Box, *, leads: bool) -> None:
    """Write a name into its box; a line leads to it from a point that is far."""
    line = dict(arrowstyle="-", color="0.6", lw=0.5, shrinkA=0, shrinkB=2.5)
    text = axes.annotate(
        str(one["statistic"]),
        (one["nats"], one["steering"]),
        ((box[0] + box[2]) / 2 - one["x"], (box[1] + box[3]) / 2 - one["y"]),
        textcoords="offset points",
        ha="center",
        va="center",
        fontsize=NAME_POINTS,
        color="0.25",
        arrowprops=line if leads else None,
    )
    text.set_in_layout(False)


def _touch(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
