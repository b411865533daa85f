"""Language activation probability entropy (Tang et al. 2024; methods.md 1.4).

The share of a language k among the activation probabilities p of a neuron is
p'_k = p_k / sum_m p_m, and LAPE = -sum_k p'_k ln p'_k. Neurons with the lowest LAPE
belong to the languages in which they are active often.
"""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from langneurons.config.fields import Frozen

from . import Method, MethodInputs, Planned, Selected, kth_smallest, lowest, share_of

# Added inside the logarithm and to the denominator by the released code of the paper.
EPSILON = 1e-10
EXACT_BELOW = 2**53  # integers up to here are exact in float64
Floats = npt.NDArray[np.float64]


class Parameters(Frozen):
    """Parameters of ``lape`` (section 3.2); the defaults are both released codes'."""

    top_rate: float = Field(
        0.01, gt=0, le=1, description="share of all neurons (not of those that pass)"
    )
    filter_rate: float = Field(
        0.95,
        gt=0,
        lt=1,
        description="a neuron passes if p in some language is above this quantile of "
        "p over all neurons and languages",
    )
    bar_ratio: float = Field(
        0.95,
        gt=0,
        lt=1,
        description="a neuron is of each language where p is above this quantile",
    )
    thresholds: Literal["kth", "interpolated"] = Field(
        "kth",
        description="how quantiles are taken:\n"
        "`kth`: order statistics and exact entropy (Tang et al. 2024)\n"
        "`interpolated`: quantiles between two values, epsilon in the entropy, all "
        "ties kept (code of Mondal et al. 2025)",
    )


class Lape(Method[Parameters]):
    """Low entropy of activation probabilities over languages; see the module."""

    PARAMETERS = Parameters

    def select(self, inputs: MethodInputs, parameters: Parameters) -> Selected:
        """Select the neurons of each language from counts of a > 0.

        Raises:
            DataError: one language only, or a share of neurons that rounds to none.
        """
        inputs.require_contrast("lape")
        files = list(inputs.activations.values())
        counts = np.stack([one.counts().ravel() for one in files])
        totals = np.array([one.n for one in files], np.int64)
        mask, thresholds = choose(counts, totals, parameters)
        shape = (inputs.layers, inputs.width)
        return Selected(
            {lang: mask[k].reshape(shape) for k, lang in enumerate(inputs.languages)},
            thresholds,
        )

    def unmet(self, parameters: Parameters, planned: Planned) -> list[str]:
        return planned.without_contrast("lape")


def choose(
    counts: npt.NDArray[np.int64], totals: npt.NDArray[np.int64], parameters: Parameters
) -> tuple[npt.NDArray[np.bool_], dict[str, Any]]:
    """Select from counts. Memory is a few times that of the counts.

    A neuron that is never active has no shares, so no entropy; it cannot pass the
    filter, and is never selected. Fewer than the wanted number are selected if fewer
    pass. Of neurons with equal entropy at the cutoff, the first by layer and id are
    taken (``kth``), or all (``interpolated``).

    Args:
        counts: [languages, neurons] tokens with a > 0.
        totals: [languages] tokens.
        parameters: rates and the kind of thresholds.

    Returns:
        Whether a neuron is of a language, [languages, neurons], and the thresholds.
    """
    wanted = share_of(parameters.top_rate, counts.shape[1], "lape.top_rate")
    probability = counts / totals[:, None]
    interpolated = parameters.thresholds == "interpolated"
    rates = (parameters.filter_rate, parameters.bar_ratio)
    if interpolated:
        limit, bar = np.quantile(probability, rates, method="linear").tolist()
    else:
        limit, bar = _kth_values(probability, rates)
    passed = np.flatnonzero((probability > limit).any(axis=0))
    if interpolated:
        entropy = _entropy_epsilon(probability[:, passed])
    else:
        entropy = _entropy(_shares(counts[:, passed], totals))
    chosen = lowest(entropy, wanted)
    cutoff = float(entropy[chosen].max()) if chosen.size else None
    if interpolated and cutoff is not None:
        chosen = np.flatnonzero(entropy <= cutoff)
    selected = passed[chosen]
    mask = np.zeros(counts.shape, np.bool_)
    mask[:, selected] = probability[:, selected] > bar
    return mask, {
        "filter": limit,
        "bar": bar,
        "entropy_cutoff": cutoff,
        "passed": int(passed.size),
        "wanted": wanted,
        "selected": int(selected.size),
    }


def _kth_values(values: Floats, rates: tuple[float, ...]) -> list[float]:
    """Return the values at rank ``round(rate * size)``, counted from 1."""
    ranks = [max(round(rate * values.size), 1) for rate in rates]
    return kth_smallest(values, ranks)


def _shares(counts: npt.NDArray[np.int64], totals: npt.NDArray[np.int64]) -> Floats:
    """Return p' of neurons that are active somewhere: [languages, neurons].

    Counts are brought to a common number of tokens as integers where these are exact
    in float64: proportional counts then have bit-equal shares, and ties stay ties.
    """
    common = math.lcm(*totals.tolist())
    factors = [common // total for total in totals.tolist()]
    highest = counts.max(axis=1, initial=1).tolist()
    largest = max(c * f for c, f in zip(highest, factors, strict=True))
    if largest * len(factors) < EXACT_BELOW:
        weights = (counts * np.array(factors)[:, None]).astype(np.float64)
    else:
        weights = counts / totals[:, None]
    return weights / weights.sum(axis=0)


def _entropy(shares: Floats) -> Floats:
    """Return -sum p' ln p' with 0 ln 0 = 0, the same in any order of languages."""
    ordered = np.sort(shares, axis=0)
    logs = np.log(ordered, out=np.zeros_like(ordered), where=ordered > 0)
    return 0.0 - (ordered * logs).sum(axis=0)  # and not -0.0


def _entropy_epsilon(probability: Floats) -> Floats:
    shares = probability / (probability.sum(axis=0) + EPSILON)
    return -(shares * np.log(shares + EPSILON)).sum(axis=0)


METHOD = Lape()
