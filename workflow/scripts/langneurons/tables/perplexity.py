"""The numbers behind the figures of perplexity change (methods.md 3.1)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from langneurons.config.errors import DataError
from langneurons.config.names import NO_TREATMENT

from . import (
    NOTHING,
    PERPLEXITY_COLUMNS,
    PERPLEXITY_KEY,
    check_fit,
    check_number,
    check_unique,
    is_empty,
    row_names,
)
from .indexes import Indexes

AXES: dict[str, type] = dict.fromkeys(("model", "lang"), str)
"""What is measured, as its index says, and the types of the values."""
KEYS: dict[str, type] = {
    **dict.fromkeys(("n_chunks", "n_tokens", "n_neurons"), int),
    "nll": float,
}
"""What an index says of each treatment, and the types of the values."""


class Perplexities:
    """The measured perplexities that some indexes list.

    Args:
        indexes: the indexes.

    Raises:
        DataError: an index is damaged, or something else.
    """

    def __init__(self, indexes: Iterable[Path]) -> None:
        self._indexes = Indexes(indexes, "measured perplexities", AXES, KEYS)

    def of(self, row: Mapping[str, Any]) -> tuple[dict[str, Any], Path]:
        """Return the measured perplexity that a row shows, and its file.

        Args:
            row: ``model``, ``lang`` and ``treatment``.

        Returns:
            What the index says of it, and ``chunk_nll``, nats per token of each chunk.

        Raises:
            DataError: no index lists it; its file is missing, damaged, or not the one
                that was listed.
        """
        listed = self._indexes.find(row)
        nll = listed.read(["nll"])["nll"]
        of_all = listed.record["n_chunks"]
        is_right = pd.api.types.is_float_dtype(nll.dtype) and np.isfinite(nll).all()
        if not is_right or len(nll) != of_all:
            raise DataError(
                f"{listed.path}: nll is not {of_all} finite numbers; {listed.again}"
            )
        return {**listed.record, "chunk_nll": nll.tolist()}, listed.path


def perplexity_table(
    rows: Sequence[Mapping[str, Any]],
    records: Sequence[Mapping[str, Any]],
    paths: Sequence[Path],
) -> pd.DataFrame:
    """Set the perplexity of each text under each treatment against that without.

    Args:
        rows: one mapping per row: ``model``, ``lang`` (of the text), ``method``,
            ``langset``, ``draw``, ``matched``, ``neuron_language`` and ``statistic``.
        records: the measured perplexities, in the order of the rows.
        paths: where they were read, for messages.

    Returns:
        ``PERPLEXITY_COLUMNS``, one row for each. ``nll`` and ``delta_nll`` are nats per
        token; ``delta_se`` is the standard error of the mean difference over chunks,
        which are the same for all treatments; ``delta_perplexity`` is PPXC(i, j) of the
        paper, for i the language of the neurons and j that of the text. Without neurons
        to switch there is no change.

    Raises:
        DataError: files do not fit the rows or were measured on other chunks.
    """
    check_number(rows, records)
    baselines: dict[tuple[Any, ...], Mapping[str, Any]] = {}
    for row, record, path in zip(rows, records, paths, strict=True):
        check_fit(row, record, path)
        if row["statistic"] == NO_TREATMENT:
            baselines[_axes(row)] = record
    found = []
    for row, record, path in zip(rows, records, paths, strict=True):
        base = baselines.get(_axes(row))
        if base is None or len(base["chunk_nll"]) != len(record["chunk_nll"]):
            raise DataError(f"{path}: nothing measured without treatment on its chunks")
        line = row_names(row) | {"lang": row["lang"]}
        line["neuron_lang"] = row["neuron_language"] or NOTHING
        line |= {k: record[k] for k in ("n_chunks", "n_tokens", "nll", "n_neurons")}
        line["perplexity"] = _exp(record["nll"])
        if row["statistic"] != NO_TREATMENT and not is_empty(line):
            change = np.subtract(record["chunk_nll"], base["chunk_nll"])
            line["delta_nll"] = record["nll"] - base["nll"]
            line["delta_perplexity"] = line["perplexity"] - _exp(base["nll"])
            if len(change) > 1:
                spread = float(change.std(ddof=1))
                line["delta_se"] = spread / math.sqrt(len(change))
        found.append(line)
    table = pd.DataFrame(found).reindex(columns=[*PERPLEXITY_COLUMNS])
    check_unique(table, PERPLEXITY_KEY)
    numbers = ("delta_nll", "delta_se", "delta_perplexity")
    return table.astype(dict.fromkeys(numbers, float) | {"draw": "Int64"})


def _axes(row: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return what a row shares with the baseline that it is set against."""
    return row["model"], row["lang"]


def _exp(nll: float) -> float:
    return math.exp(nll) if nll < 700 else math.inf
