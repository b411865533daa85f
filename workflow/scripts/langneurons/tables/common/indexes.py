"""Finished treatments, found by the indexes that list them."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from langneurons.config.errors import DataError
from langneurons.jobs import files

HASH: dict[str, type] = {"sha256": str}


@dataclass(frozen=True)
class Listed:
    """A treatment as its index lists it.

    Attributes:
        index: the file that lists it.
        record: what was treated, ``treatment``, and the result.
    """

    index: Path
    record: Mapping[str, Any]

    @property
    def path(self) -> Path:
        """The file of the treatment, beside its index."""
        return self.index.with_name(f"{self.record['treatment']}.parquet")

    @property
    def again(self) -> str:
        """How it is made anew."""
        return f"delete it and {self.index.name} beside it to evaluate again"

    def read(self, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """Read columns of the treatment's file; None: all of them.

        Raises:
            DataError: the file is missing, damaged, not the one that was listed, or
                lacks a column.
        """
        if not self.path.is_file():
            raise DataError(
                f"{self.path}: missing, but {self.index} lists it; delete "
                f"{self.index} to evaluate again"
            )
        if strange := files.nature(self.path):
            raise DataError(f"{self.path} is {strange}; {self.again}")
        # Provenance covers the index; a flipped bit in a table is still a table.
        if files.sha256(self.path) != self.record["sha256"]:
            raise DataError(
                f"{self.path}: damaged, or changed by hand: its content is not what "
                f"{self.index.name} was written with; {self.again}"
            )
        try:
            wanted = None if columns is None else list(columns)
            return pd.read_parquet(self.path, columns=wanted)
        # Damage may pass pyarrow's checks and fail anywhere behind them.
        except Exception as error:
            lacks = (
                f", or lacks one of the columns {', '.join(columns)}" if columns else ""
            )
            raise DataError(
                f"{self.path}: damaged{lacks} ({error}); {self.again}"
            ) from error


class Indexes:
    """The treatments that some indexes list, by what was treated.

    Args:
        paths: the indexes.
        what: what their treatments are, for messages.
        axes: keys of what was treated, and the types of their values.
        keys: of each treatment's result, and the types of their values.

    Raises:
        DataError: an index is damaged or something else, or a treatment is in two.
    """

    def __init__(
        self,
        paths: Iterable[Path],
        what: str,
        axes: Mapping[str, type],
        keys: Mapping[str, type],
    ) -> None:
        self.what, self.axes, self.paths = what, axes, list(paths)
        self._found: dict[tuple[Hashable, ...], Listed] = {}
        for path in self.paths:
            shared = {**axes, "treatments": dict}
            given = files.read_object(path, f"an index of {what}", shared)
            for name, result in given["treatments"].items():
                where = f"a list of {what} at {name}"
                if not isinstance(result, dict):
                    raise DataError(f"{path}: not {where}{files.redo(path)}")
                files.check_keys(path, result, where, {**keys, **HASH})
                names = {axis: given[axis] for axis in axes}
                key = (*names.values(), name)
                one = Listed(path, {**names, "treatment": name, **result})
                first = self._found.setdefault(key, one)
                if first is not one:
                    raise DataError(f"{path}: lists {name}, which {first.index} does")

    def find(self, row: Mapping[str, Any]) -> Listed:
        """Return the treatment of a row, by what was treated and ``treatment``.

        Raises:
            DataError: no index lists it.
        """
        wanted = {axis: row[axis] for axis in (*self.axes, "treatment")}
        found = self._found.get(tuple(wanted.values()))
        if found is None:
            said = ", ".join(f"{axis} {value}" for axis, value in wanted.items())
            beside = ", ".join(str(p) for p in self.paths[:3]) or "none"
            more = f" and {len(self.paths) - 3} more" if len(self.paths) > 3 else ""
            raise DataError(
                f"{self.what}: none of {said}; indexes that were read: {beside}{more}"
            )
        return found
