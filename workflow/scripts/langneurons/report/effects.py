"""Sums over the cells of a table: how often something changed, and by how much.

Cells of one model and language share their test items, so they are averaged first; an
interval is over these averages (model-language pairs), not over cells.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from langneurons.stats import significance
from langneurons.tables.common import task_columns, words

LEVEL = 0.05
"""Of significance, after Holm's correction; intervals are 95 %."""

PAIR = ["model", "lang"]
KEY = [
    *(name for name in task_columns.KEY if name != "experiment"),
    "task",
    "value_name",
]
"""Columns that name a cell, in tables of tasks and of profiles."""


@dataclass(frozen=True)
class Interval:
    """A mean over model-language pairs, as tables have it, and its 95 % t interval.

    Attributes:
        mean: NaN without values.
        low: NaN below two values, as is ``high``.
        high: upper end.
        n: number of pairs.
    """

    mean: float
    low: float
    high: float
    n: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Interval:
        """Return the mean of the values that are numbers, with Student's interval."""
        numbers = [float(v) for v in values if not math.isnan(v)]
        n = len(numbers)
        if n == 0:
            return cls(math.nan, math.nan, math.nan, 0)
        mean = float(np.mean(numbers))
        if n == 1:
            return cls(mean, math.nan, math.nan, 1)
        half = significance.students(n) * float(np.std(numbers, ddof=1)) / n**0.5
        return cls(mean, mean - half, mean + half, n)

    @property
    def sign(self) -> int:
        """1 or -1 where the whole interval is above or below zero, else 0."""
        if self.low > 0:
            return 1
        return -1 if self.high < 0 else 0

    def holds(self, effect: float) -> bool:
        """Whether an effect of that size is inside or there is no interval at all."""
        return not (self.low > -effect and self.high < effect)


@dataclass(frozen=True)
class Effect:
    """What a group of treatments did, cell by cell and on the mean.

    Attributes:
        cells: number of tested cells; none for a metric of all items together.
        rises: cells that are significantly higher after Holm's correction.
        falls: cells that are significantly lower.
        change: mean change over model-language pairs.
        detectable: median over cells of the smallest difference the test could have
            seen (80 % power); NaN where the table does not say.
        control: mean change of count-matched random neurons over the same pairs.
        gain: mean of change minus control, over pairs that have both.
    """

    cells: int
    rises: int
    falls: int
    change: Interval
    detectable: float
    control: Interval
    gain: Interval


def chosen_rows(table: pd.DataFrame, source: str | None) -> pd.DataFrame:
    """Keep the primary metric, target languages, and pooled seeds where there are any.

    Where neurons of several languages are overwritten for one language of test items,
    those of that language are kept; what two experiments have is kept once.

    Args:
        table: a task, finetune, random or profiles table; the first metric in it is the
            primary one.
        source: language of the training data, in which nothing is transferred.
    """
    if table.empty:
        return table
    rows = table[table["metric"] == table["metric"].iloc[0]]
    rows = rows[rows["lang"] != source]
    key = [name for name in KEY if name in rows]
    rows = rows[task_columns.is_own(rows, key)].drop_duplicates(key)
    pooled = rows["seed"] == words.POOLED
    axes = [c for c in ("task", "model", "tuning", "lang") if c in rows]
    has_pooled = pooled.groupby([rows[c] for c in axes]).transform("any")
    return rows[pooled | ~has_pooled.astype(bool)]


def effect(tested: pd.DataFrame, control: pd.DataFrame, keys: Sequence[str]) -> Effect:
    """Sum up tested cells and set them against the control's.

    Args:
        tested: rows with ``delta``, ``p_holm``, ``detectable`` and the keys.
        control: rows with ``delta`` and the keys; several draws a key are averaged.
        keys: columns by which a tested cell finds its control; ``model`` and ``lang``
            are among them.
    """
    clear = tested.loc[tested["p_holm"] < LEVEL, "delta"]
    by_key = control.groupby([*keys], sort=False)["delta"].mean().rename("control")
    matched = tested.join(by_key, on=[*keys], how="inner")
    return Effect(
        cells=int(tested["p_holm"].notna().sum()),
        rises=int((clear > 0).sum()),
        falls=int((clear < 0).sum()),
        change=over_pairs(tested["delta"], tested),
        detectable=float(tested["detectable"].median()) if len(tested) else math.nan,
        control=over_pairs(matched["control"], matched),
        gain=over_pairs(matched["delta"] - matched["control"], matched),
    )


def over_pairs(values: pd.Series, rows: pd.DataFrame) -> Interval:
    """Average within each pair (of task, model and language), then over pairs."""
    axes = [c for c in ("task", *PAIR) if c in rows]
    means = values.groupby([rows[c] for c in axes], sort=False).mean()
    return Interval.of([float(v) for v in means])


def sign_flip(differences: Sequence[float]) -> tuple[float, float]:
    """Test paired differences by flipping their signs (exact permutation test).

    Args:
        differences: one per pair, at most 20; NaN is left out.

    Returns:
        One-sided p-values (that the mean is above zero, that it is below): the share of
        all ways to flip signs with a mean at least as large, or at least as small.
        (1, 1) without differences.
    """
    numbers = np.array([d for d in differences if not math.isnan(d)])
    if numbers.size == 0:
        return 1.0, 1.0
    if numbers.size > 20:
        rng = np.random.default_rng(0)
        signs = rng.choice([-1.0, 1.0], size=(20_000, numbers.size))
        signs[0] = 1  # the observed signs are one of the ways
    else:
        signs = np.array(list(itertools.product([1.0, -1.0], repeat=numbers.size)))
    sums, seen = signs @ numbers, float(numbers.sum())
    slack = 1e-12 * float(np.abs(numbers).sum())  # sums of equal terms differ by order
    return float((sums >= seen - slack).mean()), float((sums <= seen + slack).mean())
