"""The neurons that are active most often in a language (methods.md 1.4 and 6).

The relevance of neuron (i, j) for language k is p_k = E_k[1(a > 0)], its activation
probability, and each language has the m neurons with the largest p_k. This is the
"> 0" relevance of Mondal et al. (2025), for which the same share of all neurons is
taken here as for their 90th percentile. Languages are not compared: neurons that are
always active come first in every language, and the language set makes no difference.

The released code averages p over half precision means of batches, which rounds it to
about 5e-4; here p is a ratio of whole numbers.
"""

from __future__ import annotations

import numpy as np
from pydantic import Field

from langneurons.config.fields import Frozen

from . import Method, MethodInputs, Selected, lowest, share_of


class Parameters(Frozen):
    """Parameters of ``act_prob_zero``."""

    frac: float = Field(
        0.00125, gt=0, le=1, description="share of all neurons, for each language"
    )


class ActProbZero(Method[Parameters]):
    """The largest probability of a > 0; see the module."""

    PARAMETERS = Parameters

    def select(self, inputs: MethodInputs, parameters: Parameters) -> Selected:
        """Select the neurons of each language with the largest p_k.

        Of equally probable neurons the first by layer and id are taken.

        Raises:
            DataError: a share of neurons that rounds to none.
        """
        neurons = inputs.layers * inputs.width
        wanted = share_of(parameters.frac, neurons, "act_prob_zero.frac")
        masks, cutoffs = {}, {}
        for lang, one in inputs.activations.items():
            probability = one.probability().ravel()
            chosen = lowest(-probability, wanted)
            mask = np.zeros(neurons, np.bool_)
            mask[chosen] = True
            masks[lang] = mask.reshape(inputs.layers, inputs.width)
            cutoffs[lang] = float(probability[chosen].min())
        return Selected(masks, {"wanted": wanted, "probability_cutoff": cutoffs})


METHOD = ActProbZero()
