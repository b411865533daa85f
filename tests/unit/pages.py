"""What the documents hold: their blocks of code, and the words that are set as code."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted(
    [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("config/*.md")]
)
FENCE = re.compile(
    r"(?:^<!-- not run: (?P<reason>[^>]+) -->\n+)?"
    r"^(?P<indent> *)```(?P<language>\w*)\n(?P<text>.*?)^ *```$",
    re.DOTALL | re.MULTILINE,
)


@dataclass(frozen=True)
class Block:
    """A block of code.

    Attributes:
        page: path of the document in the project.
        number: of the block on the page, from 1.
        language: as it is said behind the opening fence.
        text: the code.
        reason: why it cannot be run, if it is marked so.
    """

    page: str
    number: int
    language: str
    text: str
    reason: str | None = None

    def __str__(self) -> str:
        return f"{self.page} {self.number} {self.language}"


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def blocks(*languages: str) -> list[Block]:
    """List the blocks of all documents; of these languages, where any are given."""
    found = []
    for path in DOCUMENTS:
        matches = enumerate(FENCE.finditer(read(path)), start=1)
        found += [
            Block(name_of(path), n, m["language"], m["text"], m["reason"])
            for n, m in matches
        ]
    return [block for block in found if not languages or block.language in languages]


def quoted(path: Path) -> Iterator[str]:
    """Go through what is in backticks on a page, outside of blocks."""
    text = FENCE.sub("", read(path))
    for words in re.findall(r"(?<!`)`([^`]+)`(?!`)", text):
        yield " ".join(words.split())
