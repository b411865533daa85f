"""Rows of estimates in a panel for each language, on one common scale."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.ticker import MaxNLocator

from . import COLUMN, PAGE, new, wrapped

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ROW = 0.14  # inches of a row
LETTER = 0.064  # inches of a letter of a group's name
ACROSS = 4  # panels in a line
FULL = 30  # rows of a panel above which panels stand in one row if they can


@dataclass(frozen=True)
class Panels:
    """Empty panels that wait for marks.

    Attributes:
        figure: the figure.
        axes: of each language.
        spots: height of each row, (group, row) -> y.
        limit: the scale goes from -limit to limit, in its unit.
        decimals: digits behind the point of numbers.
    """

    figure: Figure
    axes: dict[str, Axes]
    spots: dict[tuple[str, str], float]
    limit: float
    decimals: int

    def arrow(
        self, axes: Axes, side: float, spot: float, colour: str, face: str
    ) -> float:
        """Draw an arrow at the edge; side is -1 or 1. Returns where it is."""
        edge = side * self.limit * 1.06
        marker = ">" if side > 0 else "<"
        style: dict[str, Any] = dict(color=colour, mfc=face, ms=2.8, mew=0.7)
        axes.plot([edge], [spot], marker, clip_on=False, **style)
        return edge

    def number_if_beyond(
        self, axes: Axes, value: float, spot: float, colour: str, face: str
    ) -> bool:
        """Draw an arrow with the number at the edge for a value beyond the scale."""
        if abs(value) <= self.limit:
            return False
        side = math.copysign(1, value)
        # Large numbers have one digit less behind the point.
        digits = max(0, self.decimals - 1) if abs(value) >= 9.5 else self.decimals
        axes.annotate(
            f"{value:+.{digits}f}".replace("-", "−"),
            (self.arrow(axes, side, spot, colour, face), spot),
            (-4 * side, 0),
            textcoords="offset points",
            ha="right" if side > 0 else "left",
            va="center_baseline",
            fontsize=6,
            bbox={"fc": "white", "ec": "none", "pad": 0.4},
            zorder=5,
        )
        return True


def lay_out(rows: pd.DataFrame, title: str, limit: float, decimals: int) -> Panels:
    """Make the panels, name their rows, and shade a line with each group's name.

    Args:
        rows: columns lang, group and row; order of appearance is kept.
        title: of the figure.
        limit: the scale goes from -limit to limit.
        decimals: digits behind the point of numbers beyond the scale.

    Returns:
        Panels with names and zero lines, without marks.
    """
    langs = list(dict.fromkeys(rows["lang"]))
    spots: dict[tuple[str, str], float] = {}
    heads: dict[str, float] = {}
    widest = max(map(len, rows["row"])) * 0.056 + 0.25
    columns = side_by_side(len(langs), len(rows[["group", "row"]].drop_duplicates()))
    # A panel is wide enough for the names of groups, which run through all of them.
    names = max(map(len, rows["group"])) * LETTER
    width = min(PAGE, max(COLUMN, widest + 1.5 * columns, widest + names + 0.1))
    letters = int((width - widest - 0.1) / LETTER)
    bottom = 0.0
    for group, part in rows.groupby("group", sort=False):
        name = "\n".join(textwrap.wrap(str(group), letters))
        heads[name] = bottom
        bottom += name.count("\n")
        for row in dict.fromkeys(part["row"]):
            bottom += 1
            spots[str(group), str(row)] = bottom
        bottom += 1.15
    lines = math.ceil(len(langs) / columns)
    height = lines * (bottom * ROW + 0.42) + 0.35
    figure = new(width, height, title)
    grid = figure.subplots(lines, columns, sharex=True, sharey=True, squeeze=False)
    for axes in grid.flat[len(langs) :]:
        axes.set_visible(False)
    for i, (lang, axes) in enumerate(zip(langs, grid.flat, strict=False)):
        axes.set_title(lang, pad=3)
        axes.axvline(0, color="0.6", lw=0.6, zorder=1)
        for name, spot in heads.items():
            end = spot + name.count("\n") + 0.5
            axes.axhspan(spot - 0.5, end, color="0.9", lw=0, zorder=1.1)
        axes.grid(axis="y", color="0.93", lw=0.5)
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.tick_params(labelbottom=i + columns >= len(langs))
        if i % columns == 0:
            _name_groups(axes, heads)
    first = grid[0, 0]
    first.set_ylim(bottom - 0.6, -0.55)
    first.set_xlim(-limit * 1.12, limit * 1.12)
    # Numbers at the very end would touch those of the next panel.
    ticks = MaxNLocator(5, steps=[1, 2, 5, 10]).tick_values(-limit, limit)
    first.set_xticks([tick for tick in ticks if abs(tick) <= limit])
    first.set_yticks([*spots.values()], [row for _, row in spots])
    by_lang = dict(zip(langs, grid.flat, strict=False))
    return Panels(figure, by_lang, spots, limit, decimals)


def with_one_scale(
    panels: int, title: str, height: float, *, more: float
) -> tuple[Figure, list[Axes], float]:
    """Make panels that share their axes, few in a line.

    Only the lowest of a column have numbers below them.

    Args:
        panels: how many, at least one.
        title: of the figure.
        height: of a panel, inches.
        more: height above and below all of them, inches.

    Returns:
        The figure, its panels, and the width of one in inches.
    """
    across = min(ACROSS, panels)
    down = math.ceil(panels / across)
    width = PAGE if across > 2 else 0.6 * PAGE
    figure = new(width, down * height + more, title)
    grid = figure.subplots(down, across, squeeze=False, sharex=True, sharey=True).flat
    for i, axes in enumerate(grid):
        axes.set_visible(i < panels)
        axes.tick_params(labelbottom=i + across >= panels)
    return figure, list(grid[:panels]), width / across


def add_legend(figure: Figure, axis: str, handles: Sequence[Any]) -> None:
    """Add the legend below the panels, and above it the label of all their axes.

    It has as few lines as the width of the figure allows.
    """
    width = figure.get_figwidth()
    title = wrapped(axis, width)
    for lines in range(1, len(handles) + 1):
        legend = figure.legend(
            handles=handles,
            loc="outside lower center",
            ncols=math.ceil(len(handles) / lines),
            title=title,
            title_fontsize=7,
            columnspacing=1.4,
            handletextpad=0.5,
            alignment="center",
        )
        legend.get_title().set_multialignment("center")
        taken = legend.get_window_extent(FigureCanvasAgg(figure).get_renderer()).width
        if taken < 0.97 * width * figure.dpi or lines == len(handles):
            break
        legend.remove()
    more = 0.06 + 0.14 * (title.count("\n") + 1) + 0.16 * lines
    figure.set_figheight(figure.get_figheight() + more)


def side_by_side(panels: int, rows: int) -> int:
    """Choose how many panels stand side by side."""
    if panels <= 4:
        return panels
    lines = math.ceil(panels / (6 if rows > FULL else 4))
    return math.ceil(panels / lines)


def _name_groups(axes: Axes, heads: dict[str, float]) -> None:
    """Write group names over the shaded line; they may run through all panels."""
    axes.patch.set_visible(False)
    axes.set_zorder(2)
    for group, spot in heads.items():
        name_group(axes, group, spot + group.count("\n") / 2)


def name_group(axes: Axes, head: str, spot: float) -> None:
    """Write the name of a group of lines beside the left edge; it takes no room."""
    text = axes.annotate(
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


Place = tuple[str, str, str]


def by_row(data: pd.DataFrame) -> list[tuple[Place, pd.DataFrame]]:
    """Split data into those of each language, group and row."""
    parts = data.groupby(["lang", "group", "row"], sort=False)
    return [((str(a), str(b), str(c)), part) for (a, b, c), part in parts]


def dodge(size: int) -> list[float]:
    """Spread marks of one row evenly about its middle."""
    return [0.0] if size == 1 else [0.5 * (i / (size - 1) - 0.5) for i in range(size)]


def order(column: pd.Series) -> pd.Series:
    """Turn values into the order of their first appearance, as a key to sort by."""
    return column.map({v: i for i, v in enumerate(dict.fromkeys(column))})


def joined(values: Iterable[str]) -> str:
    """List different values once, in their order."""
    return ", ".join(dict.fromkeys(values))


def with_whose(rows: pd.DataFrame, column: str, key: Sequence[str]) -> pd.Series:
    """Name what is written into neurons, and whose they are where that differs.

    Args:
        rows: of a table, with ``neuron_lang``.
        column: of what is written.
        key: columns that name a row.
    """
    beside = [name for name in key if name not in ("draw", "neuron_lang")]
    whose = rows.groupby(beside, dropna=False)["neuron_lang"].transform("nunique")
    return rows[column].where(whose < 2, rows[column] + " of " + rows["neuron_lang"])


def pooled_if_there(rows: pd.DataFrame, key: Sequence[str]) -> pd.DataFrame:
    """Keep the pooled row where seeds were pooled, else the row of every seed."""
    pooled = rows["seed"] == "pooled"
    columns = [rows[k].astype("string").fillna("") for k in key]
    has = pooled.groupby(columns, sort=False).transform("any")
    return rows[pooled | ~has]
