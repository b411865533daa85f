"""Measure a model's activations over sentences, each a text of its own."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from langneurons.config.errors import DataError
from langneurons.jobs import batching
from langneurons.jobs.batching import MicroBatch
from langneurons.jobs.progress import Progress

from .documents import inputs
from .measuring import described
from .recorder import Array, Recorder
from .sentence_passes import Sentences


@torch.no_grad()
def record_sentences(
    model: nn.Module,
    sentences: Sentences,
    *,
    histogram_every: int,
    micro_batch: int | MicroBatch,
    label: str,
    family: str | None = None,
    chunk_means: int = 0,
    contribution_top: float = 0,
) -> tuple[dict[str, Array], dict[str, str]]:
    """Run a model over sentences and collect the statistics.

    Args:
        model: backbone in evaluation mode.
        sentences: of one shard of a corpus.
        histogram_every: see ``Recorder``.
        micro_batch: how many of the longest sentences a forward pass may hold; of
            shorter ones it holds more. Speed and memory only.
        label: what to call this in the progress lines.
        family: see ``mlp_sites``.
        chunk_means: the first sentences of the corpus, so many, have their means kept.
        contribution_top: see ``ChunkRecorder``.

    Returns:
        The state, and the metadata that explains it.

    Raises:
        DataError: the corpus has fewer sentences than means are asked of, or what
            ``Recorder`` raises.
    """
    if sentences.corpus < chunk_means:
        raise DataError(
            f"{label}: activations.chunk_means asks for the means of {chunk_means} "
            f"sentences, and the corpus has {sentences.corpus}; lower it, or give more"
        )
    kept = None
    if chunk_means:
        kept = list(range(sentences.first, min(sentences.end, chunk_means)))
    batches = batching.of(micro_batch)

    def recorded() -> tuple[dict[str, Array], str]:
        progress = Progress(sentences.size, "tokens", label)
        recorder = Recorder(
            model,
            histogram_every,
            family=family,
            chunk_length=max(1, sentences.longest),
            mean_chunks=kept,
            contribution_top=contribution_top,
        )
        most = batches.size * sentences.longest
        with recorder:
            for part in sentences.passes(most, histogram_every, recorder.device):
                recorder.begin(part)
                model(**inputs(model, part.ids, None), use_cache=False)
                progress.update(part.ids.numel())
        progress.close()
        return recorder.state(), recorder.sites.activation

    # A pass that ran out of memory has counted some of its layers: it begins anew.
    rows = max(1, sentences.end - sentences.first)
    state, activation = batches.whole(rows, recorded)
    asked: dict[str, Any] = {
        "chunk_means": chunk_means,
        "contribution_top": contribution_top,
        "skip_tokens": sentences.skip,
    }
    return state, {"unit": "document"} | described(activation, histogram_every, asked)
