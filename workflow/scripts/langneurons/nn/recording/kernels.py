"""Triton kernels for what the recorder computes of a layer, on an NVIDIA GPU.

A value in bfloat16 is 2 bytes, and the count, the sums and the extremes of both sites
need each of the two once: 4 bytes of memory traffic a neuron and token. In eager torch
every reduction is a pass of its own, over a copy in single precision: two copies (4 + 8
bytes), then eleven reductions of 4 bytes and four temporary copies (8 each), together
about 96 bytes. Per token of Llama 3.1 8B (458,752 neurons) that is 44 MB, 11 us at
4 TB/s; its forward pass of 16 GFLOP is 38 us at 420 TFLOP/s. So eager costs 29 % of a
forward pass, and one read 0.46 us or 1.2 %. These are estimates, not measurements.

Percentiles of a batch are found by counting: the value of a given rank is put together
bit by bit, most significant first, by counting the values below each candidate. The
batch stays in registers meanwhile: bfloat16 needs 16 rounds a percentile, a sort of
2,048 values about 66, and no order of indices is made.

Results do not depend on the order in which a GPU runs its blocks: one program owns the
sums of a neuron at a site, adds its values in single precision in at least 64 parts and
those in double precision, and only whole numbers are added atomically. Import this
module through ``accelerated``.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from .distributions import BINS, HALF, HIGHEST, LOWEST, MANTISSA

# Rows and neurons of a tile. A thread has six accumulators for each of its eight values
# in the first, and keeps 32 values in the last.
MOMENTS = {"ROWS": 64, "COLUMNS": 32, "STAGES": 4, "num_warps": 8}
HISTOGRAM = {"ROWS": 32, "COLUMNS": 64, "num_warps": 4}
ORDER_VALUES, ORDER_WARPS = 2**14, 16
# Leading bits of a float32 that can differ between two values of a type.
BITS = {torch.bfloat16: 16, torch.float16: 19, torch.float32: 32}
# More rows would not fit into the registers of a program.
LONGEST = 4096


@triton.jit
def moments_kernel(
    pre, post, sums, low, high, rows, width, pre_stride, post_stride,
    TILES: tl.constexpr, STAGES: tl.constexpr,
    ROWS: tl.constexpr, COLUMNS: tl.constexpr,
):  # fmt: skip
    """Add the moments of some neurons at one site, over all rows, to what is there."""
    column = tl.program_id(0) * COLUMNS + tl.arange(0, COLUMNS)
    site = tl.program_id(1)
    inside = column < width
    if site == 0:
        values, stride = pre, pre_stride
    else:
        values, stride = post, post_stride
    row = tl.arange(0, ROWS).to(tl.int64)[:, None]
    at = values + row * stride + column[None, :]
    zeros = tl.zeros((ROWS, COLUMNS), tl.float32)
    positive, total, squares, sizes = zeros, zeros, zeros, zeros
    least, most = zeros + float("inf"), zeros - float("inf")
    # No sum across threads in the loop: each value of a tile has its accumulators.
    # Tiles are fetched some rounds ahead, past the registers.
    for tile in tl.range(TILES, num_stages=STAGES):
        mask = (row < rows - tile * ROWS) & inside[None, :]
        x = tl.load(at, mask, other=0).to(tl.float32)
        positive += (x > 0).to(tl.float32)
        total += x
        squares += x * x
        sizes += tl.abs(x)
        least = tl.minimum(least, tl.where(mask, x, float("inf")))
        most = tl.maximum(most, tl.where(mask, x, float("-inf")))
        at += ROWS * stride
    if site == 0:
        _add(sums + column, positive, inside)
    first = sums + (1 + 3 * site) * width + column
    _add(first, total, inside)
    _add(first + width, squares, inside)
    _add(first + 2 * width, sizes, inside)
    low += site * width + column
    high += site * width + column
    smallest = tl.minimum(tl.load(low, inside, other=0), tl.min(least, 0))
    largest = tl.maximum(tl.load(high, inside, other=0), tl.max(most, 0))
    tl.store(low, smallest, inside)
    tl.store(high, largest, inside)


@triton.jit
def _add(into, parts, inside):
    """Add the columns of a tile, in double precision, to what is there."""
    before = tl.load(into, inside, other=0)
    tl.store(into, before + tl.sum(parts.to(tl.float64), 0), inside)


@triton.jit
def histogram_kernel(
    sample, histogram, rows, width, stride,
    MIDDLE: tl.constexpr, FIRST: tl.constexpr, LAST: tl.constexpr,
    KEPT: tl.constexpr, COUNT: tl.constexpr,
    ROWS: tl.constexpr, COLUMNS: tl.constexpr,
):  # fmt: skip
    """Count each value in its neuron's bin; see ``histogram_bins``."""
    column = tl.program_id(0) * COLUMNS + tl.arange(0, COLUMNS)
    row = tl.program_id(1) * ROWS + tl.arange(0, ROWS)
    mask = (row < rows)[:, None] & (column < width)[None, :]
    at = row.to(tl.int64)[:, None] * stride + column[None, :]
    value = tl.load(sample + at, mask, other=0).to(tl.float32)
    bits = value.to(tl.uint32, bitcast=True)
    # To bfloat16, to the nearest and halves to even, as torch rounds.
    bits = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16
    size = ((bits & 0x7FFF) >> KEPT).to(tl.int32)
    size = tl.minimum(tl.maximum(size, FIRST - 1), LAST) - (FIRST - 1)
    place = tl.where((bits & 0x8000) != 0, MIDDLE - size, MIDDLE + size)
    cell = column[None, :] * COUNT + place
    tl.atomic_add(histogram + cell, 1, mask, sem="relaxed")


@triton.jit
def order_kernel(
    values, ranks, below, above, rows, width, stride,
    RANKS: tl.constexpr, BITS: tl.constexpr,
    ROWS: tl.constexpr, COLUMNS: tl.constexpr,
):  # fmt: skip
    """Find the values of some ranks, and the next larger ones, of some neurons."""
    column = tl.program_id(0) * COLUMNS + tl.arange(0, COLUMNS)
    inside = column < width
    row = tl.arange(0, ROWS)
    mask = (row < rows)[:, None] & inside[None, :]
    at = row.to(tl.int64)[:, None] * stride + column[None, :]
    bits = tl.load(values + at, mask, other=0).to(tl.float32)
    bits = bits.to(tl.uint32, bitcast=True)
    # Keys in the order of the values: negative ones have all bits turned over.
    key = tl.where((bits >> 31) != 0, bits ^ 0xFFFFFFFF, bits ^ 0x80000000)
    key = key >> (32 - BITS)
    # Rows that are not there come last.
    last = tl.full((ROWS, COLUMNS), 0xFFFFFFFF, tl.uint32) >> (32 - BITS)
    key = tl.where(mask, key, last)
    for number in range(RANKS):
        rank = tl.load(ranks + number)
        found = tl.zeros((COLUMNS,), tl.uint32)
        bit = tl.full((COLUMNS,), 1, tl.uint32) << (BITS - 1)
        for _ in range(BITS):
            trial = found | bit
            smaller = tl.sum((key < trial[None, :]).to(tl.int32), 0)
            found = tl.where(smaller <= rank, trial, found)
            bit = bit >> 1
        upto = tl.sum((key <= found[None, :]).to(tl.int32), 0)
        larger = tl.min(tl.where(key > found[None, :], key, last), 0)
        repeated = (upto > rank + 1) | (rank + 1 >= rows)
        following = tl.where(repeated, found, larger)
        tl.store(below + number * width + column, _value(found, BITS), inside)
        tl.store(above + number * width + column, _value(following, BITS), inside)


@triton.jit
def _value(key, BITS: tl.constexpr):
    """Turn keys back into float32."""
    positive = (key >> (BITS - 1)) != 0
    bits = tl.where(positive, key, key ^ 0xFFFFFFFF) << (32 - BITS)
    bits = tl.where(positive, bits ^ 0x80000000, bits)
    return bits.to(tl.float32, bitcast=True)


def add_moments(
    pre: Tensor, post: Tensor, sums: Tensor, low: Tensor, high: Tensor
) -> None:
    """Add counts, sums and extremes of a layer; see ``Moments.add``.

    Args:
        pre: [tokens, width], bfloat16, float16 or float32.
        post: the same shape; either may be a view of wider rows.
        sums: float64 [7, width], contiguous: the positive values of ``pre``; of each
            site the sum, of squares, of absolute values.
        low: float32 [2, width], contiguous.
        high: float32 [2, width], contiguous.
    """
    pre, post = _rows(pre), _rows(post)
    rows, width = pre.shape
    with _on(pre):
        moments_kernel[(triton.cdiv(width, MOMENTS["COLUMNS"]), 2)](
            pre, post, sums, low, high, rows, width, pre.stride(0), post.stride(0),
            TILES=triton.cdiv(rows, MOMENTS["ROWS"]), **MOMENTS,
        )  # fmt: skip


def add_histogram(sample: Tensor, histogram: Tensor) -> None:
    """Count values in their neurons' bins.

    Args:
        sample: [tokens, width]; may be every m-th row of a tensor.
        histogram: int32 [width * BINS], contiguous.
    """
    sample = _rows(sample)
    rows, width = sample.shape
    grid = (
        triton.cdiv(width, HISTOGRAM["COLUMNS"]),
        triton.cdiv(rows, HISTOGRAM["ROWS"]),
    )
    with _on(sample):
        histogram_kernel[grid](
            sample, histogram, rows, width, sample.stride(0),
            MIDDLE=HALF, FIRST=LOWEST, LAST=HIGHEST, KEPT=7 - MANTISSA, COUNT=BINS,
            **HISTOGRAM,
        )  # fmt: skip


def order_statistics(values: Tensor, ranks: Tensor) -> tuple[Tensor, Tensor]:
    """Find the values of some ranks in each column, and the next in order.

    Args:
        values: [tokens, width], at most ``LONGEST`` tokens.
        ranks: int32 [ranks], from 0, on the device of ``values``.

    Returns:
        Two float32 [ranks, width]: the values of the ranks, and of the ranks after
        them (of the last, the last again).
    """
    values = _rows(values)
    rows, width = values.shape
    below = torch.empty((len(ranks), width), dtype=torch.float32, device=values.device)
    above = torch.empty_like(below)
    tile = order_tile(rows)
    with _on(values):
        order_kernel[(triton.cdiv(width, tile["COLUMNS"]),)](
            values, ranks, below, above, rows, width, values.stride(0),
            RANKS=len(ranks), BITS=BITS[values.dtype], **tile,
        )  # fmt: skip
    return below, above


def order_tile(rows: int) -> dict[str, int]:
    """Return the tile of ``order_kernel``: all rows, and as many neurons as fit."""
    padded = triton.next_power_of_2(rows)
    columns = max(1, min(8, ORDER_VALUES // padded))
    warps = min(ORDER_WARPS, max(1, padded * columns * ORDER_WARPS // ORDER_VALUES))
    return {"ROWS": padded, "COLUMNS": columns, "num_warps": warps}


def _rows(values: Tensor) -> Tensor:
    """Return the values with neighbouring neurons side by side in memory."""
    return values if values.stride(1) == 1 else values.contiguous()


def _on(values: Tensor) -> torch.cuda.device:
    """Launch where the values are; layers may be spread over GPUs."""
    return torch.cuda.device(values.device if values.is_cuda else -1)
