"""What overwriting 1 % of the neurons costs an evaluation.

Items pass through ``LanguageModel.classify``; ``unhooked`` has no intervention. Zero
and mean do the same work with other numbers, so that their difference shows the noise.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from langneurons.config.catalogue import Statistic
from langneurons.nn.evaluation.examples import Labelled, Reading
from langneurons.nn.evaluation.interventions import Intervention, build
from langneurons.nn.models.architectures import mlp_sites

from . import shapes
from .measuring import Row, Run, Setting, Variant, compare

SHARE = 0.01
# Items, and how many of them in a forward pass.
# A job on a GPU finds its own; 16 leave the GPU waiting for what starts its kernels.
ITEMS = {"tiny": (8, 4), "gemma270m": (16, 8), "llama8b": (512, 64), "nemo": (512, 64)}
TARGET = {name: 1.03 for name in ITEMS if name != "tiny"}
LONGEST = 128


def settings(names: list[str], device: str, repeats: int) -> list[Setting]:
    """List the shapes that can run; a target so near 1 takes more rounds."""
    return shapes.settings([n for n in names if n in ITEMS], device, 2 * repeats)


def rows(setting: Setting) -> list[Row]:
    """Time every variant."""
    return compare("interventions", variants, setting)


def pairs(setting: Setting, items: int) -> Labelled:
    """Make items of realistic lengths, with random tokens and labels."""
    lengths = shapes.item_lengths(items, LONGEST)
    ids = shapes.token_ids(setting, items, LONGEST).numpy()
    return Labelled(
        tokens=[row[:length] for row, length in zip(ids, lengths, strict=True)],
        labels=np.arange(items) % 3,
        reading=Reading("last_real_token", LONGEST, shapes.PAD),
    )


def intervention(model: Any, value: str, write: str) -> Intervention:
    """Write zero or other numbers into 1 % of each layer's neurons."""
    sites = mlp_sites(model)
    layers, width = len(sites.layers), sites.width
    values = np.zeros((layers, width), np.float32)
    if value == "mean":
        values += np.random.default_rng(0).normal(0, 0.1, values.shape)
    neurons = shapes.share_of_neurons(layers, width, SHARE)
    return build(neurons, values, Statistic(value=value, write=write))


def variants(setting: Setting) -> list[Variant]:
    """List the variants; ``unhooked`` is the baseline of all."""
    items, micro_batch = ITEMS[setting.shape]
    data = pairs(setting, items)

    @cache
    def model() -> Any:
        return shapes.build(setting, "classifier")

    def evaluation(value: str = "", write: str = "") -> Callable[[], Run]:
        def make() -> Run:
            change = intervention(model(), value, write) if value else None
            lm = shapes.opened(model(), micro_batch).under(change)
            return lambda: lm.classify(data.tokens, data.reading)

        return make

    found = [Variant("unhooked", evaluation(), items, "items", None)]
    target = TARGET.get(setting.shape)
    for value in ("zero", "mean"):
        for write in ("act_post", "gate_pre"):
            name, make = f"{value}_{write}", evaluation(value, write)
            found.append(Variant(name, make, items, "items", "unhooked", target))
    return found
