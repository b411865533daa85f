"""Tables as LaTeX: every row fits its tabular, and every sign is shown as it is."""

from __future__ import annotations

import ast
import re
import unicodedata
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from langneurons import tables
from langneurons.tables.common.as_html import html
from langneurons.tables.common.as_latex import (
    SIGNS,
    TALLEST,
    WIDEST,
    escape,
    inline,
    latex,
)
from langneurons.tables.common.as_markdown import markdown
from langneurons.tables.common.document import (
    Bullets,
    Cell,
    Document,
    Grid,
    Heading,
    Paragraph,
    Sign,
    code,
    grid,
)

SPECIAL = set("\\&%$#_{}~^")
CELL = re.compile(r"(?<!\\)&")


def tabulars(text: str) -> list[tuple[str, list[list[str]]]]:
    """Read tables back: the columns that each announces, and the cells of its rows."""
    assert well_formed(text)
    found = re.findall(
        r"^\\begin\{tabular\}\{(\w+)\}$(.*?)^\\end\{tabular\}\}$", text, re.M | re.S
    )
    return [
        (
            spec,
            [
                [cell.strip() for cell in CELL.split(line.removesuffix(r"\\"))]
                for line in body.splitlines()
                if line.endswith(r"\\")
            ],
        )
        for spec, body in found
    ]


def well_formed(text: str) -> bool:
    """Tell whether braces and environments are closed in turn, comments left out."""
    depth, opened = 0, []
    for line in text.splitlines():
        code = re.split(r"(?<!\\)%", line)[0].replace(r"\\", "")
        for sign in re.findall(r"(?<!\\)[{}]", code):
            depth += 1 if sign == "{" else -1
            assert depth >= 0
        assert len(re.findall(r"(?<!\\)\$", code)) % 2 == 0
        for what, name in re.findall(r"\\(begin|end)\{(\w+)\}", code):
            if what == "begin":
                opened.append(name)
            else:
                assert opened.pop() == name
    return depth == 0 and opened == []


def test_every_sign_of_the_tables_is_known() -> None:
    """LaTeX stops at a sign that its fonts lack: each of ours has another for it."""
    found = set()
    for path in Path(tables.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found |= {x for x in node.value if unicodedata.category(x)[0] in "SP"}
    assert {"✗", "▲"} < found
    unknown = {sign for sign in found if not sign.isascii()} - set(SIGNS)
    assert unknown == set()
    assert escape("ä 中 ★") == "ä 中 [U+2605]"


def test_a_table_is_written_sign_by_sign() -> None:
    rows = [
        ["demo", "lape_x", Cell("80.5 ▼ [77.1, 83.5]", "down"), "-0.1 ± 0.02"],
        ["demo", "r&d 50%", Cell("1", "own"), "l12-s2"],
    ]
    document = Document(
        "xnli: accuracy, 100 %",
        (
            Paragraph("On *new* items."),
            Heading("Tuning `a_b`"),
            grid(["model", "neurons", "No Int", "p90"], rows, 2),
            Bullets(("one", "**two**\nlines")),
        ),
    )
    assert (
        latex(document, "xnli")
        == r"""% \usepackage{booktabs,graphicx,amssymb}
% On \emph{new} items.
% \paragraph{Tuning \texttt{a\_b}}
\begin{table}[!htbp]
\centering
\caption{xnli: accuracy, 100 \%. Tuning \texttt{a\_b}. All rows: model demo.}
\label{tab:xnli}
\small
\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%
\begin{tabular}{lrr}
\toprule
neurons & No Int & p90 \\
\midrule
lape\_x & 80.5 $\blacktriangledown$ [77.1, 83.5] & $-$0.1 $\pm$ 0.02 \\
r\&d 50\% & \textbf{1} & l12-s2 \\
\bottomrule
\end{tabular}}
\end{table}

% \begin{itemize}
% \item one
% \item \textbf{two}
% lines
% \end{itemize}
"""
    )


def test_a_row_that_begins_with_a_bracket_is_no_option_of_the_one_above() -> None:
    found = latex(Document("t", (grid(["range"], [["[1, 2]"], ["* 3"]], 0),)), "t")
    assert "\\midrule\n{}[1, 2] \\\\\n{}* 3 \\\\\n" in found


def test_a_long_table_is_cut_and_every_part_has_its_label() -> None:
    rows = [[f"n{i}", str(i)] for i in range(2 * TALLEST + 1)]
    parts = (Heading("A"), grid(["name", "x"], rows, 1), grid(["y"], [["7"]], 0))
    found = latex(Document("t", parts), "many")
    sizes = [len(cells) - 1 for _, cells in tabulars(found)]
    assert sizes == [TALLEST, TALLEST, 1, 1]
    assert re.findall(r"\\label\{(.*)\}", found) == [
        "tab:many", "tab:many-2", "tab:many-3", "tab:many-4",
    ]  # fmt: skip
    assert "t. A. Part 2 of 3.}" in found


def test_a_wide_table_is_cut_and_names_stand_in_every_part() -> None:
    wide = "x" * (WIDEST // 2 - 10)
    row = ["vi", *[f"{wide}{i}" for i in range(5)]]
    found = tabulars(latex(Document("t", (grid("nabcde", [row], 1),)), "t"))
    assert [spec for spec, _ in found] == ["lrr", "lrr", "lr"]
    assert [cells for _, lines in found for cells in lines] == [
        ["n", "a", "b"], row[:3], ["n", "c", "d"], [row[0], *row[3:5]],
        ["n", "e"], [row[0], row[5]],
    ]  # fmt: skip


def test_references_stand_in_every_part_behind_the_names() -> None:
    wide = "x" * (WIDEST // 2 - 10)
    row = ["vi", "0", *[f"{wide}{i}" for i in range(3)]]
    part = grid("nrabc", [row], 1, references=1)
    found = tabulars(latex(Document("t", (part,)), "t"))
    assert [spec for spec, _ in found] == ["lrrr", "lrr"]
    assert [cells for _, lines in found for cells in lines] == [
        ["n", "r", "a", "b"], row[:4], ["n", "r", "c"], [*row[:2], row[4]],
    ]  # fmt: skip


BETTER = Sign("▲", "better than *No Int*", lambda _, cell: "▲" in cell.text, "; tested")
OF_TITLE = Sign("*low*", "the least of `p5`", lambda title, _: title == "low")


def test_a_caption_explains_the_signs_of_its_own_part() -> None:
    wide = "x" * (WIDEST // 2 - 10)
    signs = [BETTER, OF_TITLE]
    rows = [["▲", f"{wide} ▲", wide, wide]]
    parts = (grid(["▲", "a", "low", "b"], rows, 1, about="Changes", signs=signs),)
    found = re.findall(r"\\caption\{(.*)\}", latex(Document("t", parts), "t"))
    up = r"$\blacktriangle$: better than \emph{No Int}."
    low = r"\emph{low}: the least of \texttt{p5}."
    assert found == [
        f"t. Changes. Part 1 of 2. {up} {low}",
        "t. Changes. Part 2 of 2.",
    ]
    assert BETTER.bullet == "- ▲: better than *No Int*; tested."


def test_names_of_the_configuration_are_set_apart_in_cells_and_titles() -> None:
    rows = [[f"random for {code('lape.set_1')} of vi", Cell(code("p-5"), "own"), "-5"]]
    document = Document("t", (grid(["neurons", code("p_5"), "x"], rows, 1),))
    ((_, lines),) = tabulars(latex(document, "t"))
    assert lines == [
        ["neurons", r"\texttt{p\_5}", "x"],
        [r"random for \texttt{lape.set\_1} of vi", r"\textbf{\texttt{p-5}}", "$-$5"],
    ]
    for text in (markdown(document), html(document)):
        assert "random for lape.set_1 of vi" in text and "`" not in text


def test_what_a_grid_shows_stands_above_it_everywhere() -> None:
    document = Document("t", (grid(["x"], [["1"]], 0, about="Changes"),))
    assert "# t\n\nChanges:\n\n|" in markdown(document)
    assert "<p>Changes:</p>" in html(document) and "t: Changes</cap" in html(document)


def test_headings_of_headings_stand_in_captions() -> None:
    one = grid(["x"], [["1"]], 0)
    parts = (
        Heading("A"),
        Heading("b", 3),
        one,
        Heading("c", 3),
        one,
        Heading("D"),
        one,
    )
    found = re.findall(r"\\caption\{(.*)\}", latex(Document("t", parts), "t"))
    assert found == [r"t. A \textendash{} b.", r"t. A \textendash{} c.", "t. D."]


TEXTS = st.text("ab12 -.[]*`|<>▲▼±–" + "".join(sorted(SPECIAL)), max_size=12)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 3), st.integers(1, 3), st.data())
def test_whatever_cells_hold_each_row_has_as_many_as_there_are_columns(
    names: int, numbers: int, data: st.DataObject
) -> None:
    width = names + numbers
    row = st.tuples(*[st.builds(Cell, TEXTS, st.sampled_from(["", "own"]))] * width)
    rows = tuple(data.draw(st.lists(row, min_size=1, max_size=5)))
    titles = tuple(data.draw(st.lists(TEXTS, min_size=width, max_size=width)))
    parts = (Paragraph(data.draw(TEXTS)), Grid(titles, rows, names, fold=False))
    ((spec, cells),) = tabulars(latex(Document(data.draw(TEXTS), parts), "t"))
    assert spec == "l" * names + "r" * numbers
    assert [len(line) for line in cells] == [width] * (len(rows) + 1)


@given(TEXTS)
def test_no_sign_keeps_its_meaning_in_latex(text: str) -> None:
    meant = {written: sign for sign, written in SIGNS.items()}
    longest_first = sorted(map(re.escape, meant), key=len, reverse=True)
    assert "--" not in escape(text)  # it would be a dash
    apart = escape(text).replace("-{}", "-\n")
    parts = re.split(f"({'|'.join(longest_first)})", apart)
    assert not SPECIAL & {sign for part in parts[::2] for sign in part}
    assert "".join(meant.get(part, part) for part in parts).replace("\n", "") == text
    assert well_formed(inline(text))
