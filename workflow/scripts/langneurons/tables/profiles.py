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

from . import NOTHING, PROFILE_COLUMNS, PROFILE_KEY, RANDOM, check_unique
from .evaluations import RESAMPLES, Evaluation, compare, holm_by_metric

AXES = ("task", "model", "tuning", "seed", "lang")
NAMES = (*AXES, "method", "langset", "draw", "value_name")
NUMBERS = PROFILE_COLUMNS[PROFILE_COLUMNS.index("none") : -1]  # n_neurons is a count
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
            ``lang``, ``method``, ``langset``, ``draw``, ``matched`` (the method whose
            counts random neurons have, else None) and ``value_name``.
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
        neurons left out. Where there are no neurons to overwrite (``n_neurons`` 0)
        there are no changes and no test.

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
            line = {name: pair[name] for name in NAMES}
            line |= {"matched": pair["matched"] or NOTHING}
            line |= {"metric": metric, "n": len(none), "none": none.mean()}
            line |= {"paper": paper.mean(), "consistent": consistent.mean()}
            line |= {"n_neurons": triple[1].record["n_neurons"]}
            found.append(line)
            if line["n_neurons"] == 0:
                continue
            compared = compare(consistent, paper, kind, resamples)
            line |= {"paper_delta": paper.mean() - none.mean()}
            line |= {"consistent_delta": consistent.mean() - none.mean()}
            line |= {"difference": compared["delta"], "p_value": compared["p_value"]}
            line |= {"diff_ci_low": compared["delta_ci_low"]}
            line |= {"diff_ci_high": compared["delta_ci_high"]}
    table = pd.DataFrame(found, columns=[*PROFILE_COLUMNS])
    tested = (table["method"] != RANDOM) & table["draw"].isna()
    table["p_holm"] = holm_by_metric(table, tested)
    check_unique(table, PROFILE_KEY)
    types: dict[str, Any] = dict.fromkeys(NUMBERS, float)
    return table.astype(types | dict.fromkeys(("draw", "n_neurons"), "Int64"))


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
