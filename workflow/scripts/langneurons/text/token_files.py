"""Token files: what packing a language's text leaves, with a manifest beside each.

``{lang}.safetensors`` holds the chunks that neurons are identified with,
``{lang}.heldout.safetensors`` those that only perplexity is measured on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from langneurons.config.errors import DataError
from langneurons.jobs import files, tensors

from .corpora import Documents
from .packing import Encode, hold_out, pack

USED: dict[str, type] = {
    "text_sha256": str, "documents": int, "filtered_documents": int
}  # fmt: skip
"""What holding out reads of the manifest of the identification chunks."""


def evenly(total: int, count: int) -> list[int]:
    """Choose ``count`` of the chunks 0 to ``total - 1``, evenly spaced, in order.

    Each is the middle one of its part of the range. All are chosen if there are fewer.
    """
    if count >= total:
        return list(range(total))
    return [(2 * i + 1) * total // (2 * count) for i in range(count)]


def tokenise(
    text: Sequence[Path],
    encode: Encode,
    bos_id: int | None,
    model: Mapping[str, str],
    spec: Mapping[str, Any],
    tokens: Path,
    manifest: Path,
) -> dict[str, Any]:
    """Pack a text file for identification; write the chunks and their manifest.

    Args:
        text: one .txt or .jsonl file.
        encode: see ``packing.pack``.
        bos_id: see ``packing.pack``.
        model: ``model`` and ``model_revision``, for the manifest.
        spec: see ``packing.pack``.
        tokens: safetensors file to write: ``tokens`` and ``document_starts``.
        manifest: JSON file to write.

    Returns:
        The manifest.
    """
    (path,) = text
    documents = Documents(path, spec["language"])
    packed = pack(documents, encode, spec, bos_id)
    tensors.write(
        tokens, {"tokens": packed.tokens, "document_starts": packed.document_starts}
    )
    entry = {
        "format": "langneurons/tokens/2",
        **_described(spec, model, bos_id, documents),
        "tokens": int(packed.tokens.size),
        "documents": packed.documents,
        "filtered_documents": packed.filtered,
        "tokens_sha256": files.sha256(tokens),
    }
    files.write_json(manifest, entry)
    return entry


def set_aside(
    text: Sequence[Path],
    encode: Encode,
    bos_id: int | None,
    model: Mapping[str, str],
    spec: Mapping[str, Any],
    identified: Path,
    heldout: Path,
    manifest: Path,
) -> dict[str, Any]:
    """Pack held-out text of a file; write the chunks and their manifest.

    Args:
        text: one .txt or .jsonl file.
        encode: see ``packing.pack``.
        bos_id: see ``packing.pack``.
        model: ``model`` and ``model_revision``, for the manifest.
        spec: see ``packing.hold_out``.
        identified: the manifest that ``tokenise`` wrote.
        heldout: safetensors file to write: ``heldout``.
        manifest: JSON file to write.

    Returns:
        The manifest.

    Raises:
        DataError: the identification chunks are of another text, or there are fewer
            tokens than asked.
    """
    (path,) = text
    documents = Documents(path, spec["language"])
    first = files.read_object(identified, "the manifest of a token file", USED)
    if first["text_sha256"] != documents.sha256:
        raise DataError(
            f"{identified}: made from another text than {path}. Delete it to redo it."
        )
    used = int(first["documents"]) + int(first["filtered_documents"])
    packed = hold_out(documents, encode, spec, bos_id, used)
    tensors.write(heldout, {"heldout": packed.chunks})
    entry = {
        "format": "langneurons/heldout/1",
        **_described(spec, model, bos_id, documents),
        "heldout_tokens": int(packed.chunks.size),
        "documents": packed.documents,
        "repeated_documents": packed.repeated,
        "filtered_documents": packed.filtered,
        "heldout_sha256": files.sha256(heldout),
    }
    files.write_json(manifest, entry)
    return entry


def _described(
    spec: Mapping[str, Any],
    model: Mapping[str, str],
    bos_id: int | None,
    documents: Documents,
) -> dict[str, Any]:
    """Return what a manifest says of the text, the model and the packing."""
    keys = ("corpus", "language", "chunk_length", "bos", "shuffle_seed")
    return {
        **{key: spec[key] for key in (*keys, "language_filter")},
        **model,
        "bos_id": bos_id,
        "text_sha256": documents.sha256,
    }
