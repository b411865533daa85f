"""Language Steering Shift, pair by pair of languages (Rahmanisa et al. 2025)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from langneurons.stats import significance
from langneurons.stats.steering import (
    DELTA_B,
    DELTA_T,
    LSS,
    LSS_NORM,
    LSS_PLUS,
    SPEC,
)

from . import Table
from .common import columns, one_order, steering_items, steering_rows
from .common.columns import Column
from .common.document import (
    Bullets,
    Cell,
    Document,
    Grid,
    Heading,
    Paragraph,
    Part,
    Sign,
    code,
    grid,
    number,
)
from .common.inputs import Reads
from .common.signs import EMPTY, is_any
from .common.steering_items import Shifted
from .common.task_columns import NEURONS
from .common.words import ABSENT, NO_NEURONS, NOTHING, RANDOM, is_empty

if TYPE_CHECKING:
    from langneurons.config.schema import Config

    from .common.inputs import Inputs

COLUMNS = (
    Column("experiment", "of the configuration", key=True),
    Column("task", "whose facts are asked", key=True),
    Column("model", "name in the configuration", key=True),
    *NEURONS,
    Column("statistic", "factor: what is written into the neurons", key=True),
    Column("lang", "base language b: of the prompts", key=True),
    Column("neuron_lang", "target language t: whose neurons", key=True),
    Column("n", "facts that count", "count"),
    Column("ties", "facts whose two objects are one word", "count"),
    Column(LSS, "share of facts where t gains on b", "number", form=".3f"),
    Column("lss_low", "low end of its 95 % interval", "number", form=".3f"),
    Column("lss_high", "high end of its 95 % interval", "number", form=".3f"),
    Column(LSS_PLUS, "share where t gains on b, and rises", "number", form=".3f"),
    Column("lss_plus_low", "low end of its 95 % interval", "number", form=".3f"),
    Column("lss_plus_high", "high end of its 95 % interval", "number", form=".3f"),
    Column(DELTA_T, "mean change of t's object, nats", "number", form="+.3f"),
    Column(DELTA_B, "mean change of b's object, nats", "number", form="+.3f"),
    Column(SPEC, "share where t gains most of all but b", "number", form=".3f"),
    Column(LSS_NORM, "LSS of log-probabilities per token", "number", form=".3f"),
    Column("n_neurons", "neurons overwritten", "count"),
)


def line(one: Shifted) -> dict[str, Any]:
    """Sum up an ordered pair under a treatment; without neurons there is nothing."""
    names = [column.name for column in COLUMNS if column.key]
    found = {name: one.row[name] for name in names}
    found |= {k: v or NOTHING for k, v in found.items() if k in TEXTS}
    found |= {"n_neurons": one.n_neurons, "n": len(one.shift.facts)}
    found["ties"] = one.shift.ties
    if is_empty(found) or not found["n"]:
        return found
    values = one.shift.values
    found |= {name: _mean(numbers) for name, numbers in values.items()}
    for name in (LSS, LSS_PLUS):
        low, high = significance.wilson(int(values[name].sum()), found["n"])
        found |= {f"{name}_low": low, f"{name}_high": high}
    return found


TEXTS = ("method", "langset", "matched")


def _mean(values: Any) -> float:
    there = values[~np.isnan(values)]
    return float(there.mean()) if len(there) else math.nan


def steering_table(shifts: Iterable[Shifted]) -> pd.DataFrame:
    """Sum up every ordered pair of languages under every treatment."""
    return columns.frame([line(one) for one in shifts], COLUMNS)


CELLS = Sign(
    "Cells",
    "LSS (LSS+) in percent: the share of facts whose object in the column's language "
    "gains on that in the row's (and itself becomes likelier)",
    is_any,
)
LEGEND = (
    "- Rows: language of the prompts; columns: language whose neurons are amplified "
    "(of the prompt:\n  that it names; of DiffMean: towards which). *mean*: over the "
    "other languages.",
    CELLS.bullet,
)
LAST = (
    "- The `.tsv` file beside this one has numbers of facts, intervals, nats, and "
    "every random draw."
)


def layout(table: pd.DataFrame) -> Document:
    """Lay out a matrix for each model, selection and factor but random ones."""
    parts: list[Part] = []
    shown = table[table["method"] != RANDOM]
    several = table["experiment"].nunique() > 1 or table["task"].nunique() > 1
    keys = ["experiment", "task", "model", "method", "langset", "statistic"]
    for values, part in shown.groupby(keys, sort=False):
        experiment, task, model, *treatment = map(str, values)
        front = f"{experiment}, {task}: " if several else ""
        heading = Heading(f"{front}{model}, {named(*treatment)}")
        parts += [heading, _matrix(part)]
    if not parts:
        parts.append(Paragraph("No rows."))
    there = [EMPTY.bullet] if table.apply(is_empty, axis=1).any() else []
    parts += [Heading("How to read it", folded=True)]
    parts.append(Bullets.of(*LEGEND, *there, LAST))
    return Document("Language steering shift", tuple(parts))


def named(method: str, langset: str, statistic: str) -> str:
    """Name a treatment: ``lape.set1``, factor ``p_max``; or the control that it is."""
    if langset in ("", NOTHING):
        setting = "" if statistic == method else f" {code(statistic)}"
        return f"{code(method)}{setting}"
    return f"{code(f'{method}.{langset}')}, factor {code(statistic)}"


def _matrix(part: pd.DataFrame) -> Grid:
    bases, targets = one_order.languages(part)
    cells = {(r["lang"], r["neuron_lang"]): r for r in part.to_dict("records")}
    lines: list[list[Cell | str]] = []
    for base in bases:
        own = part[part["lang"] == base]
        spots = [_cell(cells.get((base, target))) for target in targets]
        lines.append([base, *spots, _text(own[LSS].mean(), own[LSS_PLUS].mean())])
    means = part.groupby("neuron_lang")[[LSS, LSS_PLUS]].mean()
    lines.append(
        [
            "mean",
            *(_text(*means.loc[target]) for target in targets),
            _text(part[LSS].mean(), part[LSS_PLUS].mean()),
        ]
    )
    titles = ["prompt in", *targets, "mean"]
    return grid(titles, lines, 1, fold=False, signs=[CELLS, EMPTY])


def _cell(row: Mapping[Any, Any] | None) -> Cell:
    if row is None:
        return Cell(ABSENT)
    if is_empty(row):
        return Cell(NO_NEURONS)
    return Cell(_text(row[LSS], row[LSS_PLUS]))


def _text(lss: float, plus: float) -> str:
    if math.isnan(lss):
        return ABSENT
    return f"{number(100 * lss, '.1f')} ({number(100 * plus, '.1f')})"


class Steering(Table):
    """Every ordered pair of languages under every treatment that steers."""

    NAME = "steering"
    COLUMNS = COLUMNS
    SHOWS = "how often amplified neurons shift answers to their language (LSS)"
    PLACE = 44
    MEMORY = 8000

    def names(self, config: Config) -> list[str]:
        return [self.NAME] if steering_rows.steered(config) else []

    def reads(self, config: Config, name: str) -> Reads:
        return Reads(evaluations=steering_rows.steering(config).shifts)

    def spec(self, config: Config, name: str) -> dict[str, Any]:
        found = steering_rows.steering(config)
        rows = steering_rows.of_tasks(config, found.shifts)
        return {"rows": rows, "ties": found.ties}

    def build(self, spec: Mapping[str, Any], read: Inputs) -> pd.DataFrame:
        indexes = read.files.get("evaluations", ())
        rows = steering_rows.unpacked(spec["rows"])
        shifts = steering_items.shifted(indexes, rows, spec["ties"])
        return steering_table(shifts)

    def layout(self, table: pd.DataFrame, spec: Mapping[str, Any]) -> Document:
        return layout(table)


TABLE = Steering()
