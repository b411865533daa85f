"""Which neurons HSIC compares: the anchor of a pair, and those of a candidate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from langneurons.neurons.neuron_sets import NeuronSets
from langneurons.neurons.recorded_probes import RecordedProbes

BridgeSet = Literal["specific", "all", "shared", "top_active"]
Numbering = Literal["ids", "position"]
Places = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Sets:
    """Places of neurons among the recorded ones, by layer.

    Attributes:
        anchor: of the neurons that the pair shares, by layer.
        candidates: of the neurons of each candidate, by layer.
    """

    anchor: Mapping[int, Places]
    candidates: Mapping[str, Mapping[int, Places]]

    def common(self, candidate: str) -> list[int]:
        """List the layers in which neither set is empty, in order."""
        return [x for x in sorted(self.anchor) if x in self.candidates[candidate]]

    def used(
        self, candidate: str, wanted: Sequence[int], numbering: Numbering
    ) -> list[int]:
        """List the layers in which a candidate is compared.

        Args:
            candidate: its code.
            wanted: numbers of layers.
            numbering: ``ids``: these are numbers of the model's layers; ``position``:
                the n-th common layer, from 0, counts as layer n, as the study's code
                has it.
        """
        common = self.common(candidate)
        if numbering == "position":
            return [common[n] for n in wanted if n < len(common)]
        return [layer for layer in common if layer in wanted]


def find(
    neurons: NeuronSets,
    probes: RecordedProbes,
    ends: tuple[str, str],
    candidates: Sequence[str],
    *,
    kind: BridgeSet,
    min_active: float,
) -> Sets:
    """Find the sets of a pair and its candidates.

    Args:
        neurons: T of every language.
        probes: activations of these neurons.
        ends: source and target of the pair.
        candidates: for the bridge.
        kind: which neurons of a candidate are compared.
        min_active: share of the probes on which a neuron of the anchor is above zero.
    """
    source, target = (neurons.mask(lang) for lang in ends)
    anchor = source & target
    places = probes.places(anchor)
    active = (probes.values[places] > 0).mean(axis=1) >= min_active
    anchor = np.zeros_like(anchor)
    anchor[probes.layers[places[active]], probes.neurons[places[active]]] = True
    found = {}
    for name in candidates:
        own = neurons.mask(name)
        if kind == "specific":
            own = own & ~(source | target)
        elif kind == "shared":
            own = own & anchor
        chosen = probes.places(own)
        if kind == "top_active":
            chosen = _most_active(probes, chosen, int(anchor.sum()))
        found[name] = _by_layer(probes, chosen)
    return Sets(_by_layer(probes, probes.places(anchor)), found)


def _most_active(probes: RecordedProbes, places: Places, count: int) -> Places:
    """Return the places with the largest mean |activation|, of equals the first."""
    means = np.abs(probes.values[places]).mean(axis=1)
    return np.sort(places[np.argsort(-means, kind="stable")[:count]])


def _by_layer(probes: RecordedProbes, places: Places) -> dict[int, Places]:
    layers = probes.layers[places]
    return {int(x): places[layers == x] for x in np.unique(layers)}
