"""Neurons that tell a language from others (Kojima et al. 2024; methods.md 6).

The response of a neuron to a text is its mean over the text's tokens. As a score for
"this text is in language k" it has an average precision

    AP = sum_n (R_n - R_{n-1}) P_n,

with recall R_n and precision P_n when all texts down to the n-th largest response are
taken to be in k. The neurons with the largest AP (active in language k) and with the
smallest (silent in it) belong to k.

What differs from the released code:

* It ranks all outputs of linear layers (q, k, v, o, gate, up and down). Here only MLP
  neurons at one site are ranked: at gate_pre, the outputs of the gate projection. The
  same number of neurons is then a larger part of those that are ranked.
* Its texts are single sentences, cut to their real length; here they are the chunks of
  the corpus whose means were recorded (``activations.chunk_means``), in half precision.
* Its docstring says that the largest response over the tokens is taken; the code takes
  the mean, and so does this.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from langneurons.config.errors import DataError
from langneurons.config.fields import Frozen
from langneurons.text.token_files import evenly

from . import Method, MethodInputs, Planned, Selected, lowest

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
# Neurons ranked at a time: the working memory is some 40 bytes times these, times the
# number of chunks.
BLOCK = 1024


class Parameters(Frozen):
    """Parameters of ``kojima_ap``; the defaults are those of the paper.

    It reads the means of ``activations.chunk_means`` chunks per language.
    """

    positives: int = Field(500, ge=1, description="chunks of the language itself")
    negatives: int = Field(
        2500, ge=1, description="chunks of the others, as many of each as possible"
    )
    top: int = Field(
        1000,
        ge=0,
        description="neurons per language with the largest average precision",
    )
    bottom: int = Field(
        1000,
        ge=0,
        description="neurons per language with the smallest average precision",
    )

    @model_validator(mode="after")
    def _takes_some(self) -> Parameters:
        if self.top + self.bottom == 0:
            raise ValueError("'top' and 'bottom' cannot both be 0")
        return self

    def chunks_needed(self, languages: int) -> int:
        """Return how many chunk means each language of a set must have recorded."""
        return max(self.positives, -(-self.negatives // max(1, languages - 1)))


class KojimaAp(Method[Parameters]):
    """The most extreme average precision; see the module."""

    PARAMETERS = Parameters

    def select(self, inputs: MethodInputs, parameters: Parameters) -> Selected:
        """Select the neurons with the most extreme average precision for each language.

        Raises:
            DataError: one language only; too few chunk means; more neurons wanted than
                there are.
        """
        inputs.require_contrast("kojima_ap")
        neurons = inputs.layers * inputs.width
        if parameters.top + parameters.bottom > neurons:
            raise DataError(
                f"kojima_ap: top {parameters.top} and bottom {parameters.bottom} are "
                f"more than the {neurons} neurons of the model; give smaller numbers"
            )
        precision = precisions(inputs, parameters)
        masks: dict[str, Mask] = {}
        cutoffs: dict[str, dict[str, float | None]] = {}
        for lang, scores in precision.items():
            flat = scores.ravel()
            top = lowest(-flat, parameters.top)
            rest = np.setdiff1d(np.arange(neurons), top, assume_unique=True)
            bottom = rest[lowest(flat[rest], parameters.bottom)]
            mask = np.zeros(neurons, np.bool_)
            mask[top] = mask[bottom] = True
            masks[lang] = mask.reshape(scores.shape)
            cutoffs[lang] = {
                "top": float(flat[top].min()) if top.size else None,
                "bottom": float(flat[bottom].max()) if bottom.size else None,
            }
        total = parameters.positives + parameters.negatives
        thresholds: dict[str, Any] = {
            "ap_cutoff": cutoffs,
            "ap_by_chance": parameters.positives / total,
        }
        return Selected(masks, thresholds)

    def unmet(self, parameters: Parameters, planned: Planned) -> list[str]:
        if alone := planned.without_contrast("kojima_ap"):
            return alone
        needed = parameters.chunks_needed(len(planned.languages))
        recorded = planned.recorded.chunk_means
        if recorded < needed:
            return [
                f"kojima_ap reads the means of {needed} chunks per language, recorded "
                f"are {recorded}; set activations.chunk_means to {needed}"
            ]
        return []


def precisions(inputs: MethodInputs, parameters: Parameters) -> dict[str, Floats]:
    """Return the average precision of each neuron for each language: [L, F] each.

    One layer is in memory at a time.

    Raises:
        DataError: chunk means that were not recorded, or too few of them.
    """
    rows, positive, negative = _choose_chunks(inputs, parameters)
    shape = (len(rows), inputs.layers, inputs.width)
    out = np.empty(shape)
    for layer in range(inputs.layers):
        parts = [
            one.chunk_means(inputs.site, layer)[rows[lang]]
            for lang, one in inputs.activations.items()
        ]
        out[:, layer] = average_precision(np.concatenate(parts), positive, negative)
    return dict(zip(inputs.languages, out, strict=True))


def _choose_chunks(
    inputs: MethodInputs, parameters: Parameters
) -> tuple[dict[str, npt.NDArray[np.intp]], Mask, Mask]:
    """Choose chunks of each language, evenly among the recorded ones.

    Returns:
        The chunks to read of each language, and which of all these, one language after
        the other, are positive and negative for each language: [languages, chunks].
    """
    needed = parameters.chunks_needed(len(inputs.activations))
    others = len(inputs.activations) - 1
    recorded = []
    for one in inputs.activations.values():
        recorded.append(one.chunk_means_recorded)
        if recorded[-1] < needed:
            raise DataError(
                f"{one.path}: kojima_ap with {parameters.positives} positives, and "
                f"{parameters.negatives} negatives of {others} other languages, needs "
                f"the means of {needed} chunks, recorded are {recorded[-1]}; set "
                f"activations.chunk_means to {needed}, or give fewer positives and "
                "negatives (a corpus cannot give more chunks than it has)"
            )
    each, rest = divmod(parameters.negatives, others)
    starts = np.cumsum([0, *recorded])
    positive = np.zeros((others + 1, starts[-1]), np.bool_)
    negative = positive.copy()
    for k in range(others + 1):
        for other, total in enumerate(recorded):
            place = other - (other > k)  # among the other languages
            mask = positive if other == k else negative
            count = parameters.positives if other == k else each + (place < rest)
            mask[k, starts[other] + np.array(evenly(total, count), np.intp)] = True
    used = (positive | negative).any(axis=0)
    parts = np.split(used, starts[1:-1])
    rows = {
        lang: np.flatnonzero(part)
        for lang, part in zip(inputs.languages, parts, strict=True)
    }
    return rows, positive[:, used], negative[:, used]


def average_precision(
    responses: npt.NDArray[np.floating], positive: Mask, negative: Mask
) -> Floats:
    """Compute the average precision of every neuron for every language.

    Texts with equal responses are taken together, so that their order does not matter,
    as in scikit-learn's ``average_precision_score``. The responses are sorted once for
    all languages.

    Args:
        responses: [texts, neurons], no NaN.
        positive: [languages, texts] texts that are in the language.
        negative: [languages, texts] texts that are not; texts that are neither are
            left out for that language.

    Returns:
        [languages, neurons]
    """
    out = np.empty((len(positive), responses.shape[1]))
    for first in range(0, responses.shape[1], BLOCK):
        part = slice(first, first + BLOCK)
        order, last = _descending(responses[:, part])
        ends = np.flatnonzero(last)
        starts = np.concatenate([[0], np.cumsum(last.sum(axis=1))[:-1]])
        for k, (yes, no) in enumerate(zip(positive, negative, strict=True)):
            hits = np.cumsum(yes[order], axis=1, dtype=np.int32).ravel()[ends]
            taken = np.cumsum((yes | no)[order], axis=1, dtype=np.int32).ravel()[ends]
            gained = np.diff(hits, prepend=0)
            gained[starts] = hits[starts]
            terms = gained * (hits / np.maximum(taken, 1))
            out[k, part] = np.add.reduceat(terms, starts) / yes.sum()
    return out


def _descending(
    responses: npt.NDArray[np.floating],
) -> tuple[npt.NDArray[np.intp], Mask]:
    """Order the texts by falling response, for each neuron.

    The value, as an unsigned number that falls where the value grows, and the number
    of the text are sorted as one 64-bit number: several times faster than argsort.

    Returns:
        Both [neurons, texts]: the texts in order, and whether the next text in order
        has another response.
    """
    # Adding zero makes a positive zero of a negative one, which is equal to it.
    values = np.ascontiguousarray(responses.T, np.float32) + np.float32(0)
    bits = values.view(np.uint32)
    falling = np.where(bits >> 31 == 1, bits, ~(bits | np.uint32(1 << 31)))
    texts = np.arange(values.shape[1], dtype=np.uint64)
    keys = (falling.astype(np.uint64) << np.uint64(32)) | texts
    keys.sort(axis=1)
    last = np.ones(keys.shape, np.bool_)
    last[:, :-1] = (keys[:, 1:] >> np.uint64(32)) != (keys[:, :-1] >> np.uint64(32))
    return (keys & np.uint64(2**32 - 1)).astype(np.intp), last


METHOD = KojimaAp()
