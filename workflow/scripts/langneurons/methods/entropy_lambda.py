"""Entropy with a bonus for being active often (Zhang et al. 2025; methods.md 6).

With the activation probabilities p_k of a neuron in K languages and their shares
p'_k = p_k / sum_m p_m, the score is

    H(p') / ln K - lambda max_k p_k / c,   c = (sum_{n<=K} 1/n) / K,

so that the entropy is 1 at most. The neurons with the lowest scores are taken; each
is of the languages where p_k is above a quantile of all p. Lambda is the largest one
with which no neuron is of all languages. A neuron is then specific (to one language),
related (to 2 to K - 1), or agnostic (of all K); it may also be of no language.

What differs from the released code:

* p is over all tokens of the corpus here; there only over the tokens of the model's
  answers to questions of a task.
* There lambda's search never ends at the upper end of its range, even where all of it
  would do; and it is written for exactly ten languages.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from langneurons.config.errors import DataError
from langneurons.config.fields import Frozen

from . import Method, MethodInputs, Planned, Selected, kth_smallest, lowest, share_of

Floats = npt.NDArray[np.float64]
Class = Literal["specific", "related", "agnostic"]


class Parameters(Frozen):
    """Parameters of ``entropy_lambda``; the defaults are those of the paper."""

    top_rate: float = Field(0.01, gt=0, le=1, description="share of all neurons")
    bar_ratio: float = Field(
        0.95,
        gt=0,
        lt=1,
        description="a neuron is of each language where p is above this quantile of p "
        "over all neurons and languages",
    )
    fixed_lambda: float | None = Field(
        None, ge=0, description="null: the largest with which no neuron is agnostic"
    )
    largest_lambda: float = Field(
        0.2, gt=0, description="upper end of the search, which starts at 0"
    )
    tolerance: float = Field(
        1e-3, gt=0, description="width at which the search by halving ends"
    )
    classes: tuple[Class, ...] = Field(
        ("specific", "related"),
        min_length=1,
        description="which neurons are kept:\n`specific`: of one language\n"
        "`related`: of 2 to K - 1 languages\n`agnostic`: of all K",
    )

    @model_validator(mode="after")
    def _searched_or_given(self) -> Parameters:
        for key in ("largest_lambda", "tolerance"):
            given = getattr(self, key) != type(self).model_fields[key].default
            if self.fixed_lambda is not None and given:
                raise ValueError(
                    f"'fixed_lambda' is given, so nothing is searched; {key!r} would "
                    "have no effect"
                )
        return self


class EntropyLambda(Method[Parameters]):
    """Low entropy, and active often; see the module."""

    PARAMETERS = Parameters

    def select(self, inputs: MethodInputs, parameters: Parameters) -> Selected:
        """Select the neurons of each language by entropy and activation probability.

        Raises:
            DataError: one language only; a share of neurons that rounds to none; no
                lambda without neurons of all languages.
        """
        inputs.require_contrast("entropy_lambda")
        files = inputs.activations.values()
        probability = np.stack([one.probability().ravel() for one in files])
        mask, thresholds = choose(probability, parameters)
        shape = (inputs.layers, inputs.width)
        return Selected(
            {lang: mask[k].reshape(shape) for k, lang in enumerate(inputs.languages)},
            thresholds,
        )

    def unmet(self, parameters: Parameters, planned: Planned) -> list[str]:
        return planned.without_contrast("entropy_lambda")


def choose(
    probability: Floats, parameters: Parameters
) -> tuple[npt.NDArray[np.bool_], dict[str, Any]]:
    """Select from activation probabilities.

    Args:
        probability: [languages, neurons] in 0..1, two languages at least.
        parameters: rates, lambda and classes.

    Returns:
        Whether a neuron is of a language, [languages, neurons], and the thresholds.
    """
    languages, neurons = probability.shape
    wanted = share_of(parameters.top_rate, neurons, "entropy_lambda.top_rate")
    rank = max(round(parameters.bar_ratio * probability.size), 1)
    bar = kth_smallest(probability, [rank])[0]
    member = probability > bar
    times = member.sum(axis=0)
    entropy = normalised_entropy(probability)
    largest_of_even = sum(1 / n for n in range(1, languages + 1)) / languages
    bonus = probability.max(axis=0) / largest_of_even

    def chosen(value: float) -> npt.NDArray[np.int64]:
        return lowest(entropy - value * bonus, wanted)

    value = parameters.fixed_lambda
    if value is None:

        def agnostic(value: float) -> int:
            return int((times[chosen(value)] == languages).sum())

        value = _largest(agnostic, parameters)
    places = chosen(value)
    found = times[places]
    kept = {
        "specific": found == 1,
        "related": (found > 1) & (found < languages),
        "agnostic": found == languages,
    }
    selected = places[np.any([kept[name] for name in parameters.classes], axis=0)]
    mask = np.zeros(probability.shape, np.bool_)
    mask[:, selected] = member[:, selected]
    return mask, {
        "lambda": value,
        "bar": bar,
        "score_cutoff": float((entropy[places] - value * bonus[places]).max()),
        "wanted": wanted,
        "selected": int(selected.size),
        "classes": {name: int(of.sum()) for name, of in kept.items()}
        | {"none": int((found == 0).sum())},
    }


def normalised_entropy(probability: Floats) -> Floats:
    """Return H(p') / ln K of each neuron, the same in any order of languages.

    A neuron that is never active has no shares; like the released code this gives it
    the entropy of equal ones, 1, so that it comes last.

    Args:
        probability: [languages, neurons]
    """
    ordered = np.sort(probability, axis=0)
    total = ordered.sum(axis=0)
    shares = np.divide(ordered, total, out=np.zeros_like(ordered), where=total > 0)
    logs = np.log(shares, out=np.zeros_like(shares), where=shares > 0)
    entropy = -(shares * logs).sum(axis=0) / math.log(len(probability))
    return np.where(total > 0, entropy, 1.0)


def _largest(agnostic: Callable[[float], int], parameters: Parameters) -> float:
    """Find the largest lambda without neurons of all languages, by halving."""
    low, high = 0.0, parameters.largest_lambda
    if agnostic(high) == 0:
        return high
    if count := agnostic(low):
        raise DataError(
            f"entropy_lambda: with lambda 0, {count} of the neurons with the lowest "
            "entropy are of all languages already; give a smaller top_rate, a larger "
            "bar_ratio, or fixed_lambda"
        )
    while high - low > parameters.tolerance:
        middle = (low + high) / 2
        if agnostic(middle) == 0:
            low = middle
        else:
            high = middle
    return low


METHOD = EntropyLambda()
