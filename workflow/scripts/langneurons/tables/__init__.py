"""Tables of results: one file each, and what every one of them says and does.

``tables/<kind>.py`` holds a class that is a :class:`Table`, and ``TABLE``, an instance
of it. A kind has one table, or one for each task. Nothing outside this folder makes a
table by its name; ``common`` holds what the tables share.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Protocol, cast

import pandas as pd

from langneurons.config import plugins
from langneurons.config.errors import ConfigError

from .common.columns import Column

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langneurons.config.schema import Config

    from .common.document import Document
    from .common.inputs import Inputs, Reads

COST = "cost"
"""A table beside these: what the jobs cost, from Snakemake's records of them."""

TASK = "{task}"


class Table(Protocol):
    """What a kind of table says of itself, and how it is built and laid out.

    Attributes:
        NAME: of its table; ``{task}`` in it: one for each task, of its name.
        COLUMNS: of the table, those that name a row first.
        SHOWS: what it shows, for a reader of the report who does not have it.
        PLACE: lower ones stand first where experiments do not say the order.
        MEMORY: MB that building it takes.
        MINUTES: that building it may take.
    """

    NAME: str
    COLUMNS: tuple[Column, ...]
    SHOWS: str
    PLACE: int = 100
    MEMORY: int = 4000
    MINUTES: int = 60

    def names(self, config: Config) -> list[str]:
        """List the tables of this kind that a configuration can make."""
        ...

    def reads(self, config: Config, name: str) -> Reads:
        """Say which results a table is built from."""
        ...

    def spec(self, config: Config, name: str) -> dict[str, Any]:
        """Return the slice of the configuration that a table depends on.

        What stands under ``rows`` is for ``build`` only; the rest is also what
        ``layout`` is given, beside the table and in the report.
        """
        ...

    def build(self, spec: Mapping[str, Any], read: Inputs) -> pd.DataFrame:
        """Build a table of ``COLUMNS``; ``common.inputs`` opens what it reads."""
        ...

    def layout(self, table: pd.DataFrame, spec: Mapping[str, Any]) -> Document:
        """Lay out a table, just built or read back, for Markdown and the report."""
        ...


def kinds() -> list[str]:
    """List the kinds of tables that there are, without importing them."""
    return plugins.kinds(__file__)


def in_order() -> list[str]:
    """List the kinds of tables in the order of the report."""
    return sorted(kinds(), key=lambda kind: (load(kind).PLACE, kind))


def load(kind: str) -> Table:
    """Import a kind of table, and check what it declares.

    Raises:
        ConfigError: there is no such file, or its author made a mistake in it.
    """
    table = plugins.load(
        __name__,
        kind,
        kinds(),
        what="table",
        protocol=Table,
        required=("names", "reads", "spec", "build", "layout"),
        problems=_problems,
    )
    return cast("Table", table)


def _problems(table: Any) -> Iterator[str]:
    """Find what is wrong with the attributes of a kind of table."""
    for name in ("NAME", "SHOWS"):
        if not plugins.is_text(given := getattr(table, name, None)):
            yield f"{name}: {given!r} - must be a text that is not empty"
    columns = getattr(table, "COLUMNS", None)
    if not isinstance(columns, tuple) or not all(
        isinstance(column, Column) for column in columns
    ):
        yield f"COLUMNS: {columns!r} - must be a tuple of Column"
        return
    found = [column.name for column in columns]
    if again := [name for name in found if found.count(name) > 1]:
        yield f"COLUMNS: {again[0]} stands there twice"
    if not any(column.key for column in columns):
        yield "COLUMNS: none has key=True; those that name a row need it"


def by_name(config: Config) -> dict[str, str]:
    """Return every table that a configuration can make, and its kind.

    Raises:
        ConfigError: two kinds make a table of one name.
    """
    found: dict[str, str] = {}
    for kind in in_order():
        for name in load(kind).names(config):
            if found.setdefault(name, kind) != kind:
                raise ConfigError(f"tables {found[name]} and {kind} both make {name}")
    return found


def wanted(config: Config) -> list[str]:
    """List the tables of ``snakemake all``."""
    given = config.tables
    return list(by_name(config) if given is None else given)


def kind_of(name: str) -> str:
    """Tell the kind of a table by its name alone; one of a task is what is left."""
    return _claims(name)[0]


def _claims(name: str) -> list[str]:
    """List the kinds whose tables may have a name, the most special first."""
    found = []
    for kind in kinds():
        front, task, back = load(kind).NAME.partition(TASK)
        wanted = re.escape(front) + (".+" + re.escape(back) if task else "")
        if re.fullmatch(wanted, name):
            found.append((len(front + back), kind))
    return [kind for _, kind in sorted(found, reverse=True)]


def task_of(name: str) -> str:
    """Return the task of a table by its name; empty for a table of none."""
    front, task, back = load(kind_of(name)).NAME.partition(TASK)
    return name[len(front) : len(name) - len(back)] if task else ""


def taken(task: str) -> Sequence[str]:
    """List the names of other tables that a task's name would be taken for."""
    found = [load(kind).NAME for kind in _claims(task)]
    return [name for name in [*found, *([COST] * (task == COST))] if name != TASK]
