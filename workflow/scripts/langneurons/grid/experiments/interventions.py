"""Neurons of tuned or untuned models are overwritten when they are tested on tasks."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import ConfigDict, Field

from langneurons.config.experiment_entries import (
    ByTask,
    Experiment,
    Languages,
    NeuronLanguages,
    Selections,
    SomeStatistics,
    Statistics,
    Tasks,
    Tunings,
)
from langneurons.config.fields import Frozen, Seed
from langneurons.config.names import (
    UNTREATED,
    Overwritten,
    Selection,
    Treatment,
    TuningName,
)
from langneurons.config.schema import Config
from langneurons.grid.axes import (
    Block,
    Row,
    covers,
    neuron_languages,
    written,
)

from . import Kind


class OfTask(Frozen):
    """Statistics of one task, in place of those of its experiment."""

    statistics: Statistics = Field((), description="what is written into neurons there")
    control_statistics: SomeStatistics = Field(
        None, description="for random neurons; null: the same as the others"
    )


class Interventions(Experiment):
    """Neurons are overwritten when a model is tested (paper, Tables 1, 4 and 5)."""

    model_config = ConfigDict(extra="forbid")

    tasks: Tasks = Field(min_length=1, description="tasks to evaluate on")
    languages: Languages = Field(
        None, min_length=1, description="languages that are tested; null: the tasks'"
    )
    tunings: Tunings = Field(
        ("attention",),
        min_length=1,
        description="how models are fine-tuned (`base`: not at all); each gets every "
        "intervention",
    )
    seeds: tuple[Seed, ...] = Field(
        (42,),
        min_length=1,
        description="seeds of fine-tuning; 0 alone of what is not trained here",
    )
    selections: Selections = Field(
        (),
        description="neurons to overwrite, each `method.language_set`; a random method "
        "stands for all its draws",
    )
    statistics: Statistics = Field(
        (), description="what is written into them (Table 4, columns)"
    )
    control_statistics: SomeStatistics = Field(
        None, description="statistics for random neurons; null: the same as the others"
    )
    neuron_languages: NeuronLanguages = Field(
        "target",
        description="whose neurons are overwritten:\n`target`: of the tested language, "
        "where the language set is for it\n`all`: of each language of the set, in turn"
        "\na list: of each of these that the set has",
    )
    by_task: ByTask[OfTask] = Field(
        default_factory=dict,
        description="statistics that differ, by task; null: as for the others",
    )


class Product(Kind[Interventions]):
    """Models x tunings x seeds x languages x selections x statistics, by task."""

    PARAMETERS = Interventions
    TABLES = ("{task}",)

    def selections(self, axes: Interventions) -> tuple[str, ...]:
        return axes.selections

    def rows(
        self, config: Config, name: str, axes: Interventions
    ) -> Iterator[tuple[str, Block]]:
        for task in axes.tasks:
            languages = axes.languages or config.task(task).languages
            of = {x: tuple(_treatments(config, axes, task, x)) for x in languages}
            for model in axes.models:
                for tuning in map(TuningName.parse, axes.tunings):
                    for seed in config.seeds_of(tuning, axes.seeds):
                        for lang, treatments in of.items():
                            row = Row(model, tuning, seed, lang, UNTREATED, name)
                            yield task, Block(row, treatments)


def _treatments(
    config: Config, axes: Interventions, task: str, lang: str
) -> list[Treatment]:
    """List ``none`` and every treatment of one evaluation language."""
    found: list[Treatment] = [UNTREATED]
    said = axes.by_task.get(task, axes)
    for selection, statistics in written(config, axes.selections, said):
        if axes.neuron_languages == "target":
            if covers(config, selection, lang):
                found += [Overwritten(selection, s) for s in statistics]
            continue
        asked, langset = axes.neuron_languages, selection.languages
        found += [
            _of(config, selection, statistic, whose=whose, lang=lang)
            for whose in neuron_languages(config, langset, asked)
            for statistic in statistics
        ]
    return found


def _of(
    config: Config, selection: Selection, statistic: str, *, whose: str, lang: str
) -> Overwritten:
    """Name a treatment as ``target`` does where it is the same, so that both share it.

    Args:
        config: the configuration.
        selection: neurons that are overwritten.
        statistic: what is written.
        whose: neurons of the selection.
        lang: language that is tested.
    """
    usual = config.statistic(statistic).neuron_language == "target"
    same = whose == lang and usual and covers(config, selection, lang)
    return Overwritten(selection, statistic, None if same else whose)


KIND = Product()
