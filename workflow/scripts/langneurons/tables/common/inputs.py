"""The results that a table is built from: the one place that knows their files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from langneurons.config.errors import DataError
from langneurons.config.names import Selection
from langneurons.grid.rows import Row
from langneurons.neurons.neuron_sets import NeuronSets
from langneurons.neurons.recorded_activations import Activations
from langneurons.tasks import Metric

from .columns import Columns, read_table
from .evaluations import Evaluation


@dataclass(frozen=True)
class Reads:
    """What a table reads, as data; ``study`` finds the files.

    Attributes:
        evaluations: task and row of each.
        perplexities: model, language of the text and treatment of each.
        activations: model, corpus and language of each.
        neurons: model and selection of each.
        tables: names of other tables.
        published: whether it reads the file of published numbers.
    """

    evaluations: Sequence[tuple[str, Row]] = ()
    perplexities: Sequence[tuple[str, str, str]] = ()
    activations: Sequence[tuple[str, str, str]] = ()
    neurons: Sequence[tuple[str, Selection]] = ()
    tables: Sequence[str] = ()
    published: bool = False


@dataclass(frozen=True)
class Inputs:
    """The files of a job; the functions below open them as what they are.

    Attributes:
        files: evaluations, perplexities, activations, neurons, tables -> files, in the
            order of :class:`Reads`.
        published: the file of published numbers, where it is read.
    """

    files: Mapping[str, Sequence[Path]] = field(default_factory=dict)
    published: Path | None = None

    def paths(self, role: str, number: int) -> Sequence[Path]:
        """Return the files of a role, one for each row.

        Raises:
            DataError: another number of files than of rows.
        """
        paths = self.files.get(role, ())
        if len(paths) != number:
            raise DataError(f"{len(paths)} files of {role} for {number} rows")
        return paths

    @property
    def published_file(self) -> Path:
        """The file of published numbers.

        Raises:
            DataError: the job was not given it.
        """
        if self.published is None:
            raise DataError("--published: the file of published numbers is not given")
        return self.published


def read_evaluations(
    read: Inputs,
    rows: Sequence[Mapping[str, Any]],
    metrics: Sequence[Mapping[str, Metric]],
) -> list[Evaluation]:
    """Read the evaluation of each row; what several share is read once.

    Args:
        read: the files of the job.
        rows: ``model``, ``tuning``, ``seed``, ``lang`` and ``treatment``, in the
            order of :class:`Reads`.
        metrics: of the task of each row.

    Raises:
        DataError: the files are not those of the rows, or damaged.
    """
    known: dict[Path, Evaluation] = {}
    found = []
    for row, path, own in zip(
        rows, read.paths("evaluations", len(rows)), metrics, strict=True
    ):
        if path not in known:
            known[path] = Evaluation.read(path, own)
        check_fit(row, known[path].record, path)
        found.append(known[path])
    return found


def read_perplexities(
    read: Inputs,
    rows: Sequence[Mapping[str, Any]],
    read_one: Callable[[Path], dict[str, Any]],
) -> list[tuple[dict[str, Any], Path]]:
    """Read the measured perplexity of each row, and say where it was.

    Args:
        read: the files of the job.
        rows: ``model``, ``lang`` and ``treatment``, in the order of :class:`Reads`.
        read_one: reads one file.

    Raises:
        DataError: the files are not those of the rows, or damaged.
    """
    paths = read.paths("perplexities", len(rows))
    found = [(read_one(path), path) for path in paths]
    for row, (record, path) in zip(rows, found, strict=True):
        check_fit(row, record, path)
    return found


def read_activations(read: Inputs, number: int) -> list[Activations]:
    """Open the recorded activations."""
    paths = read.paths("activations", number)
    return [Activations.open(path) for path in paths]


def read_neurons(read: Inputs, names: Sequence[str]) -> dict[str, NeuronSets]:
    """Read neuron files by their names, ``model method.language_set``."""
    paths = read.paths("neurons", len(names))
    found = [NeuronSets.read(path) for path in paths]
    return dict(zip(names, found, strict=True))


def read_tables(
    read: Inputs, columns: Callable[[str], Columns]
) -> dict[str, pd.DataFrame]:
    """Read other tables by their names.

    Args:
        read: the files of the job.
        columns: of the table of a name.
    """
    paths = read.files.get("tables", ())
    return {path.stem: read_table(path, columns(path.stem)) for path in paths}


def check_fit(row: Mapping[str, Any], record: Mapping[str, Any], path: Path) -> None:
    """Refuse a result that was made for another row than the one it is put into.

    Args:
        row: what should have been measured.
        record: content of the result's JSON file.
        path: of that file, for the message.

    Raises:
        DataError: the record names other axes or another treatment.
    """
    keys = ("task", "model", "tuning", "seed", "lang", "treatment")
    wrong = [
        f"{key} is {record.get(key)!r}, not {row[key]!r}"
        for key in keys
        if key in row and record.get(key) != row[key]
    ]
    if wrong:
        raise DataError(f"{path}: not the result of this row: {'; '.join(wrong)}")
