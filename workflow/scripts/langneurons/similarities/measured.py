"""What the model itself does on some words: into the candidate, times out of it.

The score is the share of right answers from the source into the candidate, times that
from the candidate into the target, each over the first words that were asked, without
those that the pair itself is tested on. It needs answers, and no neurons: what choosing
by neurons has to beat at the price of a few words. Bootstrap draws resample the words
of each pair.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from pydantic import Field

from langneurons.config.errors import DataError
from langneurons.config.fields import Frozen, Seed
from langneurons.config.names import Pair

from . import Planned, Similar, Similarity, SimilarityInputs, shares

NO_WORD = (
    "no candidate has words, into it and out of it, that are asked and not tested; "
    "raise answers and probes.asked"
)


class Parameters(Frozen):
    """Parameters of ``measured``."""

    answers: int = Field(
        50,
        ge=1,
        description="words of each pair, the first that are asked; those that the pair "
        "is tested on are left out",
    )
    draws: int = Field(
        200, ge=0, le=100_000, description="bootstrap draws over the words; 0: none"
    )
    seed: Seed = Field(0, description="of these draws")


class Measured(Similarity[Parameters]):
    """Accuracy in two steps on a few words; see the module."""

    PARAMETERS = Parameters
    READS = ("asked",)

    def compare(self, inputs: SimilarityInputs, parameters: Parameters) -> Similar:
        """Multiply the shares of right answers.

        Raises:
            DataError: the model was not asked.
        """
        scores: dict[str, float | None] = {}
        drawn = np.empty((parameters.draws, len(inputs.candidates)))
        rng = np.random.default_rng(parameters.seed)
        words = 0
        for place, name in enumerate(inputs.candidates):
            score, product = 1.0, np.ones(parameters.draws)
            steps = (Pair(inputs.pair.source, name), Pair(name, inputs.pair.target))
            for step in steps:
                right = _right(inputs, step, parameters.answers)
                words = max(words, right.size)
                share = float(right.mean()) if right.size else np.nan
                score *= share
                if right.size:
                    product *= rng.binomial(right.size, share, parameters.draws)
                product /= right.size or np.nan
            scores[name] = None if np.isnan(score) else score
            drawn[:, place] = product
        return Similar(
            scores,
            share=shares(inputs.candidates, drawn) if parameters.draws else {},
            draws=parameters.draws,
            probes=words,
            left_out=None if any(x is not None for x in scores.values()) else NO_WORD,
        )

    def unmet(self, parameters: Parameters, planned: Planned) -> list[str]:
        if planned.asked < parameters.answers:
            return [
                f"answers: {parameters.answers} words, but probes.asked is "
                f"{planned.asked}; raise that, or give less"
            ]
        return []

    def words(self, parameters: Parameters) -> int:
        return parameters.answers


def _right(inputs: SimilarityInputs, pair: Pair, words: int) -> npt.NDArray[np.float64]:
    """Return which of the first words of a pair are right: [words] of 0 and 1."""
    found = [entry["correct"] for entry in inputs.asked[pair].words[:words]]
    if None in found:
        raise DataError(f"words of {pair}: the model was not asked any")
    return np.array(found, np.float64)


SIMILARITY = Measured()
