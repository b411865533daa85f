"""Writing an intervention into a model while it runs.

One hook per touched layer writes all of its neurons at once. Neurons that are not named
keep their bits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from langneurons.config.errors import ConfigError, DataError
from langneurons.nn.models.architectures import mlp_sites

from .interventions import OPS, Edit, Intervention


@dataclass
class Handle:
    """What ``applied`` yields: tells the hooks which positions are written."""

    positions: str = "all"
    _where: Tensor | None = field(default=None, repr=False)

    def set_mask(
        self, attention_mask: Tensor | None, generated: Tensor | None = None
    ) -> None:
        """Describe the next forward passes, before each that differs.

        Args:
            attention_mask: [batch, length], 1 where there is text; of the tokens that
                the pass reads, not of those in a cache.
            generated: [batch, length], 1 where the model itself made the token; None
                where nothing is generated.

        Raises:
            ConfigError: positions ``generated``, but nothing is.
        """
        if attention_mask is None or self.positions == "all":
            self._where = None
            return
        text = attention_mask.bool()
        if generated is None:
            if self.positions == "generated":
                raise ConfigError(
                    "positions 'generated': nothing is generated here, only read; "
                    "allowed: all, non_pad, last, prompt"
                )
            generated = torch.zeros_like(text)
        made = generated.bool() & text
        prompt = text & ~made
        # The number of the prompt's positions from here to the end of the row is 1.
        # Every generated token was last once, and in a cache it stays as it was then.
        last = (prompt.long().flip(-1).cumsum(-1).flip(-1) == 1) & prompt | made
        self._where = {
            "non_pad": text,
            "last": last,
            "prompt": prompt,
            "generated": made,
        }[self.positions]

    def where(self, activations: Tensor) -> Tensor | None:
        """Return which positions are written, [batch, length, 1]; None for all."""
        if self.positions == "all":
            return None
        shape = None if self._where is None else tuple(self._where.shape)
        if self._where is None or shape != tuple(activations.shape[:-1]):
            raise ValueError(
                f"positions {self.positions!r}: call set_mask() with the attention "
                f"mask of the forward pass; it is {shape}, the activations are "
                f"{tuple(activations.shape)}"
            )
        return self._where.to(activations.device)[..., None]


@contextmanager
def applied(
    model: nn.Module, intervention: Intervention | None, family: str | None = None
) -> Iterator[Handle]:
    """Apply an intervention to every forward pass inside the block.

    Args:
        model: a transformers model of a supported family, PEFT-wrapped or not.
        intervention: from ``interventions.overwrite``; None adds no hooks: the model
            as it is.
        family: see ``mlp_sites``.

    Yields:
        A handle; all positions but ``all`` need its ``set_mask``.

    Raises:
        DataError: the family is not known, or the model has no such neuron.
    """
    if intervention is None:
        yield Handle()
        return
    handle = Handle(intervention.positions)
    sites = mlp_sites(model, family)
    for edit in intervention.edits:
        if edit.layer >= len(sites.layers) or int(edit.neurons.max()) >= sites.width:
            raise DataError(
                f"neurons of layer {edit.layer}: the model has {len(sites.layers)} "
                f"layers of {sites.width} neurons. Do they belong to another model?"
            )
    hooks: list[RemovableHandle] = []
    try:
        for edit in intervention.edits:
            layer = sites.layers[edit.layer]
            write = _writer(edit, intervention, handle)
            if intervention.write == "act_post":
                hooks.append(layer.act.register_forward_hook(_on_output(write)))
            else:
                module = layer.act if intervention.write == "gate_pre" else layer.down
                hooks.append(module.register_forward_pre_hook(_on_input(write)))
        yield handle
    finally:
        for hook in hooks:
            hook.remove()


def _on_output(write: Callable[[Tensor], Tensor]) -> Any:
    return lambda module, args, output: write(output)


def _on_input(write: Callable[[Tensor], Tensor]) -> Any:
    return lambda module, args: (write(args[0]), *args[1:])


def _writer(
    edit: Edit, intervention: Intervention, handle: Handle
) -> Callable[[Tensor], Tensor]:
    op, weight = OPS[intervention.op], intervention.weight
    neurons, values, numbers = edit.neurons, edit.values, edit.values

    def write(activations: Tensor) -> Tensor:
        nonlocal neurons, values, numbers
        if neurons.device != activations.device:
            neurons = neurons.to(activations.device)
            values = values.to(activations.device)
        where = handle.where(activations)
        if intervention.op == "set" and where is None:
            # A GPU takes longer to start each of the steps below than to run it.
            if (numbers.device, numbers.dtype) != (values.device, activations.dtype):
                numbers = values.to(activations.dtype)
            shape = (*activations.shape[:-1], len(numbers))
            return activations.index_copy(-1, neurons, numbers.expand(shape))
        old = activations.index_select(-1, neurons)
        new = op(old.float(), values, weight).to(activations.dtype)
        if where is not None:
            new = torch.where(where, new, old)
        return activations.index_copy(-1, neurons, new)

    return write
