"""Training steps of masked LoRA against those of plain LoRA.

All variants adapt the attention projections at rank 64, as the paper's; ``lora`` also
the gate projection of every neuron, and ``masked_lora`` that of 1 % of the neurons of
each layer. Each trains its own copy of the same model through ``training.fit``.
"""

from __future__ import annotations

from collections.abc import Callable

from langneurons.config.task_entries import Training, Tuning
from langneurons.nn.models.architectures import mlp_sites
from langneurons.nn.tuning import adapters, losses
from langneurons.nn.tuning.training import Plan, fit

from . import shapes
from .interventions import SHARE, pairs
from .measuring import Row, Run, Setting, Variant, compare

STEPS = {"tiny": 1, "gemma270m": 1, "llama8b": 8, "nemo": 8}
# The model must not drift away from where it started.
TRAINING = Training(learning_rate=1e-7, epochs=1)


def settings(names: list[str], device: str, repeats: int) -> list[Setting]:
    """List the shapes that can run."""
    return shapes.settings([n for n in names if n in STEPS], device, repeats)


def rows(setting: Setting) -> list[Row]:
    """Time every variant."""
    return compare("tuning", variants, setting)


def variants(setting: Setting) -> list[Variant]:
    """List the variants; plain LoRA is the baseline."""
    items = STEPS[setting.shape] * TRAINING.batch_size
    data = pairs(setting, items)
    plan = Plan.of(items, TRAINING, 0)
    family = shapes.shape(setting.shape).family

    def tuned(kind: str) -> Callable[[], Run]:
        def make() -> Run:
            model = shapes.build(setting, "classifier")
            sites = mlp_sites(model, family)
            neurons = None
            if kind == "masked_lora":
                shape = len(sites.layers), sites.width
                neurons = shapes.share_of_neurons(*shape, SHARE)
            tuning = Tuning.model_validate({"kind": kind}).model_dump()
            wrapped = adapters.wrap(model, family, tuning, TRAINING, 0, neurons=neurons)
            loss = losses.summed(wrapped, data, shapes.PAD)
            return lambda: fit(wrapped, loss, plan, TRAINING, TRAINING.batch_size)

        return make

    names = {"lora": "all_mlp", "masked_lora": "masked_lora"}
    return [
        Variant(name, tuned(kind), items, "items", None if name == "lora" else "lora")
        for name, kind in names.items()
    ]
