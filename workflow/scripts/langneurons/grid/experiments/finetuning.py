"""Selected neurons are fine-tuned, random ones beside them (paper, Tables 3, 7, 8)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Literal

from pydantic import ConfigDict, Field

from langneurons.config.experiment_entries import (
    Chosen,
    Controls,
    Entries,
    Experiment,
    Languages,
    Statistics,
    Tasks,
    Tunings,
)
from langneurons.config.fields import Seed
from langneurons.config.names import (
    MASKED,
    UNTREATED,
    Overwritten,
    Selection,
    Treatment,
    TuningName,
)
from langneurons.config.schema import Config
from langneurons.grid.axes import Block, Row, covers, expand_draws

from . import Kind

FINETUNE, RANDOM = "finetune_", "random_"
"""Begin the names of a task's tables: of chosen neurons, and of random ones."""


class Finetuning(Experiment):
    """Fine-tuning of selected neurons (paper, Tables 3, 7 and 8; methods.md 2.1)."""

    model_config = ConfigDict(extra="forbid")

    tasks: Tasks = Field(min_length=1, description="tasks whose tuning changes neurons")
    languages: Languages = Field(
        None, min_length=1, description="languages that are tested; null: the tasks'"
    )
    seeds: tuple[Seed, ...] = Field(
        (42,),
        min_length=1,
        description="seeds of fine-tuning; 0 alone of what is not trained here",
    )
    selections: Chosen = Field(
        min_length=1, description="whose neurons, for the languages their set covers"
    )
    tuned_languages: tuple[Literal["source", "target", "both"], ...] = Field(
        ("source", "target", "both"),
        min_length=1,
        description="whose neurons are tuned, each in turn:\n"
        "`source`: of the training language\n`target`: of the evaluation language\n"
        "`both`: of both together",
    )
    entries: Entries = Field(
        (MASKED,), min_length=1, description="entries of tunings, tried with each"
    )
    baselines: Tunings = Field(
        ("attention",),
        description="tunings without neurons, to set them against: each other tuning "
        "against attention, and attention (or, without it, each tuning) against base",
    )
    controls: Controls = Field(
        (), description="random selections, tuned for the evaluation language"
    )
    statistics: Statistics = Field(
        (), description="interventions on the tuned models, with the same selection"
    )


class Product(Kind[Finetuning]):
    """Models x seeds x languages x selections x entries x languages tuned, by task."""

    PARAMETERS = Finetuning
    TABLES = (f"{FINETUNE}{{task}}", f"{RANDOM}{{task}}")

    def selections(self, axes: Finetuning) -> tuple[str, ...]:
        return (*axes.selections, *axes.controls)

    def rows(
        self, config: Config, name: str, axes: Finetuning
    ) -> Iterator[tuple[str, Block]]:
        for task in axes.tasks:
            for row in _chosen(config, name, axes, task):
                yield f"{FINETUNE}{task}", Block(row, (row.treatment,))
        for task in axes.tasks if axes.controls else ():
            for row in _random(config, name, axes, task):
                yield f"{RANDOM}{task}", Block(row, (row.treatment,))


def tuned_languages(source: str, target: str, which: str) -> tuple[str, ...]:
    """Say whose neurons are tuned: of the source, the target or both languages."""
    chosen = {"source": (source,), "target": (target,), "both": (source, target)}
    return tuple(dict.fromkeys(chosen[which]))


def _chosen(config: Config, name: str, axes: Finetuning, task: str) -> list[Row]:
    """List the rows of a table of neuron fine-tuning (Tables 3 and 7).

    The baselines come without interventions, each neuron tuning with those of its own
    selection.
    """
    source = config.task(task).source_language

    def tuned(text: str, lang: str) -> Iterator[tuple[TuningName, Treatment]]:
        selection = Selection.parse(text)
        inside = set(config.language_set(selection.languages).languages)
        treatments = [Overwritten(selection, s) for s in axes.statistics]
        for entry in axes.entries:
            for which in axes.tuned_languages:
                languages = tuned_languages(source, lang, which)
                if set(languages) <= inside:
                    tuning = TuningName(entry, selection, languages)
                    yield from ((tuning, each) for each in (UNTREATED, *treatments))

    return _product(config, name, axes, task, axes.selections, tuned)


def _random(config: Config, name: str, axes: Finetuning, task: str) -> list[Row]:
    """List the rows that set random neurons beside selected ones (Table 8).

    Both are tuned for the evaluation language; there are no interventions.
    """

    def tuned(text: str, lang: str) -> Iterator[tuple[TuningName, Treatment]]:
        matched = config.reads(Selection.parse(text))[0]
        for selection in (matched, *expand_draws(config, text)):
            yield TuningName(MASKED, selection, (lang,)), UNTREATED

    return _product(config, name, axes, task, axes.controls, tuned)


def _product(
    config: Config,
    name: str,
    axes: Finetuning,
    task: str,
    selections: Sequence[str],
    tuned: Callable[[str, str], Iterable[tuple[TuningName, Treatment]]],
) -> list[Row]:
    """List the baselines and, for each selection, its tunings with their treatments.

    Args:
        config: the configuration.
        name: of the experiment.
        axes: of the experiment.
        task: that is tuned for.
        selections: those that cover an evaluation language are used for it.
        tuned: of a selection and an evaluation language: tuning and treatment.
    """
    found: dict[Row, None] = {}
    for model in axes.models:
        for seed in axes.seeds:
            for lang in axes.languages or config.task(task).languages:
                pairs: list[tuple[TuningName, Treatment]] = [
                    (TuningName.parse(text), UNTREATED) for text in axes.baselines
                ]
                for text in selections:
                    if covers(config, Selection.parse(text), lang):
                        pairs += tuned(text, lang)
                for tuning, treatment in pairs:
                    (own,) = config.seeds_of(tuning, (seed,))
                    found[Row(model, tuning, own, lang, treatment, name)] = None
    return list(found)


KIND = Product()
