"""Alignment of languages layer by layer, and against their scores on a task."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from langneurons.config.names import BASE, NO_TREATMENT
from langneurons.tables.common.words import POOLED

from . import PAGE, new, styled
from .bridges import handles_of, looks_of
from .panels import add_legend

if TYPE_CHECKING:
    from langneurons.tables.common.alignment_files import Measured

NEEDED = ("model", "lang", "states", "mutual")
NEEDED_SCORES = ("model", "tuning", "seed", "lang", "statistic", "metric", "value")
HEIGHT = 1.9  # inches


def layers(found: Mapping[str, Mapping[str, Measured]]) -> pd.DataFrame:
    """Lay alignments out by layer.

    Args:
        found: of each language its alignment by kind of states.

    Returns:
        A row for each language, kind of states and layer: these, ``mutual`` and
        ``gap``.
    """
    rows = [
        {"states": states, "lang": lang, "layer": layer, "mutual": mutual, "gap": gap}
        for lang, by_states in found.items()
        for states, one in by_states.items()
        for layer, (mutual, gap) in enumerate(
            zip(one.by_layer["mutual"], one.by_layer["gap"], strict=True)
        )
    ]
    return pd.DataFrame(rows)


@styled
def draw_layers(data: pd.DataFrame, title: str) -> Figure:
    """Draw a panel for each kind of states, with a line for each language.

    Args:
        data: from :func:`layers`.
        title: of the figure.
    """
    names = list(dict.fromkeys(data["states"]))
    looks = looks_of(list(dict.fromkeys(data["lang"])))
    figure = new(PAGE, HEIGHT, title)
    grid = figure.subplots(1, len(names), squeeze=False, sharey=True)[0]
    for axes, name in zip(grid, names, strict=True):
        axes.set_title(name, pad=3)
        for lang, part in data[data["states"] == name].groupby("lang", sort=False):
            colour, marker = looks[str(lang)]
            style = {"color": colour, "marker": marker, "mfc": "white"}
            axes.plot(part["layer"], 100 * part["mutual"], ms=2.6, lw=0.8, **style)
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    grid[0].set_ylim(bottom=0)
    grid[0].set_ylabel("pairs that find each other, %")
    add_legend(figure, "layer", handles_of(looks))
    return figure


def points(
    alignments: pd.DataFrame, scores: pd.DataFrame, model: str, metric: str
) -> pd.DataFrame:
    """Set the alignment of each language beside a score without intervention.

    Args:
        alignments: the table of alignments; see :data:`NEEDED`.
        scores: the table of a task; see :data:`NEEDED_SCORES`.
        model: its name.
        metric: of the task.

    Returns:
        A row for each tuning, kind of states and language: these, ``mutual``, and
        ``score``, the mean over seeds.
    """
    rows = scores[(scores["model"] == model) & (scores["metric"] == metric)]
    rows = rows[rows["statistic"] == NO_TREATMENT]
    rows = rows[rows["seed"].astype(str) != POOLED]
    means = rows.groupby(["tuning", "lang"], sort=False)["value"].mean()
    own = alignments[alignments["model"] == model]
    own = own.drop_duplicates(["lang", "states"])[["lang", "states", "mutual"]]
    both = own.merge(means.rename("score").reset_index(), on="lang")
    return both[["tuning", "states", "lang", "mutual", "score"]]


@styled
def draw_points(data: pd.DataFrame, title: str, label: str) -> Figure:
    """Draw a panel for each tuning and kind of states, with a point for each language.

    Args:
        data: from :func:`points`, with at least one row.
        title: of the figure.
        label: of the axis of scores.
    """
    looks = looks_of(list(dict.fromkeys(data["lang"])))
    panels = list(data.groupby(["tuning", "states"], sort=False))
    across = min(4, len(panels))
    down = -(-len(panels) // across)
    width = PAGE if across > 2 else 0.6 * PAGE
    figure = new(width, down * HEIGHT, title)
    grid = figure.subplots(down, across, squeeze=False, sharey=True)
    for axes in grid.flat[len(panels) :]:
        axes.set_visible(False)
    for axes, (key, part) in zip(grid.flat, panels, strict=False):
        axes.set_title(_named(*map(str, key)), pad=3)
        for row in part.to_dict("records"):
            colour, marker = looks[str(row["lang"])]
            style = {"color": colour, "marker": marker, "mfc": "white", "ls": ""}
            axes.plot([100 * row["mutual"]], [row["score"]], ms=3.6, mew=0.9, **style)
        axes.margins(0.12)
        axes.locator_params(axis="x", nbins=4)
    grid[0, 0].set_ylabel(label)
    add_legend(figure, "pairs that find each other, %", handles_of(looks))
    return figure


def _named(tuning: str, states: str) -> str:
    return f"{'no tuning' if tuning == BASE else tuning}, {states}"
