"""What overwriting 1 % of the neurons costs an evaluation, and steering it.

Items pass through ``LanguageModel.classify``; ``unhooked`` has no intervention. Zero
and mean do the same work with other numbers, so that their difference shows the noise.
``runtime_max`` and ``runtime_p10`` are measured on each item's tokens meanwhile, the
latter by sorting all that a layer computes: it has no target. ``steered`` adds a
direction to the output of a layer in the middle.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import numpy as np

from langneurons.config.catalogue import RUNTIME, Statistic
from langneurons.nn.evaluation.examples import Labelled, Reading
from langneurons.nn.evaluation.interventions import Intervention, build, steer
from langneurons.nn.models.architectures import hidden_size, mlp_sites

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
    """Write zero, other numbers or a runtime value into 1 % of each layer's neurons."""
    sites = mlp_sites(model)
    layers, width = len(sites.layers), sites.width
    values = np.zeros((layers, width), np.float32)
    if value == "mean":
        values += np.random.default_rng(0).normal(0, 0.1, values.shape)
    neurons = shapes.share_of_neurons(layers, width, SHARE)
    positions = "non_pad" if value in RUNTIME else "all"
    statistic = Statistic(value=value, write=write, positions=positions)
    return build(neurons, values, statistic)


def steering(model: Any) -> Intervention:
    """Add random numbers to the output of a layer in the middle."""
    numbers = np.random.default_rng(0).normal(0, 0.1, hidden_size(model))
    middle = len(mlp_sites(model).layers) // 2
    return steer(numbers.astype(np.float32), middle, 2.0)


def variants(setting: Setting) -> list[Variant]:
    """List the variants; ``unhooked`` is the baseline of all."""
    items, micro_batch = ITEMS[setting.shape]
    data = pairs(setting, items)

    @cache
    def model() -> Any:
        return shapes.build(setting, "classifier")

    def evaluation(
        change_of: Callable[[Any], Intervention | None] = lambda _: None,
    ) -> Callable[[], Run]:
        def make() -> Run:
            change = change_of(model())
            lm = shapes.opened(model(), micro_batch).under(change)
            return lambda: lm.classify(data.tokens, data.reading)

        return make

    found = [Variant("unhooked", evaluation(), items, "items", None)]
    target = TARGET.get(setting.shape)
    for value in ("zero", "mean"):
        for write in ("act_post", "gate_pre"):
            make = evaluation(partial(intervention, value=value, write=write))
            name = f"{value}_{write}"
            found.append(Variant(name, make, items, "items", "unhooked", target))
    for value in RUNTIME:
        make = evaluation(partial(intervention, value=value, write="act_post"))
        own = target if value == "runtime_max" else None
        found.append(Variant(value, make, items, "items", "unhooked", own))
    steered = evaluation(steering)
    found.append(Variant("steered", steered, items, "items", "unhooked", target))
    return found
