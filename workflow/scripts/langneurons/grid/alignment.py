"""What is aligned: models, corpora and pairs of languages, and the files of each.

A file has the names of these alone, so that all experiments of ``run`` take the same
``site`` and ``sentences`` (``study.check_alignment``).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from langneurons.config.errors import ConfigError
from langneurons.config.names import Pair, languages_of
from langneurons.config.schema import Config

from . import bridges
from .experiments import of_kind
from .experiments.alignment import Alignment
from .kept import kept


@dataclass(frozen=True, order=True)
class Aligned:
    """Two languages of a model and corpus; which stands first says nothing.

    Attributes:
        corpus: of the parallel sentences.
        model: its name.
        pair: the languages, in the order of the alphabet.
    """

    corpus: str
    model: str
    pair: Pair

    @classmethod
    def of(cls, corpus: str, model: str, one: str, other: str) -> Aligned:
        return cls(corpus, model, Pair(*sorted((one, other))))

    def path(self, config: Config) -> str:
        """Name the file of their alignment."""
        folder = f"{config.results}/alignment/{self.corpus}/{self.model}"
        return f"{folder}/{self.pair}.json"


@dataclass(frozen=True)
class Bridge:
    """A candidate for a bridge between two languages, all three of which are aligned.

    Attributes:
        experiment: that goes through it.
        task: that is tested.
        pair: source and target.
        candidate: the bridge.
    """

    experiment: str
    task: str
    pair: Pair
    candidate: str


def all_axes(config: Config) -> dict[str, Alignment]:
    """Return the experiments of ``run`` that align languages, by name."""
    return of_kind(config, Alignment)


def corpus(config: Config, axes: Alignment) -> str:
    """Return whose sentences an experiment takes."""
    return axes.corpus or config.default_corpus


def sentences(config: Config, axes: Alignment) -> int:
    """Return how many sentences an experiment compares."""
    kept_means = config.recorded(corpus(config, axes)).chunk_means
    return kept_means if axes.sentences is None else axes.sentences


def axes_of(config: Config, name: str) -> Alignment:
    """Return the first experiment that aligns languages of a corpus.

    Raises:
        ConfigError: none of ``run`` does.
    """
    for axes in all_axes(config).values():
        if corpus(config, axes) == name:
            return axes
    raise ConfigError(f"alignment: no experiment of run aligns languages of {name}")


def with_pivot(config: Config) -> Iterator[tuple[str, str, Aligned]]:
    """Yield experiment, language and what is aligned: each language with the pivot."""
    for name, axes in all_axes(config).items():
        for model in axes.models:
            for lang in axes.aligned:
                named = corpus(config, axes), model, lang, axes.pivot
                yield name, lang, Aligned.of(*named)


def on_the_way(config: Config) -> Iterator[tuple[str, str, Bridge]]:
    """Yield experiment, model and each bridge whose three languages it aligns.

    Of experiments of ``run`` that go through bridges, on models of both.
    """
    for name, axes in all_axes(config).items():
        known = {*axes.languages, axes.pivot}
        for other, given in bridges.all_axes(config).items():
            for model in (x for x in given.models if x in axes.models):
                for task in given.tasks:
                    for text in given.pairs:
                        pair = Pair.parse(text)
                        for candidate in given.of_pair(pair):
                            if {candidate, *languages_of(text)} <= known:
                                yield name, model, Bridge(other, task, pair, candidate)


def legs(corpus: str, model: str, bridge: Bridge) -> tuple[Aligned, Aligned]:
    """Return what is aligned of a bridge: with the source, and with the target."""
    ends = bridge.pair.source, bridge.pair.target
    first, second = (Aligned.of(corpus, model, bridge.candidate, x) for x in ends)
    return first, second


@kept
def asked_for(config: Config) -> list[Aligned]:
    """List everything that is aligned, each once: for both tables."""
    found = {one: None for _, _, one in with_pivot(config)}
    for name, model, bridge in on_the_way(config):
        of = corpus(config, all_axes(config)[name])
        found |= dict.fromkeys(legs(of, model, bridge))
    return list(found)


def texts(config: Config) -> list[tuple[str, str]]:
    """List corpora and languages of all sentences, each once."""
    found = {
        (one.corpus, lang): None
        for one in asked_for(config)
        for lang in languages_of(str(one.pair))
    }
    return list(found)
