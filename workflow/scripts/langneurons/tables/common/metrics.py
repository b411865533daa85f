"""How the numbers of a metric are written, read back from any table of results.

A task declares its metrics; tables carry the declaration in :data:`COLUMNS`, so that
texts, figures and the report need the table only.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd

from langneurons import tasks
from langneurons.config.errors import DataError
from langneurons.tasks import Metric

from .columns import HIDDEN, Column
from .document import number

PERCENT = "%"
CORPUS, RESUMMED = "corpus", "resummed"
OF_ALL = (CORPUS, RESUMMED)
"""Kinds that are of all items together; of the others each item has a number."""
DECLARED = (
    Column("metric_title", "as the task writes it", form=HIDDEN),
    Column("metric_about", "the metric in words", form=HIDDEN),
    Column("metric_kind", "binary, score, real, resummed, corpus", form=HIDDEN),
    Column("metric_group", "metrics of one group share a cell", form=HIDDEN),
    Column("unit", "%: kept as a fraction; else the unit", form=HIDDEN),
    Column("decimals", "digits behind the point", "count", form=HIDDEN),
    Column("matters", "smallest difference that matters", "number", form=HIDDEN),
)
COLUMNS = tuple(column.name for column in DECLARED)
"""What a row of a table says of its metric, beside the name in ``metric``."""

TWO_POINTS = 0.02
"""Smallest difference of a ``%`` that matters, where its task does not say."""


@dataclass(frozen=True)
class Shown:
    """A metric, and how its numbers are written.

    Attributes:
        name: in the column ``metric``, and in names of files.
        metric_title: as a task writes it.
        metric_about: in words.
        metric_kind: binary, score, real, resummed or corpus.
        metric_group: metrics of one group share a cell.
        unit: ``%`` is shown times 100, any other as it is; empty for a plain number.
        decimals: digits behind the point.
        matters: smallest difference that a study should be able to see; NaN where the
            task does not say.
    """

    name: str
    metric_title: str
    metric_about: str
    metric_kind: str
    metric_group: str
    unit: str
    decimals: int
    matters: float

    @classmethod
    def of(cls, name: str, metric: Metric) -> Shown:
        """Take over what a task declares."""
        matters = metric.matters
        if matters is None:
            matters = TWO_POINTS if metric.unit == PERCENT else math.nan
        texts = (metric.title, metric.about, metric.kind, metric.group, metric.unit)
        return cls(name, *texts, metric.decimals, matters)

    @classmethod
    def read(cls, row: Mapping[Any, Any] | pd.Series) -> Shown:
        """Read the metric of a row of a table, made or read back from a file."""
        title, about, kind, group, unit = (_text(row[c]) for c in COLUMNS[:5])
        decimals, matters = int(row["decimals"]), as_float(row["matters"])
        name = str(row["metric"])
        return cls(name, title, about, kind, group, unit, decimals, matters)

    @property
    def columns(self) -> dict[str, Any]:
        """The cells of :data:`COLUMNS`."""
        return {key: value for key, value in asdict(self).items() if key != "name"}

    @property
    def is_tested(self) -> bool:
        """Whether single items make it, so that there are intervals and tests."""
        return self.metric_kind != CORPUS

    @property
    def is_percent(self) -> bool:
        return self.unit == PERCENT

    @property
    def word(self) -> str:
        """What it is called beside its data: its name, or a title that says more."""
        return told(self.name, self.metric_title)

    @property
    def scale(self) -> float:
        """What a number is multiplied by to be shown."""
        return 100.0 if self.is_percent else 1.0

    @property
    def label(self) -> str:
        """The word with the unit, for the axis of a score: ``accuracy, %``."""
        return f"{self.word}, {self.unit}" if self.unit else self.word

    @property
    def in_unit(self) -> str:
        """The unit in words, after a comma: ``, percent``; nothing without one."""
        unit = "percent" if self.is_percent else self.unit
        return f", {unit}" if unit else ""

    @property
    def steps(self) -> str:
        """The unit of a difference, after a comma; nothing without one."""
        unit = "percentage points" if self.is_percent else self.unit
        return f", {unit}" if unit else ""

    @property
    def heading(self) -> str:
        """The word, with what is not usual: another unit than percent, and no items."""
        unit = "" if self.is_percent else self.in_unit
        return self.word + unit + ("" if self.is_tested else ", of all items together")

    @property
    def points(self) -> str:
        """The unit of a difference behind a number: `` points``, `` nats``."""
        unit = "points" if self.is_percent else self.unit
        return f" {unit}" if unit else ""

    def value(self, value: Any) -> str:
        """Write a number of the metric, in its unit."""
        return number(self.scale * as_float(value), f".{self.decimals}f")

    def interval(self, low: Any, high: Any) -> str:
        """Write an interval of values in brackets; nothing where there is none."""
        if math.isnan(as_float(low)) or math.isnan(as_float(high)):
            return ""
        return f" [{self.value(low)}, {self.value(high)}]"

    def change(self, value: Any) -> str:
        """Write a difference, in the unit and with its sign."""
        return number(self.scale * as_float(value), f"+.{self.decimals}f")


def as_float(value: Any) -> float:
    """Take a cell of a table as a number; an empty one is NaN."""
    return math.nan if value is None or value is pd.NA else float(value)


def told(name: str, title: str) -> str:
    """Choose between a name and a title: the name, unless the title says more.

    ``squad_em`` and ``SQuAD EM`` say the same, and the name is also that of files.
    """
    plain = name.replace("_", " ").casefold()
    return name if title.casefold() in ("", plain) else title


def named(name: str, title: str) -> str:
    """Name a task of the configuration, with its title where that says more."""
    return name if told(name, title) == name else f"{name} ({title})"


def first_of_items(task: str, metrics: Mapping[str, Metric]) -> str:
    """Return the first metric of which each item has a number.

    Args:
        task: name of the task.
        metrics: its ``METRICS``.

    Raises:
        DataError: all are of all items together.
    """
    for name, metric in metrics.items():
        if metric.kind not in OF_ALL:
            return name
    kinds = ", ".join(f"{name} ({metric.kind})" for name, metric in metrics.items())
    raise DataError(
        f"task {task}: no metric of single items to compare by; has {kinds}; needed "
        "one of kind binary, score or real"
    )


def of_table(table: pd.DataFrame) -> dict[str, Shown]:
    """Read the metrics of a table by name, in their order; the primary one is first.

    Args:
        table: with ``metric`` and :data:`COLUMNS`, made or read back from a file.
    """
    first = table.drop_duplicates("metric").to_dict("records")
    return {str(row["metric"]): Shown.read(row) for row in first}


def task_title(table: pd.DataFrame) -> str:
    """Return the title of the task of a table; empty if it has none."""
    return _text(table["task_title"].iloc[0]) if len(table) else ""


def _text(cell: Any) -> str:
    return "" if pd.isna(cell) else str(cell)


def grouped(metrics: Mapping[str, Shown]) -> list[tuple[Shown, ...]]:
    """Group metrics that share a cell, as in the paper's Table 5.

    Args:
        metrics: by name, the primary one first.
    """
    groups: dict[str, list[Shown]] = {}
    for name, one in metrics.items():
        # Groups and names of metrics are told apart by a sign that no name has.
        groups.setdefault(one.metric_group or f"\0{name}", []).append(one)
    return [tuple(group) for group in groups.values()]


def group_title(group: Sequence[Shown]) -> str:
    """Name a group: ``accuracy``, ``EM (F1)``, ``SQuAD EM (F1)``."""
    first, *others = (one.metric_title or one.name for one in group)
    return first + "".join(f" ({_rest(first, title)})" for title in others)


def _rest(first: str, title: str) -> str:
    """Leave out the words with which both titles begin."""
    start, words = first.split(), title.split()
    same = 0
    while same < len(words) - 1 and words[same : same + 1] == start[same : same + 1]:
        same += 1
    return " ".join(words[same:])


def group_unit(group: Sequence[Shown]) -> str:
    """Name the units of a group, after a comma."""
    return "".join(dict.fromkeys(one.in_unit for one in group))


def group_about(group: Sequence[Shown]) -> str:
    """Say what the metrics of a group are: ``exact match and, in parentheses, F1``."""
    return " and, in parentheses, ".join(
        one.metric_about or one.metric_title for one in group
    )


def terms(kinds: Iterable[str]) -> list[tuple[str, str]]:
    """Explain the metrics of tasks in the tasks' own words.

    Args:
        kinds: of the tasks; those without notes explain nothing.

    Returns:
        The titles of the primary group, and what the task says.
    """
    found = []
    for task in map(tasks.load, dict.fromkeys(kinds)):
        shown = {name: Shown.of(name, metric) for name, metric in task.METRICS.items()}
        titles = ", ".join(one.metric_title for one in grouped(shown)[0])
        if task.NOTES:
            found.append((titles, f"{task.TITLE}: {' '.join(task.NOTES)}"))
    return found
