"""Items that are texts in columns and a label: files, the hub, prepared items."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from langneurons.text import hub

from . import columns
from .items import read_jsonl


@dataclass(frozen=True)
class Labelled:
    """Which texts an item has, and of which classes it may be.

    Attributes:
        names: columns of its texts; ``label`` stands beside them.
        labels: classes, in the order of their numbers.
    """

    names: Sequence[str]
    labels: Sequence[str]

    def read_file(self, path: Path | str) -> Iterator[dict[str, Any]]:
        """Read a tab-separated file; see ``columns.read_tsv``."""
        for row, cells, where in columns.read_tsv(path, (*self.names, "label")):
            yield self._item(row, cells, where)

    def read_hub(
        self, source: Mapping[str, Any], language: str, split: str
    ) -> Iterator[dict[str, Any]]:
        """Stream a split of a hub data set that has the columns."""
        for row, cells in enumerate(hub.rows(source, language, split)):
            where = f"hub dataset {source['repo']}, {language} {split}, row {row + 1:,}"
            columns.require(cells, (*self.names, "label"), where)
            yield self._item(row, cells, where)

    def _item(self, row: int, cells: Mapping[str, Any], where: str) -> dict[str, Any]:
        texts = {name: columns.text(cells, name, where) for name in self.names}
        label = columns.label(cells["label"], self.labels, where)
        own = {"id": row, **texts, "label": label}
        return own | columns.language(cells, where)

    def read_items(self, path: Path | str) -> list[dict[str, Any]]:
        """Read prepared items (JSON lines, as ``tasks.prepare`` writes them)."""
        items = read_jsonl(path, keys=("id", *self.names, "label"))
        for number, item in enumerate(items, start=1):
            where = f"{path}: line {number:,}"
            item["label"] = columns.label(item["label"], self.labels, where)
        return items
