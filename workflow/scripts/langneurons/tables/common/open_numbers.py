"""Steered open answers: how much is in the language that one steers to, and damage.

Each way to steer has a number per prompt and cell (language of the prompts and the one
that is steered to, which differ); means, intervals and tests are those of
``stats.cells``, which resamples prompts with all their cells.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, cast

import pandas as pd

from langneurons.stats import significance, steering
from langneurons.stats.cells import Cells

from . import columns
from .columns import HIDDEN, Column
from .evaluations import RESAMPLES
from .metrics import PERCENT
from .open_items import DAMAGE, SHARES, Treated
from .task_columns import NEURONS
from .ways import Gathered, Place, Way, together, with_means
from .words import DIFFMEAN

ALL, SECOND = "all", "second half"
NONE = "none"
WORDS = SHARES[0]
UNITS = dict.fromkeys((*SHARES, *DAMAGE), PERCENT) | {"length": "tokens"}

COLUMNS = (
    Column("experiment", "of the configuration", key=True),
    Column("task", "whose prompts are answered", key=True),
    Column("model", "name in the configuration", key=True),
    *NEURONS,
    Column("statistic", "factor, or setting of DiffMean (layer, strength)", key=True),
    Column(
        "metric", "words, lines: share of the answer in the language that is steered "
        "to; else damage", key=True,
    ),
    Column("against", "none: without treatment; else a control", key=True),
    Column("prompts", "all, or the second half, on which nothing is chosen"),
    Column("n", "prompts", "count"),
    Column("cells", "pairs: language of the prompts, steered to another", "count"),
    Column("before", "mean without treatment", "number", form=".3f"),
    Column("value", "mean over pairs", "number", form=".3f"),
    Column("ci_low", "low end of its 95 % interval over prompts", "number", form=".3f"),
    Column("ci_high", "high end of its 95 % interval", "number", form=".3f"),
    Column("delta", "difference on the same prompts and pairs", "number", form="+.3f"),
    Column("delta_ci_low", "low end of its 95 % interval", "number", form="+.3f"),
    Column("delta_ci_high", "high end of its 95 % interval", "number", form="+.3f"),
    Column("p_value", "of the sign-flip test over prompts", "number", form=".2g"),
    Column("p_holm", "after Holm's correction", "number", form=".2g"),
    Column("detectable", "difference found with 80 % power", "number", form=".3f"),
    Column("setting", "of DiffMean, that it is set against"),
    Column("unit", "%: kept as a fraction; else the unit", form=HIDDEN),
)  # fmt: skip


Ways = dict[Way, dict[str, Cells]]


class Sides(NamedTuple):
    """Numbers with treatment, and their change against none, of all ways."""

    after: Ways
    change: Ways


def gather(found: Iterable[Treated]) -> dict[Place, Sides]:
    """Put the numbers of all answers together, metric by metric and cell by cell."""
    after, change = Gathered(), Gathered()
    for row, treated, untreated in found:
        for metric in (*SHARES, *DAMAGE):
            steered = f"_{row['neuron_lang']}" if metric in SHARES else ""
            own = treated.columns[metric + steered]
            before = untreated.columns[metric + steered]
            at = row, row["task"], metric, treated.items
            after.add(*at, own)
            change.add(*at, own - before)
    return {
        place: Sides(_cells(after, place), _cells(change, place))
        for place in after.parts
    }


def _cells(gathered: Gathered, place: Place) -> Ways:
    ways = {
        # Of every answer there are numbers, so that none is a score of all of them.
        way: {name: cast("Cells", together(cells)) for name, cells in by_metric.items()}
        for way, by_metric in gathered.parts[place].items()
    }
    return with_means(ways)


def open_text_table(
    found: Iterable[Treated], *, resamples: int = RESAMPLES
) -> pd.DataFrame:
    """Set every way against no treatment and against its controls.

    Args:
        found: answers under treatments that steer.
        resamples: of each bootstrap.
    """
    lines = [
        place._asdict() | line
        for place, sides in gather(found).items()
        for line in _of_place(sides, resamples)
    ]
    table = columns.frame(lines, COLUMNS)
    families = table[["experiment", "model", "task", "metric"]].itertuples(index=False)
    return table.assign(p_holm=significance.holm_within(table["p_value"], families))


def _of_place(sides: Sides, resamples: int) -> Iterator[dict[str, Any]]:
    """Yield the lines of all ways; controls are not tested."""
    diffmean = best_setting(sides.change)
    for way, by_metric in sides.change.items():
        beside = way.controls(diffmean)
        for metric, change in by_metric.items():
            head = way._asdict() | {"metric": metric, "unit": UNITS[metric]}
            after = sides.after[way][metric]
            yield head | _line(after, change, resamples, tested=not way.is_control)
            for name, other in () if way.is_control else beside.items():
                control = sides.change.get(other, {}).get(metric) if other else None
                if control is not None and other is not None:
                    yield head | _against(
                        name, (after, change, control), resamples, other
                    )


def best_setting(ways: Ways) -> Way | None:
    """Choose DiffMean's setting: that with most words on the first half of the prompts.

    Of equals that which stands first.
    """
    means: dict[Way, float] = {}
    for way, cells in ways.items():
        if way.method == DIFFMEAN:
            words = cells[WORDS]
            half = words.where(steering.first_half(words.items))
            if not half.is_empty:
                means[way] = half.mean()
    return max(means, key=means.__getitem__, default=None)


def _line(
    after: Cells, change: Cells, resamples: int, *, tested: bool
) -> dict[str, Any]:
    """Set numbers against those without treatment."""
    value, low, high = after.interval(resamples)
    delta, delta_low, delta_high = change.interval(resamples)
    found: dict[str, Any] = {
        "against": NONE,
        "prompts": ALL,
        "n": len(after.items),
        "cells": len(after.names),
        "before": value - delta,
        "value": value,
        "ci_low": low,
        "ci_high": high,
        "delta": delta,
        "delta_ci_low": delta_low,
        "delta_ci_high": delta_high,
    }
    if tested:
        found["p_value"], found["detectable"] = change.test()
    return found


def _against(
    name: str, three: tuple[Cells, Cells, Cells], resamples: int, other: Way
) -> dict[str, Any]:
    """Set a way against a control, on the prompts and pairs that both have.

    Args:
        name: of the control.
        three: numbers of the way, their change, and the change under the control.
        resamples: of each bootstrap.
        other: the control.
    """
    after, change, control = three
    prompts = SECOND if name == DIFFMEAN else ALL
    if name == DIFFMEAN:  # its setting is chosen on the first half
        after, change = (
            x.where(~steering.first_half(x.items)) for x in (after, change)
        )
    difference = change.minus(control)
    if difference.is_empty:
        return {"against": name, "prompts": prompts}
    there = [x for x in after.names if x in difference.names]
    found = _line(after.only(there), difference, resamples, tested=True)
    setting = other.statistic if name == DIFFMEAN else ""
    return found | {
        "against": name, "prompts": prompts, "before": None, "setting": setting,
        "n": len(difference.items), "cells": len(difference.names),
    }  # fmt: skip
