"""Checks for fine-tuning that would change nothing, or not what its name says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from langneurons import tasks
from langneurons.config.names import BASE, Selection
from langneurons.config.task_entries import Task, Tuning
from langneurons.grid import rows
from langneurons.grid.axes import covers
from langneurons.grid.experiments import of_kind, running
from langneurons.grid.experiments.finetuning import Finetuning, tuned_languages
from langneurons.nn.models import families

from .check_experiments import lists_of

if TYPE_CHECKING:
    from langneurons.config.schema import Config

Names = tuple[str, ...]


def problems(config: Config) -> list[str]:
    """List settings that no tuning reads, and what cannot be tuned, or goes untuned."""
    found = [*_tunings(config), *_tasks(config)]
    for name, block in of_kind(config, Finetuning).items():
        found += _finetuning(config, block, f"experiments.{name}")
    return list(dict.fromkeys(found))


def _tasks(config: Config) -> Iterator[str]:
    """Check that each task has what its tunings, or the lack of one, need."""
    for name in rows.tasks(config):
        task = config.task(name)
        kind = tasks.load(task.kind)
        if kind.LABELS:
            yield from _untrained_head(config, name, task)
            yield from _no_classifier(config, name, task)
        if not tasks.is_trainable(kind):
            yield from _untrainable(config, name, task)
        no_items = task.data.hub is None and not task.data.train
        if no_items and rows.is_trained(config, name):
            yield (
                f"tasks.{name}.data.train: missing; tunings of the experiments train "
                f"on this task (only {BASE} does without)"
            )


def _untrainable(config: Config, name: str, task: Task) -> Iterator[str]:
    """Refuse to tune on a task that has no training items."""
    finetuned = of_kind(config, Finetuning)
    for experiment, where, of_tasks, tunings in _lists(config):
        if experiment in finetuned:
            continue
        tuned = [each for each in tunings if config.is_trained(each)]
        if name in of_tasks and tuned:
            yield (
                f"{where}: {', '.join(tuned)} cannot be trained on tasks.{name}: kind "
                f"{task.kind} has no training items, it can only be tested. Evaluate "
                f"{BASE} on it, or take {name} out of experiments.{experiment}.tasks"
            )
    for where, axes in finetuned.items():
        if name in axes.tasks:
            yield (
                f"experiments.{where}.tasks: nothing can be trained on tasks.{name}: "
                f"kind {task.kind} has no training items, it can only be tested"
            )


def _untrained_head(config: Config, name: str, task: Task) -> Iterator[str]:
    """Refuse to classify with a head that nothing has trained."""
    for experiment, where, of_tasks, tunings in _lists(config):
        if name in of_tasks and BASE in tunings:
            yield (
                f"{where}: {BASE} cannot be evaluated on tasks.{name} (kind "
                f"{task.kind}): it is classified by a head that fine-tuning trains, "
                f"and in the model as it is that head is random. Take {BASE} out of "
                f"{where}, or {name} out of experiments.{experiment}.tasks"
            )


def _no_classifier(config: Config, name: str, task: Task) -> Iterator[str]:
    """Refuse to classify with models that transformers has no classifier of."""
    for experiment, axes in running(config).items():
        if name not in getattr(axes, "tasks", ()):
            continue
        lacking = [
            model
            for model in axes.models
            if not families.find(config.model(model).family).classifier
        ]
        if lacking:
            of = sorted({config.model(model).family for model in lacking})
            known = [key for key, row in families.FAMILIES.items() if row.classifier]
            yield (
                f"experiments.{experiment}.models: {', '.join(lacking)} cannot be "
                f"tuned on tasks.{name} (kind {task.kind}): transformers has no "
                f"classifier of family {', '.join(of)}. Families that it has one of: "
                f"{', '.join(sorted(known))}. Take {name} out of "
                f"experiments.{experiment}.tasks, or these models into an experiment "
                "without it"
            )


def _lists(config: Config) -> Iterator[tuple[str, str, Names, Names]]:
    """List the lists of tunings: experiment, place, its tasks, and the tunings."""
    for name, axes in running(config).items():
        for where, tunings in lists_of(name, axes, "tunings").items():
            yield name, where, getattr(axes, "tasks", ()), tunings


def _tunings(config: Config) -> Iterator[str]:
    """Check for settings of LoRA where a tuning has no such matrices."""
    for name, entry in config.tunings.items():
        for key in sorted(unread(entry) & entry.training.model_fields_set):
            yield (
                f"tunings.{name}.training.{key}: kind {entry.kind} with attention: "
                "false has no such LoRA matrices, so nothing reads it"
            )


def unread(entry: Tuning) -> set[str]:
    """Return the settings of LoRA that a tuning has no use for."""
    if entry.attention:
        return set()
    rows = {"rank", "alpha"} if entry.kind == "subnetwork_rows" else set()
    return {"attention_modules", *rows}


def _finetuning(config: Config, block: Finetuning, where: str) -> Iterator[str]:
    """Check that each language and selection of neuron tuning tunes something."""
    for name in block.tasks:
        yield from _untuned(config, block, name, where)
    for text in block.controls:
        tested = {
            lang
            for name in block.tasks
            for lang in block.languages or config.task(name).languages
        }
        if not any(covers(config, Selection.parse(text), lang) for lang in tested):
            named = ", ".join(f"tasks.{name}" for name in block.tasks)
            yield f"{where}.controls: {text} is for no language of {named}"


def _untuned(config: Config, block: Finetuning, name: str, where: str) -> Iterator[str]:
    task = config.task(name)
    tested = block.languages or task.languages
    chosen = [Selection.parse(text) for text in block.selections]
    covered = [lang for lang in tested if any(covers(config, s, lang) for s in chosen)]
    for lang in sorted(set(tested) - set(covered)):
        if block.languages or not covered:
            yield (
                f"{where}.selections: none has neurons for {lang} (tasks.{name}):"
                " the language would have baselines only"
            )
    for selection in chosen:
        inside = set(config.language_set(selection.languages).languages)
        for lang in covered:
            if not covers(config, selection, lang):
                continue
            for which in block.tuned_languages:
                wanted = tuned_languages(task.source_language, lang, which)
                if lacking := sorted(set(wanted) - inside):
                    yield (
                        f"{where}.tuned_languages: {which!r} needs neurons of "
                        f"{', '.join(lacking)} (tasks.{name}), which language set "
                        f"{selection.languages} does not have"
                    )
