"""Items of a task: a sample of them, written and read back, and their means."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from langneurons.config.errors import DataError
from langneurons.jobs import files, json_text
from langneurons.text.corpora import read_lines

if TYPE_CHECKING:
    import pandas as pd


def sample(rows: int, size: int, seed: int) -> list[int]:
    """Pick ``size`` of ``rows`` row numbers, in ascending order.

    Rows are ranked by a hash of the seed and the row number, so that parallel test sets
    give parallel samples, and a larger sample contains the smaller one.
    """
    ranked = sorted(
        range(rows), key=lambda row: hashlib.sha256(f"{seed}:{row}".encode()).digest()
    )
    return sorted(ranked[:size])


def write_jsonl(path: Path | str, items: Iterable[Mapping[str, Any]]) -> None:
    """Write items atomically, one JSON object per line."""
    with files.atomic(path) as part, part.open("w", encoding="utf-8") as handle:
        for item in items:
            handle.write(files.canonical(dict(item)) + "\n")


def read_jsonl(path: Path | str, keys: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Read items, one JSON object per line; each must have the keys.

    Raises:
        DataError: a line is not such an object.
    """
    items = []
    for number, _, line in read_lines(path):
        try:
            item = json_text.loads(line)
        except ValueError:
            item = None
        absent = [key for key in keys if not isinstance(item, dict) or key not in item]
        if not isinstance(item, dict) or absent:
            raise DataError(
                f"{path}: line {number:,} is not a JSON object with the keys "
                f"{', '.join(keys)}{files.redo(path)}"
            )
        items.append(item)
    return items


def means(predictions: pd.DataFrame, metrics: Iterable[str]) -> dict[str, float]:
    """Average columns of a per-item table; every item counts once.

    Unlike in the released code of the paper, no last batch is dropped.
    """
    return {name: float(predictions[name].astype(float).mean()) for name in metrics}
