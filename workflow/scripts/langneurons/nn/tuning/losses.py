"""The loss that fine-tuning minimises, by the kind of examples that a task gives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor

from langneurons.nn.evaluation import classifying, likelihood
from langneurons.nn.evaluation.examples import Examples, Labelled
from langneurons.nn.models.backbone import Backbone


def summed(
    model: Any, examples: Examples, filler: int
) -> Callable[[Sequence[int]], Tensor]:
    """Return the summed loss of items as a function of their numbers.

    Args:
        model: in training: a classifier for labelled items, else a language model.
        examples: the items; they fit the model (``OpenModel.require_fit``).
        filler: token in place of padding, where nothing sees it.

    Returns:
        Function of rows: cross entropy summed over these items, a scalar (nats).
    """
    backbone = Backbone(model)
    if isinstance(examples, Labelled):
        return classifying.summed_loss(backbone, examples)
    return likelihood.summed_loss(backbone, examples, filler)
