"""Our numbers under the keys of the published ones (see ``reproduction_numbers``).

Which results of ours stand beside a published number is decided before anything runs
(``partners``) and given as the spec; here their numbers are picked from the tables and
neuron files. Several seeds are pooled or averaged. Two different evaluations for one
number are an error.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from langneurons.config.errors import DataError
from langneurons.neurons.neuron_sets import NeuronSets
from langneurons.published import numbers as published

from .reproduction_numbers import (
    AP90,
    BOTH,
    LAPE,
    MEAN_OVER_NEURONS,
    NEURONS,
    PER_LAYER,
    Key,
    Number,
    key_of,
    published_numbers,
)
from .words import NOTHING, POOLED

# Table 6 fits activations before SiLU, with percentiles averaged over batches.
PAPER_SITE, PAPER_QUANTILE = "gate_pre", "batch_mean"
EVALUATION = ("task", "model", "tuning", "lang", "method", "langset", "statistic")
"""Columns that name an evaluation, but for its seed and the draw of random neurons."""


class Ours(NamedTuple):
    """What the configuration has under the keys of the published numbers.

    Attributes:
        numbers: key of a published number -> ours.
        reasons: key without a partner -> why what has its names is not compared.
    """

    numbers: dict[Key, Number]
    reasons: dict[Key, str]


def our_numbers(
    figures: Mapping[str, Any],
    tables: Mapping[str, pd.DataFrame],
    neurons: Mapping[str, NeuronSets],
    spec: Mapping[str, Any],
) -> Ours:
    """Collect our numbers under the keys of the published ones.

    Args:
        figures: content of ``config/published_results.json``.
        tables: name -> table: ``{task}``, ``finetune_{task}`` and ``random_{task}``
            for task tables, ``activation_statistics``; others are of no use here.
        neurons: ``model method.language_set`` -> neuron file.
        spec: what stands for which published number (``Reproduction.spec``):
            ``evaluations`` (``task``, ``model``, ``tuning``, ``lang``, ``method``,
            ``langset``, ``statistic``), ``activations`` (``model``, ``corpus``) and
            ``neurons`` (``model``, ``selection``), each with ``key``, the published
            names, and ``why``, the first field that is not as published, or null.

    Raises:
        DataError: two different evaluations stand beside one published number.
    """
    grouped: dict[Key, dict[Key, list[Mapping[Any, Any]]]] = {}
    found: dict[Key, Number] = {}
    by_name = _by_name(spec["evaluations"])
    for name, content in tables.items():
        if {"value", "against", "tuning"} <= set(content.columns):
            task = name.removeprefix("finetune_").removeprefix("random_")
            for table, numbers in _of_task(content, task, by_name, figures).items():
                grouped.setdefault(table, {}).update(numbers)
        elif {"value", "site", "quantile"} <= set(content.columns):
            found |= _of_activations(content, _kept(spec["activations"]))
    for key, evaluations in grouped.items():
        if len(evaluations) > 1:
            shown = " and ".join(" ".join(names) for names in evaluations)
            raise DataError(
                f"{shown} would stand beside the same published number "
                f"({' '.join(key)}); leave one out of the experiments, or take "
                "'published_as' from one entry"
            )
        (rows,) = evaluations.values()
        found[key] = _average(rows)
    counted = {
        tuple(one["key"]): neurons[f"{one['model']} {one['selection']}"]
        for one in reversed(_kept(spec["neurons"]))
    }
    found |= _of_neurons(figures, counted)
    return Ours(found, _reasons(figures, spec))


def _kept(entries: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Keep what was made by the published procedure."""
    return [entry for entry in entries if entry["why"] is None]


def _by_name(entries: Sequence[Mapping[str, Any]]) -> dict[Key, Sequence[Any]]:
    """Return the published key of each comparable evaluation, by its names."""
    return {
        tuple(entry[name] or NOTHING for name in EVALUATION): entry["key"]
        for entry in _kept(entries)
    }


def _task_key(key: Sequence[Any], figures: Mapping[str, Any], metric: str) -> Key:
    """Write the key of an evaluation as rows of the table have it."""
    model, tuning, task, lang, method, statistic = key
    used = figures["language_sets_used"].get(method, {}).get(lang)
    names = (model, method, used, tuning, task, lang, statistic, metric)
    return tuple(name or NOTHING for name in names)


def _of_task(
    content: pd.DataFrame,
    task: str,
    by_name: Mapping[Key, Sequence[Any]],
    figures: Mapping[str, Any],
) -> dict[Key, dict[Key, list[Mapping[Any, Any]]]]:
    """Read a task table: for each published key the rows of each evaluation."""
    found: dict[Key, dict[Key, list[Mapping[Any, Any]]]] = {}
    for row in content.assign(task=task).to_dict("records"):
        names = tuple(str(row[name]) for name in EVALUATION)
        # The published neurons are of the tested language.
        is_own = row["neuron_lang"] in (NOTHING, row["lang"])
        if is_own and names in by_name and not math.isnan(row["value"]):
            key = _task_key(by_name[names], figures, row["metric"])
            found.setdefault(key, {}).setdefault(names, []).append(row)
    return found


def _reasons(figures: Mapping[str, Any], spec: Mapping[str, Any]) -> dict[Key, str]:
    """Say for published numbers without a partner why what has their name is none.

    Where there is a partner the number is compared, or was not run yet.
    """
    reasons: dict[Key, str | None] = {}
    for keys, why in _named(figures, spec):
        for key in keys:
            # None, a partner, outweighs any reason.
            known = reasons.setdefault(key, why)
            reasons[key] = None if why is None else known
    return {key: why for key, why in reasons.items() if why}


def _named(
    figures: Mapping[str, Any], spec: Mapping[str, Any]
) -> Iterator[tuple[list[Key], str | None]]:
    """Yield the published keys that each result of ours stands for, and why not."""
    for one in spec["evaluations"]:
        metrics = published.printed_digits(figures)
        yield [_task_key(one["key"], figures, m) for m in metrics], one["why"]
    for one in spec["activations"]:
        cells = published.records(figures["cells"])
        found: list[Key] = [
            (one["key"], *[NOTHING] * 4, c["lang"], c["statistic"], c["metric"])
            for c in cells
            if (c["metric"], c["model"]) == (MEAN_OVER_NEURONS, one["key"])
        ]
        yield found, one["why"]
    for one in spec["neurons"]:
        names = ("model", "method", "langset")
        rows = (r for r in published_numbers(figures) if r["item"] == NEURONS)
        same = [key_of(r) for r in rows if [r[k] for k in names] == [*one["key"]]]
        yield same, one["why"]


def _average(rows: Sequence[Mapping[Any, Any]]) -> Number:
    """Average seeds, or take where they are pooled."""
    pooled = [row for row in rows if str(row["seed"]) == POOLED]
    chosen = pooled or rows
    value = float(np.mean([row["value"] for row in chosen]))
    return Number(value, min(int(row["n"]) for row in chosen))


def _of_activations(
    content: pd.DataFrame, entries: Sequence[Mapping[str, Any]]
) -> dict[Key, Number]:
    """Read the table of activation statistics: Table 6."""
    found: dict[Key, Number] = {}
    known = {(one["model"], one["corpus"]): one["key"] for one in entries}
    for row in content[content["site"] == PAPER_SITE].to_dict("records"):
        key = known.get((row["model"], row["corpus"]))
        same = row["statistic"] == "mean" or row["quantile"] == PAPER_QUANTILE
        if key and same:
            names = (key, NOTHING, NOTHING, NOTHING, NOTHING, row["lang"])
            number = Number(float(row["value"]), int(row["n_tokens"]))
            found.setdefault((*names, row["statistic"], MEAN_OVER_NEURONS), number)
    return found


def _of_neurons(
    figures: Mapping[str, Any], chosen: Mapping[Key, NeuronSets]
) -> dict[Key, Number]:
    """Count neurons as the published sets are counted.

    Methods that do not compare languages may have others; only the union over
    languages then is no number of the published set.

    Args:
        figures: content of the file.
        chosen: (model, method, language set) of a published set -> ours.
    """
    found: dict[Key, Number] = {}
    for entry in figures["neuron_sets"]:
        method, langs = entry["method"], list(entry["counts"])
        sets = chosen.get((entry["model"], method, entry["language_set"]))
        if sets is None or not set(sets.languages) & set(langs):
            continue
        head = (entry["model"], method, entry["language_set"], NOTHING, NOTHING)
        for names, n in _our_counts(sets, langs, method).items():
            if "unique" not in names or set(sets.languages) == set(langs):
                found[*head, *names] = Number(n)
    for cell in published.records(figures["lape_ap90_overlaps"]):
        model, langset, lang = cell["model"], cell["lape_language_set"], cell["lang"]
        lape = chosen.get((model, LAPE, langset))
        ap90 = next((s for k, s in chosen.items() if k[:2] == (model, AP90)), None)
        if lape and ap90 and lang in lape.neurons and lang in ap90.neurons:
            both = int((lape.mask(lang) & ap90.mask(lang)).sum())
            head = (model, BOTH, langset, NOTHING, NOTHING)
            found[*head, lang, NOTHING, "overlap"] = Number(both)
    return found


def _our_counts(sets: NeuronSets, langs: Sequence[str], method: str) -> dict[Key, int]:
    """Count neurons as they are published: (lang, statistic, metric) -> neurons."""
    masks = {lang: sets.mask(lang) for lang in langs if lang in sets.neurons}
    counts = {lang: int(mask.sum()) for lang, mask in masks.items()}
    unique = int(np.any([*masks.values()], axis=0).sum())
    # LAPE selects neurons for all languages at once, other methods for each language.
    selected = unique if method == LAPE else max(counts.values())
    found: dict[Key, int] = {(NOTHING, NOTHING, "selected"): selected}
    found[NOTHING, NOTHING, "unique"] = unique
    found |= {(lang, NOTHING, "count"): n for lang, n in counts.items()}
    for a, b in combinations(masks, 2):
        found[f"{a}+{b}", NOTHING, "overlap"] = int((masks[a] & masks[b]).sum())
    for lang, mask in masks.items():
        layers = enumerate(mask.sum(axis=1).tolist())
        found |= {(lang, f"layer_{i}", PER_LAYER): n for i, n in layers}
    return found
