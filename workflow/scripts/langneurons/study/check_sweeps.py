"""Checks of sweeps: what they name is there, and nothing else has their names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from langneurons import methods
from langneurons.config.catalogue import Method, Statistic
from langneurons.config.errors import unknown_name
from langneurons.config.explain import explain
from langneurons.config.sweep_entries import RANDOM, Sweep

if TYPE_CHECKING:
    from langneurons.config.schema import Config


def made(config: Config) -> set[str]:
    """Return the methods that sweeps make, but for controls."""
    return {
        name
        for sweep, entry in config.sweeps.items()
        if entry.method is not None
        for name in entry.named(sweep)
    }


def problems(config: Config) -> Iterator[str]:
    """Check the catalogue of sweeps."""
    for name, sweep in config.sweeps.items():
        where = f"sweeps.{name}"
        if "-" in name:
            yield f"{where}: '-' is kept for the number of a random draw"
        taken = {*config.methods, *config.statistics, *config.language_sets}
        for own in (name, f"{RANDOM}{name}"):
            if own in taken:
                yield f"{where}: {own} is another entry's name already; rename it"
        found = [*_names(config, sweep, where)]
        yield from found or _entries(config, name, sweep)


def _names(config: Config, sweep: Sweep, where: str) -> Iterator[str]:
    """Check what a sweep refers to."""
    if sweep.statistic is not None:
        if sweep.statistic not in config.statistics:
            given, known = sweep.statistic, config.statistics
            yield unknown_name("statistic", given, known, f"{where}.statistic")
        return
    if sweep.method not in config.methods:
        yield unknown_name("method", sweep.base, config.methods, f"{where}.method")
        return
    kind = config.methods[sweep.base].kind
    if kind in methods.kinds():  # else it is told of where kinds are checked
        fields = methods.load(kind).PARAMETERS.model_fields
        if sweep.parameter not in fields:
            what = f"parameter of kind {kind}"
            yield unknown_name(what, sweep.parameter, fields, f"{where}.parameter")
    if sweep.control is None:
        return
    if sweep.control not in config.methods:
        yield unknown_name("method", sweep.control, config.methods, f"{where}.control")
    elif config.methods[sweep.control].control_of != sweep.method:
        yield (
            f"{where}.control: {sweep.control} is no random method that reads "
            f"{sweep.method}; such a one has 'draws' and reads: [{sweep.method}]"
        )


def _entries(config: Config, name: str, sweep: Sweep) -> Iterator[str]:
    """Check the entries that a sweep makes: their values, and that they are its own."""
    of = config.methods if sweep.method is not None else config.statistics
    known: Mapping[str, Method | Statistic] = of
    expected = sweep.entries(name, _said(known[sweep.base]))
    if sweep.control is not None:
        expected |= sweep.control_entries(name, _said(known[sweep.control]))
    if sweep.method is not None:
        yield from _parameters(config, name, sweep)
    for own, entry in expected.items():
        made = type(known[own]).model_validate(entry)
        if made.model_dump() != known[own].model_dump():
            yield (
                f"sweeps.{name}: there is an entry {own} already, which is not what "
                "the sweep would make; rename one of them"
            )


def _said(entry: Method | Statistic) -> dict[str, Any]:
    return entry.model_dump(exclude_unset=True)


def _parameters(config: Config, name: str, sweep: Sweep) -> Iterator[str]:
    """Check each value, as the kind of the method does."""
    kind = config.methods[sweep.base].kind
    if kind not in methods.kinds():
        return
    parameters = methods.load(kind).PARAMETERS
    for own in sweep.named(name):
        try:
            parameters.model_validate(config.methods[own].parameters)
        except ValidationError as error:
            yield from explain(error, parameters, (f"sweeps.{name}",))
