"""Counts, sums and extremes of every neuron, added up over a stream of tokens."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

SITES = ("gate_pre", "act_post")
SUMS = ("sum", "sumsq", "sumabs")

# Values reduced at a time. On a CPU all passes over a block after the first then find
# it in the cache, and starting the threads takes less time than a pass; on a GPU only
# the temporary copy limits the block.
_BLOCK = {"cpu": 2**19, "cuda": 2**25}
# Rows of a block that extremes are first reduced to: torch reduces over the outermost
# of three dimensions in half the time it needs for the outer of two.
_FOLD = 8


class Moments:
    """The sums of a model's neurons, kept on its device.

    Attributes:
        sums: float64 [layers, 7, width]. Row 0 counts positive values (whole numbers
            are exact in float64 up to 9e15); then ``SUMS`` of each of ``SITES``.
        low: float32 [layers, 2, width], infinity where nothing was added.
        high: float32 [layers, 2, width], minus infinity where nothing was added.
    """

    def __init__(
        self, layers: int, width: int, device: torch.device, kernels: Any = None
    ) -> None:
        rows, ends = 1 + len(SITES) * len(SUMS), (layers, len(SITES), width)
        shape = (layers, rows, width)
        self.sums = torch.zeros(shape, dtype=torch.float64, device=device)
        self.low = torch.full(ends, float("inf"), device=device)
        self.high = torch.full(ends, float("-inf"), device=device)
        self._kernels, self._width = kernels, width
        self._scratch: Tensor | None = None
        self._ones = torch.ones(0, device=device)

    def add(self, layer: int, pre: Tensor, post: Tensor) -> None:
        """Take in one layer's [tokens, width] activations at the two sites."""
        if self._kernels is not None:
            into = (self.sums[layer], self.low[layer], self.high[layer])
            self._kernels.add_moments(pre, post, *into)
            return
        rows = max(_FOLD, _BLOCK.get(pre.device.type, 2**20) // self._width)
        self._reserve(min(rows, len(pre)), pre.device)
        for start in range(0, len(pre), rows):
            self._add_block(layer, [x[start : start + rows] for x in (pre, post)])

    def _reserve(self, rows: int, device: torch.device) -> None:
        if self._scratch is None or len(self._scratch) < rows:
            self._scratch = torch.empty(rows, self._width, device=device)
            self._ones = torch.ones(rows, device=device)

    def _add_block(self, layer: int, blocks: list[Tensor]) -> None:
        assert self._scratch is not None
        count = len(blocks[0])
        scratch, ones = self._scratch[:count], self._ones[:count]
        parts: list[Tensor] = []
        for site, values in enumerate(blocks):
            block = values.float()
            # A product with ones adds up columns two to three times faster than sum().
            if site == 0:
                parts.append(ones @ torch.gt(block, 0, out=scratch))
            parts.append(ones @ block)
            parts.append(ones @ torch.mul(block, block, out=scratch))
            parts.append(ones @ torch.abs(block, out=scratch))
            low, high = self.low[layer, site], self.high[layer, site]
            torch.minimum(low, _extreme(block, torch.amin), out=low)
            torch.maximum(high, _extreme(block, torch.amax), out=high)
        # Single precision within a block of few tokens, double between blocks.
        self.sums[layer] += torch.stack(parts)


def _extreme(block: Tensor, reduce: Any) -> Tensor:
    """Return the least or largest value of each column."""
    if len(block) % _FOLD == 0:
        block = reduce(block.unflatten(0, (-1, _FOLD)), 0)
    extreme: Tensor = reduce(block, 0)
    return extreme
