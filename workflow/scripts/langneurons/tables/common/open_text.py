"""The table of steered open answers laid out for reading, model by model."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
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
    direction,
    grid,
    mark,
)
from .open_items import DAMAGE, SHARES
from .open_numbers import NONE
from .ways import CONTROLS
from .words import ABSENT, EMPTY_LEGEND

SHOWN = {
    "words": "words, %", "lines": "lines, %", "repetition": "repetition, %",
    "loops": "loops, %", "empty": "empty, %", "length": "tokens",
}  # fmt: skip
"""Metrics and their titles."""

INTRODUCTION = """\
Open prompts answered while a model is steered to another language than theirs; means
over all pairs of languages, with 95 % intervals over prompts, each resampled with all
its pairs."""
LEGEND = (
    "- *words*, *lines*: share of the answer in the language that is steered to, of "
    "its words\n  (weighed by their letters) and of its lines; in parentheses the "
    "change against the model\n  without treatment. Nobody judges what it says.",
    "- *repetition*: share of 4-grams of tokens that stood in it before; "
    "*loops*: answers that\n  end in one block again and again; *empty*: answers "
    "without a letter; *tokens*: length of the\n  answers. These say what steering "
    "costs: an answer that repeats one word of the language is\n  all in it.",
    "- *random*: as many random neurons, mean over draws; *prompt*: the prompt names "
    "the language;\n  *diffmean*: the mean difference between languages is added, in "
    "the layer and strength with most\n  words on the first half of the prompts. "
    "Against it the second half is compared.",
    "- ▲ ▼: higher or lower, p < 0.05 after Holm's correction over the comparisons of "
    "the same model,\n  task and metric; sign-flip test over prompts. Controls are not "
    "tested.",
    EMPTY_LEGEND,
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
    return grid(header, lines, 1, fold=False)


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
    return grid(["way", "measure", *titles], lines, 2, fold=False)


def _difference(row: Mapping[Any, Any] | None) -> Cell:
    if row is None or math.isnan(row["delta"]):
        return Cell(ABSENT)
    unit = str(row["unit"])
    text = written(row["delta"], unit, True) + mark(row["p_holm"], row["delta"])
    text += between(row["delta_ci_low"], row["delta_ci_high"], unit, True)
    return Cell(text, direction(row["p_holm"], row["delta"]))
