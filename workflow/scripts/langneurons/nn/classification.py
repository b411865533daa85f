"""Sentence-pair classification with a decoder: read-out, loss and predictions.

Mondal et al. 2025, section 4 (methods.md 2.3). The model is the stock sequence
classifier; only the pooling is ours, so that the paper's read-out can be chosen.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from ..errors import DataError
from ..progress import Progress
from .interventions import Intervention, applied
from .pairs import Encoded, collate

if TYPE_CHECKING:
    import pandas as pd


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
        self.classifier = _unwrapped(model)
        self.backbone = getattr(self.classifier, self.classifier.base_model_prefix)
        config = self.classifier.config.get_text_config()
        window = getattr(config, "sliding_window", None)
        self.compact = window is None or window >= encoded.max_length
        self.takes_positions = (
            "position_ids" in inspect.signature(self.backbone.forward).parameters
        )
        table = getattr(self.backbone, "wpe", None)  # learned positions (GPT-2)
        if (
            isinstance(table, nn.Embedding)
            and table.num_embeddings < encoded.max_length
        ):
            raise DataError(
                f"max_length is {encoded.max_length}, but the model has only "
                f"{table.num_embeddings} positions; lower the task's max_length"
            )
        weights = list(self.backbone.parameters())
        self.device = weights[0].device
        low = any(w.dtype in (torch.bfloat16, torch.uint8) for w in weights)
        # In float32 models autocast would only lose precision.
        self.autocast = self.device.type == "cuda" and low

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
        mask = batch.attention_mask.to(self.device)
        if on_mask is not None:
            on_mask(mask)
        options: dict[str, Any] = {}
        if self.takes_positions:
            options["position_ids"] = batch.position_ids.to(self.device)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.autocast):
            hidden = self.backbone(
                input_ids=batch.input_ids.to(self.device),
                attention_mask=mask,
                use_cache=False,
                **options,
            ).last_hidden_state
        if self.encoded.pool == "mean":
            weight = mask[..., None].float()
            features = (hidden.float() * weight).sum(1) / weight.sum(1)
        else:
            picked = torch.arange(len(rows), device=self.device)
            features = hidden[picked, batch.read.to(self.device)].float()
        scores: Tensor = self.classifier.score(features)
        return scores.float()

    def loss(self, rows: Sequence[int]) -> Tensor:
        """Return the cross entropy summed over items, a scalar (nats)."""
        labels = torch.from_numpy(self.encoded.labels[list(rows)]).to(self.device)
        return nn.functional.cross_entropy(self(rows), labels, reduction="sum")


def _unwrapped(model: Any) -> Any:
    return model.get_base_model() if hasattr(model, "get_base_model") else model


def predict(
    model: Any,
    encoded: Encoded,
    micro_batch: int,
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
        micro_batch: items per forward pass.
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
    with torch.inference_mode(), applied(model, intervention, family) as handle:
        for start in range(0, len(order), micro_batch):
            rows = order[start : start + micro_batch]
            done.append(scorer(rows, handle.set_mask).cpu())
            progress.update(len(rows))
    progress.close()
    sorted_scores = torch.cat(done).numpy()
    scores = np.empty_like(sorted_scores)
    scores[order] = sorted_scores
    if not np.isfinite(scores).all():
        bad = int((~np.isfinite(scores)).any(axis=1).sum())
        raise DataError(
            f"{label}: scores of {bad} of {len(scores)} items are not finite"
        )
    return scores


def table(scores: np.ndarray[Any, Any], encoded: Encoded) -> pd.DataFrame:
    """Lay predictions out, a row an item.

    Args:
        scores: float32 [items, labels], from ``predict``.
        encoded: the items.

    Returns:
        DataFrame: item int32, gold int8, prediction int8, correct bool, logit_0 ...
        float32. A tie goes to the lower label.
    """
    import pandas as pd

    best = scores.argmax(axis=1).astype(np.int8)
    columns: dict[str, Any] = {
        "item": encoded.ids.astype(np.int32),
        "gold": encoded.labels.astype(np.int8),
        "prediction": best,
        "correct": best == encoded.labels,
    }
    for label in range(scores.shape[1]):
        columns[f"logit_{label}"] = scores[:, label].astype(np.float32)
    return pd.DataFrame(columns)
