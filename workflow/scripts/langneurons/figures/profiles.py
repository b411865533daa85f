"""Where statistics are read and written: the paper's places against one place.

The released code reads statistics before the activation function and writes them after
it (methods.md 1.1); the figure shows what that does to every result.
"""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from langneurons.tables.common import words
from langneurons.tables.common.metrics import COLUMNS, Shown

from . import BLUE, GREY, LEVEL, VERMILLION, robust_limit, styled
from .panels import (
    add_legend,
    by_row,
    dodge,
    joined,
    lay_out,
    pooled_if_there,
    with_whose,
)

NEEDED = (
    "task", "model", "tuning", "seed", "lang", "method", "langset", "draw",
    "matched", "neuron_lang", "value_name", "metric", "paper_delta",
    "consistent_delta", "difference", "diff_ci_low", "diff_ci_high", "p_holm", *COLUMNS,
)  # fmt: skip
KEY = (
    "model", "tuning", "lang", "method", "langset", "draw", "matched", "neuron_lang",
    "value_name",
)  # fmt: skip

# The circle is larger, so that it shows where both are equal.
PAPER: dict[str, Any] = dict(
    ls="", marker="o", color=VERMILLION, mfc="none", ms=4.4, mew=0.9, zorder=4
)
CONSISTENT: dict[str, Any] = dict(ls="", marker="s", color=BLUE, ms=2.6, zorder=3)


def sites(table: pd.DataFrame, task: str, metric: str) -> pd.DataFrame:
    """Pick the pairs of a task and metric, and name their rows.

    Args:
        table: the table of profiles; see :data:`NEEDED`.
        task: name of the task.
        metric: name of the metric.

    Returns:
        A row per pair: ``lang``, ``group``, ``row``, ``paper`` and ``consistent`` (the
        change against no intervention; a fraction where the unit is ``%``),
        ``difference`` of the two with ``ci_low`` and ``ci_high``, ``p_holm``,
        ``significant``, and the table's names.
        Draws of random neurons are one row, their median. Pairs without neurons to
        overwrite are left out.
    """
    rows = table[(table["task"] == task) & (table["metric"] == metric)]
    rows = rows[rows["difference"].notna()]
    rows = _median_of_draws(pooled_if_there(rows, KEY))
    several = rows["tuning"].nunique() > 1
    random = rows["method"] == words.RANDOM
    rows = rows.assign(
        whose=rows["method"].mask(random, "random for " + rows["matched"])
    )
    sets = rows.groupby(["model", "whose"])["langset"].agg(joined)
    where = [sets[x] for x in zip(rows["model"], rows["whose"], strict=True)]
    places = rows.groupby(["model", "whose", "lang"])["langset"].nunique()
    if (places > 1).any():
        where = list(rows["langset"])
    group = (
        rows["model"]
        + ", "
        + rows["whose"]
        + pd.Series([f" ({x})" for x in where], rows.index, dtype=str)
    )
    if several:
        group += ", tuning " + rows["tuning"]
    found = rows.assign(
        group=group,
        row=with_whose(rows, "value_name", KEY),
        paper=rows["paper_delta"],
        consistent=rows["consistent_delta"],
        ci_low=rows["diff_ci_low"],
        ci_high=rows["diff_ci_high"],
        significant=rows["p_holm"] < LEVEL,
    )
    columns = ["lang", "group", "row", "paper", "consistent", "difference", "ci_low"]
    columns += ["ci_high", "p_holm", "significant", "model", "method", "langset"]
    return found[[*columns, "matched", "draw", "tuning", "seed", "value_name"]]


def _median_of_draws(rows: pd.DataFrame) -> pd.DataFrame:
    """Replace the draws of random neurons by their median; it has no interval."""
    drawn = rows["draw"].notna()
    if not drawn.any():
        return rows
    names = [k for k in KEY if k != "draw"] + ["seed"]
    numbers = ["paper_delta", "consistent_delta", "difference"]
    median = rows[drawn].groupby(names, sort=False)[numbers].median().reset_index()
    found = pd.concat([rows[~drawn], median.assign(draw="median")], ignore_index=True)
    return found.astype(rows.dtypes[["diff_ci_low", "diff_ci_high", "p_holm"]])


@styled
def draw_sites(data: pd.DataFrame, metric: Shown, title: str) -> Figure:
    """Draw both changes of each intervention, joined by a line.

    Args:
        data: from :func:`sites`, with at least one row.
        metric: whose changes they are.
        title: name of the task.
    """
    scale = metric.scale
    limit = robust_limit(scale * data[["paper", "consistent"]].to_numpy().ravel())
    panels = lay_out(data, title, limit, metric.decimals)
    star = False
    for (lang, group, row), part in by_row(data):
        axes, spot = panels.axes[lang], panels.spots[group, row]
        for shift, (_, one) in zip(dodge(len(part)), part.iterrows(), strict=True):
            y = spot + shift
            values = [scale * float(one[k]) for k in ("paper", "consistent")]
            ends = [max(-limit, min(limit, v)) for v in values]
            axes.plot(ends, [y, y], "-", color=GREY, lw=1.1, zorder=1.5)
            for value, mark in zip(values, (PAPER, CONSISTENT), strict=True):
                if not panels.number_if_beyond(
                    axes, value, y, mark["color"], mark.get("mfc", mark["color"])
                ):
                    axes.plot([value], [y], **mark)
            if one["significant"]:
                star = True
                middle = sum(ends) / 2
                axes.plot([middle], [y], "*", color="black", ms=3.6, mew=0, zorder=4)
    handles = [
        Line2D([], [], label="paper: read before, written after", **PAPER),
        Line2D([], [], label="consistent: both at one place", **CONSISTENT),
    ]
    if star:
        label = f"difference: Holm p < {LEVEL}"
        handles.append(
            Line2D([], [], ls="", marker="*", color="black", ms=3.6, label=label)
        )
    axis = f"change of {metric.word} against no intervention{metric.steps}"
    add_legend(panels.figure, axis, handles)
    return panels.figure
