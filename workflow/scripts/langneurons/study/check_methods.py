"""Checks of methods: their names, their kinds, and which others they read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

from langneurons import methods
from langneurons.config import names
from langneurons.config.catalogue import Method
from langneurons.config.errors import ConfigError

from .check_selections import method_problems, one_selection

if TYPE_CHECKING:
    from langneurons.config.schema import Config


def problems(config: Config) -> Iterator[str]:
    """Check the catalogue of methods.

    What follows from one method to the next is checked only where all names are known,
    and no circle would be followed for ever.
    """
    found = []
    for name, entry in config.methods.items():
        where = f"methods.{name}"
        if "-" in name:
            found.append(f"{where}: '-' is kept for the number of a random draw")
        if name == "random" and entry.control_of is None:
            found.append(f"{where}: in the tables 'random' are the controls; rename it")
        for key in ("reads", "outside"):
            for text in getattr(entry, key):
                found += _read(config, text, f"{where}.{key}")
        if entry.kind in methods.kinds():  # else it is told of where kinds are checked
            found += _fits_its_kind(entry, where)
    found = found or [*_circles(config)] or [*_undecided(config)]
    yield from found


def _read(config: Config, text: str, where: str) -> Iterator[str]:
    """Check one name under ``reads:``, a method or a selection."""
    method, dot, langset = text.partition(".")
    if dot:
        found = list(one_selection(config, text, where))
    else:
        found = list(method_problems(config, text, where))
    yield from found
    base, draw = names.split_draw(method)
    if found or draw is not None:
        return
    if draws := config.methods[base].draws:
        shown = f"{names.draw(base, 1)}{dot}{langset}"
        yield (
            f"{where}: {base} stands for {draws} random draws; name one of them, as in "
            f"{shown}"
        )


def _fits_its_kind(entry: Method, where: str) -> Iterator[str]:
    """Check how many methods are read, and whether there are random draws."""
    kind = methods.load(entry.kind)
    (least, most), given = kind.READS, ", ".join(entry.reads) or "none"
    if len(entry.reads) < least or (most is not None and len(entry.reads) > most):
        some = f"at least {least}" if most is None else str(most or "no")
        yield (
            f"{where}.reads: kind {entry.kind} reads {some} other "
            f"method{'' if most == 1 else 's'}; given: {given}"
        )
    if kind.DRAWS and entry.draws is None:
        yield (
            f"{where}: kind {entry.kind} draws at random and needs to be told how "
            "often, as in draws: 5"
        )
    elif entry.draws is not None and not kind.DRAWS:
        random = _kinds_that_draw()
        yield (
            f"{where}.draws: kind {entry.kind} draws nothing at random; kinds that do: "
            f"{', '.join(random)}"
        )
    if entry.control_of is not None and names.split_draw(entry.control_of)[1]:
        yield (
            f"{where}.reads: {entry.control_of} are random neurons themselves; a "
            "control has those of a method that chooses"
        )


def _kinds_that_draw() -> list[str]:
    """List kinds for a message; a file that is broken does not stop it."""
    found = []
    for kind in methods.kinds():
        with suppress(ConfigError):
            if methods.load(kind).DRAWS:
                found.append(kind)
    return found


def _circles(config: Config) -> Iterator[str]:
    """Find methods that are made from themselves, and name the whole circle."""
    path: list[str] = []
    done: set[str] = set()

    def visit(name: str) -> Iterator[str]:
        if name in path:
            circle = " -> ".join([*path[path.index(name) :], name])
            yield f"methods.{name}.reads: would be made from itself: {circle}"
        elif name not in done:
            path.append(name)
            entry = config.methods[name]
            for text in (*entry.reads, *entry.outside):
                yield from visit(names.split_draw(text.partition(".")[0])[0])
            done.add(path.pop())

    for name in config.methods:
        yield from visit(name)


def _undecided(config: Config) -> Iterator[str]:
    """Find methods that read several others which do not agree on text or profile."""
    for name, entry in config.methods.items():
        bases = [text.partition(".")[0] for text in entry.reads]
        of_each = {
            "corpus": {base: config.method_corpus(base) for base in bases},
            "profile": {base: config.method_profile(base) for base in bases},
        }
        for key, said in of_each.items():
            if getattr(entry, key) is None and len(set(said.values())) > 1:
                each = ", ".join(f"{base} has {value}" for base, value in said.items())
                yield (
                    f"methods.{name}.{key}: the methods that it reads differ ({each}); "
                    "say which one it takes values from"
                )
