"""Gaussian kernels of single neurons over probes, and their widths.

A row is one neuron's values over S probes; its kernel is the S x S matrix of
``exp(-(x_a - x_b)^2 / 2 sigma^2)``. As the points lie on a line, few directions carry
nearly all of it: rows are kept as factors, found by pivoted Cholesky decomposition and
turned to the principal directions of the centred kernel, S values for each.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]

EPSILON = 1e-6
"""Added to standard deviations and widths, as in the study's code."""
LEFT_OVER = 1e-4
"""Share of a kernel's trace that its factors may lack."""
ROWS_AT_ONCE = 128
"""Rows that are factored together: they share the number of directions."""


def z_scores(values: npt.NDArray[np.floating]) -> Floats:
    """Centre and scale each row by its mean and unbiased standard deviation + 1e-6.

    Args:
        values: [rows, S], S at least 2.

    Returns:
        [rows, S]; a row of one value becomes zeros.
    """
    wide = values.astype(np.float64)
    # Of equal numbers the mean is not always exactly the number.
    spread = np.where(np.ptp(wide, axis=1) > 0, wide.std(axis=1, ddof=1), np.inf)
    centred = wide - wide.mean(axis=1, keepdims=True)
    return (centred / (spread[:, None] + EPSILON)).astype(np.float32)


def width_of_code(x: Floats, y: Floats) -> float:
    """Return the width that the study's code takes for a pair of sets.

    It is the lower median of the Euclidean distances between whole rows, within each
    set, each with itself too, + 1e-6. With at most two rows on both sides half of the
    distances are zero, so that the width is 1e-6 and every kernel the identity.

    Args:
        x: [n, S] of one set.
        y: [m, S] of the other.
    """
    found = []
    for rows in (x, y):
        wide = rows.astype(np.float64)
        squares = (wide**2).sum(1)
        apart = squares[:, None] + squares - 2 * wide @ wide.T
        np.fill_diagonal(apart, 0)
        found.append(np.sqrt(np.maximum(apart, 0)).ravel())
    return lower_median(np.concatenate(found)) + EPSILON


def lower_median(values: npt.NDArray[np.floating]) -> float:
    """Return the value in the middle, the lower of two."""
    place = (values.size - 1) // 2
    return float(np.partition(values, place)[place])


def shared_width(rows: Floats) -> float:
    """Return the lower median of all distances between two samples of a row.

    Distances of zero do not count. Distances of all rows are one population.

    Args:
        rows: [n, S]

    Returns:
        1.0 where all distances are zero.
    """
    return _middle(np.sort(rows.astype(np.float64), axis=1))


def row_widths(rows: Floats) -> Doubles:
    """Return the lower median of each row's own distances that are not zero: [n]."""
    ordered = np.sort(rows.astype(np.float64), axis=1)
    return np.array([_middle(row[None]) for row in ordered])


def _middle(ordered: Doubles) -> float:
    """Return the lower median of the distances within sorted rows, without zeros.

    There are S (S - 1) / 2 a row, so they are counted, not listed: the median is closed
    in from both sides until few are left between.
    """
    zero = _up_to(ordered, 0.0)
    low, below = 0.0, int(zero.sum())
    high = float(np.ptp(ordered, axis=1).max(initial=0))
    total = ordered.shape[0] * ordered.shape[1] * (ordered.shape[1] - 1) // 2
    if below == total:
        return 1.0
    rank, above = below + (total - below - 1) // 2, total
    while above - below > 100_000:
        middle = (low + high) / 2
        if not low < middle < high:  # more equal distances than can be listed
            return high
        count = int(_up_to(ordered, middle).sum())
        if count > rank:
            high, above = middle, count
        else:
            low, below = middle, count
    between = np.sort(_between(ordered, low, high))
    return float(between[rank - below])


def _ends(row: Doubles, distance: float) -> npt.NDArray[np.int64]:
    """Per sample of a sorted row, count the samples up to a distance above it."""
    ends = np.searchsorted(row, row + distance, side="right")
    # In doubtful cases the difference decides, not the sum, which is rounded.
    last = np.minimum(ends, row.size - 1)
    ends += (ends < row.size) & (row[last] - row <= distance)
    ends -= row[ends - 1] - row > distance
    return ends


def _up_to(ordered: Doubles, distance: float) -> npt.NDArray[np.int64]:
    """Count the pairs of samples of each row that lie no further apart: [n]."""
    size = ordered.shape[1]
    own = size * (size + 1) // 2
    return np.array([int(_ends(row, distance).sum()) - own for row in ordered])


def _between(ordered: Doubles, low: float, high: float) -> Doubles:
    """List the distances in (low, high]."""
    found = []
    for row in ordered:
        first, last = _ends(row, low), _ends(row, high)
        counts = last - first
        begin = np.repeat(np.arange(row.size), counts)
        starts = np.repeat(first - np.cumsum(counts) + counts, counts)
        found.append(row[starts + np.arange(begin.size)] - row[begin])
    return np.concatenate(found)


@dataclass(frozen=True)
class Block:
    """Rows that are factored together.

    Attributes:
        places: [n] of these rows in the whole.
        factors: [r, n, S]; the centred kernel of row i is the sum over r of the outer
            products of ``factors[r, i]`` with itself.
        shares: [r] largest share, over the rows, of a row's centred trace that lies in
            each direction; none is above the one before.
        sums: [n, S] the sums of the rows of the kernel before it was centred.
    """

    places: npt.NDArray[np.int64]
    factors: Floats
    shares: Doubles
    sums: Floats


def factored(rows: Floats, widths: Doubles | float) -> list[Block]:
    """Factor the Gaussian kernels of rows.

    Args:
        rows: [n, S]
        widths: sigma, one for all or [n].

    Returns:
        Blocks of rows of similar spread, which need a similar number of directions.
    """
    each = np.broadcast_to(np.asarray(widths, np.float64), len(rows))
    # Outliers, far away in units of the width, need a direction each.
    spread = np.abs(rows).max(axis=1) / each
    order = np.argsort(spread, kind="stable")
    found = []
    for start in range(0, len(rows), ROWS_AT_ONCE):
        places = order[start : start + ROWS_AT_ONCE]
        found.append(_block(places, rows[places], each[places]))
    return found


def _block(places: npt.NDArray[np.int64], rows: Floats, widths: Doubles) -> Block:
    raw = _cholesky((rows / widths[:, None]).astype(np.float32))
    totals = raw.sum(axis=2)
    sums = np.einsum("rns,rn->ns", raw, totals)
    raw -= raw.mean(axis=2, keepdims=True)
    by_row = np.ascontiguousarray(raw.transpose(1, 0, 2))
    values, vectors = np.linalg.eigh((by_row @ by_row.transpose(0, 2, 1)).astype("f8"))
    values = np.maximum(values[:, ::-1], 0)
    turned = vectors[:, :, ::-1].transpose(0, 2, 1).astype(np.float32) @ by_row
    traces = values.sum(axis=1, keepdims=True)
    parts = np.divide(values, traces, out=np.zeros_like(values), where=traces > 0)
    shares = np.maximum.accumulate(parts.max(axis=0)[::-1])[::-1]
    keep = max(1, int((np.cumsum(shares[::-1])[::-1] > LEFT_OVER).sum()))
    factors = np.ascontiguousarray(turned.transpose(1, 0, 2)[:keep])
    return Block(places, factors, shares[:keep], sums)


def _cholesky(rows: Floats) -> Floats:
    """Factor kernels of width 1 by pivoted Cholesky decomposition, all rows at once.

    Each step takes, in every row, the sample that the factors so far say least about
    (Fine and Scheinberg 2001).

    Args:
        rows: [n, S] in units of the width.

    Returns:
        [r, n, S], with r as the row needs that needs most.
    """
    n, size = rows.shape
    found = np.empty((min(32, size), n, size), np.float32)
    left = np.ones((n, size), np.float32)
    lines = np.arange(n)
    for step in range(size):
        if left.sum(axis=1).max(initial=0) <= LEFT_OVER * size:
            return found[:step]
        if step == len(found):
            more = np.empty((min(len(found), size - step), n, size), np.float32)
            found = np.concatenate([found, more])
        pivot = left.argmax(axis=1)
        top = left[lines, pivot]
        column = np.exp(-((rows - rows[lines, pivot][:, None]) ** 2) / 2)
        before = found[:step]
        column -= np.einsum("rns,rn->ns", before, before[:, lines, pivot])
        # A row that is whole already has nothing left to say.
        scale = np.where(top > EPSILON, 1 / np.sqrt(np.maximum(top, EPSILON)), 0)
        column *= scale[:, None].astype(np.float32)
        found[step] = column
        left = np.maximum(left - column**2, 0)
        left[lines, pivot] = 0
    return found
