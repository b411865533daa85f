"""The change of perplexity, language by language: Figures 1 and 20 to 24.

See section 3.1 of methods.md.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from langneurons.config.errors import DataError
from langneurons.config.names import NO_TREATMENT
from langneurons.grid.rows import text_blocks, text_rows

from . import Table
from .common import columns, inputs, planned
from .common.columns import Column
from .common.document import (
    OWN,
    Bullets,
    Cell,
    Document,
    Grid,
    Heading,
    Paragraph,
    Part,
    grid,
    number,
)
from .common.inputs import Reads
from .common.perplexities import shares
from .common.perplexity_summary import perplexity_summary
from .common.task_table import NEURONS
from .common.words import (
    ABSENT,
    DIFFMEAN,
    EMPTY_LEGEND,
    NO_NEURONS,
    NOTHING,
    RANDOM,
    is_empty,
    neurons,
)

if TYPE_CHECKING:
    from langneurons.config.schema import Config

    from .common.inputs import Inputs

COLUMNS = (
    Column("model", "name in the configuration", key=True),
    *NEURONS,
    Column("neuron_lang", "language whose neurons are switched", key=True),
    Column("lang", "language of the text", key=True),
    Column("statistic", "what is written into the neurons; none: nothing", key=True),
    Column("n_chunks", "chunks of text, or sentences", "count"),
    Column("n_tokens", "tokens of text", "count"),
    Column("nll", "negative log-likelihood, nats per token", "number", form=".3f"),
    Column("perplexity", "its exponential", "number", form=",.2f"),
    Column("delta_nll", "change of nats per token", "number", form="+.3f"),
    Column(
        "delta_se", "its standard error over chunks or sentences", "number", form=".3f"
    ),
    Column("delta_perplexity", "change of perplexity", "number", form="+.3f"),
    Column("n_neurons", "neurons switched", "count"),
)


def perplexity_table(
    rows: Sequence[Mapping[str, Any]],
    measured: Sequence[tuple[Mapping[str, Any], Path]],
) -> pd.DataFrame:
    """Set the perplexity of each text under each treatment against that without.

    Args:
        rows: one mapping per row: ``corpus``, ``model``, ``lang`` (of the text),
            ``method``, ``langset``, ``draw``, ``matched``, ``neuron_lang`` and
            ``statistic``.
        measured: the perplexity of each row, and where it was read, for messages.

    Returns:
        ``COLUMNS``, one row for each. ``nll`` and ``delta_nll`` are nats per
        token, every token with the same weight; ``delta_se`` is the standard error of
        the mean difference over chunks or sentences, which are the same for all
        treatments; ``delta_perplexity`` is PPXC(i, j) of the
        paper, for i the language of the neurons and j that of the text. Without neurons
        to switch there is no change.

    Raises:
        DataError: files do not fit the rows or were measured on other chunks.
    """
    if not rows:
        raise DataError("the table has no rows")
    baselines = {
        _axes(row): record
        for row, (record, _) in zip(rows, measured, strict=True)
        if row["statistic"] == NO_TREATMENT
    }
    found = []
    for row, (record, path) in zip(rows, measured, strict=True):
        base = baselines.get(_axes(row))
        if base is None or base["chunk_tokens"] != record["chunk_tokens"]:
            raise DataError(f"{path}: nothing measured without treatment on its chunks")
        line = {k: row[k] for k in ("model", "draw", "lang", "statistic")}
        names = ("method", "langset", "matched", "neuron_lang")
        line |= {k: row[k] or NOTHING for k in names}
        line |= {k: record[k] for k in ("n_chunks", "n_tokens", "nll", "n_neurons")}
        line["perplexity"] = _exp(record["nll"])
        if row["statistic"] != NO_TREATMENT and not is_empty(line):
            change = np.subtract(record["chunk_nll"], base["chunk_nll"])
            spread = standard_error(change, np.array(record["chunk_tokens"]))
            line["delta_nll"] = record["nll"] - base["nll"]
            line["delta_perplexity"] = line["perplexity"] - _exp(base["nll"])
            if spread is not None:
                line["delta_se"] = spread
        found.append(line)
    return columns.frame(found, COLUMNS)


def standard_error(
    change: npt.NDArray[np.float64], tokens: npt.NDArray[np.int64]
) -> float | None:
    """Return the standard error of a mean over the tokens of texts; see ``shares``.

    Args:
        change: [texts] change per token.
        tokens: [texts] how many there are.

    Returns:
        None for a single text.
    """
    if len(change) < 2:
        return None
    return float(shares(change, tokens).std(ddof=1)) / math.sqrt(len(change))


def _axes(row: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return what a row shares with the baseline that it is set against."""
    return row["corpus"], row["model"], row["lang"]


def _exp(nll: float) -> float:
    return math.exp(nll) if nll < 700 else math.inf


def layout(table: pd.DataFrame) -> Document:
    """Lay out the change of negative log-likelihood: rows neurons, columns text.

    Args:
        table: from ``perplexity_table``.
    """
    parts: list[Part] = [Paragraph(LEGEND)]
    treated = table[(table["statistic"] != NO_TREATMENT) & (table["method"] != RANDOM)]
    summary = perplexity_summary(table)
    keys = ["model", "method", "langset", "statistic"]
    for values, part in treated.groupby(keys, sort=False):
        model, method, langset, statistic = values
        langs = list(dict.fromkeys(part["lang"]))
        change = part.pivot(index="neuron_lang", columns="lang", values="delta_nll")
        empty = set(part.loc[part.apply(is_empty, axis=1), "neuron_lang"])
        lines: list[list[Cell | str]] = [
            [
                str(whose),
                *(
                    Cell(NO_NEURONS)
                    if whose in empty
                    else _nats(change.loc[whose, lang], whose == lang)
                    for lang in langs
                ),
            ]
            for whose in dict.fromkeys(part["neuron_lang"])
        ]
        chosen = (summary[keys] == list(values)).all(axis=1)
        title = (
            f"{model}, `{neurons(str(method), str(langset))}`, statistic `{statistic}`"
        )
        whose = "towards" if method == DIFFMEAN else "neurons of"
        changes = grid([whose, *langs], lines, 1, fold=False)
        parts += [Heading(title), changes]
        if chosen.any():  # of neurons
            parts.append(_summary(summary[chosen]))
    none = table[table["statistic"] == NO_TREATMENT]
    plain = [
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
    parts += [Heading("Without intervention"), grid(header, plain, 2)]
    parts += [Heading("In short"), Bullets.of(_in_short(summary))]
    if treated.apply(is_empty, axis=1).any():
        parts.append(Bullets.of(EMPTY_LEGEND))
    return Document("Perplexity under interventions", tuple(parts))


LEGEND = """\
Change of the negative log-likelihood, nats per token, when the neurons of the row's
language are switched and text of the column's language is read; held-out text, the same
chunks or sentences in all cells. Positive: the text has become harder. **Bold**: own
language.
The `.tsv` file beside this one has standard errors, perplexities and every draw."""


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


def _nats(value: float, is_own: bool) -> Cell:
    style = OWN if is_own and not math.isnan(value) else ""
    return Cell(number(value, "+.3f"), style)


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
    if draws == 0:  # no controls for this statistic
        return grid(header, [cells[: len(header)] for cells in lines], 1)
    header += [f"random neurons, own text (median of {draws} draws)", "range"]
    return grid(header, lines, 1)


class Perplexity(Table):
    """Perplexity of each text under each treatment, against that without."""

    NAME = "perplexity"
    COLUMNS = COLUMNS
    SHOWS = "whose text suffers when whose neurons are switched (Figures 1, 20 to 24)"
    PLACE = 40

    def names(self, config: Config) -> list[str]:
        return [self.NAME] if text_blocks(config) else []

    def reads(self, config: Config, name: str) -> Reads:
        return Reads(perplexities=text_rows(config))

    def spec(self, config: Config, name: str) -> dict[str, Any]:
        rows = []
        for row in text_rows(config):
            whose = planned.towards(config, row.treatment, row.lang, row.lang)
            axes = {"corpus": row.corpus, "model": row.model, "lang": row.lang}
            rows.append(
                axes | {"neuron_lang": whose} | planned.treated(config, row.treatment)
            )
        return {"rows": rows}

    def build(self, spec: Mapping[str, Any], read: Inputs) -> pd.DataFrame:
        rows = spec["rows"]
        return perplexity_table(rows, inputs.read_perplexities(read, rows))

    def layout(self, table: pd.DataFrame, spec: Mapping[str, Any]) -> Document:
        return layout(table)


TABLE = Perplexity()
