"""The loss of each adapter while it was trained."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from langneurons.config.errors import DataError
from langneurons.config.names import JOIN, Selection, TuningName, split_draw
from langneurons.jobs.files import read_object, redo

from . import letters_in, styled, wrapped
from .bridges import handles_of, looks_of
from .panels import add_legend, with_one_scale

FORMAT = "langneurons/training/1"
KEYS: dict[str, type] = {"format": str, "steps": int, "loss_curve": list}
HEIGHT = 1.5
"""Inches of a panel."""
SMOOTHED = 5
"""Points of a curve whose mean is drawn."""
ONE = ["series", "tuning", "seed"]
"""Columns that name an adapter."""
ALL = "no neurons"
"""Series of a tuning of no language's neurons."""


def curves(paths: Sequence[Path], names: Sequence[tuple[str, int]]) -> pd.DataFrame:
    """Read the records of trainings.

    Args:
        paths: of ``training.json`` files.
        names: of each its tuning and seed.

    Returns:
        A row for each point of a curve: ``panel`` (what was tuned, without languages
        and draws), ``series`` (whose neurons), ``tuning``, ``seed``, ``step`` (the last
        of a stretch) and ``loss`` (its mean, nats per item).

    Raises:
        DataError: a file is damaged, or no record of a training.
    """
    rows = []
    for path, (tuning, seed) in zip(paths, names, strict=True):
        panel, series = _place(tuning)
        place = {"panel": panel, "series": series, "tuning": tuning, "seed": seed}
        rows += [place | {"step": step, "loss": loss} for step, loss in _points(path)]
    columns = ["panel", "series", "tuning", "seed", "step", "loss"]
    return pd.DataFrame(rows, columns=columns)


def _place(tuning: str) -> tuple[str, str]:
    """Name the panel of a tuning and its line there."""
    name = TuningName.parse(tuning)
    if name.selection is None:
        return name.entry, ALL
    method = split_draw(name.selection.method)[0]
    plain = TuningName(name.entry, Selection(method, name.selection.languages), ("x",))
    return str(plain).removesuffix(".x"), JOIN.join(name.languages)


def _points(path: Path) -> list[tuple[int, float]]:
    found = read_object(path, "a record of a training", KEYS)
    try:
        if found["format"] != FORMAT:
            raise ValueError(f"its format is {found['format']}, not {FORMAT}")
        points = [(int(one["step"]), float(one["loss"])) for one in found["loss_curve"]]
        if not points or not all(math.isfinite(loss) for _, loss in points):
            raise ValueError("its curve is empty, or not finite")
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"{path}: not a record of a training ({error}){redo(path)}"
        ) from error
    return points


@styled
def draw_curves(data: pd.DataFrame, title: str) -> Figure:
    """Draw a panel for each thing that was tuned, with a line for each adapter.

    Args:
        data: from :func:`curves`, with at least one row.
        title: of the figure.
    """
    panels = list(data.groupby("panel", sort=False))
    looks = looks_of(list(dict.fromkeys(data["series"])))
    figure, grid, width = with_one_scale(len(panels), title, HEIGHT, more=0.2)
    room = width - 0.4
    for axes, (panel, part) in zip(grid, panels, strict=True):
        name = str(panel)
        short = name if len(name) <= letters_in(room) else name.replace(".", ". ")
        axes.set_title(wrapped(short, room, 7.5), pad=3)
        for (series, _, _), own in part.groupby(ONE, sort=False):
            colour, marker = looks[str(series)]
            smooth = own["loss"].rolling(SMOOTHED, min_periods=1, center=True).mean()
            every = max(1, len(own) // 4)
            style: dict[str, Any] = dict(color=colour, marker=marker, mfc="white")
            axes.plot(own["step"], smooth, lw=0.8, ms=2.8, markevery=every, **style)
    grid[0].set_ylim(bottom=0)
    grid[0].locator_params(axis="x", nbins=4)
    figure.supylabel("loss, nats per item")
    add_legend(figure, "optimiser step", handles_of(looks))
    return figure
