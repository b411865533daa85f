"""Open answers as read: shares of languages and damage, item by item."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from langneurons.config.errors import DataError
from langneurons.config.names import NO_TREATMENT
from langneurons.tasks.common.open_answers import LINES, NONE, OTHER, WORDS

from .evaluations import AXES, KEYS
from .indexes import Indexes, Listed
from .words import is_empty

DAMAGE = ("repetition", "loops", "empty", "length")
"""Metrics of an answer that say whether it is one, whatever its language."""
SHARES = (WORDS.rstrip("_"), LINES.rstrip("_"))
"""Metrics that are a share of the answer in the language that one steers to."""
Floats = npt.NDArray[np.float64]


class Answers(NamedTuple):
    """Open answers under a treatment.

    Attributes:
        items: int64 [n] numbers of the prompts, ascending.
        columns: per column float64 [n].
        n_neurons: that are overwritten.
    """

    items: npt.NDArray[np.int64]
    columns: Mapping[str, Floats]
    n_neurons: int


class Treated(NamedTuple):
    """A treated row, its answers, and those of the untreated model to its prompts."""

    row: Mapping[str, Any]
    after: Answers
    before: Answers


def shares_of(languages: Sequence[str]) -> list[str]:
    """List the columns with shares of words: languages, others, and none."""
    return [f"{WORDS}{name}" for name in (*languages, OTHER, NONE)]


def treated(
    indexes: Iterable[Path],
    rows: Sequence[Mapping[str, Any]],
    languages: Mapping[str, Sequence[str]],
) -> Iterator[Treated]:
    """Set the answers under each treatment beside those without; empty ones left out.

    Args:
        indexes: of the evaluations.
        rows: see ``steering_rows.of_tasks``; untreated ones are read, not yielded.
        languages: whose shares each task keeps.

    Raises:
        DataError: an evaluation is missing, damaged, or of other prompts.
    """
    listed = Indexes(indexes if rows else (), "evaluations", AXES, KEYS)
    untreated: dict[tuple[Any, ...], Answers] = {}
    for row in rows:
        if row["statistic"] == NO_TREATMENT:
            continue
        subject = tuple(row[axis] for axis in AXES)
        told = languages[row["task"]]
        if subject not in untreated:
            none = listed.find({**row, "treatment": NO_TREATMENT})
            untreated[subject] = answers(none, told)
        found = listed.find(row)
        after, before = answers(found, told), untreated[subject]
        if not np.array_equal(after.items, before.items):
            raise DataError(
                f"{found.path}: other prompts than without treatment; {found.again}"
            )
        if not is_empty(dict(row) | {"n_neurons": after.n_neurons}):
            yield Treated(row, after, before)


def answers(listed: Listed, languages: Sequence[str]) -> Answers:
    """Read an evaluation of a task whose answers are open.

    Raises:
        DataError: the file is damaged, lacks a column, or a cell is no finite number.
    """
    lines = [f"{LINES}{lang}" for lang in languages]
    wanted = [*shares_of(languages), *lines, *DAMAGE]
    table = listed.read(["item", *wanted])
    try:
        items = table["item"].to_numpy(np.int64)
        columns = {name: table[name].to_numpy(np.float64) for name in wanted}
    except (TypeError, ValueError) as error:
        raise DataError(
            f"{listed.path}: has cells that are no numbers ({error}); {listed.again}"
        ) from error
    for name, values in columns.items():
        if not np.isfinite(values).all():
            raise DataError(
                f"{listed.path}: {name} has values that are not finite; {listed.again}"
            )
    if len(np.unique(items)) < len(items):
        raise DataError(f"{listed.path}: a prompt stands twice; {listed.again}")
    order = np.argsort(items, kind="stable")
    sorted_ = {name: values[order] for name, values in columns.items()}
    return Answers(items[order], sorted_, listed.record["n_neurons"])
