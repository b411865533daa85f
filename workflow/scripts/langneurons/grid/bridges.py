"""What is asked, recorded and compared to choose bridges: one thing each in a study.

Probes and similarities of a pair have one name, whichever experiment asks for them, so
that all experiments of ``run`` have the same probes, selection, candidates and
similarities (``study.check_bridges``); their models, tasks and pairs may differ.
"""

from __future__ import annotations

from langneurons.config.errors import ConfigError
from langneurons.config.names import Pair, Selection
from langneurons.config.schema import RESULTS, Config

from .experiments import of_kind
from .experiments.bridges import Bridges, Probes
from .kept import kept


def all_axes(config: Config) -> dict[str, Bridges]:
    """Return the experiments of ``run`` that go through bridges, by name."""
    return of_kind(config, Bridges)


def _first(config: Config) -> Bridges:
    for axes in all_axes(config).values():
        return axes
    raise ConfigError("bridges: no experiment of run is of kind bridges")


def probes(config: Config) -> Probes:
    """Return which words are asked and recorded.

    Raises:
        ConfigError: no experiment of ``run`` goes through bridges; so do the others.
    """
    return _first(config).probes


def selection(config: Config) -> Selection:
    """Return whose neurons are recorded and compared."""
    return Selection.parse(_first(config).selection)


def similarities(config: Config) -> tuple[str, ...]:
    """Return the entries of ``similarities`` that choose bridges."""
    return _first(config).similarities


def candidates(config: Config, pair: Pair) -> tuple[str, ...]:
    """Return the bridges of a pair, in the order that decides between equals."""
    return _first(config).of_pair(pair)


@kept
def asked_for(config: Config) -> list[tuple[str, Pair]]:
    """List each model and pair that bridges are chosen for, each once."""
    found = {
        (model, Pair.parse(pair)): None
        for axes in all_axes(config).values()
        for model in axes.models
        for pair in axes.pairs
    }
    return list(found)


def pairs(config: Config) -> list[Pair]:
    """List the pairs of all models."""
    return list(dict.fromkeys(pair for _, pair in asked_for(config)))


def dictionary(name: str, pair: Pair) -> str:
    """Name the file of a pair's words, those of probes and those of tests."""
    return f"{RESULTS}/dictionaries/{name}/{pair}.json"


def asked(model: str, pair: Pair) -> str:
    """Name the file of the words that a model is asked, with its answers."""
    return f"{RESULTS}/probes/{model}/{pair}.json"


def recorded(model: str, chosen: Selection, pair: Pair) -> str:
    """Name the file of activations on a pair's probes, of a selection's neurons."""
    return f"{RESULTS}/probes/{model}/{chosen}/{pair}.safetensors"


def similarity(config: Config, model: str, name: str, pair: Pair) -> str:
    """Name the file that says how similar each candidate is, by one similarity."""
    return f"{config.results}/similarities/{model}/{name}/{pair}.json"
