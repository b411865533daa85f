"""Perplexity of held-out text, with or without an intervention (methods.md 3.1)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
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
from langneurons.text.sentence_tokens import flat

from .examples import Ids
from .language_model import LanguageModel
from .likelihood import LOGITS, token_nll
from .padding import pad_right, positions


@dataclass(frozen=True)
class HeldOut:
    """Texts that are equally long (chunks) or not (sentences).

    Attributes:
        texts: token ids of each, int64.
        unread: first tokens of each that are not predicted, at least one: the first is
            predicted from nothing.
    """

    texts: Sequence[Ids]
    unread: int = 1

    @property
    def tokens(self) -> np.ndarray[Any, Any]:
        """How many tokens are predicted in each, int64 [texts]."""
        lengths = np.array([len(text) for text in self.texts], np.int64)
        return lengths - self.unread


def read(path: Path, spec: Mapping[str, Any]) -> HeldOut:
    """Read the held-out text of a job, the same for every treatment.

    Args:
        path: token file.
        spec: ``corpus``, ``chunks`` and, of sentences, ``unit`` and ``skip_tokens``.
    """
    where = f"corpora.{spec['corpus']}"
    if spec.get("unit") == "document":
        given = (spec["chunks"], spec["skip_tokens"], f"{where}.held_out")
        return read_sentences(path, *given)
    return read_heldout(path, spec["chunks"], f"{where}.heldout_tokens")


def read_heldout(path: Path | str, chunks: int, where: str) -> HeldOut:
    """Read the first held-out chunks of a token file.

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
        return HeldOut(list(heldout[:chunks].astype(np.int64)))


def read_sentences(path: Path, sentences: int, skip_tokens: int, where: str) -> HeldOut:
    """Read the first held-out sentences of a token file.

    Args:
        path: token file with ``heldout`` and ``heldout_starts``.
        sentences: how many to read.
        skip_tokens: first tokens of each that do not count.
        where: key of the configuration that says which rows are held out.

    Raises:
        DataError: there are fewer.
    """
    unread = max(1, skip_tokens)
    with tensors.open_file(path) as handle:
        ids, starts = flat(path, handle, "heldout", "heldout_starts", unread)
    if (there := len(starts) - 1) < sentences:
        raise DataError(
            f"{path}: {there} held-out sentences, but {sentences} are asked for. "
            f"Name more rows in {where} or lower the experiment's chunks"
        )
    bounds = starts.tolist()[: sentences + 1]
    ids = ids.astype(np.int64)
    return HeldOut([ids[a:b] for a, b in pairwise(bounds)], unread)


def text_nll(
    lm: LanguageModel, held_out: HeldOut, logits: int = LOGITS
) -> np.ndarray[Any, Any]:
    """Return the mean next-token negative log-likelihood within each text.

    Every token but the first ones is predicted from those before it in its own text.
    The paper's code also predicts across the end of a chunk and averages over batches.
    Texts of one batch are filled up on the right, where nothing reads them.

    Args:
        lm: a language model, as it is or under an intervention.
        held_out: the texts.
        logits: how many logits to hold at a time; memory only.

    Returns:
        float64 [texts], nats per token.

    Raises:
        DataError: a text has no next token, or a likelihood is not finite.
    """
    texts, unread, predicted = held_out.texts, held_out.unread, held_out.tokens
    if not len(texts) or predicted.min() < 1:
        short = int(predicted.min(initial=0)) + unread
        raise DataError(f"{lm.label}: texts of {short} tokens have no next token")
    run, found = lm.run(), []
    backbone = run.backbone
    order = sorted(range(len(texts)), key=lambda i: -len(texts[i]))
    with torch.inference_mode(), run.passes(len(texts), "texts") as (handle, bar):

        def mean_nll(rows: Sequence[int]) -> Tensor:
            ids, mask = (
                put(x, backbone.device)
                for x in pad_right([texts[row] for row in rows], run.filler)
            )
            handle.set_mask(mask)
            hidden = backbone.hidden(ids, mask, positions(mask[:1]))
            states, targets = hidden[:, unread - 1 : -1].flatten(0, 1), ids[:, unread:]
            nll = token_nll(backbone, states, targets.flatten(), logits)
            # Padding is scored as well: to take it out would wait for the GPU.
            counted = mask[:, unread:].bool()
            sums = nll.view_as(counted).double().where(counted, 0).sum(1)
            return sums / counted.sum(1)

        def trial(rows: int, timer: Timer) -> float:
            mean_nll(order[:rows])
            return timer(lambda: mean_nll(order[:rows]))

        def work(rows: Sequence[int]) -> None:
            found.append(mean_nll(rows))
            bar.update(len(rows))

        run.batches.settle("perplexity", len(texts[order[0]]), len(texts), trial)
        run.batches.each(order, work)
        # Only now: fetching the numbers of each part would wait for the GPU each time.
        nll = torch.cat(found).cpu().numpy()[np.argsort(order)]
    if not np.isfinite(nll).all():
        bad = int((~np.isfinite(nll)).sum())
        raise DataError(f"{lm.label}: the likelihood of {bad} texts is not finite")
    return nll


def summary(nll: np.ndarray[Any, Any], tokens: np.ndarray[Any, Any]) -> dict[str, Any]:
    """Sum up texts: every token has the same weight.

    Args:
        nll: float64 [texts], nats per token.
        tokens: int64 [texts], predicted tokens.

    Returns:
        ``n_chunks`` (texts), ``n_tokens`` (predicted ones), ``nll`` (nats per token),
        ``perplexity`` (its exponential; null where it exceeds a float).
    """
    # Equally long texts have weight 1, exactly.
    mean = float((nll * (tokens / tokens.mean())).mean())
    return {
        "n_chunks": len(nll),
        "n_tokens": int(tokens.sum()),
        "nll": mean,
        "perplexity": math.exp(mean) if mean < 700 else None,
    }


def table(nll: np.ndarray[Any, Any], tokens: np.ndarray[Any, Any]) -> pd.DataFrame:
    """Return a row per text: ``chunk`` from 0, ``nll`` per token, and ``tokens``."""
    number = np.arange(len(nll), dtype=np.int32)
    return pd.DataFrame(
        {"chunk": number, "nll": nll, "tokens": tokens.astype(np.int32)}
    )
