"""Which evaluations and similarities the tables of bridges are made from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from langneurons import tasks
from langneurons.config.names import (
    BASE,
    BASE_SEED,
    UNTREATED,
    Bridged,
    Pair,
    TuningName,
)
from langneurons.grid import bridges
from langneurons.grid.axes import Row
from langneurons.tasks import Metric

from . import similarity_files
from .bridge_choices import Place, Scored
from .evaluations import Evaluations
from .inputs import Inputs, Reads
from .metrics import first_of_items
from .similarity_files import Similar

if TYPE_CHECKING:
    from langneurons.config.schema import Config


def places(config: Config) -> Iterator[tuple[Place, tuple[str, ...]]]:
    """Yield what is tested, with the candidates of each."""
    for name, axes in bridges.all_axes(config).items():
        for task in axes.tasks:
            for model in axes.models:
                for pair in axes.pairs:
                    of_pair = axes.of_pair(Pair.parse(pair))
                    yield Place(name, task, model, pair), of_pair


def compared(config: Config) -> list[tuple[str, str, Pair]]:
    """List model, similarity and pair of every file of similarities."""
    return [
        (model, name, pair)
        for model, pair in bridges.asked_for(config)
        for name in bridges.similarities(config)
    ]


def reads(config: Config) -> Reads:
    """Say which results a table of choices is built from."""
    found = []
    for place, candidates in places(config):
        row = Row(place.model, TuningName(BASE), BASE_SEED, place.pair, UNTREATED)
        ways = [UNTREATED, *map(Bridged, candidates)]
        found += [(place.task, row.under(way)) for way in ways]
    return Reads(evaluations=list(dict.fromkeys(found)), similarities=compared(config))


def spec(config: Config) -> dict[str, Any]:
    """Return what a table of choices depends on."""
    listed = [[*place, list(some)] for place, some in places(config)]
    names = [[model, name, str(pair)] for model, name, pair in compared(config)]
    used = dict.fromkeys(place.task for place, _ in places(config))
    return {
        "rows": {"places": listed, "similarities": names},
        "kinds": {task: config.task(task).kind for task in used},
    }


class OfChoices:
    """What the tables of bridges and of their candidates have in common."""

    NAME: str

    def names(self, config: Config) -> list[str]:
        return [self.NAME] if bridges.all_axes(config) else []

    def reads(self, config: Config, name: str) -> Reads:
        return reads(config)

    def spec(self, config: Config, name: str) -> dict[str, Any]:
        return spec(config)


class Read(NamedTuple):
    """What a table of choices is made of.

    Attributes:
        tested: items of each place.
        similar: by model, similarity and pair.
    """

    tested: Mapping[Place, Scored]
    similar: Mapping[tuple[str, str, str], Similar]


def read(spec: Mapping[str, Any], given: Inputs) -> Read:
    """Read the evaluations and similarities of a table of choices.

    Raises:
        DataError: one is missing, damaged, or of other items than its neighbours.
    """
    declared = {task: tasks.load(kind).METRICS for task, kind in spec["kinds"].items()}
    found = Evaluations(given.files.get("evaluations", ()), declared)
    tested = {}
    for *names, candidates in spec["rows"]["places"]:
        place = Place(*names)
        tested[place] = _tested(found, place, candidates, declared[place.task])
    names = spec["rows"]["similarities"]
    paths: list[Path] = list(given.paths("similarities", len(names)))
    return Read(tested, similarity_files.read_all(paths, names))


def _tested(
    found: Evaluations,
    place: Place,
    candidates: list[str],
    metrics: Mapping[str, Metric],
) -> Scored:
    name = first_of_items(place.task, metrics)
    axes: dict[str, Any] = {
        "task": place.task,
        "model": place.model,
        "lang": place.pair,
    }
    axes |= {"tuning": BASE, "seed": BASE_SEED}
    ways = {str(way): found.of(axes, treatment=str(way))
            for way in (UNTREATED, *map(Bridged, candidates))}  # fmt: skip
    direct = ways[str(UNTREATED)]
    for one in ways.values():
        one.check_items(direct)
    scores = {way: one.scores[name].astype(float) for way, one in ways.items()}
    return Scored(
        metrics[name].kind,
        scores[str(UNTREATED)],
        {k: scores[str(Bridged(k))] for k in candidates},
    )
