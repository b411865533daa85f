"""Scoring the answers of multiple-choice questions, each context run once for all.

``whole_texts`` runs the context anew before each of its answers, in batches of the same
number of sequences; both give the same likelihoods. ``many_objects`` scores as many
short answers to one long question as mLAMA has languages, ``one_object`` one of them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from langneurons.nn.evaluation.examples import Ids

from . import shapes
from .measuring import Row, Run, Setting, Variant, compare

# Items, contexts in a forward pass, and the median length of a context.
SIZES = {
    "tiny": (4, 2, 12),
    "gemma270m": (8, 4, 60),
    "llama8b": (64, 16, 250),
    "nemo": (64, 16, 250),
}
ANSWERS, LENGTHS = 4, (1, 12)
# Objects of a fact, tokens of each, and of the context before them.
OBJECTS, SHORT, LONG = 15, 2, 512
TARGET = {name: 1.3 for name in SIZES if name != "tiny"}


def settings(names: list[str], device: str, repeats: int) -> list[Setting]:
    """List the shapes that can run."""
    return shapes.settings([n for n in names if n in SIZES], device, repeats)


def rows(setting: Setting) -> list[Row]:
    """Time both ways."""
    return compare("likelihood", variants, setting)


def questions(setting: Setting) -> tuple[list[Ids], list[list[Ids]]]:
    """Make contexts with random tokens, and four answers to each.

    Contexts have between 3/4 and 5/4 of the median length, answers 1 to 12 tokens.
    """
    items, _, middle = SIZES[setting.shape]
    lengths = np.linspace(0.75 * middle, 1.25 * middle, items).round().astype(int)
    ids = shapes.token_ids(setting, items, int(lengths.max())).numpy()
    contexts = [row[:length] for row, length in zip(ids, lengths, strict=True)]
    texts = shapes.token_ids(setting, items * ANSWERS, LENGTHS[1], seed=1).numpy()
    ends = np.random.default_rng(0).integers(LENGTHS[0], LENGTHS[1] + 1, len(texts))
    answers = [row[:end] for row, end in zip(texts, ends, strict=True)]
    starts = range(0, len(answers), ANSWERS)
    return contexts, [answers[start : start + ANSWERS] for start in starts]


def variants(setting: Setting) -> list[Variant]:
    """List both ways; whole texts are the baseline."""
    contexts, answers = questions(setting)
    micro_batch = SIZES[setting.shape][1]

    @cache
    def model() -> Any:
        return shapes.build(setting, "causal")

    def whole_texts() -> Run:
        lm = shapes.opened(model(), micro_batch)
        each = [context for context in contexts for _ in range(ANSWERS)]
        alone = [[answer] for texts in answers for answer in texts]
        return lambda: lm.loglikelihood(each, alone)

    def shared_context() -> Run:
        lm = shapes.opened(model(), micro_batch)
        return lambda: lm.loglikelihood(contexts, answers)

    def objects(count: int) -> Callable[[], Run]:
        def make() -> Run:
            lm = shapes.opened(model(), 1)
            before = list(shapes.token_ids(setting, 1, LONG).numpy())
            each = list(shapes.token_ids(setting, OBJECTS, SHORT, seed=1).numpy())
            return lambda: lm.loglikelihood(before, [each[:count]])

        return make

    items, target = len(contexts), TARGET.get(setting.shape)
    return [
        Variant("whole_texts", whole_texts, items, "items", None),
        Variant("shared_context", shared_context, items, "items", "whole_texts"),
        Variant("one_object", objects(1), 1, "items", None),
        Variant("many_objects", objects(OBJECTS), 1, "items", "one_object", target),
    ]
