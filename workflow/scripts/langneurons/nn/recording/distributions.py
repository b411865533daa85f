"""The two summaries of a distribution: a histogram and per-batch percentiles."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from langneurons.config.catalogue import PERCENTILES

# Bins of the histogram: 2^4 a factor of two, between 2^-8 and 2^7, for each sign, and
# one around zero. The error of a percentile is then about 0.001 at most sites.
MANTISSA, EMIN, EMAX = 4, -8, 6
LOWEST = (127 + EMIN) << MANTISSA
HIGHEST = ((127 + EMAX + 1) << MANTISSA) - 1
HALF = HIGHEST - LOWEST + 1
BINS = 2 * HALF + 1


def histogram_bins(values: Tensor) -> Tensor:
    """Number the histogram bin of each value, from 0, growing with the value.

    The bin is read off the bit pattern of the value rounded to bfloat16: the exponent
    and the first ``MANTISSA`` bits. That needs no logarithm and no search, and gives
    the same bins everywhere. Magnitudes under 2^EMIN share the middle bin, those over
    2^(EMAX+1) the outermost.

    Args:
        values: floating point, any shape.

    Returns:
        int16, same shape: integers of the size of a bfloat16 are the cheapest.
    """
    bits = values.to(torch.bfloat16).view(torch.int16)
    size = (bits & 0x7FFF).bitwise_right_shift_(7 - MANTISSA)
    size = size.clamp_(LOWEST - 1, HIGHEST).sub_(LOWEST - 1)
    sign = (bits >> 15).bitwise_or_(1)
    return size.mul_(sign).add_(HALF)


def add_histogram(sample: Tensor, histogram: Tensor, kernels: Any = None) -> None:
    """Count values in their neurons' bins.

    Args:
        sample: [tokens, neurons].
        histogram: int32 [neurons * BINS], changed in place.
        kernels: from ``kernels_for``; None is plain torch. The counts are equal.
    """
    if kernels is not None:
        kernels.add_histogram(sample, histogram)
        return
    count(sample, histogram.view(-1, BINS))


def count(sample: Tensor, table: Tensor) -> None:
    """Count values in their neurons' bins, with plain torch.

    Args:
        sample: [tokens, neurons].
        table: int32 [neurons, BINS], changed in place.
    """
    # A row for each neuron: its few bins are in the cache while they are counted.
    whole = torch.contiguous_format
    bins = histogram_bins(sample).t().to(torch.int64, memory_format=whole)
    ones = torch.ones(1, dtype=torch.int32, device=sample.device).expand(bins.shape)
    table.scatter_add_(1, bins, ones)


def percentiles(values: Tensor, kernels: Any = None) -> Tensor:
    """Compute ``PERCENTILES`` of each column, interpolating linearly.

    Args:
        values: [tokens, neurons].
        kernels: as for ``add_histogram``; the results are equal.

    Returns:
        float64 [percentiles, neurons] on the device of ``values``.
    """
    low, high, share = _ranks(len(values), values.device)
    if kernels is not None and len(values) <= kernels.LONGEST:
        below, above = kernels.order_statistics(values, low)
    else:
        rows = _sorted_columns(values)
        below, above = rows[:, low].t(), rows[:, high].t()
    below, above = below.double(), above.double()
    return below + (above - below) * share


@lru_cache(maxsize=16)
def _ranks(rows: int, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Return what percentiles lie between, and where: [7], [7] and [7, 1].

    They are kept because copying them to a GPU would wait for it.
    """
    ranks = np.asarray(PERCENTILES) / 100 * (rows - 1)
    low = np.floor(ranks).astype(np.int32)
    parts = (low, np.minimum(low + 1, rows - 1), (ranks - low)[:, None])
    low_high_share = tuple(torch.from_numpy(part).to(device) for part in parts)
    return low_high_share[0], low_high_share[1], low_high_share[2]


def _sorted_columns(values: Tensor) -> Tensor:
    """Sort each column of [tokens, neurons]; return them as rows of a new tensor."""
    if values.device.type != "cpu":
        return values.t().contiguous().sort(dim=1).values
    # One transposing copy of the whole: torch is several times slower on parts of it.
    rows = torch.empty(values.shape[::-1], dtype=torch.float32).copy_(values.t())
    # numpy sorts several times faster than torch, which also orders the indices, and
    # lets other threads run meanwhile.
    threads = torch.get_num_threads()
    parts = np.array_split(rows.numpy(), threads)
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lambda part: part.sort(axis=1), parts))
    return rows
