"""Which evaluations tables of steering are made from: plain data of the configuration.

An experiment steers if it runs a task that has answers in every language (``SHIFTS``)
under treatments that name a language, whatever the experiment's kind.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from langneurons import tasks
from langneurons.config.names import (
    UNTREATED,
    Overwritten,
    Prompted,
    Steered,
    Treatment,
    target_of,
)
from langneurons.grid import experiments
from langneurons.grid.axes import Row, TextRow, is_control
from langneurons.grid.experiments import amplification
from langneurons.grid.experiments.amplification import Amplification
from langneurons.grid.kept import kept
from langneurons.stats.steering import TIES, Ties

from . import planned

if TYPE_CHECKING:
    from langneurons.config.schema import Config


@dataclass(frozen=True)
class Steering:
    """The rows of all experiments that steer.

    Attributes:
        shifts: on tasks with answers in every language: task and row.
        choices: on the other tasks of these experiments, but those with open answers,
            where a change of language is what is wanted.
        texts: on held-out text.
        ties: how each of these experiments counts objects that are one word.
    """

    shifts: list[tuple[str, Row]] = field(default_factory=list)
    choices: list[tuple[str, Row]] = field(default_factory=list)
    texts: list[TextRow] = field(default_factory=list)
    ties: dict[str, Ties] = field(default_factory=dict)


@kept
def steering(config: Config) -> Steering:
    """List what is steered, and the untreated models that it is set against.

    What two experiments ask for is listed for each of them: both compare it with their
    own controls.
    """
    found = Steering()
    for name, axes, asked, shifting in _steering_experiments(config):
        shifts = list(_shifts(config, name, axes, shifting))
        if not shifts:
            continue
        choices, texts = [], []
        for table, block in experiments.load(axes.kind).rows(config, name, axes):
            if table in shifting or (table in asked and is_open(config, table)):
                continue
            for each in block.treatments:
                row = block.row.under(each)
                if target(each) is None:
                    continue
                if isinstance(row, TextRow):
                    texts.append(row)
                elif table in asked:
                    choices.append((table, row))
        found.ties[name] = getattr(axes, "ties", TIES[0])
        found.shifts.extend(_with_untreated(shifts))
        found.choices.extend(_with_untreated(choices))
        untreated = dict.fromkeys(row.under(UNTREATED) for row in texts)
        found.texts.extend([*untreated, *texts])
    return found


@kept
def steered(config: Config) -> list[tuple[str, str]]:
    """List tasks with answers in every language, and models that are steered there."""
    return sorted(
        {
            (table, block.row.model)
            for name, axes, _, shifting in _steering_experiments(config)
            for table, block in experiments.load(axes.kind).rows(config, name, axes)
            if table in shifting and isinstance(block.row, Row)
            if block.row.tuning.is_base
            and not _targets(config, table, block.row).isdisjoint(
                map(target, block.treatments)
            )
        }
    )


@dataclass(frozen=True)
class Overwrites:
    """What is written into chosen neurons: task, model, and selection.statistic.

    Attributes:
        shifts: on tasks with answers in every language.
        choices: on the other tasks.
    """

    shifts: list[tuple[str, str, str]]
    choices: list[tuple[str, str, str]]


@kept
def overwrites(config: Config) -> Overwrites:
    """List what tables of steering have of chosen neurons, each once, in order."""
    found = Overwrites([], [])
    for name, axes, asked, shifting in _steering_experiments(config):
        named: dict[int, list[tuple[str, str]]] = {}
        made = list(experiments.load(axes.kind).rows(config, name, axes))
        for table, block in made:
            row, some = block.row, block.treatments
            if table not in asked or not isinstance(row, Row) or not row.tuning.is_base:
                continue
            if id(some) not in named:  # models share their treatments
                left_out = only_switched(config, axes, table, row)
                kept = [each for each in some if each not in left_out]
                named[id(some)] = _overwriting(config, kept)
            shifts = table in shifting
            able = _targets(config, table, row) if shifts else frozenset()
            listed = found.shifts if shifts else found.choices
            listed += {
                (table, row.model, text): None
                for text, whose in named[id(some)]
                if not shifts or whose in able
            }
    return Overwrites(sorted(set(found.shifts)), sorted(set(found.choices)))


def _overwriting(
    config: Config, treatments: Iterable[Treatment]
) -> list[tuple[str, str]]:
    """Name what is written into chosen neurons, and whose they are."""
    return list(
        dict.fromkeys(
            (f"{each.selection}.{each.statistic}", whose)
            for each in treatments
            if isinstance(each, Overwritten)
            and (whose := target(each)) is not None
            and not is_control(config, each.selection)
        )
    )


def is_open(config: Config, task: str) -> bool:
    """Tell whether the answers to a task are open text."""
    return tasks.load(config.task(task).kind).OPEN


def only_switched(
    config: Config, axes: Any, task: str, row: Row | TextRow
) -> frozenset[Treatment]:
    """Return treatments of an experiment that switch languages off, no way to steer."""
    if not isinstance(axes, Amplification) or isinstance(row, TextRow):
        return frozenset()
    return amplification.only_switched(config, axes, row.lang, task)


def _steering_experiments(
    config: Config,
) -> Iterator[tuple[str, Any, set[str], set[str]]]:
    """Yield experiments that may steer: all their tasks, and those with ``SHIFTS``."""
    for name, axes in experiments.running(config).items():
        asked = set(_tasks_of(axes))
        shifting = {task for task in asked if tasks.load(config.task(task).kind).SHIFTS}
        if shifting:
            yield name, axes, asked, shifting


def _shifts(
    config: Config, name: str, axes: Any, shifting: set[str]
) -> Iterator[tuple[str, Row]]:
    """Yield the rows of an experiment that steer from one language to another."""
    for table, block in experiments.load(axes.kind).rows(config, name, axes):
        if table not in shifting or not isinstance(block.row, Row):
            continue
        able = _targets(config, table, block.row)
        for each in block.treatments:
            if target(each) in able:
                yield table, block.row.under(each)


def _targets(config: Config, task: str, row: Row) -> frozenset[str]:
    """Return the languages that a row's facts can shift to: with answers, not its own.

    A language set may have more languages than the task has answers in.
    """
    return _answered(config, task) - {target_of(row.lang)}


@kept
def _answered(config: Config, task: str) -> frozenset[str]:
    """Return the languages that a task with ``SHIFTS`` has answers in."""
    entry = config.task(task)
    given: Any = tasks.load(entry.kind).PARAMETERS.model_validate(entry.parameters)
    return frozenset(given.languages)


def _tasks_of(axes: Any) -> Iterable[str]:
    return tuple(getattr(axes, "tasks", ()))


def _with_untreated(given: Iterable[tuple[str, Row]]) -> list[tuple[str, Row]]:
    """Put the untreated models before their treatments; tuned ones are left out."""
    kept = [(task, row) for task, row in given if row.tuning.is_base]
    untreated = dict.fromkeys((task, row.under(UNTREATED)) for task, row in kept)
    return [*untreated, *kept]


def target(treatment: Treatment) -> str | None:
    """Return the language that a treatment steers to; None: it names none, or many."""
    if isinstance(treatment, Overwritten) and len(treatment.languages) > 1:
        return None
    if isinstance(treatment, Overwritten | Prompted | Steered):
        return treatment.language
    return None


Named = dict[str, Any]


def of_tasks(config: Config, rows: Sequence[tuple[str, Row]]) -> Named:
    """Name rows of tasks: their axes, treatments, and to whom they steer; packed."""
    subjects: dict[tuple[Any, ...], tuple[Named, list[str]]] = {}
    treatments: dict[str, Treatment] = {}
    for task, row in rows:
        key = (row.experiment, task, row.model, row.seed, row.lang)
        if key not in subjects:
            axes = {"experiment": row.experiment, "task": task}
            subjects[key] = axes | planned.axes_of(row), []
        name = str(row.treatment)
        treatments.setdefault(name, row.treatment)
        subjects[key][1].append(name)
    return _packed(config, list(subjects.values()), treatments)


def of_texts(config: Config, rows: Sequence[TextRow]) -> Named:
    """Name rows of held-out text in the same way."""
    subjects: dict[tuple[str, ...], tuple[Named, list[str]]] = {}
    treatments: dict[str, Treatment] = {}
    for row in rows:
        key = (row.experiment, row.corpus, row.model, row.lang)
        if key not in subjects:
            axes = zip(("experiment", "corpus", "model", "lang"), key, strict=True)
            subjects[key] = dict(axes), []
        name = str(row.treatment)
        treatments.setdefault(name, row.treatment)
        subjects[key][1].append(name)
    return _packed(config, list(subjects.values()), treatments)


def _packed(
    config: Config,
    subjects: Sequence[tuple[Named, list[str]]],
    treatments: Mapping[str, Treatment],
) -> Named:
    """Say once what many rows share: 170,000 rows of the study fill 2 MB, not 43.

    Returns:
        ``treatments``: columns of each name; ``groups``: lists of names; ``subjects``:
        what is treated, each with the number of its group. See :func:`unpacked`.
    """
    groups: dict[tuple[str, ...], int] = {}
    packed = [
        axes | {"group": groups.setdefault(tuple(names), len(groups))}
        for axes, names in subjects
    ]
    columns = {
        name: {"neuron_lang": target(one), **planned.treated(config, one)}
        for name, one in treatments.items()
    }
    return {"treatments": columns, "groups": [*map(list, groups)], "subjects": packed}


def unpacked(given: Mapping[str, Any]) -> list[Named]:
    """Write every row out: the axes of its subject, and what its treatment does."""
    return [
        {k: v for k, v in subject.items() if k != "group"} | given["treatments"][name]
        for subject in given["subjects"]
        for name in given["groups"][subject["group"]]
    ]
