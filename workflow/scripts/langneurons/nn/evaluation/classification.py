"""Sentence-pair classification with a decoder: read-out, loss and predictions.

Mondal et al. 2025, section 4 (methods.md 2.3). The model is the stock sequence
classifier; only the pooling is ours, so that the paper's read-out can be chosen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from langneurons.config.errors import DataError
from langneurons.jobs import batching
from langneurons.jobs.batching import MicroBatch, Timer
from langneurons.jobs.gpus import put
from langneurons.jobs.progress import Progress
from langneurons.nn.models import folders, loading
from langneurons.nn.models.backbone import Backbone

from . import pairs
from .interventions import Intervention, applied
from .pairs import Encoded, collate

if TYPE_CHECKING:
    import pandas as pd

HEAD = "score"
"""Name of the linear layer that is trained in full."""

TASK_TYPE = "SEQ_CLS"


def load(
    folder: Path | str, task: Any, device: str, attention: str | None = None
) -> Any:
    """Load the stock classifier of a pinned folder, a label each of ``task.LABELS``."""
    return loading.load_classifier(
        folder, len(task.LABELS), device, attention=attention
    )


def encode(
    tokenizer: Any,
    items: Sequence[Mapping[str, Any]],
    parameters: Any,
    training: bool,
    language: str = "",
) -> Encoded:
    """Tokenise the items; see ``pairs.encode``. The language makes no difference."""
    return pairs.encode(tokenizer, items, parameters, training)


def require_fit(encoded: Encoded, manifest: Mapping[str, Any], training: bool) -> None:
    """Refuse items that the model has no positions or no embeddings for.

    Args:
        encoded: the items.
        manifest: of the model.
        training: makes no difference.
    """
    length = encoded.max_length
    folders.require_positions(manifest, length, "max_length", "the task's max_length")
    highest = max(int(ids.max(initial=0)) for ids in encoded.tokens)
    folders.require_tokens(manifest, max(highest, encoded.filler))


def summed_loss(model: Any, encoded: Encoded) -> Callable[[Sequence[int]], Tensor]:
    """Return the summed cross entropy of items as a function of their numbers."""
    return Scorer(model, encoded).loss


class Scorer:
    """Scores of a tuned classifier, with our pooling.

    Args:
        model: a stock sequence classifier, PEFT-wrapped or not.
        encoded: says how items are read.

    Raises:
        DataError: the model has fewer positions than ``max_length``.
    """

    def __init__(self, model: Any, encoded: Encoded) -> None:
        self.encoded = encoded
        self.backbone = Backbone(model)
        window, length = self.backbone.sliding_window, encoded.max_length
        self.compact = window is None or window >= length
        self.backbone.require_positions(length, "max_length", "max_length")

    def __call__(
        self, rows: Sequence[int], on_mask: Callable[[Tensor], None] | None = None
    ) -> Tensor:
        """Score items.

        Args:
            rows: indices of items.
            on_mask: told the attention mask before the forward pass.

        Returns:
            float32 [rows, labels].
        """
        batch = collate(self.encoded, rows, self.compact)
        device = self.backbone.device
        mask = put(batch.attention_mask, device)
        if on_mask is not None:
            on_mask(mask)
        with self.backbone.autocast:
            hidden = self.backbone.hidden(batch.input_ids, mask, batch.position_ids)
        if self.encoded.pool == "mean":
            weight = mask[..., None].float()
            features = (hidden.float() * weight).sum(1) / weight.sum(1)
        else:
            picked = torch.arange(len(rows), device=device)
            features = hidden[picked, put(batch.read, device)].float()
        scores: Tensor = self.backbone.model.score(features)
        return scores.float()

    def loss(self, rows: Sequence[int]) -> Tensor:
        """Return the cross entropy summed over items, a scalar (nats)."""
        scores = self(rows)
        labels = torch.from_numpy(self.encoded.labels[list(rows)]).to(scores.device)
        return nn.functional.cross_entropy(scores, labels, reduction="sum")


def predict(
    model: Any,
    encoded: Encoded,
    micro_batch: int | MicroBatch,
    intervention: Intervention | None = None,
    family: str | None = None,
    label: str = "predict",
) -> np.ndarray[Any, Any]:
    """Score every item, in its order.

    Batches hold items of similar length, longest first; neither they nor
    ``micro_batch`` change scores beyond rounding.

    Args:
        model: a tuned classifier.
        encoded: the items.
        micro_batch: items per forward pass; speed and memory only.
        intervention: None leaves the model as it is.
        family: see ``architectures.mlp_sites``.
        label: for the progress lines.

    Returns:
        float32 [items, labels].

    Raises:
        DataError: scores are not finite.
    """
    scorer = Scorer(model, encoded)
    # A stable sort: equal lengths stay in their order.
    order = sorted(range(len(encoded)), key=lambda i: -len(encoded.tokens[i]))
    done: list[Tensor] = []
    progress = Progress(len(encoded), "items", label)
    batches = batching.of(micro_batch)
    with torch.inference_mode(), applied(model, intervention, family) as handle:

        def run(rows: Sequence[int]) -> Tensor:
            return scorer(rows, handle.set_mask)

        def trial(count: int, timer: Timer) -> float:
            run(order[:count])
            return timer(lambda: run(order[:count]))

        def work(rows: Sequence[int]) -> None:
            done.append(run(rows))
            progress.update(len(rows))

        longest = len(encoded.tokens[order[0]])
        batches.settle("classify", longest, len(order), trial)
        batches.each(order, work)
    # Only now: fetching the scores of each part would wait for the GPU each time.
    sorted_scores = torch.cat(done).cpu().numpy()
    progress.close()
    scores = np.empty_like(sorted_scores)
    scores[order] = sorted_scores
    if not np.isfinite(scores).all():
        bad = int((~np.isfinite(scores)).any(axis=1).sum())
        raise DataError(
            f"{label}: scores of {bad} of {len(scores)} items are not finite"
        )
    return scores


def evaluate(
    model: Any,
    encoded: Encoded,
    micro_batch: int | MicroBatch,
    intervention: Intervention | None = None,
    family: str | None = None,
    label: str = "",
) -> pd.DataFrame:
    """Score every item and lay the predictions out; see ``predict`` and ``table``."""
    scores = predict(model, encoded, micro_batch, intervention, family, label)
    return table(scores, encoded)


def table(scores: np.ndarray[Any, Any], encoded: Encoded) -> pd.DataFrame:
    """Lay predictions out, a row an item.

    Args:
        scores: float32 [items, labels], from ``predict``.
        encoded: the items.

    Returns:
        DataFrame: item int32, gold int8, prediction int8, accuracy bool (is it
        right), logit_0 ... float32. A tie goes to the lower label.
    """
    import pandas as pd

    best = scores.argmax(axis=1).astype(np.int8)
    columns: dict[str, Any] = {
        "item": encoded.ids.astype(np.int32),
        "gold": encoded.labels.astype(np.int8),
        "prediction": best,
        "accuracy": best == encoded.labels,
    }
    for label in range(scores.shape[1]):
        columns[f"logit_{label}"] = scores[:, label].astype(np.float32)
    return pd.DataFrame(columns)
