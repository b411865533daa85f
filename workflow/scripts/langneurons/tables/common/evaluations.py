"""Evaluations, item by item: how they are read and how two of them are compared."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from langneurons.config.errors import DataError
from langneurons.jobs import files
from langneurons.stats import significance
from langneurons.tasks import Metric

from .metrics import CORPUS
from .words import POOLED

RESAMPLES = 10_000  # of each bootstrap
BINARY, REAL = "binary", "real"


@dataclass(frozen=True)
class Evaluation:
    """What one treatment did to each test item.

    Attributes:
        path: the JSON file, for messages.
        record: its content.
        items: int [n] ids of the items.
        scores: for each metric of single items [n] numbers: bool where an item is
            right or wrong, else float64, from 0 to 1 for a score.
        values: for each metric of all items together its number.
    """

    path: Path
    record: Mapping[str, Any]
    items: npt.NDArray[np.int64]
    scores: Mapping[str, npt.NDArray[Any]]
    values: Mapping[str, float]

    @classmethod
    def read(cls, path: Path, metrics: Mapping[str, Metric]) -> Evaluation:
        """Read an evaluation and the predictions beside it (``.parquet``).

        Args:
            path: the JSON file.
            metrics: the task's ``METRICS``. Those of kind ``corpus`` are read from
                ``metrics`` of the record.

        Raises:
            DataError: the predictions are missing, damaged, lack a metric, or are not
                those of the record, which may lack a metric too.
        """
        keys = {"n": int, "n_neurons": int, "treatment": str}
        record = files.read_object(path, "an evaluation", keys)
        beside = path.with_suffix(".parquet")
        if not beside.is_file():
            raise DataError(f"{beside}: missing; delete {path} to evaluate again")
        # Provenance covers the record; a flipped bit in the table is still a table.
        if record.get("table_sha256") not in (None, files.sha256(beside)):
            raise DataError(
                f"{beside}: damaged, or changed by hand: its content is not what "
                f"{path.name} was written with; delete both to evaluate again"
            )
        kinds = {k: m.kind for k, m in metrics.items() if m.kind != CORPUS}
        table = _predictions(beside, path.name, kinds)
        if len(table) != record["n"]:
            raise DataError(
                f"{beside}: {len(table)} items, but {path.name} was made from "
                f"{record['n']}; delete both to evaluate again"
            )
        scores = {
            name: table[name].to_numpy(np.bool_ if kind == BINARY else np.float64)
            for name, kind in kinds.items()
        }
        values = {k: _of_all(record, k, path) for k in metrics if k not in kinds}
        return cls(path, record, table["item"].to_numpy(np.int64), scores, values)

    def check_items(self, other: Evaluation) -> None:
        """Refuse to compare evaluations of different test items.

        Raises:
            DataError: the items differ, or their order does.
        """
        if not np.array_equal(self.items, other.items):
            raise DataError(
                f"{self.path}: other test items than {other.path}; "
                "delete the older of the two to evaluate again"
            )


def _of_all(record: Mapping[str, Any], metric: str, path: Path) -> float:
    """Read a metric of all items together.

    Raises:
        DataError: it is missing, or no finite number.
    """
    given = record.get("metrics")
    value = given.get(metric) if isinstance(given, dict) else None
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    number = float(value or 0) if is_number else math.nan
    if not math.isfinite(number):
        raise DataError(
            f"{path}: metrics.{metric} is {value!r}, not a finite number; delete it "
            f"and {path.stem}.parquet to evaluate again"
        )
    return number


def _predictions(path: Path, record: str, metrics: Mapping[str, str]) -> pd.DataFrame:
    """Read the items and scores of a per-item table, and check their types.

    Args:
        path: the table.
        record: name of the JSON file beside it, for messages.
        metrics: metric of single items -> its kind.

    Raises:
        DataError: the file is damaged, lacks a column, or has a gap or other values.
    """
    again = f"delete it and {record} to evaluate again"
    if strange := files.nature(path):
        raise DataError(f"{path} is {strange}; {again}")
    try:
        table = pd.read_parquet(path, columns=["item", *metrics])
    # Damage may pass pyarrow's checks and fail anywhere behind them.
    except Exception as error:
        raise DataError(
            f"{path}: damaged, or lacks one of the columns {', '.join(metrics)} "
            f"({error}); {again}"
        ) from error
    checks = {"item": pd.api.types.is_integer_dtype}
    for name, kind in metrics.items():
        checks[name] = (
            pd.api.types.is_bool_dtype
            if kind == BINARY
            else pd.api.types.is_float_dtype
        )
    for name, right in checks.items():
        column = table[name]
        if not right(column.dtype) or column.isna().any():
            raise DataError(
                f"{path}: {name} has gaps or values of type {column.dtype}; {again}"
            )
        if name == "item":
            continue
        if metrics[name] == REAL:
            if not np.isfinite(column).all():
                raise DataError(f"{path}: {name} is not finite everywhere; {again}")
        elif not column.between(0, 1).all():
            raise DataError(f"{path}: {name} is not from 0 to 1 everywhere; {again}")
    return table


def mean_interval(
    values: npt.NDArray[Any], kind: str, resamples: int
) -> tuple[float, float, float]:
    """Return the mean of a metric and its 95 % interval.

    Args:
        values: [n] one number per item.
        kind: "binary" (Wilson's interval), "score" or "real" (percentile bootstrap).
        resamples: of the bootstrap.
    """
    if kind == BINARY:
        right, n = int(values.sum()), len(values)
        return right / n, *significance.wilson(right, n)
    return significance.bootstrap_mean(values, resamples)


def compare(
    a: npt.NDArray[Any], b: npt.NDArray[Any], kind: str, resamples: int
) -> dict[str, float]:
    """Set a metric against the same items under another treatment.

    Args:
        a: [n] the metric with the treatment.
        b: [n] the metric of what it is set against.
        kind: "binary" (McNemar's exact test), "score" or "real" (paired permutation).
        resamples: of the paired bootstrap.

    Returns:
        ``delta``, ``delta_ci_low``, ``delta_ci_high``, ``p_value`` and ``detectable``,
        the smallest difference that the test would have found with 80 % power.
    """
    delta, low, high = significance.paired_bootstrap(a, b, resamples)
    if kind == BINARY:
        p_value = significance.mcnemar_exact(a, b)
    else:
        p_value = significance.paired_permutation(a, b)
    return {
        "delta": delta,
        "delta_ci_low": low,
        "delta_ci_high": high,
        "p_value": p_value,
        "detectable": significance.detectable(a, b, kind),
    }


def holm(table: pd.DataFrame, tested: Iterable[bool]) -> npt.NDArray[np.float64]:
    """Adjust p-values for the number of tests, within experiment, model and metric.

    Rows that pool seeds are families of their own: they repeat the tests of the single
    seeds, and should not pay for them.

    Args:
        table: with ``model``, ``metric``, ``seed`` and ``p_value``, and ``experiment``
            where there are several.
        tested: whether each row counts as a test; the others get NaN.

    Returns:
        [rows] adjusted p-values.
    """
    given = np.where(list(tested), table["p_value"].to_numpy(float), np.nan)
    family = [table[k] for k in ("experiment", "model", "metric") if k in table]
    family.append(table["seed"].astype(str) == POOLED)
    adjusted = np.full(len(table), np.nan)
    for rows in table.groupby(family, sort=False).indices.values():
        adjusted[rows] = significance.holm([float(p) for p in given[rows]])
    return adjusted
