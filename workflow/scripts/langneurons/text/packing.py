"""Packing documents of one language into token chunks, and held-out ones apart.

Documents are shuffled with a seed; identification text is packed from the front of that
order and held-out text from its end, so the two share no document. They are files of
their own, so that holding out more leaves what was measured as it is. Only the packed
tokens are held in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from langneurons.config.errors import DataError
from langneurons.jobs.progress import Progress

from .corpora import Documents
from .language_identity import Keep, language_filter

Encode = Callable[[list[str]], list[list[int]]]

BATCH_CHARACTERS = 1_000_000
"""Text handed to the tokenizer at once."""


class _Pile:
    """Fills chunks of a fixed length; the content array is allocated once."""

    def __init__(self, chunks: int, length: int, bos: str, bos_id: int | None) -> None:
        self.head = [] if bos_id is None or bos == "none" else [bos_id]
        self.per_chunk = bool(self.head) and bos == "chunk"
        self.content: NDArray[np.int32] = np.empty(
            (chunks, length - self.per_chunk), dtype=np.int32
        )
        self.flat = self.content.reshape(-1)
        self.used = 0
        self.begins: list[int] = []

    @property
    def full(self) -> bool:
        return self.used == len(self.flat)

    @property
    def tokens(self) -> int:
        """Tokens in the whole chunks filled so far."""
        width = self.content.shape[1]
        return int(self.used // width * (width + self.per_chunk))

    def add(self, ids: list[int]) -> None:
        if not self.per_chunk:
            ids = self.head + ids
        taken = min(len(ids), len(self.flat) - self.used)
        self.flat[self.used : self.used + taken] = ids[:taken]
        self.begins.append(self.used)
        self.used += taken

    @property
    def starts(self) -> NDArray[np.int64]:
        """Numbers of the documents' first tokens in the finished chunks.

        The BOS of a chunk belongs to the document that begins with it.
        """
        begins = np.array(self.begins, dtype=np.int64)
        chunk, place = np.divmod(begins, self.content.shape[1])
        width = self.content.shape[1] + self.per_chunk
        return chunk * width + np.where(place > 0, place + self.per_chunk, 0)

    def chunks(self) -> NDArray[np.int32]:
        if not self.per_chunk:
            return self.content
        column = np.full((len(self.content), 1), self.head[0], dtype=np.int32)
        return np.concatenate([column, self.content], axis=1)


@dataclass(frozen=True)
class Packed:
    """Chunks of one language for identification.

    Attributes:
        tokens: int32 [chunks, chunk_length].
        document_starts: int64 [documents], numbers of the first tokens of the documents
            in ``tokens``.
        documents: documents used.
        filtered: documents that the language filter refused.
    """

    tokens: NDArray[np.int32]
    document_starts: NDArray[np.int64]
    documents: int
    filtered: int


@dataclass(frozen=True)
class HeldOut:
    """Chunks of one language that identification never sees.

    Attributes:
        chunks: int32 [chunks, chunk_length], of documents that no identification text
            repeats.
        documents: documents used.
        repeated: documents left out because identification text repeats them.
        filtered: documents that the language filter refused.
    """

    chunks: NDArray[np.int32]
    documents: int
    repeated: int
    filtered: int


def pack(
    documents: Documents, encode: Encode, spec: Mapping[str, Any], bos_id: int | None
) -> Packed:
    """Pack documents into chunks without padding; the last part of a text is dropped.

    Documents follow each other without a separator (methods.md 1.2). What is taken does
    not depend on how much is held out later.

    Args:
        documents: the text.
        encode: tokenizes texts without special tokens.
        spec: ``corpus``, ``language``, ``tokens``, ``chunk_length``, ``bos`` (document,
            chunk, none), ``shuffle_seed`` (None keeps the order), ``language_filter``
            (None or ``minimum_percent``) and ``hold_out``: whether documents must be
            left over (true where it is absent).
        bos_id: None where the tokenizer has no BOS; then none is put anywhere.

    Raises:
        DataError: there are fewer tokens than asked, or nothing is left to hold out.
    """
    pile = _pile(spec["tokens"], spec, bos_id)
    progress = Progress(
        len(pile.flat), "tokens", f"tokenise {spec['corpus']} {spec['language']}"
    )
    order = _order(documents, spec)
    passed, dropped = _fill(pile, documents, order, encode, _filter(spec), progress)
    progress.close()
    if not pile.full:
        raise DataError(_too_few(documents, spec, "tokens", pile, dropped))
    if passed == len(documents) and spec.get("hold_out", True):
        raise DataError(
            f"{_where(documents, spec)}: {spec['tokens']:,} tokens take all of its "
            f"{len(documents):,} documents, so that none is left to hold out. A "
            "document is one line of the file: give it a line each, or lower "
            f"corpora.{spec['corpus']}.tokens; heldout_tokens: 0 holds nothing out."
        )
    return Packed(pile.chunks(), pile.starts, len(pile.begins), dropped)


def hold_out(
    documents: Documents,
    encode: Encode,
    spec: Mapping[str, Any],
    bos_id: int | None,
    used: int,
) -> HeldOut:
    """Pack held-out documents, from the end of the order that ``pack`` began.

    Args:
        documents: the text, as given to ``pack``.
        encode: tokenizes texts without special tokens.
        spec: as given to ``pack``, with ``heldout_tokens`` instead of ``tokens``.
        bos_id: None where the tokenizer has no BOS.
        used: documents at the front of the order that were read for identification,
            those that the language filter refused among them.

    Raises:
        DataError: there are fewer tokens than asked.
    """
    aside = _pile(spec["heldout_tokens"], spec, bos_id)
    order = _order(documents, spec)
    rest = order[used:][::-1]
    repeated = np.isin(documents.hashes[rest], documents.hashes[order[:used]])
    left = rest[~repeated]
    _, dropped = _fill(aside, documents, left, encode, _filter(spec))
    if not aside.full:
        raise DataError(_too_few(documents, spec, "heldout_tokens", aside, dropped))
    lost = int(repeated.sum())
    return HeldOut(aside.chunks(), len(aside.begins), lost, dropped)


def _pile(tokens: int, spec: Mapping[str, Any], bos_id: int | None) -> _Pile:
    return _Pile(
        tokens // spec["chunk_length"], spec["chunk_length"], spec["bos"], bos_id
    )


def _order(documents: Documents, spec: Mapping[str, Any]) -> NDArray[np.int64]:
    """Return the numbers of the documents in the order in which they are taken."""
    order = np.arange(len(documents))
    if spec["shuffle_seed"] is not None:
        order = np.random.default_rng(spec["shuffle_seed"]).permutation(order)
    return order


def _filter(spec: Mapping[str, Any]) -> Keep | None:
    limits = spec["language_filter"]
    return language_filter(spec["language"], **limits) if limits else None


def _fill(
    pile: _Pile,
    documents: Documents,
    order: NDArray[np.int64],
    encode: Encode,
    keep: Keep | None,
    progress: Progress | None = None,
) -> tuple[int, int]:
    """Fill a pile; return how many documents were passed, and how many filtered out."""
    passed = dropped = 0
    batch: list[str | None] = []  # None stands for a document that was filtered out
    size = 0

    def flush() -> None:
        nonlocal passed, dropped, size
        before = pile.used
        encoded = iter(encode([text for text in batch if text is not None]))
        for text in batch:
            if pile.full:
                break
            passed += 1
            if text is None:
                dropped += 1
            else:
                pile.add(next(encoded))
        if progress is not None:
            progress.update(pile.used - before)
        batch.clear()
        size = 0

    if pile.full:
        return 0, 0
    for _, text in documents.read(order):
        wanted = keep is None or keep(text)
        batch.append(text if wanted else None)
        size += len(text)
        if size >= BATCH_CHARACTERS:
            flush()
            if pile.full:
                return passed, dropped
    flush()
    return passed, dropped


def _where(documents: Documents, spec: Mapping[str, Any]) -> str:
    corpus, language = spec["corpus"], spec["language"]
    return f"corpus {corpus!r}, language {language!r}: {documents.path}"


def _too_few(
    documents: Documents, spec: Mapping[str, Any], key: str, pile: _Pile, dropped: int
) -> str:
    """Say that a pile is not full; ``key`` is the setting that asks for its size."""
    place = f"corpora.{spec['corpus']}"
    after = " after those for identification" if key == "heldout_tokens" else ""
    lost = f" ({dropped:,} documents failed language_filter)" if dropped else ""
    fetched = documents.path.suffix == ".jsonl"
    more = f", or raise {place}.fetch_bytes_per_token (which fetches anew)" * fetched
    return (
        f"{_where(documents, spec)} gives {pile.tokens:,} tokens from its "
        f"{len(documents):,} documents{after}{lost}, but {spec[key]:,} are asked. "
        f"Lower {place}.{key}{more}."
    )
