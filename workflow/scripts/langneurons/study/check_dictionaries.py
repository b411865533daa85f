"""Checks of tasks on pairs of languages, and of the dictionaries that they read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from langneurons import tasks
from langneurons.config.errors import unknown_name
from langneurons.config.names import Bridged, Pair
from langneurons.grid import bridges, experiments, rows
from langneurons.grid.experiments.amplification import Amplification
from langneurons.grid.experiments.bridges import Bridges

from . import probing

if TYPE_CHECKING:
    from langneurons.config.schema import Config


def wanted(config: Config) -> list[tuple[str, Pair]]:
    """List each dictionary and pair whose words a job reads, each once."""
    found = {
        (name, Pair.parse(lang)): None
        for task in rows.tasks(config)
        if (name := config.task(task).data.dictionary) is not None
        for lang in rows.languages(config, task)
    }
    if bridges.all_axes(config):
        name = bridges.probes(config).dictionary
        found |= {(name, pair): None for _, pair in probing.asked(config)}
    return list(found)


def tested(config: Config, task: str) -> list[str]:
    """List the languages that a task meets: pairs, and those on the way, if any."""
    found = dict.fromkeys(rows.languages(config, task))
    for _, treatments in rows.task_blocks(config, task):
        via = (each.language for each in treatments if isinstance(each, Bridged))
        found |= dict.fromkeys(via)
    return list(found)


def names(config: Config) -> Iterator[str]:
    """Check the dictionaries that tasks name, and that others name none."""
    for name, task in config.tasks.items():
        where, given = f"tasks.{name}.data.dictionary", task.data.dictionary
        if given is not None and given not in config.dictionaries:
            yield unknown_name("dictionary", given, config.dictionaries, where)
        if task.kind not in tasks.kinds():
            continue
        kind = tasks.load(task.kind)
        if kind.WORDS and given is None:
            yield (
                f"{where}: missing; the items of kind {task.kind} are words of an "
                "entry of dictionaries"
            )
        elif given is not None and not kind.WORDS:
            yield f"{where}: kind {task.kind} reads no dictionary; give hub or test"
        if kind.PAIRS and task.languages:
            yield (
                f"tasks.{name}.languages: kind {task.kind} is tested on pairs, which "
                "experiments name; leave it out"
            )
        elif not kind.PAIRS and not task.languages:
            yield f"tasks.{name}.languages: missing; name one language or more"


def on_pairs(config: Config) -> Iterator[str]:
    """Check that pairs of languages are given to tasks that are tested on them."""
    for name, axes in experiments.running(config).items():
        if isinstance(axes, Amplification):
            continue  # it may have both, see check_amplification
        has_pairs = isinstance(axes, Bridges)
        for task in getattr(axes, "tasks", ()):
            kind = config.task(task).kind
            if has_pairs == tasks.load(kind).PAIRS:
                continue
            where = f"experiments.{name}.tasks: {task} (kind {kind})"
            if has_pairs:
                yield f"{where} is not tested on pairs of languages; take another"
            else:
                yield (
                    f"{where} is tested on pairs of languages, which only experiments "
                    "of kinds amplification and bridges have"
                )


def problems(config: Config) -> Iterator[str]:
    """Check that no file is read as that of two pairs of languages."""
    of: dict[tuple[str, str], frozenset[str]] = {}
    for name, pair in wanted(config):
        for leg in config.dictionary(name).legs(pair):
            both = frozenset((leg.pair.source, leg.pair.target))
            for path in leg.files:
                first = of.setdefault((name, path), both)
                if first != both:
                    shown = " and ".join("-".join(sorted(x)) for x in (first, both))
                    yield (
                        f"dictionaries.{name}: {path} would be read as the words of "
                        f"{shown}; write {{source}} and {{target}} where the languages "
                        "stand in its name"
                    )
