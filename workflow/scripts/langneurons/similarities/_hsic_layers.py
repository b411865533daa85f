"""HSIC of one layer: kernels of both sets, equally many neurons of each candidate."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from langneurons.stats import hsic, kernels
from langneurons.stats.hsic import Kernels

from ._bridge_sets import Places, Sets

Sigma = Literal["code", "nonzero_median_shared", "per_row_median"]


@dataclass(frozen=True)
class Matching:
    """How the numbers of neurons of the candidates are made equal.

    Attributes:
        subsets: random subsets of each that are averaged; 0: all neurons are taken.
        seed: of the subsets.
    """

    subsets: int
    seed: int

    def of(self, own: Mapping[str, Places], layer: int) -> dict[str, list[Places]]:
        """Draw subsets of each candidate's neurons in a layer.

        Args:
            own: neurons of each candidate.
            layer: number of the layer.

        Returns:
            Places among a candidate's neurons, per subset; one of all where the
            candidate has the fewest, or sizes stay as they are.
        """
        least = min(map(len, own.values()))
        found = {}
        for name, places in own.items():
            everything = np.arange(len(places))
            if not self.subsets or len(places) == least:
                found[name] = [everything]
                continue
            # Of each its own, so that another candidate changes a draw by size only.
            rng = np.random.default_rng((self.seed, layer, zlib.crc32(name.encode())))
            found[name] = [
                np.sort(rng.choice(everything, least, replace=False))
                for _ in range(self.subsets)
            ]
        return found


@dataclass(frozen=True)
class Layer:
    """The kernels of one layer.

    Attributes:
        variant: of HSIC.
        groups: candidates that share their widths: the kernels of the anchor, those of
            the candidates' neurons, and which of these are of each candidate.
        subsets: per candidate, places among its neurons, one subset after the other.
    """

    variant: hsic.Variant
    groups: Sequence[tuple[Kernels, Kernels, Mapping[str, Places]]]
    subsets: Mapping[str, Sequence[Places]]

    @classmethod
    def of(
        cls,
        sets: Sets,
        layer: int,
        names: Sequence[str],
        values: npt.NDArray[np.float32],
        *,
        variant: hsic.Variant,
        sigma: Sigma,
        matching: Matching,
    ) -> Layer:
        """Factor the kernels of a layer.

        Args:
            sets: of the pair.
            layer: number of it.
            names: candidates that have neurons in it.
            values: [neurons, S] activations.
            variant: of HSIC.
            sigma: how widths are found.
            matching: how sizes are made equal.
        """
        own = {name: sets.candidates[name][layer] for name in names}
        anchor = kernels.z_scores(values[sets.anchor[layer]])
        if sigma == "code":
            groups = [_code_group(anchor, name, values[x]) for name, x in own.items()]
        else:
            groups = [_shared_group(sets.anchor[layer], own, values, sigma)]
        return cls(variant, groups, matching.of(own, layer))

    def point(self) -> dict[str, float]:
        """Return the similarity of each candidate, on all probes."""
        found = {}
        for anchor, others, places in self.groups:
            pairs = hsic.scores(
                hsic.sampled(anchor), hsic.sampled(others), self.variant
            )
            for name, own in places.items():
                each = [hsic.of_layer(pairs[:, own[x]]) for x in self.subsets[name]]
                found[name] = float(np.mean(each))
        return found

    def draw(self, row: int, times: npt.NDArray[np.int64]) -> dict[str, float]:
        """Return the similarity of each candidate on a resample of the probes.

        Args:
            row: number of the draw.
            times: [S] how often each probe is in it.
        """
        found = {}
        for anchor, others, places in self.groups:
            chosen = {}
            for name, own in places.items():
                subsets = self.subsets[name]
                chosen[name] = own[subsets[row % len(subsets)]]
            only = np.unique(np.concatenate(list(chosen.values())))
            first = hsic.sampled(anchor, times)
            pairs = hsic.scores(first, hsic.sampled(others, times, only), self.variant)
            for name, own in chosen.items():
                found[name] = hsic.of_layer(pairs[:, own])
        return found


def _code_group(
    anchor: npt.NDArray[np.float32], name: str, values: npt.NDArray[np.float32]
) -> tuple[Kernels, Kernels, Mapping[str, Places]]:
    rows = kernels.z_scores(values)
    width = kernels.width_of_code(anchor, rows)
    own = {name: np.arange(len(rows))}
    return Kernels.of(anchor, width), Kernels.of(rows, width), own


def _shared_group(
    anchor: Places,
    own: Mapping[str, Places],
    values: npt.NDArray[np.float32],
    sigma: Sigma,
) -> tuple[Kernels, Kernels, Mapping[str, Places]]:
    """Factor each neuron once, however many candidates have it."""
    others = np.unique(np.concatenate(list(own.values())))
    both = np.union1d(anchor, others)
    rows = kernels.z_scores(values[both])
    if sigma == "per_row_median":
        widths = kernels.row_widths(rows)
    else:
        widths = np.full(len(rows), kernels.shared_width(rows))
    at, of = np.searchsorted(both, anchor), np.searchsorted(both, others)
    places = {name: np.searchsorted(others, x) for name, x in own.items()}
    first, second = Kernels.of(rows[at], widths[at]), Kernels.of(rows[of], widths[of])
    return first, second, places
