"""Heat maps with a number in each cell, as all matrices of this project are drawn."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.colors import Colormap, LinearSegmentedColormap, Normalize

from . import COLUMN, PAGE, PALE, new

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import QuadMesh
    from matplotlib.figure import Figure

CELL_POINTS = 6.0  # size of the numbers in cells
LEAST_POINTS = 4.0  # smaller numbers are left out
LETTER = 0.06  # inches that a letter of a label takes
# Both keep their order in grey print and for colour-blind readers.
AMOUNTS: Colormap = LinearSegmentedColormap.from_list(
    "amounts",
    ["#ffffff", "#e6f5b8", "#a8dcb8", "#52bbc2", "#2491bf", "#225ca7", "#0f2b74"],
)
CHANGES: Colormap = LinearSegmentedColormap.from_list(
    "changes",
    ["#08447e", "#3f8fc4", "#b5d6ea", "#ffffff", "#fdc48f", "#e5781e", "#8f3d04"],
)


def pivot(data: pd.DataFrame, rows: str, columns: str, values: str) -> pd.DataFrame:
    """Turn tidy data into a matrix; rows and columns keep their order of appearance."""
    matrix = data.pivot(index=rows, columns=columns, values=values)
    order = dict.fromkeys
    return matrix.loc[[*order(data[rows])], [*order(data[columns])]]


@dataclass(frozen=True)
class Sheet:
    """An empty figure for matrices of one shape.

    Attributes:
        figure: the figure.
        grid: its axes, [lines, columns].
        points: size of the numbers in cells; None: there is no room for any.
        turned: whether labels of columns must stand upright.
    """

    figure: Figure
    grid: npt.NDArray[Any]
    points: float | None
    turned: bool


def sheet(
    title: str,
    rows: Sequence[str],
    columns: Sequence[str],
    texts: Iterable[str],
    shape: tuple[int, int] = (1, 1),
    row: float | None = None,
) -> Sheet:
    """Make a figure of the size that matrices, their labels and a bar need.

    Args:
        title: of the figure.
        rows: labels of the rows.
        columns: labels of the columns; they may have several lines.
        texts: numbers that are printed in cells.
        shape: matrices below and beside each other.
        row: height of a row in inches; None chooses one that suits the width.
    """
    left = LETTER * max(map(len, rows)) + 0.12 * (1 + (shape != (1, 1)))
    lines = [line for column in columns for line in column.split("\n")]
    longest = LETTER * max(map(len, lines))
    under = 0.12 * len(lines) / len(columns)
    needed = max(0.24, (max(map(len, texts)) * 0.62 * CELL_POINTS + 4) / 72)
    if longest < 2 * needed:  # rather wider cells than labels that are turned
        needed = max(needed, longest + 0.02)
    across = len(columns) * shape[1]
    # Two matrices beside each other have room for their headings.
    least = COLUMN if shape[1] == 1 else 1.5 * COLUMN
    width = min(PAGE, max(least, across * needed + 0.1 * shape[1] + left + 0.7))
    actual = (width - left - 0.7) / across
    turned = longest > actual
    points = CELL_POINTS * min(1, actual / needed)
    if row is None:  # neither flat cells nor tall ones
        row = min(0.34, max(0.2, 0.62 * actual))
    height = len(rows) * row + (longest if turned else under)
    height = shape[0] * (height + (0.25 if shape != (1, 1) else 0.05)) + 0.6
    figure = new(width, max(1.7, height), title)
    grid = figure.subplots(
        *shape, squeeze=False, sharex=shape[0] == 1, sharey=shape[1] > 1
    )
    return Sheet(figure, grid, points if points >= LEAST_POINTS else None, turned)


def fits_beside(panels: int, rows: Sequence[str], columns: int, cell: float) -> bool:
    """Tell whether matrices with cells of a width, in inches, fit beside each other."""
    left = LETTER * max(map(len, rows)) + 0.24
    return panels * (columns * cell + 0.1) + left + 0.7 <= PAGE


def heat_map(
    on: Sheet,
    axes: Axes,
    matrix: pd.DataFrame,
    colours: Colormap,
    norm: Normalize,
    text: Callable[[float], str],
    plain: npt.NDArray[np.bool_] | None = None,
    boxed: npt.NDArray[np.bool_] | None = None,
    first_at_top: bool = True,
) -> QuadMesh:
    """Draw a matrix with its numbers.

    Args:
        on: the figure.
        axes: where on it to draw.
        matrix: [R, C] numbers; missing ones are drawn as grey cells with a dash.
        colours: from value to colour.
        norm: the scale; values beyond it get the colour of its end.
        text: what is printed in a cell, if there is room.
        plain: [R, C] cells that are drawn in grey, outside the scale of colours.
        boxed: [R, C] cells that get a frame.
        first_at_top: whether the first row is at the top.

    Returns:
        The cells, for a colour bar.
    """
    from matplotlib.patches import Rectangle

    values = matrix.to_numpy(float)
    hidden = ~np.isfinite(values) if plain is None else plain | np.isnan(values)
    hidden |= np.isnan(values)
    mesh = axes.pcolormesh(
        np.ma.masked_array(np.clip(values, norm.vmin, norm.vmax), hidden),
        cmap=colours.with_extremes(bad=PALE),
        norm=norm,
        edgecolors="white",
        linewidth=0.4,
    )
    for (row, column), value in np.ndenumerate(values):
        if on.points is None:
            break
        colour = "black"
        if not hidden[row, column]:
            red, green, blue, _ = mesh.to_rgba(np.clip(value, norm.vmin, norm.vmax))
            bright = 0.299 * red + 0.587 * green + 0.114 * blue
            colour = "white" if bright < 0.5 else "black"
        axes.text(
            column + 0.5,
            row + 0.48,
            "–" if math.isnan(value) else text(value),
            ha="center",
            va="center_baseline",
            fontsize=on.points,
            color=colour,
        )
    for row, column in np.argwhere(boxed) if boxed is not None else ():
        frame = Rectangle((column, row), 1, 1, fill=False, ec="black", lw=0.9, zorder=3)
        axes.add_patch(frame)
    label(on, axes, map(str, matrix.columns), map(str, matrix.index))
    axes.tick_params(length=0, pad=2)
    axes.spines[:].set_visible(False)
    if first_at_top:
        axes.invert_yaxis()
    return mesh


def integer(value: float) -> str:
    """Write a count."""
    return f"{value:.0f}"


def signed(value: float) -> str:
    """Write a change shortly: three figures, a power of ten beyond 10 000."""
    if math.isinf(value):
        return "+∞" if value > 0 else "−∞"
    size = abs(value)
    digits = 2 if size < 9.995 else 1 if size < 99.95 else 0
    short = f"{size:.{digits}f}"
    if size >= 9999.5:
        figure, power = f"{size:.0e}".split("e")
        short = f"{figure}e{int(power)}"
    if float(short) == 0:
        return short
    return ("+" if value > 0 else "−") + short


def label(on: Sheet, axes: Axes, columns: Iterable[str], rows: Iterable[str]) -> None:
    """Name columns and rows of a matrix."""
    columns, rows = list(columns), list(rows)
    turn = 90 if on.turned else 0
    axes.set_xticks(np.arange(len(columns)) + 0.5, columns, rotation=turn)
    axes.set_yticks(np.arange(len(rows)) + 0.5, rows)


def add_bar(figure: Any, mesh: QuadMesh, axes: Any, name: str, **more: Any) -> None:
    """Add a colour bar beside the axes."""
    bar = figure.colorbar(mesh, ax=axes, aspect=30, pad=0.02, **more)
    bar.set_label(name)
    bar.outline.set_linewidth(0.4)
    bar.ax.tick_params(size=2)
