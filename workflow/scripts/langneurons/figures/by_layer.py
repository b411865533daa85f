"""How similar each candidate is to a pair, layer by layer."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from . import PAGE, new, styled
from .bridges import handles_of, looks_of
from .panels import add_legend, side_by_side

if TYPE_CHECKING:
    from langneurons.tables.common.similarity_files import Similar

PANEL = 1.15  # inches


def layers(found: Mapping[str, Similar]) -> pd.DataFrame:
    """Lay scores out by layer.

    Args:
        found: of each pair what a similarity found.

    Returns:
        A row for each pair, candidate and layer: these, ``score``, and ``chosen``:
        whether the similarity chooses the candidate.
    """
    rows = [
        {"pair": pair, "candidate": candidate, "layer": layer, "score": score,
         "chosen": candidate == one.chosen}
        for pair, one in found.items()
        for candidate, by_layer in one.layers.items()
        for layer, score in sorted(by_layer.items())
        if not math.isnan(score)
    ]  # fmt: skip
    columns = ["pair", "candidate", "layer", "score", "chosen"]
    return pd.DataFrame(rows, columns=columns).astype({"layer": int})


@styled
def draw_layers(data: pd.DataFrame, title: str) -> Figure:
    """Draw a panel for each pair, with a line for each candidate.

    Args:
        data: from :func:`layers`, with at least one row.
        title: of the figure.
    """
    pairs = list(dict.fromkeys(data["pair"]))
    looks = looks_of(list(dict.fromkeys(data["candidate"])))
    across = side_by_side(len(pairs), 1)
    lines = math.ceil(len(pairs) / across)
    figure = new(PAGE if across > 2 else 0.6 * PAGE, lines * PANEL + 0.5, title)
    grid = figure.subplots(lines, across, squeeze=False, sharex=True)
    for axes in grid.flat[len(pairs) :]:
        axes.set_visible(False)
    every = range(int(data["layer"].min()), int(data["layer"].max()) + 1)
    for i, (pair, axes) in enumerate(zip(pairs, grid.flat, strict=False)):
        axes.set_title(pair, pad=3)
        own = data[data["pair"] == pair]
        for candidate, part in own.groupby("candidate", sort=False):
            colour, marker = looks[str(candidate)]
            is_chosen = bool(part["chosen"].iloc[0])
            style: dict[str, Any] = dict(color=colour, marker=marker, ms=3.0, mew=0.7)
            style |= {"mfc": colour if is_chosen else "white"}
            style |= {"lw": 1.4 if is_chosen else 0.7, "zorder": 3 if is_chosen else 2}
            # No line leads over a layer in which nothing was compared.
            scores = part.set_index("layer")["score"].reindex(every)
            axes.plot([*every], scores.to_numpy(), **style)
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        axes.locator_params(axis="y", nbins=4)
        # Where a line of panels is not full, the one above the gap has the numbers.
        axes.tick_params(labelbottom=i + across >= len(pairs))
    grid[0, 0].set_ylabel("similarity")
    add_legend(figure, "layer; filled: chosen", handles_of(looks))
    return figure
