"""The tables of results: every treatment against no treatment, item by item.

``task_table`` extends Tables 1 and 4 of Mondal et al. 2025 by what they lack:
intervals, tests and random-neuron controls. ``perplexity_table`` holds the numbers
behind their figures of perplexity change. ``table_text`` lays both out for reading.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from . import files, significance
from .errors import DataError
from .names import NO_TREATMENT

RANDOM = "random"
"""Name of every count-matched random method in the tables."""

NOTHING = "-"
"""Method and language set of a row without an intervention."""

TASK_COLUMNS = (
    "model", "method", "langset", "draw", "matched", "tuning", "seed", "lang",
    "statistic", "n", "accuracy", "ci_low", "ci_high", "delta", "delta_ci_low",
    "delta_ci_high", "p_value", "p_holm", "n_neurons", "published",
)  # fmt: skip
PERPLEXITY_COLUMNS = (
    "model", "method", "langset", "draw", "matched", "neuron_lang", "lang", "statistic",
    "n_chunks", "n_tokens", "nll", "perplexity", "delta_nll", "delta_se",
    "delta_perplexity", "n_neurons",
)  # fmt: skip


@dataclass(frozen=True)
class Evaluation:
    """What one treatment did to each test item.

    Attributes:
        path: the JSON file, for messages.
        record: its content.
        items: int [n] ids of the items.
        correct: bool [n] whether each was answered right.
    """

    path: Path
    record: Mapping[str, Any]
    items: npt.NDArray[np.int64]
    correct: npt.NDArray[np.bool_]

    @classmethod
    def read(cls, path: Path) -> Evaluation:
        """Read an evaluation and the predictions beside it (``.parquet``).

        Raises:
            DataError: the predictions are missing or are not those of the record.
        """
        record = files.read_json(path)
        beside = path.with_suffix(".parquet")
        if not beside.is_file():
            raise DataError(f"{beside}: missing; delete {path} to evaluate again")
        table = pd.read_parquet(beside, columns=["item", "correct"])
        if len(table) != record["n"]:
            raise DataError(
                f"{beside}: {len(table)} items, but {path.name} was made from "
                f"{record['n']}; delete both to evaluate again"
            )
        items = table["item"].to_numpy(np.int64)
        return cls(path, record, items, table["correct"].to_numpy(np.bool_))


def task_table(
    rows: Sequence[Mapping[str, Any]],
    evaluations: Sequence[Evaluation],
    resamples: int = 10_000,
) -> pd.DataFrame:
    """Set each evaluation against the one without a treatment.

    Args:
        rows: one mapping a row: ``model``, ``tuning``, ``seed``, ``lang``, ``method``,
            ``langset``, ``draw``, ``matched``, ``statistic`` and ``published`` (a
            fraction or None); the first four None where there is no treatment.
        evaluations: one for each row, in their order.
        resamples: of the paired bootstrap.

    Returns:
        ``TASK_COLUMNS``, one row a row. Accuracies and differences are fractions.
        ``ci``: Wilson 95 % interval. ``delta``: accuracy minus that of ``none`` with
        the same model, tuning, seed and language, with a paired bootstrap 95 % interval
        over items. ``p_value``: exact McNemar test against ``none``. ``p_holm``: the
        same after Holm's correction over all treatments of the table but the random
        controls.

    Raises:
        DataError: files do not fit the rows, or items differ from those of ``none``.
    """
    _check_number(rows, evaluations)
    baselines: dict[tuple[Any, ...], Evaluation] = {}
    for row, evaluation in zip(rows, evaluations, strict=True):
        _check_fit(row, evaluation.record, evaluation.path)
        if row["statistic"] == NO_TREATMENT:
            baselines[_axes(row)] = evaluation
    found = []
    for row, evaluation in zip(rows, evaluations, strict=True):
        n = len(evaluation.correct)
        right = int(evaluation.correct.sum())
        low, high = significance.wilson(right, n)
        found.append(
            _names(row)
            | {"tuning": row["tuning"], "seed": row["seed"], "lang": row["lang"]}
            | {"n": n, "accuracy": right / n, "ci_low": low, "ci_high": high}
            | _against(row, evaluation, baselines, resamples)
            | {"n_neurons": evaluation.record["n_neurons"]}
            | {"published": row["published"]}
        )
    table = pd.DataFrame(found).reindex(columns=[*TASK_COLUMNS])
    tested = table["p_value"].where(table["method"] != RANDOM)
    table["p_holm"] = significance.holm([float(p) for p in tested])
    numbers = ("delta", "delta_ci_low", "delta_ci_high", "p_value", "published")
    return table.astype(dict.fromkeys(numbers, float) | {"draw": "Int64"})


def _against(
    row: Mapping[str, Any],
    evaluation: Evaluation,
    baselines: Mapping[tuple[Any, ...], Evaluation],
    resamples: int,
) -> dict[str, float]:
    """Compare an evaluation with its baseline; nothing for the baseline itself."""
    if row["statistic"] == NO_TREATMENT:
        return {}
    if _axes(row) not in baselines:
        raise DataError(f"{evaluation.path}: no evaluation without treatment beside it")
    baseline = baselines[_axes(row)]
    if not np.array_equal(evaluation.items, baseline.items):
        raise DataError(
            f"{evaluation.path}: other test items than {baseline.path}; "
            "delete the older of the two to evaluate again"
        )
    a, b = evaluation.correct, baseline.correct
    delta, low, high = significance.paired_bootstrap(a, b, resamples)
    tested = {"p_value": significance.mcnemar_exact(a, b)}
    return {"delta": delta, "delta_ci_low": low, "delta_ci_high": high} | tested


def perplexity_table(
    rows: Sequence[Mapping[str, Any]],
    records: Sequence[Mapping[str, Any]],
    paths: Sequence[Path],
) -> pd.DataFrame:
    """Set the perplexity of each text under each treatment against that without.

    Args:
        rows: one mapping a row: ``model``, ``lang`` (of the text), ``method``,
            ``langset``, ``draw``, ``matched``, ``neuron_language`` and ``statistic``.
        records: the measured perplexities, in the order of the rows.
        paths: where they were read, for messages.

    Returns:
        ``PERPLEXITY_COLUMNS``, one row a row. ``nll`` and ``delta_nll`` are nats per
        token; ``delta_se`` is the standard error of the mean difference over chunks,
        which are the same for all treatments; ``delta_perplexity`` is PPXC(i, j) of the
        paper, for i the language of the neurons and j that of the text.

    Raises:
        DataError: files do not fit the rows or were measured on other chunks.
    """
    _check_number(rows, records)
    baselines: dict[tuple[Any, ...], Mapping[str, Any]] = {}
    for row, record, path in zip(rows, records, paths, strict=True):
        _check_fit(row, record, path)
        if row["statistic"] == NO_TREATMENT:
            baselines[_axes(row)] = record
    found = []
    for row, record, path in zip(rows, records, paths, strict=True):
        base = baselines.get(_axes(row))
        if base is None or len(base["chunk_nll"]) != len(record["chunk_nll"]):
            raise DataError(f"{path}: nothing measured without treatment on its chunks")
        line = _names(row) | {"lang": row["lang"]}
        line["neuron_lang"] = row["neuron_language"] or NOTHING
        line |= {k: record[k] for k in ("n_chunks", "n_tokens", "nll", "n_neurons")}
        line["perplexity"] = _exp(record["nll"])
        if row["statistic"] != NO_TREATMENT:
            change = np.subtract(record["chunk_nll"], base["chunk_nll"])
            line["delta_nll"] = record["nll"] - base["nll"]
            line["delta_perplexity"] = line["perplexity"] - _exp(base["nll"])
            if len(change) > 1:
                spread = float(change.std(ddof=1))
                line["delta_se"] = spread / math.sqrt(len(change))
        found.append(line)
    table = pd.DataFrame(found).reindex(columns=[*PERPLEXITY_COLUMNS])
    numbers = ("delta_nll", "delta_se", "delta_perplexity")
    return table.astype(dict.fromkeys(numbers, float) | {"draw": "Int64"})


def perplexity_summary(table: pd.DataFrame) -> pd.DataFrame:
    """Sum up whether switching a language's neurons hurts that language most.

    Args:
        table: from :func:`perplexity_table`.

    Returns:
        One row for each selection and language whose neurons are switched:
        ``own``, the change of nats per token of that language's own text; ``others``,
        the mean over texts of other languages; ``random_median``, ``random_low``,
        ``random_high`` and ``draws``, the change of the own text when as many random
        neurons are switched instead (NaN without such controls).
    """
    keys = ["model", "method", "langset", "statistic", "neuron_lang"]
    treated = table[(table["statistic"] != NO_TREATMENT)]
    control = treated[treated["method"] == RANDOM]
    found = []
    for values, part in treated[treated["method"] != RANDOM].groupby(keys, sort=False):
        named = dict(zip(keys, values, strict=True))
        lang = named["neuron_lang"]
        same = control["matched"] == named["method"]
        for key in ("model", "langset", "statistic", "neuron_lang"):
            same &= control[key] == named[key]
        drawn = control.loc[same & (control["lang"] == lang), "delta_nll"]
        is_own = part["lang"] == lang
        found.append(
            named
            | {
                "n_neurons": int(part["n_neurons"].iloc[0]),
                "own": part.loc[is_own, "delta_nll"].mean(),
                "others": part.loc[~is_own, "delta_nll"].mean(),
                "random_median": drawn.median(),
                "random_low": drawn.min(),
                "random_high": drawn.max(),
                "draws": len(drawn),
            }
        )
    more = ["n_neurons", "own", "others"]
    more += ["random_median", "random_low", "random_high", "draws"]
    return pd.DataFrame(found, columns=[*keys, *more])


def write_tsv(path: Path, table: pd.DataFrame) -> None:
    """Write a table; a number that does not exist is an empty field."""
    text = table.copy()
    for column in text.select_dtypes("float"):
        digits = ".4g" if str(column).startswith("p_") else ".6f"
        text[column] = [
            "" if math.isnan(value) else format(value, digits) for value in text[column]
        ]
    with files.atomic(path) as part:
        text.to_csv(part, sep="\t", index=False, lineterminator="\n")


def _axes(row: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return what a row shares with the baseline that it is set against."""
    return tuple(row.get(key) for key in ("model", "tuning", "seed", "lang"))


def _names(row: Mapping[str, Any]) -> dict[str, Any]:
    names = {key: row[key] or NOTHING for key in ("method", "langset", "matched")}
    return names | {k: row[k] for k in ("model", "draw", "statistic")}


def _exp(nll: float) -> float:
    return math.exp(nll) if nll < 700 else math.inf


def _check_number(rows: Sequence[Any], results: Sequence[Any]) -> None:
    if len(rows) != len(results):
        raise DataError(f"{len(results)} result files for a table of {len(rows)} rows")
    if not rows:
        raise DataError("the table has no rows")


def _check_fit(row: Mapping[str, Any], record: Mapping[str, Any], path: Path) -> None:
    """Refuse a result that was made for another row than the one it is put into."""
    wanted = {k: row[k] for k in ("model", "tuning", "seed", "lang") if k in row}
    wanted["statistic"] = row["statistic"]
    given = {**record, "statistic": record["treatment"].rpartition(".")[2]}
    wrong = [
        f"{key} is {given.get(key)!r}, not {value!r}"
        for key, value in wanted.items()
        if given.get(key) != value
    ]
    if wrong:
        raise DataError(f"{path}: not the result of this row: {'; '.join(wrong)}")
