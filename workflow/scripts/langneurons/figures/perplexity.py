"""Change of perplexity, neurons of one language by text of another (methods.md 3.1).

Mondal et al. 2025 show such matrices. Here rows are the languages whose neurons are
overwritten and columns the languages of the text; the labels of the released code are
the other way round. All cells of a column are of the same text.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from langneurons.config import names
from langneurons.config.errors import DataError
from langneurons.tables.common import words

from . import letters_in, robust_limit, styled
from .matrix import CHANGES, add_bar, fits_beside, heat_map, label, pivot, sheet, signed

NEEDED = (
    "model", "method", "langset", "draw", "matched", "neuron_lang", "lang", "statistic",
    "n_tokens", "nll", "perplexity", "delta_nll", "delta_se", "delta_perplexity",
    "n_neurons",
)  # fmt: skip


class Kind(NamedTuple):
    """How a kind of figure names things.

    Attributes:
        change: column of the change.
        value: column of the value.
        name: what changes.
        bar: label of the colours.
        unit: what the values below the columns are.
    """

    change: str
    value: str
    name: str
    bar: str
    unit: str


KINDS = {
    "perplexity": Kind(
        "delta_perplexity",
        "perplexity",
        "perplexity",
        "change of perplexity",
        "perplexity",
    ),
    "nll": Kind(
        "delta_nll",
        "nll",
        "negative log-likelihood",
        "change, nats per token",
        "nats per token",
    ),
}
SELECTED, RANDOM = "selected", "random"


def changes(
    table: pd.DataFrame, kind: str, model: str, selection: str, statistic: str
) -> pd.DataFrame:
    """Pick what one figure shows from the table of perplexities.

    Args:
        table: columns as in ``tables.PERPLEXITY_COLUMNS``.
        kind: ``perplexity`` or ``nll``, a key of :data:`KINDS`.
        model: name of the model.
        selection: ``method.language_set``.
        statistic: what is written into the neurons.

    Returns:
        A row a cell: ``neurons`` (selected, or random ones of the same number),
        ``neuron_lang``, ``lang`` of the text, ``change`` (of random neurons the median
        over draws), ``low`` and ``high`` (over draws), ``draws``, ``se`` (standard
        error over chunks, of the change in nats per token; selected neurons only),
        ``without`` (the value of the text without intervention) and ``n_neurons``.

    Raises:
        DataError: the table has no such rows; names those that it has.
    """
    change, value = KINDS[kind][:2]
    chosen = names.Selection.parse(selection)
    mine = table[table["model"] == model]
    none = mine[mine["statistic"] == names.NO_TREATMENT].set_index("lang")[value]
    treated = mine[
        (mine["statistic"] == statistic) & (mine["langset"] == chosen.languages)
    ]
    own = treated[treated["method"] == chosen.method]
    if own.empty:
        keys = ["model", "method", "langset", "statistic"]
        rest = table[table["statistic"] != names.NO_TREATMENT][keys].drop_duplicates()
        known = ", ".join(".".join(map(str, x)) for x in rest.itertuples(index=False))
        given = f"{model}.{selection}.{statistic}"
        raise DataError(f"no perplexities of {given}; the table has {known or 'none'}")
    drawn = treated[
        (treated["method"] == words.RANDOM) & (treated["matched"] == chosen.method)
    ]
    cells = ["neuron_lang", "lang"]
    single = own[[*cells, "n_neurons"]].assign(
        neurons=SELECTED, change=own[change], draws=1, se=own["delta_se"]
    )
    by_cell = drawn.groupby(cells, sort=False)
    control = by_cell.agg(
        change=(change, "median"),
        low=(change, "min"),
        high=(change, "max"),
        draws=(change, "size"),
        n_neurons=("n_neurons", "first"),
    )
    control = control.reset_index().assign(neurons=RANDOM)
    found = pd.concat([single, control], ignore_index=True)
    found["without"] = found["lang"].map(none)
    columns = ["neurons", *cells, "change", "low", "high", "draws", "se", "without"]
    return found.reindex(columns=[*columns, "n_neurons"])


@styled
def draw_changes(data: pd.DataFrame, kind: str, title: str) -> Figure:
    """Draw the matrix of changes, and beside or below it that of random neurons.

    Args:
        data: from :func:`changes`.
        kind: a key of :data:`KINDS`.
        title: model, selection and statistic.
    """
    words = KINDS[kind]
    panels = [n for n in (SELECTED, RANDOM) if (data["neurons"] == n).any()]
    own = data[data["neurons"] == SELECTED]
    langs = list(dict.fromkeys(own["neuron_lang"]))
    texts = [x for x in langs if x in set(own["lang"])]
    texts += [x for x in dict.fromkeys(own["lang"]) if x not in texts]
    size = dict(zip(own["neuron_lang"], own["n_neurons"], strict=True))
    without = dict(zip(own["lang"], own["without"], strict=True))
    rows = [f"{x} ({int(size[x])})" for x in langs]
    columns = [f"{x}\n{signed(without[x]).lstrip('+')}" for x in texts]
    beside = fits_beside(len(panels), rows, len(texts), 0.3)
    shape = (1, len(panels)) if beside else (len(panels), 1)
    # Without any neurons no cell has a number.
    printed = [*map(signed, data["change"].dropna())] or [signed(0)]
    on = sheet(title, rows, columns, printed, shape)
    limit = robust_limit(own["change"], 0.95)
    norm = Normalize(-limit, limit)
    for i, (axes, neurons) in enumerate(zip(on.grid.flat, panels, strict=True)):
        part = data[data["neurons"] == neurons]
        matrix = pivot(part, "neuron_lang", "lang", "change")
        matrix = matrix.reindex(index=langs, columns=texts)
        same = np.equal.outer(np.array(langs), np.array(texts))
        # Axes that share their direction are turned over once, with the first.
        down = i == 0 or not beside
        mesh = heat_map(
            on, axes, matrix, CHANGES, norm, signed, boxed=same, first_at_top=down
        )
        label(on, axes, columns, rows)
        draws = int(part["draws"].max())
        number = f"median of {draws} draws" if draws > 1 else "one draw"
        heading = f"as many random neurons ({number})"
        heading = "selected neurons" if neurons == SELECTED else heading
        # Beside the matrices are names of rows and the bar of colours.
        room = (on.figure.get_figwidth() - 1.5) / shape[1]
        if len(heading) > letters_in(room, 7.5):
            heading = heading.replace(" (", "\n(")
        axes.set_title(heading)
    broken = "\n" if on.figure.get_figwidth() < 5 else " "
    below = f"(below it: {words.unit} without intervention)"
    on.figure.supxlabel(f"language of the text{broken}{below}")
    for axes in on.grid[:, 0]:
        axes.set_ylabel("language whose neurons\nare overwritten (their number)")
    low, high = own["change"].min() < -limit, own["change"].max() > limit
    extend = {(0, 0): "neither", (1, 0): "min", (0, 1): "max", (1, 1): "both"}
    add_bar(on.figure, mesh, on.grid, words.bar, extend=extend[low, high])
    return on.figure
