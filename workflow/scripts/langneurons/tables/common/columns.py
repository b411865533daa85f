"""Columns of tables: what each means, how it is written, read back and shown.

Figures, the report and the comparison with published numbers read what the tables' jobs
wrote, which may have been edited or damaged since.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from langneurons.config.errors import DataError
from langneurons.jobs import files

HIDDEN = "hidden"


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        name: its title in the file.
        about: what it means.
        kind: text, number, or count (a whole number).
        key: whether it is one of those that name a row: no two rows agree in all.
        form: how a number is shown: a format such as ``+.3f``, or ``value`` or
            ``change`` for one in the unit of the metric of its row. Columns of form
            ``hidden`` are in the file only.
    """

    name: str
    about: str
    kind: Literal["text", "number", "count"] = "text"
    key: bool = False
    form: str = ""


Columns = tuple[Column, ...]


def names(columns: Columns) -> list[str]:
    return [column.name for column in columns]


def key(columns: Columns) -> list[str]:
    """List the columns that name a row."""
    return [column.name for column in columns if column.key]


def frame(rows: Sequence[Mapping[str, Any]], columns: Columns) -> pd.DataFrame:
    """Make a table of its rows; what a row lacks is empty.

    Args:
        rows: column -> value; other keys are left out.
        columns: of the table, in their order.

    Raises:
        DataError: two rows have the same names.
    """
    table = pd.DataFrame(list(rows), columns=names(columns))
    for column in columns:
        given = table[column.name]
        if column.kind == "text":
            table[column.name] = ["" if pd.isna(x) else str(x) for x in given]
        elif column.kind == "count":
            table[column.name] = given.astype("Int64")
        else:
            table[column.name] = given.astype(float)
    check_unique(table, key(columns))
    return table


def check_unique(table: pd.DataFrame, key: Sequence[str]) -> None:
    """Refuse a table in which two rows have the same names.

    Whoever reads it would take one for the other, or average them.

    Args:
        table: of results.
        key: the columns that name a row.

    Raises:
        DataError: two rows agree in all of them; names the first such pair.
    """
    again = table.duplicated(list(key))
    if again.any():
        first = table.loc[again, list(key)].iloc[0]
        found = ", ".join(f"{k} {v}" for k, v in first.items() if not pd.isna(v))
        raise DataError(
            f"the table has {int(again.sum())} rows whose names another row has too, "
            f"the first: {found}. Two entries of the configuration have one name there"
        )


def _written(column: object, value: float) -> str:
    return format(value, ".4g" if str(column).startswith("p_") else ".6f")


def as_written(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table with the digits that its file has, as who reads that sees it."""
    rounded = table.copy()
    for column in rounded.select_dtypes("float"):
        rounded[column] = [float(_written(column, x)) for x in rounded[column]]
    return rounded


def write_tsv(path: Path, table: pd.DataFrame) -> None:
    """Write a table; a number that does not exist is an empty field."""
    text = table.copy()
    for column in text.select_dtypes("float"):
        text[column] = ["" if math.isnan(value) else _written(column, value)
                        for value in text[column]]  # fmt: skip
    with files.atomic(path) as part:
        text.to_csv(part, sep="\t", index=False, lineterminator="\n")


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


def read_table(
    path: Path, columns: Columns, needed: Iterable[str] | None = None
) -> pd.DataFrame:
    """Read a table of results; an empty field is an empty text, or no number.

    Args:
        path: the file.
        columns: of its kind, which say what is text and what is a number: ``none`` is a
            statistic, and ``nan`` is a language. Of other columns in the file each is
            taken as its cells are.
        needed: columns that must be there; None: all of its kind.

    Raises:
        DataError: the file is no table, lacks a column, or a cell is no number.
    """
    table = read_text(path)
    needed = names(columns) if needed is None else needed
    if missing := [name for name in needed if name not in table]:
        lacks = ", ".join(missing)
        raise DataError(f"{path}: the table has no column {lacks}{files.redo(path)}")
    kinds = {column.name: column.kind for column in columns}
    for name in table.columns:
        kind = kinds.get(name)
        if kind == "text":
            continue
        try:
            found = numbers(path, table[name])
        except DataError:
            if kind is not None:
                raise
            continue
        table[name] = _whole(path, found) if kind == "count" else found
        if kind == "number":
            table[name] = table[name].astype(float)
    return table


def _whole(path: Path, column: pd.Series) -> pd.Series:
    try:
        return column.astype("Int64")
    except (TypeError, ValueError) as error:
        raise _no_table(
            path, f"{column.name} has a number that is not whole"
        ) from error


def _no_table(path: Path, why: str) -> DataError:
    return DataError(
        f"{path}: not a table of tab-separated values ({why}){files.redo(path)}"
    )
