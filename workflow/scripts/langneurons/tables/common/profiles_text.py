"""The two profiles side by side: a grid a task, cells "paper → consistent"."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from . import metrics as declared
from .document import (
    DRAWN,
    Bullets,
    Cell,
    Document,
    Grid,
    Heading,
    Paragraph,
    Part,
    Sign,
    code,
    count,
    direction,
    grid,
    mark,
    together,
)
from .metrics import Shown
from .signs import EMPTY, HOW_TESTED, MARKS, SIGNIFICANT, is_drawn, is_marked
from .words import ABSENT, LEVEL, NO_INT, NO_NEURONS, RANDOM

NO_PAIRS = "No intervention of this configuration was run under both profiles."
ABOUT = (
    ". `paper`: measured before the activation function, written after it. "
    "`consistent`: both at one place, pooled percentiles"
)
CELLS = Sign(
    "Cells",
    "`paper` → `consistent`, percent unless a unit is named",
    lambda _, cell: "→" in cell.text,
    ABOUT,
)
WITHOUT = Sign(f"*{NO_INT}*", "no intervention", lambda title, _: title == NO_INT)
MARKED = Sign(
    MARKS,
    f"the consistent value is higher or lower on the same items, {SIGNIFICANT}",
    is_marked,
    f" over all pairs here of the same model and metric; {HOW_TESTED}. Random neurons "
    "are not tested",
)
DRAWN_CELLS = Sign(
    "*random*", "as many random neurons in each layer, mean over draws", is_drawn
)
LAST = "- The `.tsv` file beside this one has every draw, interval and p-value."
HEADS = ["model", "neurons", "lang"]
NAMES = ["model", "method", "matched", "langset", "lang"]
PROFILES = ("paper", "consistent")


def layout(table: pd.DataFrame) -> Document:
    """Lay out the comparison of the two profiles.

    Args:
        table: from ``profiles.profile_table``.
    """
    title = "Where statistics are measured and written: paper against consistent"
    if table.empty:
        return Document(title, (Paragraph(NO_PAIRS),))
    parts: list[Part] = []
    short: list[str] = []
    for task, whole in table.groupby("task", sort=False):
        metrics = declared.of_table(whole)
        groups = declared.grouped(metrics)
        called = declared.named(str(task), declared.task_title(whole))
        primary = declared.group_title(groups[0])
        several = len(whole[["tuning", "seed"]].drop_duplicates()) > 1
        parts.append(Heading(f"{called}: {primary}{_unit(groups[0])}"))
        parts.append(Paragraph(f"{count(whole['n'])} items per language."))
        for (tuning, seed), part in whole.groupby(["tuning", "seed"], sort=False):
            if several:
                parts.append(Heading(f"Tuning `{tuning}`, seed {seed}", 3))
            parts.append(_block(part, groups[:1]))
            if groups[1:]:
                parts.append(_block(part, groups[1:], "Other metrics"))
        short += _in_short(str(task), whole, metrics)
    lines = "\n".join(short) or "- Nothing but random neurons was run under both."
    there = [CELLS, WITHOUT, MARKED]
    there += [DRAWN_CELLS] if (table["method"] == RANDOM).any() else []
    there += [EMPTY] if (table["n_neurons"] == 0).any() else []
    legend = [*(sign.bullet for sign in there), LAST]
    parts += [Heading("In short"), Bullets.of(lines)]
    parts += [Heading("How to read it", folded=True), Bullets.of(*legend)]
    return Document(title, tuple(parts))


def _unit(group: Sequence[Shown]) -> str:
    """Name the unit of a group, if it is not percent."""
    return "" if all(m.is_percent for m in group) else declared.group_unit(group)


def _block(
    part: pd.DataFrame, groups: Sequence[Sequence[Shown]], about: str = ""
) -> Grid:
    """Lay out some metrics of one tuning and seed; name the metric if not primary."""
    values = list(dict.fromkeys(part["value_name"]))
    primary = part["metric"].iloc[0] in [metric.name for metric in groups[0]]
    lines = []
    several = part.groupby([*NAMES, "value_name"])["neuron_lang"].nunique().max() > 1
    for (*names, neurons), rows in part.groupby([*NAMES, "neuron_lang"], sort=False):
        model, method, matched, langset, lang = names
        is_random = method == RANDOM
        named = code(f"{matched if is_random else method}.{langset}")
        named = f"random for {named}" if is_random else named
        named += f" of {neurons}" if several else ""
        for group in groups:
            head: list[Cell | str] = [str(model), named, str(lang)]
            head += [] if primary else [declared.group_title(group) + _unit(group)]
            none = rows.drop_duplicates("metric").set_index("metric")["none"]
            cells: list[Cell | str] = [
                together([metric.value(none[metric.name]) for metric in group])
            ]
            cells += [_cell(rows[rows["value_name"] == v], group) for v in values]
            lines.append([*head, *cells])
    heads = HEADS if primary else [*HEADS, "metric"]
    titles = [*heads, NO_INT, *map(code, values)]
    given: dict[str, Any] = {"references": 1, "about": about}
    given["signs"] = [CELLS, WITHOUT, MARKED, DRAWN_CELLS, EMPTY]
    return grid(titles, lines, len(heads), **given)


def _cell(rows: pd.DataFrame, group: Sequence[Shown]) -> Cell:
    if rows.empty:
        return Cell(ABSENT)
    style = DRAWN if (rows["method"] == RANDOM).all() else ""
    if (rows["n_neurons"] == 0).all():
        return Cell(NO_NEURONS, style)
    parts = []
    for metric in group:
        own = rows[rows["metric"] == metric.name]
        values = [metric.value(own[k].mean()) for k in PROFILES]
        text = " → ".join(values)
        if len(own) == 1:
            row = own.iloc[0]
            text += mark(row["p_holm"], row["difference"])
        parts.append(text)
    if style:
        return Cell(together(parts), style)
    first = rows[rows["metric"] == group[0].name].iloc[0]
    paper, consistent = (group[0].change(first[f"{k}_delta"]) for k in PROFILES)
    title = f"changes of {group[0].word}: {paper} and {consistent}"
    return Cell(together(parts), direction(first["p_holm"], first["difference"]), title)


def _in_short(
    task: str, whole: pd.DataFrame, metrics: Mapping[str, Shown]
) -> list[str]:
    """Count the clear differences of each metric, and say how large the others are."""
    lines = []
    tested = whole[(whole["method"] != RANDOM) & whole["difference"].notna()]
    for name, rows in tested.groupby("metric", sort=False):
        metric, change = metrics[str(name)], rows["difference"]
        mean, low, high = map(
            metric.change, (change.mean(), change.min(), change.max())
        )
        clear = rows[rows["p_holm"] < LEVEL]["difference"]
        counted = (
            f"of {len(rows)} pairs the consistent profile is significantly higher in "
            f"{int((clear > 0).sum())} and lower in {int((clear < 0).sum())}"
        )
        if not metric.is_tested:
            counted = f"{len(rows)} pairs, of all items together and not tested"
        lines.append(
            f"- {task}, {metric.metric_title}: {counted}; mean difference "
            f"{mean}{metric.points}, from {low} to {high}."
        )
    return lines
