"""How demo models are optimised: AdamW, its learning rate, and a mean of weights."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

WARMUP = 0.05  # share of the steps
WEIGHT_DECAY = 0.1
GRADIENT_NORM = 1.0


def adamw(model: Any, rate: float) -> torch.optim.AdamW:
    """Make the optimiser of a model's weights.

    Args:
        model: whose weights.
        rate: learning rate at its peak.
    """
    import torch

    return torch.optim.AdamW(_groups(model), lr=rate, betas=(0.9, 0.98))


class Mean:
    """Exponential mean of a model's weights over steps.

    Args:
        model: whose weights.
        kept: share of the mean that stays at each step; None: there is no mean.
    """

    def __init__(self, model: Any, kept: float | None) -> None:
        self.weights, self.kept = list(model.parameters()), kept
        self.mean: list[torch.Tensor] = []

    def add(self) -> None:
        """Take the weights as they are into the mean."""
        if self.kept is None:
            return
        if not self.mean:
            self.mean = [weight.detach().clone() for weight in self.weights]
        for mean, weight in zip(self.mean, self.weights, strict=True):
            mean.lerp_(weight.detach(), 1 - self.kept)

    def take(self) -> None:
        """Make the mean the model's weights, if there is one."""
        for mean, weight in zip(self.mean, self.weights, strict=False):
            weight.data.copy_(mean)


def cosine(step: int, steps: int) -> float:
    """Linear warm-up, then a cosine down to a twentieth of the learning rate.

    Args:
        step: from 0.
        steps: in all.

    Returns:
        The rate of this step as a share of its peak.
    """
    warmup = max(1, round(WARMUP * steps))
    if step < warmup:
        return (step + 1) / warmup
    done = (step - warmup) / max(1, steps - warmup)
    return 0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * done))


def _groups(model: Any) -> list[dict[str, Any]]:
    """Decay the matrices only: neither norms nor embeddings."""
    decayed: list[torch.Tensor] = []
    others: list[torch.Tensor] = []
    for name, weight in model.named_parameters():
        matrix = weight.ndim == 2 and "embed" not in name
        (decayed if matrix else others).append(weight)
    return [
        {"params": decayed, "weight_decay": WEIGHT_DECAY},
        {"params": others, "weight_decay": 0.0},
    ]
