"""Captions of tables in LaTeX say what each shows, and what the signs in it mean."""

from __future__ import annotations

import re

import pytest

import laid_out
from langneurons import tables
from langneurons.tables.common.as_html import html
from langneurons.tables.common.as_latex import inline, latex
from langneurons.tables.common.as_markdown import markdown
from langneurons.tables.common.document import Document, Grid
from test_latex import tabulars

Laid = list[tuple[str, Document]]
PART = re.compile(r" Part (\d+) of \d+\.")


@pytest.fixture(scope="module")
def laid(tmp_path_factory: pytest.TempPathFactory) -> Laid:
    return list(laid_out.documents(tmp_path_factory.mktemp("laid")))


def captions(document: Document) -> list[str]:
    return re.findall(r"^\\caption\{(.*)\}$", latex(document, "t"), re.M)


def grids(document: Document) -> list[Grid]:
    return [part for part in document.parts if isinstance(part, Grid)]


def test_every_kind_is_laid_out(laid: Laid) -> None:
    assert {kind for kind, _ in laid} == set(tables.kinds())
    assert all(grids(document) for _, document in laid)


def test_no_two_grids_of_a_table_have_one_caption(laid: Laid) -> None:
    """Not even without what explains the signs."""
    for kind, document in laid:
        signs = {sign.brief for grid in grids(document) for sign in grid.signs}
        found = []
        for caption in captions(document):
            part = PART.search(caption)
            if part is None or part[1] == "1":
                for brief in signs:
                    caption = caption.replace(f" {inline(brief)}", "")
                found.append(PART.sub("", caption))
        assert len(found) == len(grids(document)), kind
        assert len(set(found)) == len(found), (kind, found)


def test_rows_fit_their_tabulars(laid: Laid) -> None:
    for kind, document in laid:
        found = tabulars(latex(document, "t"))
        assert len(found) == len(captions(document)), kind
        for spec, rows in found:
            assert {len(row) for row in rows} == {len(spec)}, kind


def test_what_a_caption_says_stands_in_markdown_and_on_the_page(laid: Laid) -> None:
    for kind, document in laid:
        text = " ".join(markdown(document).split())
        page = re.sub(r"</?(em|strong|code)>", "", " ".join(html(document).split()))
        for sign in {sign for grid in grids(document) for sign in grid.seen()}:
            said = f"{sign.shown}: {sign.means}"
            assert said in text, (kind, said)
            plain = re.sub(r"[*`]", "", said).replace("<", "&lt;")
            assert plain in page, (kind, plain)


SIGNS = {"▲": "▲ ▼", "▼": "▲ ▼", "±": "±", "✗": "✗", "no neurons": "*no neurons*"}


def test_signs_in_cells_are_explained_and_no_others(laid: Laid) -> None:
    seen = set()
    for kind, document in laid:
        for grid in grids(document):
            explained = [sign.shown for sign in grid.seen()]
            cells = [cell for row in grid.rows for cell in row[grid.names :]]
            there = {
                shown
                for sign, shown in SIGNS.items()
                if any(sign in cell.text for cell in cells)
            }
            for shown in set(SIGNS.values()):
                told = any(text.startswith(shown) for text in explained)
                assert told == (shown in there), (kind, shown, grid.columns)
            bold = any(cell.style == "own" for cell in cells)
            assert bold == ("**Bold**" in explained), (kind, grid.columns)
            drawn = any(cell.style == "random" for cell in cells)
            told = any(text.startswith("*random") for text in explained)
            assert drawn == told, (kind, grid.columns)
            brackets = any("[" in x.text and x.style != "random" for x in cells)
            assert brackets == ("[low, high]" in explained), (kind, grid.columns)
            seen |= there
    assert {"▲ ▼", "±", "✗"} <= seen


def test_references_stand_in_every_part(laid: Laid) -> None:
    cut = 0
    for kind, document in laid:
        if kind != "interventions":
            continue
        for caption, (_, rows) in zip(
            captions(document), tabulars(latex(document, "t")), strict=True
        ):
            reference = "No Int" if "under interventions" in caption else "direct"
            if "Against English" not in caption:
                assert reference in rows[0], caption
                cut += "Part 2" in caption
    assert cut
