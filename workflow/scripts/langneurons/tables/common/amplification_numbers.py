"""Amplification beside its three controls, over all ordered pairs of languages.

Each way to steer has a number per item (a fact, a test item, a chunk of text) and cell
(base and target language, or language of the items and of the neurons); means,
intervals and tests are those of ``stats.cells``, which resamples items with all their
cells.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from langneurons.stats import significance
from langneurons.stats.steering import DELTA_B, DELTA_T, LSS, LSS_NORM, LSS_PLUS, SPEC

from . import columns
from .columns import HIDDEN, Column
from .evaluations import RESAMPLES
from .metrics import PERCENT
from .task_columns import NEURONS
from .ways import (
    OTHER,
    OWN,
    AnyCells,
    Gathered,
    Place,
    Ranks,
    Ways,
    first_half,
    minus,
    ranked,
    together,
    with_means,
)
from .words import DIFFMEAN, NOTHING

ALL, SECOND = "all", "second half"
"""Facts that a row is of; other items than facts are always all."""
NONE, RUNNER_UP = "none", "runner-up"
PERPLEXITY = "perplexity"
NATS = "nats"
SHARES = (LSS, LSS_PLUS, SPEC, LSS_NORM)

COLUMNS = (
    Column("experiment", "of the configuration", key=True),
    Column("task", "that is tested; perplexity: held-out text", key=True),
    Column("model", "name in the configuration", key=True),
    *NEURONS,
    Column("statistic", "factor, or setting of DiffMean (layer, strength)", key=True),
    Column("facts", "all, or the second half, on which nothing is chosen", key=True),
    Column("metric", "what the mean is of", key=True),
    Column("against", "-: the mean itself; else what it is set against", key=True),
    Column("n", "items: facts, test items, or chunks of text", "count"),
    Column("cells", "ordered pairs of languages", "count"),
    Column("value", "mean over pairs", "number", form=".3f"),
    Column("ci_low", "low end of its 95 % interval over items", "number", form=".3f"),
    Column("ci_high", "high end of its 95 % interval", "number", form=".3f"),
    Column("delta", "difference on the same items and pairs", "number", form="+.3f"),
    Column("delta_ci_low", "low end of its 95 % interval", "number", form="+.3f"),
    Column("delta_ci_high", "high end of its 95 % interval", "number", form="+.3f"),
    Column(
        "p_value", "of the sign-flip test over items; of scores of all items together "
        "of the paired bootstrap", "number", form=".2g",
    ),
    Column("p_holm", "after Holm's correction", "number", form=".2g"),
    Column("detectable", "difference found with 80 % power", "number", form=".3f"),
    Column("setting", "what it is set against: factor, or setting of DiffMean"),
    Column("rank", "of its mean LSS on the first half of the facts", "count"),
    Column("rank_plus", "of its mean LSS+ there", "count"),
    Column("published", "of the pilot with the same procedure", "number", form=".3f"),
    Column("unit", "%: kept as a fraction; else the unit", form=HIDDEN),
    Column("judged", "yes; no: says where one steers to, not how well", form=HIDDEN),
)  # fmt: skip


def amplification_table(
    gathered: Gathered,
    units: Mapping[str, str],
    published: Mapping[tuple[str, ...], float],
    *,
    steered: Collection[str] = (),
    resamples: int = RESAMPLES,
) -> pd.DataFrame:
    """Set every way against its controls, metric by metric.

    Args:
        gathered: all numbers.
        units: of the changes of each task: % of fractions, or another unit.
        published: experiment, task, model, method, language set and statistic -> LSS of
            the pilot.
        steered: tasks whose changes say where a model is steered to; no verdict on
            help and harm reads them.
        resamples: of each bootstrap.
    """
    places = {
        place: {
            way: {metric: together(cells) for metric, cells in by_metric.items()}
            for way, by_metric in ways.items()
        }
        for place, ways in gathered.parts.items()
    }
    ranks = {place: ranked(ways) for place, ways in places.items() if _has_lss(ways)}
    lines: list[dict[str, Any]] = []
    for place, ways in places.items():
        chosen = ranks.get(place) or _ranks_beside(place, ranks)
        for line in _of_place(with_means(ways), chosen, resamples):
            names = place._asdict()
            usual = PERCENT if line["metric"] in SHARES else NATS
            is_change = line["metric"] in (OWN, OTHER)
            names["unit"] = units[place.task] if is_change else usual
            names["judged"] = "no" if place.task in steered else "yes"
            if (line["metric"], line["facts"], line["against"]) == (LSS, ALL, NOTHING):
                key = (*place, *(str(line[k]) for k in ("method", "langset")))
                line["published"] = published.get((*key, line["statistic"]))
            lines.append(names | line)
    table = columns.frame(lines, COLUMNS)
    return table.assign(p_holm=_holm(table))


def _has_lss(ways: Ways) -> bool:
    return any(LSS in by_metric for by_metric in ways.values())


def _ranks_beside(place: Place, ranks: Mapping[Place, Ranks]) -> Ranks:
    """Return the choices made on the facts of the same experiment and model."""
    for other, found in ranks.items():
        if (other.experiment, other.model) == (place.experiment, place.model):
            return found
    return Ranks({}, {})


def _of_place(ways: Ways, ranks: Ranks, resamples: int) -> Iterator[dict[str, Any]]:
    """Yield the lines of all ways: their means, and the comparisons of selections."""
    diffmean = ranks.best((DIFFMEAN, NOTHING))
    for way, by_metric in ways.items():
        named = way._asdict() | {
            "rank": ranks.by_lss.get(way),
            "rank_plus": ranks.by_plus.get(way),
        }
        beside = way.controls(diffmean)
        for metric, whole in by_metric.items():
            is_change = metric in (OWN, OTHER)
            for facts in (ALL,) if is_change else (ALL, SECOND):
                cells = whole if facts == ALL else first_half(whole, other=True)
                if cells.is_empty:
                    continue
                head = named | {"facts": facts, "metric": metric}
                tested = is_change or metric in (DELTA_T, DELTA_B)
                yield head | _mean(cells, resamples, tested and not way.is_control)
                if way.is_control:
                    continue
                against = dict(beside)
                if facts == ALL and not is_change:
                    against[DIFFMEAN] = None  # its setting is chosen on some of them
                if facts == SECOND and ranks.by_lss.get(way) == 1:
                    against[RUNNER_UP] = ranks.best(way.family, 2)
                for name, other in against.items():
                    control = ways.get(other, {}).get(metric) if other else None
                    if control is not None and other is not None:
                        found = _difference(cells, control, resamples)
                        setting = (
                            other.statistic if name in (DIFFMEAN, RUNNER_UP) else ""
                        )
                        yield head | {"against": name, "setting": setting} | found


def _mean(cells: AnyCells, resamples: int, tested: bool) -> dict[str, Any]:
    value, low, high = cells.interval(resamples)
    found = {"against": NOTHING, "n": len(cells.items), "cells": len(cells.names)}
    found |= {"value": value, "ci_low": low, "ci_high": high}
    if tested:
        found["against"] = NONE
        found["p_value"], found["detectable"] = cells.test()
    return found


def _difference(cells: AnyCells, control: AnyCells, resamples: int) -> dict[str, Any]:
    """Set a way against a control, on the items and pairs that both have."""
    difference = minus(cells, control)
    if difference.is_empty:
        return {}
    there = [name for name in cells.names if name in difference.names]
    value, low, high = cells.only(there).interval(resamples)
    delta, delta_low, delta_high = difference.interval(resamples)
    p_value, detectable = difference.test()
    return {
        "n": len(difference.items),
        "cells": len(difference.names),
        "value": value,
        "ci_low": low,
        "ci_high": high,
        "delta": delta,
        "delta_ci_low": delta_low,
        "delta_ci_high": delta_high,
        "p_value": p_value,
        "detectable": detectable,
    }


def _holm(table: pd.DataFrame) -> npt.NDArray[np.float64]:
    """Adjust p-values within experiment, model, task and metric, and facts."""
    family = table[["experiment", "task", "model", "metric", "facts"]]
    return significance.holm_within(table["p_value"], family.itertuples(index=False))
