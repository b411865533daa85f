"""What treatments did to each item: facts, choices and chunks of text, as read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from langneurons.config.errors import DataError
from langneurons.config.names import NO_TREATMENT
from langneurons.stats import steering
from langneurons.stats.score_cells import Change
from langneurons.stats.steering import Answers, Shift, Ties

from .evaluations import AXES, KEYS, Evaluations
from .indexes import Indexes, Listed
from .perplexities import Perplexities, shares

LOGPROB, TOKENS, OBJECT = "logprob_", "tokens_", "object_"
"""Beginnings of columns of a task that ``SHIFTS``, before a language's code."""
SUBJECT = ("task", "model", "tuning", "seed", "lang")

Row = Mapping[str, Any]


class Shifted(NamedTuple):
    """A treated row of a task that ``SHIFTS``, and what the treatment did."""

    row: Row
    shift: Shift
    n_neurons: int


class Changed(NamedTuple):
    """A treated row, the items, and the change against no treatment.

    Attributes:
        change: of each item [n], or of the score of all of them.
    """

    row: Row
    items: npt.NDArray[np.int64]
    change: npt.NDArray[np.float64] | Change
    n_neurons: int


def shifted(
    indexes: Iterable[Path], rows: Sequence[Row], ties: Mapping[str, Ties]
) -> Iterator[Shifted]:
    """Set the answers under each treatment against those without.

    Args:
        indexes: of the evaluations.
        rows: see ``steering_rows.of_task``; untreated ones are read, not yielded.
        ties: by experiment; see ``steering.shift``.

    Raises:
        DataError: an evaluation is missing, damaged, or of other facts.
    """
    listed = Indexes(indexes, "evaluations", AXES, KEYS)
    untreated: dict[tuple[Any, ...], Answers] = {}
    for row in rows:
        if row["statistic"] == NO_TREATMENT:
            continue
        subject = tuple(row[axis] for axis in SUBJECT)
        if subject not in untreated:
            none = listed.find({**row, "treatment": NO_TREATMENT})
            untreated[subject] = answers(none)
        own = listed.find(row)
        pair = {"base": row["lang"], "target": row["neuron_lang"]}
        given = (untreated[subject], answers(own))
        found = steering.shift(*given, **pair, ties=ties[row["experiment"]])
        yield Shifted(row, found, own.record["n_neurons"])


def answers(listed: Listed) -> Answers:
    """Read an evaluation of a task that ``SHIFTS``.

    Raises:
        DataError: the file is damaged, or a column is missing or of another type.
    """
    table = listed.read()
    languages = tuple(
        str(c).removeprefix(LOGPROB) for c in table if str(c).startswith(LOGPROB)
    )
    fronts = (LOGPROB, TOKENS, OBJECT)
    needed = ["item", *(f + lang for lang in languages for f in fronts)]
    missing = [name for name in needed if name not in table]
    if missing or not languages:
        lacks = ", ".join(missing) or f"{LOGPROB}{{language}}"
        raise DataError(f"{listed.path}: lacks the columns {lacks}; {listed.again}")
    if not pd.api.types.is_integer_dtype(table["item"].dtype):
        raise DataError(f"{listed.path}: item has gaps; {listed.again}")
    numbers = {}
    for front in (LOGPROB, TOKENS):
        own = table[[front + lang for lang in languages]]
        try:
            numbers[front] = own.to_numpy(np.float64, na_value=np.nan)
        except (TypeError, ValueError) as error:
            raise DataError(
                f"{listed.path}: {front}* has values that are no numbers ({error}); "
                f"{listed.again}"
            ) from error
    known = np.isfinite(numbers[LOGPROB])
    if np.isinf(numbers[LOGPROB]).any() or not (numbers[TOKENS][known] > 0).all():
        raise DataError(
            f"{listed.path}: an object has an infinite log-probability, or no tokens; "
            f"{listed.again}"
        )
    objects = table[[OBJECT + lang for lang in languages]].to_numpy(object)
    objects = np.where(pd.isna(objects), "", objects)
    # In any case one word, as for the task.
    objects = np.frompyfunc(lambda text: str(text).casefold(), 1, 1)(objects)
    facts = table["item"].to_numpy(np.int64)
    order = np.argsort(facts, kind="stable")
    return Answers(
        facts[order],
        languages,
        numbers[LOGPROB][order],
        numbers[TOKENS][order],
        objects[order],
        str(listed.path),
    )


def chosen(
    found: Evaluations, rows: Sequence[Row], metrics: Mapping[str, str]
) -> Iterator[Changed]:
    """Take the change of a task's metric, item by item, or of all items together.

    Args:
        found: the evaluations.
        rows: see ``steering_rows.of_task``; untreated ones are read, not yielded.
        metrics: of each task the one that is taken, of single items or resummed.

    Raises:
        DataError: an evaluation is missing, damaged, or of other items.
    """
    for row in rows:
        if row["statistic"] == NO_TREATMENT:
            continue
        before, after = found.of(row, treatment=NO_TREATMENT), found.of(row)
        after.check_items(before)
        name, number = metrics[row["task"]], after.record["n_neurons"]
        if name in after.sums:
            whole = Change.of(after.sums[name], before.sums[name])
            yield Changed(row, after.items, whole, number)
            continue
        change = np.subtract(after.scores[name], before.scores[name], dtype=np.float64)
        order = np.argsort(after.items, kind="stable")
        yield Changed(row, after.items[order], change[order], number)


def read_texts(found: Perplexities, rows: Sequence[Row]) -> Iterator[Changed]:
    """Take the change of nats per token, chunk by chunk or sentence by sentence.

    Their mean is that of all tokens (``perplexities.shares``). Chunks of two languages
    are other text: their numbers differ.

    Raises:
        DataError: a perplexity is missing, damaged, or of other chunks.
    """
    untreated: dict[tuple[str, ...], Mapping[str, Any]] = {}
    places: dict[str, int] = {}
    for row in rows:
        if row["statistic"] == NO_TREATMENT:
            continue
        subject = (row["corpus"], row["model"], row["lang"])
        if subject not in untreated:
            untreated[subject], _ = found.of({**row, "treatment": NO_TREATMENT})
        before, (record, path) = untreated[subject], found.of(row)
        if before["chunk_tokens"] != record["chunk_tokens"]:
            raise DataError(f"{path}: nothing measured without treatment on its chunks")
        start = places.setdefault(row["lang"], len(places)) * 10_000_000
        tokens = np.array(record["chunk_tokens"])
        items = start + np.arange(len(tokens), dtype=np.int64)
        change = np.subtract(record["chunk_nll"], before["chunk_nll"])
        yield Changed(row, items, shares(change, tokens), record["n_neurons"])
