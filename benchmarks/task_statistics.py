"""Intervals and tests of a whole task table, against draws made anew for each row.

The size is that of XQuAD in the paper's grid: 378 evaluations of 238 items, six of them
without an intervention; each has three exact matches and three F1. Scores are made up:

- ``f1``: each item has a value of its own;
- ``short_f1``: F1 of answers of a few tokens, fifty different values over all items.
  Of up to ``bootstrap.FEW_BESIDE_KEPT`` values a resample is drawn as counts of these
  values, which differ from row to row, so that nothing can be kept.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from langneurons.stats import kept_draws
from langneurons.tables.common import evaluations

from .measuring import Row, Run, Setting, Variant, compare, row

# Evaluations, those without intervention among them, items, resamples.
SIZES = {"tiny": (4, 2, 80, 50), "paper_items": (378, 6, 238, 10_000)}
SOME = 12
"""Evaluations that both variants are timed on; the whole table is timed once."""
TARGET_SECONDS = 20.0
CHANGED = 0.5
"""Share of the items that an intervention changes."""

Array = np.ndarray[Any, Any]
Scores = dict[str, tuple[str, Array]]


def settings(names: list[str], device: str, repeats: int) -> list[Setting]:
    """List the sizes; there is no model, and always a CPU."""
    return [Setting(n, "float64", "cpu", repeats) for n in names if n in SIZES]


def rows(setting: Setting) -> list[Row]:
    """Compare both ways on a part of the table, and time the library on all of it."""
    found = compare("task_statistics", variants, setting)
    target = None if setting.shape == "tiny" else TARGET_SECONDS
    for kind, aim in (("f1", target), ("short_f1", None)):
        table = made_up(kind, setting.shape)
        start = time.process_time()
        statistics(table, setting.shape)
        spent = time.process_time() - start
        measured = {"measure": "CPU s of the whole table", "value": spent}
        found.append(row("task_statistics", setting, kind, **measured, target=aim))
    return found


def variants(setting: Setting) -> list[Variant]:
    """List both ways for both kinds; draws anew for each row are the baseline."""
    found = []
    for kind in ("f1", "short_f1"):
        table = made_up(kind, setting.shape)[:SOME]

        def make(run: Any, table: Sequence[Scores] = table) -> Run:
            return lambda: run(table, setting.shape)

        amount, base = (len(table), "evaluations"), f"anew_{kind}"
        found.append(Variant(base, partial(make, anew), *amount, None))
        found.append(
            Variant(f"library_{kind}", partial(make, statistics), *amount, base)
        )
    return found


def made_up(kind: str, shape: str) -> list[Scores]:
    """Make up the evaluations of a table.

    Args:
        kind: ``f1`` or ``short_f1``.
        shape: key of ``SIZES``.

    Returns:
        For each evaluation metric -> (kind, scores [items]), those without intervention
        first.
    """
    rng = np.random.default_rng(0)
    evaluated, without, items, _ = SIZES[shape]
    draw = partial(of_tokens if kind == "short_f1" else of_own, rng, items)
    base = [draw() for _ in range(3)]
    table: list[Scores] = []
    for number in range(evaluated):
        scores: Scores = {}
        for which, before in enumerate(base):
            changed = (rng.random(items) < CHANGED) & (number >= without)
            f1 = np.where(changed, draw(), before)
            scores[f"em{which}"] = ("binary", f1 == 1)
            scores[f"f1{which}"] = ("score", f1)
        table.append(scores)
    return table


def of_own(rng: np.random.Generator, items: int) -> Array:
    """Draw F1 that are all different but for whole matches: float64 [items]."""
    return np.where(rng.random(items) < 0.3, 1.0, rng.beta(2, 2, items))


def of_tokens(rng: np.random.Generator, items: int) -> Array:
    """Draw F1 of answers of some tokens, the end sign among them: float64 [items]."""
    gold, made = 1 + rng.geometric(0.2, items), 1 + rng.geometric(0.2, items)
    shared = 1 + rng.binomial(np.minimum(gold, made) - 1, 0.4)
    return np.where(rng.random(items) < 0.3, 1.0, 2 * shared / (gold + made))


def statistics(table: Sequence[Scores], shape: str) -> list[tuple[float, ...]]:
    """Take every interval and test of a table, each row against the first."""
    resamples = SIZES[shape][-1]
    found: list[tuple[float, ...]] = []
    for number, scores in enumerate(table):
        for metric, (kind, values) in scores.items():
            found.append(evaluations.mean_interval(values, kind, resamples))
            if number >= SIZES[shape][1]:
                reference = table[0][metric][1]
                compared = evaluations.compare(values, reference, kind, resamples)
                found.append(tuple(compared.values()))
    return found


def anew(table: Sequence[Scores], shape: str) -> list[tuple[float, ...]]:
    """Do the same with nothing kept from row to row."""
    kept = kept_draws.MOST_ITEMS, kept_draws.MOST_SIGNS
    kept_draws.MOST_ITEMS = kept_draws.MOST_SIGNS = 0
    try:
        return statistics(table, shape)
    finally:
        kept_draws.MOST_ITEMS, kept_draws.MOST_SIGNS = kept
