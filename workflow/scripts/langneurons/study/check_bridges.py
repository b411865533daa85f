"""Checks of bridges: what is compared means one thing in a study.

A pair's probes and similarities are files of one name, in which two ways to ask, two
selections or two lists of candidates would take each other's place. The languages of
pairs and candidates are checked in ``check_similarities``, tasks in
``check_dictionaries``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from langneurons.grid import bridges
from langneurons.tables.common.bridge_choices import ALWAYS_ENGLISH

if TYPE_CHECKING:
    from langneurons.config.schema import Config

SHARED = ("probes", "selection", "candidates", "similarities")
"""Axes that all experiments of ``run`` have in common."""
OVER_PAIRS = "all"
"""As ``tables.common.bridge_numbers.ALL``, whose libraries are slow to import."""


def problems(config: Config) -> Iterator[str]:
    """List what differs between experiments that must be one thing."""
    given = {name: axes.model_dump() for name, axes in bridges.all_axes(config).items()}
    first = next(iter(given), "")
    for name, axes in given.items():
        for key in SHARED:
            yield from _differ(f"experiments.{name}.{key}", axes[key], given, first)
    yield from _dictionaries(config)


def _dictionaries(config: Config) -> Iterator[str]:
    """Check that tasks and probes part one dictionary: no word that is tested is asked.

    In two dictionaries a test word of one may be a probe word of the other.
    """
    for name, axes in bridges.all_axes(config).items():
        probed = axes.probes.dictionary
        for task in axes.tasks:
            tested = config.task(task).data.dictionary
            if tested not in (None, probed):
                yield (
                    f"experiments.{name}.tasks: {task} tests words of dictionary "
                    f"{tested}, but probes.dictionary is {probed}, among whose words "
                    f"they may be; give tasks.{task}.data.dictionary and "
                    "probes.dictionary the same"
                )


def _differ(
    where: str, value: Any, given: dict[str, dict[str, Any]], first: str
) -> Iterator[str]:
    """Compare an axis with that of the first experiment, key by key of a block."""
    key = where.rpartition(".")[2]
    other = given[first][key]
    if isinstance(value, dict):
        for part in value:
            if value[part] != other[part]:
                yield _said(f"{where}.{part}", value[part], first, other[part])
    elif value != other:
        yield _said(where, value, first, other)


def _said(where: str, value: Any, first: str, other: Any) -> str:
    shown = [", ".join(x) if isinstance(x, tuple) else repr(x) for x in (value, other)]
    return (
        f"{where}: {shown[0]}, but experiments.{first} has {shown[1]}; probes and "
        "similarities of a pair have one name in a study. Give both the same, or make "
        "a study of each"
    )


def taken(config: Config) -> Iterator[str]:
    """Check that no similarity is called like what tables call something else."""
    if ALWAYS_ENGLISH in config.similarities:
        yield (
            f"similarities.{ALWAYS_ENGLISH}: tables call English as the bridge of "
            "every pair so; take another name"
        )
    if OVER_PAIRS in config.similarities:
        yield (
            f"similarities.{OVER_PAIRS}: tables call what holds over all pairs so; "
            "take another name"
        )
