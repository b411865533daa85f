"""The file of published figures, read with a check of its layout."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from pathlib import Path
from typing import Any

from langneurons.config.errors import DataError
from langneurons.jobs import files

WHAT = "a file of published figures"
AXES = ("source", "model", "tuning", "method", "task", "metric", "lang", "statistic")
TABLES: dict[str, tuple[str, ...]] = {
    "cells": (*AXES, "value"),
    "raw_files": (*AXES, "n", "value"),
    "test_items": ("task", "model", "lang", "n"),
    "percent_metrics": ("metric", "last_digit"),
    "lape_ap90_overlaps": ("model", "lang", "lape_language_set", "neurons"),
}
"""Parts with ``columns`` and ``rows``, and the columns that are read."""

NUMBERS: dict[str, type] = {
    "value": float, "n": int, "neurons": int, "last_digit": float
}  # fmt: skip
"""Columns of numbers; the others are text or null."""

SET: dict[str, type] = {
    **dict.fromkeys(("source", "model", "method", "language_set"), str),
    "layers": int,
    "counts": dict,
    "overlaps": list,
    "neurons_per_layer": dict,
}
"""Keys of a neuron set, and the types of their values."""


def read(path: Path | str) -> dict[str, Any]:
    """Read ``config/published_results.json``, or a file in its layout.

    Raises:
        DataError: names the part, row or neuron set that is not as it should be.
    """
    parts: dict[str, type] = {**dict.fromkeys(TABLES, dict), "neuron_sets": list}
    parts |= {"sources": dict, "language_sets_used": dict}
    whole = files.read_object(path, WHAT, parts)
    for part, columns in TABLES.items():
        _check_table(path, part, whole[part], columns)
    _check_metrics(path, whole)
    files.check_keys(
        path, whole["lape_ap90_overlaps"], f"{WHAT}: overlaps", {"source": str}
    )
    for number, entry in enumerate(whole["neuron_sets"], start=1):
        what = f"{WHAT}: neuron set {number}"
        if not isinstance(entry, dict):
            raise DataError(f"{path}: not {what}, but {entry!r}")
        files.check_keys(path, entry, what, SET)
        _check_set(f"{path}: neuron set {number}", entry)
    return whole


def _check_metrics(path: Path | str, whole: Mapping[str, Any]) -> None:
    """Check that a printed cell of a task has a metric that is said to be percent."""
    listed = [row[0] for row in _cells_of(whole["percent_metrics"], "metric")]
    for number, row in enumerate(_cells_of(whole["cells"], "task", "metric"), start=1):
        if row[0] is not None and row[1] not in listed:
            raise DataError(
                f"{path}: cells: row {number:,}: percent_metrics does not have its "
                f"metric, {row[1]!r}; it has {', '.join(listed)}"
            )


def _cells_of(table: Mapping[str, Any], *columns: str) -> list[list[Any]]:
    spots = [table["columns"].index(column) for column in columns]
    return [[row[spot] for spot in spots] for row in table["rows"]]


def _check_table(
    path: Path | str, part: str, table: Mapping[str, Any], columns: tuple[str, ...]
) -> None:
    """Check that each row has a cell a column, and numbers where they belong."""
    where = f"{path}: {part}"
    files.check_keys(path, table, f"{WHAT}: {part}", {"columns": list, "rows": list})
    given = table["columns"]
    if absent := [name for name in columns if given.count(name) != 1]:
        raise DataError(f"{where}: no column, or two, of the name {', '.join(absent)}")
    for number, row in enumerate(table["rows"], start=1):
        if not isinstance(row, list) or len(row) != len(given):
            raise DataError(
                f"{where}: row {number:,} is not a list of {len(given)} cells, one for "
                "each column"
            )
        cells = dict(zip(given, row, strict=True))
        files.check_keys(
            path,
            cells,
            f"{WHAT}: {part}, row {number:,}",
            {
                name: NUMBERS.get(name, str)
                for name in columns
                if name in NUMBERS or cells[name] is not None
            },
        )


def _check_set(where: str, entry: Mapping[str, Any]) -> None:
    """Check the counts inside a neuron set."""
    counts, layers = entry["counts"], entry["neurons_per_layer"]
    triples = [t for t in entry["overlaps"] if isinstance(t, list) and len(t) == 3]
    pairs = [{a, b} for a, b, _ in triples if isinstance(a, str) and isinstance(b, str)]
    wanted = [{a, b} for a, b in combinations(counts, 2)]
    if len(pairs) < len(entry["overlaps"]) or any(p not in pairs for p in wanted):
        raise DataError(
            f"{where}: overlaps is not a list of [language, language, count] with "
            "every two languages of counts"
        )
    whole = [*counts.values(), *(n for _, _, n in triples)]
    whole += [entry[key] for key in ("selected", "unique") if key in entry]
    for lang in counts:
        row = layers.get(lang)
        if not isinstance(row, list) or len(row) != entry["layers"]:
            raise DataError(
                f"{where}: neurons_per_layer of {lang!r} is not a list of "
                f"{entry['layers']} counts"
            )
    for row in layers.values():
        whole += row if isinstance(row, list) else [row]
    if bad := [n for n in whole if type(n) is not int]:
        raise DataError(f"{where}: {bad[0]!r} is not a whole number")
