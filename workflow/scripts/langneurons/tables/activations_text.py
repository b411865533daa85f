"""Means of activation statistics laid out like the paper's Table 6."""

from __future__ import annotations

import math

import pandas as pd

from .markdown import grid, number

LEGEND = """\
Mean over all neurons of the model of a statistic of each neuron over the tokens of the
language; (in parentheses) the published value, where there is one.

- `gate_pre`: before the activation function; `act_post`: after it.
- `batch_mean`: percentiles within batches of chunks, averaged over the batches (the
  paper's released code); `pooled`: percentiles over all tokens.
- The `.tsv` file beside this one has the standard deviation over neurons and the number
  of tokens."""


def activation_statistics(table: pd.DataFrame) -> str:
    """Lay out a block for each site and kind of quantile.

    Args:
        table: from ``activations.activation_table``.
    """
    text = ["# Activation statistics, mean over neurons", LEGEND]
    heads = ["model", "corpus", "lang"]
    if table["corpus"].nunique() == 1:
        heads.remove("corpus")
    statistics = list(dict.fromkeys(table["statistic"]))
    for (site, quantile), part in table.groupby(["site", "quantile"], sort=False):
        lines = []
        for names, rows in part.groupby(heads, sort=False):
            own = rows.set_index("statistic")
            cells = [
                _cell(own["value"].get(s, math.nan), own["published"].get(s, math.nan))
                for s in statistics
            ]
            lines.append([*map(str, names), *cells])
        text.append(f"## `{site}`, percentiles `{quantile}`")
        text.append(grid([*heads, *statistics], lines, len(heads)))
    return "\n\n".join([*text, "## In short", _in_short(table)]) + "\n"


def _cell(value: float, published: float) -> str:
    text = number(value, ".4f")
    return text if math.isnan(published) else f"{text} ({number(published, '.4f')})"


def _in_short(table: pd.DataFrame) -> str:
    # The mean over tokens stands beside each kind of quantile; count it once.
    beside = table[table["published"].notna()]
    names = ["model", "corpus", "lang", "site", "statistic"]
    beside = beside.drop_duplicates(names)
    if beside.empty:
        return "- There are no published values to compare with."
    distance = (beside["value"] - beside["published"]).abs()
    row = beside.iloc[int(distance.argmax())]
    return (
        f"- {len(beside)} values have a published one beside them; they are "
        f"{distance.mean():.4f} apart on the mean and {distance.max():.4f} at most "
        f"({row['model']} {row['lang']}, `{row['site']}`, {row['statistic']})."
    )
