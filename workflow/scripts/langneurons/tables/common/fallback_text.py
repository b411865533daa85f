"""The table of languages that are switched off, laid out for reading, step by step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from langneurons.config.names import together

from .amplification_text import named
from .document import (
    Bullets,
    Cell,
    Document,
    Grid,
    Heading,
    Paragraph,
    Part,
    Sign,
    grid,
)
from .metrics import as_float
from .signs import LEFT_OUT, has_parentheses
from .words import ABSENT, NOTHING, RANDOM

ENOUGH = 0.05
"""A language is shown if it has so much of the answers in some step."""
REST = "rest"
LARGEST = "largest"
CELLS = Sign(
    "Cells",
    "share of the answers' words in the column's language, in percent",
    lambda title, _: title not in (LARGEST, "prompts", "neurons"),
    "; *other*: a language whose share is not kept; *none*: no language is found; "
    "*rest*: languages with less than 5 % in every row",
)
CONTROL = Sign(
    "(in parentheses)",
    "the same under random neurons, mean of draws",
    lambda title, cell: title != LARGEST and has_parentheses(title, cell),
    ": as many of each language, but more together where languages share neurons "
    "(`n_neurons`)",
)
MOST = Sign(
    f"*{LARGEST}*",
    "the language that most of the answers is in, and in how many resamples of the "
    "prompts it is that",
    lambda title, _: title == LARGEST,
)
SIGNS = (CELLS, CONTROL, MOST)
LEGEND = (
    "- Rows: language of the prompts (*all*: mean over them), and languages whose "
    "neurons are\n  overwritten together.",
    *(sign.bullet for sign in SIGNS),
    LEFT_OUT,
    "- The `.tsv` file beside this one has intervals, the change against nothing and "
    "the difference to\n  random neurons, each with its interval.",
)


def layout(table: pd.DataFrame) -> Document:
    """Lay out every way to switch off.

    Args:
        table: from ``fallback_table``, or read back.
    """
    parts: list[Part] = [
        Paragraph("Open answers while languages are switched off one after another.")
    ]
    several = table["experiment"].nunique() > 1
    is_random = table["method"] == RANDOM
    keys = ["experiment", "model", "task", "method", "langset", "matched", "statistic"]
    for values, part in table[~is_random].groupby(keys, sort=False):
        experiment, model, task, method, langset, _, statistic = map(str, values)
        front = f"{experiment}, " if several else ""
        name = named(part.iloc[0].to_dict())
        parts.append(Heading(f"{front}{model}: {task}, {name}"))
        beside = table[
            is_random
            & table["draw"].isna()
            & (table["experiment"] == experiment)
            & (table["model"] == model)
            & (table["task"] == task)
            & (table["langset"] == langset)
            & (table["matched"] == method)
            & (table["statistic"] == statistic)
        ]
        parts.append(_steps(part, beside))
    if len(parts) == 1:
        parts.append(Paragraph("No rows."))
    parts += [Heading("How to read it", folded=True), Bullets.of(*LEGEND)]
    return Document("Languages switched off", tuple(parts))


def _steps(part: pd.DataFrame, beside: pd.DataFrame) -> Grid:
    off = {x for text in part["off"] if text != NOTHING for x in together(text)}
    most = part.groupby("language", sort=False)["share"].max()
    shown = [str(x) for x in most.index if most[x] >= ENOUGH or x in off]
    rest = [str(x) for x in most.index if x not in shown]
    controls = {
        (r["lang"], r["off"], r["language"]): r["share"]
        for r in beside.to_dict("records")
    }
    lines: list[list[Cell | str]] = []
    for (lang, step), rows in part.groupby(["lang", "off"], sort=False):
        own = {str(r["language"]): r for r in rows.to_dict("records")}
        cells = [_cell(own[x], controls.get((lang, step, x))) for x in shown]
        if rest:
            cells.append(Cell(_percent(sum(own[x]["share"] for x in rest))))
        top = max(own.values(), key=lambda row: as_float(row["largest"]))
        found = f"{top['language']} ({100 * top['largest']:.0f} %)"
        size = next(iter(own.values()))["n"]
        neurons = rows.iloc[0]["n_neurons"]
        said = ABSENT if pd.isna(neurons) else f"{neurons:,}"
        lines.append([str(lang), str(step), *cells, found, f"{size:,}", said])
    # Languages of prompts one after another, all together last.
    lines.sort(key=lambda line: [*dict.fromkeys(part["lang"])].index(str(line[0])))
    header = ["prompts in", "switched off", *shown, *([REST] if rest else [])]
    header += [LARGEST, "prompts", "neurons"]
    return grid(header, lines, 2, fold=False, signs=SIGNS)


def _cell(row: Mapping[Any, Any], control: float | None) -> Cell:
    text = _percent(row["share"])
    return Cell(text if control is None else f"{text} ({_percent(control)})")


def _percent(value: Any) -> str:
    return f"{100 * as_float(value):.1f}"
