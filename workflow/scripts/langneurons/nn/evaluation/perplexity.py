"""Perplexity of held-out text, with or without an intervention (methods.md 3.1)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from langneurons.config.errors import DataError
from langneurons.jobs import tensors
from langneurons.jobs.batching import Timer
from langneurons.jobs.gpus import put

from .language_model import LanguageModel
from .likelihood import LOGITS, token_nll
from .padding import positions


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
                f"{path}: {there} held-out chunks, but {chunks} are asked for. "
                f"Raise {where} to {chunks * length:,} or lower the experiment's chunks"
            )
        return torch.from_numpy(heldout[:chunks])


def chunk_nll(
    lm: LanguageModel, chunks: Tensor, logits: int = LOGITS
) -> np.ndarray[Any, Any]:
    """Return the mean next-token negative log-likelihood within each chunk.

    Every token but the first is predicted from those before it in its own chunk. The
    paper's code also predicts across the end of a chunk and averages over batches.

    Args:
        lm: a language model, as it is or under an intervention.
        chunks: token ids [chunks, length], length at least 2.
        logits: how many logits to hold at a time; memory only.

    Returns:
        float64 [chunks], nats per token.

    Raises:
        DataError: a chunk has no next token, or a likelihood is not finite.
    """
    if chunks.ndim != 2 or chunks.shape[1] < 2:
        raise DataError(
            f"{lm.label}: chunks of shape {tuple(chunks.shape)} have no next token"
        )
    run, found = lm.run(), []
    backbone = run.backbone
    with torch.inference_mode(), run.passes(len(chunks), "chunks") as (handle, bar):

        def mean_nll(part: Tensor) -> Tensor:
            ids = put(part, backbone.device).long()
            mask = torch.ones_like(ids)
            handle.set_mask(mask)
            hidden = backbone.hidden(ids, mask, positions(mask[:1]))
            states, targets = hidden[:, :-1].flatten(0, 1), ids[:, 1:].flatten()
            nll = token_nll(backbone, states, targets, logits)
            return nll.view(len(ids), -1).double().mean(dim=1)

        def trial(rows: int, timer: Timer) -> float:
            mean_nll(chunks[:rows])
            return timer(lambda: mean_nll(chunks[:rows]))

        def work(rows: Sequence[int]) -> None:
            found.append(mean_nll(chunks[rows[0] : rows[-1] + 1]))
            bar.update(len(rows))

        run.batches.settle("perplexity", chunks.shape[1], len(chunks), trial)
        run.batches.each(range(len(chunks)), work)
        # Only now: fetching the numbers of each part would wait for the GPU each time.
        nll = torch.cat(found).cpu().numpy()
    if not np.isfinite(nll).all():
        bad = int((~np.isfinite(nll)).sum())
        raise DataError(f"{lm.label}: the likelihood of {bad} chunks is not finite")
    return nll


def summary(nll: np.ndarray[Any, Any], chunk_length: int) -> dict[str, Any]:
    """Sum up the chunks, which are equally long.

    Returns:
        ``n_chunks``, ``n_tokens`` (predicted ones), ``nll`` (nats per token),
        ``perplexity`` (its exponential; null where it exceeds a float).
    """
    mean = float(nll.mean())
    return {
        "n_chunks": len(nll),
        "n_tokens": len(nll) * (chunk_length - 1),
        "nll": mean,
        "perplexity": math.exp(mean) if mean < 700 else None,
    }


def table(nll: np.ndarray[Any, Any]) -> pd.DataFrame:
    """Return a row per chunk: ``chunk`` from 0, and ``nll``, nats per token."""
    return pd.DataFrame({"chunk": np.arange(len(nll), dtype=np.int32), "nll": nll})
