"""Task tables in short: the largest effects, how many are clear, controls, power."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from langneurons.config.names import BASE, NO_TREATMENT

from . import bridged_text
from . import metrics as declared
from .metrics import Shown
from .task_columns import is_control, is_marked
from .words import (
    ATTENTION,
    BRIDGE,
    LEVEL,
    NOTHING,
    WITHOUT_NEURONS,
    neurons,
)


def in_short(shown: pd.DataFrame) -> str:
    """Sum up a table: strongest and weakest effects, clear ones, controls, power.

    Args:
        shown: rows of a task table, each result once.
    """
    is_random = shown.apply(is_control, axis=1)
    marked = is_marked(shown)
    metrics = declared.of_table(shown)
    primary = next(iter(metrics.values()))
    lines: list[str] = []
    for against in (NO_TREATMENT, ATTENTION, BASE):
        what = "intervention" if against == NO_TREATMENT else "tuning"
        what = BRIDGE if bridged_text.is_bridged(shown) else what
        rows = shown[shown["against"] == against]
        tested = rows[marked[rows.index]]
        lines += _effects(tested, what, metrics)
        lines += _controls(rows[is_random[rows.index]], what, primary)
    compared = shown[(shown["against"] != NOTHING) & marked]
    found = compared[compared["metric"] == primary.name]["detectable"]
    if found.notna().any():
        low, middle, high = map(
            primary.value, (found.min(), found.median(), found.max())
        )
        lines.append(
            f"- Smallest difference in {primary.metric_title} that a test could have "
            "found (80 % power, before Holm's correction): "
            f"{low} to {high}{primary.points}, median {middle}."
        )
    return "\n".join(lines) or "- The table compares nothing."


def _effects(
    tested: pd.DataFrame, what: str, metrics: Mapping[str, Shown]
) -> list[str]:
    if tested.empty:
        return []
    first = next(iter(metrics.values()))
    primary = tested[tested["metric"] == first.name]
    order = primary.sort_values("delta", key=abs, kind="stable", ascending=False)
    against = f" against `{order['against'].iloc[0]}`" if what == "tuning" else ""
    lines = [
        f"- Strongest {what}{against}: {_one_line(order.iloc[0], first)}",
        f"- Weakest {what}{against}: {_one_line(order.iloc[-1], first)}",
    ]
    for name, metric in metrics.items():
        rows = tested[tested["metric"] == name]
        change = f"{metric.change(rows['delta'].mean())}{metric.points}"
        if not metric.is_tested:
            lines.append(
                f"- The mean change of {metric.metric_title} by {len(rows)} {what}s is "
                f"{change}; it is of all items together and not tested."
            )
            continue
        clear = rows[rows["p_holm"] < LEVEL]["delta"]
        lines.append(
            f"- Of {len(rows)} {what}s {int((clear > 0).sum())} raise and "
            f"{int((clear < 0).sum())} lower {metric.metric_title} significantly; "
            f"the mean change is {change}."
        )
    return lines


def _one_line(row: Any, metric: Shown) -> str:
    low, high = metric.change(row["delta_ci_low"]), metric.change(row["delta_ci_high"])
    what = str(row["tuning"])
    if row["statistic"] != NO_TREATMENT:
        prefix = {ATTENTION: "", BASE: "not fine-tuned, "}.get(what, f"tuned {what}, ")
        of, value = neurons(row["method"], row["langset"]), row["statistic"]
        what = f"{prefix}{of if of == value else f'{of}.{value}'}"
    if row["method"] == BRIDGE:
        what = row["statistic"]
    number = ""
    counted = row["method"] not in WITHOUT_NEURONS and not pd.isna(row["n_neurons"])
    if row["against"] == NO_TREATMENT and counted:
        number = f" ({row['n_neurons']:,} neurons)"
    tested = f" [{low}, {high}], Holm p = {row['p_holm']:.2g}"
    return (
        f"{row['model']} {what} on {row['lang']}, {metric.change(row['delta'])}"
        f"{metric.points}{tested if metric.is_tested else ''}{number}"
    )


def _controls(rows: pd.DataFrame, what: str, metric: Shown) -> list[str]:
    """Sum up random neurons: overwritten, or tuned."""
    if rows.empty:
        return []
    primary = rows[rows["metric"] == metric.name]["delta"]
    low, high = metric.change(primary.min()), metric.change(primary.max())
    name = "Random neurons" if what == "intervention" else "Tuning of random neurons"
    return [
        f"- {name}: mean change {metric.change(primary.mean())}{metric.points} over "
        f"{len(primary)} results, from {low} to {high}."
    ]
