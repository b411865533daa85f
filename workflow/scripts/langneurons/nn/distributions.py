"""The two summaries of a distribution: a histogram and per-batch percentiles."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor

from ..catalogue import PERCENTILES

# Bins of the histogram: 2^4 a factor of two, between 2^-8 and 2^7, for each sign, and
# one around zero. The error of a percentile is then about 0.001 at most sites.
MANTISSA, EMIN, EMAX = 4, -8, 6
_LOWEST = (127 + EMIN) << MANTISSA
_HIGHEST = ((127 + EMAX + 1) << MANTISSA) - 1
HALF = _HIGHEST - _LOWEST + 1
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
        int32, same shape.
    """
    bits = values.to(torch.bfloat16).view(torch.int16).to(torch.int32)
    size = ((bits & 0x7FFF) >> (7 - MANTISSA)).clamp_(_LOWEST - 1, _HIGHEST)
    size -= _LOWEST - 1
    return torch.where(bits < 0, HALF - size, HALF + size)


def percentiles(values: Tensor) -> Tensor:
    """Compute ``PERCENTILES`` of each column, interpolating linearly.

    Args:
        values: [tokens, neurons].

    Returns:
        float64 [percentiles, neurons] on the device of ``values``.
    """
    ranks = np.asarray(PERCENTILES) / 100 * (len(values) - 1)
    low = torch.from_numpy(np.floor(ranks).astype(np.int64)).to(values.device)
    high = (low + 1).clamp(max=len(values) - 1)
    share = torch.from_numpy(ranks - np.floor(ranks)).to(values.device)
    rows = _sorted_columns(values)
    below, above = rows[:, low].double(), rows[:, high].double()
    return (below + (above - below) * share).t()


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
