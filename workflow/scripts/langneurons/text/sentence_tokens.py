"""Tokens of sentences, one after the other, for corpora with ``unit: document``.

Nothing is packed: a sentence runs through a model by itself. Its first ``skip_tokens``
tokens, BOS and prefix among them, do not count.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from langneurons.config.errors import DataError
from langneurons.jobs import files, tensors

from .language_identity import language_filter
from .packing import Encode
from .sentences import Sentence, read

HASHES = "sentence_hashes"


@dataclass(frozen=True)
class Tokenised:
    """Token ids of sentences.

    Attributes:
        tokens: int32 [tokens], sentence after sentence.
        starts: int64 [sentences], where each begins.
        hashes: int64 [sentences], of their texts.
        counted: tokens that count.
        filtered: sentences that the language filter refused.
        repeated: sentences left out because recorded text repeats them.
        cut: sentences of which only the first ``chunk_length`` tokens are here.
    """

    tokens: NDArray[np.int32]
    starts: NDArray[np.int64]
    hashes: NDArray[np.int64]
    counted: int
    filtered: int
    repeated: int
    cut: int


def tokenised(
    sentences: Sequence[Sentence],
    encode: Encode,
    spec: Mapping[str, Any],
    bos_id: int | None,
    *,
    uncounted: int,
    most: int | None = None,
    known: NDArray[np.int64] | None = None,
) -> Tokenised:
    """Tokenise sentences, in their order.

    Args:
        sentences: of one language.
        encode: tokenizes texts without special tokens.
        spec: ``corpus``, ``language``, ``chunk_length``, ``bos`` (document or none),
            ``prefix`` and ``language_filter``.
        bos_id: None where the tokenizer has no BOS; then none is put anywhere.
        uncounted: first tokens of a sentence that do not count.
        most: no sentence is taken with which more tokens would count, and none after.
        known: hashes of texts that are left out.

    Raises:
        DataError: a sentence without a token that counts, or none is left.
    """
    limits = spec["language_filter"]
    keep = language_filter(spec["language"], **limits) if limits else None
    own = [s for s in sentences if keep is None or keep(s.text)]
    seen = set() if known is None else set(known.tolist())
    new = [sentence for sentence in own if sentence.hash not in seen]
    head = [] if bos_id is None or spec["bos"] == "none" else [bos_id]
    rows: list[list[int]] = []
    counted = cut = 0
    for ids, sentence in zip(
        encode([spec["prefix"] + sentence.text for sentence in new]), new, strict=True
    ):
        row = (head + ids)[: spec["chunk_length"]]
        if len(row) <= uncounted:
            raise DataError(
                f"{sentence.where}: {sentence.text!r} has {len(row)} tokens with BOS "
                f"and prefix, of which the first {uncounted} do not count; lower "
                f"corpora.{spec['corpus']}.skip_tokens, or take the sentence out"
            )
        if most is not None and counted + len(row) - uncounted > most:
            break
        counted += len(row) - uncounted
        cut += len(head) + len(ids) > len(row)
        rows.append(row)
    where = f"corpus {spec['corpus']!r}, language {spec['language']!r}"
    if not rows:
        raise DataError(
            f"{where}: no sentence is left of {len(sentences):,}: "
            f"{len(sentences) - len(own):,} failed language_filter, "
            f"{len(own) - len(new):,} are recorded text"
            + (f", and the first one passes tokens: {most:,}" if new else "")
        )
    sizes = np.array([len(row) for row in rows], np.int64)
    hashes = [sentence.hash for sentence in new[: len(rows)]]
    return Tokenised(
        tokens=np.concatenate([np.array(row, np.int32) for row in rows]),
        starts=np.cumsum(sizes) - sizes,
        hashes=np.array(hashes, np.int64),
        counted=counted,
        filtered=len(sentences) - len(own),
        repeated=len(own) - len(new),
        cut=cut,
    )


def record(
    text: Sequence[Path],
    encode: Encode,
    bos_id: int | None,
    model: Mapping[str, str],
    spec: Mapping[str, Any],
    tokens: Path,
    manifest: Path,
) -> None:
    """Tokenise the sentences that are recorded; write them and their manifest.

    Args:
        text: the files that they are in.
        encode: see :func:`tokenised`.
        bos_id: see :func:`tokenised`.
        model: ``model`` and ``model_revision``, for the manifest.
        spec: as for :func:`tokenised`, with ``tokens``, ``skip_tokens``, ``code`` and
            ``rows`` (see ``sentences.read``).
        tokens: safetensors file to write: ``tokens``, ``document_starts``, and
            ``sentence_hashes``.
        manifest: JSON file to write.
    """
    sentences = read(text, spec["rows"], (spec["language"], spec["code"]))
    found = tokenised(
        sentences,
        encode,
        spec,
        bos_id,
        uncounted=spec["skip_tokens"],
        most=spec["tokens"],
    )
    tensors.write(
        tokens,
        {
            "tokens": found.tokens,
            "document_starts": found.starts,
            HASHES: found.hashes,
        },
    )
    entry = _described(spec, model, bos_id, found) | {
        "format": "langneurons/sentences/1",
        "tokens": found.counted,
        "tokens_sha256": files.sha256(tokens),
    }
    files.write_json(manifest, entry)


def hold_out(
    text: Sequence[Path],
    encode: Encode,
    bos_id: int | None,
    model: Mapping[str, str],
    spec: Mapping[str, Any],
    identified: Path,
    heldout: Path,
    manifest: Path,
) -> None:
    """Tokenise sentences that are not recorded; write them and their manifest.

    Args:
        text: the files that they are in.
        encode: see :func:`tokenised`.
        bos_id: see :func:`tokenised`.
        model: ``model`` and ``model_revision``, for the manifest.
        spec: as for :func:`record`, without ``tokens``.
        identified: the manifest that :func:`record` wrote, beside the tokens;
            sentences that repeat those are left out.
        heldout: safetensors file to write: ``heldout`` and ``heldout_starts``.
        manifest: JSON file to write.
    """
    sentences = read(text, spec["rows"], (spec["language"], spec["code"]))
    recorded = identified.with_suffix(".safetensors")
    with tensors.open_file(recorded) as handle:
        tensors.shape_of(recorded, handle, HASHES, tensors.INTEGERS, (None,))
        known = handle.get_tensor(HASHES)
    # The first token of a text is predicted from nothing, whatever is skipped.
    uncounted = max(1, spec["skip_tokens"])
    found = tokenised(sentences, encode, spec, bos_id, uncounted=uncounted, known=known)
    tensors.write(heldout, {"heldout": found.tokens, "heldout_starts": found.starts})
    entry = _described(spec, model, bos_id, found) | {
        "format": "langneurons/heldout-sentences/1",
        "heldout_tokens": found.counted,
        "repeated_documents": found.repeated,
        "heldout_sha256": files.sha256(heldout),
    }
    files.write_json(manifest, entry)


def flat(
    path: Path, handle: Any, tokens: str, starts: str, skip: int
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Read token ids, and where sentences begin, with the end of all.

    Args:
        path: named in messages.
        handle: of ``tensors.open_file``.
        tokens: name of the array of token ids.
        starts: name of that of the beginnings.
        skip: tokens that each sentence must have more of.

    Raises:
        DataError: an array is missing, or they do not belong together.
    """
    (size,) = tensors.shape_of(path, handle, tokens, tensors.INTEGERS, (None,))
    tensors.shape_of(path, handle, starts, tensors.INTEGERS, (None,))
    bounds = np.append(handle.get_tensor(starts), size)
    if len(bounds) < 2 or bounds[0] != 0 or np.diff(bounds).min() <= skip:
        raise DataError(
            f"{path}: sentences in {starts} do not begin at 0, or have no more than "
            f"{skip} tokens{files.redo(path)}"
        )
    return handle.get_tensor(tokens), bounds


def _described(
    spec: Mapping[str, Any],
    model: Mapping[str, str],
    bos_id: int | None,
    found: Tokenised,
) -> dict[str, Any]:
    """Return what a manifest says of the text, the model and the sentences."""
    keys = ("corpus", "language", "code", "rows", "bos", "prefix", "skip_tokens")
    return {
        **{key: spec[key] for key in (*keys, "chunk_length", "language_filter")},
        **model,
        "bos_id": bos_id,
        "documents": len(found.starts),
        "filtered_documents": found.filtered,
        "cut_documents": found.cut,
    }
