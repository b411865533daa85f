"""Every published number beside ours, where it was run by the same procedure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

from langneurons.config.names import Selection
from langneurons.published import numbers, numbers_file
from langneurons.published.partners import Partners

from . import Table, activation_statistics, kind_of, wanted
from .common import (
    inputs,
    planned,
    reproduction_numbers,
    reproduction_text,
    task_columns,
)
from .common.columns import Columns
from .common.document import Document
from .common.inputs import Reads
from .common.reproduction_ours import our_numbers

if TYPE_CHECKING:
    from langneurons.config.schema import Config

    from .common.inputs import Inputs

OF_TASKS = ("interventions", "finetuning", "random_tuning")
"""Kinds of tables whose cells are set against published ones."""


class Reproduction(Table):
    """Published numbers beside ours."""

    NAME = "reproduction"
    COLUMNS = reproduction_numbers.COLUMNS
    SHOWS = "published numbers beside ours"
    PLACE = 70

    def names(self, config: Config) -> list[str]:
        return [self.NAME]

    def reads(self, config: Config, name: str) -> Reads:
        read = (*OF_TASKS, activation_statistics.TABLE.NAME)
        return Reads(
            neurons=_compared(Partners(config)),
            tables=[name for name in wanted(config) if kind_of(name) in read],
            published=True,
        )

    def spec(self, config: Config, name: str) -> dict[str, Any]:
        """List what stands beside a published number, and why the rest does not."""
        partners = Partners(config)
        evaluations: dict[Any, dict[str, Any]] = {}
        for one in partners.evaluations:
            row, columns = one.row, planned.treated(config, one.row.treatment)
            axes = planned.axes_of(row)
            names = {k: axes[k] for k in ("model", "tuning", "lang")}
            names |= {k: columns[k] for k in ("method", "langset", "statistic")}
            entry = {"task": one.task} | names | {"key": one.key, "why": one.why}
            # Seeds share an entry, and so does what is the same evaluation twice.
            evaluations.setdefault((one.key, planned.identity(config, one)), entry)
        rows = {
            "evaluations": list(evaluations.values()),
            "activations": [x._asdict() for x in partners.activations],
            "neurons": [
                x._asdict() | {"selection": str(x.selection)} for x in partners.neurons
            ],
            "files": [f"{model} {chosen}" for model, chosen in _compared(partners)],
        }
        return {"rows": rows, "sources": [*numbers.figures()["sources"].items()]}

    def build(self, spec: Mapping[str, Any], read: Inputs) -> pd.DataFrame:
        published, rows = numbers_file.read(read.published_file), spec["rows"]
        found = inputs.read_neurons(read, rows["files"])
        ours = our_numbers(published, inputs.read_tables(read, _columns), found, rows)
        return reproduction_numbers.table(published, *ours)

    def layout(self, table: pd.DataFrame, spec: Mapping[str, Any]) -> Document:
        return reproduction_text.layout(table, spec["sources"])


def _compared(partners: Partners) -> list[tuple[str, Selection]]:
    """List models and selections whose neurons are set against published ones."""
    found = [x for x in partners.neurons if x.why is None]
    return list(dict.fromkeys((x.model, x.selection) for x in found))


def _columns(name: str) -> Columns:
    """Return the columns of a table that this one reads."""
    is_other = name == activation_statistics.TABLE.NAME
    return activation_statistics.COLUMNS if is_other else task_columns.COLUMNS


TABLE = Reproduction()
