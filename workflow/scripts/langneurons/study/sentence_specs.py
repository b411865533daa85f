"""What jobs read of a corpus whose sentences are texts of their own (unit document)."""

from __future__ import annotations

from typing import Any

from langneurons.config.catalogue import Activations, Corpus
from langneurons.config.errors import ConfigError


def fetched(entry: Corpus) -> list[dict[str, Any]]:
    """Say which rows of a hub data set are fetched: whole splits, or their beginning.

    Rows that a column numbers may stand anywhere in their split.
    """
    found: dict[str, dict[str, Any]] = {}
    for part in ("recorded", "held_out"):
        if (rows := entry.rows(part)) is None:
            continue
        split = str(rows.split)
        below = None if rows.column else rows.below
        if (first := found.get(split)) is not None:
            ends = (first["below"], below)
            below = None if None in ends else max(first["below"], rows.below or 0)
        found[split] = {"split": split, "column": rows.column, "below": below}
    return list(found.values())


def tokenised(entry: Corpus, corpus: str, lang: str, part: str) -> dict[str, Any]:
    """Say which sentences of a language are tokenised, and how.

    Args:
        entry: of the corpus.
        corpus: its name.
        lang: the language.
        part: ``recorded`` or ``held_out``.

    Raises:
        ConfigError: no sentences are held out.
    """
    if (rows := entry.rows(part)) is None:
        raise ConfigError(f"corpora.{corpus}: nothing is held out; give 'held_out'")
    numbers: dict[str, Any] = {"at_least": rows.at_least, "below": rows.below}
    if entry.hub is not None:  # as ``sentences.fetch`` writes them
        columns = {"split": rows.split, "column": "number", "text_column": "text"}
    else:
        columns = {"column": rows.column, "text_column": entry.text_column}
    limits = entry.language_filter
    return run(entry) | {
        "corpus": corpus,
        "language": lang,
        "code": entry.code(lang),
        "rows": columns | numbers,
        "chunk_length": entry.chunk_length,
        "bos": entry.bos,
        "prefix": entry.prefix,
        "language_filter": limits.model_dump(mode="json") if limits else None,
    }


def recorded(entry: Corpus, activations: Activations) -> dict[str, Any]:
    """Say what is recorded of sentences; they have no batches, and see no other."""
    keys = ("histogram_every", "chunk_means", "contribution_top")
    return run(entry) | {key: getattr(activations, key) for key in keys}


def run(entry: Corpus) -> dict[str, Any]:
    """Say how sentences go through a model."""
    return {"unit": entry.unit, "skip_tokens": entry.skip_tokens}
