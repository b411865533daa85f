"""How much of the cluster a job asks for, from the model's size and the attempt.

None of this changes a number: a retry gets more memory and time and a smaller
micro-batch. Profiles may override every value (``set-resources``).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from .config import Config

GPU_FROM = 1e9  # parameters: smaller models run on the CPU
ONE_THREAD_BELOW = 1e7  # parameters
GPU_BYTES = 80e9  # memory of one GPU in the sizes below (A100 or H100, 80 GB)


class Requests:
    """Resource functions for the rules: by wildcards, or for a model's name."""

    def __init__(self, config: Config) -> None:
        self.config = config

    def _size(self, wildcards: Any) -> float:
        return self.config.model(wildcards.model).parameters

    def gpu(self, wildcards: Any) -> int:
        """GPUs: enough for the 4-bit (or 16-bit) weights and as much work space."""
        return self.gpu_of(wildcards.model)

    def gpu_of(self, model: str) -> int:
        entry = self.config.model(model)
        if entry.parameters < GPU_FROM:
            return 0
        width = 0.6 if entry.quantization == "nf4" else 2.0  # bytes a weight
        return math.ceil(2 * width * entry.parameters / GPU_BYTES)

    def threads(self, wildcards: Any) -> int:
        """CPU threads: a tiny model is faster on one, and leaves the other cores."""
        return self.threads_of(wildcards.model)

    def threads_of(self, model: str) -> int:
        return 1 if self.config.model(model).parameters < ONE_THREAD_BELOW else 2

    def memory(self, wildcards: Any, attempt: int) -> int:
        """Main memory in MB: the weights pass through it once when they are loaded."""
        return int(attempt * (4000 + 2.5e-6 * self._size(wildcards)))

    def measuring_memory(self, wildcards: Any, attempt: int) -> int:
        """Main memory in MB with the histograms and sums of one language."""
        histograms = 8000 if self._size(wildcards) >= GPU_FROM else 0
        return self.memory(wildcards, attempt) + histograms

    def runtime(self, wildcards: Any, attempt: int) -> int:
        """Minutes for a job that loads the model and works through one bundle."""
        return attempt * (60 if self._size(wildcards) < GPU_FROM else 240)

    def training_runtime(self, wildcards: Any, attempt: int) -> int:
        """Minutes for fine-tuning; a killed job goes on from its checkpoint."""
        return attempt * (60 if self._size(wildcards) < GPU_FROM else 720)

    def micro_batch(self, wildcards: Any, attempt: int) -> int:
        """Sequences per forward pass; halved at each retry."""
        first = 32 if self._size(wildcards) < GPU_FROM else 16
        return max(1, first >> (attempt - 1))

    def checkpoint_every(self, wildcards: Any) -> int:
        """Optimiser steps between two checkpoints of a training."""
        names = (wildcards.task, wildcards.model, wildcards.tuning)
        return self.config.training(*names).checkpoint_every

    def of(self, name: str, model: str) -> Callable[[Any, int], int]:
        """Return the resource function ``name`` for a rule that has no wildcards."""
        function, fixed = getattr(self, name), SimpleNamespace(model=model)

        def resource(wildcards: Any, attempt: int) -> int:
            return function(fixed, attempt)

        return resource
