"""Checks across the configuration: every reference leads somewhere.

They run before the first job, so that a mistyped name costs nothing. What a reference
leads to is checked next, by ``check_selections`` (names of neurons and tunings),
``check_effects`` and ``check_tuning`` (what would do nothing) and ``check_data``
(languages and text).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from types import ModuleType
from typing import Any

from pydantic import ValidationError

from langneurons import methods, similarities, tables, tasks
from langneurons.config.catalogue import NAME, Method, Model
from langneurons.config.errors import unknown_name
from langneurons.config.explain import explain
from langneurons.config.names import BASE, NO_TREATMENT
from langneurons.config.schema import Config
from langneurons.config.similarity_entries import Similarity
from langneurons.config.task_entries import Task
from langneurons.nn.models import families
from langneurons.published import numbers

from . import (
    check_adapters,
    check_alignment,
    check_amplification,
    check_bridges,
    check_data,
    check_dictionaries,
    check_effects,
    check_experiments,
    check_methods,
    check_recorded,
    check_similarities,
    check_sweeps,
    check_tuning,
)
from .check_selections import control_problems, selection_problems, tuning_problems
from .partner_clashes import clashes, twin_controls

CATALOGUES = (
    "models", "corpora", "language_sets", "methods", "statistics", "tasks", "tunings",
    "dictionaries", "similarities", "sweeps",
)  # fmt: skip
KINDS: Mapping[type, tuple[str, ModuleType]] = {
    Method: ("method", methods),
    Task: ("task", tasks),
    Similarity: ("similarity", similarities),
}
"""Entries that have a kind: what they are, and the room of its file."""
# Words of the configuration that stand for languages.
LANGUAGE_WORDS = ("target", "source", "both")


def cross_check(config: Config) -> list[str]:
    """List what in the configuration does not fit together, one line per problem."""
    problems = [*_names(config), *_entries(config), *check_experiments.problems(config)]
    if not set(config.run) - set(config.experiments):
        problems += [*selection_problems(config), *tuning_problems(config)]
    if problems:  # the other checks follow references
        return problems
    problems += [*control_problems(config), *check_experiments.languages(config)]
    problems += check_dictionaries.on_pairs(config)
    if problems:
        return problems
    known = tables.by_name(config)
    problems += _unknown("table", config.tables, known, "tables")
    problems += check_experiments.chunks(config)
    problems += dict.fromkeys(check_experiments.corpora(config))
    checked = (
        check_alignment,
        check_amplification,
        check_bridges,
        check_dictionaries,
        check_data,
        check_recorded,
        check_similarities,
        check_effects,
        check_tuning,
        check_adapters,
    )
    for module in checked:
        problems += module.problems(config)
    return problems or twin_controls(config) or clashes(config)


def _unknown(
    what: str, given: Iterable[str] | None, allowed: Iterable[str], where: str
) -> list[str]:
    known = list(allowed)
    return [unknown_name(what, x, known, where) for x in given or () if x not in known]


def _names(config: Config) -> Iterator[str]:
    """Check names that become files, or that already mean something."""
    for catalogue in CATALOGUES:
        for name in getattr(config, catalogue):
            if not re.fullmatch(NAME, name):  # $ alone lets a line end pass
                yield (
                    f"{catalogue}.{name}: names are lower case letters, digits, '-' "
                    "and '_', and begin with a letter or digit"
                )
            elif len(name) > 60:
                yield (
                    f"{catalogue}.{name}: a name of {len(name)} signs; at most 60, "
                    "since several make one file name"
                )
    for name in config.tasks:
        if tables.taken(name):
            others = [tables.load(kind).NAME for kind in tables.in_order()]
            others = [*(other for other in others if other != tables.TASK), tables.COST]
            yield (
                f"tasks.{name}: another table has this name; not allowed: "
                f"{', '.join(others)}"
            )
    if NO_TREATMENT in config.statistics:
        yield (
            f"statistics.{NO_TREATMENT}: {NO_TREATMENT!r} is the name of the model "
            "without intervention; take another"
        )
    yield from check_amplification.taken(config)
    yield from check_bridges.taken(config)
    for name, tuning in config.tunings.items():
        if (name == BASE) != (tuning.kind == "none"):
            yield (
                f"tunings.{name}: kind {tuning.kind}; {BASE!r} is the name of kind "
                "none, the model as it is, and no other has either"
            )
    yield from _language_names(config)


def _language_names(config: Config) -> Iterator[str]:
    given = {f"language_sets.{k}": v.languages for k, v in config.language_sets.items()}
    given |= {f"tasks.{k}.languages": v.languages for k, v in config.tasks.items()}
    given |= {
        f"tasks.{k}.source_language": (v.source_language,)
        for k, v in config.tasks.items()
    }
    for where, languages in given.items():
        for word in sorted(set(languages) & set(LANGUAGE_WORDS)):
            yield f"{where}: {word!r} is no language code; it has a meaning of its own"


def _entries(config: Config) -> Iterator[str]:
    """Check what the entries of the catalogues refer to."""
    for name, model in config.models.items():
        if model.builder and config.demo_world is None and name in _models(config):
            yield f"models.{name}: builder demo_world needs a demo_world block"
        yield from _family(config, name, model)
        yield from _published(model, "model", f"models.{name}")
    yield from check_sweeps.problems(config)
    made = check_sweeps.made(config)  # whose parameters are checked there
    for name, method in config.methods.items():
        where = f"methods.{name}"
        if name not in made:
            yield from _plugin(method, where)
        if method.corpus:
            yield from _unknown(
                "corpus", [method.corpus], config.corpora, f"{where}.corpus"
            )
        yield from _published(method, "method", where)
    yield from check_methods.problems(config)
    for name, similarity in config.similarities.items():
        yield from _plugin(similarity, f"similarities.{name}")
    for name, task in config.tasks.items():
        where = f"tasks.{name}"
        yield from _plugin(task, where)
        yield from _unknown(
            "model", task.training_by_model, config.models, f"{where}.training_by_model"
        )
    yield from check_dictionaries.names(config)


def _family(config: Config, name: str, model: Model) -> Iterator[str]:
    """Check that a model's family is known, and has what is asked of it."""
    if model.family not in families.FAMILIES:
        yield families.unknown(model.family, f"models.{name}.family")
        return
    row, wanted = families.find(model.family), model.attn_implementation
    if wanted and wanted not in row.kernels:
        yield (
            f"models.{name}: attn_implementation {wanted}: family {model.family} has "
            f"only {', '.join(row.kernels)}"
        )
    document = config.activations.attention == "document"
    if document and name in _models(config) and not row.position_ids:
        yield (
            f"activations.attention: 'document' cannot be had with {name}: models of "
            f"family {model.family} {families.TOGETHER}; use chunk, or take it out of "
            "the experiments of run"
        )


def _models(config: Config) -> set[str]:
    """Return the models that run, as far as the names of experiments are known."""
    known = [config.experiments[x] for x in config.run if x in config.experiments]
    return {model for axes in known for model in axes.models}


@cache
def _published_keys(what: str) -> frozenset[str]:
    """Return the keys of models or methods under which something is published."""
    figures = numbers.figures()
    rows = [*figures["neuron_sets"], *numbers.records(figures["cells"])]
    return frozenset({row[what] for row in rows} - {None})


def _published(entry: Any, what: str, where: str) -> list[str]:
    """Check that ``published_as`` is a key under which something is published."""
    given = [entry.published_as] if entry.published_as is not None else []
    known = _published_keys(what)
    return _unknown(f"published {what}", given, known, f"{where}.published_as")


def _plugin(entry: Method | Task | Similarity, where: str) -> list[str]:
    """Check the kind of an entry that has one, and its parameters."""
    what, room = KINDS[type(entry)]
    known = room.kinds()
    if entry.kind not in known:
        return _unknown(f"{what} kind", [entry.kind], known, f"{where}.kind")
    plugin = room.load(entry.kind)
    try:
        plugin.PARAMETERS.model_validate(entry.parameters)
    except ValidationError as error:
        return explain(error, plugin.PARAMETERS, (where, "parameters"))
    return []
