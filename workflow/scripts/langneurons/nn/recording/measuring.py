"""Measure a model's activations over the chunks of a corpus, or of one shard of it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from langneurons.config.catalogue import PERCENTILES
from langneurons.config.errors import DataError
from langneurons.jobs import batching, files, tensors
from langneurons.jobs.batching import MicroBatch, Timer
from langneurons.jobs.progress import Progress
from langneurons.nn.models.architectures import family_of
from langneurons.text.token_files import evenly

from .distributions import EMAX, EMIN, MANTISSA
from .documents import Documents, inputs, require
from .recorder import Array, Recorder


def shard_chunks(
    chunks: int, batch_chunks: int, shard: int, shards: int
) -> tuple[int, int]:
    """Split chunks over shards at whole batches; return the first and the end.

    A corpus with fewer batches than shards leaves some shards empty.
    """
    if not 0 <= shard < shards:
        raise DataError(f"shard {shard} is not among 0 to {shards - 1}")
    batches = -(-chunks // batch_chunks)
    first, end = (batches * i // shards * batch_chunks for i in (shard, shard + 1))
    return min(chunks, first), min(chunks, end)


@dataclass(frozen=True)
class Shard:
    """What one job measures.

    Attributes:
        chunks: token ids [chunks, length].
        first: number of the first of them in the corpus.
        corpus_chunks: chunks in the whole corpus.
        documents: where documents begin; None where that does not matter.
    """

    chunks: Tensor
    first: int
    corpus_chunks: int
    documents: Documents | None


def read_shard(
    path: Path, batch_chunks: int, shard: int, shards: int, attention: str
) -> Shard:
    """Read a part of a token file.

    Args:
        path: token file with ``tokens``, and ``document_starts`` if it is needed.
        batch_chunks: see ``shard_chunks``.
        shard: which part.
        shards: of how many.
        attention: ``chunk`` or ``document``.

    Raises:
        DataError: there is no such shard, or the file does not say where documents
            begin.
    """
    documents = None
    with tensors.open_file(path) as handle:
        whole, length = tensors.shape_of(
            path, handle, "tokens", tensors.INTEGERS, (None, None)
        )
        tokens = handle.get_slice("tokens")
        first, end = shard_chunks(whole, batch_chunks, shard, shards)
        chunks = torch.from_numpy(tokens[first:end])
        if attention == "document":
            if "document_starts" not in handle.keys():  # noqa: SIM118
                raise DataError(
                    f"{path}: does not say where documents begin, which "
                    f"activations.attention 'document' needs{files.redo(path)}"
                )
            starts = "document_starts"
            tensors.shape_of(path, handle, starts, tensors.INTEGERS, (None,))
            documents = Documents(handle.get_tensor("document_starts"), length)
    return Shard(chunks, first, whole, documents)


def passes(
    first: int, end: int, micro_batch: int, batch_chunks: int = 1, every: int = 1
) -> Iterator[tuple[int, int]]:
    """Cut chunks into forward passes that do not split a batch whose values are used.

    A pass over a whole batch of ``batch_chunks`` needs less memory than keeping the
    activations of all layers until the rest of a batch has come.

    Args:
        first: number of the first chunk in the corpus.
        end: number after the last.
        micro_batch: chunks in a pass; more only where a batch that is used is larger.
        batch_chunks: chunks in a batch.
        every: batches with this divisor of their number are used.

    Yields:
        The numbers of a pass's first chunk and of the one after its last.
    """
    step = batch_chunks * every
    while first < end:
        last = first + micro_batch
        # The start of the last batch in use that begins before the end of the pass.
        batch = (last - 1) // step * step
        if last < batch + batch_chunks:
            last = batch if batch > first else batch + batch_chunks
        yield first, min(last, end)
        first = last


@torch.no_grad()
def record(
    model: nn.Module,
    chunks: Tensor,
    first_chunk: int,
    *,
    batch_chunks: int,
    histogram_every: int,
    batch_quantiles: Sequence[str],
    micro_batch: int | MicroBatch,
    label: str,
    family: str | None = None,
    chunk_means: int = 0,
    contribution_top: float = 0,
    corpus_chunks: int | None = None,
    documents: Documents | None = None,
    batch_quantiles_every: int = 1,
) -> tuple[dict[str, Array], dict[str, str]]:
    """Run a model over chunks of text and collect the statistics.

    Args:
        model: backbone in evaluation mode.
        chunks: token ids [chunks, length].
        first_chunk: number of the first of them in the corpus.
        batch_chunks: chunks in a batch of the per-batch percentiles.
        histogram_every: see ``Recorder``.
        batch_quantiles: see ``Recorder``.
        micro_batch: chunks per forward pass (see ``passes``); speed and memory only.
        label: what to call this in the progress lines.
        family: see ``mlp_sites``.
        chunk_means: chunks of the corpus, evenly spaced, whose means are kept; 0: none.
        contribution_top: see ``ChunkRecorder``.
        corpus_chunks: chunks in the whole corpus; None: these are its last.
        documents: tokens see their own document only; None: all of their chunk.
        batch_quantiles_every: every which batch of the corpus has its percentiles
            taken; the first one does.

    Returns:
        The state, and the metadata that explains it.

    Raises:
        DataError: the model cannot keep documents apart, or what ``Recorder`` raises.
    """
    if documents is not None:
        require(model, family or family_of(model))
    length, end = chunks.shape[1], first_chunk + len(chunks)
    chosen = None
    if chunk_means:
        whole = end if corpus_chunks is None else corpus_chunks
        chosen = [n for n in evenly(whole, chunk_means) if first_chunk <= n < end]
    new = partial(
        Recorder,
        model,
        histogram_every,
        batch_quantiles,
        batch_tokens=batch_chunks * length,
        first_token=first_chunk * length,
        family=family,
        chunk_length=length,
        mean_chunks=chosen,
        contribution_top=contribution_top,
        batches_every=batch_quantiles_every,
    )

    def forward(start: int, rows: int) -> int:
        part, places = chunks[start : start + rows], None
        if documents is not None:
            places = documents.position_ids(first_chunk + start, len(part))
        model(**inputs(model, part, places), use_cache=False)
        return part.numel()

    def trial(rows: int, timer: Timer) -> float:
        # With recorders of its own, since memory must do for their work as well.
        with new():
            forward(0, rows)
        with new():
            return timer(lambda: forward(0, rows))

    batches = batching.of(micro_batch)
    used = (batch_chunks, batch_quantiles_every) if batch_quantiles else ()
    work = "record" if documents is None else "record documents"
    batches.settle(work, length, len(chunks), trial)

    def recorded() -> tuple[dict[str, Array], str]:
        progress = Progress(chunks.numel(), "tokens", label)
        with new() as recorder:
            for start, stop in passes(first_chunk, end, batches.size, *used):
                progress.update(forward(start - first_chunk, stop - start))
        state = recorder.state()
        progress.close()
        return state, recorder.sites.activation

    # A pass that ran out of memory has counted some of its layers: it begins anew.
    least = batch_chunks if batch_quantiles else 1  # no smaller pass: see ``passes``
    state, activation = batches.whole(len(chunks), recorded, least)
    asked: dict[str, Any] = {
        "chunk_means": chunk_means,
        "contribution_top": contribution_top,
    }
    asked |= {"attention": "document"} if documents is not None else {}
    every = {"batch_quantiles_every": str(batch_quantiles_every)}
    return state, every | described(activation, histogram_every, asked)


def described(
    activation: str, histogram_every: int, asked: Mapping[str, Any]
) -> dict[str, str]:
    """Return metadata that explains a state.

    Args:
        activation: name of the activation function.
        histogram_every: every how many-th token is in the histogram.
        asked: what is named only where it is asked for.
    """
    return {
        "activation": activation,
        "mantissa": str(MANTISSA),
        "emin": str(EMIN),
        "emax": str(EMAX),
        "histogram_every": str(histogram_every),
        "percentiles": json.dumps(list(PERCENTILES)),
    } | {key: str(value) for key, value in asked.items() if value}
