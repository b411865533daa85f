"""The histogram over bf16 bit patterns: its bins, and what can be read from it.

One histogram of the pre-activations of a neuron serves both sites: what the activation
function does to each bin is the same for all neurons, so the distribution of the
outputs follows from the counts by one matrix product. The value is found within a bin
by linear interpolation; with 4 mantissa bits a bin is 1/16 of an octave wide.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from langneurons.config.errors import DataError, unknown_name

Floats = npt.NDArray[np.float64]
# A power of two: shares of a bin times counts are then exact in float64, and sums of
# them do not depend on the order or the number of threads.
POINTS_PER_BIN = 64


@dataclass(frozen=True)
class Bins:
    """Bins by sign, exponent and leading mantissa bits of the bf16 value.

    Bin ``middle`` holds all ``|a| < 2**emin``; the outermost bins are open.

    Attributes:
        mantissa: leading mantissa bits that are kept, 0 to 7.
        emin: exponent below which values share the middle bin.
        emax: largest exponent with bins of its own.
    """

    mantissa: int = 4
    emin: int = -8
    emax: int = 6

    def __post_init__(self) -> None:
        if not (0 <= self.mantissa <= 7 and -126 <= self.emin <= self.emax <= 126):
            raise DataError(
                f"histogram bins: mantissa {self.mantissa}, emin {self.emin}, emax "
                f"{self.emax}; allowed: 0..7 and -126 <= emin <= emax <= 126"
            )

    @property
    def middle(self) -> int:
        """Number of bins on either side of zero, which is the middle bin's index."""
        return (self.emax - self.emin + 1) << self.mantissa

    @property
    def count(self) -> int:
        return 2 * self.middle + 1

    def index(self, values: npt.ArrayLike) -> npt.NDArray[np.int64]:
        """Return the bin of each value, which is first rounded to bf16.

        This is the reference for the recorder's version on tensors.
        """
        bits = np.asarray(values, np.float32).view(np.uint32).astype(np.int64)
        pattern = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16  # ties to even
        first = (127 + self.emin) << self.mantissa
        last = first + self.middle - 1
        step = np.clip((pattern & 0x7FFF) >> (7 - self.mantissa), first - 1, last)
        side = np.where(pattern & 0x8000, -1, 1)
        return self.middle + side * (step - (first - 1))

    def edges(self) -> Floats:
        """Return the ``count + 1`` edges, from ``-inf`` to ``inf``.

        An edge lies halfway between the last bf16 value of one bin and the first of
        the next: exact for values rounded to bf16, and centred for bf16 values.
        """
        first = (127 + self.emin) << self.mantissa
        start = np.arange(first, first + self.middle) << (7 - self.mantissa)
        upper = _bf16(start)
        lower = _bf16(start - 1)
        positive = (upper + lower) / 2
        return np.concatenate([[-np.inf], -positive[::-1], positive, [np.inf]])


def _bf16(patterns: npt.NDArray[np.int64]) -> Floats:
    return (patterns.astype(np.uint32) << 16).view(np.float32).astype(np.float64)


@dataclass(frozen=True)
class Scale:
    """Edges at one site, and the share of each histogram bin below each of them.

    Attributes:
        edges: [k + 1] increasing, from ``-inf`` to ``inf``.
        below: [bins, k + 1] share of a bin below an edge; None where the edges are
            those of the bins.
    """

    edges: Floats
    below: Floats | None = None

    def cumulative(self, counts: npt.NDArray[np.integer]) -> Floats:
        """Count the tokens below each edge: [rows, bins] to [rows, k + 1], exactly."""
        if self.below is not None:
            return counts.astype(np.float64) @ self.below
        out = np.zeros((len(counts), counts.shape[1] + 1))
        np.cumsum(counts, axis=1, out=out[:, 1:])
        return out


@lru_cache(maxsize=8)
def scale_of(bins: Bins, activation: str | None) -> Scale:
    """Build the scale of the histogram (None), or of what a function makes of it.

    Args:
        bins: bins of the recorded histogram.
        activation: name of the activation function in Hugging Face's spelling.

    Raises:
        DataError: unknown activation function.
    """
    edges = bins.edges()
    if activation is None:
        return Scale(edges)
    function = activation_function(activation)
    finite = edges.copy()
    finite[-1] = 2.0 ** (bins.emax + 1)
    finite[0] = -finite[-1]
    inside = (np.arange(POINTS_PER_BIN) + 0.5) / POINTS_PER_BIN
    points = finite[:-1, None] + inside * np.diff(finite)[:, None]
    mapped = np.sort(function(points), axis=1)
    new = np.concatenate([[-np.inf], np.unique(function(edges[1:-1])), [np.inf]])
    below = np.stack([np.searchsorted(row, new) for row in mapped]) / POINTS_PER_BIN
    return Scale(new, below)


def _silu(x: Floats) -> Floats:
    return x / (1 + np.exp(np.minimum(-x, 700)))


def _gelu(x: Floats) -> Floats:
    erf = np.fromiter((math.erf(v) for v in x.ravel() / math.sqrt(2)), np.float64)
    return 0.5 * x * (1 + erf.reshape(x.shape))


def _gelu_tanh(x: Floats) -> Floats:
    return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def _relu(x: Floats) -> Floats:
    return np.maximum(x, 0.0)


FUNCTIONS: dict[str, Callable[[Floats], Floats]] = {
    "silu": _silu,
    "swish": _silu,
    "gelu": _gelu,
    "gelu_new": _gelu_tanh,
    "gelu_fast": _gelu_tanh,
    "gelu_pytorch_tanh": _gelu_tanh,
    "relu": _relu,
}


def activation_function(name: str) -> Callable[[Floats], Floats]:
    """Return an activation function on float64 arrays.

    Raises:
        DataError: unknown name; it would have to be added to ``FUNCTIONS``.
    """
    if name not in FUNCTIONS:
        where = "act_post quantiles (add it to FUNCTIONS in histogram.py)"
        raise DataError(unknown_name("activation function", name, FUNCTIONS, where))
    return FUNCTIONS[name]


def read_quantiles(
    cumulative: Floats,
    edges: Floats,
    fractions: Sequence[float],
    low: npt.NDArray[np.floating],
    high: npt.NDArray[np.floating],
) -> Floats:
    """Read quantiles off cumulative counts.

    The definition is that of ``numpy.quantile`` (linear): fraction ``q`` is at rank
    ``q (n - 1)``; the tokens of a bin are taken to lie evenly in it.

    Args:
        cumulative: [rows, k + 1] tokens below each edge.
        edges: [k + 1] the edges.
        fractions: the quantiles wanted, each in 0..1.
        low: [rows] smallest value; it narrows the bin it is in.
        high: [rows] largest value.

    Returns:
        [len(fractions), rows]
    """
    rows = np.arange(len(cumulative))
    total = cumulative[:, -1]
    out = np.empty((len(fractions), len(cumulative)))
    for i, fraction in enumerate(fractions):
        rank = fraction * (total - 1) + 0.5
        found = (cumulative[:, 1:] <= rank[:, None]).sum(axis=1)
        found = np.minimum(found, cumulative.shape[1] - 2)
        before = cumulative[rows, found]
        inside = cumulative[rows, found + 1] - before
        share = np.clip((rank - before) / np.maximum(inside, 1e-300), 0, 1)
        lower = np.maximum(edges[found], low)
        upper = np.maximum(np.minimum(edges[found + 1], high), lower)
        out[i] = np.clip(lower + share * (upper - lower), low, high)
    return out


def read_share_above(
    cumulative: Floats,
    edges: Floats,
    threshold: npt.NDArray[np.floating],
    low: npt.NDArray[np.floating],
    high: npt.NDArray[np.floating],
) -> Floats:
    """Return the share of tokens above a threshold, the inverse of a quantile.

    Args:
        cumulative: [rows, k + 1] tokens below each edge.
        edges: [k + 1] the edges.
        threshold: [rows] finite thresholds.
        low: [rows] smallest value.
        high: [rows] largest value.

    Returns:
        [rows] in 0..1.
    """
    rows = np.arange(len(cumulative))
    threshold = np.asarray(threshold, np.float64)
    found = np.searchsorted(edges, threshold, side="right") - 1
    found = np.clip(found, 0, len(edges) - 2)
    lower = np.maximum(edges[found], low)
    upper = np.minimum(edges[found + 1], high)
    width = upper - lower
    narrow = width <= 0  # all its tokens have one value: below means not above it
    share = np.clip((threshold - lower) / np.where(narrow, 1.0, width), 0, 1)
    share = np.where(narrow, threshold >= lower, share)
    before = cumulative[rows, found]
    below = before + share * (cumulative[rows, found + 1] - before)
    return 1 - below / cumulative[:, -1]
