"""Checks of amplification: what its controls need, and that their names mean one thing.

``prompt.hi`` and ``diffmean-l12-s2.hi`` name files of results, in which two wordings or
two language sets would take each other's place.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from langneurons import tasks
from langneurons.config.errors import unknown_name
from langneurons.config.names import Selection, target_of
from langneurons.grid import steering
from langneurons.grid.experiments import of_kind
from langneurons.grid.experiments.amplification import (
    Amplification,
    of_task,
    prompt_languages,
    tested,
)

if TYPE_CHECKING:
    from langneurons.config.schema import Config

TAKEN = ("prompt", "diffmean", "bridge")
"""What tables call methods that have no neurons; the last is of bridges."""


def problems(config: Config) -> list[str]:
    """List what is wrong with the controls of experiments, and with their tasks."""
    found = list(_one_meaning(config))
    for name, axes in of_kind(config, Amplification).items():
        where = f"experiments.{name}"
        found += _tasks(config, axes, where)
        found += _pairs(config, axes, where)
        found += _steering(config, axes, where)
        found += _names(config, axes, where)
        found += _switched_off(config, axes, f"{where}.switched_off")
        found += _nothing(axes, where)
    return list(dict.fromkeys(found))


def _one_meaning(config: Config) -> Iterator[str]:
    means = steering.all_means(config)
    sets = {name: found.languages for name, found in means.items()}
    corpora = {name: found.corpus for name, found in means.items()}
    yield from _differ(sets, "steering.languages")
    yield from _differ(corpora, "steering.corpus")
    yield from _differ(steering.templates(config), "prompt")


def _differ(given: Mapping[str, str], key: str) -> Iterator[str]:
    first = next(iter(given), "")
    for name, value in given.items():
        if value != given[first]:
            yield (
                f"experiments.{name}.{key}: {value!r}, but experiments.{first} has "
                f"{given[first]!r}; a treatment's name would mean two things. Give "
                "both the same, or make a study of each"
            )


def _tasks(config: Config, axes: Amplification, where: str) -> Iterator[str]:
    for task in axes.tasks:
        kind = config.task(task).kind
        if tasks.load(kind).LABELS:
            more = ", and it reads no prompt" if axes.prompt is not None else ""
            yield (
                f"{where}.tasks: {task} (kind {kind}) is classified by a head that "
                "fine-tuning trains, but amplification tests models as they are, where "
                f"that head is random{more}. Take it out of {where}.tasks"
            )


def _pairs(config: Config, axes: Amplification, where: str) -> Iterator[str]:
    """Check that tasks on pairs have pairs, and that what is tested is read."""
    on_pairs = [task for task in axes.tasks if tasks.load(config.task(task).kind).PAIRS]
    if on_pairs and not axes.pairs:
        yield (
            f"{where}.pairs: missing; {', '.join(on_pairs)} is tested on pairs of "
            "languages; name them, as in pairs: [en-vi], or take it out of its tasks"
        )
    if axes.pairs and not on_pairs:
        yield (
            f"{where}.pairs: none of its tasks ({', '.join(axes.tasks)}) is tested on "
            "pairs of languages, so nothing reads it; leave it out, or add a task such "
            "as one of kind translation"
        )
    for task in on_pairs:
        own = of_task(axes, task)
        if own.neuron_languages == "target":
            yield from _targets(config, own, f"{where}.pairs")
    if axes.languages is not None and len(on_pairs) == len(axes.tasks):
        yield (
            f"{where}.languages: all of its tasks are tested on pairs of languages, so "
            "nothing reads it; leave it out"
        )


def _targets(config: Config, axes: Amplification, where: str) -> Iterator[str]:
    """Check that each selection has neurons of the languages that pairs lead to."""
    for text in axes.selections:
        langset = Selection.parse(text).languages
        inside = config.language_set(langset).languages
        for pair in axes.pairs:
            if (target := target_of(pair)) not in inside:
                yield (
                    f"{where}: {pair}: {text} has no neurons of {target}, and with "
                    "neuron_languages: target no others are overwritten; take the pair "
                    f"out, or {target} into the language set {langset}"
                )


def _steering(config: Config, axes: Amplification, where: str) -> Iterator[str]:
    if axes.steering is None:
        return
    name = axes.steering.languages
    inside = config.language_set(name).languages
    if len(inside) < 2:
        yield (
            f"{where}.steering.languages: {name} has one language; a difference needs "
            "two or more"
        )
    corpus = axes.steering.corpus or config.default_corpus
    entry = config.corpora.get(corpus)
    if entry and entry.bos != "none" and not (entry.sentences and entry.skip_tokens):
        hint = "skip_tokens: 1" if entry.sentences else "bos: none"
        yield (
            f"{where}.steering.corpus: {corpus} counts the BOS token, whose state in "
            "the residual stream is so large in most models that the means of "
            f"languages would be little else; give corpora.{corpus} {hint}, or take a "
            "corpus of sentences (unit: document) that skips it"
        )
    for model in axes.models:
        if not config.model(model).builder:
            continue  # how many layers it has is known when it is fetched
        layers = config.demo_model(model).layers
        if beyond := [x for x in axes.steering.layers if x >= layers]:
            yield (
                f"{where}.steering.layers: {', '.join(map(str, beyond))}, but {model} "
                f"has layers 0 to {layers - 1}"
            )


def _switched_off(config: Config, axes: Amplification, where: str) -> Iterator[str]:
    """Check that every step switches something off, and that its answers show it."""
    if (off := axes.switched_off) is None:
        return
    for name in off.tasks:
        if name not in axes.tasks:
            yield unknown_name("task", name, axes.tasks, f"{where}.tasks")
            continue
        entry = config.task(name)
        kind = tasks.load(entry.kind)
        if not kind.OPEN:
            yield (
                f"{where}.tasks: {name} (kind {entry.kind}) has no open answers whose "
                "language is told; allowed are tasks such as those of kind forcing"
            )
            continue
        told = kind.PARAMETERS.model_validate(entry.parameters).model_dump()
        for lang in off.languages:
            if lang not in told["languages"]:
                there = f"{where}.languages (tasks.{name}.parameters.languages)"
                yield unknown_name("language", lang, told["languages"], there)
    for text in off.selections:
        langset = Selection.parse(text).languages
        inside = config.language_set(langset).languages
        for lang in off.languages:
            if lang not in inside:
                there = f"{where}.languages (neurons of {text})"
                yield unknown_name("language", lang, inside, there)


def _names(config: Config, axes: Amplification, where: str) -> Iterator[str]:
    """Check that every language that a prompt names has a name."""
    if axes.prompt is None or "{language}" not in axes.prompt:
        return
    wanted = {
        code
        for task in axes.tasks
        for lang in tested(config, axes, task)
        for code in prompt_languages(config, of_task(axes, task), lang)
    }
    if missing := sorted(wanted - set(config.language_names)):
        yield (
            f"{where}.prompt: language_names has no English name of "
            f"{', '.join(missing)}; add them, as in language_names: {{hi: Hindi}}, or "
            "write {code} in place of {language}"
        )


def _nothing(axes: Amplification, where: str) -> Iterator[str]:
    """Check that something is done to the models, and everything named is."""
    if not any((axes.selections, axes.prompt, axes.steering, axes.switched_off)):
        yield (
            f"{where}: nothing is done to its models; give selections with statistics, "
            "prompt, steering or switched_off"
        )
    given: Iterable[tuple[str, ...]] = [
        axes.statistics, *(own.statistics or () for own in axes.by_task.values())
    ]  # fmt: skip
    if axes.selections and not any(given):
        yield f"{where}.statistics: none, so nothing is written into its selections"


def taken(config: Config) -> Iterator[str]:
    """Check that no method is called like what is done without neurons."""
    for name in sorted(set(TAKEN) & set(config.methods)):
        yield (
            f"methods.{name}: tables call rows so that are of no neurons; take another "
            "name"
        )
