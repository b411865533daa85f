"""The table of steered open answers laid out for reading, model by model."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pandas as pd

from .amplification_text import between, named, written
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
    bullet,
    direction,
    grid,
    mark,
)
from .open_items import DAMAGE, SHARES
from .open_numbers import NONE
from .signs import (
    INTERVAL,
    LEFT_OUT,
    MARKS,
    SIGNIFICANT,
    has_parentheses,
    is_any,
    is_drawn,
    is_marked,
)
from .ways import CONTROLS
from .words import ABSENT

SHOWN = {
    "words": "words, %", "lines": "lines, %", "repetition": "repetition, %",
    "loops": "loops, %", "empty": "empty, %", "length": "tokens",
}  # fmt: skip
"""Metrics and their titles."""

INTRODUCTION = """\
Open prompts answered while a model is steered to another language than theirs; means
over all pairs of languages, with 95 % intervals over prompts, each resampled with all
its pairs."""
SHARE = Sign(
    "*words*, *lines*",
    "share of the answer's words and lines in the language that is steered to",
    lambda title, _: title == SHOWN["words"],
    ". Words are weighed by their letters, and nobody judges what the answer says",
)
DAMAGED = (
    Sign(
        "*repetition*",
        "share of the answer's 4-grams of tokens that stood in it before",
        lambda title, _: title == SHOWN["repetition"],
    ),
    Sign(
        "*loops*",
        "answers that end in one block again and again",
        lambda title, _: title == SHOWN["loops"],
    ),
    Sign(
        "*empty*",
        "answers without a letter",
        lambda title, _: title == SHOWN["empty"],
    ),
    Sign(
        "*tokens*",
        "length of the answers",
        lambda title, _: title == SHOWN["length"],
    ),
)
CHANGE = Sign(
    "(in parentheses)",
    "change against the model without treatment",
    has_parentheses,
)
OF_PROMPTS = Sign(
    INTERVAL, "95 % interval over prompts", lambda _, cell: "[" in cell.text
)
MARKED = Sign(
    MARKS,
    f"change or difference above or below 0, {SIGNIFICANT}",
    is_marked,
    " over the comparisons of the same model, task and metric; sign-flip test over "
    "prompts. Controls are not tested",
)
DRAWN_CELLS = Sign(
    "*random*, *prompt*, *diffmean*",
    "controls: as many random neurons (mean over draws), a prompt that names the "
    "language, and the mean difference between languages added to the activations",
    is_drawn,
    ", in the layer and strength with most words on the first half of the prompts. "
    "Against it the second half is compared",
)
SIGNS = (SHARE, *DAMAGED, CHANGE, OF_PROMPTS, MARKED, DRAWN_CELLS)
LEGEND = (
    SHARE.bullet,
    CHANGE.bullet,
    OF_PROMPTS.bullet,
    *(sign.bullet for sign in DAMAGED),
    bullet(
        "*repetition* to *tokens* say what steering costs: an answer that repeats one "
        "word of the language is all in it."
    ),
    DRAWN_CELLS.bullet,
    MARKED.bullet,
    LEFT_OUT,
    "- The `.tsv` file beside this one has every draw and setting, and what each test "
    "could have found.",
)


def layout(table: pd.DataFrame) -> Document:
    """Lay out every model's ways to steer.

    Args:
        table: from ``open_text_table``, or read back.
    """
    parts: list[Part] = [Paragraph(INTRODUCTION)]
    several = table["experiment"].nunique() > 1
    places = table.groupby(["experiment", "model", "task"], sort=False)
    for (experiment, model, task), part in places:
        front = f"{experiment}, " if several else ""
        parts += [Heading(f"{front}{model}: {task}"), _means(part)]
        compared = _compared(part)
        if compared is not None:
            title = f"{front}{model}: {task}, against the controls"
            parts += [Heading(title), compared]
    if table.empty:
        parts.append(Paragraph("No rows."))
    parts += [Heading("How to read it", folded=True), Bullets.of(*LEGEND)]
    return Document("Open text under steering", tuple(parts))


def _shown(part: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield each way's name and rows, of random neurons those of their mean alone."""
    keys = ["method", "langset", "matched", "statistic"]
    for _, rows in part[part["draw"].isna()].groupby(keys, sort=False):
        yield named(rows.iloc[0].to_dict()), rows


def _means(part: pd.DataFrame) -> Grid:
    lines: list[list[Cell | str]] = []
    for name, rows in _shown(part):
        own = rows[rows["against"] == NONE].set_index("metric").to_dict("index")
        cells = [_cell(own[m], m) if m in own else Cell(ABSENT) for m in SHOWN]
        sizes = next(iter(own.values()))
        lines.append([name, *cells, f"{sizes['n']:,}", f"{sizes['cells']:,}"])
    header = ["way", *SHOWN.values(), "prompts", "pairs"]
    return grid(header, lines, 1, fold=False, signs=SIGNS)


def _cell(row: Mapping[Any, Any], metric: str) -> Cell:
    """Write a mean, and in parentheses its change; a share with its interval."""
    unit = str(row["unit"])
    ends = between(row["delta_ci_low"], row["delta_ci_high"], unit, True)
    change = written(row["delta"], unit, True) + mark(row["p_holm"], row["delta"])
    inside = change + (ends if metric in SHARES else "")
    style = direction(row["p_holm"], row["delta"]) if metric not in DAMAGE else ""
    if math.isnan(row["p_value"]):
        style = DRAWN
    return Cell(f"{written(row['value'], unit)} ({inside})", style, ends.strip())


def _compared(part: pd.DataFrame) -> Grid | None:
    """Lay out the differences against the controls."""
    there = [name for name in CONTROLS if (part["against"] == name).any()]
    lines: list[list[Cell | str]] = []
    for name, rows in _shown(part[~part["method"].isin(CONTROLS)]):
        for metric in (*SHARES, DAMAGE[0]):
            own = rows[rows["metric"] == metric].set_index("against").to_dict("index")
            cells = [_difference(own.get(other)) for other in there]
            lines.append([name, SHOWN[metric], *cells])
    if not lines or not there:
        return None
    titles = [f"minus {name}" for name in there]
    titles = ["way", "measure", *titles]
    measures = [replace(sign, seen=is_any) for sign in (SHARE, DAMAGED[0])]
    signs = [*measures, OF_PROMPTS, MARKED]
    return grid(titles, lines, 2, fold=False, signs=signs)


def _difference(row: Mapping[Any, Any] | None) -> Cell:
    if row is None or math.isnan(row["delta"]):
        return Cell(ABSENT)
    unit = str(row["unit"])
    text = written(row["delta"], unit, True) + mark(row["p_holm"], row["delta"])
    text += between(row["delta_ci_low"], row["delta_ci_high"], unit, True)
    return Cell(text, direction(row["p_holm"], row["delta"]))
