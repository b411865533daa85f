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
from langneurons.stats import significance

from . import Table
from .common import columns, inputs, planned
from .common.columns import Column
from .common.document import Document
from .common.inputs import Reads
from .common.perplexities import shares
from .common.perplexity_text import layout
from .common.task_columns import NEURONS
from .common.words import NOTHING, is_empty

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
    Column(
        "nll_se", "its standard error over chunks or sentences", "number", form=".3f"
    ),
    Column("perplexity", "its exponential", "number", form=",.2f"),
    Column("delta_nll", "change of nats per token", "number", form="+.3f"),
    Column(
        "delta_se", "its standard error over chunks or sentences", "number", form=".3f"
    ),
    Column("delta_ci_low", "low end of its 95 % interval", "number", form="+.3f"),
    Column("delta_ci_high", "high end of its 95 % interval", "number", form="+.3f"),
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
        token, every token with the same weight; ``nll_se`` and ``delta_se`` are the
        standard errors of a mean, and of the mean difference, over chunks or sentences,
        which are the same for all treatments; ``delta_ci_low`` and ``delta_ci_high``
        are the ends of Student's interval; ``delta_perplexity`` is PPXC(i, j) of the
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
    for row, (record, path) in zip(rows, measured, strict=True):
        base = baselines.get(_axes(row))
        if base is None or base["chunk_tokens"] != record["chunk_tokens"]:
            raise DataError(f"{path}: nothing measured without treatment on its chunks")
    found = []
    for row, (record, _) in zip(rows, measured, strict=True):
        base = baselines[_axes(row)]
        line = {k: row[k] for k in ("model", "draw", "lang", "statistic")}
        names = ("method", "langset", "matched", "neuron_lang")
        line |= {k: row[k] or NOTHING for k in names}
        line |= {k: record[k] for k in ("n_chunks", "n_tokens", "nll", "n_neurons")}
        line["perplexity"] = _exp(record["nll"])
        tokens = np.array(record["chunk_tokens"])
        line["nll_se"] = standard_error(np.array(record["chunk_nll"]), tokens)
        if row["statistic"] != NO_TREATMENT and not is_empty(line):
            change = np.subtract(record["chunk_nll"], base["chunk_nll"])
            line["delta_nll"] = delta = record["nll"] - base["nll"]
            line["delta_perplexity"] = line["perplexity"] - _exp(base["nll"])
            line["delta_se"] = spread = standard_error(change, tokens)
            if spread is not None:
                half = significance.students(len(change)) * spread
                ends = {"delta_ci_low": delta - half, "delta_ci_high": delta + half}
                line |= ends
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
