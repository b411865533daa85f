r"""A layout as LaTeX: each grid a table of booktabs, what is said about them comments.

``\input`` of the file brings the tables alone, each with label and a caption that says
what it shows and explains the signs in it; the texts stand there to be copied.
The preamble needs ``booktabs``, ``graphicx`` (which shrinks what is wider than a line)
and ``amssymb`` (for the marks).
"""

from __future__ import annotations

import re
import textwrap
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import replace

from .document import (
    CODE,
    INLINE,
    OWN,
    Bullets,
    Cell,
    Document,
    Grid,
    Heading,
    Paragraph,
    Part,
    bare,
    folded,
    starts,
)

TALLEST = 45
"""Rows of a table; a grid with more is several, each of which fits a page."""

WIDEST = 130
"""Letters in a line of a table, which shrinks them to 60 %; more are several."""

HEAD = r"""% \usepackage{booktabs,graphicx,amssymb}
"""
NOTHING = "\x00"
"""Stands between two hyphens, of which LaTeX would make a dash; no text holds it."""
SIGNS = {
    "\\": r"\textbackslash{}",
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "▲": r"$\blacktriangle$",
    "▼": r"$\blacktriangledown$",
    "±": r"$\pm$",
    "−": "$-$",
    "–": r"\textendash{}",
    "—": r"\textemdash{}",
    "→": r"$\rightarrow$",
    "×": r"$\times$",
    "·": r"$\cdot$",
    "≤": r"$\leq$",
    "≥": r"$\geq$",
    "…": r"\ldots{}",
    "✗": r"$\mathsf{x}$",
    "√": r"$\surd$",
    "“": r"\textquotedblleft{}",
    "”": r"\textquotedblright{}",
    "‘": r"\textquoteleft{}",
    "’": r"\textquoteright{}",
    NOTHING: "{}",
}
"""What stands for a sign that LaTeX reads otherwise, or that its fonts lack."""

COMMANDS = ("texttt", "textbf", "emph")
MINUS = re.compile(r"(?<![\w.$])-(?=\.?\d)")
"""A hyphen that is a minus."""


def latex(document: Document, name: str) -> str:
    """Write a layout.

    Args:
        document: the layout.
        name: of the table; labels are ``tab:name``, ``tab:name-2`` and so on.
    """
    return HEAD + "\n".join(_parts(document, name)) + "\n"


def _parts(document: Document, name: str) -> Iterator[str]:
    heading = ""
    number = 0
    for part in document.parts:
        if isinstance(part, Heading):
            deeper = part.level > 2 and heading
            heading = f"{heading.partition(' – ')[0]} – {part.text}" if deeper else ""
            heading = heading or part.text
        if not isinstance(part, Grid):
            yield _comment(_said(part))
            continue
        for caption, rows in _pages(part, [document.title, heading, part.about]):
            number += 1
            label = name if number == 1 else f"{name}-{number}"
            yield _table(rows, caption, label)


def _said(part: Part) -> str:
    """Write what is no grid."""
    match part:
        case Heading():
            return rf"\paragraph{{{inline(part.text)}}}"
        case Paragraph():
            return inline(part.text)
        case Bullets():
            items = "\n".join(rf"\item {inline(item)}" for item in part.items)
            return f"\\begin{{itemize}}\n{items}\n\\end{{itemize}}"
    return ""


def _comment(text: str) -> str:
    return textwrap.indent(text, "% ", lambda line: True)


def _pages(part: Grid, titles: Sequence[str]) -> Iterator[tuple[str, Grid]]:
    """Cut a grid into tables that fit a page, each with its caption."""
    kept, same = folded(part)
    said = [*filter(None, titles), *([f"All rows: {'; '.join(same)}"] * bool(same))]
    blocks = [
        (columns, part.rows[i : i + TALLEST])
        for i in range(0, max(1, len(part.rows)), TALLEST)
        for columns in _beside(part, kept)
    ]
    for number, (columns, rows) in enumerate(blocks, start=1):
        piece = replace(
            part,
            columns=tuple(part.columns[i] for i in columns),
            rows=tuple(tuple(row[i] for i in columns) for row in rows),
            names=sum(i < part.names for i in columns),
            hints=(),
        )
        which = [f"Part {number} of {len(blocks)}"] if len(blocks) > 1 else []
        sentences = [*(f"{text}." for text in (*said, *which))]
        sentences += [sign.brief for sign in piece.seen()]
        yield " ".join(map(inline, sentences)), piece


def _beside(part: Grid, kept: Sequence[int]) -> list[list[int]]:
    """Cut columns into those that fit a line beside names and references."""

    def width(i: int) -> int:
        texts = [part.columns[i], *(row[i].text for row in part.rows)]
        return max(len(bare(text)) for text in texts) + 2

    first = part.names + part.references
    always = [i for i in kept if i < first]
    parts, taken = [always], sum(map(width, always))
    room = taken
    for i in (i for i in kept if i >= first):
        if room + width(i) > WIDEST and parts[-1] != always:
            parts.append(always)
            room = taken
        parts[-1] = [*parts[-1], i]
        room += width(i)
    return parts


def _table(part: Grid, caption: str, label: str) -> str:
    numbers = len(part.columns) - part.names
    begin = starts([row[0].text for row in part.rows]) if part.names else set()
    head = [inline(title) for title in part.columns]
    lines = [
        r"\begin{table}[!htbp]",
        r"\centering",
        rf"\caption{{{caption}}}",
        rf"\label{{tab:{label}}}",
        r"\small",
        r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
        rf"\begin{{tabular}}{{{'l' * part.names}{'r' * numbers}}}",
        r"\toprule",
        rf"{' & '.join(head)} \\",
        r"\midrule",
    ]
    for number, row in enumerate(part.rows):
        cells = [_cell(cell, i >= part.names) for i, cell in enumerate(row)]
        if number in begin:
            lines.append(r"\addlinespace")
        lines.append(rf"{_row(cells)} \\")
    lines += [r"\bottomrule", r"\end{tabular}}", r"\end{table}", ""]
    return "\n".join(lines)


def _row(cells: Sequence[str]) -> str:
    """Join cells; what begins a row is not to be read as an option of the one above."""
    text = " & ".join(cells)
    return f"{{}}{text}" if text.startswith(("[", "*")) else text


def _cell(cell: Cell, is_number: bool) -> str:
    # Between two names in backquotes stands text that is neither.
    texts = [escape(text) for text in CODE.split(cell.text)]
    if is_number:
        texts[::2] = [MINUS.sub("$-$", text) for text in texts[::2]]
    texts[1::2] = [rf"\texttt{{{text}}}" for text in texts[1::2]]
    text = "".join(texts)
    return rf"\textbf{{{text}}}" if cell.style == OWN else text


def escape(text: str) -> str:
    """Write a text so that LaTeX shows it as it is.

    Letters of other scripts need LuaLaTeX or XeLaTeX; a sign that is not known here
    shows its number.
    """
    apart = re.sub("-(?=-)", f"-{NOTHING}", text)
    return "".join(map(_sign, apart))


def _sign(sign: str) -> str:
    if sign in SIGNS:
        return SIGNS[sign]
    known = sign.isascii() or unicodedata.category(sign)[0] in "LMNZ"
    return sign if known else f"[U+{ord(sign):04X}]"


def inline(text: str) -> str:
    """Write a text with its emphasis and code."""
    found, end = [], 0
    for match in INLINE.finditer(text):
        place = match.lastindex or 1
        inside = escape(match[place])
        found += [
            escape(text[end : match.start()]),
            rf"\{COMMANDS[place - 1]}{{{inside}}}",
        ]
        end = match.end()
    return "".join([*found, escape(text[end:])])
