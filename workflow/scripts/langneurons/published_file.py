"""The file of published figures, read with a check of its layout."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from . import files
from .errors import DataError

KEYS: dict[str, type] = {
    "sources": dict,
    "cells": dict,
    "test_items": dict,
    "language_sets_used": dict,
    "neuron_sets": list,
    "lape_ap90_overlaps": dict,
}
"""Parts that tables, figures or the plan read, and what they are."""


def read(path: Path | str) -> dict[str, Any]:
    """Read ``config/published_results.json``, or a file in its layout.

    Raises:
        DataError: a part is missing or of another type, a row has not as many cells as
            there are columns, or a neuron set does not say whose it is.
    """
    whole = files.read_object(path, "a file of published figures", KEYS)
    for part, table in whole.items():
        if not isinstance(table, dict) or not {"columns", "rows"} & table.keys():
            continue
        where = f"a file of published figures: {part}"
        files.check_keys(path, table, where, {"columns": list, "rows": list})
        width = len(table["columns"])
        for number, row in enumerate(table["rows"], start=1):
            if not isinstance(row, list) or len(row) != width:
                raise DataError(
                    f"{path}: {part}: row {number:,} is not a list of {width} cells, "
                    "one a column"
                )
    names = dict.fromkeys(("model", "method", "language_set"), str)
    for number, entry in enumerate(whole["neuron_sets"], start=1):
        if not isinstance(entry, dict):
            raise DataError(f"{path}: neuron_sets: entry {number} is not an object")
        what = f"a file of published figures: neuron_sets: entry {number}"
        files.check_keys(path, entry, what, names)
    return whole
