"""The language family: a candidate of the target's family, else one of the source's.

The score is 1 for the family of the target and 0.5 for that of the source. No model is
looked at: it is what somebody would choose who knows languages only.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from langneurons.config.fields import Frozen, Language

from . import Planned, Similar, Similarity, SimilarityInputs

STUDY: Mapping[str, str] = {
    "zh": "Sino-Tibetan",
    "ja": "Japonic",
    "ar": "Afro-Asiatic",
    "he": "Afro-Asiatic",
    "id": "Austronesian",
    "tl": "Austronesian",
    "fi": "Uralic",
    "hu": "Uralic",
    "sw": "Niger-Congo",
    **dict.fromkeys(("en", "de", "fr", "it", "pt", "es"), "Indo-European"),
}
"""Families of the study's 15 languages: the seven that its abstract speaks of."""


class Parameters(Frozen):
    """Parameters of ``family``."""

    families: dict[Language, Annotated[str, Field(min_length=1)]] = Field(
        default_factory=dict,
        description="family of each language, beside or instead of those of the study "
        "(`zh: Sino-Tibetan`)",
    )


class Family(Similarity[Parameters]):
    """The same family; see the module."""

    PARAMETERS = Parameters

    def compare(self, inputs: SimilarityInputs, parameters: Parameters) -> Similar:
        """Compare families."""
        of = {**STUDY, **parameters.families}
        pair = inputs.pair
        return Similar(
            {
                k: float(of[k] == of[pair.target]) + (of[k] == of[pair.source]) / 2
                for k in inputs.candidates
            }
        )

    def unmet(self, parameters: Parameters, planned: Planned) -> list[str]:
        known = {**STUDY, **parameters.families}
        named = dict.fromkeys(
            lang
            for pair, candidates in planned.pairs.items()
            for lang in (pair.source, pair.target, *candidates)
        )
        if missing := [lang for lang in named if lang not in known]:
            return [f"families: no family of {', '.join(missing)}; add it"]
        return []


SIMILARITY = Family()
