"""Neurons that a candidate has in common with both languages of the pair.

The score is the number of neurons of the candidate that are the source's, plus the
number that are the target's (Xu et al. 2025, as the plain baseline). Larger sets share
more by chance; sets of ``top_probability`` have one size but for ties.
"""

from __future__ import annotations

from langneurons.config.fields import Frozen

from . import Similar, Similarity, SimilarityInputs, ends


class Parameters(Frozen):
    """It has none."""


class Overlap(Similarity[Parameters]):
    """Counts of shared neurons; see the module."""

    PARAMETERS = Parameters
    READS = ("neurons",)
    which = "both"

    def compare(self, inputs: SimilarityInputs, parameters: Parameters) -> Similar:
        """Count shared neurons, in all and by layer."""
        assert inputs.neurons is not None
        scores, layers, sizes = {}, {}, {}
        others = [inputs.neurons.mask(x) for x in ends(inputs.pair, self.which)]
        for name in inputs.candidates:
            own = inputs.neurons.mask(name)
            by_layer = sum((own & other).sum(axis=1) for other in others)
            layers[name] = {i: float(n) for i, n in enumerate(by_layer)}
            scores[name] = float(by_layer.sum())
            sizes[name] = int(own.sum())
        return Similar(scores, layers, sizes)


SIMILARITY = Overlap()
