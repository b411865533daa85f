"""Bridges: what choices get pair by pair, and similarity against gain."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from langneurons.tables.common.bridge_choices import ALWAYS_ENGLISH, DIRECT, VIA
from langneurons.tables.common.bridge_numbers import ALL
from langneurons.tables.common.words import NOTHING

from . import BLUE, GREEN, GREY, PAGE, VERMILLION, new, styled, wrapped
from .panels import add_legend, order
from .sizes import COLOURS, MARKERS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NEEDED = (
    "experiment", "task", "model", "similarity", "pair", "beside", "chosen", "best",
    DIRECT, VIA, "accuracy", "best_accuracy",
)  # fmt: skip
NEEDED_CANDIDATES = (
    "experiment", "task", "model", "similarity", "pair", "candidate", "score", "chosen",
    "over_direct",
)  # fmt: skip
WAYS: dict[str, dict[str, Any]] = {
    DIRECT: dict(color=GREY, marker="o", mfc="white", ms=3.4),
    "English": dict(color=BLUE, marker="D", mfc="white", ms=3.0),
    "best": dict(color=GREEN, marker="|", mfc=GREEN, ms=7.0),
    "chosen": dict(color=VERMILLION, marker="o", mfc=VERMILLION, ms=2.8),
}
"""Ways of a pair, in the order in which they are drawn, and their marks."""
ROW, ACROSS = 0.15, 4  # inches of a pair; panels beside each other


def ways(table: pd.DataFrame, task: str, model: str) -> pd.DataFrame:
    """Pick what each pair gets directly, through English, the chosen and the best.

    Args:
        table: of bridges; see :data:`NEEDED`.
        task: that is tested.
        model: its name.

    Returns:
        A row for each similarity, pair and way: ``similarity``, ``pair``, ``way``,
        ``bridge`` and ``accuracy`` in percent; what is not there is left out.
    """
    rows = table[(table["task"] == task) & (table["model"] == model)]
    rows = rows[(rows["beside"] == NOTHING) & (rows["pair"] != ALL)]
    rows = _named(rows[rows["similarity"] != ALWAYS_ENGLISH])
    parts = [
        rows.assign(way=way, bridge=bridge, accuracy=100 * rows[column])
        for way, bridge, column in (
            (DIRECT, "", DIRECT),
            ("English", "en", VIA),
            ("best", rows["best"], "best_accuracy"),
            ("chosen", rows["chosen"], "accuracy"),
        )
    ]
    columns = ["similarity", "pair", "way", "bridge", "accuracy"]
    found = pd.concat(parts)[columns].dropna(subset="accuracy")
    keys = ["similarity", "pair"]
    return found.sort_values(keys, kind="stable", key=order).reset_index(drop=True)


def _named(rows: pd.DataFrame) -> pd.DataFrame:
    """Name the experiment beside the similarity where there are several."""
    if rows["experiment"].nunique() < 2:
        return rows
    return rows.assign(similarity=rows["experiment"] + ": " + rows["similarity"])


@styled
def draw_ways(data: pd.DataFrame, title: str) -> Figure:
    """Draw a panel for each similarity, with a line for each pair.

    Args:
        data: from :func:`ways`, with at least one row.
        title: of the figure.
    """
    pairs = list(dict.fromkeys(data["pair"]))
    names = list(dict.fromkeys(data["similarity"]))
    figure, panels = _panels(names, len(pairs) * ROW + 0.5, title)
    spots = {pair: i for i, pair in enumerate(pairs)}
    for name, axes in zip(names, panels, strict=False):
        own = data[data["similarity"] == name]
        for way, style in WAYS.items():
            part = own[own["way"] == way]
            heights = [spots[pair] for pair in part["pair"]]
            axes.plot(part["accuracy"], heights, ls="", mew=0.9, zorder=3, **style)
        axes.grid(axis="y", color="0.93", lw=0.5)
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
    first = panels[0]
    first.set_yticks([*spots.values()], pairs)
    first.set_ylim(len(pairs) - 0.4, -0.6)
    top = min(100.0, 10 * math.ceil(0.1 * max(1.0, data["accuracy"].max())))
    first.set_xlim(-0.03 * top, 1.03 * top)
    handles = [
        Line2D([], [], ls="", mew=0.9, label=way, **style)
        for way, style in WAYS.items()
        if (data["way"] == way).any()
    ]
    add_legend(figure, "right, %", handles)
    return figure


def gains(table: pd.DataFrame, task: str, model: str) -> pd.DataFrame:
    """Pick similarity and gain of every candidate that has a score.

    Args:
        table: of candidates; see :data:`NEEDED_CANDIDATES`.
        task: that is tested.
        model: its name.

    Returns:
        A row for each similarity, pair and candidate: these, ``score``, ``gain`` over
        the direct way in points, and ``chosen``: whether the similarity chooses it.
    """
    rows = table[(table["task"] == task) & (table["model"] == model)]
    rows = _named(rows[rows["score"].notna()])
    found = rows.assign(gain=100 * rows["over_direct"], chosen=rows["chosen"] == "yes")
    columns = ["similarity", "pair", "candidate", "score", "gain", "chosen"]
    return found[columns].reset_index(drop=True)


@styled
def draw_gains(data: pd.DataFrame, title: str) -> Figure:
    """Draw a panel for each similarity, with a point for each candidate of each pair.

    Args:
        data: from :func:`gains`, with at least one row.
        title: of the figure.
    """
    names = list(dict.fromkeys(data["similarity"]))
    looks = looks_of(list(dict.fromkeys(data["candidate"])))
    figure, panels = _panels(names, 1.7, title, sharex=False)
    for name, axes in zip(names, panels, strict=False):
        own = data[data["similarity"] == name]
        axes.axhline(0, color="0.7", lw=0.6, zorder=1)
        for candidate, part in own.groupby("candidate", sort=False):
            colour, marker = looks[str(candidate)]
            for is_chosen, some in part.groupby("chosen"):
                style: dict[str, Any] = dict(color=colour, marker=marker, ls="", ms=3.4)
                style["mfc"] = colour if is_chosen else "white"
                axes.plot(some["score"], some["gain"], mew=0.8, zorder=3, **style)
        axes.margins(0.1)
        if len(own) and float(np.ptp(own["score"])) == 0:
            middle = float(own["score"].iloc[0])
            axes.set_xticks([middle], [f"{middle:.3g}"])
        else:
            axes.locator_params(axis="x", nbins=4)
    panels[0].set_ylabel("gain over direct, points")
    add_legend(figure, "similarity; filled: chosen", handles_of(looks))
    return figure


def looks_of(candidates: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Choose colour and marker of each candidate."""
    return {
        name: (COLOURS[i % len(COLOURS)], MARKERS[i % len(MARKERS)])
        for i, name in enumerate(candidates)
    }


def handles_of(looks: dict[str, tuple[str, str]]) -> list[Line2D]:
    """Make the legend of candidates."""
    return [
        Line2D([], [], color=c, marker=m, ls="", ms=3.4, mfc="white", label=name)
        for name, (c, m) in looks.items()
    ]


def _panels(
    names: Sequence[str], height: float, title: str, sharex: bool = True
) -> tuple[Figure, list[Axes]]:
    """Make a panel for each name, with the name above it."""
    across = min(ACROSS, len(names))
    lines = math.ceil(len(names) / across)
    width = PAGE if across > 2 else PAGE * 0.6
    figure = new(width, lines * height + 0.3, title)
    grid = figure.subplots(lines, across, squeeze=False, sharex=sharex, sharey=True)
    for axes in grid.flat[len(names) :]:
        axes.set_visible(False)
    for name, axes in zip(names, grid.flat, strict=False):
        axes.set_title(wrapped(name, 0.9 * width / across, 7.5), pad=3)
        axes.tick_params(labelbottom=True)
    return figure, list(grid.flat)
