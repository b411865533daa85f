"""Checks for fine-tuning that would change nothing, or not what its name says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from langneurons import tasks
from langneurons.config.errors import unknown_name
from langneurons.config.names import BASE, Selection
from langneurons.config.task_entries import NeuronTuning, Task
from langneurons.grid.rows import covers, is_trained, tuned_languages

if TYPE_CHECKING:
    from langneurons.config.schema import Config


def problems(config: Config) -> list[str]:
    """List settings that no tuning reads, and what cannot be tuned, or goes untuned."""
    found = [*_tunings(config), *_tasks(config), *_neuron_tuning(config)]
    return list(dict.fromkeys(found))


def _tasks(config: Config) -> Iterator[str]:
    """Check that each task has what its tunings, or the lack of one, need."""
    block = config.neuron_tuning
    for name in dict.fromkeys([*config.grid.tasks, *(block.tasks if block else ())]):
        task = config.task(name)
        kind = tasks.load(task.kind)
        if kind.LABELS:
            yield from _untrained_head(config, name, task)
        if not tasks.is_trainable(kind):
            yield from _untrainable(config, name, task)
        if is_trained(config, name) and task.data.hub is None and not task.data.train:
            yield (
                f"tasks.{name}.data.train: missing; tunings of the grid train on this "
                f"task (only {BASE} does without)"
            )


def _untrainable(config: Config, name: str, task: Task) -> Iterator[str]:
    """Refuse to tune on a task that has no training items."""
    block = config.neuron_tuning
    tuned = [each for each in config.grid.tunings if each != BASE]
    if name in config.grid.tasks and tuned:
        yield (
            f"grid.tunings: {', '.join(tuned)} cannot be trained on tasks.{name}: kind "
            f"{task.kind} has no training items, it can only be tested. Evaluate {BASE}"
            f" on it, or take {name} out of grid.tasks"
        )
    if block is not None and name in block.tasks:
        yield (
            f"neuron_tuning.tasks: nothing can be trained on tasks.{name}: kind "
            f"{task.kind} has no training items, it can only be tested"
        )


def _untrained_head(config: Config, name: str, task: Task) -> Iterator[str]:
    """Refuse to classify with a head that nothing has trained."""
    lists = {"grid": (config.grid.tasks, config.grid.tunings, "tunings")}
    if (block := config.neuron_tuning) is not None:
        lists["neuron_tuning"] = (block.tasks, block.baselines, "baselines")
    for where, (of_tasks, tunings, key) in lists.items():
        if name in of_tasks and BASE in tunings:
            yield (
                f"{where}.{key}: {BASE} cannot be evaluated on tasks.{name} (kind "
                f"{task.kind}): it is classified by a head that fine-tuning trains, "
                f"and in the model as it is that head is random. Take {BASE} out of "
                f"{where}.{key}, or {name} out of {where}.tasks"
            )


def _tunings(config: Config) -> Iterator[str]:
    """Check for settings of LoRA where a tuning has no such matrices."""
    for name, entry in config.tunings.items():
        if entry.attention:
            continue
        unread = {"attention_modules"}
        if entry.kind == "subnetwork_rows":
            unread |= {"rank", "alpha"}
        for key in sorted(unread & entry.training.model_fields_set):
            yield (
                f"tunings.{name}.training.{key}: kind {entry.kind} with attention: "
                "false has no such LoRA matrices, so nothing reads it"
            )


def _neuron_tuning(config: Config) -> Iterator[str]:
    """Check that each language and selection of neuron tuning tunes something."""
    block = config.neuron_tuning
    for name in block.tasks if block else ():
        assert block is not None
        task = config.task(name)
        for lang in block.evaluate or ():
            if lang not in task.languages:
                where = f"neuron_tuning.evaluate ({name})"
                yield unknown_name("language", lang, task.languages, where)
        yield from _untuned(config, block, name, task)
    for text in block.controls if block else ():
        assert block is not None
        tested = {
            lang
            for name in block.tasks
            for lang in block.evaluate or config.task(name).languages
        }
        if not any(covers(config, Selection.parse(text), lang) for lang in tested):
            named = ", ".join(f"tasks.{name}" for name in block.tasks)
            yield f"neuron_tuning.controls: {text} is for no language of {named}"


def _untuned(
    config: Config, block: NeuronTuning, name: str, task: Task
) -> Iterator[str]:
    tested = block.evaluate or task.languages
    chosen = [Selection.parse(text) for text in block.selections]
    covered = [lang for lang in tested if any(covers(config, s, lang) for s in chosen)]
    for lang in sorted(set(tested) - set(covered)):
        if block.evaluate or not covered:
            yield (
                f"neuron_tuning.selections: none has neurons for {lang} (tasks.{name}):"
                " the language would have baselines only"
            )
    for selection in chosen:
        inside = set(config.language_set(selection.languages).languages)
        for lang in covered:
            if not covers(config, selection, lang):
                continue
            for which in block.languages:
                wanted = tuned_languages(task.source_language, lang, which)
                if lacking := sorted(set(wanted) - inside):
                    yield (
                        f"neuron_tuning.languages: {which!r} needs neurons of "
                        f"{', '.join(lacking)} (tasks.{name}), which language set "
                        f"{selection.languages} does not have"
                    )
