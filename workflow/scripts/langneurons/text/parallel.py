"""Whether sentences of two languages are translations of each other, by their numbers.

A sentence that one language lacks would set every later one beside another's
translation, without an error anywhere. That texts of one number mean the same is the
source's word.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from langneurons.config.errors import DataError

from . import sentences


def require(
    texts: Mapping[str, Sequence[Path]], spec: Mapping[str, Any], count: int
) -> None:
    """Refuse languages whose sentences are numbered in different ways.

    Args:
        texts: files of each language.
        spec: of each language its ``rows`` (see ``sentences.read``), its ``code``, and
            whether rows are ``counted``: a source without numbers of its own.
        count: sentences, from the first on, that are compared.

    Raises:
        DataError: the numbers differ, or so do those of all rows that are counted.
    """
    found: dict[str, list[int]] = {}
    for lang, paths in texts.items():
        own = spec[lang]
        read = sentences.read(paths, own["rows"], (lang, own["code"]))
        numbers = [sentence.number for sentence in read]
        found[lang] = numbers if own["counted"] else numbers[:count]
        if len(numbers) < count:
            raise DataError(
                f"{lang}: {len(numbers):,} sentences in {_named(paths)}, of which "
                f"{count:,} are compared; give fewer, or more text"
            )
    (first, numbers), *others = found.items()
    for lang, own in others:
        if len(own) != len(numbers):
            raise DataError(
                f"{lang}: {len(own):,} sentences in {_named(texts[lang])}, but "
                f"{len(numbers):,} of {first} in {_named(texts[first])}; parallel text "
                "has the same rows in each language"
            )
        for place, (a, b) in enumerate(zip(numbers, own, strict=True)):
            if a != b:
                raise DataError(
                    f"{lang}: sentence {place + 1:,} has number {b:,} in "
                    f"{_named(texts[lang])}, but {a:,} for {first} in "
                    f"{_named(texts[first])}; parallel text has the same rows in each "
                    "language"
                )


def _named(paths: Sequence[Path]) -> str:
    return ", ".join(map(str, paths))
