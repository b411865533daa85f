"""Numbers as text, and tables as rows of cells that the page's template lays out."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import pandas as pd

from langneurons import tables
from langneurons.tables.metrics import PERCENT, Shown

from .effects import LEVEL

ABSENT = "–"
UP, DOWN = "▲", "▼"


class Cell(NamedTuple):
    """A cell: its text, and its classes in the page's style sheet (up, down, own)."""

    text: str
    style: str = ""


@dataclass(frozen=True)
class Grid:
    """A table ready to be laid out.

    Attributes:
        columns: titles.
        numeric: whether each column is aligned to the right.
        rows: cells, as many a row as there are titles.
        same: (title, value) of columns that were left out because all rows agree.
        title: of the grid, or "".
    """

    columns: tuple[str, ...]
    numeric: tuple[bool, ...]
    rows: tuple[tuple[Cell, ...], ...]
    same: tuple[tuple[str, str], ...] = ()
    title: str = ""

    @property
    def starts(self) -> frozenset[int]:
        """Rows that begin a block: the first column changes, if that is seldom."""
        if self.numeric[:1] != (False,):
            return frozenset()
        first = [row[0].text for row in self.rows]
        found = [i for i in range(1, len(first)) if first[i] != first[i - 1]]
        return frozenset(found if len(found) <= len(first) / 4 else ())


def grid(
    columns: Sequence[str],
    rows: Sequence[Sequence[Cell | str]],
    names: int,
    title: str = "",
    fold: bool = True,
) -> Grid:
    """Make a grid whose first ``names`` columns are text, the others numbers.

    Text columns in which all rows agree are lifted out (``fold``), as long as two rows
    are told apart by what is left.
    """
    cells = [tuple(c if isinstance(c, Cell) else Cell(c) for c in r) for r in rows]
    kept = list(range(len(columns)))
    same = []
    if fold and len(cells) > 1:
        for i in range(names):
            values = {row[i].text for row in cells}
            if len(values) == 1:
                kept.remove(i)
                same.append((columns[i], values.pop()))
    return Grid(
        columns=tuple(columns[i] for i in kept),
        numeric=tuple(i >= names for i in kept),
        rows=tuple(tuple(row[i] for i in kept) for row in cells),
        same=tuple((k, v) for k, v in same if v not in ("", ABSENT)),
        title=title,
    )


def _number(form: str, scale: float = 1) -> Callable[[Any], str]:
    def text(value: Any) -> str:
        number = math.nan if value is None or value is pd.NA else float(value)
        return ABSENT if math.isnan(number) else format(scale * number, form)

    return text


percent = _number(".1f", 100)
"""A fraction in percent."""
probability = _number(".2g")
count = _number(",.0f")
hours = _number(",.2f")
nats = _number("+.3f")
plain = _number(".3f")
perplexity = _number(",.2f")
value4 = _number(".4f")


def limits(low: float, high: float, form: Callable[[Any], str]) -> str:
    """An interval in brackets; nothing where there is none."""
    if math.isnan(low) or math.isnan(high):
        return ""
    return f" [{form(low)}, {form(high)}]"


def mark(delta: float, p_holm: float) -> Cell:
    """The sign of a significant difference, or an empty cell."""
    if not p_holm < LEVEL or delta == 0:
        return Cell("")
    return Cell(f" {UP}", "up") if delta > 0 else Cell(f" {DOWN}", "down")


def quantity(value: float, unit: str) -> str:
    """A number of the reproduction table: percent, a count, or as it is."""
    if math.isnan(value):
        return ABSENT
    if unit == PERCENT:
        return percent(value)
    return count(value) if value == round(value) else value4(value)


def neurons(row: Any) -> str:
    """Name whose neurons a row is about: ``lape.set1``, ``random for lape.set1 #2``."""
    method, langset = str(row["method"]), str(row["langset"])
    if method in ("", tables.NOTHING):
        return tables.NOTHING
    number = row.get("draw", math.nan)
    drawn = "" if pd.isna(number) else f" #{int(number)}"
    if method == tables.RANDOM:
        return f"random for {row['matched']}.{langset}{drawn}"
    return f"{method}.{langset}{drawn}"


def every_row(kind: str, frame: pd.DataFrame) -> Grid:
    """Lay out every row of a table, intervals beside their values."""
    if kind in ("task", "finetune", "random"):
        return _of_metrics(TASK_TITLES, frame, _task_row)
    if kind == "perplexity":
        rows = [_perplexity_row(r) for _, r in frame.iterrows()]
        return grid(PERPLEXITY_TITLES, rows, 5)
    if kind == "profiles":
        return _of_metrics(PROFILE_TITLES, frame, _profile_row)
    if kind == "reproduction":
        texts = [c for c in REPRODUCTION_TEXTS if c in frame]
        rows = [_reproduction_row(r, texts) for _, r in frame.iterrows()]
        return grid([*texts, *REPRODUCTION_NUMBERS], rows, len(texts))
    return _plain(frame)


def _of_metrics(
    titles: Sequence[str],
    frame: pd.DataFrame,
    lay_out: Callable[[Any, Shown], list[Cell | str]],
) -> Grid:
    """Lay out rows of metrics; the metric's cell names its unit if not all are percent.

    Args:
        titles: of the columns, ``metric`` among them; some end in `` %``.
        frame: the rows.
        lay_out: writes a row of a metric.
    """
    read = [(row, Shown.read(row)) for _, row in frame.iterrows()]
    lines = [lay_out(row, metric) for row, metric in read]
    if not all(metric.is_percent for _, metric in read):
        spot = titles.index("metric")
        titles = [title.removesuffix(" %") for title in titles]
        for line, (_, metric) in zip(lines, read, strict=True):
            line[spot] = metric.word + metric.in_unit
    return grid(titles, lines, 8)


TASK_TITLES = (
    "model", "neurons", "tuning", "seed", "lang", "statistic", "metric", "against",
    "items", "value %", "95 %", "change", "95 %", "Holm p", "detectable", "neurons",
    "published %",
)  # fmt: skip


def _task_row(row: Any, metric: Shown) -> list[Cell | str]:
    sign = mark(row["delta"], row["p_holm"])
    return [
        *(row["model"], neurons(row), row["tuning"], row["seed"], row["lang"]),
        *(row["statistic"], metric.word, row["against"], count(row["n"])),
        Cell(metric.value(row["value"]) + sign.text, sign.style),
        limits(row["ci_low"], row["ci_high"], metric.value).strip(),
        metric.change(row["delta"]),
        limits(row["delta_ci_low"], row["delta_ci_high"], metric.change).strip(),
        *(probability(row["p_holm"]), metric.value(row["detectable"])),
        *(count(row["n_neurons"]), metric.value(row["published"])),
    ]


PERPLEXITY_TITLES = (
    "model", "neurons", "neurons of", "text", "statistic", "nats per token",
    "perplexity", "change of nats", "± s.e.", "change of perplexity", "neurons",
)  # fmt: skip


def _perplexity_row(row: Any) -> list[Cell | str]:
    own = "own" if row["neuron_lang"] == row["lang"] else ""
    return [
        *(row["model"], neurons(row), row["neuron_lang"], row["lang"]),
        *(row["statistic"], plain(row["nll"]), perplexity(row["perplexity"])),
        *(Cell(nats(row["delta_nll"]), own), plain(row.get("delta_se", math.nan))),
        *(nats(row.get("delta_perplexity", math.nan)), count(row["n_neurons"])),
    ]


PROFILE_TITLES = (
    "task", "model", "neurons", "tuning", "seed", "lang", "value", "metric", "items",
    "No Int %", "paper's sites %", "change", "equal sites %", "change",
    "equal - paper's", "95 %", "Holm p",
)  # fmt: skip


def _profile_row(row: Any, metric: Shown) -> list[Cell | str]:
    value, change = metric.value, metric.change
    sign = mark(row["difference"], row["p_holm"])
    return [
        *(row["task"], row["model"], neurons(row), row["tuning"], row["seed"]),
        *(row["lang"], row["value_name"], metric.word, count(row["n"])),
        *(value(row["none"]), value(row["paper"]), change(row["paper_delta"])),
        *(value(row["consistent"]), change(row["consistent_delta"])),
        Cell(change(row["difference"]) + sign.text, sign.style),
        limits(row["diff_ci_low"], row["diff_ci_high"], change).strip(),
        probability(row["p_holm"]),
    ]


REPRODUCTION_TEXTS = (
    "source", "item", "model", "method", "langset", "tuning", "task", "lang",
    "statistic", "metric", "within", "not_compared",
)  # fmt: skip
REPRODUCTION_NUMBERS = ("published", "ours", "difference", "tolerance")


def _reproduction_row(row: Any, texts: Sequence[str]) -> list[Cell | str]:
    style = {"no": "down", "yes": "up"}.get(str(row["within"]), "")
    numbers = [
        quantity(float(row.get(c, math.nan)), str(row["unit"]))
        for c in REPRODUCTION_NUMBERS
    ]
    names = [str(row[c]) or ABSENT for c in texts]
    return [*(Cell(n, style if n in ("yes", "no") else "") for n in names), *numbers]


def _plain(frame: pd.DataFrame) -> Grid:
    """Lay out a table of unknown kind: text first to last, as it is in the file."""
    is_number = [pd.api.types.is_numeric_dtype(frame[c]) for c in frame]
    rows = [
        [
            _plain_cell(value) if number else str(value)
            for value, number in zip(row, is_number, strict=True)
        ]
        for row in frame.itertuples(index=False)
    ]
    cells = tuple(tuple(Cell(text) for text in row) for row in rows)
    return Grid(tuple(map(str, frame.columns)), tuple(is_number), cells)


def _plain_cell(value: Any) -> str:
    number = float(value)
    if math.isnan(number):
        return ABSENT
    return count(number) if number == round(number) else value4(number)
