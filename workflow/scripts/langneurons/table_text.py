"""Tables laid out for reading, in Markdown, as in the paper (Table 1, Figure 20)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd

from .names import NO_TREATMENT
from .tables import NOTHING, RANDOM, perplexity_summary

LEVEL = 0.05  # of significance, after Holm's correction
ABSENT = "–"


def grid(header: Sequence[str], lines: Iterable[Sequence[str]], names: int) -> str:
    """Lay out a Markdown table; columns are padded so that the source reads well too.

    Args:
        header: column titles.
        lines: cells, as many a line as there are titles.
        names: so many first columns are left-aligned, the others right-aligned.
    """
    cells = [list(header), *(list(line) for line in lines)]
    widths = [max(3, *(len(line[i]) for line in cells)) for i in range(len(header))]

    def line(values: Sequence[str]) -> str:
        padded = [
            value.ljust(width) if i < names else value.rjust(width)
            for i, (value, width) in enumerate(zip(values, widths, strict=True))
        ]
        return f"| {' | '.join(padded)} |"

    rule = [
        "-" * width if i < names else "-" * (width - 1) + ":"
        for i, width in enumerate(widths)
    ]
    return "\n".join([line(cells[0]), line(rule), *map(line, cells[1:])])


def _percent(value: float) -> str:
    return ABSENT if math.isnan(value) else f"{100 * value:.1f}"


def _points(value: float) -> str:
    return f"{100 * value:+.1f}"


def task(table: pd.DataFrame, name: str, source: str) -> str:
    """Lay out a task's table like Table 1: rows model, method, language.

    Args:
        table: from ``tables.task_table``.
        name: of the task.
        source: language of the training data.
    """
    items = sorted(table["n"].unique())
    count = f"{items[0]}" if len(items) == 1 else f"{items[0]} to {items[-1]}"
    text = [
        f"# {name}: accuracy under interventions, percent",
        f"Models tuned on `{source}`, tested zero-shot on {count} items a language.",
    ]
    for (tuning, seed), part in table.groupby(["tuning", "seed"], sort=False):
        text += [f"## Tuning `{tuning}`, seed {seed}", _task_grid(part)]
    text += ["## In short", _in_short(table), "## How to read it", TASK_LEGEND]
    return "\n\n".join(text) + "\n"


TASK_LEGEND = """\
- *No Int*: no intervention, with its 95 % interval [Wilson].
- The other columns: the named statistic of the language is written into its neurons.
- ▲ ▼: higher or lower than *No Int* on the same items; exact McNemar test, p < 0.05
  after Holm's correction over all interventions of this table. No mark: no such
  difference was found. Random neurons are a control and are not tested.
- (in parentheses): the value published for the same cell, where there is one.
- *random*: as many random neurons in each layer instead; mean [lowest, highest] draw.
- The `.tsv` file beside this one has every draw, every interval and p-value."""


def _task_grid(part: pd.DataFrame) -> str:
    statistics = list(dict.fromkeys(part["statistic"]))
    statistics = [s for s in statistics if s != NO_TREATMENT]
    lines = []
    for model, rows in part.groupby("model", sort=False):
        none = rows[rows["statistic"] == NO_TREATMENT].set_index("lang")
        for method, langset in _selections(rows):
            for lang in dict.fromkeys(rows["lang"]):
                own = rows[(rows["lang"] == lang) & (rows["langset"] == langset)]
                treated = own[own["method"] == method].set_index("statistic")
                control = own[(own["method"] == RANDOM) & (own["matched"] == method)]
                if own.empty:
                    continue
                if not treated.empty or control.empty:
                    cells = [
                        _cell(treated.loc[s]) if s in treated.index else ABSENT
                        for s in statistics
                    ]
                    head = [str(model), f"{method}.{langset}", str(lang)]
                    lines.append([*head, _baseline(none.loc[lang]), *cells])
                if not control.empty:
                    head = [str(model), f"random for {method}.{langset}", str(lang)]
                    drawn = control.groupby("statistic")["accuracy"]
                    lines.append([*head, "", *_ranges(drawn, statistics)])
        if not _selections(rows):
            lines += [
                [str(model), NOTHING, str(lang), _baseline(row)]
                for lang, row in none.iterrows()
            ]
    return grid(["model", "neurons", "lang", "No Int", *statistics], lines, 3)


def _selections(rows: pd.DataFrame) -> list[tuple[str, str]]:
    """List (method, language set) in order; that of a control is what it matches."""
    treated = rows[rows["statistic"] != NO_TREATMENT]
    methods = treated["method"].where(treated["method"] != RANDOM, treated["matched"])
    return list(dict.fromkeys(zip(methods, treated["langset"], strict=True)))


def _published(row: Any) -> str:
    value = float(row["published"])
    return "" if math.isnan(value) else f" ({_percent(value)})"


def _baseline(row: Any) -> str:
    interval = f"[{_percent(row['ci_low'])}, {_percent(row['ci_high'])}]"
    return f"{_percent(row['accuracy'])} {interval}{_published(row)}"


def _cell(row: Any) -> str:
    mark = ""
    if row["p_holm"] < LEVEL:
        mark = " ▲" if row["delta"] > 0 else " ▼"
    return f"{_percent(row['accuracy'])}{mark}{_published(row)}"


def _ranges(drawn: Any, statistics: Sequence[str]) -> list[str]:
    found = drawn.agg(["mean", "min", "max"])
    return [
        f"{_percent(found.loc[s, 'mean'])} "
        f"[{_percent(found.loc[s, 'min'])}, {_percent(found.loc[s, 'max'])}]"
        if s in found.index
        else ABSENT
        for s in statistics
    ]


def _in_short(table: pd.DataFrame) -> str:
    """Name the strongest and the weakest intervention, and count the clear effects."""
    treated = table[(table["statistic"] != NO_TREATMENT) & (table["method"] != RANDOM)]
    lines = []
    if not treated.empty:
        order = treated.sort_values("delta", key=abs, kind="stable", ascending=False)
        lines += [
            f"- Strongest intervention: {_one_line(order.iloc[0])}",
            f"- Weakest intervention: {_one_line(order.iloc[-1])}",
        ]
        clear = treated[treated["p_holm"] < LEVEL]["delta"]
        lines.append(
            f"- Of {len(treated)} interventions {int((clear > 0).sum())} raise and "
            f"{int((clear < 0).sum())} lower accuracy significantly; the mean change "
            f"is {_points(treated['delta'].mean())} points."
        )
    control = table[table["method"] == RANDOM]
    if not control.empty:
        lines.append(
            f"- Random neurons: mean change {_points(control['delta'].mean())} points "
            f"over {len(control)} draws, languages and statistics, from "
            f"{_points(control['delta'].min())} to {_points(control['delta'].max())}."
        )
    return "\n".join(lines) or "- The table has no interventions."


def _one_line(row: Any) -> str:
    low, high = _points(row["delta_ci_low"]), _points(row["delta_ci_high"])
    return (
        f"{row['model']} {row['method']}.{row['langset']}.{row['statistic']} on "
        f"{row['lang']}, {_points(row['delta'])} points [{low}, {high}], "
        f"Holm p = {row['p_holm']:.2g} ({row['n_neurons']:,} neurons)"
    )


def perplexity(table: pd.DataFrame) -> str:
    """Lay out the change of negative log-likelihood: rows neurons, columns text.

    Args:
        table: from ``tables.perplexity_table``.
    """
    text = ["# Perplexity under interventions", PERPLEXITY_LEGEND]
    treated = table[(table["statistic"] != NO_TREATMENT) & (table["method"] != RANDOM)]
    summary = perplexity_summary(table)
    keys = ["model", "method", "langset", "statistic"]
    for values, part in treated.groupby(keys, sort=False):
        model, method, langset, statistic = values
        langs = list(dict.fromkeys(part["lang"]))
        change = part.pivot(index="neuron_lang", columns="lang", values="delta_nll")
        lines = [
            [
                str(whose),
                *(_nats(change.loc[whose, lang], whose == lang) for lang in langs),
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
    return "\n\n".join(text) + "\n"


PERPLEXITY_LEGEND = """\
Change of the negative log-likelihood, nats per token, when the neurons of the row's
language are switched and text of the column's language is read; held-out text, the same
chunks in all cells. Positive: the text has become harder. **Bold**: own language.
The `.tsv` file beside this one has standard errors, perplexities and every draw."""


def _nats(value: float, bold: bool) -> str:
    return f"**{value:+.3f}**" if bold else f"{value:+.3f}"


def _summary(part: pd.DataFrame) -> str:
    def line(head: Sequence[str], row: Any) -> list[str]:
        values = [row["own"], row["others"], row["random_median"]]
        shown = [ABSENT if math.isnan(v) else f"{v:+.3f}" for v in values]
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
    header += [f"random neurons, own text (median of {draws} draws)", "range"]
    return grid(header, lines, 1)
