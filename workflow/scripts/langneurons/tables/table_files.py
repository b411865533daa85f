"""Tables of results, read back from their files of tab-separated values.

Figures, the report and the comparison with published figures read what the tables'
jobs wrote, which may have been edited or damaged since.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from langneurons.config.errors import DataError
from langneurons.jobs import files

NAMES = (
    "model", "method", "langset", "matched", "tuning", "seed", "lang", "statistic",
    "metric", "against", "neuron_lang", "corpus", "site", "quantile", "task",
    "value_name", "source", "item", "within", "not_compared", "task_title",
    "metric_title", "metric_about", "metric_kind", "metric_group", "unit",
)  # fmt: skip
"""Columns of text; ``none`` is a statistic, and ``nan`` is a language."""

NUMBERS = (
    "n", "value", "ci_low", "ci_high", "delta", "delta_ci_low", "delta_ci_high",
    "p_value", "p_holm", "detectable", "n_neurons", "published", "n_chunks", "n_tokens",
    "nll", "perplexity", "delta_nll", "delta_se", "delta_perplexity", "sd", "none",
    "paper", "paper_delta", "consistent", "consistent_delta", "difference",
    "diff_ci_low", "diff_ci_high", "ours", "decimals", "matters",
)  # fmt: skip
"""Columns of numbers; an empty field is none."""


def read_text(path: Path) -> pd.DataFrame:
    """Read a table whose cells are all text.

    Raises:
        DataError: no text, no header, a name twice in it, or a row of another width.
    """
    text = files.read_text(path)
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), "excel-tab", strict=True))
    except csv.Error as error:
        raise _no_table(path, str(error)) from error
    rows = [row for row in rows if row]
    if not rows:
        raise _no_table(path, "it has no header")
    header = rows[0]
    if len(set(header)) < len(header):
        raise _no_table(path, "a column's name stands twice in its header")
    for number, row in enumerate(rows[1:], start=1):
        if len(row) != len(header):
            wrong = f"row {number:,} has {len(row)} cells, its header {len(header)}"
            raise _no_table(path, wrong)
    return pd.DataFrame(rows[1:], columns=header, dtype=str)


def numbers(path: Path, column: pd.Series) -> pd.Series:
    """Turn the text of a column into numbers; an empty field is NaN.

    Raises:
        DataError: names the first cell that is no number.
    """
    try:
        return pd.to_numeric(column.replace("", None))
    except (ValueError, TypeError) as error:
        found = pd.to_numeric(column, errors="coerce")
        bad = column[found.isna() & (column != "")]
        spot = f" {bad.iloc[0]!r} in row {bad.index[0] + 1:,}" if len(bad) else ""
        raise _no_table(path, f"{column.name} is{spot}, not a number") from error


def read(path: Path, text: Iterable[str] = NAMES) -> pd.DataFrame:
    """Read a table of results; an empty field is a missing value, and nothing else is.

    Args:
        path: the file.
        text: columns that stay text. :data:`NUMBERS` must be numbers, and what is
            neither is taken as its cells are.

    Raises:
        DataError: the file is no table, or a cell of :data:`NUMBERS` is no number.
    """
    table = read_text(path)
    for column in table.columns:
        if column in text:
            table[column] = table[column].where(table[column] != "")
        elif column in NUMBERS:
            table[column] = numbers(path, table[column])
        else:
            try:
                table[column] = numbers(path, table[column])
            except DataError:
                table[column] = table[column].where(table[column] != "")
    return table


def _no_table(path: Path, why: str) -> DataError:
    return DataError(
        f"{path}: not a table of tab-separated values ({why}){files.redo(path)}"
    )
