"""What the table of a task has of bridges: each of them against English."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from . import metrics as declared
from .document import Bullets, Cell, Heading, Part, Sign, direction, grid, mark
from .metrics import Shown
from .signs import HOW_TESTED, MARKS, NOT_RUN, OF_ITEMS, SIGNIFICANT, is_marked
from .words import ABSENT, BRIDGE, NOTHING, VIA_ENGLISH

TITLE = "directly and through bridges"
DIRECT = "direct"
DIRECTLY = Sign(
    f"*{DIRECT}*",
    "from the first language of the pair into the second",
    lambda title, _: title == DIRECT,
)
THROUGH = "- *via de*: the same through a bridge, German. The model is as it is."
MARKED = Sign(
    MARKS,
    f"higher or lower than *{DIRECT}* on the same items, {SIGNIFICANT}",
    is_marked,
    f" over all pairs and bridges of the same model and metric; {HOW_TESTED}",
)
SIGNS = (DIRECTLY, OF_ITEMS, MARKED)
AGAINST = Sign(
    MARKS,
    "higher or lower than through English on the same items, where it is no end of "
    f"the pair, {SIGNIFICANT} over these comparisons",
    is_marked,
)


def via(statistic: str) -> str:
    """Write ``via_de`` as the title of a column: ``via de``."""
    return str(statistic).replace("_", " ", 1)


def legend() -> list[str]:
    """Say how a table of bridges is to be read, for ``Bullets.of``."""
    return [DIRECTLY.bullet, OF_ITEMS.bullet, THROUGH, MARKED.bullet]


def split(table: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Split a task's table: each evaluation once, and bridges against English."""
    is_second = table["against"] == VIA_ENGLISH
    return table[~is_second], table[is_second]


def is_bridged(table: pd.DataFrame) -> bool:
    """Tell whether nothing but bridges is set against the direct way."""
    return bool((table["method"].isin((BRIDGE, NOTHING))).all()) and bool(
        (table["method"] == BRIDGE).any()
    )


def against_english(rows: pd.DataFrame) -> list[Part]:
    """Lay out how other bridges differ from English; nothing where none does.

    Args:
        rows: of a task's table, against ``via_en``.
    """
    if rows.empty:
        return []
    parts: list[Part] = []
    several = rows["experiment"].nunique() > 1
    for name, part in rows.groupby("experiment", sort=False):
        front = f"`{name}`: " if several else ""
        first = next(iter(declared.of_table(part).values()))
        parts.append(Heading(f"{front}Against English as the bridge{first.steps}"))
        own = part[part["metric"] == first.name]
        bridges = list(dict.fromkeys(own["statistic"]))
        lines: list[list[Cell | str]] = []
        for (model, pair), found in own.groupby(["model", "lang"], sort=False):
            cells = {row["statistic"]: row for row in found.to_dict("records")}
            spots = [_cell(cells.get(bridge), first) for bridge in bridges]
            lines.append([str(model), str(pair), *spots])
        titles = ["model", "pair", *map(via, bridges)]
        parts.append(grid(titles, lines, 2, signs=[AGAINST, NOT_RUN]))
    said = "- Cells: through each other language minus through English."
    return [*parts, Bullets.of(said, AGAINST.bullet)]


def _cell(row: Mapping[Any, Any] | None, metric: Shown) -> Cell:
    if row is None:
        return Cell(ABSENT)
    text = metric.change(row["delta"])
    if math.isnan(row["p_holm"]):
        return Cell(text)
    low, high = metric.change(row["delta_ci_low"]), metric.change(row["delta_ci_high"])
    style = direction(row["p_holm"], row["delta"])
    title = f"[{low}, {high}], Holm p {row['p_holm']:.2g}"
    return Cell(text + mark(row["p_holm"], row["delta"]), style, title)
