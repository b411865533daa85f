"""What is tested under which treatments: a tuned model on a task, or a model on text.

All tables together ask for the treatments; each is there once, ``none`` first. Plain
data, worked out from the configuration alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from langneurons.config.catalogue import UNMEASURED
from langneurons.config.errors import ConfigError
from langneurons.config.names import (
    BASE_SEED,
    UNTREATED,
    Overwritten,
    Selection,
    Steered,
    Treatment,
    TuningName,
    hashed,
    together,
)
from langneurons.config.schema import Config

from . import result_paths, rows, steering
from .axes import Row, TextRow
from .kept import kept


@hashed
@dataclass(frozen=True)
class OnTask:
    """A tuned model on the test items of a task in one language."""

    task: str
    model: str
    tuning: TuningName
    seed: int
    lang: str


@hashed
@dataclass(frozen=True)
class OnText:
    """A model on the held-out text of one language."""

    corpus: str
    model: str
    lang: str


READ = ("neurons", "activations", "directions")
"""Roles of the files that treatments read."""

Subject = OnTask | OnText
Treatments = tuple[Treatment, ...]


def of_row(task: str, row: Row) -> OnTask:
    """Return what a row of a task's table is about."""
    return OnTask(task, row.model, row.tuning, int(row.seed), row.lang)


def of_text_row(row: TextRow) -> OnText:
    """Return what a row of the perplexity table is about."""
    return OnText(row.corpus, row.model, row.lang)


def folder(config: Config, subject: Subject) -> str:
    """Say where the results of a subject lie."""
    if isinstance(subject, OnText):
        axes = ("perplexity", subject.corpus, subject.model, subject.lang)
        return "/".join((config.results, *axes))
    tuned = (subject.task, subject.model, str(subject.tuning), f"seed{subject.seed}")
    return "/".join((config.results, "evaluations", *tuned, subject.lang))


def adapter(config: Config, subject: OnTask) -> list[str]:
    """Name the adapter that the model carries; none for the model as it is.

    Raises:
        ConfigError: what is not trained here, with a seed that it does not have.
    """
    task, model, tuning, seed = (
        subject.task,
        subject.model,
        subject.tuning,
        subject.seed,
    )
    if seed != BASE_SEED and not config.is_trained(tuning):
        raise ConfigError(
            f"{folder(config, subject)}: tuning {tuning} draws nothing and has no seed "
            f"{seed}; ask for seed{BASE_SEED}"
        )
    if tuning.is_base:
        return []
    return [result_paths.adapter(config, task, model, tuning, seed=seed)]


@kept
def on_tasks(config: Config) -> dict[OnTask, Treatments]:
    """List what is tested on tasks, each with the treatments of all tables."""
    found: dict[OnTask, dict[Treatment, None]] = {}
    for task in rows.tasks(config):
        for row, treatments in rows.task_blocks(config, task):
            names = found.setdefault(of_row(task, row), {UNTREATED: None})
            names |= dict.fromkeys(treatments)
    return {subject: tuple(names) for subject, names in found.items()}


@kept
def trained(config: Config) -> list[OnTask]:
    """List the adapters that are trained here: one subject of each."""
    found: dict[str, OnTask] = {}
    for one in on_tasks(config):
        if config.is_trained(one.tuning):
            found.setdefault(adapter(config, one)[0], one)
    return list(found.values())


@kept
def adopted(config: Config) -> list[OnTask]:
    """List adapters of somebody else that are tested: one subject of each."""
    found: dict[tuple[str, str, TuningName], OnTask] = {}
    for one in on_tasks(config):
        if config.tuning(one.tuning).kind == "adapter":
            found.setdefault((one.task, one.model, one.tuning), one)
    return list(found.values())


@kept
def on_texts(config: Config) -> dict[OnText, Treatments]:
    """List the models whose perplexity is measured, each with its treatments."""
    found: dict[OnText, dict[Treatment, None]] = {}
    for row, treatments in rows.text_blocks(config):
        names = found.setdefault(of_text_row(row), {UNTREATED: None})
        names |= dict.fromkeys(treatments)
    return {subject: tuple(names) for subject, names in found.items()}


def treated(config: Config) -> dict[Subject, Treatments]:
    """List everything that is tested, each with its treatments."""
    found: dict[Subject, Treatments] = {}
    found.update(on_tasks(config).items())
    found.update(on_texts(config).items())
    return found


def source_language(config: Config, subject: Subject) -> str:
    """Return the language of the training data; of text, its own."""
    if isinstance(subject, OnText):
        return subject.lang
    return config.task(subject.task).source_language


def read_files(
    config: Config, subject: Subject, treatments: Iterable[Treatment]
) -> dict[str, list[str]]:
    """List the files that treatments of a subject read, by their role: ``READ``."""
    model, source = subject.model, source_language(config, subject)
    files: dict[str, dict[str, None]] = {role: {} for role in READ}
    # Of thousands of treatments few differ in what they read: whose neurons do not.
    read: dict[Selection, dict[str, None]] = {}
    for parsed in treatments:
        if isinstance(parsed, Steered):
            files["directions"][steering.means(config).path(model)] = None
        if not isinstance(parsed, Overwritten):
            continue
        values = read.setdefault(parsed.selection, {})
        if config.statistic(parsed.statistic).value not in UNMEASURED:
            whose = result_paths.languages_of(config, parsed, subject.lang, source)[1]
            values[whose] = None
    for selection, values in read.items():
        files["neurons"][result_paths.neurons(model, selection)] = None
        corpus = config.method_corpus(selection.method)
        files["activations"] |= {
            result_paths.activations(corpus, model, each): None
            for languages in values
            for each in together(languages)
        }
    return {role: list(paths) for role, paths in files.items()}
