"""Dependence of neurons over probes by the Hilbert-Schmidt criterion (HSIC).

For every neuron of one set and every neuron of another, one number from their Gaussian
kernels K and L over S probes, with H = I - 11'/S (section 2.5 of the study's notes):

* ``code``: tr(KHL), which the study's code computes as tr(KH HL);
* ``biased``: tr(KHLH) / (S - 1)^2 (Gretton et al. 2005);
* ``unbiased``: the estimator of Song et al. 2012;
* ``cka``: tr(KHLH) / sqrt(tr(KHKH) tr(LHLH)) (Kornblith et al. 2019), 0 where one of
  the neurons is constant.

All follow from tr(KHLH) and the sums of the kernels' rows. Instead of S x S products
per pair of neurons there are products of their factors (``kernels``), those of the
directions that matter: what is left out is at most ``EXACT`` of the product of both
traces, of a resample ``ROUGH``. Where that would be more work, whole kernels are
multiplied. The similarity of a layer is then right to 3e-6 and 2e-4 (values of .06 to
.10; 300 and 500 probes, normal, t(3), t(4) and log-normal values).

A resample of the probes is a weight per probe, the number of times that it was drawn.
Then z-scores and widths stay those of all probes: the measure is fixed and its probes
vary. Formulas are those of the sample with its repetitions written out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt

from .kernels import Block, Doubles, Floats, factored

Variant = Literal["code", "biased", "unbiased", "cka"]
EXACT, ROUGH = 1e-3, 2e-2
"""Of the product of two traces, the share that pairs of directions may lack, on all
probes and on a resample of them."""
WHOLE_AT_ONCE = 1 << 24
"""Values of whole kernels that are held at once."""


@dataclass(frozen=True)
class Kernels:
    """The kernels of a set of neurons in one layer.

    Attributes:
        rows: [n, S] z-scores.
        widths: [n] sigma.
        blocks: the same as factors.
    """

    rows: Floats
    widths: Doubles
    blocks: Sequence[Block]

    @classmethod
    def of(cls, rows: Floats, widths: Doubles | float) -> Kernels:
        """Factor the kernels of rows.

        Args:
            rows: [n, S] z-scores.
            widths: sigma, one for all or [n].
        """
        each = np.array(np.broadcast_to(np.asarray(widths, np.float64), len(rows)))
        return cls(rows, each, factored(rows, each))


@dataclass(frozen=True)
class _Part:
    """A block of neurons under the weights of one resample.

    Attributes:
        places: [n] of these rows in the whole.
        features: [r, n, m], centred, times the root of the weights.
        shares: [r], see ``Block``.
    """

    places: npt.NDArray[np.int64]
    features: Floats
    shares: Doubles

    @cached_property
    def own(self) -> Doubles:
        """tr(KHKH) of each neuron: [n]."""
        by_row = np.ascontiguousarray(self.features.transpose(1, 0, 2))
        gram = by_row @ by_row.transpose(0, 2, 1)
        return np.asarray((gram.astype(np.float64) ** 2).sum(axis=(1, 2)))


@dataclass(frozen=True)
class Sampled:
    """Kernels on one sample of the probes.

    Attributes:
        kernels: on all probes.
        drawn: [m] probes that are in the sample.
        weights: [m] how often each is.
        parts: the blocks.
    """

    kernels: Kernels
    drawn: npt.NDArray[np.int64]
    weights: Floats
    parts: Sequence[_Part]

    @cached_property
    def sums(self) -> Doubles:
        """Sums of the rows of the kernels as they were before they were centred, K w.

        Returns:
            [n, m]; zeros for neurons that are not meant.
        """
        found = np.zeros((len(self.kernels.rows), self.drawn.size))
        places = [part.places for part in self.parts]
        for block in self.kernels.blocks:
            kept = np.flatnonzero(np.isin(block.places, np.concatenate(places)))
            found[block.places[kept]] = _sums(block, kept, self.drawn, self.weights)
        return found


def sampled(
    kernels: Kernels,
    times: npt.NDArray[np.integer] | None = None,
    only: npt.NDArray[np.int64] | None = None,
) -> Sampled:
    """Take a sample of the probes, and perhaps some of the neurons.

    Args:
        kernels: of the neurons.
        times: [S] how often each probe is in the sample, S in all; None: once.
        only: places of the neurons that are meant; None: all. Results of others are
            then of no use.
    """
    size = kernels.rows.shape[1]
    times = np.ones(size, np.int64) if times is None else times
    drawn = np.flatnonzero(times)
    weights = times[drawn].astype(np.float32)
    wanted = np.ones(len(kernels.rows), bool)
    if only is not None:
        wanted[:] = False
        wanted[only] = True
    parts = []
    for block in kernels.blocks:
        kept = np.flatnonzero(wanted[block.places])
        if kept.size == 0:
            continue
        factors = block.factors
        if kept.size < len(block.places):
            factors = factors[:, kept]
        if drawn.size < size:
            factors = np.take(factors, drawn, axis=2)
        parts.append(_part(block, block.places[kept], factors, weights))
    return Sampled(kernels, drawn, weights, parts)


def _sums(
    block: Block,
    kept: npt.NDArray[np.int64],
    drawn: npt.NDArray[np.int64],
    weights: Floats,
) -> Doubles:
    """Return K w of some rows of a block: [n, m]."""
    factors = block.factors[:, kept][:, :, drawn]
    size, of_all = block.sums.shape[1], block.sums[kept].astype(np.float64)
    centred = np.einsum("rnm,rn->nm", factors, factors @ weights).astype(np.float64)
    inside = of_all[:, drawn]
    weighted = inside @ weights.astype(np.float64)
    total = of_all.sum(axis=1)
    shift = weighted / size - weights.sum() * total / size**2
    return centred + inside * (weights.sum() / size) + shift[:, None]


def _part(
    block: Block, places: npt.NDArray[np.int64], factors: Floats, weights: Floats
) -> _Part:
    mean = factors @ weights / weights.sum()
    features = (factors - mean[:, :, None]) * np.sqrt(weights)
    return _Part(places, features, block.shares)


def scores(x: Sampled, y: Sampled, variant: Variant) -> Doubles:
    """Return the dependence of every pair of neurons: [n, k].

    Args:
        x: n neurons.
        y: k neurons, on the same sample of the probes.
        variant: see the module.
    """
    crossed = traces(x, y)
    size = float(x.weights.sum())
    if variant == "biased":
        return crossed / (size - 1) ** 2
    if variant == "cka":
        scale = np.sqrt(np.outer(_own(x), _own(y)))
        # A constant neuron has rounding alone in its trace, a share of S^2.
        real = scale > 1e-9 * size**2
        return np.divide(crossed, scale, out=np.zeros_like(crossed), where=real)
    weights = x.weights.astype(np.float64)
    dots = (x.sums * weights) @ y.sums.T
    first, second = x.sums @ weights, y.sums @ weights
    both = np.outer(first, second)
    if variant == "code":
        return crossed + dots / size - both / size**2
    return _unbiased(crossed, dots, first, second, size=size)


def _unbiased(
    crossed: Doubles, dots: Doubles, first: Doubles, second: Doubles, *, size: float
) -> Doubles:
    """Estimate HSIC without bias; diagonals of the kernels are 1 and do not count.

    Args:
        crossed: [n, k] tr(KHLH).
        dots: [n, k] 1'KL1.
        first: [n] 1'K1.
        second: [k] 1'L1.
        size: number of probes, with repetitions.
    """
    product = crossed + 2 * dots / size - np.outer(first, second) / size**2 - size
    sums = np.outer(first - size, second - size)
    inner = dots - first[:, None] - second + size
    whole = product + sums / ((size - 1) * (size - 2)) - 2 * inner / (size - 2)
    return whole / (size * (size - 3))


def _own(x: Sampled) -> Doubles:
    """Return tr(KHKH) of each neuron: [n]."""
    found = np.zeros(len(x.kernels.rows))
    for part in x.parts:
        found[part.places] = part.own
    return found


def traces(x: Sampled, y: Sampled) -> Doubles:
    """Return tr(KHLH) of every pair of neurons: [n, k]."""
    found = np.zeros((len(x.kernels.rows), len(y.kernels.rows)))
    lack = EXACT if x.drawn.size == x.kernels.rows.shape[1] else ROUGH
    for first in x.parts:
        for second in y.parts:
            steps = staircase(first.shares, second.shares, lack)
            if sum(steps) * x.drawn.size < x.drawn.size**2 / 2:
                block = _of_factors(first.features, second.features, steps)
            else:
                block = _of_wholes(x, first.places, y, second.places)
            found[np.ix_(first.places, second.places)] = block
    return found


def staircase(first: Doubles, second: Doubles, lack: float) -> list[int]:
    """Choose the pairs of directions that matter.

    Args:
        first: [r] shares of the trace, none above the one before.
        second: [q] the same of the other kernels.
        lack: what the products of the shares of the pairs left out may sum up to.

    Returns:
        Per direction of the first, how many of the second are multiplied with it.
    """
    products = np.outer(first, second)
    ordered = np.sort(products, axis=None)
    within = np.flatnonzero(np.cumsum(ordered) > lack)
    least = ordered[within[0]] if within.size else np.inf
    return [int(n) for n in (products >= least).sum(axis=1) if n]


def _of_factors(x: Floats, y: Floats, steps: Sequence[int]) -> Doubles:
    """Sum the squared products of directions: [n, k]."""
    n, k = x.shape[1], y.shape[1]
    found = np.zeros((n, k), np.float32)
    flat = y.reshape(-1, y.shape[2]).T
    for direction, step in enumerate(steps):
        products = x[direction] @ flat[:, : step * k]
        np.square(products, out=products)
        for start in range(0, step * k, k):
            found += products[:, start : start + k]
    return found.astype(np.float64)


def _of_wholes(
    x: Sampled,
    first: npt.NDArray[np.int64],
    y: Sampled,
    second: npt.NDArray[np.int64],
) -> Doubles:
    """Multiply whole centred kernels, some at once: [n, k]."""
    step = max(1, WHOLE_AT_ONCE // x.drawn.size**2)
    found = np.zeros((len(first), len(second)))
    for i in range(0, len(first), step):
        left = _whole(x, first[i : i + step])
        for j in range(0, len(second), step):
            right = _whole(y, second[j : j + step])
            found[i : i + step, j : j + step] = left @ right.T
    return found


def _whole(x: Sampled, places: npt.NDArray[np.int64]) -> Floats:
    """Return HKH, times the roots of the weights on both sides: [n, m * m]."""
    rows = x.kernels.rows[places][:, x.drawn]
    apart = (rows[:, :, None] - rows[:, None, :]) / x.kernels.widths[places][
        :, None, None
    ].astype(np.float32)
    kernel = np.exp(-(apart**2) / 2)
    share = x.weights / x.weights.sum()
    kernel -= (kernel @ share)[:, :, None]
    kernel -= (share @ kernel)[:, None, :]
    root = np.sqrt(x.weights)
    kernel *= np.outer(root, root)
    return kernel.reshape(len(places), -1)


def of_layer(pairs: Doubles) -> float:
    """Return the similarity of two sets of neurons in a layer.

    Args:
        pairs: [n, k] scores, at least one.

    Returns:
        Half the sum of the mean over rows of each row's maximum, and the same of
        columns.
    """
    return float(pairs.max(axis=1).mean() + pairs.max(axis=0).mean()) / 2
