"""Means over languages in the table of a task: rows whose ``lang`` is ``vi+zh``.

Of each treatment the languages in which it was tested; where neurons of several
languages are overwritten for one language of test items, those of that language. The
interval is for other items (and seeds, where they are pooled) of the same languages.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from langneurons.config.names import BASE, JOIN, NO_TREATMENT, TuningName, target_of
from langneurons.stats import averages
from langneurons.stats.averages import Part
from langneurons.tasks import Metric

from . import columns
from .evaluations import RESAMPLES, Evaluation
from .task_columns import COLUMNS
from .task_table import Compared, compare_rows, framed, names_of, seed_groups
from .words import BRIDGE, NOTHING, OWN, POOLED, TARGET, is_empty

Result = Sequence[Compared]
"""One seed of a treatment in one language, or all seeds that are pooled."""
Group = dict[str, Result]
"""Results by language, which differ in nothing else."""


def with_means(
    table: pd.DataFrame,
    rows: Sequence[Mapping[str, Any]],
    evaluations: Sequence[Evaluation],
    metrics: Mapping[str, Metric],
    *,
    layout: str,
    source: str,
    title: str = "",
    resamples: int = RESAMPLES,
) -> pd.DataFrame:
    """Add the means over languages to a table of a task.

    Args:
        table: of ``task_table``, which was given the same.
        rows: of it.
        evaluations: one for each row.
        metrics: the task's ``METRICS``.
        layout: interventions, tunings or random. In the last two a tuning of the tested
            language's neurons is ``target`` in the mean: ``lape.set6.en+target``.
        source: language of the training data.
        title: the task's ``TITLE``.
        resamples: of each bootstrap.

    Returns:
        The table, and below it a row for each mean and metric, with the columns of
        ``task_table``: ``n`` counts the items of all languages, the test is a sign-flip
        test over items, and Holm's correction is over the means alone. No mean is of
        bridges, which have a table of their own.
    """
    compared = compare_rows(rows, evaluations, layout)
    if any(one[0]["method"] == BRIDGE for one in compared):
        return table
    renamed = source if layout != "interventions" else None
    found = [
        _line(names, group, metric, resamples)
        for names, group in _means(_groups(compared, renamed))
        for metric in metrics
    ]
    if not found:
        return table
    both = pd.concat([table, framed(found, metrics, title)], ignore_index=True)
    columns.check_unique(both, columns.key(COLUMNS))
    return both


def _groups(
    compared: Sequence[Compared], source: str | None
) -> list[tuple[dict[str, Any], Group]]:
    """Put results together that differ in the language alone, and what goes with it.

    Args:
        compared: of the table.
        source: language of the training data; None: tunings keep their names.

    Returns:
        Of each group the columns that name its mean, but for ``lang``.
    """
    groups: dict[Hashable, tuple[dict[str, Any], dict[str, str], Group]] = {}
    for named, result in _own(compared):
        names = dict(named)
        lang, neurons = names.pop("lang"), names.pop("neuron_lang")
        if source is not None:
            names["tuning"] = _without_target(names["tuning"], lang, source)
        # An untreated model is of whichever experiment asks for it first.
        plain = {"experiment": ""} if names["statistic"] == NO_TREATMENT else {}
        seeds = tuple(one[0]["seed"] for one in result)
        key = (*(names | plain).values(), seeds)
        _, whose, group = groups.setdefault(key, (names, {}, {}))
        whose[lang], group[lang] = neurons, result
    return [
        (names | {"neuron_lang": _shared(list(whose.values()))}, group)
        for names, whose, group in groups.values()
    ]


def _own(compared: Sequence[Compared]) -> list[tuple[dict[str, Any], Result]]:
    """List results with the columns that name them, those that pool seeds too.

    Left out are interventions on no neurons, and of neurons of several languages those
    of other languages than the tested one.
    """
    results: list[Result] = [[one] for one in compared]
    results += seed_groups(compared)
    found: list[tuple[dict[str, Any], Result]] = []
    whose: dict[Hashable, set[str]] = {}

    def place(names: dict[str, Any]) -> Hashable:
        return tuple((names | {"neuron_lang": ""}).values())

    for result in results:
        row, evaluation = result[0][:2]
        if is_empty({**row, "n_neurons": evaluation.record["n_neurons"]}):
            continue
        names = names_of(row) | {"against": _against(result)}
        names |= {"seed": POOLED} if len(result) > 1 else {}
        whose.setdefault(place(names), set()).add(names["neuron_lang"])
        found.append((names, result))
    return [
        (names, result)
        for names, result in found
        if len(whose[place(names)]) == 1
        or names["neuron_lang"] == target_of(names["lang"])
    ]


def _against(result: Result) -> str:
    """Name what is set against a result; nothing, where a seed has nothing."""
    return result[0][2] if all(one[3] is not None for one in result) else NOTHING


def _without_target(tuning: str, lang: str, source: str) -> str:
    """Name a tuning alike in all languages: ``lape.set6.en+hi`` of Hindi."""
    name = TuningName.parse(tuning)
    own = target_of(lang)
    if own == source or own not in name.languages:
        return tuning
    languages = tuple(TARGET if one == own else one for one in name.languages)
    return str(TuningName(name.entry, name.selection, languages))


def _shared(neurons: Sequence[str]) -> str:
    return neurons[0] if len(set(neurons)) == 1 else OWN


def _means(
    groups: Sequence[tuple[dict[str, Any], Group]],
) -> Iterator[tuple[dict[str, Any], Group]]:
    """Yield groups of several languages.

    Beside each mean of a treatment stands that of the untreated results over the same
    languages, and so does that of any other tuning of the model.
    """
    wanted: dict[tuple[str, ...], set[Any]] = {}
    for names, group in groups:
        if len(group) > 1:
            seeds = wanted.setdefault((names["model"], *group), set())
            seeds.add(names["seed"])
    for names, group in groups:
        some = [tuple(group)] if len(group) > 1 else []
        if names["statistic"] == NO_TREATMENT:
            some += [
                tuple(langs)
                for (model, *langs), seeds in wanted.items()
                if model == names["model"]
                and set(langs) <= {*group}
                and (names["seed"] in seeds or names["tuning"] == BASE)
            ]
        for langs in dict.fromkeys(some):
            yield names, {lang: group[lang] for lang in langs}


def _line(
    names: Mapping[str, Any], group: Group, metric: str, resamples: int
) -> dict[str, Any]:
    """Average a metric over languages, and its difference from what is beside it."""
    results = list(group.values())
    own = [[one[1] for one in result] for result in results]
    beside = [[one[3] for one in result if one[3] is not None] for result in results]
    compared = names["against"] != NOTHING
    line = dict(names) | {"lang": JOIN.join(group), "metric": metric}
    line["n"] = sum(len(runs[0].items) for runs in own)
    neurons = {run.record["n_neurons"] for runs in own for run in runs}
    line["n_neurons"] = neurons.pop() if len(neurons) == 1 else None
    if metric in own[0][0].values:
        line["value"] = _level(own, metric)
        if compared:
            line["delta"] = line["value"] - _level(beside, metric)
        return line
    if metric in own[0][0].sums:
        sums = [[run.sums[metric] for run in runs] for runs in own]
        line |= averages.of_sums(sums, resamples=resamples)
        if compared:
            others = [[run.sums[metric] for run in runs] for runs in beside]
            line |= averages.of_sums(sums, others, resamples)
        return line
    scores = [_scores(runs, metric) for runs in own]
    parts = [Part(r[0].items, x) for r, x in zip(own, scores, strict=True)]
    line |= _named("value ci_low ci_high", averages.interval(parts, resamples))
    if compared:
        besides = [_scores(runs, metric) for runs in beside]
        changes = [
            Part(part.items, part.scores - other)
            for part, other in zip(parts, besides, strict=True)
        ]
        ends = averages.interval(changes, resamples)
        line |= _named("delta delta_ci_low delta_ci_high", ends)
        line |= _named("p_value detectable", averages.test(changes))
    return line


def _named(text: str, values: Sequence[float]) -> dict[str, float]:
    return dict(zip(text.split(), values, strict=True))


def _level(results: Sequence[Sequence[Evaluation]], metric: str) -> float:
    means = [np.mean([run.values[metric] for run in runs]) for runs in results]
    return float(np.mean(means))


def _scores(runs: Sequence[Evaluation], metric: str) -> npt.NDArray[np.float64]:
    return np.stack([run.scores[metric] for run in runs]).astype(np.float64)
