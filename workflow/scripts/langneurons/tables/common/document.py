"""The layout of a table: headings, paragraphs, lists and grids of cells.

A table is laid out once; ``as_markdown`` and ``as_latex`` write the layout beside the
table, and ``as_html`` on the page of the report. Texts may have ``*emphasis*``,
``**strong**`` and code in backquotes; cells and titles of columns have names that a
configuration gives in backquotes, which LaTeX alone sets apart.
"""

from __future__ import annotations

import math
import re
import textwrap
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from .words import ABSENT, LEVEL

INLINE = re.compile(r"`([^`]+)`|\*\*([^*]+)\*\*|\*([^*\s][^*]*)\*")
"""Finds code, strong words and emphasis in a text, in groups 1, 2 and 3."""

CODE = re.compile(r"`([^`]+)`")

UP, DOWN, OWN, DRAWN = "up", "down", "own", "random"
"""Styles of cells: clearly higher, clearly lower, of one's own language, a control."""


@dataclass(frozen=True)
class Cell:
    """A cell of a grid.

    Attributes:
        text: what it shows, marks included.
        style: ``up``, ``down``, ``own`` (bold in Markdown), ``random`` or none.
        title: what a reader of the page sees who points at it.
    """

    text: str
    style: str = ""
    title: str = ""


def bullet(text: str) -> str:
    """Write a line of a list in lines that fit Markdown's source."""
    return textwrap.fill(
        f"- {text}", 88, subsequent_indent="  ", break_on_hyphens=False
    )


@dataclass(frozen=True)
class Sign:
    """A sign in cells and what it means, in the same words in captions and legends.

    Attributes:
        shown: the sign, as a legend names it.
        means: what it means, so briefly that a caption has room for it.
        seen: says of the title of a column and one of its cells whether it is there.
        more: what a legend adds, with the sign or the blank that it begins with.
    """

    shown: str
    means: str
    seen: Callable[[str, Cell], bool]
    more: str = ""

    @property
    def brief(self) -> str:
        """A sentence for a caption."""
        return f"{self.shown}: {self.means}."

    @property
    def bullet(self) -> str:
        """A line of a legend, for ``Bullets.of``."""
        return bullet(f"{self.shown}: {self.means}{self.more}.")


@dataclass(frozen=True)
class Grid:
    """A grid of cells.

    Attributes:
        columns: titles.
        rows: cells, as many in each row as there are titles.
        names: so many first columns are names, the others are numbers.
        fold: whether the page may say once above the grid what all its rows share.
        hints: what the columns mean, if anything is to be said; one for each column.
        references: so many columns behind the names are what the others are read
            against; where a grid is cut they stand in each part, as names do.
        about: what it shows, if the heading above does not tell it from the grids
            beside it.
        signs: what may stand in cells of numbers; a caption explains what does.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    names: int
    fold: bool = True
    hints: tuple[str, ...] = ()
    references: int = 0
    about: str = ""
    signs: tuple[Sign, ...] = ()

    def seen(self) -> list[Sign]:
        """List the signs that stand in its cells."""
        cells = [
            (title, row[i])
            for i, title in enumerate(self.columns)
            for row in self.rows
            if i >= self.names
        ]
        return [s for s in self.signs if any(s.seen(*cell) for cell in cells)]


@dataclass(frozen=True)
class Heading:
    """A heading of the second or third level; ``folded``: details on the page."""

    text: str
    level: int = 2
    folded: bool = False


@dataclass(frozen=True)
class Paragraph:
    """A paragraph; line ends in it are kept in Markdown."""

    text: str


@dataclass(frozen=True)
class Bullets:
    """A list."""

    items: tuple[str, ...]

    @classmethod
    def of(cls, *texts: str) -> Bullets:
        """Take a list as it stands in Markdown, with its line ends."""
        lines = "\n".join(texts).removeprefix("- ").split("\n- ")
        return cls(tuple(line.replace("\n  ", "\n") for line in lines))


Part = Heading | Paragraph | Bullets | Grid


@dataclass(frozen=True)
class Document:
    """A table laid out for reading; ``whole``: the page shows every row below it."""

    title: str
    parts: tuple[Part, ...]
    whole: bool = True


def grid(
    columns: Sequence[str],
    rows: Iterable[Sequence[Cell | str]],
    names: int,
    *,
    fold: bool = True,
    hints: Sequence[str] = (),
    references: int = 0,
    about: str = "",
    signs: Sequence[Sign] = (),
) -> Grid:
    """Make a grid; a text alone is a cell without a style."""
    cells = [tuple(c if isinstance(c, Cell) else Cell(c) for c in r) for r in rows]
    return Grid(
        tuple(columns), tuple(cells), names, fold, tuple(hints),
        references=references, about=about, signs=tuple(signs),
    )  # fmt: skip


def code(name: object) -> str:
    """Write a name that a configuration gives, for a cell or the title of a column."""
    return f"`{name}`"


def bare(text: str) -> str:
    """Leave out the backquotes around names, in a cell or the title of a column."""
    return CODE.sub(r"\1", text)


def number(value: Any, form: str) -> str:
    """Format a number, or say that there is none."""
    given = math.nan if value is None or value is pd.NA else float(value)
    return ABSENT if math.isnan(given) else format(given, form)


def direction(p_holm: float, difference: float) -> str:
    """Name the style of a difference: ``up`` or ``down`` where it is significant."""
    if not p_holm < LEVEL or difference == 0:
        return ""
    return UP if difference > 0 else DOWN


def mark(p_holm: float, difference: float) -> str:
    """Mark a difference that is significant, by its direction."""
    return {UP: " ▲", DOWN: " ▼"}.get(direction(p_holm, difference), "")


def count(values: Iterable[int]) -> str:
    """Write a number, or the range where there are several."""
    found = sorted(set(values))
    ends = dict.fromkeys(f"{value:,}" for value in (found[0], found[-1]))
    return " to ".join(ends)


def together(parts: Sequence[str]) -> str:
    """Join the metrics of a cell: ``41.0 (73.6)``."""
    return parts[0] + "".join(f" ({part})" for part in parts[1:])


def folded(part: Grid) -> tuple[list[int], list[str]]:
    """Choose the columns of a grid that are shown, and say what all rows share.

    Returns:
        Numbers of the columns; and of each that is left out its title and what it
        holds, unless that is nothing. Columns of numbers always stay.
    """
    kept = list(range(len(part.columns)))
    same = []
    if part.fold and len(part.rows) > 1:
        for i in range(part.names):
            values = {row[i].text for row in part.rows}
            if len(values) == 1 and len(kept) > 1:
                kept.remove(i)
                if (value := values.pop()) not in ("", ABSENT):
                    same.append(f"{part.columns[i]} {value}")
    return kept, same


def starts(first: Sequence[str]) -> set[int]:
    """Find the rows that begin a block: the first name changes, if that is seldom."""
    found = {i for i in range(1, len(first)) if first[i] != first[i - 1]}
    return found if len(found) <= len(first) / 4 else set()
