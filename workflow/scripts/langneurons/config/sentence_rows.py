"""Which rows of a data set are the sentences of a corpus (``unit: document``)."""

from __future__ import annotations

import math

from pydantic import Field, model_validator

from .fields import CodedPath, Frozen


class SourceRows(Frozen):
    """Rows of a data set or of tables that are taken as sentences, one a row."""

    split: str | None = Field(
        None, pattern=r"^[\w.-]+$", description="hub: split of the data set"
    )
    files: tuple[CodedPath, ...] = Field(
        (),
        description="folder: files in it, of .txt (a sentence per line), .tsv (with a "
        "header; quotes as spreadsheets write them) or .jsonl; `{lang}` and `{code}` "
        "are replaced",
    )
    column: str | None = Field(
        None,
        description="column of whole numbers that rows are chosen and put in order by; "
        "null: rows are numbered from 0 as they come",
    )
    at_least: int = Field(0, ge=0, description="smallest number of a row that is taken")
    below: int | None = Field(
        None, ge=1, description="rows of smaller numbers are taken; null: all"
    )

    @model_validator(mode="after")
    def _not_empty(self) -> SourceRows:
        if self.below is not None and self.below <= self.at_least:
            raise ValueError(
                f"no row is numbered at least {self.at_least} and below {self.below}"
            )
        return self

    def overlaps(self, other: SourceRows) -> bool:
        """Tell whether a row could be in both."""
        if self.split != other.split or not (
            self.split or set(self.files) & set(other.files)
        ):
            return False
        ends = (math.inf if x.below is None else x.below for x in (self, other))
        apart = min(ends) <= max(self.at_least, other.at_least)
        return self.column != other.column or not apart
