"""Languages are switched off one after another: which one open answers fall back to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

from . import Table
from .common import fallback_text, open_items, open_rows, steering_rows
from .common.document import Document
from .common.fallback_numbers import COLUMNS, fallback_table
from .common.inputs import Reads

if TYPE_CHECKING:
    from langneurons.config.schema import Config

    from .common.inputs import Inputs


class Fallback(Table):
    """Languages of answers after each step, beside random neurons."""

    NAME = "fallback"
    COLUMNS = COLUMNS
    SHOWS = "which language appears when languages are switched off in turn"
    PLACE = 46
    MEMORY = 8000

    def names(self, config: Config) -> list[str]:
        return [self.NAME] if open_rows.open_text(config).off else []

    def reads(self, config: Config, name: str) -> Reads:
        return Reads(evaluations=open_rows.open_text(config).off)

    def spec(self, config: Config, name: str) -> dict[str, Any]:
        found = open_rows.open_text(config)
        rows = steering_rows.of_tasks(config, found.off)
        return {"rows": rows, "languages": found.languages}

    def build(self, spec: Mapping[str, Any], read: Inputs) -> pd.DataFrame:
        indexes = read.files.get("evaluations", ())
        rows = steering_rows.unpacked(spec["rows"])
        told = spec["languages"]
        return fallback_table(open_items.treated(indexes, rows, told), told)

    def layout(self, table: pd.DataFrame, spec: Mapping[str, Any]) -> Document:
        return fallback_text.layout(table)


TABLE = Fallback()
