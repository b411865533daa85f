"""The paper's procedure against the consistent one, on the same items.

The paper measures statistics before the activation function and writes them after it;
the consistent profile does both at one site (methods.md 1.1, design of ``profile``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from langneurons.config.errors import DataError
from langneurons.config.names import NO_TREATMENT
from langneurons.tasks import Metric

from . import NOTHING, PROFILE_COLUMNS, PROFILE_KEY, RANDOM, check_unique
from .evaluations import RESAMPLES, Evaluation, compare, holm_by_metric
from .metrics import Shown

AXES = ("task", "model", "tuning", "seed", "lang")
NAMES = (*AXES, "method", "langset", "draw", "value_name")
NUMBERS = (
    *PROFILE_COLUMNS[
        PROFILE_COLUMNS.index("none") : PROFILE_COLUMNS.index("n_neurons")
    ],
    "matters",
)
COUNTS = ("draw", "n_neurons", "decimals")
Triple = Sequence[Evaluation]
"""Of no intervention, of the paper's profile and of the consistent one."""


def profile_table(
    pairs: Sequence[Mapping[str, Any]],
    evaluations: Sequence[Triple],
    metrics: Mapping[str, Mapping[str, Metric]],
    titles: Mapping[str, str],
    *,
    resamples: int = RESAMPLES,
) -> pd.DataFrame:
    """Set the two profiles of each intervention side by side.

    Args:
        pairs: one mapping per pair: ``task``, ``kind``, ``model``, ``tuning``,
            ``seed``, ``lang``, ``method``, ``langset``, ``draw``, ``matched`` (the
            method whose counts random neurons have, else None) and ``value_name``.
        evaluations: for each pair those of no intervention, of the paper's profile and
            of the consistent one.
        metrics: for each kind its ``METRICS``.
        titles: for each kind its ``TITLE``.
        resamples: of each bootstrap.

    Returns:
        ``PROFILE_COLUMNS``, one row per pair and metric; empty without pairs. ``none``,
        ``paper`` and ``consistent`` are means over items, the two deltas are against
        ``none``, and ``difference`` is consistent - paper with a paired bootstrap 95 %
        interval and McNemar's exact test, or a paired permutation test for scores.
        ``p_holm``: after Holm's correction over the rows with the same metric, random
        neurons left out. Where there are no neurons to overwrite (``n_neurons`` 0)
        there are no changes and no test. A metric of all items together has no
        interval and no test either.

    Raises:
        DataError: files do not fit the pairs, or items differ.
    """
    if len(pairs) != len(evaluations):
        raise DataError(f"{len(evaluations)} triples for {len(pairs)} pairs")
    found = []
    for pair, triple in zip(pairs, evaluations, strict=True):
        _check(pair, triple)
        for metric, declared in metrics[pair["kind"]].items():
            line = {name: pair[name] for name in NAMES}
            line |= {"matched": pair["matched"] or NOTHING}
            line |= {"metric": metric, "task_title": titles[pair["kind"]]}
            line |= Shown.of(metric, declared).columns
            line |= _numbers(triple, metric, declared.kind, resamples)
            found.append(line)
    table = pd.DataFrame(found, columns=[*PROFILE_COLUMNS])
    tested = (table["method"] != RANDOM) & table["draw"].isna()
    table["p_holm"] = holm_by_metric(table, tested)
    check_unique(table, PROFILE_KEY)
    types: dict[str, Any] = dict.fromkeys(NUMBERS, float)
    return table.astype(types | dict.fromkeys(COUNTS, "Int64"))


def _numbers(triple: Triple, metric: str, kind: str, resamples: int) -> dict[str, Any]:
    """Return the numbers of a pair: of each treatment, and of their differences."""
    found: dict[str, Any] = {"n": len(triple[0].items)}
    found["n_neurons"] = triple[1].record["n_neurons"]
    is_corpus = metric in triple[0].values
    none, paper, consistent = (
        one.values[metric] if is_corpus else one.scores[metric].mean() for one in triple
    )
    found |= {"none": none, "paper": paper, "consistent": consistent}
    if found["n_neurons"] == 0:
        return found
    found |= {"paper_delta": paper - none, "consistent_delta": consistent - none}
    if is_corpus:
        return found | {"difference": consistent - paper}
    scores = [one.scores[metric] for one in triple]
    compared = compare(scores[2], scores[1], kind, resamples)
    found |= {"difference": compared["delta"], "p_value": compared["p_value"]}
    found |= {"diff_ci_low": compared["delta_ci_low"]}
    return found | {"diff_ci_high": compared["delta_ci_high"]}


def _check(pair: Mapping[str, Any], triple: Triple) -> None:
    """Refuse evaluations of another pair, in another order, or of other items."""
    names = ("none", "paper", "consistent")
    if len(triple) != len(names):
        raise DataError(f"{len(triple)} evaluations for a pair, not {len(names)}")
    for name, one in zip(names, triple, strict=True):
        wrong = [
            f"{axis} is {one.record.get(axis)!r}, not {pair[axis]!r}"
            for axis in AXES
            if one.record.get(axis) != pair[axis]
        ]
        if (one.record["treatment"] == NO_TREATMENT) != (name == "none"):
            wrong.append(f"treatment is {one.record['treatment']!r} for {name!r}")
        if wrong:
            raise DataError(
                f"{one.path}: not the evaluation of this pair: {'; '.join(wrong)}"
            )
        one.check_items(triple[0])
