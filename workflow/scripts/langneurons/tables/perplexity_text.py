"""Perplexity changes laid out for reading, a block per selection and statistic."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd

from langneurons.config.names import NO_TREATMENT

from . import EMPTY_LEGEND, NO_NEURONS, RANDOM, perplexity_summary
from .markdown import ABSENT, grid, number


def perplexity(table: pd.DataFrame) -> str:
    """Lay out the change of negative log-likelihood: rows neurons, columns text.

    Args:
        table: from ``perplexity.perplexity_table``.
    """
    text = ["# Perplexity under interventions", PERPLEXITY_LEGEND]
    treated = table[(table["statistic"] != NO_TREATMENT) & (table["method"] != RANDOM)]
    summary = perplexity_summary(table)
    keys = ["model", "method", "langset", "statistic"]
    for values, part in treated.groupby(keys, sort=False):
        model, method, langset, statistic = values
        langs = list(dict.fromkeys(part["lang"]))
        change = part.pivot(index="neuron_lang", columns="lang", values="delta_nll")
        empty = set(part.loc[part["n_neurons"] == 0, "neuron_lang"])
        lines = [
            [
                str(whose),
                *(
                    NO_NEURONS
                    if whose in empty
                    else _nats(change.loc[whose, lang], whose == lang)
                    for lang in langs
                ),
            ]
            for whose in dict.fromkeys(part["neuron_lang"])
        ]
        chosen = (summary[keys] == list(values)).all(axis=1)
        text += [
            f"## {model}, `{method}.{langset}`, statistic `{statistic}`",
            grid(["neurons of", *langs], lines, 1),
            _summary(summary[chosen]),
        ]
    none = table[table["statistic"] == NO_TREATMENT]
    lines = [
        [
            str(row["model"]),
            str(row["lang"]),
            f"{row['nll']:.3f}",
            f"{row['perplexity']:.2f}",
            f"{row['n_tokens']:,}",
        ]
        for _, row in none.iterrows()
    ]
    header = ["model", "text", "nats per token", "perplexity", "tokens"]
    text += ["## Without intervention", grid(header, lines, 2)]
    text += ["## In short", _in_short(summary)]
    if (treated["n_neurons"] == 0).any():
        text.append(EMPTY_LEGEND)
    return "\n\n".join(text) + "\n"


PERPLEXITY_LEGEND = """\
Change of the negative log-likelihood, nats per token, when the neurons of the row's
language are switched and text of the column's language is read; held-out text, the same
chunks in all cells. Positive: the text has become harder. **Bold**: own language.
The `.tsv` file beside this one has standard errors, perplexities and every draw."""


def _in_short(summary: pd.DataFrame) -> str:
    """Say for each selection whether its own language is hit, and hit most."""
    lines = []
    keys = ["model", "method", "langset", "statistic"]
    summary = summary[summary["n_neurons"] > 0]
    for (model, method, langset, statistic), part in summary.groupby(keys, sort=False):
        own, others = part["own"], part["others"]
        text = (
            f"- {model} {method}.{langset}.{statistic}: own text "
            f"{number(own.mean(), '+.3f')} nats per token on the mean, other texts "
            f"{number(others.mean(), '+.3f')}; own text is changed more for "
            f"{int((own > others).sum())} of {len(part)} languages"
        )
        drawn = part[part["draws"] > 0]
        if not drawn.empty:
            more = int((drawn["own"] > drawn["random_high"]).sum())
            text += f", and more than by every random draw for {more} of {len(drawn)}"
        lines.append(f"{text}.")
    return "\n".join(lines) or "- The table has no interventions on neurons."


def _nats(value: float, bold: bool) -> str:
    text = number(value, "+.3f")
    return f"**{text}**" if bold and not math.isnan(value) else text


def _summary(part: pd.DataFrame) -> str:
    def line(head: Sequence[str], row: Any) -> list[str]:
        values = [row["own"], row["others"], row["random_median"]]
        shown = [number(value, "+.3f") for value in values]
        limits = ABSENT
        if not math.isnan(row["random_low"]):
            limits = f"{row['random_low']:+.3f} to {row['random_high']:+.3f}"
        return [*head, *shown, limits]

    lines = [
        line([str(row["neuron_lang"]), f"{row['n_neurons']:,}"], row)
        for _, row in part.iterrows()
    ]
    middle = part[["own", "others", "random_median"]].mean()
    missing = {"random_low": math.nan, "random_high": math.nan}
    lines.append(line(["mean", ""], dict(middle) | missing))
    draws = int(part["draws"].max())
    header = ["neurons of", "neurons", "own text", "other texts (mean)"]
    if draws == 0:  # no controls for this statistic
        return grid(header, [cells[: len(header)] for cells in lines], 1)
    header += [f"random neurons, own text (median of {draws} draws)", "range"]
    return grid(header, lines, 1)
