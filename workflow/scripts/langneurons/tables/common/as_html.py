"""A layout as HTML; it loads nothing, and what is long is folded."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape

from .document import (
    INLINE,
    Bullets,
    Document,
    Grid,
    Heading,
    Paragraph,
    Part,
    bare,
    folded,
    starts,
)

OPEN = 2
"""So many parts of a layout with grids are open, the others are folded."""

TALL = 30
"""Rows above which a grid scrolls in its own frame."""

TAGS = ("code", "strong", "em")


def html(document: Document, level: int = 4) -> str:
    """Write a layout without its title.

    Args:
        document: the layout.
        level: of its headings of the second level.
    """
    return "".join(_sections(document, level))


def _sections(document: Document, level: int) -> Iterator[str]:
    heading: Heading | None = None
    inside: list[Part] = []
    shown = 0
    title = document.title
    for part in (*document.parts, None):
        if part is not None and not (isinstance(part, Heading) and part.level == 2):
            inside.append(part)
            continue
        shown += any(isinstance(one, Grid) for one in inside)
        label = f"{title}: {heading.text}" if heading else title
        text = "".join(_part(one, level, label) for one in inside)
        late = shown > OPEN and any(isinstance(one, Grid) for one in inside)
        if heading is None:
            yield text
        elif heading.folded or late:
            head = f"<summary>{inline(heading.text)}</summary>"
            yield f"<details>{head}{text}</details>\n"
        else:
            yield f"<h{level}>{inline(heading.text)}</h{level}>\n{text}"
        if isinstance(part, Heading):
            heading, inside = part, []


def _part(part: Part, level: int, label: str) -> str:
    match part:
        case Heading():
            return f"<h{level + 1}>{inline(part.text)}</h{level + 1}>\n"
        case Paragraph():
            return f"<p>{inline(part.text)}</p>\n"
        case Bullets():
            items = "".join(f"<li>{inline(item)}</li>\n" for item in part.items)
            return f"<ul>\n{items}</ul>\n"
        case Grid():
            return grid(part, label)


def inline(text: str) -> str:
    """Write a text with its emphasis and code."""
    return INLINE.sub(_tagged, escape(text, quote=False))


def plain(text: str) -> str:
    """Leave out the marks of emphasis and code."""
    return INLINE.sub(lambda match: match[match.lastindex or 1], text)


def _tagged(match: re.Match[str]) -> str:
    place = match.lastindex or 1
    return f"<{TAGS[place - 1]}>{match[place]}</{TAGS[place - 1]}>"


def grid(part: Grid, label: str, *, total: bool = False) -> str:
    """Write a grid.

    Args:
        part: the grid. Names that all rows share stand above it (``fold``).
        label: what it is called where it is not seen: its frame takes the focus, so
            that keys scroll it, and says this then.
        total: whether the last row sums up the others.
    """
    kept, same = folded(part)
    by_name = kept[0] < part.names
    begin = starts([row[kept[0]].text for row in part.rows]) if by_name else set()
    shared = escape(bare("; ".join(same)))
    above = f"<p>{inline(part.about)}:</p>\n" if part.about else ""
    label = escape(plain(f"{label}: {part.about}" if part.about else label))
    head = "".join(_head(part, i) for i in kept)
    lines = []
    for number, row in enumerate(part.rows):
        style = "start" if number in begin else ""
        style = "total" if total and number == len(part.rows) - 1 else style
        cells = []
        for i in kept:
            cell = row[i]
            styles = [cell.style, "" if i < part.names else "num"]
            title = f' title="{escape(cell.title)}"' if cell.title else ""
            # The first name heads its row.
            is_head = i == kept[0] < part.names
            tag, scope = ("th", ' scope="row"') if is_head else ("td", "")
            text = escape(bare(cell.text))
            cells.append(f"<{tag}{scope}{_class(*styles)}{title}>{text}</{tag}>")
        lines.append(f"<tr{_class(style)}>{''.join(cells)}</tr>\n")
    tall = " tall" if len(part.rows) > TALL else ""
    said = f'<p class="small soft">All rows: {shared}</p>\n' if same else ""
    return (
        f'{above}{said}<div class="box{tall}" role="region" aria-label="{label}" '
        f'tabindex="0">\n<table>\n<caption class="unseen">{label}</caption>\n'
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{''.join(lines)}</tbody>\n"
        "</table>\n</div>\n"
    )


def _head(part: Grid, i: int) -> str:
    hint = f' title="{escape(part.hints[i])}"' if part.hints and part.hints[i] else ""
    style = _class("" if i < part.names else "num")
    return f'<th scope="col"{style}{hint}>{escape(bare(part.columns[i]))}</th>'


def _class(*names: str) -> str:
    given = " ".join(filter(None, names))
    return f' class="{given}"' if given else ""
