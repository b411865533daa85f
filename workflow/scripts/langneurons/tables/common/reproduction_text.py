"""The reproduction table laid out for reading: a summary, then table by table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd

from langneurons.config.names import NO_TREATMENT

from .document import (
    DOWN,
    UP,
    Bullets,
    Cell,
    Document,
    Grid,
    Heading,
    Paragraph,
    Part,
    Sign,
    code,
    grid,
)
from .metrics import PERCENT
from .reproduction_numbers import ACTIVATION, NEURONS, PER_LAYER, RAW_FILE, TASK
from .signs import NOT_RUN, has_parentheses
from .words import ABSENT, NO_INT, NOTHING

OUTSIDE = " ✗"
# Columns that name a line of a grid, where they differ within the table.
LINE_NAMES = ("model", "method", "tuning", "metric", "lang")

CODED = ("method", "tuning")
"""Names of a line that the configuration gives."""

CELLS = Sign("Cells", "ours (published)", has_parentheses)
MISSED = Sign(
    OUTSIDE.strip(),
    "ours lies outside the tolerance",
    lambda _, cell: OUTSIDE in cell.text,
)
WITHIN = "within"
COUNTS = Sign(
    "*published*, *run*, *within*",
    "how many numbers were published, were run here, and lie within the tolerance",
    lambda title, _: title == WITHIN,
)
COUNTED = Sign(
    "*neurons of a language*, *overlaps*, *neurons per layer*",
    "how many of the numbers that were run lie within the tolerance",
    lambda _, cell: " of " in cell.text,
)
SIGNS = (CELLS, NOT_RUN, MISSED)
LEGEND = """\
- Tasks, in percent: tolerated is the sampling error, 1.96 √(p(1−p)/n published +
  p(1−p)/n ours) with p pooled over both, plus half a unit of the last printed digit.
  For F1 no scores with that mean vary more than this. Both runs share most test items,
  so their real sampling error is smaller; training with another seed is not in it.
- Activation statistics: ±0.01. Means over all neurons, before SiLU.
- Neurons: selection sizes exactly; what depends on the sampled text within 10 %, or 3
  neurons if that is more.
- Numbers of ours are means over training seeds.
- A number of ours stands beside a published one only where every field that decides is
  the published procedure's; *Not compared* names the first that is not.
- The `.tsv` file beside this one has a row for every published number."""


def layout(table: pd.DataFrame, sources: Sequence[Sequence[str]]) -> Document:
    """Lay out the comparison with published numbers.

    Args:
        table: from ``reproduction_numbers.table``.
        sources: name of each source, and what it is.
    """
    title, run = "Published numbers and ours", int((table["within"] != "").sum())
    if not run:
        said = f"Of {len(table):,} published numbers none was run."
        return Document(title, (Paragraph(said), *_not_compared(table)), whole=False)
    said = (
        f"Of {len(table):,} published numbers {run:,} were run, of which "
        f"{int((table['within'] == 'yes').sum()):,} lie within the tolerance."
    )
    ran = table.loc[table["within"] != "", "source"].unique()
    parts: list[Part] = [Paragraph(said), _summary(table[table["source"].isin(ran)])]
    parts += [*_not_run(table[~table["source"].isin(ran)]), *_not_compared(table)]
    parts += [
        Heading("How to read it", folded=True),
        Bullets.of(*(sign.bullet for sign in (*SIGNS, COUNTS)), LEGEND),
    ]
    for source, about in sources:
        part = table[table["source"] == source]
        if source not in ran:
            continue
        for item, lay_out in LAYOUTS.items():
            chosen = part[part["item"] == item]
            if not chosen.empty:
                told = f"{about[:1].upper()}{about[1:]}"
                parts += [Heading(source, folded=True), *lay_out(chosen, told)]
    return Document(title, tuple(parts))


def _summary(table: pd.DataFrame) -> Grid:
    lines = []
    for source, part in table.groupby("source", sort=False):
        found = part[part["within"] != ""]
        within = int((found["within"] == "yes").sum())
        item, middle = part["item"].iloc[0], found["difference"].abs().median()
        if part["unit"].iloc[0] == PERCENT:
            shown = f"{100 * middle:.2f} points"
        else:
            shown = f"{middle:.4f}" if item == ACTIVATION else f"{middle:g} neurons"
        numbers = [f"{len(part):,}", f"{len(found):,}", f"{within:,}"]
        lines.append([str(source), *numbers, shown])
    header = ["source", "published", "run", WITHIN, "median |difference|"]
    return grid(header, lines, 1, fold=False, about="By source", signs=[COUNTS])


def _not_run(table: pd.DataFrame) -> list[Part]:
    """Name the published tables of which nothing was run; nothing where all were."""
    if table.empty:
        return []
    lines = [
        [str(source), f"{len(part):,}"]
        for source, part in table.groupby("source", sort=False)
    ]
    head = f"Not run here: {len(lines)} of the published tables and figures"
    return [
        Heading(head, folded=True),
        grid(["source", "published numbers"], lines, 1, fold=False),
    ]


def _not_compared(table: pd.DataFrame) -> list[Part]:
    """List why results of ours that have a published number's names are not beside it.

    Returns:
        A heading and a table; nothing where there are no such results.
    """
    rows = table[table["not_compared"] != ""]
    if rows.empty:
        return []
    lines = [
        [str(source), str(why), f"{len(part):,}"]
        for (source, why), part in rows.groupby(["source", "not_compared"], sort=False)
    ]
    header = ["source", "not the published procedure", "published numbers"]
    return [Heading("Not compared", folded=True), grid(header, lines, 2, fold=False)]


def _side_by_side(part: pd.DataFrame, about: str) -> list[Part]:
    """Lay out cells with a column for each statistic."""
    scale, digits = (100.0, 1) if part["unit"].iloc[0] == PERCENT else (1.0, 4)
    names = [k for k in LINE_NAMES if k == "model" or part[k].nunique() > 1]
    statistics = list(dict.fromkeys(part["statistic"]))
    lines = []
    for values, rows in part.groupby(names, sort=False):
        cells = {row["statistic"]: row for _, row in rows.iterrows()}
        shown = [
            _cell(cells[s], scale, digits) if s in cells else "" for s in statistics
        ]
        heads = [
            code(value) if name in CODED and value != NOTHING else str(value)
            for name, value in zip(names, values, strict=True)
        ]
        lines.append([*heads, *shown])
    titles = [NO_INT if s == NO_TREATMENT else code(s) for s in statistics]
    header = [*names, *titles]
    return [grid(header, lines, len(names), about=about, signs=SIGNS)]


def _cell(row: Any, scale: float, digits: int) -> Cell:
    ours = ABSENT if row["within"] == "" else f"{scale * row['ours']:.{digits}f}"
    mark = OUTSIDE if row["within"] == "no" else ""
    text = f"{ours}{mark} ({scale * row['published']:.{digits}f})"
    return Cell(text, {"no": DOWN, "yes": UP}.get(row["within"], ""))


def _neurons(part: pd.DataFrame, about: str) -> list[Part]:
    """Sum up neuron sets, one line per set; then what LAPE and AP90 share."""
    lines = []
    shared = part["method"].str.contains("+", regex=False)
    sets = part[~shared].groupby(["model", "method", "langset"], sort=False)
    for names, rows in sets:
        by = {what: rows[rows["metric"] == what] for what in SINGLE + MANY}
        cells = [
            "" if by[what].empty else _cell(by[what].iloc[0], 1, 0) for what in SINGLE
        ]
        cells += [_share(by[what]) for what in MANY]
        model, method, langset = names
        lines.append([str(model), code(method), code(langset), *cells])
    header = ["model", "method", "languages", "selected", "different neurons"]
    header += ["neurons of a language", "overlaps", "neurons per layer"]
    given: dict[str, Any] = {"about": f"{about}: what each selection holds"}
    parts: list[Part] = [grid(header, lines, 3, signs=[*SIGNS, COUNTED], **given)]
    parts.append(Bullets.of(COUNTED.bullet))
    if shared.any():
        lines = [
            [row["model"], code(row["langset"]), row["lang"], _cell(row, 1, 0)]
            for _, row in part[shared].iterrows()
        ]
        header = ["model", "LAPE languages", "lang", "neurons of both LAPE and AP90"]
        given = {"about": f"{about}: what LAPE and AP90 share"}
        parts.append(grid(header, lines, 3, signs=SIGNS, **given))
    return parts


SINGLE = ("selected", "unique")
MANY = ("count", "overlap", PER_LAYER)


def _share(rows: pd.DataFrame) -> str:
    """Say how many of the numbers that were run lie within the tolerance."""
    found = rows[rows["within"] != ""]
    if found.empty:
        return f"{ABSENT} ({len(rows)})"
    return f"{int((found['within'] == 'yes').sum())} of {len(found)}"


LAYOUTS: dict[str, Callable[[pd.DataFrame, str], list[Part]]] = {
    TASK: _side_by_side,
    RAW_FILE: _side_by_side,
    ACTIVATION: _side_by_side,
    NEURONS: _neurons,
}
