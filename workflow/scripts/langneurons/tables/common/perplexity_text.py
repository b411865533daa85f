"""The table of perplexities laid out: rows neurons, columns text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd

from langneurons.config.names import NO_TREATMENT

from .document import (
    OWN,
    Bullets,
    Cell,
    Document,
    Grid,
    Heading,
    Paragraph,
    Part,
    Sign,
    code,
    grid,
    number,
)
from .perplexity_summary import perplexity_summary
from .signs import EMPTY, SPREAD, has_spread, is_any, is_bold
from .words import (
    ABSENT,
    DIFFMEAN,
    NO_NEURONS,
    RANDOM,
    is_empty,
    neurons,
)

INTRODUCTION = """\
Text of each language, read while neurons of each language are switched, or while
the model is steered towards each; held-out text, the same chunks or sentences in all
cells."""
CHANGE = Sign(
    "Cells",
    "change of the negative log-likelihood, nats per token; above 0, the text has "
    "become harder",
    is_any,
)
WHOSE = Sign(
    "Rows",
    "language whose neurons are switched; columns: language of the text",
    is_any,
)
OWN_TEXT = Sign("**Bold**", "text of the language whose neurons are switched", is_bold)
ERROR = Sign(SPREAD, "standard error over chunks or sentences", has_spread)
SIGNS: tuple[Sign, ...] = (CHANGE, WHOSE, OWN_TEXT, ERROR, EMPTY)
TOWARDS = "towards"
TOWARDS_WHICH = Sign(
    f"Rows *{TOWARDS}*",
    "language towards which the mean difference is added; columns: language of the "
    "text",
    is_any,
)
OWN_DIRECTION = Sign("**Bold**", "text of the language of the row", is_bold)
STEERED: tuple[Sign, ...] = (CHANGE, TOWARDS_WHICH, OWN_DIRECTION, ERROR)
LAST = "- The `.tsv` file beside this one has intervals, perplexities and every draw."


def layout(table: pd.DataFrame) -> Document:
    """Lay out the change of negative log-likelihood: rows neurons, columns text.

    Args:
        table: from ``perplexity_table``.
    """
    parts: list[Part] = [Paragraph(INTRODUCTION)]
    treated = table[(table["statistic"] != NO_TREATMENT) & (table["method"] != RANDOM)]
    summary = perplexity_summary(table)
    keys = ["model", "method", "langset", "statistic"]
    for values, part in treated.groupby(keys, sort=False):
        model, method, langset, statistic = values
        langs = list(dict.fromkeys(part["lang"]))
        change, spread = (
            part.pivot(index="neuron_lang", columns="lang", values=values)
            for values in ("delta_nll", "delta_se")
        )
        empty = set(part.loc[part.apply(is_empty, axis=1), "neuron_lang"])
        lines: list[list[Cell | str]] = [
            [
                str(whose),
                *(
                    Cell(NO_NEURONS)
                    if whose in empty
                    else _nats(
                        change.loc[whose, lang], spread.loc[whose, lang], whose == lang
                    )
                    for lang in langs
                ),
            ]
            for whose in dict.fromkeys(part["neuron_lang"])
        ]
        chosen = (summary[keys] == list(values)).all(axis=1)
        treatment = neurons(str(method), str(langset))
        title = f"{model}, {code(treatment)}, statistic {code(statistic)}"
        whose, signs = "neurons of", SIGNS
        if method == DIFFMEAN:
            whose, signs = TOWARDS, STEERED
        about = "Change by language of the text"
        titles = [whose, *langs]
        changes = grid(titles, lines, 1, fold=False, about=about, signs=signs)
        parts += [Heading(title), changes]
        if chosen.any():  # of neurons
            parts.append(_summary(summary[chosen]))
    none = table[table["statistic"] == NO_TREATMENT]
    plain = [
        [
            str(row["model"]),
            str(row["lang"]),
            _with_error(row["nll"], row["nll_se"], ".3f"),
            f"{row['perplexity']:.2f}",
            f"{row['n_tokens']:,}",
        ]
        for _, row in none.iterrows()
    ]
    header = ["model", "text", "nats per token", "perplexity", "tokens"]
    parts += [Heading("Without intervention"), grid(header, plain, 2, signs=[ERROR])]
    parts += [Heading("In short"), Bullets.of(_in_short(summary))]
    there = [EMPTY.bullet] if treated.apply(is_empty, axis=1).any() else []
    ways = [WHOSE, OWN_TEXT]
    if (treated["method"] == DIFFMEAN).any():
        ways.append(TOWARDS_WHICH)
    legend = [*(sign.bullet for sign in (CHANGE, *ways, ERROR)), *there, LAST]
    parts += [Heading("How to read it", folded=True), Bullets.of(*legend)]
    return Document("Perplexity under interventions", tuple(parts))


def _in_short(summary: pd.DataFrame) -> str:
    """Say for each selection whether its own language is hit, and hit most."""
    lines = []
    keys = ["model", "method", "langset", "statistic"]
    summary = summary[~summary.apply(is_empty, axis=1).astype(bool)]
    for (model, method, langset, statistic), part in summary.groupby(keys, sort=False):
        own, others = part["own"], part["others"]
        text = (
            f"- {model} {neurons(str(method), str(langset))}.{statistic}: own text "
            f"{number(own.mean(), '+.3f')} nats per token on the mean, other texts "
            f"{number(others.mean(), '+.3f')}"
        )
        both = int((own.notna() & others.notna()).sum())  # text of some may be missing
        if both:
            more = int((own > others).sum())
            text += f"; own text is changed more for {more} of {both} languages"
        drawn = part[part["draws"] > 0]
        if not drawn.empty:
            more = int((drawn["own"] > drawn["random_high"]).sum())
            text += f", and more than by every random draw for {more} of {len(drawn)}"
        lines.append(f"{text}.")
    return "\n".join(lines) or "- The table has no interventions on neurons."


def _nats(value: float, error: float, is_own: bool) -> Cell:
    style = OWN if is_own and not math.isnan(value) else ""
    return Cell(_with_error(value, error, "+.3f"), style)


def _with_error(value: float, error: float, form: str) -> str:
    """Write a number with its standard error, where there is one."""
    text = number(value, form)
    return text if math.isnan(error) else f"{text} ± {error:.3f}"


def _summary(part: pd.DataFrame) -> Grid:
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
    whose = "towards" if (part["method"] == DIFFMEAN).all() else "neurons of"
    header = [whose, "neurons", "own text", "other texts (mean)"]
    given: dict[str, Any] = {"about": "Own text and other texts", "signs": [CHANGE]}
    if draws == 0:  # no controls for this statistic
        return grid(header, [cells[: len(header)] for cells in lines], 1, **given)
    header += [f"random neurons, own text (median of {draws} draws)", "range"]
    given["about"] += ", beside random neurons"
    return grid(header, lines, 1, **given)
