"""Answers decoded in batches with a cache, against the released code's loop.

That code takes one item at a time and runs the whole text anew for each token
(methods.md 2.4). ``cache`` takes one item at a time too, so that the gain of the cache
and that of batches can be told apart. No variant meets EOS, so that all make the same
number of tokens.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import torch

from langneurons.nn.evaluation.examples import Ids
from langneurons.nn.models.backbone import Backbone

from . import shapes
from .measuring import Row, Run, Setting, Variant, compare

# Items, new tokens of each, and the median length of a prompt.
SIZES = {
    "tiny": (3, 4, 12),
    "gemma270m": (4, 8, 60),
    "llama8b": (16, 32, 250),
    "nemo": (16, 32, 250),
}


def settings(names: list[str], device: str, repeats: int) -> list[Setting]:
    """List the shapes that can run."""
    return shapes.settings([n for n in names if n in SIZES], device, repeats)


def rows(setting: Setting) -> list[Row]:
    """Time the ways to decode."""
    return compare("generation", variants, setting)


def prompts(setting: Setting) -> list[Ids]:
    """Make prompts with random tokens, between 3/4 and 5/4 of the median length."""
    items, _, middle = SIZES[setting.shape]
    lengths = np.linspace(0.75 * middle, 1.25 * middle, items).round().astype(int)
    ids = shapes.token_ids(setting, items, int(lengths.max())).numpy()
    return [row[:length] for row, length in zip(ids, lengths, strict=True)]


@torch.inference_mode()
def one_by_one(model: Any, given: list[Ids], new: int) -> list[list[int]]:
    """Decode as the released code does: no batch, no cache.

    Args:
        model: a language model.
        given: prompts.
        new: tokens that are generated for each.
    """
    backbone = Backbone(model)
    made = []
    for prompt in given:
        ids = torch.from_numpy(prompt)[None].to(backbone.device)
        for _ in range(new):
            with backbone.autocast:
                logits = model(input_ids=ids, use_cache=False).logits
            ids = torch.cat([ids, logits[:, -1].argmax(-1, keepdim=True)], dim=1)
        made.append(ids[0, len(prompt) :].tolist())
    return made


def variants(setting: Setting) -> list[Variant]:
    """List the ways to decode; the released code's is the baseline."""
    given, new = prompts(setting), SIZES[setting.shape][1]

    @cache
    def model() -> Any:
        return shapes.build(setting, "causal")

    def paper_loop() -> Run:
        model()
        return lambda: one_by_one(model(), given, new)

    def cached(micro_batch: int) -> Callable[[], Run]:
        def make() -> Run:
            lm = shapes.opened(model(), micro_batch)
            return lambda: lm.generate(given, new)

        return make

    tokens = len(given) * new
    return [
        Variant("paper_loop", paper_loop, tokens, "tokens", None),
        Variant("cache", cached(1), tokens, "tokens", "paper_loop"),
        Variant("cache_and_batch", cached(len(given)), tokens, "tokens", "paper_loop"),
    ]
