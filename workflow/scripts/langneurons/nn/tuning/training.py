"""QLoRA fine-tuning: a plain loop that goes on where a killed job stopped.

Mondal et al. 2025, section 4 and appendix (methods.md 2.1, 2.2). Nothing here draws
random numbers while training: dropout is off and the order of an epoch is a function of
the seed and the epoch. So neither a kill nor the micro-batch changes the result.
"""

from __future__ import annotations

import hashlib
import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from langneurons.config.errors import DataError
from langneurons.config.task_entries import Training
from langneurons.jobs import files
from langneurons.jobs.cli import Job
from langneurons.jobs.progress import Progress

from .adapters import trainable

CURVE_POINTS = 100
"""Points of the loss curve in the training record."""


@dataclass(frozen=True)
class Plan:
    """Which items each optimiser step sees, and at what learning rate.

    Attributes:
        items: number of training items.
        batch_size: items per step; the last step of an epoch may have fewer.
        per_epoch: steps per epoch.
        steps: steps in all.
        warmup: steps of linear warm-up; linear decay to 0 follows.
        seed: of the order.
    """

    items: int
    batch_size: int
    per_epoch: int
    steps: int
    warmup: int
    seed: int

    @classmethod
    def of(cls, items: int, training: Training, seed: int) -> Plan:
        per_epoch = math.ceil(items / training.batch_size)
        # Rounding guards against 0.1 x 30 = 3.0000000000000004.
        steps = math.ceil(round(per_epoch * training.epochs, 6))
        base = per_epoch if training.warmup_of == "epoch" else steps
        warmup = int(training.warmup_ratio * base)
        return cls(items, training.batch_size, per_epoch, steps, warmup, seed)

    def factor(self, step: int) -> float:
        """Return the share of the learning rate at a step (from 0)."""
        if step < self.warmup:
            return step / self.warmup
        return max(0.0, (self.steps - step) / max(1, self.steps - self.warmup))

    def order(self, epoch: int) -> list[int]:
        """Return the order of the items in an epoch (from 0)."""
        order: list[int] = (
            np.random.default_rng([self.seed, epoch]).permutation(self.items).tolist()
        )
        return order

    def rows(self, step: int, order: Sequence[int]) -> Sequence[int]:
        """Return the items of a step, given the order of its epoch."""
        start = step % self.per_epoch * self.batch_size
        return order[start : start + self.batch_size]


@dataclass
class Checkpoint:
    """Where a killed job left off; one file in an undeclared folder.

    Attributes:
        folder: beside the outputs.
        key: hash of all that determines the result; another job's state is not used.
        every: optimiser steps between two writes.
    """

    folder: Path
    key: str
    every: int = 500
    path: Path = field(init=False)

    def __post_init__(self) -> None:
        self.path = self.folder / "training.pt"

    @classmethod
    def of(cls, job: Job) -> Checkpoint:
        """Make that of a job: its spec, code and input files determine the result."""
        paths = [
            path
            for _, given in sorted(job.inputs.items())
            for path in (given if isinstance(given, list) else [given])
        ]
        read = [files.sha256(path) for path in paths]
        whole = files.canonical({"spec": job.spec, "code": job.code, "inputs": read})
        key = hashlib.sha256(whole.encode()).hexdigest()
        return cls(job.checkpoints, key, job.checkpoint_every)

    def save(self, step: int, model: nn.Module, optimizer: Any, losses: Tensor) -> None:
        """Write the state after ``step`` steps, atomically."""
        state = {
            "key": self.key,
            "step": step,
            "losses": losses,
            "weights": {n: p.detach() for n, p in trainable(model).items()},
            "optimizer": optimizer.state_dict(),
        }
        with files.atomic(self.path) as part:
            torch.save(state, part)

    def load(self, model: nn.Module, optimizer: Any, losses: Tensor) -> int:
        """Restore the last state, if it is of this job; return the steps done."""
        if not self.path.exists():
            return 0
        state = self._read()
        if state and state["key"] != self.key:
            _say(f"{self.path}: of other settings, data or code; training starts over")
            return 0
        weights = trainable(model)
        fits = state and _same_shapes(state, {**weights, "losses": losses})
        if not fits or not _loaded(optimizer, state["optimizer"]):
            _say(f"{self.path}: damaged; training starts over")
            return 0
        with torch.no_grad():
            for name, value in state["weights"].items():
                weights[name].copy_(value)
        losses.copy_(state["losses"])
        _say(f"resumed from step {state['step']:,} of {len(losses):,} ({self.path})")
        return int(state["step"])

    def _read(self) -> dict[str, Any]:
        """Return the saved state; empty where the file is damaged."""
        try:
            state = torch.load(self.path, map_location="cpu", weights_only=True)
        except Exception:  # a damaged pickle fails in whatever way its bytes lead to
            return {}
        kinds = {"key": str, "step": int, "losses": Tensor, "weights": dict}
        kinds["optimizer"] = dict
        if not isinstance(state, dict):
            return {}
        right = all(isinstance(state.get(key), kind) for key, kind in kinds.items())
        return state if right else {}


def _loaded(optimizer: Any, saved: dict[str, Any]) -> bool:
    """Give an optimiser its saved state; False where that is not one of its own."""
    try:
        for group, given in zip(
            optimizer.param_groups, saved["param_groups"], strict=True
        ):
            if group.keys() != given.keys():
                return False
        moments = {tuple(one) for one in saved["state"].values()}
        optimizer.load_state_dict(saved)
    except (TypeError, ValueError, LookupError, AttributeError, RuntimeError):
        return False
    return len(moments) <= 1  # every weight has the same, in a state that is whole


def _same_shapes(state: dict[str, Any], wanted: dict[str, Tensor]) -> bool:
    """Whether a saved state has the tensors of a model, and the losses, as they are."""
    there = {**state["weights"], "losses": state["losses"]}
    return there.keys() == wanted.keys() and all(
        isinstance(there[name], Tensor) and there[name].shape == value.shape
        for name, value in wanted.items()
    )


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def fit(
    model: nn.Module,
    loss: Callable[[Sequence[int]], Tensor],
    plan: Plan,
    training: Training,
    micro_batch: int,
    checkpoint: Checkpoint | None = None,
    label: str = "train",
) -> np.ndarray[Any, Any]:
    """Train the trainable parameters of a model in place.

    AdamW, gradients clipped by their norm, mean loss over the items of a step. A step's
    items pass in parts of ``micro_batch``; their gradients add up to the same sum.

    Args:
        model: from ``wrap``.
        loss: given item numbers, returns their summed loss.
        plan: order and schedule.
        training: optimiser settings.
        micro_batch: items per forward pass; speed and memory only.
        checkpoint: where to go on from and to save to.
        label: for the progress lines.

    Returns:
        Mean loss of each step, float32 [steps] (nats per item).

    Raises:
        DataError: the loss is not finite.
    """
    weights = list(trainable(model).values())
    optimizer = torch.optim.AdamW(
        weights,
        lr=training.learning_rate,
        betas=training.adam_betas,
        weight_decay=training.weight_decay,
    )
    losses = torch.zeros(plan.steps, device=weights[0].device)
    done = checkpoint.load(model, optimizer, losses) if checkpoint else 0
    progress = Progress(plan.steps - done, "steps", label)
    epoch, order = -1, []
    for step in range(done, plan.steps):
        if step // plan.per_epoch != epoch:
            epoch = step // plan.per_epoch
            order = plan.order(epoch)
        for group in optimizer.param_groups:
            group["lr"] = training.learning_rate * plan.factor(step)
        rows = plan.rows(step, order)
        for start in range(0, len(rows), micro_batch):
            part = loss(rows[start : start + micro_batch]) / len(rows)
            part.backward()
            losses[step] += part.detach().to(losses.device)
        nn.utils.clip_grad_norm_(weights, training.max_gradient_norm)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        if checkpoint and (step + 1) % checkpoint.every == 0:
            _require_finite(losses[: step + 1], label)
            checkpoint.save(step + 1, model, optimizer, losses)
        progress.update(1)
    progress.close()
    _require_finite(losses, label)
    return losses.cpu().numpy()


def _require_finite(losses: Tensor, label: str) -> None:
    if not bool(torch.isfinite(losses).all()):
        step = int((~torch.isfinite(losses)).nonzero()[0]) + 1
        raise DataError(
            f"{label}: the loss is not finite at step {step:,}; lower learning_rate "
            "or max_gradient_norm"
        )


def curve(losses: np.ndarray[Any, Any]) -> list[dict[str, float]]:
    """Summarise the losses: the mean over at most ``CURVE_POINTS`` stretches."""
    parts = np.array_split(losses.astype(np.float64), min(CURVE_POINTS, len(losses)))
    ends = np.cumsum([len(part) for part in parts]).tolist()
    return [
        {"step": end, "loss": float(part.mean())}
        for end, part in zip(ends, parts, strict=True)
    ]


def record(
    model: nn.Module,
    plan: Plan,
    losses: np.ndarray[Any, Any],
    dropped: int,
    tuned_neurons: int = 0,
) -> dict[str, Any]:
    """Describe a training run; equal runs give equal records.

    Args:
        model: from ``wrap``; of masked matrices only the trained part is counted.
        plan: order and schedule.
        losses: from ``fit``.
        dropped: items left out because they were too long.
        tuned_neurons: number of MLP neurons whose weights were trained.
    """
    points = curve(losses)
    return {
        "format": "langneurons/training/1",
        "items": plan.items,
        "items_dropped": dropped,
        "steps": plan.steps,
        "steps_per_epoch": plan.per_epoch,
        "warmup_steps": plan.warmup,
        "tuned_neurons": tuned_neurons,
        "trainable_parameters": sum(p.numel() for p in trainable(model).values()),
        "final_loss": points[-1]["loss"],
        "loss_curve": points,
    }
