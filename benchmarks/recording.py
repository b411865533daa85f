"""What recording activations costs on top of running the model.

``forward`` is the backbone alone. ``recorder`` is the library's with its defaults, but
without per-batch percentiles; ``recorder_paper`` adds those of the released procedure
(gate_pre, batches of 2,048 tokens) as config/config.yaml asks, and
``recorder_all_batches`` takes them of every batch where the configuration does not. If
it takes every k-th batch and a pass has fewer, ``recorder_paper`` is not run but
calculated: ``recorder`` plus 1/k of what all batches add, its range likewise.
``recorder_every_token`` puts every token into the histogram instead of every eighth.
``count_only`` is a hook that does no more than LAPE needs. ``paper_procedure`` is the
released code's way (methods.md 1.5, 1.6): per-batch percentiles in one pass, and in a
second pass the share of tokens above the mean of the 90th; it sorts with the library's
routine, which on a CPU is several times faster than ``torch.quantile``.

Chunks have 512 tokens, and a forward pass 4 of them. A recorder is made once and kept
over all rounds, as in a job.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch import Tensor

from langneurons.config.catalogue import PERCENTILES, Activations
from langneurons.nn.models.architectures import mlp_sites
from langneurons.nn.recording.distributions import percentiles
from langneurons.nn.recording.recorder import Recorder

from . import shapes
from .measuring import Row, Run, Setting, Variant, compare

LENGTH, BATCH = 512, 4
# Batches of 4 x 512 tokens in a pass.
BATCHES = {"tiny": 2, "gemma270m": 1, "llama8b": 16, "nemo": 16}
TARGETS = {("gemma270m", "cpu"): 1.15, ("llama8b", "cuda"): 1.05}
DEFAULTS = Activations()


def settings(names: list[str], device: str, repeats: int) -> list[Setting]:
    """List the shapes that can run."""
    return shapes.settings([n for n in names if n in BATCHES], device, repeats)


def rows(setting: Setting) -> list[Row]:
    """Time every variant."""
    found = compare("recording", variants, setting)
    every = batches_every()
    if BATCHES[setting.shape] % every:
        named = {r.variant: r for r in found}
        mixed = mix(named["recorder"], named["recorder_all_batches"], every)
        found.insert(found.index(named["recorder_all_batches"]), mixed)
    return found


def batches_every() -> int:
    """Return every which batch has its percentiles taken, by default."""
    return DEFAULTS.batch_quantiles_every


def paper_options(every: int | None = None) -> dict[str, Any]:
    """Return the recorder's arguments for the released procedure.

    Args:
        every: every which batch has its percentiles taken; None: the default.
    """
    every = batches_every() if every is None else every
    batch = DEFAULTS.batch_chunks * LENGTH
    options: dict[str, Any] = {"batch_quantiles": ("gate_pre",), "batch_tokens": batch}
    return options | {"batches_every": every}


def mix(without: Row, all_batches: Row, every: int) -> Row:
    """Calculate the recorder that takes every k-th batch from those of none and all."""

    def between(key: str) -> float | None:
        low, high = getattr(without, key), getattr(all_batches, key)
        return None if low is None or high is None else low + (high - low) / every

    keys = ("seconds", "ratio", "ratio_min", "ratio_max", "cpu_ratio")
    values: dict[str, Any] = {key: between(key) for key in keys}
    rate = (all_batches.amount or 0) / (values["seconds"] or 1)
    named: dict[str, Any] = {"variant": "recorder_paper", "per_second": rate}
    return dataclasses.replace(all_batches, **named, **values)


def variants(setting: Setting) -> list[Variant]:
    """List the variants; ``forward`` is the baseline of all."""
    batches = BATCHES[setting.shape]
    tokens = batches * BATCH * LENGTH

    @cache
    def model() -> Any:
        return shapes.build(setting)

    @cache
    def chunks() -> Tensor:
        ids = shapes.token_ids(setting, batches * BATCH, LENGTH)
        return ids.to(setting.device)

    @torch.no_grad()
    def run() -> None:
        for part in chunks().split(BATCH):
            model()(input_ids=part, use_cache=False)

    def recorded(every: int, **options: Any) -> Callable[[], Run]:
        def make() -> Run:
            recorder = Recorder(model(), every, **options)

            def recording() -> None:
                with recorder:
                    run()

            return recording

        return make

    def forward() -> Run:
        model()
        return run

    eighth = DEFAULTS.histogram_every
    known: dict[str, Callable[[], Run]] = {
        "recorder": recorded(eighth),
        "recorder_paper": recorded(eighth, **paper_options()),
        "recorder_all_batches": recorded(eighth, **paper_options(1)),
        "recorder_every_token": recorded(1),
        "count_only": lambda: CountOnly(model()).around(run),
        "paper_procedure": lambda: PaperProcedure(model()).around(run),
    }
    if batches_every() == 1:
        del known["recorder_all_batches"]  # the same
    elif batches % batches_every():
        del known["recorder_paper"]  # see rows()
    target = TARGETS.get((setting.shape, setting.device))
    found = [Variant("forward", forward, tokens, "tokens", None)]
    for name, make in known.items():
        wanted = target if name == "recorder" else None
        found.append(Variant(name, make, tokens, "tokens", "forward", wanted))
    return found


class _Hooked:
    """Something that looks at the input of each layer's activation function."""

    def __init__(self, model: Any) -> None:
        self.sites = mlp_sites(model)
        self.device = next(model.parameters()).device

    def zeros(self, dtype: torch.dtype) -> Tensor:
        shape = len(self.sites.layers), self.sites.width
        return torch.zeros(shape, dtype=dtype, device=self.device)

    def watch(self, run: Run, see: Callable[[int, Tensor], None]) -> None:
        """Run with ``see(layer, pre-activations [tokens, width])`` on all layers."""

        def hook(layer: int) -> Any:
            return lambda module, args, output: see(layer, args[0].flatten(0, -2))

        handles = [
            layer.act.register_forward_hook(hook(number))
            for number, layer in enumerate(self.sites.layers)
        ]
        try:
            run()
        finally:
            for handle in handles:
                handle.remove()


class CountOnly(_Hooked):
    """Counts the positive activations of each neuron: ``count`` int64 [L, F]."""

    def __init__(self, model: Any) -> None:
        super().__init__(model)
        self.count = self.zeros(torch.int64)

    def see(self, layer: int, pre: Tensor) -> None:
        self.count[layer] += (pre > 0).sum(0)

    def around(self, run: Run) -> Run:
        return lambda: self.watch(run, self.see)


class PaperProcedure(_Hooked):
    """Two passes: percentiles averaged over batches, then P(a > P90) for each neuron.

    Attributes:
        quantiles: float64 [L, percentiles, F] of the last run.
        relevance: float64 [L, F] of the last run.
    """

    quantiles: Tensor
    relevance: Tensor

    def around(self, run: Run) -> Run:
        p90 = PERCENTILES.index(90)

        def both() -> None:
            layers = len(self.sites.layers)
            sums: list[Any] = [0] * layers
            above = self.zeros(torch.int64)
            batches = tokens = 0

            def first(layer: int, pre: Tensor) -> None:
                nonlocal batches
                sums[layer] = sums[layer] + percentiles(pre)
                batches += layer == 0

            self.watch(run, first)
            self.quantiles = torch.stack(sums) / batches
            limits = self.quantiles[:, p90].float()

            def second(layer: int, pre: Tensor) -> None:
                nonlocal tokens
                above[layer] += (pre > limits[layer]).sum(0)
                tokens += len(pre) if layer == 0 else 0

            self.watch(run, second)
            self.relevance = above / tokens

        return both
