"""Every row of a table as a grid, as its columns say; for tables of any kind."""

from __future__ import annotations

from typing import Any

import pandas as pd

from .columns import HIDDEN, Column, Columns
from .document import Cell, Grid, grid, number
from .metrics import Shown
from .words import ABSENT


def every_row(table: pd.DataFrame, columns: Columns) -> Grid:
    """Lay out every row of a table as its columns say; others follow as they are."""
    known = {column.name: column for column in columns}
    others = {
        name: Column(
            name, "", "number" if pd.api.types.is_numeric_dtype(table[name]) else "text"
        )
        for name in map(str, table.columns)
        if name not in known
    }
    shown = [
        c for c in (known | others).values() if c.form != HIDDEN and c.name in table
    ]
    shown.sort(key=lambda column: column.kind != "text")
    of_metrics = any(c.form in ("value", "change") for c in shown)
    rows = []
    for row in table.to_dict("records"):
        metric = Shown.read(row) if of_metrics else None
        rows.append([_cell(row[c.name], c, metric) for c in shown])
    texts = sum(column.kind == "text" for column in shown)
    about = [column.about for column in shown]
    return grid([c.name for c in shown], rows, texts, hints=about)


def _cell(value: Any, column: Column, metric: Shown | None) -> Cell:
    if column.kind == "text":
        return Cell(str(value))
    if metric is not None and column.form == "value":
        return Cell(metric.value(value))
    if metric is not None and column.form == "change":
        return Cell(metric.change(value))
    if column.form:
        return Cell(number(value, column.form))
    if pd.isna(value):
        return Cell(ABSENT)
    return Cell(format(float(value), ",.0f" if value == round(value) else ".4f"))
