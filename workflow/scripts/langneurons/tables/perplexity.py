"""The numbers behind the figures of perplexity change (methods.md 3.1)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from langneurons.config.errors import DataError
from langneurons.config.names import NO_TREATMENT
from langneurons.jobs import files

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

KEYS: dict[str, type] = {
    **dict.fromkeys(("treatment", "model", "lang"), str),
    **dict.fromkeys(("n_chunks", "n_tokens", "n_neurons"), int),
    "nll": float,
    "chunk_nll": list,
}
"""Keys of a measured perplexity that the table reads, and the types of their values."""


def read(path: Path) -> dict[str, Any]:
    """Read what ``measure_perplexity`` wrote for one treatment.

    Raises:
        DataError: it is damaged, or something else.
    """
    record = files.read_object(path, "a measured perplexity", KEYS)
    nll = record["chunk_nll"]
    if not nll or not all(type(x) in (int, float) and math.isfinite(x) for x in nll):
        raise DataError(f"{path}: chunk_nll is not a list of numbers{files.redo(path)}")
    return record


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
