"""What the streaming pass keeps of single chunks or sentences, for some methods.

* The mean of every neuron over the tokens of some chunks: the unit response of
  Kojima et al. (2024), whose released code averages over the tokens of a sentence, and
  what Rahmanisa et al. (2025) take the maximum and the median of.
* How often a neuron k is among those of its layer that contribute most to the MLP's
  output in a chunk, by sum_t |h_t[k]| ||W_down[k, :]||, with h the input of the down
  projection (Zhao et al. 2024).

Formulas and sources: methods.md 6. Both are off by default and then cost nothing.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from langneurons.config.errors import DataError
from langneurons.nn.models.architectures import Sites

Array = np.ndarray[Any, Any]
NUMBERS = "chunk_numbers"
MEANS = ("gate_pre.chunk_means", "act_post.chunk_means")
# The largest half precision number: a chunk's mean beyond it is set to it.
LARGEST = 65504.0


class ChunkRecorder:
    """Reduces the activations of whole chunks; a part of ``Recorder``.

    A sentence is a chunk of its own length, of which the first tokens do not count:
    ``length`` and ``skip`` are then set before each forward pass.

    Args:
        sites: the model's neurons.
        device: where the model is.
        length: tokens in a chunk.
        mean_chunks: numbers, in the corpus, of the chunks of this run whose means are
            kept, increasing. None: no means are recorded, not even of no chunk.
        contribution_top: share of a layer's neurons that count as contributing most;
            0: contributions are not recorded.

    Raises:
        DataError: a share that rounds to no neuron of a layer.
    """

    def __init__(
        self,
        sites: Sites,
        device: torch.device,
        length: int,
        mean_chunks: Sequence[int] | None = None,
        contribution_top: float = 0,
    ) -> None:
        if length < 1:
            raise ValueError("the length of a chunk must be at least 1")
        self.width, self.length, self.skip = sites.width, length, 0
        layers = len(sites.layers)
        self.numbers = None if mean_chunks is None else list(mean_chunks)
        if self.numbers is not None:
            # Half precision keeps the file small; only the order of the means matters.
            kept = (len(MEANS), layers, len(self.numbers), self.width)
            self._means = torch.zeros(kept, dtype=torch.float16, device=device)
        self.top = contribution_top > 0
        if self.top:
            self._most = round(contribution_top * self.width)
            if self._most == 0:
                raise DataError(
                    f"activations.contribution_top: {contribution_top} of a layer's "
                    f"{self.width} neurons rounds to none; give a larger share"
                )
            norms = [down_norms(layer.down) for layer in sites.layers]
            self._norms = torch.stack(norms).to(device)
            shape = (layers, self.width)
            self._sums = torch.zeros(shape, dtype=torch.float64, device=device)
            self._tops = torch.zeros(shape, dtype=torch.int64, device=device)
            self._chunks = 0

    def numbers_from(self, first: int, values: Tensor) -> range:
        """Number the chunks of a pass whose first token has a number in the corpus."""
        start, (count, rest) = first // self.length, divmod(len(values), self.length)
        if rest:
            raise ValueError(
                f"{len(values)} tokens are not whole chunks of {self.length}"
            )
        return range(start, start + count)

    def add_means(
        self, layer: int, chunks: Sequence[int], pre: Tensor, post: Tensor
    ) -> None:
        """Take in one layer's activations of whole chunks of one length.

        Args:
            layer: from 0.
            chunks: their numbers in the corpus.
            pre: [tokens, width] input of the activation function.
            post: [tokens, width] its output.
        """
        if self.numbers is None:
            return
        length = len(pre) // max(1, len(chunks))
        for place, number in enumerate(chunks):
            slot = bisect_left(self.numbers, number)
            if self.numbers[slot : slot + 1] != [number]:
                continue
            for site, values in enumerate((pre, post)):
                # One chunk at a time: its mean does not depend on the others.
                rows = values[place * length : (place + 1) * length]
                mean = rows.mean(0, dtype=torch.float32)
                self._means[site, layer, slot] = mean.clamp_(-LARGEST, LARGEST)

    def hook(self, layer: int) -> Any:
        """Return a hook that sees a layer's input of the down projection."""

        def hook(module: nn.Module, args: tuple[Tensor, ...]) -> None:
            self.add_products(layer, args[0].reshape(-1, self.width))

        return hook

    def add_products(self, layer: int, product: Tensor) -> None:
        """Take in [tokens, width] inputs of one layer's down projection.

        Neurons that contribute as much as the last of the top share belong to it, and
        none that contributes nothing.
        """
        count = len(self.numbers_from(0, product))
        chunks = product.view(count, self.length, self.width)[:, self.skip :]
        # One norm: the sum of the absolute values of a chunk's tokens, in float32.
        sums = torch.linalg.vector_norm(chunks, 1, dim=1, dtype=torch.float32)
        self._sums[layer] += sums.sum(0, dtype=torch.float64)
        share = sums.mul_(self._norms[layer])
        last = share.kthvalue(self.width - self._most + 1, dim=1, keepdim=True).values
        self._tops[layer] += ((share >= last) & (share > 0)).sum(0)
        if layer == 0:
            self._chunks += count

    def state(self) -> dict[str, Array]:
        """Return what was recorded, as named in the activation files.

        With m chunks, L layers, F neurons per layer: ``chunk_numbers`` int64 [m], and
        for both sites, ``.chunk_means`` float16 [L, m, F]; ``prod.sumabs`` float64
        [L, F], the sum over all tokens; ``prod.top_chunks`` int64 [L, F], the chunks
        in which a neuron was among the top; ``chunks`` int64 [1], their number.

        Raises:
            DataError: if an input of a down projection was not finite.
        """
        state: dict[str, Array] = {}
        if self.numbers is not None:
            state[NUMBERS] = np.array(self.numbers, np.int64)
            for key, means in zip(MEANS, self._means, strict=True):
                state[key] = means.cpu().numpy().copy()
        if self.top:
            if not self._sums.isfinite().all():
                layer = int((~self._sums.isfinite()).nonzero()[0, 0])
                raise DataError(
                    f"model: inputs of the down projection of layer {layer} are not "
                    "finite; use dtype bfloat16 or float32, or check the weights"
                )
            state["prod.sumabs"] = self._sums.cpu().numpy().copy()
            state["prod.top_chunks"] = self._tops.cpu().numpy().copy()
            state["chunks"] = np.array([self._chunks])
        return state


def down_norms(down: nn.Module) -> Tensor:
    """Return the Euclidean norm of the weights that each neuron writes with.

    Args:
        down: a layer's down projection: a Linear, transformers' Conv1D, or a 4-bit
            Linear that has not been run yet (on some CPUs, its first run repacks it).

    Returns:
        float32 [width].

    Raises:
        DataError: weights in a format that is not supported.
    """
    weight: Any = down.weight
    quantisation = getattr(weight, "quant_state", None)
    if quantisation is not None:
        if getattr(quantisation, "packing_format_for_cpu", False):
            raise DataError(
                "model: 4-bit weights were repacked for the CPU; "
                "make the recorder before the model is run"
            )
        from bitsandbytes.functional import dequantize_4bit

        weight = dequantize_4bit(weight.data, quantisation)
    if not weight.is_floating_point():
        raise DataError(
            f"model: down projections of {weight.dtype} are not supported where "
            "contributions are recorded; use quantization nf4 or none"
        )
    # Linear holds [out, in], with the neurons last; Conv1D (GPT-2) holds [in, out].
    across = 0 if hasattr(down, "in_features") else 1
    norms: Tensor = torch.linalg.vector_norm(
        weight.detach(), dim=across, dtype=torch.float32
    )
    return norms


def join(parts: Sequence[dict[str, Array]]) -> dict[str, Array]:
    """Put the chunk means of parts of a corpus together, in the corpus's order.

    Args:
        parts: of each part, ``chunk_numbers`` and the arrays of ``MEANS``.
    """
    numbers = np.concatenate([part[NUMBERS] for part in parts])
    order = np.argsort(numbers, kind="stable")
    joined = {NUMBERS: numbers[order]}
    for key in MEANS:
        whole = np.concatenate([part[key] for part in parts], axis=1)
        in_order = bool((order[1:] > order[:-1]).all())
        joined[key] = whole if in_order else whole[:, order]
    return joined
