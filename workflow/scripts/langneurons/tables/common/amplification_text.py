"""The table of amplification laid out for reading, model by model."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from langneurons.stats.steering import (
    DELTA_B,
    DELTA_T,
    LSS,
    LSS_PLUS,
    MEASURES,
)

from .amplification_legend import COMPARED, LEGEND, SHOWN, SIGNS
from .amplification_numbers import ALL, NONE, PERPLEXITY, RUNNER_UP, SECOND
from .document import (
    DRAWN,
    Bullets,
    Cell,
    Document,
    Grid,
    Heading,
    Paragraph,
    Part,
    code,
    direction,
    grid,
    mark,
    number,
)
from .metrics import PERCENT, as_float
from .ways import CONTROLS, OTHER, OWN
from .words import ABSENT, DIFFMEAN, NOTHING, PROMPT, RANDOM

INTRODUCTION = """\
Means over all ordered pairs of languages (base b of the prompts, target t), with 95 %
intervals over items, each resampled with all its pairs."""


def layout(table: pd.DataFrame) -> Document:
    """Lay out every model's ways to steer.

    Args:
        table: from ``amplification_table``, or read back.
    """
    parts: list[Part] = [Paragraph(INTRODUCTION)]
    several = table["experiment"].nunique() > 1
    for (experiment, model), part in table.groupby(["experiment", "model"], sort=False):
        front = f"{experiment}, " if several else ""
        of_facts = part[part["metric"].isin(MEASURES)]
        for task, own in of_facts.groupby("task", sort=False):
            parts.append(Heading(f"{front}{model}: facts of {task}, all of them"))
            parts.append(_means(own))
            compared = _compared(own)
            if compared is not None:
                title = f"{front}{model}: {task}, second half, against the controls"
                parts += [Heading(title), compared]
            best = _best(own)
            if best is not None:
                title = f"{front}{model}: {task}, best factor by the first half"
                parts += [Heading(title), best]
        costs = _changes(part)
        if costs is not None:
            parts += [Heading(f"{front}{model}: other tasks and text"), costs]
    if table.empty:
        parts.append(Paragraph("No rows."))
    parts += [Heading("How to read it", folded=True), Bullets.of(*LEGEND)]
    return Document("Amplification and its controls", tuple(parts))


def written(value: Any, unit: str, signed: bool = False) -> str:
    """Write a number: percent with one digit, anything else with two."""
    scale, digits = (100, 1) if unit == PERCENT else (1, 2)
    return number(scale * as_float(value), f"{'+' if signed else ''}.{digits}f")


def between(low: Any, high: Any, unit: str, signed: bool = False) -> str:
    """Write an interval in brackets; nothing where there is none."""
    if math.isnan(as_float(low)) or math.isnan(as_float(high)):
        return ""
    return f" [{written(low, unit, signed)}, {written(high, unit, signed)}]"


def named(row: Mapping[Any, Any]) -> str:
    """Name a way: ``lape.set1.p_max``, ``random for lape.set1.p_max``, ``prompt``.

    What the configuration names stands in backquotes.
    """
    method, end = str(row["method"]), f".{row['langset']}.{row['statistic']}"
    if method == RANDOM:
        return f"random for {code(row['matched'] + end)}"
    if method == PROMPT:
        return PROMPT
    if method == DIFFMEAN:
        return f"{DIFFMEAN} {code(row['statistic'])}"
    return code(method + end)


def lines_of(part: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame, pd.DataFrame]]:
    """Yield each way's name and rows, and the draws of a random one.

    Of DiffMean's settings only the chosen one; all where none was chosen.
    """
    keys = ["method", "langset", "matched", "statistic"]
    chosen = part[(part["method"] == DIFFMEAN) & (part["rank"] == 1)]
    is_left = (part["method"] == DIFFMEAN) & (part["rank"] != 1).fillna(True)
    shown = part[~is_left.astype(bool)] if len(chosen) else part
    for _, rows in shown.groupby(keys, sort=False):
        drawn = rows[rows["draw"].notna()]
        rest = rows[rows["draw"].isna()]
        yield named(rows.iloc[0].to_dict()), rest, drawn


def _only(rows: pd.DataFrame, **wanted: str) -> pd.DataFrame:
    """Keep the rows with these values."""
    keep = pd.Series(True, rows.index)
    for column, value in wanted.items():
        keep &= rows[column] == value
    return rows[keep]


def _value(rows: pd.DataFrame) -> Mapping[Any, Any] | None:
    """Return the row of a mean itself."""
    own = rows[rows["against"].isin((NOTHING, NONE))]
    return None if own.empty else own.iloc[0].to_dict()


def _cell(rows: pd.DataFrame, drawn: pd.DataFrame, signed: bool) -> Cell:
    """Write a mean with its interval; of random neurons with the range of draws."""
    row = _value(rows)
    if row is None:
        return Cell(ABSENT)
    low, high = row["ci_low"], row["ci_high"]
    style = ""
    if len(drawn):
        low, high, style = drawn["value"].min(), drawn["value"].max(), DRAWN
    unit = str(row["unit"])
    text = written(row["value"], unit, signed)
    if row["against"] == NONE and row["metric"] in (OWN, OTHER):
        text += mark(row["p_holm"], row["value"])
        style = direction(row["p_holm"], row["value"])
    text += between(low, high, unit, signed)
    if not math.isnan(as_float(row["published"])):
        text += f" (pilot {written(row['published'], unit)})"
    return Cell(text, style)


def _means(part: pd.DataFrame) -> Grid:
    lines: list[list[Cell | str]] = []
    whole = _only(part, facts=ALL)
    for name, rows, drawn in lines_of(whole):
        cells = [
            _cell(
                _only(rows, metric=m), _only(drawn, metric=m), m in (DELTA_T, DELTA_B)
            )
            for m in SHOWN
        ]
        values = rows.loc[rows["metric"] == LSS, ["n", "cells"]]
        sizes = [f"{x:,}" for x in values.iloc[0]] if len(values) else [ABSENT] * 2
        lines.append([name, *cells, *sizes])
    titles = ["way", *SHOWN.values(), "facts", "pairs"]
    return grid(titles, lines, 1, fold=False, signs=SIGNS)


def _compared(part: pd.DataFrame) -> Grid | None:
    """Lay out the differences against the controls."""
    part = _only(part, facts=SECOND)
    there = [name for name in CONTROLS if (part["against"] == name).any()]
    lines: list[list[Cell | str]] = []
    for name, rows, _ in lines_of(part[~part["method"].isin(CONTROLS)]):
        for metric in (LSS, LSS_PLUS, DELTA_T):
            own = _only(rows, metric=metric)
            cells = [_difference(_only(own, against=other)) for other in there]
            mean = _cell(own, own.iloc[:0], metric == DELTA_T)
            lines.append([name, SHOWN[metric], mean, *cells])
    if not lines or not there:
        return None
    titles = [f"minus {name}" for name in there]
    titles = ["way", "measure", "mean", *titles]
    return grid(titles, lines, 2, fold=False, references=1, signs=COMPARED)


def _difference(rows: pd.DataFrame) -> Cell:
    if rows.empty or math.isnan(rows.iloc[0]["delta"]):
        return Cell(ABSENT)
    row = rows.iloc[0].to_dict()
    unit, ends = str(row["unit"]), (row["delta_ci_low"], row["delta_ci_high"])
    text = written(row["delta"], unit, True) + mark(row["p_holm"], row["delta"])
    title = f"Holm p {row['p_holm']:.2g}" if not math.isnan(row["p_holm"]) else ""
    text += between(*ends, unit, True)
    return Cell(text, direction(row["p_holm"], row["delta"]), title)


def _best(part: pd.DataFrame) -> Grid | None:
    """Say which factor is the best, by how much, and what LSS+ would have chosen."""
    ranked = part[part["rank"].notna() & (part["facts"] == SECOND)]
    lines: list[list[Cell | str]] = []
    for (method, langset), rows in ranked.groupby(["method", "langset"], sort=False):
        if rows["statistic"].nunique() < 2:
            continue
        first, second = (_factor(rows, "rank", place) for place in (1, 2))
        own = rows[rows["statistic"] == first]
        shown = [
            _cell(_only(own, metric=m), own.iloc[:0], False) for m in (LSS, LSS_PLUS)
        ]
        against = _difference(_only(own, metric=LSS, against=RUNNER_UP))
        name = str(method) if langset == NOTHING else code(f"{method}.{langset}")
        plus = _factor(rows, "rank_plus", 1)
        lines.append([name, code(first), *shown, code(second), against, code(plus)])
    if not lines:
        return None
    header = ["neurons", "best factor", "LSS, % (second half)", "LSS+, %"]
    header += ["runner-up", "LSS minus runner-up", "best by LSS+"]
    return grid(header, lines, 1, fold=False, signs=SIGNS)


def _factor(rows: pd.DataFrame, column: str, place: int) -> str:
    found = rows.loc[rows[column] == place, "statistic"]
    return str(found.iloc[0]) if len(found) else ABSENT


def _changes(part: pd.DataFrame) -> Grid | None:
    """Lay out what is changed of other tasks, and of text."""
    own = part[part["metric"].isin((OWN, OTHER))]
    tasks: Sequence[str] = list(dict.fromkeys(own["task"]))
    if not tasks:
        return None
    units = dict(zip(own["task"], own["unit"], strict=True))
    titles = [
        f"{'text' if task == PERPLEXITY else task} {metric}, "
        f"{'points' if units[task] == PERCENT else units[task]}"
        for task in tasks
        for metric in (OWN, OTHER)
    ]
    lines: list[list[Cell | str]] = []
    for name, rows, drawn in lines_of(own):
        spots = [{"task": t, "metric": m} for t in tasks for m in (OWN, OTHER)]
        cells = [_cell(_only(rows, **at), _only(drawn, **at), True) for at in spots]
        lines.append([name, *cells])
    return grid(["way", *titles], lines, 1, fold=False, signs=SIGNS)
