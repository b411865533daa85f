"""Perplexity of held-out text, with or without an intervention (methods.md 3.1)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from langneurons.config.errors import DataError
from langneurons.jobs import batching, tensors
from langneurons.jobs.batching import MicroBatch, Timer
from langneurons.jobs.gpus import put
from langneurons.jobs.progress import Progress

from .interventions import Intervention, applied

LOGITS = 2**26
"""Logits held at a time (256 MiB in float32): bounds memory for large vocabularies."""


def read_heldout(path: Path | str, chunks: int, where: str) -> Tensor:
    """Read the first held-out chunks of a token file, the same for every treatment.

    Args:
        path: token file with ``heldout`` int32 [held-out chunks, length].
        chunks: how many to read.
        where: key of the configuration that makes more of them.

    Raises:
        DataError: there are fewer.
    """
    with tensors.open_file(path) as handle:
        there, length = tensors.shape_of(
            path, handle, "heldout", tensors.INTEGERS, (None, None)
        )
        heldout = handle.get_slice("heldout")
        if there < chunks:
            raise DataError(
                f"{path}: {there} held-out chunks, but perplexity.chunks is {chunks}. "
                f"Raise {where} to {chunks * length:,} or lower perplexity.chunks"
            )
        return torch.from_numpy(heldout[:chunks])


@torch.inference_mode()
def chunk_nll(
    model: Any,
    chunks: Tensor,
    micro_batch: int | MicroBatch,
    intervention: Intervention | None = None,
    family: str | None = None,
    label: str = "perplexity",
    logits: int = LOGITS,
) -> np.ndarray[Any, Any]:
    """Return the mean next-token negative log-likelihood within each chunk.

    Every token but the first is predicted from those before it in its own chunk. The
    paper's code also predicts across the end of a chunk and averages over batches.

    Args:
        model: a stock causal language model.
        chunks: token ids [chunks, length], length at least 2.
        micro_batch: chunks per forward pass; speed and memory only.
        intervention: None leaves the model as it is.
        family: see ``architectures.mlp_sites``.
        label: for the progress lines.
        logits: how many logits to hold at a time; memory only.

    Returns:
        float64 [chunks], nats per token.

    Raises:
        DataError: a chunk has no next token, or a likelihood is not finite.
    """
    if chunks.ndim != 2 or chunks.shape[1] < 2:
        raise DataError(
            f"{label}: chunks of shape {tuple(chunks.shape)} have no next token"
        )
    backbone = getattr(model, model.base_model_prefix)
    device = next(backbone.parameters()).device
    progress = Progress(len(chunks), "chunks", label)
    found: list[Tensor] = []
    batches = batching.of(micro_batch)
    with applied(model, intervention, family) as handle:

        def run(part: Tensor) -> Tensor:
            ids = put(part, device).long()
            mask = torch.ones_like(ids)
            handle.set_mask(mask)
            hidden = backbone(
                input_ids=ids, attention_mask=mask, use_cache=False
            ).last_hidden_state
            return _mean_nll(model, hidden, ids, logits)

        def trial(rows: int, timer: Timer) -> float:
            run(chunks[:rows])
            return timer(lambda: run(chunks[:rows]))

        def work(rows: Sequence[int]) -> None:
            found.append(run(chunks[rows[0] : rows[-1] + 1]))
            progress.update(len(rows))

        batches.settle("perplexity", chunks.shape[1], len(chunks), trial)
        batches.each(range(len(chunks)), work)
    # Only now: fetching the numbers of each part would wait for the GPU each time.
    nll = torch.cat(found).cpu().numpy()
    progress.close()
    if not np.isfinite(nll).all():
        bad = int((~np.isfinite(nll)).sum())
        raise DataError(f"{label}: the likelihood of {bad} chunks is not finite")
    return nll


def _mean_nll(model: Any, hidden: Tensor, ids: Tensor, logits: int) -> Tensor:
    """Apply the output head to slices of positions; float64 [chunks]."""
    head = model.get_output_embeddings()
    # Gemma 2 squashes its logits; a model's forward pass does so after the head.
    cap = getattr(model.config.get_text_config(), "final_logit_softcapping", None)
    states, targets = hidden[:, :-1].flatten(0, 1), ids[:, 1:].flatten()
    size = max(1, logits // model.config.get_text_config().vocab_size)
    parts = []
    for state, target in zip(states.split(size), targets.split(size), strict=True):
        scores = head(state)
        if cap is not None:
            scores = torch.tanh(scores / cap) * cap
        parts.append(
            nn.functional.cross_entropy(scores.float(), target, reduction="none")
        )
    return torch.cat(parts).view(len(ids), -1).double().mean(dim=1)


def summary(nll: np.ndarray[Any, Any], chunk_length: int) -> dict[str, Any]:
    """Sum up the chunks, which are equally long.

    Returns:
        ``n_chunks``, ``n_tokens`` (predicted ones), ``nll`` (nats per token),
        ``perplexity`` (its exponential; null where it exceeds a float), ``chunk_nll``.
    """
    mean = float(nll.mean())
    return {
        "n_chunks": len(nll),
        "n_tokens": len(nll) * (chunk_length - 1),
        "nll": mean,
        "perplexity": math.exp(mean) if mean < 700 else None,
        "chunk_nll": [float(value) for value in nll],
    }
