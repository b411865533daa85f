"""Amplified neurons beside random neurons, a prompt and DiffMean, over all pairs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

from langneurons import tasks
from langneurons.published import pilots

from . import Table
from .common import amplification_text, steering_items, steering_rows
from .common.amplification_numbers import (
    COLUMNS,
    NATS,
    PERPLEXITY,
    amplification_table,
)
from .common.document import Document
from .common.evaluations import Evaluations
from .common.inputs import Reads
from .common.metrics import CORPUS
from .common.perplexities import Perplexities
from .common.ways import Gathered

if TYPE_CHECKING:
    from langneurons.config.schema import Config

    from .common.inputs import Inputs


class Amplification(Table):
    """Each selection and factor against its controls, and what it costs."""

    NAME = "amplification"
    COLUMNS = COLUMNS
    SHOWS = "amplified neurons beside random neurons, a prompt and DiffMean"
    PLACE = 42
    MEMORY = 8000
    MINUTES = 120

    def names(self, config: Config) -> list[str]:
        return [self.NAME] if steering_rows.steered(config) else []

    def reads(self, config: Config, name: str) -> Reads:
        found = steering_rows.steering(config)
        return Reads([*found.shifts, *found.choices], found.texts)

    def spec(self, config: Config, name: str) -> dict[str, Any]:
        found = steering_rows.steering(config)
        rows = {
            "shifts": steering_rows.of_tasks(config, found.shifts),
            "choices": steering_rows.of_tasks(config, found.choices),
            "texts": steering_rows.of_texts(config, found.texts),
            "published": pilots.beside(config, found.shifts),
        }
        kinds = {task: config.task(task).kind for task, _ in found.choices}
        return {"rows": rows, "ties": found.ties, "kinds": kinds}

    def build(self, spec: Mapping[str, Any], read: Inputs) -> pd.DataFrame:
        indexes = read.files.get("evaluations", ())
        parts = ("shifts", "choices", "texts")
        rows = {part: steering_rows.unpacked(spec["rows"][part]) for part in parts}
        gathered = Gathered()
        shifts = steering_items.shifted(indexes, rows["shifts"], spec["ties"])
        gathered.add_shifts(shifts)
        # One metric each, the task's first that has something of single items.
        declared = {task: tasks.load(k).METRICS for task, k in spec["kinds"].items()}
        first = {
            task: next((n for n, m in metrics.items() if m.kind != CORPUS), "")
            for task, metrics in declared.items()
        }
        used = {task: {n: declared[task][n]} for task, n in first.items() if n}
        tested = [row for row in rows["choices"] if first[row["task"]]]
        found = Evaluations(indexes if tested else (), used)
        gathered.add_changes(None, steering_items.chosen(found, tested, first))
        texts = Perplexities(read.files.get("perplexities", ()))
        changes = steering_items.read_texts(texts, rows["texts"])
        gathered.add_changes(PERPLEXITY, changes)
        units = {
            task: declared[task][name].unit for task, name in first.items() if name
        }
        units |= {PERPLEXITY: f"{NATS} per token"}
        published = {tuple(key): value for key, value in spec["rows"]["published"]}
        steered = [task for task, n in first.items() if n and declared[task][n].steered]
        return amplification_table(gathered, units, published, steered=steered)

    def layout(self, table: pd.DataFrame, spec: Mapping[str, Any]) -> Document:
        return amplification_text.layout(table)


TABLE = Amplification()
