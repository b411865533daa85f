"""Whose rows are these: files and data sets that name a language in every row.

XNLI is given out as one file for all languages, with a column ``language``. Such a file
serves a language with its own rows only; read whole, it would put one mixed number
beside all of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from langneurons.config.errors import DataError, did_you_mean

COLUMNS = ("language", "lang", "locale", "language_code", "lang_code")
"""Names of a column that says the language of a row, in any case."""

PATIENCE = 100_000
"""Rows of other languages after which a stream is given up."""


def of(cells: Mapping[str, Any], where: str) -> str | None:
    """Return the language that a row says it is in; None where it has no such column.

    A cell that is no text says nothing: data sets of the hub have columns without
    content, of lists and of numbers.

    Args:
        cells: the row's cells by the names of their columns.
        where: names the file and row in messages.

    Raises:
        DataError: it is blank, or two columns say different things.
    """
    said = {
        column: value
        for column, value in cells.items()
        if str(column).strip().lower() in COLUMNS and isinstance(value, str)
    }
    for column, value in said.items():
        if not value.strip():
            raise DataError(
                f"{where}: {column} is {value!r}; where rows name their language, each "
                "must; fill it in, or take the column out"
            )
    given = [value.strip() for value in said.values()]
    if not given:
        return None
    if not all(same(given[0], other) for other in given):
        shown = ", ".join(f"{column} {value!r}" for column, value in said.items())
        raise DataError(f"{where}: languages differ: {shown}; keep one of the columns")
    return given[0]


def same(one: str, other: str) -> bool:
    """Whether two codes are of one language: in any case, or with a region or script.

    ``zh-CN`` and ``ZH_cn`` are, and so are ``vi`` and ``vi-VN``.
    """
    a, b = (code.strip().casefold().replace("_", "-") for code in (one, other))
    return a == b or a.startswith(f"{b}-") or b.startswith(f"{a}-")


class Own:
    """Picks the rows of one language out of a file or data set, if rows name theirs.

    Args:
        language: the language code at hand.
        where: names the file or data set in messages.
    """

    def __init__(self, language: str, where: str) -> None:
        self.language, self.where = language, where
        self.others: Counter[str] = Counter()
        self.taken: str | None = None
        self.nameless = 0

    def take(self, said: str | None) -> bool:
        """Tell whether a row is of the language.

        Args:
            said: the language that the row names, or None; see :func:`of`.

        Raises:
            DataError: only some rows name a language, there are two variants of it, or
                a long stream has none of its rows.
        """
        if said is None:
            self.nameless += 1
        elif not same(said, self.language):
            self.others[said] += 1
        elif self.taken is None:
            self.taken = said
        elif self.taken.casefold() != said.casefold():
            raise DataError(
                f"{self.where}: rows of {self.taken!r} and of {said!r} would both be "
                f"those of {self.language!r}; keep those of one"
            )
        if self.nameless and (self.others or self.taken is not None):
            raise DataError(
                f"{self.where}: some rows name their language and others do not; fill "
                "it in everywhere, or take it out"
            )
        if self.others.total() == PATIENCE:
            self.close()
        return said is None or same(said, self.language)

    def close(self) -> None:
        """Check, after the last row, that there was one.

        Raises:
            DataError: rows name languages, and none of them is this one.
        """
        if self.others and self.taken is None:
            there = ", ".join(f"{k} ({n:,})" for k, n in self.others.most_common(20))
            hint = did_you_mean(self.language, self.others)
            raise DataError(
                f"{self.where}: no row is of language {self.language!r}{hint}; the "
                f"rows name: {there}"
            )

    def of_items(self, items: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Return the items of the language, numbered anew and without its name.

        Args:
            items: with ``language`` where their source names it.

        Raises:
            DataError: see :meth:`take` and :meth:`close`.
        """
        kept = [dict(item) for item in items if self.take(item.get("language"))]
        self.close()
        if self.taken is not None:
            for row, item in enumerate(kept):
                del item["language"]
                item["id"] = row
        return kept
