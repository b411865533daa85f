"""The paper's procedure against the consistent one, on the same items.

The paper measures statistics before the activation function and writes them after it;
the consistent profile does both at one site (methods.md 1.1, design of ``profile``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from ..errors import DataError
from ..names import NO_TREATMENT
from . import PROFILE_COLUMNS, RANDOM
from .evaluations import RESAMPLES, Evaluation, compare, holm_by_metric

AXES = ("task", "model", "tuning", "seed", "lang")
NAMES = (*AXES, "method", "langset", "draw", "value_name")
NUMBERS = PROFILE_COLUMNS[PROFILE_COLUMNS.index("none") :]
Triple = tuple[Evaluation, Evaluation, Evaluation]


def profile_table(
    pairs: Sequence[Mapping[str, Any]],
    evaluations: Sequence[Triple],
    metrics: Mapping[str, Mapping[str, str]],
    resamples: int = RESAMPLES,
) -> pd.DataFrame:
    """Set the two profiles of each intervention side by side.

    Args:
        pairs: one mapping a pair: ``task``, ``kind``, ``model``, ``tuning``, ``seed``,
            ``lang``, ``method``, ``langset``, ``draw`` and ``value_name``.
        evaluations: for each pair those of no intervention, of the paper's profile and
            of the consistent one.
        metrics: for each kind its ``METRICS``.
        resamples: of each bootstrap.

    Returns:
        ``PROFILE_COLUMNS``, one row a pair and metric; empty without pairs. ``none``,
        ``paper`` and ``consistent`` are means over items, the two deltas are against
        ``none``, and ``difference`` is consistent - paper with a paired bootstrap 95 %
        interval and McNemar's exact test, or a paired permutation test for scores.
        ``p_holm``: after Holm's correction over the rows with the same metric, random
        neurons left out.

    Raises:
        DataError: files do not fit the pairs, or items differ.
    """
    if len(pairs) != len(evaluations):
        raise DataError(f"{len(evaluations)} triples of files for {len(pairs)} pairs")
    found = []
    for pair, triple in zip(pairs, evaluations, strict=True):
        _check(pair, triple)
        for metric, kind in metrics[pair["kind"]].items():
            none, paper, consistent = (one.scores[metric] for one in triple)
            compared = compare(consistent, paper, kind, resamples)
            line = {name: pair[name] for name in NAMES}
            line |= {"metric": metric, "n": len(none), "none": none.mean()}
            line |= {"paper": paper.mean(), "consistent": consistent.mean()}
            line |= {"paper_delta": paper.mean() - none.mean()}
            line |= {"consistent_delta": consistent.mean() - none.mean()}
            line |= {"difference": compared["delta"], "p_value": compared["p_value"]}
            line |= {"diff_ci_low": compared["delta_ci_low"]}
            line |= {"diff_ci_high": compared["delta_ci_high"]}
            found.append(line)
    table = pd.DataFrame(found, columns=[*PROFILE_COLUMNS])
    tested = (table["method"] != RANDOM) & table["draw"].isna()
    table["p_holm"] = holm_by_metric(table, tested)
    return table.astype(dict.fromkeys(NUMBERS, float) | {"draw": "Int64"})


def _check(pair: Mapping[str, Any], triple: Triple) -> None:
    """Refuse evaluations of another pair, in another order, or of other items."""
    for name, one in zip(("none", "paper", "consistent"), triple, strict=True):
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
