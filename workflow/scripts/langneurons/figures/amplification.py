"""Ways to steer side by side: the ladder of factors with its controls."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from langneurons.tables.common import words
from langneurons.tables.common.amplification_numbers import ALL, NONE, PERPLEXITY

from . import BAND, BLUE, GREEN, PAGE, PURPLE, RANDOM, new, styled
from .panels import name_group, order

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
    words.RANDOM: (RANDOM, "|"),
}  # fmt: skip
OTHERS = (BLUE, "o")


def means_of(table: pd.DataFrame, task: str, model: str) -> pd.DataFrame:
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
    rows = means_of(table, task, model)
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
            axes.axvline(0, color="0.6", lw=0.6, zorder=1)
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
        name_group(panels[0], head, spot)
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
        style: dict[str, Any] = dict(color=RANDOM, ms=7, mew=1.0, zorder=1.3)
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
            Line2D([], [], marker="|", color=RANDOM, ls="", label="random, a draw")
        )
        found.append(Patch(color=BAND, label="range of random"))
    if data["chosen"].any():
        style = dict(color="black", ms=3.4, ls="", marker="o")
        found.append(Line2D([], [], label="filled: best on the first half", **style))
    return found
