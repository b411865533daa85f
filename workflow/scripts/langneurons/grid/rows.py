"""The rows of the tables: which treatment of which tuned model, in which language.

A row is one evaluation; a table is a list of them, in a fixed order: those of the
experiments of ``run``, one after the other. What two experiments ask for is one row, of
the first of them.
"""

from __future__ import annotations

from collections.abc import Iterator

from langneurons.config.names import UNTREATED, Selection, Treatment, TuningName
from langneurons.config.schema import Config

from . import experiments
from .axes import Block, Row, TextRow, expand_draws, is_control
from .experiments.finetuning import FINETUNE, RANDOM
from .experiments.perplexity import TABLE as PERPLEXITY
from .kept import kept

Tables = dict[str, list[Block]]


@kept
def tables(config: Config) -> Tables:
    """Return the rows of every table that rows are made for, by name, in order."""
    found: Tables = {}
    asked: dict[tuple[str, Row | TextRow], list[tuple[Treatment, ...]]] = {}
    # Models share their treatments; both are held, or another could have its number.
    once: dict[int, tuple[tuple[Treatment, ...], tuple[Treatment, ...]]] = {}
    for name, axes in experiments.running(config).items():
        kind = experiments.load(axes.kind)
        for table, block in kind.rows(config, name, axes):
            row, given = block.row.under(UNTREATED), block.treatments
            if id(given) not in once:
                once[id(given)] = given, tuple(dict.fromkeys(given))
            treatments = once[id(given)][1]
            before = asked.setdefault((table, row), [])
            if before:
                known = {each for some in before for each in some}
                treatments = tuple(x for x in treatments if x not in known)
            before.append(treatments)
            found.setdefault(table, []).append(Block(row, treatments))
    return found


@kept
def table_rows(config: Config, table: str) -> list[Row]:
    """List the rows of a table of evaluations on tasks; none of any other."""
    return [
        row
        for block in tables(config).get(table, ())
        for row in block.rows
        if isinstance(row, Row)
    ]


def text_blocks(config: Config) -> list[tuple[TextRow, tuple[Treatment, ...]]]:
    """List what the perplexity table is about: a row of each, and its treatments."""
    return [
        (block.row, block.treatments)
        for block in tables(config).get(PERPLEXITY, ())
        if isinstance(block.row, TextRow)
    ]


@kept
def text_rows(config: Config) -> list[TextRow]:
    """List the rows of the perplexity table, by model and language of the text."""
    return [row.under(each) for row, some in text_blocks(config) for each in some]


def chunks(config: Config) -> dict[tuple[str, str], int]:
    """Say how many chunks of a corpus a model's perplexity is measured on, at most."""
    return {(row.corpus, row.model): row.chunks for row, _ in text_blocks(config)}


def task_blocks(config: Config, task: str) -> list[tuple[Row, tuple[Treatment, ...]]]:
    """List what is tested on a task, for all tables: a row of each, its treatments.

    What two of the tables show is in there twice.
    """
    return [
        (block.row, block.treatments)
        for table in (task, f"{FINETUNE}{task}", f"{RANDOM}{task}")
        for block in tables(config).get(table, ())
        if isinstance(block.row, Row)
    ]


def treatments(config: Config) -> set[Treatment]:
    """Return every treatment of a row, whatever it is of."""
    some = {
        id(block.treatments): block.treatments
        for listed in tables(config).values()
        for block in listed
    }
    return {treatment for each in some.values() for treatment in each}


def task_rows(config: Config, task: str) -> list[Row]:
    """List the rows of a task's table of interventions (Tables 1, 4 and 5)."""
    return table_rows(config, task)


def tuning_rows(config: Config, task: str) -> list[Row]:
    """List the rows of a task's table of neuron fine-tuning (Tables 3 and 7)."""
    return table_rows(config, f"{FINETUNE}{task}")


def random_rows(config: Config, task: str) -> list[Row]:
    """List the rows that set random neurons beside selected ones (Table 8)."""
    return table_rows(config, f"{RANDOM}{task}")


def _axis(config: Config, name: str) -> list[str]:
    """List the values of an axis over all experiments of ``run``, each once."""
    found: dict[str, None] = {}
    for axes in experiments.running(config).values():
        found |= dict.fromkeys(getattr(axes, name, ()))
    return list(found)


@kept
def models(config: Config) -> list[str]:
    """List the models of the experiments of ``run``."""
    return _axis(config, "models")


@kept
def tasks(config: Config) -> list[str]:
    """List the tasks of the experiments of ``run``."""
    return _axis(config, "tasks")


def languages(config: Config, task: str) -> list[str]:
    """List the languages in which a task is tested."""
    return list(dict.fromkeys(row.lang for row, _ in task_blocks(config, task)))


def is_trained(config: Config, task: str) -> bool:
    """Tell whether a tuning trains on a task, which needs items then."""
    return any(config.is_trained(row.tuning) for row, _ in task_blocks(config, task))


@kept
def all_selections(config: Config, model: str | None = None) -> list[Selection]:
    """List every selection that experiments ask for, random draws one by one.

    Args:
        config: the configuration.
        model: only of experiments on this model; None: of all.
    """
    found: dict[Selection, None] = {}
    for axes in experiments.running(config).values():
        if model is not None and model not in axes.models:
            continue
        for text in experiments.load(axes.kind).selections(axes):
            found |= dict.fromkeys(expand_draws(config, text))
        for tuning in getattr(axes, "tunings", ()):
            tuned = TuningName.parse(tuning).selection
            if tuned is not None:
                found[tuned] = None
    return list(found)


@kept
def computed_selections(config: Config, model: str | None = None) -> list[Selection]:
    """List every selection asked for, and those that these are made from."""
    found = dict.fromkeys(all_selections(config, model))
    todo = list(found)
    for selection in todo:  # which grows meanwhile
        new = [read for read in config.made_from(selection) if read not in found]
        found |= dict.fromkeys(new)
        todo += new
    return list(found)


def drawn_selections(config: Config, model: str | None = None) -> list[Selection]:
    """List the selections that figures show: all but random ones."""
    given = all_selections(config, model)
    return [s for s in given if not is_control(config, s)]


@kept
def measured(config: Config) -> list[tuple[str, str, str]]:
    """List model, corpus and language of every activation file that neurons need."""
    return list(dict.fromkeys(_measured(config)))


def _measured(config: Config) -> Iterator[tuple[str, str, str]]:
    for model in models(config):
        for selection in computed_selections(config, model):
            if is_control(config, selection):
                continue
            corpus = config.method_corpus(selection.method)
            for lang in config.language_set(selection.languages).languages:
                yield model, corpus, lang
