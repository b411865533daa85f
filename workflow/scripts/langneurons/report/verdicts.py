"""The paper's hypotheses on transfer, judged by fixed rules (Mondal et al. 2025).

Whether interventions (H1) and fine-tuning (H2) of language-specific neurons help; H3
and H4, on the neurons themselves, are in ``neuron_verdicts``, H5 to H7, on amplified
neurons, in ``steering_verdicts``, and H8 and H9, on bridges, in ``bridge_verdicts``.
Each ``h*`` function takes tables and returns a :class:`Verdict`. What the rules share:
a cell is *significant* if p < 0.05 after Holm's correction within its table,
experiment, model and metric; a mean is *clearly* above or below zero if its 95 %
interval over model-language pairs is; a table is *blunt* if half of its cells could not
have shown a difference that matters: 2 points, unless the task declares another.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from langneurons.config import names
from langneurons.tables.common import words
from langneurons.tables.common.metrics import Shown

from . import effects
from .effects import Effect, Interval

SUPPORTED, NOT_SUPPORTED = "supported", "not supported"
CONTRADICTED, UNDECIDED, NOT_RUN = "contradicted", "undecided", "not run"

Tables = Mapping[str, pd.DataFrame]
Sources = Mapping[str, str | None]


@dataclass(frozen=True)
class Verdict:
    """How a hypothesis fares.

    Attributes:
        key: H1 to H9.
        verdict: supported, not supported, contradicted, undecided or not run.
        sentence: the evidence in one sentence.
        numbers: one row per part (a task, or a selection), for the page's details.
        metrics: of each row of numbers the metric whose changes it has; empty where
            they are not of tasks.
    """

    key: str
    verdict: str
    sentence: str
    numbers: pd.DataFrame
    metrics: tuple[Shown, ...] = ()


Part = tuple[str, str, Effect, Shown]
"""A task, its verdict, what was found, and its primary metric."""


def h1(by_task: Tables, sources: Sources) -> Verdict:
    """Judge: test-time interventions on language-specific neurons improve transfer.

    Rule, for the primary metric on target languages of one task:

    - not run: no intervention.
    - supported: more significant rises than falls, the mean change clearly above zero
      and clearly above that of count-matched random neurons.
    - contradicted: more significant falls than rises, the mean change clearly below 0.
    - undecided: nothing significant and the table is blunt; or the metric is of all
      items together, so that nothing is tested; or it would be supported
      but for random controls that were not run; or something is significant but there
      is only one model-language pair.
    - not supported: anything else.

    Several tasks: see :func:`combine`.

    Args:
        by_task: task tables by task.
        sources: language of the training data by task.
    """
    keys = ["model", "tuning", "seed", "lang", "statistic", "matched", "langset"]
    parts: list[Part] = []
    for task, table in by_task.items():
        rows = effects.chosen_rows(table, sources.get(task))
        # Without fine-tuning nothing is transferred.
        is_tuned = rows["tuning"] != names.BASE
        rows = rows[is_tuned & (rows["against"] == names.NO_TREATMENT)]
        is_random = rows["method"] == words.RANDOM
        tested = rows[~is_random].assign(matched=rows["method"])
        found = effects.effect(tested, rows[is_random], keys)
        parts += _part(task, found, table)
    return _of_effects("H1", parts, "interventions")


def h2(finetune: Tables, random: Tables, sources: Sources) -> Verdict:
    """Judge: tuning language-specific neurons beats attention-only and random neurons.

    The rule is that of :func:`h1`, with tunings of selected neurons set against tuning
    the attention projections alone, and tunings of random neurons as the control
    (same model, seed and language).

    Args:
        finetune: finetune tables by task.
        random: random tables by task.
        sources: language of the training data by task.
    """
    parts: list[Part] = []
    axes = ["model", "tuning", "seed", "lang", "statistic", "metric", "against"]
    for task in dict.fromkeys([*finetune, *random]):
        both = [t[task] for t in (finetune, random) if task in t]
        table = pd.concat(both).drop_duplicates(axes)
        rows = effects.chosen_rows(table, sources.get(task))
        rows = rows[rows["against"] == words.ATTENTION]
        roles = rows["tuning"].map(tuning_role)
        tested, control = rows[roles == "selected"], rows[roles == "random"]
        found = effects.effect(tested, control, ["model", "seed", "lang"])
        parts += _part(task, found, table)
    return _of_effects("H2", parts, "tunings of selected neurons")


def _part(task: str, found: Effect, table: pd.DataFrame) -> list[Part]:
    """Judge a task; nothing where no cell has a change."""
    if not found.change.n:
        return []
    metric = Shown.read(table.iloc[0])  # the primary one is first
    return [(task, decide(found, metric.matters), found, metric)]


def tuning_role(name: str) -> str:
    """Tell whether a tuning is of ``selected`` or ``random`` neurons, or ``other``."""
    selection = names.TuningName.parse(name).selection
    if selection is None:
        return "other"
    drawn = names.split_draw(selection.method)[1] is not None
    return "random" if drawn else "selected"


def decide(found: Effect, matters: float) -> str:
    """Apply the rule of :func:`h1` to one task.

    Args:
        found: its effect, of at least one cell.
        matters: the difference that its cells should be able to show; NaN: not known.
    """
    if found.cells == 0:
        return UNDECIDED
    if found.rises > found.falls and found.change.sign == 1:
        if found.gain.n == 0:
            return UNDECIDED
        return SUPPORTED if found.gain.sign == 1 else NOT_SUPPORTED
    if found.falls > found.rises and found.change.sign == -1:
        return CONTRADICTED
    clear = found.rises + found.falls
    if clear == 0 and not found.detectable <= matters:
        return UNDECIDED
    if clear and found.change.n < 2:
        return UNDECIDED
    return NOT_SUPPORTED


def combine(verdicts: Sequence[str]) -> str:
    """Put the verdicts of several tasks or selections together.

    What was not run does not count, nor does what is undecided where something else is
    decided. All the same: that. Different ones: not supported, for a hypothesis that
    holds here and not there does not hold in general.
    """
    run = [v for v in verdicts if v != NOT_RUN]
    decided = {v for v in run if v != UNDECIDED}
    if not decided:
        return UNDECIDED if run else NOT_RUN
    return decided.pop() if len(decided) == 1 else NOT_SUPPORTED


def _of_effects(key: str, parts: Sequence[Part], what: str) -> Verdict:
    """Word the verdict on a hypothesis from its tasks."""
    if not parts:
        return Verdict(key, NOT_RUN, NEEDS[key], pd.DataFrame())
    sentences, rows = [], []
    for task, verdict, found, metric in parts:
        random = (
            f"random neurons {metric.change(found.control.mean)}"
            if found.control.n
            else "no random control"
        )
        tested = (
            f"of {found.cells} {what} {found.rises} rise and {found.falls} fall "
            "significantly"
        )
        if not metric.is_tested:
            tested = f"{metric.word} is of all items together and not tested"
        sentences.append(
            f"{task}: {tested}; mean change {points(found.change, metric)} over "
            f"{found.change.n} model-language pairs, {random}; smallest detectable "
            f"difference {_detectable(found, metric)}"
        )
        rows.append(
            {
                "part": task,
                "verdict": verdict,
                "cells": found.cells,
                "rises": found.rises,
                "falls": found.falls,
                **interval_columns("change", found.change),
                "random": found.control.mean,
                **interval_columns("gain over random", found.gain),
                "detectable": found.detectable,
            }
        )
    verdict = combine([part[1] for part in parts])
    sentence, numbers = "; ".join(sentences) + ".", pd.DataFrame(rows)
    return Verdict(key, verdict, sentence, numbers, tuple(part[3] for part in parts))


def _detectable(found: Effect, metric: Shown) -> str:
    if math.isnan(found.detectable):
        return "unknown"
    return f"{metric.value(found.detectable)}{metric.points} (median)"


def points(value: Interval, metric: Shown) -> str:
    """Word a mean with its interval, in percentage points or the metric's unit."""
    if value.n == 0:
        return "unknown"
    text = f"{metric.change(value.mean)}{metric.points}"
    if value.n == 1:
        return text
    return f"{text} [{metric.change(value.low)}, {metric.change(value.high)}]"


def interval_columns(name: str, value: Interval) -> dict[str, float]:
    return {name: value.mean, f"{name} low": value.low, f"{name} high": value.high}


NEEDS = {
    "H1": "Needs the table of a task, with interventions on fine-tuned models.",
    "H2": "Needs the table of fine-tuning on a task, with tuned neurons set against "
    "the attention tuning.",
    "H3": "Needs the table perplexity.tsv, with neurons set to zero.",
    "H4": "Needs the table profiles.tsv with low percentiles, and zero for the "
    "same neurons there or in a task table.",
    "H5": "Needs the table amplification.tsv.",
    "H6": "Needs the table amplification.tsv, with another task under the factor "
    "that is best on the facts.",
    "H7": "Needs the table amplification.tsv, with another task under the factor "
    "that is best on the facts.",
    "H8": "Needs the table bridges.tsv, with English or a similarity of kind hsic.",
    "H9": "Needs the table bridges.tsv, with a similarity of kind hsic that chooses.",
}
