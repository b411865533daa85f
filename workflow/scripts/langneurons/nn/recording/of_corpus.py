"""Measure one shard of a token file, whether it holds chunks or sentences."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from langneurons.jobs.batching import MicroBatch

from .measuring import read_shard, record
from .recorder import Array
from .sentence_passes import read_sentences
from .sentences import record_sentences


def record_shard(
    model: nn.Module, tokens: Path, spec: Mapping[str, Any], batches: MicroBatch
) -> tuple[dict[str, Array], dict[str, str]]:
    """Read a job's part of a token file and record it.

    Args:
        model: backbone in evaluation mode.
        tokens: the token file.
        spec: of the job; see ``measure_activations``.
        batches: how much goes through the model at once.

    Returns:
        The state, and the metadata that explains it.
    """
    shard, shards = spec["shard"], spec["shards"]
    shared = {key: spec[key] for key in ("histogram_every", "family", "chunk_means")}
    shared["contribution_top"] = spec["contribution_top"]
    label = f"{spec['language']} {shard + 1} of {shards}"
    if spec.get("unit") == "document":
        sentences = read_sentences(tokens, shard, shards, spec["skip_tokens"])
        return record_sentences(
            model, sentences, micro_batch=batches, label=label, **shared
        )
    read = read_shard(tokens, spec["batch_chunks"], shard, shards, spec["attention"])
    quantiles = ("batch_chunks", "batch_quantiles", "batch_quantiles_every")
    return record(
        model,
        read.chunks,
        read.first,
        corpus_chunks=read.corpus_chunks,
        documents=read.documents,
        micro_batch=batches,
        label=label,
        **{key: spec[key] for key in quantiles},
        **shared,
    )
