"""Languages tested by languages amplified: shifts of facts, and changes of tasks.

Rows are the language of the prompts or test items, columns the language whose neurons
are amplified; beside the selected neurons stand as many random ones.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.colors import Colormap, Normalize
from matplotlib.figure import Figure

from langneurons.config import names
from langneurons.config.errors import DataError
from langneurons.tables.common import one_order, words
from langneurons.tables.common.metrics import Shown

from . import letters_in, robust_limit, styled, wrapped
from .matrix import (
    AMOUNTS,
    CHANGES,
    add_bar,
    fits_beside,
    heat_map,
    integer,
    label,
    pivot,
    sheet,
)

KINDS = {
    "lss": "facts that shift to the neurons' language (LSS), %",
    "lss_plus": "facts that shift, whose object becomes likelier (LSS+), %",
}
"""Columns of the table of steering, and the label of their colours."""
NEEDED = (
    "experiment", "task", "model", "method", "langset", "draw", "matched", "statistic",
    "lang", "neuron_lang", *KINDS,
)  # fmt: skip
SELECTED, RANDOM = "selected", "random"


class Look(NamedTuple):
    """How a matrix is drawn.

    Attributes:
        colours: from value to colour.
        norm: the scale.
        text: of a cell.
        bar: label of the colours.
        rows: label of the rows.
        extend: ends of the scale beyond which there are values.
        boxed: whether the own language has a box.
    """

    colours: Colormap
    norm: Normalize
    text: Callable[[float], str]
    bar: str
    rows: str
    extend: str = "neither"
    boxed: bool = False


def shifts(
    table: pd.DataFrame,
    kind: str,
    *,
    task: str,
    model: str,
    selection: str,
    factor: str,
) -> pd.DataFrame:
    """Pick what one figure shows from the table of steering.

    Args:
        table: see :data:`NEEDED`.
        kind: a key of :data:`KINDS`.
        task: whose facts are asked.
        model: its name.
        selection: ``method.language_set``.
        factor: what is written into the neurons.

    Returns:
        A row a cell: ``neurons`` (selected, or random ones of the same number),
        ``lang`` of the prompts, ``neuron_lang``, ``value`` in percent (of random
        neurons the mean over draws), ``low`` and ``high`` (over draws) and ``draws``.

    Raises:
        DataError: the table has no such rows.
    """
    mine = table[(table["model"] == model) & (table["task"] == task)]
    return _cells(mine.assign(value=100 * mine[kind]), selection, factor)


def task_changes(
    table: pd.DataFrame, metric: str, *, model: str, selection: str, factor: str
) -> pd.DataFrame:
    """Pick the changes of a task's metric, in its unit; as :func:`shifts`.

    Args:
        table: of a task.
        metric: whose changes are shown.
        model: its name.
        selection: ``method.language_set``.
        factor: what is written into the neurons.
    """
    mine = table[(table["model"] == model) & (table["metric"] == metric)]
    # Neurons of several languages together are no column of the matrix.
    is_one = ~mine["neuron_lang"].str.contains("+", regex=False)
    mine = mine[(mine["tuning"] == names.BASE) & is_one]
    scale = Shown.read(mine.iloc[0]).scale if len(mine) else 1.0
    return _cells(mine.assign(value=scale * mine["delta"]), selection, factor)


def _cells(mine: pd.DataFrame, selection: str, factor: str) -> pd.DataFrame:
    chosen = names.Selection.parse(selection)
    treated = mine[
        (mine["statistic"] == factor) & (mine["langset"] == chosen.languages)
    ]
    cells = ["lang", "neuron_lang"]
    own = treated[treated["method"] == chosen.method].drop_duplicates(cells)
    if own.empty:
        raise DataError(f"the table has no rows of {selection} with {factor}")
    is_drawn = treated["method"] == words.RANDOM
    drawn = treated[is_drawn & (treated["matched"] == chosen.method)]
    drawn = drawn.drop_duplicates([*cells, "draw"])
    control = drawn.groupby(cells, sort=False).agg(
        value=("value", "mean"),
        low=("value", "min"),
        high=("value", "max"),
        draws=("value", "size"),
    )
    found = [own[[*cells, "value"]].assign(neurons=SELECTED, draws=1)]
    if len(control):
        found.append(control.reset_index().assign(neurons=RANDOM))
    columns = ["neurons", *cells, "value", "low", "high", "draws"]
    return pd.concat(found, ignore_index=True).reindex(columns=columns)


@styled
def draw_shifts(data: pd.DataFrame, kind: str, title: str) -> Figure:
    """Draw the share of facts that shift, from 0 to 100 %.

    Args:
        data: from :func:`shifts`.
        kind: a key of :data:`KINDS`.
        title: of the figure.
    """
    name = "language of the prompts"
    look = Look(AMOUNTS, Normalize(0, 100), integer, KINDS[kind], name)
    return _draw(data, title, look)


@styled
def draw_task_changes(data: pd.DataFrame, metric: Shown, title: str) -> Figure:
    """Draw the change of a task's metric where each language is tested.

    Args:
        data: from :func:`task_changes`.
        metric: whose changes they are.
        title: of the figure.
    """
    values = data.loc[data["neurons"] == SELECTED, "value"]
    limit = robust_limit(values, 0.95)
    low, high = values.min() < -limit, values.max() > limit
    ends = {(0, 0): "neither", (1, 0): "min", (0, 1): "max", (1, 1): "both"}

    def text(value: float) -> str:
        found = f"{value:+.{metric.decimals}f}".replace("-", "−")
        return found if float(found.replace("−", "-")) else found[1:]

    bar = f"change of {metric.word}{metric.steps}"
    extend = ends[int(low), int(high)]
    scale = Normalize(-limit, limit)
    rows = "language of the test items"
    return _draw(data, title, Look(CHANGES, scale, text, bar, rows, extend, True))


def _draw(data: pd.DataFrame, title: str, look: Look) -> Figure:
    """Draw the matrix of selected neurons, beside or above that of random ones."""
    panels = [n for n in (SELECTED, RANDOM) if (data["neurons"] == n).any()]
    own = data[data["neurons"] == SELECTED]
    rows, columns = one_order.languages(own)
    beside = fits_beside(len(panels), rows, len(columns), 0.3)
    shape = (1, len(panels)) if beside else (len(panels), 1)
    printed = [*map(look.text, data["value"].dropna())] or ["0"]
    on = sheet(title, rows, columns, printed, shape)
    targets = np.array([names.target_of(row) for row in rows])
    same = np.equal.outer(targets, np.array(columns)) if look.boxed else None
    for i, (axes, neurons) in enumerate(zip(on.grid.flat, panels, strict=True)):
        part = data[data["neurons"] == neurons]
        matrix = pivot(part, "lang", "neuron_lang", "value")
        matrix = matrix.reindex(index=rows, columns=columns)
        # Axes that share their direction are turned over once, with the first.
        down = i == 0 or not beside
        mesh = heat_map(
            on,
            axes,
            matrix,
            look.colours,
            look.norm,
            look.text,
            boxed=same,
            first_at_top=down,
        )
        label(on, axes, columns, rows)
        axes.set_title(_heading(part, neurons, on.figure.get_figwidth() / shape[1]))
    on.figure.supxlabel("language whose neurons are amplified")
    for axes in on.grid[:, 0]:
        axes.set_ylabel(look.rows)
    bar = wrapped(look.bar, on.figure.get_figheight() - 0.6)
    add_bar(on.figure, mesh, on.grid, bar, extend=look.extend)
    return on.figure


def _heading(part: pd.DataFrame, neurons: str, room: float) -> str:
    if neurons == SELECTED:
        return "selected neurons"
    draws = int(part["draws"].max())
    number = f"mean of {draws} draws" if draws > 1 else "one draw"
    heading = f"as many random neurons ({number})"
    is_long = len(heading) > letters_in(room - 0.75, 7.5)
    return heading.replace(" (", "\n(") if is_long else heading
