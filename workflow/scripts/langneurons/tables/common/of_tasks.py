"""What the three kinds of tables of tasks have in common: one table for each task."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import pandas as pd

from langneurons import tasks
from langneurons.grid import rows as all_rows
from langneurons.grid.axes import Row
from langneurons.published.partners import Partners

from . import inputs, planned
from .columns import Column
from .document import Document
from .inputs import Reads
from .task_columns import COLUMNS
from .task_means import with_means
from .task_table import task_table
from .task_text import layout

if TYPE_CHECKING:
    from langneurons.config.schema import Config

    from .inputs import Inputs


class OfTasks:
    """Evaluations of a task, each set against its reference.

    Attributes:
        LAYOUT: interventions, tunings or random; see ``task_table``.
        ROWS: lists the rows of a task's table.
    """

    NAME: str
    COLUMNS: tuple[Column, ...] = COLUMNS
    LAYOUT: str
    ROWS: ClassVar[Callable[[Config, str], list[Row]]]

    def names(self, config: Config) -> list[str]:
        named = [self.NAME.format(task=task) for task in all_rows.tasks(config)]
        return [name for name in named if name in all_rows.tables(config)]

    def _rows(self, config: Config, name: str) -> tuple[str, list[Row]]:
        front, _, back = self.NAME.partition("{task}")
        task = name.removeprefix(front).removesuffix(back)
        return task, type(self).ROWS(config, task)

    def reads(self, config: Config, name: str) -> Reads:
        task, rows = self._rows(config, name)
        return Reads(evaluations=[(task, row) for row in rows])

    def spec(self, config: Config, name: str) -> dict[str, Any]:
        task, rows = self._rows(config, name)
        entry, partners = config.task(task), Partners(config)
        return {
            "task": task,
            "kind": entry.kind,
            "source_language": entry.source_language,
            "layout": self.LAYOUT,
            "rows": [planned.evaluated(config, partners, task, row) for row in rows],
        }

    def build(self, spec: Mapping[str, Any], read: Inputs) -> pd.DataFrame:
        made, rows = tasks.load(spec["kind"]), spec["rows"]
        found = inputs.read_evaluations(read, rows, {spec["task"]: made.METRICS})
        given = {"layout": spec["layout"], "title": made.TITLE}
        table = task_table(rows, found, made.METRICS, **given)
        given |= {"source": spec["source_language"]}
        return with_means(table, rows, found, made.METRICS, **given)

    def layout(self, table: pd.DataFrame, spec: Mapping[str, Any]) -> Document:
        return layout(table, spec)
