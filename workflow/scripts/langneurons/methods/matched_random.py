"""Random neurons, as many as another method selects: the control (methods.md 2.5)."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field

from langneurons.config.errors import ConfigError, DataError
from langneurons.config.fields import Frozen
from langneurons.neurons.neuron_sets import Mask

from . import Method, MethodInputs, Selected


class Parameters(Frozen):
    """Parameters of ``matched_random``."""

    match: Literal["per_layer", "global"] = Field(
        "per_layer",
        description="as many neurons as the matched method has:\n"
        "`per_layer`: in each layer\n"
        "`global`: in the model",
    )
    seed: int = Field(0, ge=0, description="changes all draws")


class MatchedRandom(Method[Parameters]):
    """As many random neurons as another method selects."""

    PARAMETERS = Parameters
    READS = (1, 1)
    DRAWS = True

    def select(self, inputs: MethodInputs, parameters: Parameters) -> Selected:
        """Draw neurons without replacement, independently for each language.

        A draw depends on the seed, its number, the language, the layer and what it
        avoids only: not on the order of languages, nor on which others are in the set.

        Raises:
            ConfigError: no number of the draw.
            DataError: a language without matched neurons; too few neurons to draw from.
        """
        if inputs.draw is None:
            raise ConfigError(
                "matched_random needs the number of the draw, as in the selection "
                "random-1.set1"
            )
        (matched,) = inputs.reads
        taken = np.zeros((inputs.layers, inputs.width), np.bool_)
        for avoided in inputs.outside:
            for lang in avoided.languages:
                taken |= avoided.mask(lang)
        drawn = {}
        for lang in inputs.languages:
            key = [parameters.seed, inputs.draw, *lang.encode()]
            target = matched.mask(lang)
            if parameters.match == "global":
                out = _draw(key, int(target.sum()), taken.ravel(), "the model")
                drawn[lang] = out.reshape(target.shape)
                continue
            rows = [
                _draw(
                    [*key, 256 + layer], int(row.sum()), taken[layer], f"layer {layer}"
                )
                for layer, row in enumerate(target)
            ]
            drawn[lang] = np.stack(rows)
        record = {
            "draw": inputs.draw,
            "matched": f"{matched.method}.{matched.language_set}",
            "outside": [f"{x.method}.{x.language_set}" for x in inputs.outside],
        }
        return Selected(drawn, record)


def _draw(key: list[int], count: int, taken: Mask, where: str) -> Mask:
    free = np.flatnonzero(~taken)
    if count > free.size:
        raise DataError(
            f"matched_random: {count} neurons wanted in {where} outside those of "
            f"`outside`, but only {free.size} are left; name less there"
        )
    out = np.zeros(taken.size, np.bool_)
    chosen = np.random.default_rng(key).choice(
        free, count, replace=False, shuffle=False
    )
    out[chosen] = True
    return out


METHOD = MatchedRandom()
