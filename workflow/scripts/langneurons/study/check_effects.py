"""Checks for what would do nothing, or the same twice, and still count as a test.

A key that nothing reads is refused where it would mislead about a number. Only keys
that are written count: a default that does not apply misleads nobody.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from langneurons import tasks
from langneurons.config.catalogue import OF_MEANS, UNMEASURED, Statistic
from langneurons.config.errors import unknown_name
from langneurons.config.names import Overwritten, Selection, Treatment, together
from langneurons.config.task_entries import Task
from langneurons.grid import result_paths, rows

from .check_experiments import lists

if TYPE_CHECKING:
    from langneurons.config.schema import Config

WEIGHTED = ("add", "interpolate")
NO_QUANTILES = ("mean", "min", "max", *OF_MEANS)
# What next-token likelihood within a chunk never sees: its last token predicts nothing.
UNREAD_IN_TEXT = ("generated", "last")


def problems(config: Config) -> list[str]:
    """List what would have no effect, or an effect that is there already."""
    found = [*_statistics(config), *_used(config), *_same(config), *_layers(config)]
    found += _perplexity(config)
    for name, task in config.tasks.items():
        if "test_seed" in task.model_fields_set and task.test_items is None:
            found.append(
                f"tasks.{name}.test_seed: draws a sample of 'test_items', which is "
                "not given; all items are used"
            )
    return list(dict.fromkeys(found))


def known_languages(config: Config) -> list[str]:
    """List every language that a block of the configuration names."""
    found: set[str] = set()
    for entry in config.language_sets.values():
        found.update(entry.languages)
    for task in config.tasks.values():
        found.update((*task.languages, task.source_language))
    found.update(row.lang for row, _ in rows.text_blocks(config))
    return sorted(found)


def _on_tasks(config: Config) -> set[tuple[str, str, Treatment]]:
    """Return task, language and treatment of every evaluation on a task."""
    some = {
        (task, row.lang, id(treatments)): treatments  # models share them
        for task in rows.tasks(config)
        for row, treatments in rows.task_blocks(config, task)
    }
    return {
        (task, lang, treatment)
        for (task, lang, _), treatments in some.items()
        for treatment in treatments
    }


def used_statistics(config: Config) -> set[tuple[Selection, str]]:
    """Return each selection with each statistic that is written into its neurons."""
    return {
        (treatment.selection, treatment.statistic)
        for treatment in rows.treatments(config)
        if isinstance(treatment, Overwritten)
    }


def _statistics(config: Config) -> Iterator[str]:
    """Check each statistic by itself."""
    languages = ["target", "source", *known_languages(config)]
    for name, entry in config.statistics.items():
        where = f"statistics.{name}"
        given = {k for k in entry.model_fields_set if getattr(entry, k) is not None}
        yield from (f"{where}.{text}" for text in _idle(entry, given))
        for key in ("neuron_language", "value_language"):
            if getattr(entry, key) not in languages:
                yield unknown_name(
                    "language", getattr(entry, key), languages, f"{where}.{key}"
                )
        if entry.layers is not None:
            first, last = entry.layers
            if not 0 <= first <= last:
                yield (
                    f"{where}.layers: [{first}, {last}] names no layer; wanted are the "
                    "first and the last, counted from 0, the first not after the last"
                )


def _idle(entry: Statistic, given: set[str]) -> Iterator[str]:
    """Say which keys of a statistic nothing reads, or why it changes nothing."""
    if "weight" in given and entry.op not in WEIGHTED:
        yield f"weight: op {entry.op} takes none; ops that do: {', '.join(WEIGHTED)}"
    if entry.op in WEIGHTED and entry.weight == 0:
        yield f"weight: op {entry.op} with weight 0 changes nothing"
    constant = entry.constant if entry.value == "const" else None
    nothing = entry.value == "zero" or constant == 0
    if (entry.op == "add" and nothing) or (entry.op == "scale" and constant == 1):
        shown = entry.value if constant is None else f"const {constant:g}"
        yield f"op: {entry.op} with value {shown} changes nothing"
    if entry.value in UNMEASURED:
        for key in ("measure", "quantile", "value_language"):
            if key in given:
                yield f"{key}: value {entry.value} is not measured, so nothing reads it"
    elif "quantile" in given and entry.value in NO_QUANTILES:
        yield (
            f"quantile: value {entry.value} is no quantile, so nothing reads it; "
            "it is for median, p5 to p95"
        )


def _used(config: Config) -> Iterator[str]:
    """Check each statistic where a task uses it."""
    for name, lang, treatment in sorted(_on_tasks(config), key=str):
        task = config.task(name)
        if not isinstance(treatment, Overwritten):
            continue
        parsed = treatment
        where = f"statistics.{parsed.statistic}"
        entry = config.statistics[parsed.statistic]
        yield from (f"{where}.{text}" for text in _positions(entry, name, task))
        if parsed.language is not None and entry.neuron_language != "target":
            yield (
                f"{where}.neuron_language: neuron_languages says whose neurons are "
                f"written in tasks.{name}, so nothing reads it; leave it out there"
            )
        whose = result_paths.languages_of(
            config, treatment, lang, task.source_language
        )[0]
        langset = parsed.selection.languages
        inside = config.language_set(langset).languages
        for each in (x for x in together(whose) if x not in inside):
            yield (
                f"{where}.neuron_language: tasks.{name} would overwrite neurons of "
                f"{each!r}, of which language set {langset} has none "
                f"(its languages: {', '.join(inside)})"
            )


def _positions(entry: Statistic, name: str, task: Task) -> Iterator[str]:
    """Say why positions are never there in a task."""
    if entry.positions != "generated":
        return
    kind = tasks.load(task.kind)
    if kind.CONTINUES:
        return
    made = kind.generates(kind.PARAMETERS.model_validate(task.parameters))
    if made == 0:
        yield (
            f"positions: tasks.{name} (kind {task.kind}) generates nothing, so "
            "'generated' would change nothing; allowed there: all, non_pad, last, "
            f"prompt. Or name other statistics for it under by_task"
        )
    elif made == 1:
        yield (
            f"positions: tasks.{name} generates one token and reads none back, so "
            f"'generated' would change nothing; raise its max_new_tokens"
        )


def meaning(entry: Statistic) -> tuple[Any, ...]:
    """Return what decides the numbers of a statistic, the profile filled in."""
    effective = entry.model_dump(exclude={"profile"})
    effective["value"] = "p50" if entry.value == "median" else entry.value
    unread = set()
    if entry.value in UNMEASURED:
        unread |= {"measure", "quantile", "value_language"}
    if not effective["value"].startswith("p"):
        unread.add("quantile")
    if entry.op not in WEIGHTED:
        unread.add("weight")
    return tuple((k, v) for k, v in effective.items() if k not in unread)


def _same(config: Config) -> Iterator[str]:
    """Check that no list has two statistics that write the same numbers."""
    for where, given in lists(config, "statistics").items():
        seen: dict[tuple[Any, ...], str] = {}
        for name in given:
            entry = config.statistic(name)
            first = seen.setdefault(meaning(entry), name)
            if first != name:
                yield (
                    f"{where}: {name} writes the same as {first} (profile "
                    f"{entry.profile}); take one of them out, or it counts as a test "
                    "of its own"
                )


def _layers(config: Config) -> Iterator[str]:
    """Check layers where the configuration says how many a model has."""
    counts = {
        name: config.demo_model(name).layers
        for name in rows.models(config)
        if config.model(name).builder
    }
    names = {name for _, name in used_statistics(config)} if counts else ()
    for name in sorted(names):
        entry = config.statistics[name]
        for model, layers in counts.items():
            if entry.layers is not None and entry.layers[1] >= layers:
                yield (
                    f"statistics.{name}.layers: {list(entry.layers)}, but {model} has "
                    f"layers 0 to {layers - 1}"
                )


def _perplexity(config: Config) -> Iterator[str]:
    """Check what the perplexity table would switch."""
    used = {
        treatment.statistic
        for _, treatments in rows.text_blocks(config)
        for treatment in treatments
        if isinstance(treatment, Overwritten)
    }
    for name in sorted(used):
        entry, where = config.statistics[name], f"statistics.{name}"
        if entry.positions in UNREAD_IN_TEXT:
            yield (
                f"{where}.positions: {entry.positions!r} changes no likelihood of a "
                "text, where nothing is generated and the last token predicts nothing; "
                "allowed for perplexity: all, non_pad, prompt"
            )
        if entry.neuron_language != "target":
            yield (
                f"{where}.neuron_language: perplexity switches the neurons of each "
                "language in turn, so nothing reads it; leave it out there"
            )
        if entry.value_language == "source":
            yield (
                f"{where}.value_language: perplexity has no source language; allowed: "
                "target (that of the neurons) or a code"
            )
