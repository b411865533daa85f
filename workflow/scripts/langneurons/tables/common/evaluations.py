"""Evaluations, item by item: how they are read and how two of them are compared."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from langneurons.config.errors import DataError
from langneurons.stats import resummed, significance
from langneurons.stats.resummed import Resummed
from langneurons.tasks import Metric

from .indexes import Indexes, Listed
from .metrics import CORPUS, OF_ALL, RESUMMED
from .words import POOLED, VIA_ENGLISH

RESAMPLES = 10_000  # of each bootstrap
BINARY, REAL = "binary", "real"

Scores = npt.NDArray[Any] | Resummed
"""Numbers of items: [n], or the statistics that make one of all items together."""

AXES: dict[str, type] = {
    **dict.fromkeys(("task", "model", "tuning"), str),
    "seed": int,
    "lang": str,
}
"""What is evaluated, as its index says, and the types of the values."""
KEYS: dict[str, type] = {"n": int, "n_neurons": int, "metrics": dict}
"""What an index says of each treatment, and the types of the values."""


@dataclass(frozen=True)
class Evaluation:
    """What one treatment did to each test item.

    Attributes:
        path: the file of the treatment, for messages.
        record: what was treated (``task``, ``model``, ``tuning``, ``seed``, ``lang``),
            ``treatment``, ``metrics``, ``n`` and ``n_neurons``.
        items: int [n] ids of the items.
        scores: for each metric of single items [n] numbers: bool where an item is
            right or wrong, else float64, from 0 to 1 for a score.
        sums: for each metric of kind resummed the statistics of the items.
        values: for each other metric of all items together its number.
    """

    path: Path
    record: Mapping[str, Any]
    items: npt.NDArray[np.int64]
    scores: Mapping[str, npt.NDArray[Any]]
    values: Mapping[str, float]
    sums: Mapping[str, Resummed] = field(default_factory=dict)

    def of(self, metric: str) -> Scores:
        """Return what single items have of a metric."""
        return self.sums[metric] if metric in self.sums else self.scores[metric]

    def check_items(self, other: Evaluation) -> None:
        """Refuse to compare evaluations of different test items.

        Raises:
            DataError: the items differ, or their order does.
        """
        if not np.array_equal(self.items, other.items):
            raise DataError(
                f"{self.path}: other test items than {other.path}; delete the older of "
                "the two, and the index that lists it, to evaluate again"
            )


class Evaluations:
    """The evaluations that some indexes list, each read when it is first asked for.

    Args:
        indexes: the indexes.
        metrics: for each task its ``METRICS``. Those of kind ``corpus`` are read from
            the index, the others item by item.

    Raises:
        DataError: an index is damaged, or something else.
    """

    def __init__(
        self, indexes: Iterable[Path], metrics: Mapping[str, Mapping[str, Metric]]
    ) -> None:
        self.metrics = metrics
        self._indexes = Indexes(indexes, "evaluations", AXES, KEYS)
        self._read: dict[Path, Evaluation] = {}

    def of(self, row: Mapping[str, Any], **axes: Any) -> Evaluation:
        """Return the evaluation that a row shows.

        Args:
            row: ``task``, ``model``, ``tuning``, ``seed``, ``lang`` and ``treatment``.
            **axes: those of them that are not in the row, or are others.

        Raises:
            DataError: no index lists it; its file is missing, damaged, or not the one
                that was listed; or it lacks a metric.
        """
        listed = self._indexes.find({**row, **axes})
        if listed.path not in self._read:
            declared = self.metrics[listed.record["task"]]
            self._read[listed.path] = _evaluation(listed, declared)
        return self._read[listed.path]


def _evaluation(listed: Listed, metrics: Mapping[str, Metric]) -> Evaluation:
    """Read an evaluation, and check it; see ``Evaluations.of``."""
    kinds = {k: m.kind for k, m in metrics.items() if m.kind not in OF_ALL}
    summed = {k: m for k, m in metrics.items() if m.kind == RESUMMED}
    statistics = list(dict.fromkeys(x for m in summed.values() for x in m.statistics))
    table = _predictions(listed, kinds, statistics)
    if len(table) != listed.record["n"]:
        raise DataError(
            f"{listed.path}: {len(table)} items, but {listed.index.name} says "
            f"{listed.record['n']}; {listed.again}"
        )
    scores = {
        name: table[name].to_numpy(np.bool_ if kind == BINARY else np.float64)
        for name, kind in kinds.items()
    }
    values = {k: _of_all(listed, k) for k, m in metrics.items() if m.kind == CORPUS}
    items = table["item"].to_numpy(np.int64)
    sums = {name: metric.resummed(table) for name, metric in summed.items()}
    return Evaluation(listed.path, listed.record, items, scores, values, sums)


def _of_all(listed: Listed, metric: str) -> float:
    """Read a metric of all items together.

    Raises:
        DataError: it is missing, or no finite number.
    """
    value = listed.record["metrics"].get(metric)
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    number = float(value or 0) if is_number else math.nan
    if not math.isfinite(number):
        raise DataError(
            f"{listed.path}: {metric} of all items is {value!r}, not a finite number; "
            f"{listed.again}"
        )
    return number


def _predictions(
    listed: Listed, metrics: Mapping[str, str], statistics: Sequence[str]
) -> pd.DataFrame:
    """Read the items and scores of a per-item table, and check their types.

    Args:
        listed: the evaluation.
        metrics: metric of single items -> its kind.
        statistics: columns that are summed, of other metrics.

    Returns:
        The table; statistics in the smallest type that holds them.

    Raises:
        DataError: the file is damaged, lacks a column, or has a gap or other values.
    """
    table = listed.read(["item", *metrics, *statistics])
    checks = {"item": pd.api.types.is_integer_dtype}
    checks |= dict.fromkeys(statistics, pd.api.types.is_numeric_dtype)
    for name, kind in metrics.items():
        checks[name] = (
            pd.api.types.is_bool_dtype
            if kind == BINARY
            else pd.api.types.is_float_dtype
        )
    for name, right in checks.items():
        column, wrong = table[name], ""
        if not right(column.dtype) or column.isna().any():
            wrong = f"has gaps or values of type {column.dtype}"
        elif name in statistics:
            there = np.isfinite(column).all() and (column >= 0).all()
            wrong = "" if there else "has a number below 0, or one that is not finite"
        elif metrics.get(name) == REAL:
            wrong = "" if np.isfinite(column).all() else "is not finite everywhere"
        elif name in metrics and not column.between(0, 1).all():
            wrong = "is not from 0 to 1 everywhere"
        if wrong:
            raise DataError(f"{listed.path}: {name} {wrong}; {listed.again}")
    whole = [x for x in statistics if pd.api.types.is_integer_dtype(table[x].dtype)]
    most = int(table[whole].to_numpy().max()) if whole else 0
    return table.astype(dict.fromkeys(whole, np.min_scalar_type(most)))


def level(values: Scores) -> float:
    """Return the mean over items, or the score of all of them."""
    return values.value if isinstance(values, Resummed) else float(values.mean())


def mean_interval(
    values: Scores, kind: str, resamples: int
) -> tuple[float, float, float]:
    """Return the mean of a metric and its 95 % interval.

    Args:
        values: [n] one number per item, or their statistics.
        kind: "binary" (Wilson's interval), "score" or "real" (percentile bootstrap), or
            "resummed" (bootstrap of sums).
        resamples: of the bootstrap.
    """
    if isinstance(values, Resummed):
        return resummed.interval(values, resamples)
    if kind == BINARY:
        right, n = int(values.sum()), len(values)
        return right / n, *significance.wilson(right, n)
    return significance.bootstrap_mean(values, resamples)


def compare(a: Scores, b: Scores, kind: str, resamples: int) -> dict[str, float]:
    """Set a metric against the same items under another treatment.

    Args:
        a: [n] the metric with the treatment.
        b: [n] the metric of what it is set against.
        kind: "binary" (McNemar's exact test), "score" or "real" (paired permutation),
            or "resummed" (bootstrap of sums).
        resamples: of the paired bootstrap.

    Returns:
        ``delta``, ``delta_ci_low``, ``delta_ci_high``, ``p_value`` and ``detectable``,
        the smallest difference that the test would have found with 80 % power.
    """
    if isinstance(a, Resummed) and isinstance(b, Resummed):
        return resummed.compare(a, b, resamples)
    if isinstance(a, Resummed) or isinstance(b, Resummed):
        raise DataError("sums of statistics are set against numbers of single items")
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
    seeds, and should not pay for them; and so are bridges that are set against English.

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
    if "against" in table:
        family.append(table["against"] == VIA_ENGLISH)
    return significance.holm_within(given, zip(*family, strict=True))
