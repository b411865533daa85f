"""The picture of a run: ratios to the baseline, and values against their targets."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from langneurons import figures
from langneurons.figures import BLUE, GREEN, ORANGE, PAGE, PURPLE, SKY, VERMILLION

from .measuring import Row
from .suite import short

LINE = 0.16
"""Height of a dot's line, inches."""

STYLES = (
    (BLUE, "o"),
    (VERMILLION, "s"),
    (GREEN, "D"),
    (PURPLE, "^"),
    (ORANGE, "v"),
    (SKY, "P"),
    ("black", "X"),
)
WIDE = 4.0
"""Largest range of ratios that is still shown on a linear scale."""

GAP = 0.5
"""Space between variants, in lines."""

Place = tuple[str, str]


def panels(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Sort what is drawn into panels: a benchmark each, then values with a target.

    The shape ``tiny`` only shows that the code works; it is left out beside others.
    """
    found: dict[str, list[Row]] = {}
    for r in [r for r in rows if r.shape != "tiny"] or rows:
        if r.ratio is not None and r.baseline != r.variant:
            found.setdefault(
                f"{r.benchmark}: seconds / seconds of baseline", []
            ).append(r)
        elif r.measure is not None and r.target is not None:
            found.setdefault("value / target", []).append(r)
    # Values come last.
    return dict(sorted(found.items(), key=lambda item: item[0] == "value / target"))


@figures.styled
def draw(rows: Sequence[Row], stem: Path) -> Figure:
    """Draw the rows and write ``stem`` + .png and .svg.

    Args:
        rows: of a run.
        stem: path without ending; its folder exists.
    """
    first = rows[0]
    title = f"Benchmarks: torch {first.torch}, {first.threads} threads"
    drawn = panels(rows)
    known = dict.fromkeys(place(r) for part in drawn.values() for r in part)
    style = dict(zip(known, cycle(STYLES), strict=False))
    lines = {name: spots(part) for name, part in drawn.items()}
    heights = [max(of.values()) + 4.2 for of in lines.values()]
    figure = figures.new(PAGE, LINE * sum(heights) + 0.7, title)
    axes = figure.subplots(len(drawn), 1, squeeze=False, height_ratios=heights)[:, 0]
    for ax, (name, part) in zip(axes, drawn.items(), strict=True):
        _panel(ax, part, lines[name], style)
        ax.set_title(name, loc="left")
    handles: list[Any] = [
        Line2D([], [], color=colour, marker=marker, ms=3.6, lw=0.9, label=", ".join(of))
        for of, (colour, marker) in style.items()
    ]
    handles.append(Line2D([], [], color="black", lw=0.6, ls=":", label="no difference"))
    goal: dict[str, Any] = {"marker": "|", "mew": 1.4, "ls": "", "color": "black"}
    handles.append(Line2D([], [], label="target (white: missed)", **goal))
    figure.legend(handles=handles, loc="outside lower center", ncols=4)
    for ending in ("png", "svg"):
        none = {"Software": None} if ending == "png" else {"Date": None}
        figure.savefig(stem.with_suffix(f".{ending}"), metadata=none)
    return figure


def place(r: Row) -> Place:
    """Return what tells the dots of a variant apart."""
    return r.shape, r.dtype


def label(r: Row) -> str:
    """Name a variant in its panel."""
    if r.measure is None:
        return r.variant
    return f"{r.benchmark}: {r.variant}"


def spots(part: Sequence[Row]) -> dict[tuple[str, Place], float]:
    """Give every dot of a panel a line of its own, those of a variant together."""
    found: dict[tuple[str, Place], float] = {}
    y = -GAP
    for name in dict.fromkeys(map(label, part)):
        y += GAP
        for r in part:
            if label(r) == name:
                found[name, place(r)] = y
                y += 1
    return found


def _panel(
    ax: Any,
    part: Sequence[Row],
    lines: dict[tuple[str, Place], float],
    style: dict[Place, tuple[str, str]],
) -> None:
    ends = []
    for r in part:
        colour, marker = style[place(r)]
        y = lines[label(r), place(r)]
        if r.measure is None:
            middle, low, high = (x or 0.0 for x in (r.ratio, r.ratio_min, r.ratio_max))
            limit, said = r.target, f"{middle:.3f}"
            ends.append(1.0)
        else:
            middle = low = high = (r.value or 0.0) / (r.target or 1.0)
            limit, said = 1.0, f"{short(r.value or 0.0)} {r.measure}"
        ends += [low, high]
        ax.plot([low, high], [y, y], "-", color=colour, lw=1.0)
        face = "white" if r.holds == "no" else colour
        ax.plot([middle], [y], marker, color=colour, mfc=face, ms=3.6)
        if limit is not None:
            ax.plot([limit] * 2, [y - 0.4, y + 0.4], "-", color="black", lw=1.4)
            ends.append(limit)
        beside = ("axes fraction", "data")
        more: dict[str, Any] = {"textcoords": "offset points", "va": "center"}
        ax.annotate(said, (1, y), xycoords=beside, xytext=(3, 0), color=colour, **more)
    if part[0].measure is None:
        ax.axvline(1.0, color="black", lw=0.6, ls=":", zorder=0)
    _scale(ax, min(ends), max(ends))
    names = list(dict.fromkeys(name for name, _ in lines))
    middles = [np.mean([y for (of, _), y in lines.items() if of == n]) for n in names]
    ax.set_yticks(middles, names)
    ax.set_ylim(max(lines.values()) + 0.7, -0.7)
    ax.tick_params(axis="y", length=0)


def _scale(ax: Any, low: float, high: float) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    if high / low <= WIDE:
        margin = 0.05 * max(high - low, 0.02)
        ax.set_xlim(low - margin, high + margin)
        return
    ax.set_xscale("log")
    ax.set_xlim(low / 1.15, high * 1.15)
    steps = (1, 2, 5) if np.log10(high / low) < 2 else (1,)
    ax.xaxis.set_major_locator(LogLocator(subs=steps))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
