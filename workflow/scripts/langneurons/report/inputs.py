"""What the report is made from: the tables and figures that exist, by their kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from langneurons import tables
from langneurons.config.schema import RESULTS
from langneurons.jobs import provenance
from langneurons.tables.common import columns, every_row
from langneurons.tables.common.document import Document, Grid
from langneurons.tables.common.metrics import COLUMNS, Shown
from langneurons.tables.common.of_tasks import OfTasks
from langneurons.tables.common.task_columns import of_languages

OTHER = "other"
"""Kind of a table that is none of ours."""


@dataclass(frozen=True)
class Table:
    """A table of results.

    Attributes:
        name: stem of its file, such as ``finetune_xnli``.
        kind: of :mod:`langneurons.tables`, or ``other``.
        path: where it was read.
        frame: its rows.
        spec: what its layout says of it.
    """

    name: str
    kind: str
    path: Path
    frame: pd.DataFrame
    spec: Mapping[str, Any]

    @property
    def task(self) -> str:
        """The task that it is of; its name for a table of none."""
        return str(self.spec.get("task", self.name))

    @property
    def metrics(self) -> list[Shown]:
        """The metrics of tasks that its rows are of, the primary one first."""
        if not {"metric", *COLUMNS} <= set(self.frame.columns):
            return []
        # Tasks of one table may mean different metrics by one name.
        own = self.frame.drop_duplicates(["metric", *COLUMNS])
        return [Shown.read(row) for _, row in own.iterrows()]

    @property
    def results(self) -> pd.DataFrame:
        """The rows, without those of a task that are means over languages."""
        of_task = self.kind != OTHER and isinstance(tables.load(self.kind), OfTasks)
        return of_languages(self.frame) if of_task else self.frame

    @cached_property
    def document(self) -> Document:
        """The table laid out; of one that is none of ours only its name."""
        if self.kind == OTHER:
            return Document(self.name, ())
        return tables.load(self.kind).layout(self.frame, self.spec)

    @cached_property
    def rows(self) -> Grid:
        """Every row."""
        known = () if self.kind == OTHER else tables.load(self.kind).COLUMNS
        return every_row.every_row(self.frame, known)


def read_table(path: Path, known: Sequence[Mapping[str, Any]]) -> Table:
    """Read a table of results.

    Args:
        path: of tab-separated values.
        known: of each table that the configuration asks for ``name``, ``table`` (its
            kind) and ``spec``.

    Raises:
        DataError: it is no table, or a column that its kind has is missing.
    """
    about = next((one for one in known if one["name"] == path.stem), None)
    if about is None:
        return Table(path.stem, OTHER, path, columns.read_table(path, ()), {})
    frame = columns.read_table(path, tables.load(about["table"]).COLUMNS)
    return Table(path.stem, about["table"], path, frame, about["spec"])


def record(path: Path) -> dict[str, Any]:
    """Return the provenance beside a file; empty where there is none."""
    return provenance.read(path)


@dataclass(frozen=True)
class Absent:
    """A table or figure that does not exist.

    Attributes:
        name: what it is called.
        shows: what it would show.
        command: what makes it.
    """

    name: str
    shows: str
    command: str


def command(target: str, options: str) -> str:
    """Write the whole command that makes a file under the configuration of the page.

    Args:
        target: the file; "": all of them.
        options: with which Snakemake reads the configuration.
    """
    return f"snakemake --cores all {target}".rstrip() + options


def place(config: Mapping[str, Any]) -> str:
    """Return the folder in which the study of a configuration has its own results."""
    study = config.get("study")
    return f"{RESULTS}/{study}" if study else RESULTS


def experiments(config: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the experiments that a configuration runs; none if it has none."""
    return [config["experiments"][name] for name in config.get("run") or ()]


def absent_tables(
    given: Sequence[Table],
    known: Sequence[Mapping[str, Any]],
    config: Mapping[str, Any],
    options: str,
) -> list[Absent]:
    """List the tables that the configuration asks for and this page does not have.

    Args:
        given: the tables of the page.
        known: those that the configuration asks for.
        config: the merged configuration.
        options: with which Snakemake reads it.
    """
    have = {table.name for table in given}
    folder = f"{place(config)}/tables"
    return [
        Absent(
            one["name"],
            one["shows"],
            command(f"{folder}/{one['name']}.tsv", options),
        )
        for one in known
        if one["name"] not in have
    ]
