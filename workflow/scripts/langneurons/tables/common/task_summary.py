"""Task tables in short: the largest effects, how many are clear, controls, power."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from langneurons.config.names import BASE, NO_TREATMENT

from . import bridged_text
from . import metrics as declared
from .metrics import Shown
from .task_columns import is_control, is_marked, is_mean
from .words import (
    ATTENTION,
    BRIDGE,
    LEVEL,
    NOTHING,
    RANDOM,
    WITHOUT_NEURONS,
    neurons,
)

SAME = (
    "model", "tuning", "lang", "neuron_lang", "langset", "statistic", "metric",
    "against",
)  # fmt: skip
"""What an intervention has in common with the random neurons beside it."""


def in_short(shown: pd.DataFrame) -> str:
    """Sum up a table: strongest and weakest effects, clear ones, controls, power.

    Args:
        shown: rows of a task table, each result once.
    """
    over_languages = shown["lang"].map(is_mean).astype(bool)
    drawn = shown[shown["method"] == RANDOM]
    means, shown = shown[over_languages & is_marked(shown)], shown[~over_languages]
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
        lines += _effects(tested, what, metrics, drawn)
        lines += _means(means[means["against"] == against], what, primary, drawn)
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
    tested: pd.DataFrame, what: str, metrics: Mapping[str, Shown], drawn: pd.DataFrame
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
        lines.append(
            f"- Of {len(rows)} {what}s {_clear(rows, metric, drawn)}; the mean change "
            f"is {change}."
        )
    return lines


def _means(
    tested: pd.DataFrame, what: str, metric: Shown, drawn: pd.DataFrame
) -> list[str]:
    """Say how many means over languages are clear, by the first metric."""
    rows = tested[tested["metric"] == metric.name]
    if rows.empty or not metric.is_tested:
        return []
    number = f"{len(rows)} means of {what}s over languages"
    return [f"- Of {number} {_clear(rows, metric, drawn)}."]


def _clear(rows: pd.DataFrame, metric: Shown, drawn: pd.DataFrame) -> str:
    """Count what is significant, and what of that random neurons do as well."""
    clear = rows[rows["p_holm"] < LEVEL]
    said = (
        f"{int((clear['delta'] > 0).sum())} raise and "
        f"{int((clear['delta'] < 0).sum())} lower {metric.metric_title} significantly"
    )
    if clear.empty or drawn.empty:
        return said
    each = ((row["delta"], _drawn_for(row, drawn)) for _, row in clear.iterrows())
    beside = [(change, random) for change, random in each if not random.empty]
    if not beside:
        return f"{said} (random neurons were run for none of these)"
    alike = sum(_is_as_large(change, random) for change, random in beside)
    return (
        f"{said} (random neurons were run for {len(beside)} of these; for {alike} at "
        "least one draw of them changes as much)"
    )


def _drawn_for(row: Any, drawn: pd.DataFrame) -> pd.Series:
    """Return the changes by the random neurons that stand beside an intervention."""
    same = drawn[drawn["matched"] == row["method"]]
    for name in SAME:
        same = same[same[name] == row[name]]
    # What is pooled over seeds may have controls of one seed.
    of_seed = same[same["seed"] == row["seed"]]
    return (same if of_seed.empty else of_seed)["delta"]


def _is_as_large(change: float, random: pd.Series) -> bool:
    """Tell whether any random change is as large, the same way."""
    return bool(((random <= change) if change < 0 else (random >= change)).any())


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
