"""What each way to choose a bridge chooses, and the items to judge it by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from .similarity_files import Similar
from .words import NOTHING

ENGLISH = "en"
ALWAYS_ENGLISH = "always_english"
"""A way to choose beside the similarities: English, where it is a candidate."""
DIRECT, VIA, RANDOM = "direct", "english", "random"
AGAINST = (DIRECT, VIA, RANDOM)
"""What a choice is set against: no bridge, English, and any candidate."""

Floats = npt.NDArray[np.float64]


class Place(NamedTuple):
    """What is tested: a task on one pair, for an experiment's model."""

    experiment: str
    task: str
    model: str
    pair: str


@dataclass(frozen=True)
class Scored:
    """Items of a pair, directly and through every candidate.

    Attributes:
        kind: of the metric: binary, score or real.
        direct: [n] numbers of the items.
        bridges: of each candidate, in their order, [n] numbers of the same items.
    """

    kind: str
    direct: Floats
    bridges: Mapping[str, Floats]

    @cached_property
    def random(self) -> Floats:
        """[n] what a candidate that is taken at random gets, on average."""
        return np.mean(list(self.bridges.values()), axis=0)

    @cached_property
    def accuracies(self) -> dict[str, float]:
        return {k: float(items.mean()) for k, items in self.bridges.items()}

    @property
    def best(self) -> str:
        """The candidate with the largest mean; of equals the first."""
        return max(self.accuracies, key=self.accuracies.__getitem__)

    def against(self, name: str) -> Floats | None:
        """Return what a choice is set against; None: English is no candidate."""
        if name == DIRECT:
            return self.direct
        return self.random if name == RANDOM else self.bridges.get(ENGLISH)


@dataclass(frozen=True)
class Choice:
    """What a similarity chose for a pair, and the items to judge it by."""

    place: Place
    tested: Scored
    similar: Similar

    @property
    def items(self) -> Floats | None:
        """[n] numbers of the items through the chosen bridge."""
        chosen = self.similar.chosen
        return None if chosen is None else self.tested.bridges[chosen]

    def gains(self, name: str) -> Floats | None:
        """Return [n] what the choice has more than one of :data:`AGAINST`."""
        own, other = self.items, self.tested.against(name)
        return None if own is None or other is None else own - other


def always_english(tested: Scored, pair: str) -> Similar:
    """Choose English where it can be."""
    why = "English is an end of the pair" if ENGLISH in pair.split("-") else ""
    there = ENGLISH in tested.bridges
    missing = why or "English is no candidate"
    chosen = ENGLISH if there else None
    return Similar(NOTHING, {}, {}, {}, {}, 0, None, None, chosen,
                   "" if there else missing, int(there))  # fmt: skip


Head = tuple[str, str, str]
"""Experiment, task and model."""


def chosen_by(
    tested: Mapping[Place, Scored], similar: Mapping[tuple[str, str, str], Similar]
) -> dict[Head, dict[str, list[Choice]]]:
    """List the choices of each experiment, task and model, by what chooses."""
    found: dict[Head, dict[str, list[Choice]]] = {}
    names = list(dict.fromkeys(name for _, name, _ in similar))
    for place, items in tested.items():
        own = found.setdefault(place[:3], {x: [] for x in (ALWAYS_ENGLISH, *names)})
        for name in names:
            of = similar[place.model, name, place.pair]
            own[name].append(Choice(place, items, of))
        english = always_english(items, place.pair)
        own[ALWAYS_ENGLISH].append(Choice(place, items, english))
    return found
