"""Neurons of every language are amplified, beside two ways to steer without neurons.

After Rahmanisa et al. 2025 (arXiv 2507.22581): models as they are, each tested language
under the neurons of each language. Beside random neurons the controls are an
instruction that names the language, and the mean difference between languages.
"""

from __future__ import annotations

import string
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field

from langneurons.config.experiment_entries import (
    ByTask,
    Corpus,
    Experiment,
    Languages,
    LanguageSet,
    NeuronLanguages,
    Selections,
    SomeStatistics,
    Statistics,
    Tasks,
)
from langneurons.config.fields import Frozen, Language, PairName
from langneurons.config.names import (
    BASE,
    BASE_SEED,
    UNTREATED,
    Overwritten,
    Prompted,
    Selection,
    Steered,
    Treatment,
    TuningName,
    target_of,
)
from langneurons.config.schema import Config
from langneurons.grid.axes import (
    Block,
    Row,
    TextRow,
    expand_draws,
    neuron_languages,
    written,
)

from . import Kind
from .perplexity import TABLE as PERPLEXITY

PLACES = ("language", "code")
"""What an instruction may name: the language in English, or its code."""


def _template(text: str) -> str:
    """Check an instruction."""
    try:
        parts = [part[1:] for part in string.Formatter().parse(text)]
    except ValueError as error:
        raise ValueError(f"{text!r} is no template ({error})") from None
    named = [name for name, _, _ in parts if name is not None]
    plain = all(part in ((None,) * 3, (part[0], "", None)) for part in parts)
    if not named or not plain or not set(named) <= set(PLACES):
        given = ", ".join(f"{{{name}}}" for name in named) or "none"
        raise ValueError(
            f"{text!r} names no language: placeholders {given}; allowed are "
            "{language}, its English name, and {code}, at least one of them"
        )
    return text


def _strength(number: float) -> float:
    """Check that a strength can be told from others by its name."""
    if float(f"{number:.6f}") != number:
        raise ValueError(
            f"{number!r} has more than six decimals, which names of results lack"
        )
    return number


Template = Annotated[str, AfterValidator(_template)]
Layer = Annotated[int, Field(ge=0)]
Strength = Annotated[float, Field(gt=0, lt=1e9), AfterValidator(_strength)]


class Steering(Frozen):
    """The mean difference between languages is added to the residual stream.

    Of a language: the mean output of a decoder layer over its tokens, minus the mean of
    the other languages' means.
    """

    languages: LanguageSet = Field(
        description="language set whose languages are set against each other"
    )
    corpus: Corpus = Field(
        None,
        description="text that the means are of, one that counts no BOS token; null: "
        "`default_corpus`",
    )
    layers: tuple[Layer, ...] = Field(
        min_length=1, description="decoder layers, from 0, each by itself"
    )
    strengths: tuple[Strength, ...] = Field(
        min_length=1, description="factors on the difference, each with each layer"
    )


class OnText(Frozen):
    """Text whose perplexity is measured under the same treatments, but prompts."""

    languages: tuple[Language, ...] = Field(
        min_length=1, description="languages of the text"
    )
    corpus: Corpus = Field(
        None, description="text that is held out; null: `default_corpus`"
    )
    chunks: int = Field(200, ge=1, description="held-out chunks, shared by all cells")


class OfTask(Frozen):
    """What differs for one task; null: as for the others."""

    statistics: SomeStatistics = Field(
        None, description="what is written into neurons there; null: as elsewhere"
    )
    control_statistics: SomeStatistics = Field(
        None,
        description="for random neurons; null: the same as `statistics` there, or as "
        "elsewhere where these are null too",
    )
    neuron_languages: NeuronLanguages | None = Field(
        None,
        description="whose neurons, and whom the prompt names, `all`, a list or "
        "`target`: see `neuron_languages` of the experiment; null: as elsewhere",
    )


class SwitchedOff(Frozen):
    """Languages whose neurons are overwritten together, one more from step to step.

    A statistic that is measured is, for each neuron, that of the first of them whose
    neuron it is.
    """

    tasks: Tasks = Field(
        min_length=1,
        description="in whose answers one looks which language appears: those of the "
        "experiment's tasks, in all its languages, whose answers are open (forcing)",
    )
    languages: tuple[Language, ...] = Field(
        min_length=1,
        description="in this order: the neurons of the first, of the first two, and so "
        "on",
    )
    selections: Selections = Field(
        min_length=1,
        description="whose neurons, each `method.language_set`; a random method stands "
        "for all its draws, as many random neurons of each language",
    )
    statistics: Statistics = Field(
        min_length=1, description="what is written into them, such as zero"
    )


class Amplification(Experiment):
    """Neurons of every language are amplified, beside prompts and steering."""

    model_config = ConfigDict(extra="forbid")

    tasks: Tasks = Field(
        min_length=1, description="tasks to evaluate models on as they are"
    )
    languages: Languages = Field(
        None, min_length=1, description="languages that are tested; null: the tasks'"
    )
    pairs: tuple[PairName, ...] = Field(
        (),
        description="ordered pairs of languages, as in en-vi, for its tasks on pairs "
        "(translation): the tested language is the second",
    )
    selections: Selections = Field(
        (),
        description="neurons to overwrite, each `method.language_set`; a random method "
        "stands for all its draws",
    )
    statistics: Statistics = Field(
        (), description="what is written into them: the factors"
    )
    control_statistics: SomeStatistics = Field(
        None, description="statistics for random neurons; null: the same as the others"
    )
    neuron_languages: NeuronLanguages = Field(
        "all",
        description="whose neurons are overwritten, towards whom the model is steered, "
        "and whom the prompt names:\n`all`: each language of the set, in turn; of the "
        "prompt, all that any of these sets has\na list: each of these, as far as the "
        "set has them\n`target`: the tested language, or that of the text",
    )
    prompt: Template | None = Field(
        None,
        description="instruction that stands on a line of its own before every text of "
        "a task: `{language}` is the English name in `language_names`, `{code}` the "
        "code; null: no such control",
    )
    steering: Steering | None = Field(
        None, description="the mean difference between languages; null: none"
    )
    switched_off: SwitchedOff | None = Field(
        None,
        description="languages that are switched off one after another, to see which "
        "one open answers fall back to; null: none",
    )
    ties: Literal["drop", "count_as_fail"] = Field(
        "drop",
        description="facts whose object is the same word in both languages of a pair, "
        "which cannot shift:\n`drop`: left out\n`count_as_fail`: counted as not "
        "shifted (paper)",
    )
    by_task: ByTask[OfTask] = Field(
        default_factory=dict,
        description="statistics, and whose neurons, that differ, by task; null: as "
        "for the others",
    )
    perplexity: OnText | None = Field(
        None, description="text to measure too; null: none"
    )


class Product(Kind[Amplification]):
    """Models x languages x treatments, by task; then those of text."""

    PARAMETERS = Amplification
    TABLES = (
        "amplification", "steering", "open_text", "fallback", PERPLEXITY, "{task}",
    )  # fmt: skip

    def selections(self, axes: Amplification) -> tuple[str, ...]:
        off = axes.switched_off.selections if axes.switched_off else ()
        return tuple(dict.fromkeys((*axes.selections, *off)))

    def rows(
        self, config: Config, name: str, axes: Amplification
    ) -> Iterator[tuple[str, Block]]:
        base = TuningName(BASE)
        for task in axes.tasks:
            languages = tested(config, axes, task)
            own, off = of_task(axes, task), switched(config, axes, task)
            of = {  # a step of what is switched off may be a factor, too
                x: tuple(
                    dict.fromkeys(
                        (*_usual(config, own, x), *_prompts(config, own, x), *off)
                    )
                )
                for x in languages
            }
            for model in axes.models:
                for lang, treatments in of.items():
                    row = Row(model, base, BASE_SEED, lang, UNTREATED, name)
                    yield task, Block(row, treatments)
        if (text := axes.perplexity) is None:
            return
        corpus, chunks = text.corpus or config.default_corpus, text.chunks
        on_text = {x: tuple(_usual(config, axes, x)) for x in text.languages}
        for model in axes.models:
            for lang, treatments in on_text.items():
                read = TextRow(corpus, model, lang, UNTREATED, chunks, name)
                yield PERPLEXITY, Block(read, treatments)


def tested(config: Config, axes: Amplification, task: str) -> tuple[str, ...]:
    """List the languages, or pairs, that a task is tested in."""
    if config.task(task).on_pairs:
        return axes.pairs
    return axes.languages or config.task(task).languages


def of_task(axes: Amplification, task: str) -> Amplification:
    """Return the axes as they are for one task (``by_task``)."""
    own = axes.by_task.get(task)
    if own is None:
        return axes
    changed: dict[str, Any] = {}
    if own.statistics is not None:
        changed["statistics"] = own.statistics
        changed["control_statistics"] = own.control_statistics
    elif own.control_statistics is not None:
        changed["control_statistics"] = own.control_statistics
    if own.neuron_languages is not None:
        changed["neuron_languages"] = own.neuron_languages
    return axes.model_copy(update=changed)


def _usual(config: Config, axes: Amplification, lang: str) -> list[Treatment]:
    """List ``none`` and what is done inside the model when a language is tested.

    Whose neurons is always written out: in a matrix no language is the usual one.
    """
    found: list[Treatment] = [UNTREATED]
    for selection, statistics in written(config, axes.selections, axes):
        found += [
            Overwritten(selection, statistic, whose)
            for whose in _whose(config, axes, selection.languages, lang)
            for statistic in statistics
        ]
    if (steering := axes.steering) is not None:
        found += [
            Steered(layer, strength, whose)
            for whose in _whose(config, axes, steering.languages, lang)
            for layer in steering.layers
            for strength in steering.strengths
        ]
    return found


def switched(config: Config, axes: Amplification, task: str) -> tuple[Overwritten, ...]:
    """List the steps in which languages are switched off on a task, in any language."""
    off = axes.switched_off
    if off is None or task not in off.tasks:
        return ()
    return tuple(
        Overwritten(selection, statistic, "+".join(off.languages[:step]))
        for text in off.selections
        for selection in expand_draws(config, text)
        if set(off.languages) <= set(config.language_set(selection.languages).languages)
        for statistic in off.statistics
        for step in range(1, len(off.languages) + 1)
    )


def only_switched(
    config: Config, axes: Amplification, lang: str, task: str
) -> frozenset[Treatment]:
    """Return the steps that are nothing but that: no way to amplify a language."""
    usual = _usual(config, of_task(axes, task), lang)
    return frozenset(switched(config, axes, task)) - set(usual)


def _whose(config: Config, axes: Amplification, langset: str, lang: str) -> list[str]:
    """List the languages of a set whose turn it is when ``lang`` is tested."""
    asked = axes.neuron_languages
    if asked == "target":
        asked = (target_of(lang),)
    return neuron_languages(config, langset, asked)


def _prompts(config: Config, axes: Amplification, lang: str) -> list[Treatment]:
    """List the instructions of a tested language."""
    if axes.prompt is None:
        return []
    return [Prompted(each) for each in prompt_languages(config, axes, lang)]


def prompt_languages(config: Config, axes: Amplification, lang: str) -> list[str]:
    """List the languages that the prompt names when ``lang`` is tested."""
    if axes.neuron_languages == "target":
        return [target_of(lang)]
    if axes.neuron_languages != "all":
        return list(axes.neuron_languages)
    sets = [Selection.parse(text).languages for text in axes.selections]
    if axes.steering is not None:
        sets.append(axes.steering.languages)
    everyone = [x for each in sets for x in config.language_set(each).languages]
    if not everyone:
        everyone = [
            target_of(x) for task in axes.tasks for x in tested(config, axes, task)
        ]
    return list(dict.fromkeys(everyone))


KIND = Product()
