"""What an experiment says whatever its kind, and what the names in its lists are of.

The axes of each kind are in ``grid.experiments``.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, NamedTuple, TypeVar

from pydantic import BeforeValidator, ConfigDict, Field

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


Entry = TypeVar("Entry")


def _without_empty(value: Any) -> Any:
    """Leave out entries that are null: how a file takes back what it is merged with."""
    if value is None:
        return {}
    if isinstance(value, dict):
        return {key: entry for key, entry in value.items() if entry is not None}
    return value


def _may_be_empty(schema: dict[str, Any]) -> None:
    # Not "anyOf": an editor would then say less of what is wrong in an entry.
    entry, empty = schema["additionalProperties"], {"type": "null"}
    schema["additionalProperties"] = {"if": empty, "else": entry}
    schema["type"] = ["object", "null"]


ByTask = Annotated[
    dict[str, Entry],
    BeforeValidator(_without_empty),
    Field(default_factory=dict, json_schema_extra=_may_be_empty),
]
"""What differs for some tasks. A task, or the key itself, that is null counts as not
there: merged blocks grow, and a list of experiments' tasks may shrink."""


class Experiment(Frozen):
    """A named part of the grid: its axes, whose product are rows of tables.

    ``kind`` is a file of ``grid/experiments/``; it says which further keys there are.
    """

    model_config = ConfigDict(extra="allow")

    kind: str = Field(description="a file of `grid/experiments/`")
    models: Models = Field(min_length=1, description="models to study")
