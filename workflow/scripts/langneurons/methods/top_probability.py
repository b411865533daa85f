"""Neurons that are active most often in a language (Xu et al. 2025, BridgeX-ICL).

A neuron is of a language if its share of tokens with a > 0 is at least v, the value of
rank round((1 - top_rate) N) of all N neurons in ascending order, each language for
itself: N - round((1 - top_rate) N) + 1 neurons, more where others equal v. So the sets
hold neurons that are nearly always on, and overlap; what sets a language apart plays no
part, unless the mean of the languages is taken off.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field

from langneurons.config.fields import Frozen

from . import Method, MethodInputs, Planned, Selected, kth_smallest


class Parameters(Frozen):
    """Parameters of ``top_probability``; the defaults are those of the study."""

    top_rate: float = Field(
        0.01, gt=0, lt=1, description="share of all neurons, for each language"
    )
    score: Literal["prob", "prob_minus_mean"] = Field(
        "prob",
        description="what is large:\n`prob`: the share of tokens with a > 0 (paper)\n"
        "`prob_minus_mean`: that, minus its mean over the languages of the set",
    )


class TopProbability(Method[Parameters]):
    """The largest shares of positive activations; see the module."""

    PARAMETERS = Parameters

    def select(self, inputs: MethodInputs, parameters: Parameters) -> Selected:
        """Select the neurons of each language whose score reaches that of the rank."""
        scores = {x: one.probability() for x, one in inputs.activations.items()}
        if parameters.score == "prob_minus_mean":
            inputs.require_contrast("score prob_minus_mean")
            mean = np.mean(list(scores.values()), axis=0)
            scores = {lang: score - mean for lang, score in scores.items()}
        count = inputs.layers * inputs.width
        rank = max(1, round((1 - parameters.top_rate) * count))
        bounds = {lang: kth_smallest(x, [rank])[0] for lang, x in scores.items()}
        masks = {lang: score >= bounds[lang] for lang, score in scores.items()}
        return Selected(masks, {"rank": rank, "score_cutoff": bounds})

    def unmet(self, parameters: Parameters, planned: Planned) -> list[str]:
        if parameters.score == "prob":
            return []
        return planned.without_contrast("score prob_minus_mean")


METHOD = TopProbability()
