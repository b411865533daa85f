"""Checks of experiments: the lists of names that each kind declares, whatever it is."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from langneurons.config.catalogue import NAME
from langneurons.config.errors import unknown_name
from langneurons.config.experiment_entries import Named
from langneurons.config.fields import Frozen
from langneurons.config.names import Selection
from langneurons.grid import experiments
from langneurons.grid.rows import text_blocks

if TYPE_CHECKING:
    from langneurons.config.schema import Config

SCRIPTS = Path(__file__).parents[2]
TARGETS = ("all", "cards")
"""Rules that only gather the files of others; the rest have a script each."""
CATALOGUES = {
    "models": "model",
    "tasks": "task",
    "statistics": "statistic",
    "corpora": "corpus",
    "language_sets": "language set",
    "dictionaries": "dictionary",
    "similarities": "similarity",
}
"""Catalogues whose names are looked up as they are, and what their entries are."""


def problems(config: Config) -> Iterator[str]:
    """Check what is to run, and the names in the axes of each experiment."""
    for name in config.run:
        if name not in config.experiments:
            yield unknown_name("experiment", name, config.experiments, "run")
    for name in config.experiments:
        yield from _target(name)
    if set(config.run) - set(config.experiments):
        return
    corpus = config.default_corpus
    if corpus not in config.corpora:
        yield unknown_name("corpus", corpus, config.corpora, "default_corpus")
    for catalogue, what in CATALOGUES.items():
        for where, given in lists(config, catalogue).items():
            known = getattr(config, catalogue)
            yield from (
                unknown_name(what, x, known, where) for x in given if x not in known
            )


def languages(config: Config) -> Iterator[str]:
    """Check the languages and tasks of each experiment, whose names are all known."""
    for name, axes in experiments.running(config).items():
        where, of_tasks = f"experiments.{name}", getattr(axes, "tasks", ())
        # Of a task that is not in its list, too: what is merged cannot be taken out.
        for task in getattr(axes, "by_task", ()):
            if task not in config.tasks:
                yield unknown_name("task", task, config.tasks, f"{where}.by_task")
        for task in of_tasks:
            if config.task(task).on_pairs:
                continue
            allowed = config.task(task).languages
            for lang in getattr(axes, "languages", None) or ():
                if lang not in allowed:
                    there = f"{where}.languages ({task})"
                    yield unknown_name("language", lang, allowed, there)
        if hasattr(axes, "neuron_languages"):
            yield from _neuron_languages(config, axes, where)
        for task, own in getattr(axes, "by_task", {}).items():
            if named := getattr(own, "neuron_languages", None):
                same = axes.model_copy(update={"neuron_languages": named})
                there = f"{where}.by_task.{task}"
                yield from _neuron_languages(config, same, there)


def _neuron_languages(config: Config, axes: Any, where: str) -> Iterator[str]:
    """Check that there are neurons of the languages that are named, in each set."""
    named: Sequence[str] | None = axes.neuron_languages
    asked, key = named, f"{where}.neuron_languages"
    if named is None:
        asked, key = axes.languages, f"{where}.languages"
    if not isinstance(asked, tuple):
        return  # target or all
    sets = {
        f"selections: {text}": Selection.parse(text).languages
        for text in axes.selections
    }
    if steering := getattr(axes, "steering", None):
        sets[f"steering: {steering.languages}"] = steering.languages
    elif not sets:
        return  # of a prompt, which can name any
    yield from _inside(config, sets, asked, named or (), where=where, key=key)


def _inside(
    config: Config,
    sets: Mapping[str, str],
    asked: Sequence[str],
    named: Sequence[str],
    *,
    where: str,
    key: str,
) -> Iterator[str]:
    """Check languages against sets, by the place that names each.

    Args:
        config: the configuration.
        sets: place -> language set.
        asked: languages of which each set needs one.
        named: those of them that are written there, and so must be known.
        where: the experiment.
        key: place of the languages.
    """
    inside = {text: config.language_set(x).languages for text, x in sets.items()}
    known = {lang for languages in inside.values() for lang in languages}
    unknown = [lang for lang in named if lang not in known]
    yield from (unknown_name("language", lang, known, key) for lang in unknown)
    for text, languages in inside.items() if not unknown else ():
        if not set(languages) & set(asked):
            yield (
                f"{where}.{text} has neurons of {', '.join(languages)}, of which {key} "
                "names none"
            )


def of_text(config: Config, name: str, key: str) -> str:
    """Say where an experiment names what its perplexity is of."""
    own = hasattr(config.experiment(name), key)
    return (
        f"experiments.{name}.{key}" if own else f"experiments.{name}.perplexity.{key}"
    )


def chunks(config: Config) -> Iterator[str]:
    """Check that what two experiments measure under one name is the same."""
    found: dict[Any, int] = {}
    for row, _ in text_blocks(config):
        first = found.setdefault((row.corpus, row.model), row.chunks)
        if first != row.chunks:
            yield (
                f"{of_text(config, row.experiment, 'chunks')}: {row.chunks}, but "
                f"another experiment of run measures {row.model} on {first} chunks of "
                f"{row.corpus}; results have one name, so give both the same number"
            )


def corpora(config: Config) -> Iterator[str]:
    """Check that no two texts of one language stand in the table of perplexity."""
    found: dict[Any, str] = {}
    for row, _ in text_blocks(config):
        first = found.setdefault((row.model, row.lang), row.corpus)
        if first != row.corpus:
            yield (
                f"{of_text(config, row.experiment, 'corpus')}: {row.corpus}, but "
                f"another experiment of run measures {row.model} on {first}; the table "
                "of perplexity does not name the corpus. Give both the same, or make a "
                "study of each"
            )


def _target(name: str) -> Iterator[str]:
    """Check that a name can be a target of Snakemake, beside the rules."""
    where = f"experiments.{name}"
    if not re.fullmatch(NAME, name):
        yield (
            f"{where}: names are lower case letters, digits, '-' and '_', and begin "
            "with a letter or digit"
        )
    elif name in TARGETS or (SCRIPTS / f"{name}.py").is_file():
        yield (
            f"{where}: a rule has this name, and an experiment is a target of its name "
            "too; take another"
        )


def lists(config: Config, *what: str) -> dict[str, tuple[str, ...]]:
    """Return the lists of the experiments of ``run`` that hold such names, by place.

    Args:
        config: the configuration.
        what: what the names are of, as in ``Named``.
    """
    found: dict[str, tuple[str, ...]] = {}
    for name, axes in experiments.running(config).items():
        found |= lists_of(name, axes, *what)
    return found


def lists_of(name: str, axes: Frozen, *what: str) -> dict[str, tuple[str, ...]]:
    """Return those of one experiment; see ``lists``."""
    return dict(_lists(axes, f"experiments.{name}", what))


def _lists(
    block: Frozen, where: str, what: tuple[str, ...]
) -> Iterator[tuple[str, tuple[str, ...]]]:
    for key, field in type(block).model_fields.items():
        value = getattr(block, key)
        named = next((x.what for x in field.metadata if isinstance(x, Named)), None)
        if named in what and value is not None:
            yield f"{where}.{key}", (value,) if isinstance(value, str) else value
        if isinstance(value, Frozen):
            yield from _lists(value, f"{where}.{key}", what)
        for inner, part in value.items() if isinstance(value, dict) else ():
            if isinstance(part, Frozen):
                yield from _lists(part, f"{where}.{key}.{inner}", what)
