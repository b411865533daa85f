"""The page for those who use keys, a screen reader, or see little contrast."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from langneurons import report
from test_report import ASKED, CONFIG, KNOWN, everything

STYLE = Path(report.__file__).with_name("style.css").read_text("utf-8")
TEXTS = ("ink", "soft", "link", "up", "down", "amber", "grey")
GROUNDS = ("paper", "band")
LEAST = 4.5
"""Contrast of text by WCAG 2.2, level AA."""


class Read(HTMLParser):
    """Collects the elements of a page, with their attributes, in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, Any]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.found.append((tag, dict(attrs)))

    def of(self, tag: str) -> list[dict[str, Any]]:
        return [given for name, given in self.found if name == tag]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Read:
    """A page with something of each kind."""
    folder = tmp_path_factory.mktemp("page")
    tables, figures = everything(folder)
    given: dict[str, Any] = {"known": KNOWN, "asked": ASKED}
    return Read(report.build(tables, figures, CONFIG, folder / "none", **given))


def test_the_first_link_skips_the_contents(page: Read) -> None:
    (html,) = page.of("html")
    assert html["lang"] == "en"
    first = page.of("a")[0]
    (target,) = [one for _, one in page.found if one.get("id") == first["href"][1:]]
    assert (first["class"], target["tabindex"]) == ("skip", "-1")
    assert re.search(r"\.skip:focus \{ top: 0?\.5rem", STYLE)
    assert re.search(r":focus-visible \{ outline: [23]px", STYLE)


def test_tables_and_figures_say_what_they_are(page: Read) -> None:
    assert page.of("table") and page.of("img")
    assert len(page.of("caption")) == len(page.of("table"))
    assert {one.get("scope") for one in page.of("th")} == {"row", "col"}
    assert all(len(one["alt"]) > 10 for one in page.of("img"))
    for tag, given in page.found:
        if given.get("tabindex") == "0":
            assert given.get("aria-label") and given.get("role"), tag


def test_no_level_of_headings_is_left_out(page: Read) -> None:
    levels = [int(tag[1]) for tag, _ in page.found if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    for above, below in pairwise(levels):
        assert below <= above + 1


def luminance(colour: str) -> float:
    """Relative luminance of ``#rrggbb``, as WCAG 2.2 defines it."""
    shares = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [
        s / 12.92 if s <= 0.04045 else ((s + 0.055) / 1.055) ** 2.4 for s in shares
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_the_contrast_of_black_and_white_is_21() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("dark", [False, True])
def test_every_text_can_be_read(dark: bool) -> None:
    """Light and dark: each colour of text on each ground."""
    light, _, rest = STYLE.partition("@media (prefers-color-scheme: dark)")
    block = (rest if dark else light).partition("}")[0]
    colours = dict(re.findall(r"--(\w+): (#[0-9a-f]{6})\b", block))
    for text in TEXTS:
        for ground in GROUNDS:
            found = contrast(colours[text], colours[ground])
            assert found >= LEAST, (text, ground, found)
