"""What an experiment says whatever its kind, and what the names in its lists are of.

The axes of each kind are in ``grid.experiments``.
"""

from __future__ import annotations

from typing import Annotated, Literal, NamedTuple

from pydantic import ConfigDict, Field

from .fields import Frozen, Language


class Named(NamedTuple):
    """Says what the entries of a list are, so that all lists are checked in one way.

    Attributes:
        what: a catalogue of the configuration; or ``selections``, ``chosen`` (those
            that are not random) or ``controls`` (random ones).
    """

    what: str


Models = Annotated[tuple[str, ...], Named("models")]
Tasks = Annotated[tuple[str, ...], Named("tasks")]
Tunings = Annotated[tuple[str, ...], Named("tunings")]
Entries = Annotated[tuple[str, ...], Named("neuron tunings")]
Selections = Annotated[tuple[str, ...], Named("selections")]
Chosen = Annotated[tuple[str, ...], Named("chosen")]
Controls = Annotated[tuple[str, ...], Named("controls")]
Statistics = Annotated[tuple[str, ...], Named("statistics")]
SomeStatistics = Annotated[tuple[str, ...] | None, Named("statistics")]
Corpus = Annotated[str | None, Named("corpora")]
LanguageSet = Annotated[str, Named("language_sets")]
Languages = tuple[Language, ...] | None
NeuronLanguages = (
    Literal["target", "all"] | Annotated[tuple[Language, ...], Field(min_length=1)]
)


class Experiment(Frozen):
    """A named part of the grid: its axes, whose product are rows of tables.

    ``kind`` is a file of ``grid/experiments/``; it says which further keys there are.
    """

    model_config = ConfigDict(extra="allow")

    kind: str = Field(description="a file of `grid/experiments/`")
    models: Models = Field(min_length=1, description="models to study")
