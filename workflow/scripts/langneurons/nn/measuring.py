"""Measure a model's activations over the chunks of a corpus, or of one shard of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor, nn

from .. import batching
from ..batching import MicroBatch, Timer
from ..catalogue import PERCENTILES
from ..chunk_statistics import evenly
from ..errors import DataError
from ..progress import Progress
from .distributions import EMAX, EMIN, MANTISSA
from .gpus import put
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
) -> tuple[dict[str, Array], dict[str, str]]:
    """Run a model over chunks of text and collect the statistics.

    Args:
        model: backbone in evaluation mode.
        chunks: token ids [chunks, length].
        first_chunk: number of the first of them in the corpus.
        batch_chunks: chunks in a batch of the per-batch percentiles.
        histogram_every: see ``Recorder``.
        batch_quantiles: see ``Recorder``.
        micro_batch: chunks per forward pass; speed and memory only.
        label: what to call this in the progress lines.
        family: see ``mlp_sites``.
        chunk_means: chunks of the corpus, evenly spaced, whose means are kept; 0: none.
        contribution_top: see ``ChunkRecorder``.
        corpus_chunks: chunks in the whole corpus; None: these are its last.

    Returns:
        The state, and the metadata that explains it.
    """
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
    )

    def forward(recorder: Recorder, part: Tensor) -> None:
        ids = put(part, recorder.device).long()
        model(input_ids=ids, use_cache=False)

    def trial(rows: int, timer: Timer) -> float:
        # With a recorder of its own, since memory must do for its work as well.
        with new() as recorder:
            forward(recorder, chunks[:rows])
            return timer(lambda: forward(recorder, chunks[:rows]))

    batches = batching.of(micro_batch)
    batches.settle("record", length, len(chunks), trial)

    def recorded() -> tuple[dict[str, Array], str]:
        progress = Progress(chunks.numel(), "tokens", label)
        with new() as recorder:
            for start in range(0, len(chunks), batches.size):
                part = chunks[start : start + batches.size]
                forward(recorder, part)
                progress.update(part.numel())
        state = recorder.state()
        progress.close()
        return state, recorder.sites.activation

    # A pass that ran out of memory has counted some of its layers: it begins anew.
    state, activation = batches.whole(len(chunks), recorded)
    asked = {"chunk_means": chunk_means, "contribution_top": contribution_top}
    return state, {
        "activation": activation,
        "mantissa": str(MANTISSA),
        "emin": str(EMIN),
        "emax": str(EMAX),
        "histogram_every": str(histogram_every),
        "percentiles": json.dumps(list(PERCENTILES)),
    } | {key: str(value) for key, value in asked.items() if value}
