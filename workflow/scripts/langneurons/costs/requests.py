"""How much of the cluster a job asks for, from the model's size and the attempt.

None of this changes a number: a retry gets more memory and time and a smaller
micro-batch. Profiles may override every value (``set-resources``).
"""

from __future__ import annotations

import math
from typing import Any

from langneurons.config.catalogue import Model
from langneurons.config.schema import Config

GPU_FROM = 1e9  # parameters: smaller models run on the CPU
ONE_THREAD_BELOW = 1e7  # parameters
GPU_BYTES = 80e9  # memory of one GPU in the sizes below (A100 or H100, 80 GB)
LARGE = 25e9  # parameters: from here on jobs take longer, and retries grow by halves
NEURON_BYTES = 2052  # a neuron's statistics: 481 bins of 4 bytes, counts and sums


def weight_bytes(entry: Model) -> float:
    """Return the size of a model as jobs load it: 4-bit (0.6 bytes a weight) or not."""
    if entry.quantization == "nf4":
        return 0.6 * entry.parameters
    return (4 if entry.dtype == "float32" else 2) * entry.parameters


def statistics_bytes(parameters: float) -> float:
    """Return about the size of an activations file of a model of that size.

    MLP neurons grow with the power 2/3 of the parameters: 458,752 for Llama 3.1 8B,
    573,440 for Nemo 12B and 2,293,760 for Llama 3.1 70B are within 15 %.
    """
    neurons = 0.12 * parameters ** (2 / 3)
    return float(NEURON_BYTES * neurons)


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
        return math.ceil(2 * weight_bytes(entry) / GPU_BYTES)

    def threads(self, wildcards: Any) -> int:
        """CPU threads: a tiny model is faster on one, and leaves the other cores."""
        return self.threads_of(wildcards.model)

    def threads_of(self, model: str) -> int:
        return 1 if self.config.model(model).parameters < ONE_THREAD_BELOW else 2

    def memory(self, wildcards: Any, attempt: int) -> int:
        """Main memory in MB: the weights pass through it once when they are loaded."""
        large = self._size(wildcards) >= LARGE
        growth = (1 + attempt) / 2 if large else attempt
        return int(growth * (4000 + 2.5e-6 * self._size(wildcards)))

    def measuring_memory(self, wildcards: Any, attempt: int) -> int:
        """Main memory in MB with the histograms and sums of one language."""
        size = self._size(wildcards)
        histograms = max(8000, 2e-6 * statistics_bytes(size)) if size >= GPU_FROM else 0
        return self.memory(wildcards, attempt) + int(histograms)

    def statistics_memory(self, wildcards: Any, attempt: int) -> int:
        """Main memory in MB of jobs that read statistics of neurons, but no model.

        Merging holds the sum and one shard; selecting reads layer by layer.
        """
        size = statistics_bytes(self._size(wildcards))
        return int(attempt * (4000 + 5e-6 * size))

    def runtime(self, wildcards: Any, attempt: int) -> int:
        """Minutes for a job that loads the model and works through one bundle."""
        size = self._size(wildcards)
        if size < GPU_FROM:
            return attempt * 60
        return attempt * round(240 * max(1, size / LARGE))

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
