"""Alignment of a candidate with the languages of a pair, on parallel sentences.

After NeuronXA (Huang et al. 2025, arXiv 2507.14900), which aligns languages with
English and chooses no bridge: the score of a candidate is the mean of its alignment
with source and target, or that with the target alone. It reads the means of sentences
that the pass over the selection's corpus keeps (docs/alignment.md).
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field

from langneurons.config.corpus_entries import Site
from langneurons.config.fields import Frozen
from langneurons.neurons import aligned_languages
from langneurons.stats.alignment import FOUND

from . import Planned, Similar, Similarity, SimilarityInputs, ends


class Parameters(Frozen):
    """Parameters of ``alignment``."""

    measure: Literal["mutual", "retrieval", "gap"] = Field(
        "mutual",
        description="how well two languages are aligned, mean over layers:\n"
        "`mutual`: share of sentences that find their translation, and are found by "
        "it\n`retrieval`: mean share of both directions\n`gap`: mean cosine of "
        "translations minus that of other pairs",
    )
    states: Literal["value", "binary"] = Field(
        "binary",
        description="of a neuron on a sentence:\n`value`: its mean over tokens\n"
        "`binary`: whether that is above zero",
    )
    site: Site = Field(
        "act_post",
        description="where values are taken:\n`act_post`: after the activation "
        "function\n`gate_pre`: before it",
    )
    sentences: int | None = Field(
        None, ge=2, description="the first so many; null: all whose means are kept"
    )
    ends: Literal["both", "target"] = Field(
        "both",
        description="aligned with:\n`both`: source and target, mean\n`target`: the "
        "target alone",
    )


class Alignment(Similarity[Parameters]):
    """Alignment with the languages of the pair; see the module."""

    PARAMETERS = Parameters
    READS = ("activations",)

    def compare(self, inputs: SimilarityInputs, parameters: Parameters) -> Similar:
        """Align each candidate with the languages of the pair.

        Raises:
            DataError: means of sentences were not recorded, or of others.
        """
        layers: dict[str, dict[int, float]] = {}
        files, states = inputs.activations, parameters.states
        for name in inputs.candidates:
            found = [
                aligned_languages.align(
                    files[name],
                    files[end],
                    parameters.site,
                    states=(states,),
                    sentences=parameters.sentences,
                    resamples=0,
                )[states].by_layer
                for end in ends(inputs.pair, parameters.ends)
            ]
            measures = FOUND[:2] if parameters.measure == "retrieval" else (
                parameters.measure,
            )  # fmt: skip
            mean = np.mean([one[x] for one in found for x in measures], axis=0)
            layers[name] = dict(enumerate(mean.tolist()))
        scores = {k: float(np.mean(list(of.values()))) for k, of in layers.items()}
        return Similar(scores, layers=layers)

    def unmet(self, parameters: Parameters, planned: Planned) -> list[str]:
        kept, asked = planned.sentences, parameters.sentences or 2
        if planned.unparallel:
            return [f"selection: {planned.unparallel}"]
        if kept < asked:
            return [
                f"aligns {'at least ' if parameters.sentences is None else ''}{asked} "
                f"sentences, and the means of {kept} are kept; set chunk_means of the "
                "selection's corpus (paper: 100)"
            ]
        return []


SIMILARITY = Alignment()
