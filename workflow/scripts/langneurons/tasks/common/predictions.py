"""What a task returns of its items, checked before anything is written.

Tables of ``evaluate`` and the metrics of all items together.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from langneurons.config.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

    from .. import Metric

WANTED = {
    "binary": "true or false (bool), or the whole numbers 0 and 1",
    "score": "finite floats from 0 to 1",
    "real": "finite floats",
}


def checked(
    table: pd.DataFrame, metrics: Mapping[str, Metric], where: str
) -> pd.DataFrame:
    """Return a per-item table whose columns of metrics have the types of their kinds.

    Args:
        table: from ``evaluate``; it is not changed.
        metrics: of the task.
        where: what made it, for messages.

    Returns:
        The table as it is, but whole numbers as bool (kind binary) or float64.

    Raises:
        DataError: no row, no numbers of items or not each once, a metric without a
            column, or values that are not of its kind or no statistics; names the
            column, a value and its item.
    """
    import pandas as pd

    if not isinstance(table, pd.DataFrame):
        raise DataError(
            f"{where}: returned {type(table).__name__}; a pandas DataFrame is needed"
        )
    wanted = {n: m.kind for n, m in metrics.items() if m.kind in WANTED}
    summed = list(dict.fromkeys(s for m in metrics.values() for s in m.statistics))
    for name in ("item", *wanted, *summed):
        times = list(table.columns).count(name)
        if times != 1:
            raise DataError(
                f"{where}: {times or 'no'} columns named {name!r}; there must be one "
                f"of each of: {', '.join(('item', *wanted, *summed))}. Found: "
                f"{list(table.columns)}"
            )
    if table.empty:
        raise DataError(f"{where}: the table has no row; one per item is needed")
    items = table["item"].to_numpy()
    _check_items(items, where)
    _check_statistics(table, summed, where)
    cast = {}
    for name, kind in wanted.items():
        values = table[name].to_numpy()
        if values.dtype.kind in "iu":
            if kind != "real":
                _refuse((values != 0) & (values != 1), name, kind, items, values, where)
            cast[name] = values.astype(np.bool_ if kind == "binary" else np.float64)
        elif values.dtype.kind != ("b" if kind == "binary" else "f"):
            _refuse(np.ones(len(values), np.bool_), name, kind, items, values, where)
        elif kind != "binary":
            bad = ~np.isfinite(values)
            if kind == "score":
                bad |= (values < 0) | (values > 1)
            _refuse(bad, name, kind, items, values, where)
    return table.assign(**cast) if cast else table


def _check_statistics(table: pd.DataFrame, names: Sequence[str], where: str) -> None:
    """Refuse statistics that cannot be summed."""
    for name in names:
        values = table[name].to_numpy()
        bad = np.ones(len(values), np.bool_)
        if values.dtype.kind in "iuf":
            bad = ~np.isfinite(values) | (values < 0)
        _refuse(bad, name, "resummed", table["item"].to_numpy(), values, where)


def _check_items(items: np.ndarray[Any, Any], where: str) -> None:
    if items.dtype.kind not in "iu":
        raise DataError(
            f"{where}: column item has {items[0]!r} ({items.dtype}); whole numbers are "
            "needed, the id of each item"
        )
    numbers, times = np.unique(items, return_counts=True)
    if (times > 1).any():
        raise DataError(
            f"{where}: column item has {numbers[times > 1][0]} more than once; there "
            "is one row per item"
        )


def _refuse(
    bad: np.ndarray[Any, Any],
    name: str,
    kind: str,
    items: np.ndarray[Any, Any],
    values: np.ndarray[Any, Any],
    where: str,
) -> None:
    """Raise an error that names the first bad value, if there is one."""
    if bad.any():
        row = int(bad.argmax())
        value = values[row].item() if hasattr(values[row], "item") else values[row]
        raise DataError(
            f"{where}: column {name!r} of kind {kind} has {value!r} "
            f"({values.dtype}) at item {items[row]}; needed: "
            f"{WANTED.get(kind, 'finite numbers, at least 0')}"
        )


def check_whole(
    found: Mapping[str, Any], metrics: Mapping[str, Metric], where: str
) -> None:
    """Refuse what ``corpus`` returned if it is not a number for each of its metrics.

    Args:
        found: from ``corpus``.
        metrics: of the task.
        where: which task it is, for messages.

    Raises:
        DataError: other metrics than those of kind ``corpus``, or a value that is no
            finite number.
    """
    wanted = {name for name, metric in metrics.items() if metric.kind == "corpus"}
    if set(found) != wanted:
        raise DataError(
            f"{where}: corpus() returned {sorted(found)}, but METRICS has "
            f"{sorted(wanted)} of kind corpus"
        )
    for name, value in found.items():
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not number or not math.isfinite(value):
            raise DataError(
                f"{where}: corpus() returned {value!r} for {name!r}, "
                f"{type(value).__name__}; a finite Python number is needed, as float() "
                "makes one"
            )
