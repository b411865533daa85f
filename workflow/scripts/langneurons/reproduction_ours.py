"""Our numbers under the keys of the published ones (see ``reproduction``).

Which numbers of ours stand beside a published one: the statistic of the same name, with
LAPE neurons from the language set that the paper used; several seeds are pooled or
averaged, random draws averaged. Where several models or methods of the configuration
stand for one of the paper, the first that has a number counts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from . import published
from .names import NO_TREATMENT, TuningName, split_draw
from .neuron_sets import NeuronSets
from .reproduction import (
    AP90,
    BOTH,
    LAPE,
    MEAN_OVER_NEURONS,
    PER_LAYER,
    Key,
    Number,
)
from .tables import NOTHING, POOLED

# Table 6 fits activations before SiLU, with percentiles averaged over batches.
PAPER_SITE, PAPER_QUANTILE = "gate_pre", "batch_mean"


def our_numbers(
    figures: Mapping[str, Any],
    tables: Mapping[str, pd.DataFrame],
    neurons: Sequence[tuple[str, str, NeuronSets]],
    models: Mapping[str, str | None],
    methods: Mapping[str, str | None],
    statistics: Mapping[str, str | None] | None = None,
    tasks: Mapping[str, str | None] | None = None,
) -> dict[Key, Number]:
    """Collect our numbers under the keys of the published ones.

    Args:
        figures: content of ``config/published_results.json``.
        tables: name -> table: ``{task}``, ``finetune_{task}`` and ``random_{task}``
            for task tables, ``activation_statistics``; others are of no use here.
        neurons: (model, method, neuron file), names as in the configuration.
        models: name -> key in the figures; others are not compared.
        methods: the same for methods.
        statistics: the same for statistics; None takes each by its own name.
        tasks: the same for tasks.
    """
    known = {name: key for name, key in models.items() if key}
    by = {name: key for name, key in methods.items() if key}
    found: dict[Key, Number] = {}
    for name, content in tables.items():
        if {"value", "against", "tuning"} <= set(content.columns):
            task = name.removeprefix("finetune_").removeprefix("random_")
            task = (task if tasks is None else tasks.get(task)) or NOTHING
            content = _renamed(content, statistics)
            numbers = _of_task(content, task, figures, known, by)
        elif {"value", "site", "quantile"} <= set(content.columns):
            numbers = _of_activations(content, known)
        else:
            continue
        found = numbers | found
    counted = [
        (known[model], by[method], sets)
        for model, method, sets in neurons
        if model in known and method in by
    ]
    return found | _of_neurons(figures, counted)


def _renamed(
    content: pd.DataFrame, statistics: Mapping[str, str | None] | None
) -> pd.DataFrame:
    """Name statistics as the paper does, and drop those that it has not."""
    if statistics is None:
        return content
    names = dict(statistics) | {NO_TREATMENT: NO_TREATMENT}
    named = content.assign(statistic=content["statistic"].map(names))
    return named[named["statistic"].notna()]


def _of_task(
    content: pd.DataFrame,
    task: str,
    figures: Mapping[str, Any],
    models: Mapping[str, str],
    methods: Mapping[str, str],
) -> dict[Key, Number]:
    """Read a task table: cells of Tables 4, 5, 7 and 8."""
    sets = figures["language_sets_used"]
    tuned_as = dict(methods) | {published.RANDOM: published.RANDOM}
    first = {name: i for i, name in enumerate(models)}
    second = {name: i for i, name in enumerate(methods)}
    grouped: dict[Key, dict[tuple[int, int], list[Mapping[Any, Any]]]] = {}
    for row in content.to_dict("records"):
        if row["model"] not in models or math.isnan(row["value"]):
            continue
        lang, tuned_by = row["lang"], _tuned_by(row["tuning"])
        tuned_key = tuned_as.get(tuned_by or "")
        tuning = published.tuning_key(row["tuning"], tuned_key, lang, sets)
        selection = (NOTHING, NOTHING)
        if row["statistic"] != NO_TREATMENT:
            method, langset = methods.get(row["method"], ""), row["langset"]
            if not method or not published.fits(method, langset, lang, sets):
                continue
            selection = (method, sets.get(method, {}).get(lang, langset))
        if tuning is None:
            continue
        names = (models[row["model"]], *selection, tuning, task, lang)
        order = first[row["model"]], second.get(tuned_by or row["method"], -1)
        by_order = grouped.setdefault((*names, row["statistic"], row["metric"]), {})
        by_order.setdefault(order, []).append(row)
    return {key: _average(by_order[min(by_order)]) for key, by_order in grouped.items()}


def _tuned_by(tuning: str) -> str | None:
    """Return the method in a tuning's name, ``random`` for any random draw."""
    selection = TuningName.parse(tuning).selection
    if selection is None:
        return None
    base, draw = split_draw(selection.method)
    return base if draw is None else published.RANDOM


def _average(rows: Sequence[Mapping[Any, Any]]) -> Number:
    """Average seeds, or take where they are pooled, and draws of random neurons."""
    pooled = [row for row in rows if str(row["seed"]) == POOLED]
    chosen = pooled or rows
    value = float(np.mean([row["value"] for row in chosen]))
    return Number(value, min(int(row["n"]) for row in chosen))


def _of_activations(
    content: pd.DataFrame, models: Mapping[str, str]
) -> dict[Key, Number]:
    """Read the table of activation statistics: Table 6."""
    found: dict[Key, Number] = {}
    content = content[content["site"] == PAPER_SITE]
    for model, key in models.items():
        for row in content[content["model"] == model].to_dict("records"):
            if row["statistic"] == "mean" or row["quantile"] == PAPER_QUANTILE:
                names = (key, NOTHING, NOTHING, NOTHING, NOTHING, row["lang"])
                number = Number(float(row["value"]), int(row["n_tokens"]))
                found.setdefault((*names, row["statistic"], MEAN_OVER_NEURONS), number)
    return found


def _of_neurons(
    figures: Mapping[str, Any], neurons: Sequence[tuple[str, str, NeuronSets]]
) -> dict[Key, Number]:
    """Count neurons as the published sets are counted.

    A LAPE set is compared where it is made from the languages of the published one,
    whatever its name. Other methods do not compare languages, so that there only the
    union over languages needs the same ones.
    """
    found: dict[Key, Number] = {}
    chosen: dict[tuple[str, str, str], NeuronSets] = {}
    for entry in figures["neuron_sets"]:
        method, langs = entry["method"], list(entry["counts"])
        mine = [s for *names, s in neurons if names == [entry["model"], method]]
        fitting = [s for s in mine if set(s.languages) == set(langs)]
        if not fitting and method not in published.CONTRASTIVE:
            fitting = [s for s in mine if set(s.languages) & set(langs)]
        if not fitting:
            continue
        sets = fitting[0]
        chosen[entry["model"], method, entry["language_set"]] = sets
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
