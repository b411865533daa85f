"""What the recorder computes of a layer, on the cores of a processor.

Torch reduces a layer in some forty operations, and all threads wait for each other
after every one. Here each core reduces blocks of tokens by itself, with numpy, which
lets the others run meanwhile; a block is read once from memory and then found in the
core's cache. Counts, extremes and histograms equal those of plain torch, sums differ by
rounding. Results do not depend on how many threads there are: parts are added up in the
order of the tokens. Import this module through ``accelerated``.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .distributions import count

Array = np.ndarray[Any, Any]

# Values of a block, and tokens at most: sums within it are in single precision.
VALUES, ROWS = 2**18, 1024
# So many positive values can be counted in a byte.
BYTE = 255
# Torch runs an operation on so many values in the thread that asks for it.
ALONE = 2**15
# Percentiles are not counted but sorted, on a CPU.
LONGEST = 0


def add_moments(
    pre: Tensor, post: Tensor, sums: Tensor, low: Tensor, high: Tensor
) -> None:
    """Add counts, sums and extremes of a layer; see ``Moments.add``.

    Args:
        pre: [tokens, width], floating point.
        post: the same shape.
        sums: float64 [7, width]: the positive values of ``pre``; of each site the sum,
            of squares, of absolute values.
        low: float32 [2, width].
        high: float32 [2, width].
    """
    tokens, width = pre.shape
    rows = min(ROWS, max(1, VALUES // width))
    sites = (pre.detach(), post.detach())
    starts = range(0, tokens, rows)
    blocks = [(site, start) for site in (0, 1) for start in starts]
    parts = np.empty((2, len(starts), 3, width), np.float32)
    ends = np.empty((2, 2, len(starts), width), np.float32)
    positive = np.zeros(width)
    counts: list[Array] = [positive] * len(starts)

    def reduce(number: int) -> None:
        site, start = blocks[number]
        place = number % len(starts)
        values = _single(sites[site][start : start + rows])
        scratch, mask = _SCRATCH.of(values.shape)
        total, squares, sizes = parts[site, place]
        with np.errstate(all="ignore"):  # what is not finite is refused in the end
            np.add.reduce(values, 0, out=total)
            np.einsum("ij,ij->j", values, values, out=squares)
            np.abs(values, out=scratch)
            np.add.reduce(scratch, 0, out=sizes)
            np.minimum.reduce(values, 0, out=ends[0, site, place])
            np.maximum.reduce(values, 0, out=ends[1, site, place])
            if site == 0:
                np.greater(values, 0, out=mask)
                counts[place] = _columns(mask)

    _share(reduce, len(blocks))
    for part in counts:
        positive += part
    found = sums.numpy()
    with np.errstate(all="ignore"):
        found[0] += positive
        found[1:] += parts.sum(1, dtype=np.float64).reshape(6, width)
        for bound, ours, of in (
            (low, ends[0], np.minimum),
            (high, ends[1], np.maximum),
        ):
            of(bound.numpy(), of.reduce(ours, 1), out=bound.numpy())


def add_histogram(sample: Tensor, histogram: Tensor) -> None:
    """Count values in their neurons' bins.

    Args:
        sample: [tokens, width].
        histogram: int32 [width * BINS].
    """
    tokens, width = sample.shape
    table = histogram.view(width, -1)
    step = max(1, ALONE // tokens)

    def some(number: int) -> None:
        part = slice(number * step, (number + 1) * step)
        # Inference mode belongs to a thread.
        with torch.inference_mode():
            count(sample[:, part], table[part])

    _share(some, -(-width // step))


class _Scratch(threading.local):
    """Memory of each thread, kept from block to block."""

    values: Array = np.empty((0, 0), np.float32)
    mask: Array = np.empty((0, 0), np.bool_)

    def of(self, shape: tuple[int, ...]) -> tuple[Array, Array]:
        """Return float32 and bool, both of a shape [tokens, width]."""
        if self.values.shape[1] != shape[1] or len(self.values) < shape[0]:
            self.values = np.empty(shape, np.float32)
            self.mask = np.empty(shape, np.bool_)
        return self.values[: shape[0]], self.mask[: shape[0]]


_SCRATCH = _Scratch()


def _single(block: Tensor) -> Array:
    """Return values in single precision, without starting threads of torch."""
    if block.dtype == torch.bfloat16:
        bits = block.view(torch.int16).numpy().view(np.uint16)
        return (bits.astype(np.uint32) << 16).view(np.float32)
    values: Array = block.numpy().astype(np.float32, copy=False)
    return values


def _columns(mask: Array) -> Array:
    """Count what is true in each column."""
    ones = mask.view(np.uint8)
    found = np.zeros(mask.shape[1])
    for start in range(0, len(ones), BYTE):
        # Bytes are added up 64 at a time.
        found += np.add.reduce(ones[start : start + BYTE], 0, dtype=np.uint8)
    return found


def _share(work: Callable[[int], None], jobs: int) -> None:
    """Do numbered jobs, each in the next thread that is free, this one among them."""
    todo = iter(range(jobs))

    def drain() -> None:
        for number in todo:
            work(number)

    helpers = min(torch.get_num_threads(), jobs) - 1
    begun = [_pool(helpers).submit(drain) for _ in range(helpers)] if helpers else []
    drain()
    for helper in begun:
        # One that did not get a core meanwhile has nothing left to do.
        if not helper.cancel():
            helper.result()


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, "recorder")
