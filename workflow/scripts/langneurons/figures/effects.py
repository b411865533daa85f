"""Every change of a task's score with its interval, over those by random neurons.

The published tables have neither intervals nor random-neuron controls.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from langneurons.config import names
from langneurons.tables.common import words
from langneurons.tables.common.metrics import COLUMNS, Shown
from langneurons.tables.common.task_columns import is_random_tuning
from langneurons.tables.common.task_layouts import matched
from langneurons.tables.common.task_lines import without_draw

from . import BAND, BLUE, LEVEL, RANDOM, robust_limit, styled
from .panels import (
    Panels,
    add_legend,
    by_row,
    dodge,
    joined,
    lay_out,
    order,
    pooled_if_there,
    with_whose,
)

NEEDED = (
    "model", "method", "langset", "draw", "matched", "tuning", "seed", "lang",
    "statistic", "metric", "value", "against", "delta", "delta_ci_low", "delta_ci_high",
    "p_holm", "n_neurons", "neuron_lang", *COLUMNS,
)  # fmt: skip
KEY = ("model", "method", "langset", "draw", "tuning", "lang", "statistic")


def described(table: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Pick the rows of a metric and say where each belongs.

    Returns:
        The rows with ``control`` (random neurons), ``tuning_of`` (the tuning's name
        for the panel of its language) and ``source``: the method whose neurons are
        touched or matched, and for a tuning without intervention its name.
    """
    rows = table[table["metric"] == metric].copy()
    partners = matched(rows)
    places = list(zip(rows["tuning"], rows["lang"], strict=True))
    short = [_tuning(tuning, lang, partners, "") for tuning, lang in places]
    # Two tunings of one language with the same short name need the language set.
    selected = {
        place: name
        for place, name in zip(places, short, strict=True)
        if not is_random_tuning(place[0])
    }
    if len({(lang, name) for (_, lang), name in selected.items()}) < len(selected):
        short = [_tuning(tuning, lang, partners, ".{}") for tuning, lang in places]
    random = rows["method"] == words.RANDOM
    rows["tuning_of"] = short
    rows["control"] = random | rows["tuning"].map(is_random_tuning).astype(bool)
    source = rows["method"].where(~random, rows["matched"])
    tuned = rows["method"] == words.NOTHING
    return rows.assign(source=source.where(~tuned, rows["tuning_of"]))


def _tuning(
    tuning: str, lang: str, partners: Mapping[str, names.Selection], langset: str
) -> str:
    """Name a tuning so that those of several languages stand in one row.

    ``lape.set6.en+hi`` of Hindi is ``lape.en+own``; that of random neurons is named
    after the neurons that they match.
    """
    parsed = names.TuningName.parse(tuning)
    if parsed.selection is None:
        return tuning
    selection = partners.get(without_draw(tuning), parsed.selection)
    entry = "" if parsed.entry == names.MASKED else f"{parsed.entry}."
    langs = "+".join("own" if x == lang else x for x in parsed.languages)
    middle = langset.format(selection.languages)
    return f"{entry}{selection.method}{middle}.{langs}"


def effects(table: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Pick all changes of a metric from a task's table, and name their rows.

    Args:
        table: the task table; see :data:`NEEDED`.
        metric: name of the metric.

    Returns:
        A row for each change: ``lang``, ``group`` and ``row`` (where it is drawn),
        ``control`` (random neurons), ``delta``, ``ci_low`` and ``ci_high`` (fractions
        where the unit is ``%``), ``p_holm``, ``significant``, and the names of the
        table.
    """
    rows = described(table, metric)
    rows = pooled_if_there(rows[rows["delta"].notna()], KEY)
    tuned = rows["method"] == words.NOTHING
    several = rows.loc[~tuned, "tuning"].nunique() > 1
    places = rows[~tuned].groupby(["model", "source", "lang"])["langset"].nunique()
    apart = bool((places > 1).any())
    sets = rows[~tuned].groupby(["model", "source"])["langset"].agg(joined)
    written = with_whose(rows, "statistic", KEY)

    def group(row: Mapping[Any, Any]) -> str:
        if row["method"] == words.NOTHING:
            return f"{row['model']}: tuning against {row['against']}"
        where = row["langset"] if apart else sets[row["model"], row["source"]]
        end = f", tuning {row['tuning_of']}" if several else ""
        inside = "" if where == words.NOTHING else f" ({where})"
        return f"{row['model']}, {row['source']}{inside}{end}"

    found = rows.assign(
        group=[group(row) for row in rows.to_dict("records")],
        row=written.where(~tuned, rows["source"]),
        significant=rows["p_holm"] < LEVEL,
        ci_low=rows["delta_ci_low"],
        ci_high=rows["delta_ci_high"],
    )
    columns = ["lang", "group", "row", "control", "delta", "ci_low", "ci_high"]
    columns += ["p_holm", "significant", "model", "method", "langset", "matched"]
    columns += ["draw", "tuning", "seed", "statistic", "n_neurons"]
    return found[columns].reset_index(drop=True)


@styled
def draw_forest(data: pd.DataFrame, metric: Shown, title: str) -> Figure:
    """Draw the changes with their 95 % intervals, over those by random neurons.

    Args:
        data: from :func:`effects`, with at least one row.
        metric: whose changes they are.
        title: name of the table.
    """
    limit, scale = _limit(data, metric), metric.scale
    # All groups of a model stand together.
    by_model = data.sort_values("model", kind="stable", key=order)
    panels = lay_out(
        by_model.sort_values("lang", kind="stable", key=order),
        title,
        limit,
        metric.decimals,
    )
    for (lang, group, row), part in by_row(data):
        axes, spot = panels.axes[lang], panels.spots[group, row]
        drawn = scale * part.loc[part["control"], "delta"]
        if len(drawn):
            low, high = (np.clip(x, -limit, limit) for x in (drawn.min(), drawn.max()))
            axes.barh(spot, high - low, 0.8, low, color=BAND, zorder=1.2)
            for side in (-1, 1):
                if (drawn * side > limit).any():
                    panels.arrow(axes, side, spot, RANDOM, RANDOM)
            inside = drawn[drawn.abs() <= limit]
            ticks: dict[str, Any] = dict(color=RANDOM, ms=7, mew=1.0, zorder=1.3)
            axes.plot(inside, [spot] * len(inside), "|", **ticks)
        own = part[~part["control"]]
        for shift, (_, one) in zip(dodge(len(own)), own.iterrows(), strict=True):
            _estimate(panels, lang, spot + shift, one, scale)
    axis = f"change of {metric.word}{metric.steps}"
    add_legend(panels.figure, axis, _legend(data))
    return panels.figure


def _limit(data: pd.DataFrame, metric: Shown) -> float:
    """Choose the scale, in the metric's unit, by intervals and by random neurons."""
    own, drawn = data[~data["control"]], data[data["control"]]
    ends = [own[end].fillna(own["delta"]) for end in ("ci_low", "ci_high")]
    # Random draws may be many; they may widen the scale, but not narrow it.
    with_drawn = [*ends, drawn["delta"]]
    found = [robust_limit(metric.scale * pd.concat(x)) for x in (ends, with_drawn)]
    return max(found) if len(own) else found[1]


def _estimate(
    panels: Panels, lang: str, spot: float, one: pd.Series, scale: float
) -> None:
    axes = panels.axes[lang]
    value, low, high = (scale * float(one[k]) for k in ("delta", "ci_low", "ci_high"))
    face = BLUE if one["significant"] else "white"
    if panels.number_if_beyond(axes, value, spot, BLUE, face):
        return
    ends = np.clip([low, high], -panels.limit * 1.1, panels.limit * 1.1)
    axes.plot(ends, [spot, spot], "-", color=BLUE, lw=0.9, zorder=2)
    for side, end in ((-1, low), (1, high)):
        if end * side > panels.limit * 1.1:
            panels.arrow(axes, side, spot, BLUE, BLUE)
    axes.plot([value], [spot], "o", color=BLUE, mfc=face, ms=3.4, mew=0.9, zorder=3)


def _legend(data: pd.DataFrame) -> list[Any]:
    style: dict[str, Any] = dict(color=BLUE, ms=3.4, mew=0.9, lw=0.9)
    # A metric of all items together has no intervals.
    known = data.loc[~data["control"], "ci_low"].notna().any()
    label = "change, 95 % interval" if known else "change"
    own = style if known else style | {"ls": ""}
    handles: list[Any] = [Line2D([], [], marker="o", mfc="white", label=label, **own)]
    if data["significant"].any():
        label = f"Holm p < {LEVEL}"
        handles.append(Line2D([], [], marker="o", mfc=BLUE, label=label, **style))
    if data["control"].any():
        tick = Line2D([], [], marker="|", color=RANDOM, ls="", label="random, a draw")
        handles += [tick, Patch(color=BAND, label="range of random")]
    return handles
