"""Which bridge each similarity chooses, and what the choice is worth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pandas as pd

from langneurons import tasks
from langneurons.grid.experiments.bridges import TABLE as NAME

from . import Table
from .common import bridge_rows, bridge_text, same_marks, task_columns
from .common.bridge_numbers import COLUMNS, bridge_table
from .common.document import Document
from .common.inputs import Reads, read_tables
from .common.metrics import first_of_items

if TYPE_CHECKING:
    from langneurons.config.schema import Config

    from .common.inputs import Inputs


class Bridges(bridge_rows.OfChoices, Table):
    """Choices by every similarity, against the direct way, English and chance."""

    NAME = NAME
    COLUMNS = COLUMNS
    SHOWS = "which bridge each similarity chooses, and what the choice is worth"
    PLACE = 46

    def reads(self, config: Config, name: str) -> Reads:
        """Say which results it is built from: the tables of its tasks too."""
        used = dict.fromkeys(place.task for place, _ in bridge_rows.places(config))
        return replace(super().reads(config, name), tables=list(used))

    def build(self, spec: Mapping[str, Any], read: Inputs) -> pd.DataFrame:
        made = bridge_table(*bridge_rows.read(spec, read))
        metrics = {
            task: first_of_items(task, tasks.load(kind).METRICS)
            for task, kind in spec["kinds"].items()
        }
        found = read_tables(read, lambda name: task_columns.COLUMNS)
        by_task = {task: (found[task], metric) for task, metric in metrics.items()}
        return same_marks.as_bridged(made, by_task)

    def layout(self, table: pd.DataFrame, spec: Mapping[str, Any]) -> Document:
        return bridge_text.layout(table)


TABLE = Bridges()
