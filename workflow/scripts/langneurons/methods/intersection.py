"""Neurons that several selections have in common.

A neuron that two methods find for a language, by criteria of their own, is less likely
to be an accident of one of them. Each selection is a vote; a neuron is of language k if
at least ``minimum`` of the selections that are read have it for k:

    sum_s 1(neuron in S_s(k)) >= minimum.

With ``minimum: null`` that is the intersection, with 1 the union. The languages need
not be in the same order, nor the language sets be the same, but each selection must
have neurons, or an empty set of them, for every language of this one's set.
"""

from __future__ import annotations

import numpy as np
from pydantic import Field

from langneurons.config.errors import DataError
from langneurons.config.fields import Frozen

from . import Method, MethodInputs, Planned, Selected


class Parameters(Frozen):
    """Parameters of ``intersection``."""

    minimum: int | None = Field(
        None,
        ge=1,
        description="selections that must have a neuron; null: all of those it reads",
    )


class Intersection(Method[Parameters]):
    """Neurons that several selections have in common; see the module."""

    PARAMETERS = Parameters
    READS = (2, None)

    def select(self, inputs: MethodInputs, parameters: Parameters) -> Selected:
        """Count for each language in how many selections a neuron is.

        Raises:
            DataError: a selection that lacks a language of the set, or that has no
                neuron for any of them; ``minimum`` above their number.
        """
        reads, shape = inputs.reads, (inputs.layers, inputs.width)
        names = [f"{one.method}.{one.language_set}" for one in reads]
        wanted = parameters.minimum or len(reads)
        if wanted > len(reads):
            raise DataError(_too_many(wanted, names))
        masks = {}
        for lang in inputs.languages:
            votes = np.zeros(shape, np.int64)
            for one in reads:
                votes += one.mask(lang)
            masks[lang] = votes >= wanted
        sizes = {
            name: {lang: one.counts[lang] for lang in inputs.languages}
            for name, one in zip(names, reads, strict=True)
        }
        return Selected(masks, {"minimum": wanted, "read": sizes})

    def unmet(self, parameters: Parameters, planned: Planned) -> list[str]:
        found = []
        for name, languages in planned.reads.items():
            if absent := [lang for lang in planned.languages if lang not in languages]:
                found.append(
                    f"reads {name}, which has no neurons of {', '.join(absent)} (its "
                    f"languages: {', '.join(languages)}); an intersection needs every "
                    "language of its set"
                )
        if (parameters.minimum or 1) > len(planned.reads):
            found.append(_too_many(parameters.minimum or 1, list(planned.reads)))
        return found


def _too_many(minimum: int, names: list[str]) -> str:
    return (
        f"parameters.minimum: {minimum}, but it reads only {len(names)} selections "
        f"({', '.join(names)}); null asks for all of them"
    )


METHOD = Intersection()
