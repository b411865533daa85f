"""The best detectors of a language, as many as another method finds at most.

Each neuron's mean activation over the tokens of a text scores "this text is in language
k"; its average precision over all recorded texts, those of the language against those
of all other languages of the set, says how good a detector it is (the measure of Kojima
et al. 2024, see ``kojima_ap``). The neurons with the largest average precision are the
language's: ``top`` of them, or, as in Rahmanisa et al. 2025 (``ap_topk``), as many as
the largest set of the method that is read, LAPE there.

A neuron may be among the best for several languages; nothing is taken away. Of equal
scores the neurons that come first are taken.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from pydantic import Field

from langneurons.config.errors import DataError
from langneurons.config.fields import Frozen
from langneurons.neurons.neuron_sets import Mask

from . import Method, MethodInputs, Planned, Selected, lowest
from .kojima_ap import average_precision


class Parameters(Frozen):
    """Parameters of ``average_precision``; the default is that of the study."""

    top: int | None = Field(
        None,
        ge=1,
        description="neurons per language; null: as many as the largest language has "
        "in the method that it reads",
    )


class AveragePrecision(Method[Parameters]):
    """The largest average precision for each language; see the module."""

    PARAMETERS = Parameters
    READS = (0, 1)

    def select(self, inputs: MethodInputs, parameters: Parameters) -> Selected:
        """Select the neurons with the largest average precision for each language.

        Raises:
            DataError: one language only; no means of texts; more neurons wanted than
                there are, or no number of them.
        """
        inputs.require_contrast("average_precision")
        wanted = parameters.top
        if wanted is None:
            if not inputs.reads:
                raise DataError(NO_NUMBER)
            wanted = max(inputs.reads[0].counts.values())
        neurons = inputs.layers * inputs.width
        if wanted > neurons:
            raise DataError(
                f"average_precision: top {wanted} are more than the {neurons} neurons "
                "of the model; give a smaller number"
            )
        texts = {x: one.chunk_means_recorded for x, one in inputs.activations.items()}
        for lang, recorded in texts.items():
            if not recorded:
                raise DataError(f"{inputs.activations[lang].path}: {NO_MEANS}")
        scores = _precisions(inputs, list(texts.values()))
        masks: dict[str, Mask] = {}
        cutoffs: dict[str, float] = {}
        for lang, own in zip(inputs.languages, scores, strict=True):
            flat = own.ravel()
            top = lowest(-flat, wanted)
            mask = np.zeros(neurons, np.bool_)
            mask[top] = True
            masks[lang] = mask.reshape(own.shape)
            cutoffs[lang] = float(flat[top].min())
        found: dict[str, Any] = {"top": wanted, "texts": texts, "ap_cutoff": cutoffs}
        return Selected(masks, found)

    def unmet(self, parameters: Parameters, planned: Planned) -> list[str]:
        if alone := planned.without_contrast("average_precision"):
            return alone
        found = []
        if parameters.top is None and not planned.reads:
            found.append(NO_NUMBER)
        if parameters.top is not None and planned.reads:
            found.append(
                f"parameters.top: {parameters.top}, but it also reads "
                f"{', '.join(planned.reads)}, which says how many neurons; give one of "
                "them"
            )
        if not planned.recorded.chunk_means:
            found.append(NO_MEANS)
        return found


NO_NUMBER = (
    "average_precision is not told how many neurons: give parameters.top, or reads: "
    "[method], whose largest set is then matched"
)
NO_MEANS = (
    "average_precision reads the means of single texts, recorded are none; set "
    "activations.chunk_means (the study: 100)"
)


def _precisions(inputs: MethodInputs, texts: list[int]) -> np.ndarray[Any, Any]:
    """Return the average precision of each neuron: [languages, L, F].

    One layer is in memory at a time.

    Args:
        inputs: with means of texts.
        texts: how many texts each language has.
    """
    of = np.repeat(np.arange(len(texts)), texts)
    own = of == np.arange(len(texts))[:, None]
    out = np.empty((len(texts), inputs.layers, inputs.width))
    for layer in range(inputs.layers):
        parts = [
            one.chunk_means(inputs.site, layer) for one in inputs.activations.values()
        ]
        out[:, layer] = average_precision(np.concatenate(parts), own, ~own)
    return out


METHOD = AveragePrecision()
