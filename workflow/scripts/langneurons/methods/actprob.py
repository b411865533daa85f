"""Neurons by how often they exceed a threshold (Mondal et al. 2025; methods.md 1.6).

The relevance of neuron (i, j) for language k is R_k = E_k[1(a > T)]. The paper takes
for T the mean of per-batch 90th percentiles of the same language, and the 0.125 % of
all neurons with the largest R_k. With the exact pooled percentile R is 0.10 for every
neuron, so that the rank is noise: ``same_lang_pooled`` is there as that control.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from langneurons.config.errors import DataError
from langneurons.config.fields import Frozen

from . import Method, MethodInputs, Planned, Selected, lowest, share_of

Floats = npt.NDArray[np.float64]


class Parameters(Frozen):
    """Parameters of ``actprob`` (section 3.3); the defaults are Act Prob 90p."""

    percentile: Literal[0, 75, 90, 95] = Field(
        90,
        description="percentile that is the threshold: `75`, `90` or `95`; `0` counts "
        "a > 0 instead",
    )
    threshold_population: Literal[
        "same_lang_batchmean",
        "same_lang_pooled",
        "all_langs_pooled",
        "english",
        "all_neurons_in_layer",
    ] = Field(
        "same_lang_batchmean",
        description="whose percentile it is:\n"
        "`same_lang_batchmean`: of the neuron in the same language, mean over batches "
        "(paper)\n`same_lang_pooled`: the same, pooled; a degenerate control\n"
        "`all_langs_pooled`: of the neuron in all languages of the set\n"
        "`english`: of the neuron in English\n"
        "`all_neurons_in_layer`: of all neurons of the layer in the same language",
    )
    contrast: Literal["none", "minus_mean_other", "ratio", "exclusive"] = Field(
        "none",
        description="score, R being the share above the threshold:\n`none`: R (paper)\n"
        "`minus_mean_other`: R minus its mean in the other languages\n"
        "`ratio`: R over that mean\n"
        "`exclusive`: R, without neurons that other languages select too",
    )
    frac: float = Field(
        0.00125, gt=0, le=1, description="share of all neurons, for each language"
    )

    @model_validator(mode="after")
    def _population_needs_percentile(self) -> Parameters:
        # A job is told all parameters, defaults too: only another value says something.
        if self.percentile == 0 and self.threshold_population != "same_lang_batchmean":
            raise ValueError(
                "percentile 0 counts a > 0; 'threshold_population' would have no effect"
            )
        return self


class ActProb(Method[Parameters]):
    """The largest relevance in the language itself; see the module."""

    PARAMETERS = Parameters

    def select(self, inputs: MethodInputs, parameters: Parameters) -> Selected:
        """Select the neurons of each language with the largest relevance.

        Raises:
            DataError: batch quantiles that were not recorded; no English in the set for
                ``english``; one language where languages are compared.
        """
        wanted = share_of(parameters.frac, inputs.layers * inputs.width, "actprob.frac")
        if parameters.contrast != "none":
            inputs.require_contrast(f"actprob with contrast {parameters.contrast}")
        scores = contrasted(relevance(inputs, parameters), inputs, parameters)
        masks, cutoffs = {}, {}
        for lang, score in scores.items():
            chosen = lowest(-score.ravel(), wanted)
            mask = np.zeros(score.size, np.bool_)
            mask[chosen] = True
            masks[lang] = mask.reshape(score.shape)
            cutoffs[lang] = float(score.ravel()[chosen].min())
        if parameters.contrast == "exclusive":
            once = sum(mask.astype(np.int64) for mask in masks.values()) == 1
            masks = {lang: mask & once for lang, mask in masks.items()}
        thresholds: dict[str, Any] = {"wanted": wanted, "score_cutoff": cutoffs}
        return Selected(masks, thresholds)

    def unmet(self, parameters: Parameters, planned: Planned) -> list[str]:
        found: list[str] = []
        whose = parameters.threshold_population
        if parameters.contrast != "none":
            found += planned.without_contrast(f"contrast {parameters.contrast}")
        if whose == "english" and "en" not in planned.languages:
            found.append(
                "threshold_population english needs 'en' in the language set; it has "
                f"{', '.join(planned.languages)}"
            )
        recorded = planned.site in planned.recorded.batch_quantiles
        if parameters.percentile and whose == "same_lang_batchmean" and not recorded:
            found.append(
                "same_lang_batchmean needs the mean of per-batch percentiles at "
                f"{planned.site}; add that site to activations.batch_quantiles"
            )
        if whose == "english" and planned.quantile == "batch_mean" and not recorded:
            found.append(
                "threshold_population english needs, with quantile batch_mean, the "
                f"mean of per-batch percentiles at {planned.site}; add that site to "
                "activations.batch_quantiles, or give a profile with pooled quantiles"
            )
        return found


def relevance(inputs: MethodInputs, parameters: Parameters) -> dict[str, Floats]:
    """Return R_k(i, j) of each language: [L, F] in 0..1."""
    if parameters.percentile == 0:
        return {lang: one.probability() for lang, one in inputs.activations.items()}
    shared = _shared_threshold(inputs, parameters)
    return {
        lang: one.fraction_above(
            _own_threshold(lang, inputs, parameters) if shared is None else shared,
            inputs.site,
        )
        for lang, one in inputs.activations.items()
    }


def _shared_threshold(
    inputs: MethodInputs, parameters: Parameters
) -> npt.NDArray[np.float32] | None:
    """Return the threshold [L, F] that all languages share, if they share one."""
    from langneurons.neurons.recorded_activations import pooled_quantiles

    if parameters.threshold_population == "all_langs_pooled":
        files = list(inputs.activations.values())
        return pooled_quantiles(files, [parameters.percentile / 100], inputs.site)[0]
    if parameters.threshold_population == "english":
        if "en" not in inputs.activations:
            raise DataError(
                "actprob: threshold_population english needs 'en' in the language set; "
                f"it has {', '.join(inputs.languages)}"
            )
        name = f"p{parameters.percentile}"
        return inputs.activations["en"].value(name, inputs.site, inputs.quantile)
    return None


def _own_threshold(
    lang: str, inputs: MethodInputs, parameters: Parameters
) -> npt.NDArray[np.float32]:
    """Return the threshold of one language: [L, F], or [L, 1] for a whole layer."""
    from langneurons.neurons.recorded_activations import pooled_quantiles

    one = inputs.activations[lang]
    if parameters.threshold_population == "all_neurons_in_layer":
        fractions = [parameters.percentile / 100]
        return pooled_quantiles([one], fractions, inputs.site, over_layer=True)[0]
    paper = parameters.threshold_population == "same_lang_batchmean"
    quantile = "batch_mean" if paper else "pooled"
    return one.value(f"p{parameters.percentile}", inputs.site, quantile)


def contrasted(
    relevances: dict[str, Floats], inputs: MethodInputs, parameters: Parameters
) -> dict[str, Floats]:
    """Set the relevance for a language against that for the others.

    The ratio adds half a token to both sides: a neuron that other languages never use
    then ranks by how much its own language uses it, instead of being infinite.
    """
    if parameters.contrast in ("none", "exclusive"):
        return relevances
    total = sum(relevances.values(), np.zeros((inputs.layers, inputs.width)))
    out = {}
    for lang, own in relevances.items():
        other = (total - own) / (len(relevances) - 1)
        if parameters.contrast == "minus_mean_other":
            out[lang] = own - other
            continue
        one = inputs.activations[lang]
        half = 0.5 / (one.n if parameters.percentile == 0 else one.histogram_n)
        out[lang] = (own + half) / (np.maximum(other, 0) + half)
    return out


METHOD = ActProb()
