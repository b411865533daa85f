"""Which bridge each similarity chooses, and what the choice is worth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

from langneurons.grid.experiments.bridges import TABLE as NAME

from . import Table
from .common import bridge_rows, bridge_text
from .common.bridge_numbers import COLUMNS, bridge_table
from .common.document import Document

if TYPE_CHECKING:
    from .common.inputs import Inputs


class Bridges(bridge_rows.OfChoices, Table):
    """Choices by every similarity, against the direct way, English and chance."""

    NAME = NAME
    COLUMNS = COLUMNS
    SHOWS = "which bridge each similarity chooses, and what the choice is worth"
    PLACE = 46

    def build(self, spec: Mapping[str, Any], read: Inputs) -> pd.DataFrame:
        return bridge_table(*bridge_rows.read(spec, read))

    def layout(self, table: pd.DataFrame, spec: Mapping[str, Any]) -> Document:
        return bridge_text.layout(table)


TABLE = Bridges()
