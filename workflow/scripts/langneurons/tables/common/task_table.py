"""Task tables: every treatment set against its reference, item by item.

The tables extend Tables 1, 3 to 5, 7 and 8 of Mondal et al. 2025 by what these lack:
intervals, tests, random-neuron controls and the size of what could have been found
(methods.md 2.6). ``task_text`` lays them out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from langneurons.config.errors import DataError, unknown_name
from langneurons.config.names import (
    BASE,
    BASE_SEED,
    NO_TREATMENT,
)
from langneurons.stats import resummed, significance
from langneurons.tasks import Metric

from . import columns
from .evaluations import (
    REAL,
    RESAMPLES,
    Evaluation,
    compare,
    holm,
    mean_interval,
)
from .metrics import Shown
from .task_columns import COLUMNS, is_marked
from .words import (
    ATTENTION,
    BRIDGE,
    NOTHING,
    POOLED,
    VIA_ENGLISH,
    is_empty,
)

LAYOUTS = ("interventions", "tunings", "random")
Axes = tuple[Any, ...]
Compared = tuple[Mapping[str, Any], Evaluation, str, Evaluation | None]


def task_table(
    rows: Sequence[Mapping[str, Any]],
    evaluations: Sequence[Evaluation],
    metrics: Mapping[str, Metric],
    *,
    layout: str = "interventions",
    title: str = "",
    resamples: int = RESAMPLES,
) -> pd.DataFrame:
    """Set each evaluation against its reference, metric by metric.

    Args:
        rows: one mapping per evaluation: the columns that name a row, but ``metric``,
            and ``published`` (metric -> value, or None). Method, language set, draw,
            matched and language of the neurons are None without an intervention.
        evaluations: one for each row, in their order.
        metrics: the task's ``METRICS``.
        layout: interventions, tunings or random. In the last two a tuning without
            intervention is set against the tuning ``attention``, or without one against
            ``base``; in ``tunings`` the tuning ``attention`` itself against ``base``.
        title: the task's ``TITLE``.
        resamples: of each bootstrap.

    Returns:
        ``COLUMNS``, one row per evaluation and metric, then the pooled rows where
        there are several seeds. Values and differences are fractions where the unit is
        ``%``, else in that unit. A metric of all items together has a ``value`` and a
        ``delta``, no intervals and no test.

        - ``value``, ``ci``: mean over items with its 95 % interval, Wilson's for a
          binary metric, else a bootstrap over items; of a resummed metric the score of
          all items, and the bootstrap sums their statistics up anew.
        - ``against``: ``none`` (the same model, tuning, seed and language without
          intervention), ``attention`` (that tuning without intervention, the same
          model, seed and language), ``base`` (the same model as it is, the same
          language), ``via_en`` (of a bridge, in a second row: through English), or
          ``-``: a reference, or an intervention on no neurons; set against nothing.
        - ``delta``: the difference with a paired bootstrap 95 % interval over items.
        - ``p_value``: McNemar's exact test for a binary metric, that of the paired
          bootstrap for a resummed one, else a paired permutation test; in pooled rows
          that of each item's mean over the seeds.
        - ``p_holm``: the same after Holm's correction over the rows of the same
          experiment, model and metric that a layout marks (:func:`is_marked`);
          comparisons with ``via_en`` are tests of their own.
        - ``detectable``: smallest difference that the test (at 0.05, before Holm) finds
          with 80 % power.
        - ``task_title``, ``metric_title`` to ``matters``: what the task declares, see
          ``metrics``.

    Raises:
        DataError: files do not fit the rows, or items differ between two that are
            compared.
    """
    if layout not in LAYOUTS:
        raise DataError(unknown_name("layout", layout, LAYOUTS, "task table"))
    if not rows:
        raise DataError("the table has no rows")
    compared = compare_rows(rows, evaluations, layout)
    found = [
        _line(one, metric, given.kind, resamples)
        for one in compared
        for metric, given in metrics.items()
    ]
    for group in seed_groups(compared):
        found += [_pooled_line(group, m, metrics[m].kind, resamples) for m in metrics]
    return framed(found, metrics, title)


def framed(
    lines: Sequence[Mapping[str, Any]], metrics: Mapping[str, Metric], title: str
) -> pd.DataFrame:
    """Make a table of lines; add what the task declares, and Holm's correction."""
    declared = {m: Shown.of(m, given).columns for m, given in metrics.items()}
    given = {"task_title": title}
    found = [{**line, **given, **declared[line["metric"]]} for line in lines]
    table = columns.frame(found, COLUMNS)
    return table.assign(p_holm=holm(table, is_marked(table)))


def compare_rows(
    rows: Sequence[Mapping[str, Any]], evaluations: Sequence[Evaluation], layout: str
) -> list[Compared]:
    """Find what each evaluation is set against; see :func:`task_table`.

    Raises:
        DataError: nothing untreated is beside a treatment, or items differ.
    """
    untreated = {
        _axes(row): evaluation
        for row, evaluation in zip(rows, evaluations, strict=True)
        if row["statistic"] == NO_TREATMENT
    }
    compared: list[Compared] = []
    for row, evaluation in zip(rows, evaluations, strict=True):
        against, reference = _reference(row, evaluation, untreated, layout)
        if reference is not None:
            evaluation.check_items(reference)
        compared.append((row, evaluation, against, reference))
    return compared + _against_english(compared)


def _axes(row: Mapping[str, Any], **changed: str | int) -> Axes:
    """Return what a row shares with the one that it is set against."""
    return tuple((dict(row) | changed)[k] for k in ("model", "tuning", "seed", "lang"))


def _reference(
    row: Mapping[str, Any],
    evaluation: Evaluation,
    untreated: Mapping[Axes, Evaluation],
    layout: str,
) -> tuple[str, Evaluation | None]:
    """Find what a row is set against, and its name."""
    if row["statistic"] != NO_TREATMENT:
        if _axes(row) not in untreated:
            raise DataError(
                f"{evaluation.path}: no evaluation without treatment beside it"
            )
        if is_empty(dict(row) | {"n_neurons": evaluation.record["n_neurons"]}):
            return NOTHING, None  # as without: no test, and no change of zero either
        return NO_TREATMENT, untreated[_axes(row)]
    if layout == "interventions" or row["tuning"] == BASE:
        return NOTHING, None
    attention = untreated.get(_axes(row, tuning=ATTENTION))
    if row["tuning"] != ATTENTION and attention is not None:
        return ATTENTION, attention
    base = untreated.get(_axes(row, tuning=BASE, seed=BASE_SEED))
    # Table 8 has the attention tuning as a reference only.
    if base is not None and (row["tuning"] != ATTENTION or layout == "tunings"):
        return BASE, base
    return NOTHING, None


def _against_english(compared: Sequence[Compared]) -> list[Compared]:
    """Set every other bridge against English, where English is a bridge too."""
    english = {
        _axes(one[0]): one for one in compared if one[0]["treatment"] == VIA_ENGLISH
    }
    found: list[Compared] = []
    for row, evaluation, _, _ in compared:
        beside = english.get(_axes(row))
        if row["method"] == BRIDGE and beside is not None and beside[0] is not row:
            evaluation.check_items(beside[1])
            found.append((row, evaluation, VIA_ENGLISH, beside[1]))
    return found


def names_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the columns that name an evaluation; ``-`` is a text without value."""
    found = {}
    for column in COLUMNS:
        if column.key and column.name in row:
            value = row[column.name]
            is_gap = value is None and column.kind == "text"
            found[column.name] = NOTHING if is_gap else value
    return found


def _line(compared: Compared, metric: str, kind: str, resamples: int) -> dict[str, Any]:
    row, evaluation, against, reference = compared
    line = names_of(row) | {"metric": metric}
    line |= {"n": len(evaluation.items), "against": against}
    line |= {"n_neurons": evaluation.record["n_neurons"]}
    line |= {"published": (row.get("published") or {}).get(metric)}
    if metric in evaluation.values:
        line["value"] = evaluation.values[metric]
        if reference is not None:
            line["delta"] = line["value"] - reference.values[metric]
        return line
    scores = evaluation.of(metric)
    value, low, high = mean_interval(scores, kind, resamples)
    line |= {"value": value, "ci_low": low, "ci_high": high}
    if reference is not None:
        line |= compare(scores, reference.of(metric), kind, resamples)
    return line


def seed_groups(compared: Sequence[Compared]) -> list[list[Compared]]:
    """Group what differs in the seed only, where there are several seeds."""
    groups: dict[Axes, list[Compared]] = {}
    for one in compared:
        if one[2] == VIA_ENGLISH:
            continue  # models as they are have one seed
        # One seed may be asked for by another experiment first.
        names = names_of(one[0]) | {"seed": POOLED, "experiment": ""}
        groups.setdefault(tuple(names.values()), []).append(one)
    several = [group for group in groups.values() if len(group) > 1]
    for group in several:
        for one in group[1:]:
            one[1].check_items(group[0][1])
    return several


def _pooled_line(
    group: Sequence[Compared], metric: str, kind: str, resamples: int
) -> dict[str, Any]:
    """Take the seeds of one treatment together."""
    row, first, against, _ = group[0]
    line = names_of(row) | {"seed": POOLED, "metric": metric, "n": len(first.items)}
    neurons = {one[1].record["n_neurons"] for one in group}
    line |= {"n_neurons": neurons.pop() if len(neurons) == 1 else None}
    line |= {"published": (row.get("published") or {}).get(metric)}
    beside = [one[3] for one in group if one[3] is not None]
    compared = len(beside) == len(group)
    line["against"] = against if compared else NOTHING
    if metric in first.values:
        line["value"] = float(np.mean([one[1].values[metric] for one in group]))
        if compared:
            other = float(np.mean([one.values[metric] for one in beside]))
            line["delta"] = line["value"] - other
        return line
    if metric in first.sums:
        own = [one[1].sums[metric] for one in group]
        line |= resummed.pooled(own, resamples=resamples)
        if compared:
            others_sums = [one.sums[metric] for one in beside]
            line |= resummed.pooled(own, others_sums, resamples)
        return line
    scores = np.stack([one[1].scores[metric] for one in group]).astype(np.float64)
    value, low, high = significance.pooled(scores, resamples)
    line |= {"value": value, "ci_low": low, "ci_high": high}
    if compared:
        references = [one.scores[metric] for one in beside]
        others = np.stack(references).astype(np.float64)
        delta, low, high = significance.pooled(scores - others, resamples)
        line |= {"delta": delta, "delta_ci_low": low, "delta_ci_high": high}
        # Over runs an item has a mean, no longer right or wrong.
        a, b = scores.mean(axis=0), others.mean(axis=0)
        line["p_value"] = significance.paired_permutation(a, b)
        mean_of = REAL if kind == REAL else "score"
        line["detectable"] = significance.detectable(a, b, mean_of)
    return line
