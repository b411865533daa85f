"""Figures of neuron files: how many neurons, shared by whom, and in which layers.

Mondal et al. 2025, Figures 2 to 7 (counts), 8 to 13 (overlap) and 14 to 19 (layers);
the others are ours. The data come from ``selections``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
from matplotlib.colors import Normalize, PowerNorm
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from . import BLUE, COLUMN, TALLEST, new, styled, wrapped
from .matrix import AMOUNTS, add_bar, heat_map, integer, label, pivot, sheet


def _bars(
    labels: list[str], sizes: list[int], texts: list[str], axis: str, title: str
) -> Figure:
    """Draw horizontal bars with a number at the end of each, the first at the top."""
    figure = new(COLUMN, 0.75 + 0.165 * len(labels), title)
    axes = figure.add_subplot()
    spots = np.arange(len(labels))
    axes.barh(spots, sizes, height=0.72, color=BLUE)
    for spot, size, text in zip(spots, sizes, texts, strict=True):
        axes.annotate(
            text,
            (size, spot),
            (2, 0),
            textcoords="offset points",
            va="center_baseline",
        )
    longest = max(map(len, texts), default=1)
    axes.set_xlim(0, max([1, *sizes]) / (0.98 - 0.021 * longest))
    axes.set_yticks(spots, labels)
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(len(labels) - 0.4, -0.6)
    axes.set_xlabel("number of neurons")
    axes.xaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
    axes.set_ylabel(axis)
    return figure


@styled
def draw_counts(data: pd.DataFrame, title: str) -> Figure:
    """Draw the neurons of each language (Figures 2 to 7).

    Args:
        data: columns lang, neurons.
        title: model and selection.
    """
    sizes = [int(n) for n in data["neurons"]]
    texts = [f"{n:,}" for n in sizes]
    title = f"{title}: neurons per language"
    return _bars([*data["lang"]], sizes, texts, "language", title)


@styled
def draw_multiplicity(data: pd.DataFrame, title: str) -> Figure:
    """Draw how many languages a neuron is selected for.

    Args:
        data: columns languages, neurons, share.
        title: model and selection.
    """
    sizes = [int(n) for n in data["neurons"]]
    texts = [
        f"{n:,} ({100 * s:.1f} %)" for n, s in zip(sizes, data["share"], strict=True)
    ]
    title = f"{title}: languages per neuron ({sum(sizes):,} neurons)"
    labels = [str(n) for n in data["languages"]]
    return _bars(labels, sizes, texts, "number of languages", title)


@styled
def draw_overlap(data: pd.DataFrame, title: str) -> Figure:
    """Draw the neurons that languages share (Figures 8 to 13).

    Args:
        data: columns lang, other, neurons.
        title: model and selection.
    """
    matrix = pivot(data, "lang", "other", "neurons")
    title = f"{title}: neurons shared by languages"
    return _symmetric(matrix, title, "shared (grey: all of the language)", integer)


@styled
def draw_jaccard(data: pd.DataFrame, title: str) -> Figure:
    """Draw the share of neurons that languages have in common.

    Args:
        data: columns lang, other, jaccard.
        title: model and selection.
    """
    matrix = pivot(data, "lang", "other", "jaccard")
    title = f"{title}: Jaccard index of languages"
    return _symmetric(
        matrix, title, "shared neurons / neurons of either", "{:.2f}".format
    )


def _symmetric(
    matrix: pd.DataFrame, title: str, bar: str, text: Callable[[float], str]
) -> Figure:
    values = matrix.to_numpy(float)
    own = np.eye(len(matrix), dtype=bool)
    texts = map(text, values.ravel())
    on = sheet(title, list(matrix.index), list(matrix.columns), texts)
    axes = on.grid[0, 0]
    # The diagonal is much larger than the rest and would hide it.
    rest = values[~own & ~np.isnan(values)]
    top = rest.max() if rest.any() else 1
    # From 0 on, numbers that differ little would all have one colour.
    low = rest.min() if rest.any() and 2 * rest.min() > top else 0
    norm = Normalize(low if low < top else 0, top)
    mesh = heat_map(on, axes, matrix, AMOUNTS, norm, text, plain=own)
    axes.set(xlabel="language", ylabel="language")
    add_bar(on.figure, mesh, axes, bar)
    return on.figure


@styled
def draw_layers(data: pd.DataFrame, title: str) -> Figure:
    """Draw in which layers the neurons of each language are (Figures 14 to 19).

    Args:
        data: columns lang, layer, neurons.
        title: model and selection.
    """
    matrix = pivot(data, "layer", "lang", "neurons").sort_index()
    rows = len(matrix)
    largest = max(1, int(matrix.to_numpy().max()))
    numbered = rows <= 60
    row = 0.125 if numbered else min(0.07, (TALLEST - 0.8) / rows)
    names = [str(x) for x in matrix.index], list(matrix.columns)
    on = sheet(f"{title}: neurons per layer", *names, [str(largest)], row=row)
    if not numbered:
        on = replace(on, points=None)
    axes = on.grid[0, 0]

    def text(value: float) -> str:
        return integer(value) if value else ""

    # Most layers have few neurons; the square root keeps them apart.
    norm = PowerNorm(0.5, 0, largest)
    mesh = heat_map(on, axes, matrix, AMOUNTS, norm, text, first_at_top=False)
    for spot, name in enumerate(axes.get_yticklabels()):
        name.set_visible(spot % (4 if numbered else 8) == 0 or rows <= 16)
    axes.set(xlabel="language", ylabel="layer")
    add_bar(on.figure, mesh, axes, "neurons in the layer")
    return on.figure


@styled
def draw_shared(data: pd.DataFrame, title: str, names: tuple[str, str]) -> Figure:
    """Draw the neurons that languages share between two selections.

    Args:
        data: columns lang, other, neurons, n_lang, n_other.
        title: the model.
        names: the selection of the rows and that of the columns.
    """
    matrix = pivot(data, "lang", "other", "neurons")
    n_rows = dict(zip(data["lang"], data["n_lang"], strict=True))
    n_columns = dict(zip(data["other"], data["n_other"], strict=True))
    rows = [f"{x} ({n_rows[x]})" for x in matrix.index]
    columns = [f"{x}\n({n_columns[x]})" for x in matrix.columns]
    values = matrix.to_numpy(float)
    title = f"{title}: neurons shared by {names[0]} and {names[1]}"
    on = sheet(title, rows, columns, map(integer, values.ravel()))
    axes = on.grid[0, 0]
    norm = Normalize(0, max(1, values.max()))
    same = np.equal.outer(matrix.index.to_numpy(), matrix.columns.to_numpy())
    mesh = heat_map(on, axes, matrix, AMOUNTS, norm, integer, boxed=same)
    label(on, axes, columns, rows)
    width, height = on.figure.get_size_inches()
    axes.set_xlabel(wrapped(f"language in {names[1]} (its neurons)", width - 1.2))
    axes.set_ylabel(wrapped(f"language in {names[0]} (its neurons)", height - 0.6))
    add_bar(on.figure, mesh, axes, "neurons shared")
    return on.figure
