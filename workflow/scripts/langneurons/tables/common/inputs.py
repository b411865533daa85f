"""The results that a table is built from: the one place that knows their files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from langneurons.config.errors import DataError
from langneurons.config.names import Pair, Selection
from langneurons.grid.alignment import Aligned
from langneurons.grid.axes import Row, TextRow
from langneurons.neurons.neuron_sets import NeuronSets
from langneurons.neurons.recorded_activations import Activations
from langneurons.tasks import Metric

from .columns import Columns, read_table
from .evaluations import Evaluation, Evaluations
from .perplexities import Perplexities


@dataclass(frozen=True)
class Reads:
    """What a table reads, as data; ``study`` finds the files.

    Attributes:
        evaluations: task and row of each.
        perplexities: row of each.
        activations: model, corpus and language of each.
        neurons: model and selection of each.
        similarities: model, similarity and pair of each.
        alignments: model, corpus and pair of each.
        tables: names of other tables.
        published: whether it reads the file of published numbers.
    """

    evaluations: Sequence[tuple[str, Row]] = ()
    perplexities: Sequence[TextRow] = ()
    activations: Sequence[tuple[str, str, str]] = ()
    neurons: Sequence[tuple[str, Selection]] = ()
    similarities: Sequence[tuple[str, str, Pair]] = ()
    alignments: Sequence[Aligned] = ()
    tables: Sequence[str] = ()
    published: bool = False


@dataclass(frozen=True)
class Inputs:
    """The files of a job; the functions below open them as what they are.

    Attributes:
        files: evaluations and perplexities -> the indexes that list them; activations,
            neurons, similarities, alignments and tables -> files, in the order of
            :class:`Reads`.
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
    metrics: Mapping[str, Mapping[str, Metric]],
) -> list[Evaluation]:
    """Read the evaluation of each row; what several share is read once.

    Args:
        read: the files of the job, indexes of evaluations.
        rows: ``task``, ``model``, ``tuning``, ``seed``, ``lang`` and ``treatment``.
        metrics: of each task.

    Raises:
        DataError: no index lists the evaluation of a row, or it is damaged.
    """
    found = Evaluations(read.files.get("evaluations", ()), metrics)
    return [found.of(row) for row in rows]


def read_perplexities(
    read: Inputs, rows: Sequence[Mapping[str, Any]]
) -> list[tuple[dict[str, Any], Path]]:
    """Read the measured perplexity of each row, and say where it was.

    Args:
        read: the files of the job, indexes of perplexities.
        rows: ``corpus``, ``model``, ``lang`` and ``treatment``.

    Raises:
        DataError: no index lists that of a row, or it is damaged.
    """
    found = Perplexities(read.files.get("perplexities", ()))
    return [found.of(row) for row in rows]


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
