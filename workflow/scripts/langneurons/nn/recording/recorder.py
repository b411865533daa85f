"""One streaming pass that collects what every method and statistic needs.

Hooks on each layer's activation function see its input (``gate_pre``) and output
(``act_post``) and reduce them on the spot; no activation is kept. Per neuron there are
the number of positive activations, sums, extremes, a histogram, and the sum over
batches of per-batch percentiles, which Mondal et al. (2025) average (methods.md 1.3,
1.5). The memory needed does not depend on the number of tokens: 2,052 bytes a neuron
with one site's percentiles, 0.95 GB for Llama 3.1 8B. What is kept of single chunks,
where a method asks for it, is in ``chunks``; the sum of the residual stream, in
``residual``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from types import TracebackType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from langneurons.config.catalogue import PERCENTILES
from langneurons.config.errors import DataError
from langneurons.nn.models.architectures import decoder_layers, hidden_size, mlp_sites

from .accelerated import kernels_for
from .chunks import MEANS, NUMBERS, ChunkRecorder, join
from .distributions import BINS, add_histogram, percentiles
from .moments import SITES, SUMS, Moments
from .residual import Residual
from .sentence_passes import Pass

Array = np.ndarray[Any, Any]


class Recorder:
    """Collect activation statistics of a model while it runs; a context manager.

    Every position counts, so run it without padding, under ``torch.no_grad``: on full
    chunks, or on sentences of one length at a time, each time after ``begin``. No hook
    waits for a GPU.

    Args:
        model: any model that ``mlp_sites`` knows; a backbone without head is fastest.
        histogram_every: tokens with this divisor of their global number enter the
            histogram.
        batch_quantiles: sites whose per-batch percentiles are summed.
        batch_tokens: tokens in a batch of those. Batches start at multiples of it, and
            no forward pass may begin inside one that is used, so that none has to be
            kept (see ``measuring.passes``). An incomplete last batch is dropped.
        batches_every: batches with this divisor of their global number are used.
        first_token: global number of the first token that will be run.
        family: see ``mlp_sites``.
        chunk_length: tokens in a chunk, or in the longest sentence; needed for the next
            two. Every forward pass must then hold whole chunks.
        mean_chunks: see ``ChunkRecorder``.
        contribution_top: see ``ChunkRecorder``.
    """

    def __init__(
        self,
        model: nn.Module,
        histogram_every: int = 8,
        batch_quantiles: Sequence[str] = (),
        batch_tokens: int = 2048,
        first_token: int = 0,
        family: str | None = None,
        chunk_length: int = 0,
        mean_chunks: Sequence[int] | None = None,
        contribution_top: float = 0,
        batches_every: int = 1,
    ) -> None:
        if unknown := set(batch_quantiles) - set(SITES):
            raise ValueError(f"unknown site {sorted(unknown)}, known: {SITES}")
        if batch_quantiles and first_token % batch_tokens:
            raise ValueError("first_token is not at the start of a batch")
        self.sites = mlp_sites(model, family)
        self._decoder = decoder_layers(model, family)
        self.device = next(model.parameters()).device
        self.every, self.batch_tokens = histogram_every, batch_tokens
        self.batches_every = batches_every
        self.batch_sites = tuple(s for s in SITES if s in batch_quantiles)
        layers, width = len(self.sites.layers), self.sites.width
        self._kernels = kernels_for(self.device)
        self._moments = Moments(layers, width, self.device, self._kernels)
        self._histogram = torch.zeros(
            (layers, width * BINS), dtype=torch.int32, device=self.device
        )
        self._histogram_n = 0
        shape = (len(self.batch_sites), layers, len(PERCENTILES), width)
        self._quantiles = torch.zeros(shape, dtype=torch.float64, device=self.device)
        self._batches = 0
        self._first = first_token
        self._next = [first_token] * layers
        self._handles: list[RemovableHandle] = []
        self._pass: Pass | None = None
        self._residual = Residual(layers, hidden_size(model), self.device)
        self.chunks: ChunkRecorder | None = None
        if mean_chunks is not None or contribution_top:
            self.chunks = ChunkRecorder(
                self.sites, self.device, chunk_length, mean_chunks, contribution_top
            )

    def __enter__(self) -> Recorder:
        for index, layer in enumerate(self.sites.layers):
            self._handles.append(layer.act.register_forward_hook(self._hook(index)))
            see_layer = self._residual_hook(index)
            self._handles.append(self._decoder[index].register_forward_hook(see_layer))
            if self.chunks is not None and self.chunks.top:
                see = self.chunks.hook(index)
                self._handles.append(layer.down.register_forward_pre_hook(see))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for handle in self._handles:
            handle.remove()
        self._handles.clear()

    def begin(self, sentences: Pass) -> None:
        """Say what the next forward pass runs; needed where it runs sentences."""
        if self.batch_sites:
            raise ValueError("sentences have no batches to take quantiles of")
        self._pass = sentences
        if self.chunks is not None:
            self.chunks.length, self.chunks.skip = sentences.length, sentences.skip

    def _counted(self, values: Tensor, width: int) -> Tensor:
        """Return [tokens, width] of what counts in one layer's part of a pass."""
        if self._pass is not None and self._pass.skip:
            values = values.reshape(-1, self._pass.length, width)
            values = values[:, self._pass.skip :]
        # Layers may be spread over GPUs; the sums are on the first one's.
        return values.reshape(-1, width).to(self.device)

    def _residual_hook(self, layer: int) -> Any:
        def hook(module: nn.Module, args: Any, output: Any) -> None:
            # A decoder layer returns its states, in some families first of a tuple.
            states = output[0] if isinstance(output, tuple) else output
            self._residual.add(layer, self._counted(states, states.shape[-1]))

        return hook

    def _hook(self, layer: int) -> Any:
        def hook(module: nn.Module, args: tuple[Tensor, ...], output: Tensor) -> None:
            if torch.is_grad_enabled():
                # Gradient checkpointing would run the layer, and count it, twice.
                raise RuntimeError("record activations under torch.no_grad()")
            width = self.sites.width
            if output.shape[-1] != width:
                raise DataError(
                    f"model: layer {layer} has {output.shape[-1]} neurons, "
                    f"expected {width}"
                )
            pre, post = (self._counted(x, width) for x in (args[0], output))
            self._record(layer, pre, post)

        return hook

    def _record(self, layer: int, pre: Tensor, post: Tensor) -> None:
        """Take in one layer's [tokens, width] activations of a forward pass."""
        first = self._next[layer]
        self._moments.add(layer, pre, post)
        if self._pass is None:
            sample = pre[-first % self.every :: self.every]
        else:
            sample = pre[self._pass.sampled]
        if len(sample):
            add_histogram(sample, self._histogram[layer], self._kernels)
            if layer == 0:
                self._histogram_n += len(sample)
        if self.batch_sites:
            for rows in self._batches_in(first, len(pre)):
                for number, site in enumerate(self.batch_sites):
                    values = (pre if site == "gate_pre" else post)[rows]
                    self._quantiles[number, layer] += percentiles(values, self._kernels)
                self._batches += layer == 0
        if self.chunks is not None:
            chunks = (
                self._pass.numbers
                if self._pass
                else self.chunks.numbers_from(first, pre)
            )
            self.chunks.add_means(layer, chunks, pre, post)
        self._next[layer] += len(pre)

    def _batches_in(self, first: int, count: int) -> Iterator[slice]:
        """Find the rows of the whole batches in a forward pass that are used."""
        step = self.batch_tokens * self.batches_every
        if 0 < first % step < self.batch_tokens:
            raise ValueError(f"a forward pass begins inside a batch, at token {first}")
        for start in range(-first % step, count - self.batch_tokens + 1, step):
            yield slice(start, start + self.batch_tokens)

    def state(self) -> dict[str, Array]:
        """Return the statistics so far, as named in the activation files.

        With L layers and F neurons per layer: ``n`` int64 [1]; ``count_pos`` int64
        [L, F]; for both sites ``.sum``, ``.sumsq``, ``.sumabs`` float64 and ``.min``,
        ``.max`` float32, all [L, F]; ``histogram`` int32 [L, F, BINS] of ``gate_pre``,
        and ``histogram_n`` int64 [1]; for the sites asked, ``.batch_quantiles`` float64
        [7, L, F], the sum over ``batches`` int64 [1] of each of ``PERCENTILES``;
        ``residual.sum`` float64 [L, hidden size]; and what ``ChunkRecorder.state``
        returns.

        Raises:
            DataError: if an activation was not finite.
        """
        sums = self._moments.sums.cpu().numpy()
        if not np.isfinite(sums).all():
            layer = int(np.argwhere(~np.isfinite(sums))[0, 0])
            raise DataError(
                f"model: activations of layer {layer} are not finite; "
                "use dtype bfloat16 or float32, or check the weights"
            )
        layers, width = len(self.sites.layers), self.sites.width
        state: dict[str, Array] = {
            "n": np.array([self._next[0] - self._first]),
            "count_pos": sums[:, 0].astype(np.int64),
            "histogram": self._histogram.cpu().numpy().reshape(layers, width, BINS),
            "histogram_n": np.array([self._histogram_n]),
        }
        for index, site in enumerate(SITES):
            for row, name in enumerate(SUMS, start=1 + index * len(SUMS)):
                state[f"{site}.{name}"] = sums[:, row].copy()
            state[f"{site}.min"] = self._moments.low[:, index].cpu().numpy().copy()
            state[f"{site}.max"] = self._moments.high[:, index].cpu().numpy().copy()
        for index, site in enumerate(self.batch_sites):
            quantiles = self._quantiles[index].cpu().numpy().transpose(1, 0, 2)
            state[f"{site}.batch_quantiles"] = np.ascontiguousarray(quantiles)
        if self.batch_sites:
            state["batches"] = np.array([self._batches])
        state["residual.sum"] = self._residual.state()
        if self.chunks is not None:
            state |= self.chunks.state()
        return state


def merge(states: Iterable[dict[str, Array]]) -> dict[str, Array]:
    """Add up the states of parts of a corpus; one part is in memory at a time.

    Means of single chunks are put one after the other, in the order of the corpus.

    Raises:
        DataError: if there are none, or they hold different arrays, or the histogram
            could overflow.
    """
    total: dict[str, Array] = {}
    rows: list[dict[str, Array]] = []
    shapes: dict[str, Any] = {}
    for state in states:
        found = {key: _fixed_shape(key, value) for key, value in state.items()}
        if shapes and found != shapes:
            raise DataError("parts of the activations hold different arrays")
        if NUMBERS in state:
            rows.append({key: state[key] for key in (NUMBERS, *MEANS)})
        added = {k: v for k, v in state.items() if k not in (NUMBERS, *MEANS)}
        if not total:
            shapes = found
            total = {key: value.copy() for key, value in added.items()}
            continue
        if total["histogram_n"][0] + state["histogram_n"][0] > np.iinfo(np.int32).max:
            raise DataError("too many tokens for the histogram: raise histogram_every")
        for key, value in added.items():
            if key.endswith(".min"):
                np.minimum(total[key], value, out=total[key])
            elif key.endswith(".max"):
                np.maximum(total[key], value, out=total[key])
            else:
                total[key] += value
    if not total:
        raise DataError("no parts of activations to merge")
    return total | join(rows) if rows else total


def _fixed_shape(key: str, value: Array) -> tuple[int, ...]:
    """Return the shape of an array without the number of chunks in it."""
    if key == NUMBERS:
        return ()
    return (value.shape[0], value.shape[2]) if key in MEANS else value.shape
