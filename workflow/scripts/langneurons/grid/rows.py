"""The rows of the tables: which treatment of which tuned model, in which language.

A row is one evaluation; a table is a list of them, in a fixed order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from langneurons.config.names import (
    BASE,
    BASE_SEED,
    MASKED,
    NO_TREATMENT,
    Selection,
    Treatment,
    TuningName,
    draw,
    split_draw,
)
from langneurons.config.schema import Config
from langneurons.config.task_entries import NeuronTuning

RESULTS = "results"


@dataclass(frozen=True)
class Row:
    """One row of a task's table: a treatment of a tuned model in one language."""

    model: str
    tuning: str
    seed: int | str
    lang: str
    treatment: str

    def folder(self, task: str) -> str:
        return (
            f"{RESULTS}/evaluations/{task}/{self.model}/{self.tuning}"
            f"/seed{self.seed}/{self.lang}"
        )

    def path(self, task: str) -> str:
        return f"{self.folder(task)}/{self.treatment}.json"


def expand_draws(config: Config, selection: str) -> list[Selection]:
    """List a selection, or each of its draws if its method is a random one."""
    parsed = Selection.parse(selection)
    draws = config.method(parsed.method).draws
    if draws is None or split_draw(parsed.method)[1] is not None:
        return [parsed]
    return [
        Selection(draw(parsed.method, i + 1), parsed.languages) for i in range(draws)
    ]


def covers(config: Config, selection: Selection, lang: str) -> bool:
    """Tell whether interventions in ``lang`` use this selection's language set."""
    entry = config.language_set(selection.languages)
    return lang in (entry.evaluate or entry.languages)


def is_control(config: Config, selection: str | Selection) -> bool:
    """Tell whether a selection holds random neurons."""
    method = Selection.parse(str(selection)).method
    return config.method(method).draws is not None


def treatments(config: Config, task: str, lang: str) -> list[str]:
    """List ``none`` and every treatment of the grid for one evaluation language."""
    found = [NO_TREATMENT]
    grid, entry = config.grid, config.task(task)
    usual = grid.statistics if entry.statistics is None else entry.statistics
    control = entry.control_statistics
    if control is None:
        control = grid.control_statistics if entry.statistics is None else None
    for text in grid.selections:
        statistics = usual
        if is_control(config, text) and control is not None:
            statistics = control
        for selection in expand_draws(config, text):
            if covers(config, selection, lang):
                found += [str(Treatment(selection, s)) for s in statistics]
    return found


def seeds(config: Config, tuning: str) -> tuple[int, ...]:
    """List the seeds of a tuning: those of the grid, one for the model as it is."""
    return (BASE_SEED,) if tuning == BASE else config.grid.seeds


def is_trained(config: Config, task: str) -> bool:
    """Tell whether a tuning of the grid trains on a task, which needs items then."""
    block = config.neuron_tuning
    by_block = block is not None and task in block.tasks
    return by_block or any(tuning != BASE for tuning in config.grid.tunings)


def task_rows(config: Config, task: str) -> list[Row]:
    """List the rows of a task's table in a fixed order (Tables 1, 4 and 5)."""
    return [
        Row(model, tuning, seed, lang, treatment)
        for model in config.grid.models
        for tuning in config.grid.tunings
        for seed in seeds(config, tuning)
        for lang in config.task(task).languages
        for treatment in treatments(config, task, lang)
    ]


def tuned_languages(source: str, target: str, which: str) -> tuple[str, ...]:
    """Say whose neurons are tuned: of the source, the target or both languages."""
    chosen = {"source": (source,), "target": (target,), "both": (source, target)}
    return tuple(dict.fromkeys(chosen[which]))


def tuning_rows(config: Config, task: str) -> list[Row]:
    """List the rows of a table of neuron fine-tuning (Tables 3 and 7).

    The baselines come without interventions, each neuron tuning with those of its own
    selection.
    """
    block = config.neuron_tuning
    if block is None:
        return []
    source = config.task(task).source_language

    def tuned(text: str, lang: str) -> Iterator[tuple[str, str]]:
        selection = Selection.parse(text)
        inside = set(config.language_set(selection.languages).languages)
        names = [str(Treatment(selection, s)) for s in block.statistics]
        for entry in block.entries:
            for which in block.languages:
                languages = tuned_languages(source, lang, which)
                if set(languages) <= inside:
                    tuning = str(TuningName(entry, selection, languages))
                    yield from ((tuning, name) for name in (NO_TREATMENT, *names))

    return _neuron_rows(config, block, task, block.selections, tuned)


def random_rows(config: Config, task: str) -> list[Row]:
    """List the rows that set random neurons beside selected ones (Table 8).

    Both are tuned for the evaluation language; there are no interventions.
    """
    block = config.neuron_tuning
    if block is None or not block.controls:
        return []

    def tuned(text: str, lang: str) -> Iterator[tuple[str, str]]:
        control = Selection.parse(text)
        (matched,) = config.reads(control)
        for selection in (matched, *expand_draws(config, text)):
            yield str(TuningName(MASKED, selection, (lang,))), NO_TREATMENT

    return _neuron_rows(config, block, task, block.controls, tuned)


def _neuron_rows(
    config: Config,
    block: NeuronTuning,
    task: str,
    selections: Sequence[str],
    tuned: Callable[[str, str], Iterable[tuple[str, str]]],
) -> list[Row]:
    """List the baselines and, for each selection, its tunings with their treatments.

    Args:
        config: the configuration.
        block: its part on neuron tuning.
        task: not in the block's list: no rows.
        selections: those that cover an evaluation language are used for it.
        tuned: of a selection and an evaluation language: tuning and treatment.
    """
    if task not in block.tasks:
        return []
    found: dict[Row, None] = {}
    for model in config.grid.models:
        for seed in config.grid.seeds:
            for lang in block.evaluate or config.task(task).languages:
                pairs = [(baseline, NO_TREATMENT) for baseline in block.baselines]
                for text in selections:
                    if covers(config, Selection.parse(text), lang):
                        pairs += tuned(text, lang)
                found |= dict.fromkeys(
                    Row(model, tuning, _seed(tuning, seed), lang, treatment)
                    for tuning, treatment in pairs
                )
    return list(found)


def _seed(tuning: str, seed: int) -> int:
    return BASE_SEED if tuning == BASE else seed


def perplexity_treatments(config: Config) -> list[str]:
    """List ``none`` and, for every selection, each language's neurons switched."""
    block = config.perplexity
    if block is None:
        return []
    found = [NO_TREATMENT]
    for text in block.selections:
        for selection in expand_draws(config, text):
            inside = config.language_set(selection.languages).languages
            statistics = block.statistics
            if is_control(config, text) and block.control_statistics is not None:
                statistics = block.control_statistics
            found += [
                str(Treatment(selection, statistic, lang))
                for statistic in statistics
                for lang in block.languages
                if lang in inside
            ]
    return found


def all_selections(config: Config) -> list[Selection]:
    """List every selection that the grid asks for, random draws one by one."""
    found: dict[Selection, None] = {}
    given = [*config.grid.selections, *config.grid.identify]
    if config.perplexity is not None:
        given += config.perplexity.selections
    if config.neuron_tuning is not None:
        given += [*config.neuron_tuning.selections, *config.neuron_tuning.controls]
    for text in given:
        found |= dict.fromkeys(expand_draws(config, text))
    for tuning in config.grid.tunings if config.grid.tasks else ():
        tuned = TuningName.parse(tuning).selection
        if tuned is not None:
            found[tuned] = None
    return list(found)


def computed_selections(config: Config) -> list[Selection]:
    """List every selection of the grid, and those that these are made from."""
    found = dict.fromkeys(all_selections(config))
    todo = list(found)
    for selection in todo:  # which grows meanwhile
        new = [read for read in config.reads(selection) if read not in found]
        found |= dict.fromkeys(new)
        todo += new
    return list(found)


def drawn_selections(config: Config) -> list[Selection]:
    """List the selections that figures show: all but random ones."""
    return [s for s in all_selections(config) if not is_control(config, s)]


def measured(config: Config) -> list[tuple[str, str, str]]:
    """List model, corpus and language of every activation file that neurons need."""
    found: dict[tuple[str, str, str], None] = {}
    for model in config.grid.models:
        for selection in computed_selections(config):
            if is_control(config, selection):
                continue
            corpus = config.method_corpus(selection.method)
            for lang in config.language_set(selection.languages).languages:
                found[model, corpus, lang] = None
    return list(found)
