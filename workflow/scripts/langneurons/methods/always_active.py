"""Neurons that are active in every text of a language (Rahmanisa et al. 2025).

The study calls them language-activated, its baseline (``raw_act`` in its code): a
neuron is of a language if its mean activation over the tokens of a text, the mean of
``activations.chunk_means``, is above zero in each of the first ``texts`` texts. Nothing
is compared between languages, so the sets are large and overlap.

See docs/methods.md, section 6. The study keeps the means in
half precision, and so does the pass: a mean below 3e-8 is zero there, and not active.
"""

from __future__ import annotations

import numpy as np
from pydantic import Field

from langneurons.config.errors import DataError
from langneurons.config.fields import Frozen

from . import Method, MethodInputs, Planned, Selected


class Parameters(Frozen):
    """Parameters of ``always_active``; the defaults are those of the study."""

    texts: int = Field(
        100,
        ge=1,
        description="texts of a language whose means are read, the first of those "
        "recorded (`activations.chunk_means`)",
    )


class AlwaysActive(Method[Parameters]):
    """Active in every text of the language; see the module."""

    PARAMETERS = Parameters

    def select(self, inputs: MethodInputs, parameters: Parameters) -> Selected:
        """Select the neurons whose mean is above zero in every text.

        Raises:
            DataError: fewer means were recorded.
        """
        masks = {}
        for lang, one in inputs.activations.items():
            recorded = one.chunk_means_recorded
            if recorded < parameters.texts:
                raise DataError(f"{one.path}: {_too_few(parameters.texts, recorded)}")
            masks[lang] = np.stack(
                [
                    (one.chunk_means(inputs.site, layer)[: parameters.texts] > 0).all(0)
                    for layer in range(inputs.layers)
                ]
            )
        return Selected(masks, {"texts": parameters.texts})

    def unmet(self, parameters: Parameters, planned: Planned) -> list[str]:
        recorded = planned.recorded.chunk_means
        return [_too_few(parameters.texts, recorded)] * (recorded < parameters.texts)


def _too_few(wanted: int, recorded: int) -> str:
    return (
        f"always_active reads the means of {wanted} texts per language, recorded are "
        f"{recorded}; set activations.chunk_means to {wanted}, or texts to less (a "
        "corpus cannot give more texts than it has)"
    )


METHOD = AlwaysActive()
