"""Packing documents of one language into token chunks, with a held-out slice.

Documents are shuffled with a seed; identification text is packed from the front of that
order and held-out text from its end, so the two share no document. Only the packed
tokens are held in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import files, tensors
from .corpora import Documents, Keep, language_filter
from .errors import DataError
from .progress import Progress

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
    """Chunks of one language.

    Attributes:
        tokens: int32 [chunks, chunk_length], for identification.
        heldout: int32 [chunks, chunk_length], of other documents.
        document_starts: int64 [documents], numbers of the first tokens of the documents
            in ``tokens``.
        counts: documents used, documents that repeat identification text and so cannot
            be held out, and documents that the language filter refused.
    """

    tokens: NDArray[np.int32]
    heldout: NDArray[np.int32]
    document_starts: NDArray[np.int64]
    counts: dict[str, int]


def pack(
    documents: Documents, encode: Encode, spec: dict[str, Any], bos_id: int | None
) -> Packed:
    """Pack documents into chunks without padding; the last part of a text is dropped.

    Documents follow each other without a separator (methods.md 1.2). A held-out
    document whose text also occurs in the identification text is left out.

    Args:
        documents: the text.
        encode: tokenizes texts without special tokens.
        spec: ``corpus``, ``language``, ``tokens``, ``heldout_tokens``,
            ``chunk_length``, ``bos`` (document, chunk, none), ``shuffle_seed`` (None
            keeps the order) and ``language_filter`` (None or ``minimum_percent``).
        bos_id: None where the tokenizer has no BOS; then none is put anywhere.

    Raises:
        DataError: there are fewer tokens than asked.
    """
    length, bos = spec["chunk_length"], spec["bos"]
    limits = spec["language_filter"]
    keep = language_filter(spec["language"], **limits) if limits else None
    order = np.arange(len(documents))
    if spec["shuffle_seed"] is not None:
        order = np.random.default_rng(spec["shuffle_seed"]).permutation(order)
    pile = _Pile(spec["tokens"] // length, length, bos, bos_id)
    progress = Progress(
        len(pile.flat), "tokens", f"tokenise {spec['corpus']} {spec['language']}"
    )
    taken, dropped = _fill(pile, documents, order, encode, keep, progress)
    progress.close()
    aside = _Pile(spec["heldout_tokens"] // length, length, bos, bos_id)
    rest = order[taken:][::-1]
    repeated = np.isin(documents.hashes[rest], documents.hashes[order[:taken]])
    _, dropped_aside = _fill(aside, documents, rest[~repeated], encode, keep)
    if not (pile.full and aside.full):
        raise DataError(_too_few(documents, spec, pile, aside, dropped + dropped_aside))
    counts = {
        "documents": len(pile.begins),
        "heldout_documents": len(aside.begins),
        "repeated_documents": int(repeated.sum()),
        "filtered_documents": dropped + dropped_aside,
    }
    return Packed(pile.chunks(), aside.chunks(), pile.starts, counts)


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


def _too_few(
    documents: Documents, spec: dict[str, Any], pile: _Pile, aside: _Pile, dropped: int
) -> str:
    corpus, have = spec["corpus"], pile.tokens + aside.tokens
    fetched = documents.path.suffix == ".jsonl"
    more = f", or raise corpora.{corpus}.fetch_bytes_per_token" if fetched else ""
    lost = f" ({dropped:,} documents failed language_filter)" if dropped else ""
    # Text enough, in so few documents that none is left: probably not split at all.
    unsplit = pile.full and len(documents) <= 100
    advice = (
        " Each line of the file is one document, and a document is never split between "
        "the two; put every article on a line of its own."
    )
    return (
        f"corpus {corpus!r}, language {spec['language']!r}: {documents.path} gives "
        f"{have:,} tokens from {len(documents):,} document{'s'[: len(documents) != 1]}"
        f"{lost}, but {spec['tokens']:,} + {spec['heldout_tokens']:,} held-out tokens "
        f"are asked.{advice * unsplit} "
        f"Lower corpora.{corpus}.tokens or .heldout_tokens{more}."
    )


def tokenise(
    text: Path,
    encode: Encode,
    bos_id: int | None,
    model: Mapping[str, str],
    spec: dict[str, Any],
    tokens: Path,
    manifest: Path,
) -> dict[str, Any]:
    """Pack a text file and write the chunks and their manifest.

    Args:
        text: .txt or .jsonl file.
        encode: see :func:`pack`.
        bos_id: see :func:`pack`.
        model: ``model`` and ``model_revision``, for the manifest.
        spec: see :func:`pack`.
        tokens: safetensors file to write: ``tokens``, ``heldout`` and
            ``document_starts``.
        manifest: JSON file to write.

    Returns:
        The manifest.
    """
    documents = Documents(text, spec["language"])
    packed = pack(documents, encode, spec, bos_id)
    arrays = {"tokens": packed.tokens, "heldout": packed.heldout}
    tensors.write(tokens, arrays | {"document_starts": packed.document_starts})
    entry = {
        "format": "langneurons/tokens/1",
        "corpus": spec["corpus"],
        "language": spec["language"],
        **model,
        "tokens": int(packed.tokens.size),
        "heldout_tokens": int(packed.heldout.size),
        "chunk_length": spec["chunk_length"],
        **packed.counts,
        "bos": spec["bos"],
        "bos_id": bos_id,
        "shuffle_seed": spec["shuffle_seed"],
        "language_filter": spec["language_filter"],
        "text_sha256": documents.sha256,
        "tokens_sha256": files.sha256(tokens),
    }
    files.write_json(manifest, entry)
    return entry
