"""How much of the cluster a job asks for: its model's size, its estimate, the attempt.

None of this changes a number: a retry gets more memory and time and a smaller
micro-batch. Profiles may override every value (``set-resources``).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cached_property
from typing import Any

from langneurons.config.schema import Config

from .job_estimates import JobEstimates, asks
from .parts import Parts
from .rates import GPU_FROM, statistics_bytes, weight_bytes

ONE_THREAD_BELOW = 1e7  # parameters
GPU_BYTES = 80e9
"""Memory of a GPU where none is given or found: an A100 or H100 of 80 GB."""
LARGE = 25e9  # parameters: from here on jobs take longer, and retries grow by halves
MARGIN = 2.5
"""Requested over estimated time: estimates are right within a factor of two."""
SEQUENCES = 16
"""Per forward pass of a large model, to begin with, on a GPU of that size or more."""
SHORTEST = 20
"""Minutes that a job asks for at least: an estimate knows of no slow file system."""


class Requests:
    """Resource functions for the rules: by wildcards, or for a model's name.

    Args:
        config: the configuration.
        parts: of it, if they are known already.
        machine: returns the bytes of a GPU of this machine; None: jobs run elsewhere,
            or there is none. Called only if a job may want a GPU and the configuration
            does not say.
    """

    def __init__(
        self,
        config: Config,
        parts: Parts | None = None,
        machine: Callable[[], float | None] = lambda: None,
    ) -> None:
        self.config = config
        self._given = parts
        self._machine = machine

    @cached_property
    def gpu_bytes(self) -> float:
        """Memory of one GPU: as configured, as found, or ``GPU_BYTES``."""
        given = self.config.resources.gpu_memory_gb
        return 1e9 * given if given else self._machine() or GPU_BYTES

    @cached_property
    def _estimates(self) -> JobEstimates:
        return JobEstimates(self.config, parts=self._given)

    def _size(self, wildcards: Any) -> float:
        return self.config.model(wildcards.model).parameters

    def gpu(self, wildcards: Any) -> int:
        """GPUs: enough for the 4-bit (or 16-bit) weights and as much work space."""
        return self.gpu_of(wildcards.model)

    def gpu_of(self, model: str) -> int:
        entry = self.config.model(model)
        if entry.parameters < GPU_FROM:
            return 0
        return math.ceil(2 * weight_bytes(entry) / self.gpu_bytes)

    def does_not_fit(self, model: str, rule: str, wanted: int, there: int) -> str:
        """Say that jobs need more GPUs than there are, with sizes and what helps.

        Args:
            model: its name.
            rule: of one of the jobs.
            wanted: GPUs that each asks for.
            there: GPUs that it may have.
        """
        size = f"{self.gpu_bytes / 1e9:.0f} GB"
        has = f"but jobs can have {there} on this machine"
        if wanted != self.gpu_of(model):
            return (
                f"{rule}: jobs of {model} ask for {wanted} GPUs (set-resources), "
                f"{has}; ask for {there} at most"
            )
        entry = self.config.model(model)
        weights = f"{weight_bytes(entry) / 1e9:.0f} GB of weights"
        smaller = " or `quantization: nf4`" if entry.quantization != "nf4" else ""
        return (
            f"{rule}: models.{model} has {entry.parameters / 1e9:.3g} billion "
            f"parameters, {weights} and as much to work with: it needs {wanted} GPUs "
            f"of {size}, {has}. Take a smaller model{smaller}, or a cluster "
            "(--profile profiles/slurm). If a GPU has more memory than that, say so in "
            f"`resources: {{gpu_memory_gb: N}}`; to try it all the same, add "
            f"--resources gpu={wanted}"
        )

    def threads(self, wildcards: Any) -> int:
        """CPU threads: a tiny model is faster on one, and leaves the other cores."""
        return self.threads_of(wildcards.model)

    def threads_of(self, model: str) -> int:
        return 1 if self.config.model(model).parameters < ONE_THREAD_BELOW else 2

    def memory(self, wildcards: Any, attempt: int) -> int:
        """Main memory in MB: the weights pass through it once when they are loaded."""
        growth = self._growth(wildcards, attempt)
        return int(growth * (4000 + 2.5e-6 * self._size(wildcards)))

    def _growth(self, wildcards: Any, attempt: int) -> float:
        """Return how much more a retry asks for than the first attempt."""
        return (1 + attempt) / 2 if self._size(wildcards) >= LARGE else attempt

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
        """Minutes for a part of the treatments of a task, or of text."""
        return self._minutes("evaluate_task", wildcards, attempt)

    def measuring_runtime(self, wildcards: Any, attempt: int) -> int:
        """Minutes for recording a shard."""
        return self._minutes("measure_activations", wildcards, attempt)

    def asking_gpu(self, wildcards: Any) -> int:
        """GPUs for asking the words of a pair; none where they are only drawn."""
        return self.gpu(wildcards) if asks(self.config) else 0

    def asking_memory(self, wildcards: Any, attempt: int) -> int:
        """Main memory in MB for the same: without a model, as for small jobs."""
        return self.memory(wildcards, attempt) if asks(self.config) else 4000 * attempt

    def asking_runtime(self, wildcards: Any, attempt: int) -> int:
        """Minutes for asking the words of a pair."""
        return self._minutes("ask_probes", wildcards, attempt)

    def probing_runtime(self, wildcards: Any, attempt: int) -> int:
        """Minutes for recording the probes of a pair."""
        return self._minutes("record_probes", wildcards, attempt)

    def comparing_runtime(self, wildcards: Any, attempt: int) -> int:
        """Minutes for comparing the candidates of a pair."""
        return self._minutes("compare_languages", wildcards, attempt)

    def aligning_runtime(self, wildcards: Any, attempt: int) -> int:
        """Minutes for aligning two languages."""
        return self._minutes("measure_alignment", wildcards, attempt)

    def training_runtime(self, wildcards: Any, attempt: int) -> int:
        """Minutes for fine-tuning; a killed job goes on from its checkpoint."""
        return self._minutes("tune_model", wildcards, attempt)

    def building_runtime(self, wildcards: Any, attempt: int) -> int:
        """Minutes for pretraining a tiny model, or for quantising one."""
        built = self.config.model(wildcards.model).builder
        rule = "pretrain_demo_model" if built else "quantise_model"
        return self._minutes(rule, wildcards, attempt)

    def _minutes(self, rule: str, wildcards: Any, attempt: int) -> int:
        """Ask for more than the estimate of a job, and for a retry for more again."""
        seconds = self._estimates.job(rule, wildcards).seconds
        first = max(SHORTEST, math.ceil(MARGIN * seconds / 60))
        return math.ceil(self._growth(wildcards, attempt) * first)

    def micro_batch(self, wildcards: Any, attempt: int) -> int:
        """Sequences per forward pass; halved at each retry."""
        first = 32
        if self._size(wildcards) >= GPU_FROM:
            first = SEQUENCES
            while first > 1 and first * GPU_BYTES > SEQUENCES * self.gpu_bytes:
                first //= 2
        return max(1, first >> (attempt - 1))

    def checkpoint_every(self, wildcards: Any) -> int:
        """Optimiser steps between two checkpoints of a training."""
        names = (wildcards.task, wildcards.model, wildcards.tuning)
        return self.config.training(*names).checkpoint_every
