"""Scores of a classifier on top of a decoder: read-out, loss and predictions.

Mondal et al. 2025, section 4 (methods.md 2.3). The model is the stock sequence
classifier; only the pooling is ours, so that the paper's read-out can be chosen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from langneurons.config.errors import DataError
from langneurons.jobs.batching import Timer
from langneurons.jobs.gpus import put
from langneurons.nn.models.backbone import Backbone

from .examples import Ids, Labelled, Reading
from .running import Run


@dataclass(frozen=True)
class Batch:
    """One forward pass; padding is always on the right.

    Attributes:
        input_ids: int64 [rows, length].
        attention_mask: int64 [rows, length], 1 for real tokens.
        position_ids: int64 [1, length].
        read: index of the position that is read, int64 [rows].
    """

    input_ids: Tensor
    attention_mask: Tensor
    position_ids: Tensor
    read: Tensor


def collate(sequences: Sequence[Ids], reading: Reading, compact: bool = True) -> Batch:
    """Put sequences into one right-padded batch.

    ``padded_last`` reads the last of ``length`` positions: an EOS that attends to all
    real tokens and to no padding. Nothing sees the padding in between, so one EOS with
    the last position's number gives the same scores without it (``compact``).

    Args:
        sequences: token ids.
        reading: how they are read.
        compact: False pads ``padded_last`` in full, as sliding windows require.
    """
    lengths = np.asarray([len(ids) for ids in sequences])
    if not lengths.all():
        raise DataError("an item has no tokens; is its text empty?")
    width, end = int(lengths.max()), reading.length
    padded = reading.pool == "padded_last"
    if padded:
        width = min(width + 1, end) if compact else end
    ids = np.full((len(sequences), width), reading.filler, dtype=np.int64)
    for row, sequence in enumerate(sequences):
        ids[row, : lengths[row]] = sequence
    positions = np.arange(width)
    if padded:
        positions[-1] = end - 1
    read = np.full(len(sequences), width - 1) if padded else lengths - 1
    return Batch(
        input_ids=torch.from_numpy(ids),
        attention_mask=torch.from_numpy((np.arange(width) < lengths[:, None]) * 1),
        position_ids=torch.from_numpy(positions)[None],
        read=torch.from_numpy(read),
    )


class Scorer:
    """Scores of a classifier, with our pooling.

    Args:
        backbone: of a stock sequence classifier.
        reading: how sequences are read.
    """

    def __init__(self, backbone: Backbone, reading: Reading) -> None:
        self.backbone, self.reading = backbone, reading
        window = backbone.sliding_window
        self.compact = window is None or window >= reading.length

    def __call__(
        self,
        sequences: Sequence[Ids],
        on_mask: Callable[[Tensor], None] | None = None,
    ) -> Tensor:
        """Score sequences.

        Args:
            sequences: token ids.
            on_mask: told the attention mask before the forward pass.

        Returns:
            float32 [sequences, labels].
        """
        batch = collate(sequences, self.reading, self.compact)
        device = self.backbone.device
        mask = put(batch.attention_mask, device)
        if on_mask is not None:
            on_mask(mask)
        with self.backbone.autocast:
            hidden = self.backbone.hidden(batch.input_ids, mask, batch.position_ids)
        if self.reading.pool == "mean":
            weight = mask[..., None].float()
            features = (hidden.float() * weight).sum(1) / weight.sum(1)
        else:
            picked = torch.arange(len(sequences), device=device)
            features = hidden[picked, put(batch.read, device)].float()
        return self.backbone.classes(features)


def summed_loss(
    backbone: Backbone, examples: Labelled
) -> Callable[[Sequence[int]], Tensor]:
    """Return the loss of items as a function of their numbers.

    Args:
        backbone: of a classifier in training.
        examples: the items.

    Returns:
        Function of rows: cross entropy summed over these items, a scalar (nats).
    """
    scorer = Scorer(backbone, examples.reading)

    def loss(rows: Sequence[int]) -> Tensor:
        logits = scorer([examples.tokens[row] for row in rows])
        labels = torch.from_numpy(examples.labels[list(rows)]).to(logits.device)
        return nn.functional.cross_entropy(logits, labels, reduction="sum")

    return loss


def scores(
    run: Run, sequences: Sequence[Ids], reading: Reading
) -> np.ndarray[Any, Any]:
    """Score every sequence, in its order.

    Batches hold sequences of similar length, longest first; neither they nor the
    micro-batch change scores beyond rounding.

    Args:
        run: a classifier, and what is done to it.
        sequences: token ids.
        reading: how they are read.

    Returns:
        float32 [sequences, labels].

    Raises:
        DataError: scores are not finite.
    """
    scorer = Scorer(run.backbone, reading)
    # A stable sort: equal lengths stay in their order.
    order = sorted(range(len(sequences)), key=lambda i: -len(sequences[i]))
    done: list[Tensor] = []
    with torch.inference_mode(), run.passes(len(sequences), "items") as (handle, bar):

        def score(rows: Sequence[int]) -> Tensor:
            return scorer([sequences[row] for row in rows], handle.set_mask)

        def trial(count: int, timer: Timer) -> float:
            score(order[:count])
            return timer(lambda: score(order[:count]))

        def work(rows: Sequence[int]) -> None:
            done.append(score(rows))
            bar.update(len(rows))

        longest = len(sequences[order[0]])
        run.batches.settle("classify", longest, len(order), trial)
        run.batches.each(order, work)
        # Only now: fetching the scores of each part would wait for the GPU each time.
        by_length = torch.cat(done).cpu().numpy()
    found = np.empty_like(by_length)
    found[order] = by_length
    if not np.isfinite(found).all():
        bad = int((~np.isfinite(found)).any(axis=1).sum())
        raise DataError(
            f"{run.what}: scores of {bad} of {len(found)} items are not finite"
        )
    return found
