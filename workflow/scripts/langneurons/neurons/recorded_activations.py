"""Statistics of every neuron over a corpus, read from a recorded activations file.

Nothing here needs torch. Arrays are [layers, neurons]; the histogram, the one large
tensor (bins x neurons), is read a layer at a time.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from langneurons.config.catalogue import OF_MEANS
from langneurons.config.errors import DataError, unknown_name
from langneurons.jobs import tensors

from . import activation_layout
from .activation_layout import SITES
from .chunk_statistics import ChunkStatistics
from .histogram import Scale, read_quantiles, read_share_above, scale_of

QUANTILES = ("pooled", "batch_mean")
PLAIN = ("zero", "mean", "median", "min", "max")
Counts = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


class Activations(ChunkStatistics):
    """An activations file of one model, corpus and language. Use :meth:`open`.

    Attributes:
        path: the file.
        metadata: its header: language, corpus, model, model_revision, tokens_sha256...
        n: number of tokens.
        histogram_n: number of tokens in the histogram (every m-th).
        batches: number of batches in the means of per-batch quantiles.
        layers: number of layers, L.
        width: number of neurons in a layer, F.
        activation: name of the activation function.
        bins: bins of the histogram.
        percentiles: those whose per-batch means were recorded.
    """

    def __init__(self, path: Path, handle: Any) -> None:
        self.path = path
        self._handle = handle
        self._keys = frozenset(handle.keys())
        self.metadata: Mapping[str, str] = handle.metadata() or {}
        layout = activation_layout.check(path, handle)
        self.layers, self.width, self.bins = layout.layers, layout.width, layout.bins
        self.percentiles = layout.percentiles
        self.n = self._scalar("n")
        self.histogram_n = self._scalar("histogram_n")
        self.batches = self._scalar("batches") if "batches" in self._keys else 0
        self.activation = self.metadata["activation"]
        if self.n < 1:
            raise DataError(f"{path}: no tokens were measured")

    @classmethod
    def open(cls, path: Path | str) -> Activations:
        """Open a file; tensors are read when they are asked for.

        Raises:
            DataError: the file is absent, damaged or not an activations file.
        """
        return cls(Path(path), tensors.open_file(path))

    def _scalar(self, key: str) -> int:
        return int(np.ravel(self._handle.get_tensor(key))[0])

    def tensor(self, key: str) -> npt.NDArray[Any]:
        """Read one tensor whole.

        Raises:
            DataError: it was not recorded.
        """
        if key not in self._keys:
            raise DataError(unknown_name("tensor", key, self._keys, str(self.path)))
        return self._handle.get_tensor(key)

    def histogram(self, layer: int) -> npt.NDArray[np.int32]:
        """Read the histogram of one layer: [F, bins]."""
        return self._handle.get_slice("histogram")[layer]

    def counts(self) -> Counts:
        """Return the number of tokens with a > 0, the same at both sites: [L, F]."""
        return self.tensor("count_pos").astype(np.int64, copy=False)

    def probability(self) -> Floats:
        """Return the share of tokens with a > 0: [L, F]."""
        return self.counts() / self.n

    def residual_mean(self) -> Floats:
        """Return the mean output of each decoder layer over all tokens.

        Returns:
            [L, hidden size]

        Raises:
            DataError: it was not recorded.
        """
        if "residual.sum" not in self._keys:
            raise DataError(
                f"{self.path}: the residual stream was not recorded; delete the file "
                "to measure it anew"
            )
        return self.tensor("residual.sum") / self.n

    def bounds(self, site: str) -> tuple[npt.NDArray, npt.NDArray]:
        """Return the smallest and the largest value over all tokens: [L, F] each."""
        return self.tensor(f"{_site(site)}.min"), self.tensor(f"{site}.max")

    def value(
        self, value: str, site: str = "act_post", quantile: str = "pooled"
    ) -> npt.NDArray[np.float32]:
        """Return one statistic of every neuron.

        Args:
            value: zero, mean, median, min, max, pNN (a percentile), or one of
                ``OF_MEANS`` (over the means of single chunks or sentences).
            site: gate_pre (before the activation function) or act_post (after it).
            quantile: pooled (over all tokens, from the histogram) or batch_mean (the
                mean of per-batch quantiles of the paper's released code).

        Returns:
            [L, F]

        Raises:
            DataError: unknown name, or batch quantiles or means of chunks that were not
                recorded.
        """
        _site(site)
        if value in OF_MEANS:
            return self.over_means(value, site)
        percent = percentile(value)
        if percent is not None:
            if quantile == "batch_mean":
                return self._batch_mean(percent, site)
            if quantile != "pooled":
                raise DataError(unknown_name("quantile", quantile, QUANTILES, value))
            return self.quantiles([percent / 100], site)[0]
        if value == "zero":
            return np.zeros((self.layers, self.width), np.float32)
        if value == "mean":
            return (self.tensor(f"{site}.sum") / self.n).astype(np.float32)
        return self.tensor(f"{site}.{value}").astype(np.float32, copy=False)

    def _batch_mean(self, percent: int, site: str) -> npt.NDArray[np.float32]:
        key = f"{site}.batch_quantiles"
        recorded = list(self.percentiles)
        if key not in self._keys or percent not in recorded:
            raise DataError(
                f"{self.path}: the mean of per-batch quantiles p{percent} at {site} "
                f"was not recorded (percentiles: {recorded}); add {site} to "
                "activations.batch_quantiles, or use quantile: pooled"
            )
        if self.batches < 1:
            raise DataError(
                f"{self.path}: the corpus is shorter than one batch, so that it has no "
                "per-batch quantiles; use more tokens, a smaller "
                "activations.batch_chunks, or quantile: pooled"
            )
        total = self._handle.get_slice(key)[recorded.index(percent)]
        return (total / self.batches).astype(np.float32)

    def quantiles(
        self, fractions: Sequence[float], site: str
    ) -> npt.NDArray[np.float32]:
        """Return pooled quantiles of every neuron: [len(fractions), L, F]."""
        return pooled_quantiles([self], fractions, site)

    def fraction_above(self, threshold: npt.ArrayLike, site: str) -> Floats:
        """Return the share of tokens above a threshold.

        It comes from the histogram, and is exact where the threshold is zero.

        Args:
            threshold: anything that broadcasts to [L, F].
            site: gate_pre or act_post.

        Returns:
            [L, F]
        """
        shape = (self.layers, self.width)
        limits = np.broadcast_to(np.asarray(threshold, np.float64), shape)
        low, high = self.bounds(site)
        grid = self._scale(site)
        self._check_histogram()
        out = np.empty(shape)
        for layer in range(self.layers):
            cumulative = grid.cumulative(self.histogram(layer))
            out[layer] = read_share_above(
                cumulative, grid.edges, limits[layer], low[layer], high[layer]
            )
        at_zero = limits == 0
        if at_zero.any():
            out[at_zero] = self.probability()[at_zero]
        return out

    def _scale(self, site: str) -> Scale:
        mapped = self.activation if _site(site) == "act_post" else None
        return scale_of(self.bins, mapped)

    def _check_histogram(self) -> None:
        if self.histogram_n < 1:
            raise DataError(f"{self.path}: the quantile histogram holds no tokens")


def percentile(value: str) -> int | None:
    """Return 90 for ``p90`` and 50 for ``median``; None for a value that is neither.

    Raises:
        DataError: not the name of a value that is measured.
    """
    if value == "median":
        return 50
    if match := re.fullmatch(r"p([1-9][0-9]?)", value):
        return int(match[1])
    if value not in PLAIN:
        known = [*PLAIN, *OF_MEANS, "p90"]
        raise DataError(unknown_name("value", value, known, "statistics"))
    return None


def _site(site: str) -> str:
    if site not in SITES:
        raise DataError(unknown_name("site", site, SITES, "statistics"))
    return site


def check_same_model(group: Sequence[Activations]) -> None:
    """Refuse files that cannot be compared neuron by neuron.

    Raises:
        DataError: another model, revision, shape, activation function or other bins.
    """

    def identity(one: Activations) -> dict[str, Any]:
        names = {k: one.metadata.get(k) for k in ("model", "model_revision")}
        shape = {"layers": one.layers, "neurons per layer": one.width}
        return names | shape | {"activation": one.activation, "bins": one.bins}

    first = identity(group[0])
    for other in group[1:]:
        for key, value in identity(other).items():
            if value != first[key]:
                raise DataError(
                    f"{other.path}: {key} is {value}, but {first[key]} in "
                    f"{group[0].path}; all languages need the same model"
                )


def pooled_quantiles(
    group: Sequence[Activations],
    fractions: Sequence[float],
    site: str,
    over_layer: bool = False,
) -> npt.NDArray[np.float32]:
    """Return quantiles of all tokens of several files taken together.

    A language with more tokens weighs more, as in a concatenated corpus.

    Args:
        group: files of one model, one per language.
        fractions: the quantiles wanted, each in 0..1.
        site: gate_pre or act_post.
        over_layer: pool all neurons of a layer too.

    Returns:
        [len(fractions), L, F], or [len(fractions), L, 1] with ``over_layer``.
    """
    check_same_model(group)
    grid = group[0]._scale(site)
    lows, highs = zip(*(one.bounds(site) for one in group), strict=True)
    low, high = np.min(lows, axis=0), np.max(highs, axis=0)
    for one in group:
        one._check_histogram()
    width = 1 if over_layer else group[0].width
    out = np.empty((len(fractions), group[0].layers, width), np.float32)
    for layer in range(group[0].layers):
        counts = np.zeros((group[0].width, group[0].bins.count), np.int64)
        for one in group:
            counts += one.histogram(layer)
        lowest, highest = low[layer], high[layer]
        if over_layer:
            counts = counts.sum(axis=0, keepdims=True)
            lowest, highest = lowest.min(keepdims=True), highest.max(keepdims=True)
        out[:, layer] = read_quantiles(
            grid.cumulative(counts), grid.edges, fractions, lowest, highest
        )
    return out
