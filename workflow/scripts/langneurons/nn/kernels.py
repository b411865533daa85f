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
sums of a neuron, and only whole numbers are added atomically. Import this module
through ``accelerated``.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from .distributions import BINS, HALF, HIGHEST, LOWEST, MANTISSA

# A program of add_moments holds 11 float32 for each of its 8 values a thread.
_MOMENTS = {"ROWS": 64, "COLUMNS": 32}
_HISTOGRAM = {"ROWS": 32, "COLUMNS": 64}
_SELECTED = 8  # columns of one program of order_statistics
# Leading bits of a float32 that can differ between two values of a type.
_BITS = {torch.bfloat16: 16, torch.float16: 19, torch.float32: 32}
# More rows would not fit into the registers of a program.
LONGEST = 4096


@triton.jit
def moments_kernel(
    pre, post, sums, low, high, rows, width, pre_stride, post_stride,
    ROWS: tl.constexpr, COLUMNS: tl.constexpr,
):  # fmt: skip
    """Add the moments of some neurons, over all rows, to what is there."""
    column = tl.program_id(0) * COLUMNS + tl.arange(0, COLUMNS)
    inside = column < width
    zeros = tl.zeros((ROWS, COLUMNS), tl.float32)
    infinite = zeros + float("inf")
    positive, pre_sum, pre_square, pre_size = zeros, zeros, zeros, zeros
    post_sum, post_square, post_size = zeros, zeros, zeros
    pre_low, pre_high, post_low, post_high = infinite, -infinite, infinite, -infinite
    # No sum across threads in the loop: each value of a tile has its accumulators.
    for start in range(0, rows, ROWS):
        row = start + tl.arange(0, ROWS)
        mask = (row < rows)[:, None] & inside[None, :]
        row = row.to(tl.int64)[:, None]
        x = tl.load(pre + row * pre_stride + column[None, :], mask, other=0)
        y = tl.load(post + row * post_stride + column[None, :], mask, other=0)
        x, y = x.to(tl.float32), y.to(tl.float32)
        positive += (x > 0).to(tl.float32)
        pre_sum += x
        pre_square += x * x
        pre_size += tl.abs(x)
        post_sum += y
        post_square += y * y
        post_size += tl.abs(y)
        pre_low = tl.minimum(pre_low, tl.where(mask, x, float("inf")))
        pre_high = tl.maximum(pre_high, tl.where(mask, x, float("-inf")))
        post_low = tl.minimum(post_low, tl.where(mask, y, float("inf")))
        post_high = tl.maximum(post_high, tl.where(mask, y, float("-inf")))
    _add(sums, positive, column, inside)
    _add(sums + width, pre_sum, column, inside)
    _add(sums + 2 * width, pre_square, column, inside)
    _add(sums + 3 * width, pre_size, column, inside)
    _add(sums + 4 * width, post_sum, column, inside)
    _add(sums + 5 * width, post_square, column, inside)
    _add(sums + 6 * width, post_size, column, inside)
    for site in tl.static_range(2):
        least = tl.min(pre_low if site == 0 else post_low, 0)
        most = tl.max(pre_high if site == 0 else post_high, 0)
        at = site * width + column
        before = tl.load(low + at, inside)
        tl.store(low + at, tl.minimum(before, least), inside)
        before = tl.load(high + at, inside)
        tl.store(high + at, tl.maximum(before, most), inside)


@triton.jit
def _add(total, parts, column, inside):
    """Add a tile's columns, in double precision, to [width] at ``total``."""
    before = tl.load(total + column, inside, other=0)
    tl.store(total + column, before + tl.sum(parts.to(tl.float64), 0), inside)


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
        moments_kernel[(triton.cdiv(width, _MOMENTS["COLUMNS"]),)](
            pre, post, sums, low, high, rows, width, pre.stride(0), post.stride(0),
            **_MOMENTS, num_warps=8,
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
        triton.cdiv(width, _HISTOGRAM["COLUMNS"]),
        triton.cdiv(rows, _HISTOGRAM["ROWS"]),
    )
    with _on(sample):
        histogram_kernel[grid](
            sample, histogram, rows, width, sample.stride(0),
            MIDDLE=HALF, FIRST=LOWEST, LAST=HIGHEST, KEPT=7 - MANTISSA, COUNT=BINS,
            **_HISTOGRAM, num_warps=4,
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
    with _on(values):
        order_kernel[(triton.cdiv(width, _SELECTED),)](
            values, ranks, below, above, rows, width, values.stride(0),
            RANKS=len(ranks), BITS=_BITS[values.dtype],
            ROWS=triton.next_power_of_2(rows), COLUMNS=_SELECTED, num_warps=8,
        )  # fmt: skip
    return below, above


def _rows(values: Tensor) -> Tensor:
    """Return the values with neighbouring neurons side by side in memory."""
    return values if values.stride(1) == 1 else values.contiguous()


def _on(values: Tensor) -> torch.cuda.device:
    """Launch where the values are; layers may be spread over GPUs."""
    return torch.cuda.device(values.device if values.is_cuda else -1)
