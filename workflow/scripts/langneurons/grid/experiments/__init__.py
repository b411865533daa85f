"""Kinds of experiments: one file each, and what every one of them says and does.

``grid/experiments/<kind>.py`` holds the axes of the kind (a model of its keys in the
configuration), a class that is a :class:`Kind`, and ``KIND``, an instance of it.
Nothing else knows which tables an experiment fills.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol, TypeVar, cast

from pydantic import ValidationError

from langneurons.config import plugins
from langneurons.config.errors import unknown_name
from langneurons.config.experiment_entries import Experiment
from langneurons.config.explain import explain
from langneurons.config.schema import Config
from langneurons.grid.axes import Block

P = TypeVar("P", bound=Experiment)


class Kind(Protocol[P]):
    """What a kind of experiments says of itself, and the rows that it makes.

    Attributes:
        PARAMETERS: its keys in the configuration, an ``Experiment`` with its axes.
        TABLES: patterns of the tables that it fills, the main one first; ``{task}``
            stands for a task.
    """

    PARAMETERS: type[P]
    TABLES: tuple[str, ...]

    def rows(self, config: Config, name: str, axes: P) -> Iterator[tuple[str, Block]]:
        """List the rows of an experiment, each block with its table's name, in order.

        Args:
            config: the configuration.
            name: of the experiment, which its rows carry.
            axes: of the experiment.
        """
        ...

    def selections(self, axes: P) -> tuple[str, ...]:
        """List whose neurons are found and drawn, random methods with all draws."""
        return ()


def kinds() -> list[str]:
    """List the kinds: the files of this folder."""
    return plugins.kinds(__file__)


def load(kind: str) -> Kind[Any]:
    """Return a kind of experiments.

    Raises:
        ConfigError: there is no such file, or something in it is wrong.
    """
    found = plugins.load(
        __name__,
        kind,
        kinds(),
        what="experiment",
        protocol=Kind,
        required=("rows",),
        problems=_problems,
    )
    return cast(Kind[Any], found)


def _problems(found: Kind[Any]) -> Iterator[str]:
    parameters = getattr(found, "PARAMETERS", None)
    if isinstance(parameters, type):  # or else that is told of already
        yield from _axes(parameters)
    yield from plugins.texts(found, "TABLES", 0)


def _axes(parameters: type) -> Iterator[str]:
    """Find what is wrong with the keys of a kind."""
    if not issubclass(parameters, Experiment):
        yield (
            f"PARAMETERS: {parameters!r} - must be a class of Experiment "
            "(langneurons.config.experiment_entries)"
        )
    elif parameters.model_config.get("extra") != "forbid":
        yield (
            "PARAMETERS: its class must have model_config = ConfigDict(extra='forbid')"
            ", or a mistyped key would be read over"
        )


def read(config: Config) -> tuple[Config, list[str]]:
    """Read each experiment as its kind does.

    Returns:
        The configuration with their axes, and what is wrong with them, a line each.
    """
    read_: dict[str, Experiment] = {}
    problems: list[str] = []
    for name, entry in config.experiments.items():
        where = f"experiments.{name}"
        if entry.kind not in kinds():
            problems.append(
                unknown_name("experiment kind", entry.kind, kinds(), f"{where}.kind")
            )
            continue
        parameters = load(entry.kind).PARAMETERS
        try:
            read_[name] = parameters.model_validate(
                entry.model_dump(exclude_unset=True)
            )
        except ValidationError as error:
            problems += explain(error, parameters, (where,))
    return config.model_copy(update={"experiments": read_}), problems


def running(config: Config) -> dict[str, Experiment]:
    """Return the experiments of ``run``, in its order."""
    return {name: config.experiment(name) for name in config.run}


def of_kind(config: Config, axes: type[P]) -> dict[str, P]:
    """Return the experiments of ``run`` that have such axes, in its order."""
    found = running(config).items()
    return {name: entry for name, entry in found if isinstance(entry, axes)}
