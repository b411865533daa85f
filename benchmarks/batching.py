"""Evaluating items sorted by length against taking them as they stand in the file.

Both pad a batch to its longest item; lengths are log-normal around 45 tokens.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import torch

from langneurons.nn.evaluation.classifying import Scorer
from langneurons.nn.evaluation.examples import Labelled
from langneurons.nn.models.backbone import Backbone

from . import shapes
from .interventions import pairs
from .measuring import Row, Run, Setting, Variant, compare

# Items, and how many of them in a forward pass.
ITEMS = {"tiny": (16, 4), "gemma270m": (32, 8), "llama8b": (512, 16), "nemo": (512, 16)}


def settings(names: list[str], device: str, repeats: int) -> list[Setting]:
    """List the shapes that can run."""
    return shapes.settings([n for n in names if n in ITEMS], device, repeats)


def rows(setting: Setting) -> list[Row]:
    """Time both orders."""
    return compare("batching", variants, setting)


@torch.inference_mode()
def in_file_order(model: Any, data: Labelled, micro_batch: int) -> np.ndarray[Any, Any]:
    """Score the items in their order: float32 [items, labels]."""
    scorer = Scorer(Backbone(model), data.reading)
    parts = [
        scorer(data.tokens[start : start + micro_batch]).cpu()
        for start in range(0, len(data), micro_batch)
    ]
    return torch.cat(parts).numpy()


def variants(setting: Setting) -> list[Variant]:
    """List both orders; that of the file is the baseline."""
    items, micro_batch = ITEMS[setting.shape]
    data = pairs(setting, items)

    @cache
    def model() -> Any:
        return shapes.build(setting, "classifier")

    def file_order() -> Run:
        model()
        return lambda: in_file_order(model(), data, micro_batch)

    def by_length() -> Run:
        lm = shapes.opened(model(), micro_batch)
        return lambda: lm.classify(data.tokens, data.reading)

    return [
        Variant("file_order", file_order, items, "items", None),
        Variant("sorted", by_length, items, "items", "file_order"),
    ]
