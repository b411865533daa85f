"""Cosine between the activation probabilities of languages.

Per language every neuron has its share of tokens with a > 0. Most neurons are alike in
all languages, so that cosines of these shares are all near 1; ``centred`` takes the
mean over the language set off first. The score is the mean over both languages of the
pair. The study compares the neurons that two languages share, and its code takes the
wrong slice: it looks pairs of layer and number up on the axis of numbers alone. That is
not followed.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field

from langneurons.config.errors import DataError
from langneurons.config.fields import Frozen

from . import Planned, Similar, Similarity, SimilarityInputs, ends


class Parameters(Frozen):
    """Parameters of ``cosine``."""

    neurons: Literal["all", "shared"] = Field(
        "all",
        description="which neurons:\n`all`: of the model\n`shared`: those that the "
        "selection finds in both languages (paper)",
    )
    centred: bool = Field(
        True,
        description="take the mean over the languages of the set off each neuron first "
        "(paper: false)",
    )


class Cosine(Similarity[Parameters]):
    """Cosine with both languages of the pair; see the module."""

    PARAMETERS = Parameters
    READS = ("activations", "neurons")
    which = "both"

    def compare(self, inputs: SimilarityInputs, parameters: Parameters) -> Similar:
        """Compare the probabilities of each candidate with those of the pair.

        Raises:
            DataError: one language, whose mean is its own.
        """
        assert inputs.neurons is not None
        values = {lang: one.probability() for lang, one in inputs.activations.items()}
        if parameters.centred:
            if len(values) < 2:
                raise DataError("cosine: centred compares at least two languages")
            mean = np.mean(list(values.values()), axis=0)
            values = {lang: value - mean for lang, value in values.items()}
        scores: dict[str, float | None] = {}
        sizes: dict[str, int] = {}
        for name in inputs.candidates:
            found = []
            for end in ends(inputs.pair, self.which):
                used = np.ones(values[end].shape, bool)
                if parameters.neurons == "shared":
                    used = inputs.neurons.mask(end) & inputs.neurons.mask(name)
                    sizes[name] = sizes.get(name, 0) + int(used.sum())
                found.append(_cosine(values[end][used], values[name][used]))
            known = [x for x in found if x is not None]
            whole = len(known) == len(found)
            scores[name] = sum(known) / len(known) if whole else None
        return Similar(scores, sizes=sizes)

    def unmet(self, parameters: Parameters, planned: Planned) -> list[str]:
        if parameters.centred and len(planned.languages) < 3:
            # Of two languages what is left after the mean is opposite.
            return [
                "centred needs a language set of at least three languages; it has "
                f"{', '.join(planned.languages)}"
            ]
        return []


def _cosine(a: np.ndarray, b: np.ndarray) -> float | None:
    scale = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(a @ b) / scale if scale else None


SIMILARITY = Cosine()
