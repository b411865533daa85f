"""A layout as Markdown; grids are padded so that the source reads well too."""

from __future__ import annotations

from collections.abc import Sequence

from .document import (
    OWN,
    Bullets,
    Cell,
    Document,
    Grid,
    Heading,
    Paragraph,
    Part,
    bare,
)


def markdown(document: Document) -> str:
    """Write a layout."""
    parts = [f"# {document.title}", *map(_part, document.parts)]
    return "\n\n".join(parts) + "\n"


def _part(part: Part) -> str:
    match part:
        case Heading():
            return f"{'#' * part.level} {part.text}"
        case Paragraph():
            return part.text
        case Bullets():
            return "\n".join("- " + item.replace("\n", "\n  ") for item in part.items)
        case Grid():
            above = f"{part.about}:\n\n" if part.about else ""
            return above + _grid(part)


def _grid(part: Grid) -> str:
    lines = [[_plain(Cell(c)) for c in part.columns]]
    lines += [[_plain(cell) for cell in row] for row in part.rows]
    widths = [max(3, *(len(line[i]) for line in lines)) for i in range(len(lines[0]))]

    def line(values: Sequence[str]) -> str:
        padded = [
            value.ljust(width) if i < part.names else value.rjust(width)
            for i, (value, width) in enumerate(zip(values, widths, strict=True))
        ]
        return f"| {' | '.join(padded)} |"

    rule = [
        "-" * width if i < part.names else "-" * (width - 1) + ":"
        for i, width in enumerate(widths)
    ]
    return "\n".join([line(lines[0]), line(rule), *map(line, lines[1:])])


def _plain(cell: Cell) -> str:
    text = bare(cell.text).replace("|", "\\|")
    return f"**{text}**" if cell.style == OWN else text
