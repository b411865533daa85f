"""Neurons that matter in every text of one language only (Zhao et al. 2024, PLND).

Leaving a neuron k of the MLP out changes its output by the length of what it writes.
Summed over the tokens of a text the paper's importance has the closed form

    Imp(k) = sum_t |h_t[k]| ||W_down[k, :]||,   h = act(gate(x)) * up(x)

(methods.md 6; h is the input of the down projection). The neurons of a language are
those among the most important of their layer in every text, without those of the other
languages.

What differs from the released code:

* It scores by the sum of |up(x)|, without the down projection's weights, and takes a
  fixed number of neurons per layer (12,000 of Mistral's 14,336; its documentation says
  2,000). Here the streaming pass scores by the closed form, and the share of a layer is
  ``activations.contribution_top``. ``importance: total`` leaves out the weights as the
  code does, but sums |h|, and over the whole corpus instead of each text.
* It takes away the neurons of one other language: name it in ``minus``. The paper takes
  away those of all others.
* Its texts are 1,000 documents, here all chunks of the corpus. The more chunks there
  are, the fewer neurons are important in every one of them: ``min_share`` loosens that.
* It selects attention columns too; here only MLP neurons are considered.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field, model_validator

from langneurons.config.errors import DataError, unknown_name
from langneurons.config.fields import Frozen
from langneurons.neurons.neuron_sets import Mask

from . import Method, MethodInputs, Planned, Selected, lowest

if TYPE_CHECKING:
    from langneurons.neurons.recorded_activations import Activations


class Parameters(Frozen):
    """Parameters of ``plnd``; the defaults are those of the paper.

    It reads contributions; ``activations.contribution_top`` says which are recorded.
    """

    importance: Literal["every_chunk", "total"] = Field(
        "every_chunk",
        description="when a neuron is important:\n"
        "`every_chunk`: it is among the top of its layer, by contribution, in every "
        "chunk (paper)\n"
        "`total`: by the sum of |h| over the corpus, without the weights",
    )
    min_share: float = Field(
        1.0,
        gt=0,
        le=1,
        description="share of the chunks in which a neuron must be among the top",
    )
    minus: str = Field(
        "others",
        description="whose important neurons are taken away:\n"
        "`others`: of all other languages (paper)\n`none`: of none\n"
        "a language of the set: its (released code); it keeps all of its own",
    )

    @model_validator(mode="after")
    def _share_needs_chunks(self) -> Parameters:
        # A job is told all parameters, defaults too: only another value says something.
        if self.importance == "total" and self.min_share != 1:
            raise ValueError(
                "importance total counts no chunks; 'min_share' would have no effect"
            )
        return self


class Plnd(Method[Parameters]):
    """Important in every text of one language only; see the module."""

    PARAMETERS = Parameters

    def select(self, inputs: MethodInputs, parameters: Parameters) -> Selected:
        """Select the neurons that are important for each language and not for others.

        Raises:
            DataError: contributions that were not recorded, or with different shares;
                an unknown language in ``minus``; one language where languages are
                compared.
        """
        allowed = ["others", "none", *inputs.languages]
        if parameters.minus not in allowed:
            raise DataError(
                unknown_name("language", parameters.minus, allowed, "minus")
            )
        if parameters.minus == "others":
            inputs.require_contrast("plnd with minus: others")
        recorded = {lang: one.top_chunks() for lang, one in inputs.activations.items()}
        shares = {lang: top.share for lang, top in recorded.items()}
        if len(set(shares.values())) > 1:
            raise DataError(
                "plnd: activations.contribution_top differs between the files: "
                f"{shares}; delete those of another share to redo them"
            )
        important = {
            lang: _important(one, parameters)
            for lang, one in inputs.activations.items()
        }
        times = np.sum(list(important.values()), axis=0)
        masks: dict[str, Mask] = {}
        for lang, own in important.items():
            if parameters.minus == "others":
                masks[lang] = own & (times == 1)
            elif parameters.minus in ("none", lang):
                masks[lang] = own
            else:
                masks[lang] = own & ~important[parameters.minus]
        thresholds: dict[str, Any] = {
            "contribution_top": next(iter(shares.values())),
            "chunks": {lang: top.chunks for lang, top in recorded.items()},
            "important": {lang: int(own.sum()) for lang, own in important.items()},
        }
        return Selected(masks, thresholds)

    def unmet(self, parameters: Parameters, planned: Planned) -> list[str]:
        found = []
        if not planned.recorded.contribution_top:
            found.append(
                "plnd reads contributions, which the pass does not record; set "
                "activations.contribution_top"
            )
        if parameters.minus not in ("none", "others", *planned.languages):
            found.append(
                unknown_name("language", parameters.minus, planned.languages, "minus")
            )
        if parameters.minus == "others":
            found += planned.without_contrast("plnd")
        return found


def _important(one: Activations, parameters: Parameters) -> Mask:
    """Return which neurons are important for a language: [L, F]."""
    top = one.top_chunks()
    if parameters.importance == "every_chunk":
        # The small number keeps a product like 0.07 * 100 from asking for one more.
        return top.counts >= math.ceil(parameters.min_share * top.chunks - 1e-9)
    mask = np.zeros((one.layers, one.width), np.bool_)
    wanted = round(top.share * one.width)
    for layer, sums in enumerate(one.product_sums()):
        mask[layer, lowest(-sums, wanted)] = True
        mask[layer] &= sums > 0
    return mask


METHOD = Plnd()
