"""What the layouts share: Markdown tables, numbers, marks of significance."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

LEVEL = 0.05  # of significance, after Holm's correction
ABSENT = "–"


def grid(header: Sequence[str], lines: Iterable[Sequence[str]], names: int) -> str:
    """Lay out a Markdown table; columns are padded so that the source reads well too.

    Args:
        header: column titles.
        lines: cells, as many a line as there are titles.
        names: so many first columns are left-aligned, the others right-aligned.
    """
    cells = [list(header), *(list(line) for line in lines)]
    widths = [max(3, *(len(line[i]) for line in cells)) for i in range(len(header))]

    def line(values: Sequence[str]) -> str:
        padded = [
            value.ljust(width) if i < names else value.rjust(width)
            for i, (value, width) in enumerate(zip(values, widths, strict=True))
        ]
        return f"| {' | '.join(padded)} |"

    rule = [
        "-" * width if i < names else "-" * (width - 1) + ":"
        for i, width in enumerate(widths)
    ]
    return "\n".join([line(cells[0]), line(rule), *map(line, cells[1:])])


def number(value: float, form: str) -> str:
    """Format a number, or say that there is none."""
    return ABSENT if math.isnan(value) else format(value, form)


def mark(p_holm: float, difference: float) -> str:
    """Mark a difference that is significant, by its direction."""
    if not p_holm < LEVEL:
        return ""
    return " ▲" if difference > 0 else " ▼"


def count(values: Iterable[int]) -> str:
    """Write a number, or the range where there are several."""
    found = sorted(set(values))
    ends = dict.fromkeys(f"{value:,}" for value in (found[0], found[-1]))
    return " to ".join(ends)


def together(parts: Sequence[str]) -> str:
    """Join the metrics of a cell: ``41.0 (73.6)``."""
    return parts[0] + "".join(f" ({part})" for part in parts[1:])
