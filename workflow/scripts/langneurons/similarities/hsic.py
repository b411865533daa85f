"""HSIC between the neurons that a pair shares and those of a candidate.

After Xu et al. 2025 (BridgeX-ICL): on the probes of a pair s-t, the neurons that s and
t share (the anchor) are compared with those of a candidate, layer by layer. In a layer
each neuron of either set takes its best match in the other, and the means over both
sets are averaged; the score is the mean over the layers in the middle of the model.

What the study's code does is a value of each parameter: ``variant: code``, ``sigma:
code``, ``layer_ids: [10, 21]``, ``missing_layers: zero``, ``numbering: position``,
``match_size: false``. Its width collapses to 1e-6 in layers with at most two neurons on
both sides, each of which then scores S - 1, far above any other, and decides.

Bootstrap draws resample the probes. What is fixed: the sets, z-scores and widths of all
probes. With ``match_size`` a draw takes one of the random subsets, in turn, so that
shares of draws hold that chance, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from langneurons.config.fields import Frozen, Seed
from langneurons.jobs.workers import spread
from langneurons.stats.hsic import Variant

from . import Planned, Similar, Similarity, SimilarityInputs, shares
from ._bridge_sets import BridgeSet, Numbering, find
from ._hsic_layers import Layer, Matching, Sigma

SMALLEST = {"unbiased": 4}
"""Probes that a variant needs; the others need two."""


class Parameters(Frozen):
    """Parameters of ``hsic``."""

    variant: Variant = Field(
        "cka",
        description="score of two neurons with kernels K and L over S probes:\n"
        "`code`: tr(KHL) (paper)\n`biased`: tr(KHLH) / (S - 1)²\n"
        "`unbiased`: the estimator of Song et al. 2012\n"
        "`cka`: tr(KHLH) / sqrt(tr(KHKH) tr(LHLH)), which has one scale",
    )
    sigma: Sigma = Field(
        "nonzero_median_shared",
        description="width of the kernels:\n`code`: lower median of the distances "
        "between whole neurons of a set, those of each to itself among them (paper)\n"
        "`nonzero_median_shared`: of the distances above 0 between two probes, over "
        "all neurons of the layer that are compared; the same for all candidates\n"
        "`per_row_median`: the same, of each neuron alone",
    )
    set: BridgeSet = Field(
        "specific",
        description="which neurons of a candidate k, T being what the selection found "
        "and A the neurons that both languages of the pair share:\n"
        "`specific`: T(k) without those of the pair's languages\n`all`: T(k)\n"
        "`shared`: T(k) in A\n`top_active`: as many of T(k) as A has, those with the "
        "largest mean |activation| on the probes",
    )
    layers: tuple[float, float] = Field(
        (0.31, 0.66),
        description="first and last layer, as shares of the number of layers, rounded",
    )
    layer_ids: tuple[int, int] | None = Field(
        None,
        description="first and last layer, from 0, instead of `layers` (paper: "
        "[10, 21] of 32)",
    )
    missing_layers: Literal["skip", "zero"] = Field(
        "skip",
        description="layers in which a set is empty:\n`skip`: do not count\n"
        "`zero`: count as 0 (paper)",
    )
    numbering: Numbering = Field(
        "ids",
        description="which layer has which number:\n`ids`: its own\n`position`: the "
        "n-th layer in which neither set is empty has number n (the released code)",
    )
    match_size: bool = Field(
        True,
        description="compare equally many neurons of each candidate in a layer, as "
        "many as the smallest set has, in random subsets; maxima over more neurons "
        "are larger (paper: false)",
    )
    subsets: int = Field(
        20, ge=1, le=1_000, description="random subsets that are averaged"
    )
    anchor_min_active: float = Field(
        0.0,
        ge=0,
        le=1,
        description="share of the probes on which a neuron that the pair shares must "
        "be above 0; 0: all count (paper)",
    )
    draws: int = Field(
        200, ge=0, le=10_000, description="bootstrap draws over the probes; 0: none"
    )
    seed: Seed = Field(0, description="of the draws and of random subsets")

    @model_validator(mode="after")
    def _in_order(self) -> Parameters:
        first, last = self.layers
        if not 0 <= first <= last <= 1:
            raise ValueError(
                f"layers: {list(self.layers)}; two shares from 0 to 1 are needed, the "
                "first not above the last; numbers of layers stand in layer_ids"
            )
        if self.layer_ids and not 0 <= self.layer_ids[0] <= self.layer_ids[1]:
            raise ValueError(
                f"layer_ids: {list(self.layer_ids)}; first and last layer, from 0"
            )
        return self

    @model_validator(mode="after")
    def _none_is_idle(self) -> Parameters:
        fields = type(self).model_fields
        for key, off, where in (
            ("layers", self.layer_ids is not None, "layer_ids"),
            ("subsets", not self.match_size, "match_size: false"),
        ):
            if off and getattr(self, key) != fields[key].default:
                raise ValueError(
                    f"{key}: is not read beside {where}; take "
                    "one out, or give it its default"
                )
        return self

    def beyond(self, layers: int) -> str:
        """Say which layers a model with so many lacks; empty where it has all."""
        if self.layer_ids is None or self.layer_ids[1] < layers:
            return ""
        return (
            f"layer_ids go up to {self.layer_ids[1]}, but it has layers 0 to "
            f"{layers - 1}; give layers, which are shares"
        )

    def of(self, layers: int) -> range:
        """Return the layers that are compared, in a model with so many."""
        if self.layer_ids is not None:
            first, last = self.layer_ids
        else:
            first, last = (round(share * layers) for share in self.layers)
            last = min(last, layers - 1)
            first = min(first, last)
        return range(first, last + 1)


class Hsic(Similarity[Parameters]):
    """Dependence between shared neurons and a candidate's; see the module."""

    PARAMETERS = Parameters
    READS = ("neurons", "probes")

    def compare(self, inputs: SimilarityInputs, parameters: Parameters) -> Similar:
        """Compare the neurons of each candidate with those of the pair."""
        neurons, probes = inputs.neurons, inputs.probes
        assert neurons is not None
        assert probes is not None
        names, size = inputs.candidates, probes.values.shape[1]
        nothing: dict[str, float | None] = dict.fromkeys(names)
        least = SMALLEST.get(parameters.variant, 2)
        if probes.left_out or size < least:
            few = f"{size} probes; variant {parameters.variant} needs {least}"
            return Similar(nothing, probes=size, left_out=probes.left_out or few)
        if beyond := parameters.beyond(neurons.layers):
            return Similar(nothing, probes=size, left_out=f"the model: {beyond}")
        ends = (inputs.pair.source, inputs.pair.target)
        sets = find(
            neurons,
            probes,
            ends,
            names,
            kind=parameters.set,
            min_active=parameters.anchor_min_active,
        )
        wanted = parameters.of(neurons.layers)
        used = {x: sets.used(x, wanted, parameters.numbering) for x in names}
        compared = sorted({layer for each in used.values() for layer in each})
        if not compared:
            by_place = " counted by position" if parameters.numbering != "ids" else ""
            why = (
                f"in layers {wanted.start} to {wanted.stop - 1}{by_place} no neuron is "
                f"shared by {' and '.join(ends)} beside one of a candidate (set "
                f"{parameters.set}); widen layers, or take another set"
            )
            return Similar(nothing, anchor=0, probes=size, left_out=why)
        times = _resamples(size, parameters)
        matching = Matching(
            parameters.subsets if parameters.match_size else 0, parameters.seed
        )
        points: dict[str, dict[int, float]] = {name: {} for name in names}
        drawn = np.zeros((parameters.draws, len(names)))
        for layer in compared:
            these = [x for x in names if layer in used[x]]
            one = Layer.of(
                sets,
                layer,
                these,
                probes.values,
                variant=parameters.variant,
                sigma=parameters.sigma,
                matching=matching,
            )
            for name, score in one.point().items():
                points[name][layer] = score
            for row, scored in enumerate(spread(one.draw, range(len(times)), times)):
                for name, score in scored.items():
                    drawn[row, names.index(name)] += score
        counts = _counts(used, wanted, parameters)
        scores = {x: _mean(points[x].values(), counts[x]) for x in names}
        drawn /= [counts[x] or np.nan for x in names]
        of = {x: sum(len(sets.candidates[x][i]) for i in used[x]) for x in names}
        anchor = sum(len(sets.anchor[layer]) for layer in compared)
        return Similar(
            scores,
            points,
            of,
            anchor,
            shares(names, drawn) if parameters.draws else {},
            draws=parameters.draws,
            probes=size,
        )

    def unmet(self, parameters: Parameters, planned: Planned) -> list[str]:
        found = []
        needed = SMALLEST.get(parameters.variant, 2)
        if planned.least < needed:
            found.append(
                f"variant: {parameters.variant} needs {needed} probes, but least of "
                f"the experiment's probes is {planned.least}; raise it"
            )
        return found + [
            f"{model}: {beyond}"
            for model, layers in planned.layers.items()
            if (beyond := parameters.beyond(layers))
        ]


def _resamples(size: int, parameters: Parameters) -> npt.NDArray[np.int64]:
    """Draw how often each probe is in each draw: [draws, S]."""
    rng = np.random.default_rng(parameters.seed)
    return rng.multinomial(size, [1 / size] * size, parameters.draws)


def _counts(
    used: Mapping[str, Sequence[int]], wanted: range, parameters: Parameters
) -> dict[str, int]:
    """Return by how many layers each candidate's sum is divided; 0: it has none."""
    zero = parameters.missing_layers == "zero"
    return {name: len(wanted) if zero else len(x) for name, x in used.items()}


def _mean(values: Iterable[float], count: int) -> float | None:
    return sum(values) / count if count else None


SIMILARITY = Hsic()
