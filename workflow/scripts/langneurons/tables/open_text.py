"""Open answers under steering: how much is in the language steered to, and damage."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

from . import Table
from .common import open_items, open_rows, open_text, steering_rows
from .common.document import Document
from .common.inputs import Reads
from .common.open_numbers import COLUMNS, open_text_table

if TYPE_CHECKING:
    from langneurons.config.schema import Config

    from .common.inputs import Inputs


class OpenText(Table):
    """Each way to steer against none and against its controls, in open answers."""

    NAME = "open_text"
    COLUMNS = COLUMNS
    SHOWS = "which language open answers are in under steering, and their damage"
    PLACE = 45
    MEMORY = 8000

    def names(self, config: Config) -> list[str]:
        return [self.NAME] if open_rows.open_text(config).steered else []

    def reads(self, config: Config, name: str) -> Reads:
        return Reads(evaluations=open_rows.open_text(config).steered)

    def spec(self, config: Config, name: str) -> dict[str, Any]:
        found = open_rows.open_text(config)
        rows = steering_rows.of_tasks(config, found.steered)
        return {"rows": rows, "languages": found.languages}

    def build(self, spec: Mapping[str, Any], read: Inputs) -> pd.DataFrame:
        indexes = read.files.get("evaluations", ())
        rows = steering_rows.unpacked(spec["rows"])
        return open_text_table(open_items.treated(indexes, rows, spec["languages"]))

    def layout(self, table: pd.DataFrame, spec: Mapping[str, Any]) -> Document:
        return open_text.layout(table)


TABLE = OpenText()
