"""Writing an intervention into a model while it runs.

One hook per touched layer writes all of its neurons at once. Neurons that are not named
keep their bits. Without gradients the activations are written where they are: whoever
wants them as they were must copy them before.
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
from langneurons.nn.models.architectures import (
    decoder_layers,
    hidden_size,
    mlp_sites,
)

from .interventions import OPS, RESIDUAL, RUNTIME, Edit, Intervention


@dataclass
class Handle:
    """What ``applied`` yields: tells the hooks which positions are written."""

    positions: str = "all"
    _where: Tensor | None = field(default=None, repr=False)
    _text: Tensor | None = field(default=None, repr=False)

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
            self._where = self._text = None
            return
        self._text = text = attention_mask.bool()
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
        return self._checked(self._where, activations)

    def text(self, activations: Tensor) -> Tensor:
        """Return which positions are no padding, [batch, length, 1]."""
        return self._checked(self._text, activations)

    def rows(self, activations: Tensor) -> Tensor:
        """Return activations as [batch, length, width] where the masks need them so.

        The MLPs of some families (OPT) see the tokens of all rows in one list.
        """
        mask = self._text
        if mask is None or activations.dim() != 2 or len(activations) != mask.numel():
            return activations
        return activations.view(*mask.shape, -1)

    def _checked(self, mask: Tensor | None, activations: Tensor) -> Tensor:
        shape = None if mask is None else tuple(mask.shape)
        if mask is None or shape != tuple(activations.shape[:-1]):
            raise ValueError(
                f"positions {self.positions!r}: call set_mask() with the attention "
                f"mask of the forward pass; it is {shape}, the activations are "
                f"{tuple(activations.shape)}"
            )
        return mask.to(activations.device)[..., None]


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
        DataError: the family is not known, or the model has no such neuron or layer.
    """
    if intervention is None:
        yield Handle()
        return
    handle = Handle(intervention.positions)
    hooks: list[RemovableHandle] = []
    put_on = _on_stream if intervention.write == RESIDUAL else _on_neurons
    try:
        for hook in put_on(model, intervention, handle, family=family):
            hooks.append(hook)
        yield handle
    finally:
        for hook in hooks:
            hook.remove()


def _on_neurons(
    model: nn.Module, intervention: Intervention, handle: Handle, *, family: str | None
) -> Iterator[RemovableHandle]:
    """Put a hook on the MLP of every touched layer."""
    sites = mlp_sites(model, family)
    for edit in intervention.edits:
        if edit.layer >= len(sites.layers) or int(edit.neurons.max()) >= sites.width:
            raise DataError(
                f"neurons of layer {edit.layer}: the model has {len(sites.layers)} "
                f"layers of {sites.width} neurons. Do they belong to another model?"
            )
    for edit in intervention.edits:
        layer = sites.layers[edit.layer]
        write = _writer(edit, intervention, handle)
        if intervention.write == "act_post":
            yield layer.act.register_forward_hook(_on_output(write))
        else:
            module = layer.act if intervention.write == "gate_pre" else layer.down
            yield module.register_forward_pre_hook(_on_input(write))


def _on_stream(
    model: nn.Module, intervention: Intervention, handle: Handle, *, family: str | None
) -> Iterator[RemovableHandle]:
    """Put a hook on the output of every touched decoder layer."""
    layers = decoder_layers(model, family)
    width = hidden_size(model)
    for edit in intervention.edits:
        if edit.layer >= len(layers) or len(edit.values) != width:
            raise DataError(
                f"direction of layer {edit.layer}, {len(edit.values)} numbers: the "
                f"model has {len(layers)} layers of hidden size {width}. Does it "
                "belong to another model?"
            )
    for edit in intervention.edits:
        write = _mover(edit, intervention, handle)
        yield layers[edit.layer].register_forward_hook(_on_first_output(write))


def _on_output(write: Callable[[Tensor], Tensor]) -> Any:
    return lambda module, args, output: write(output)


def _on_first_output(write: Callable[[Tensor], Tensor]) -> Any:
    # A decoder layer returns its states, in some families first of a tuple.
    return lambda module, args, output: (
        (write(output[0]), *output[1:]) if isinstance(output, tuple) else write(output)
    )


def _on_input(write: Callable[[Tensor], Tensor]) -> Any:
    return lambda module, args: (write(args[0]), *args[1:])


def _writer(
    edit: Edit, intervention: Intervention, handle: Handle
) -> Callable[[Tensor], Tensor]:
    op, weight = OPS[intervention.op], intervention.weight
    neurons, values, numbers = edit.neurons, edit.values, edit.values
    measure = RUNTIME[intervention.runtime] if intervention.runtime else None

    def changed(activations: Tensor) -> Tensor:
        nonlocal neurons, values, numbers
        if neurons.device != activations.device:
            neurons = neurons.to(activations.device)
            values = values.to(activations.device)
        where = handle.where(activations)
        if intervention.op == "set" and where is None and measure is None:
            # A GPU takes longer to start each of the steps below than to run it.
            if (numbers.device, numbers.dtype) != (values.device, activations.dtype):
                numbers = values.to(activations.dtype)
            shape = (*activations.shape[:-1], len(numbers))
            return _written(activations, neurons, numbers.expand(shape))
        old = activations.index_select(-1, neurons)
        value = values
        if measure is not None:
            value = measure(activations, handle.text(activations)).float()
            value = value[:, None, None]
        new = op(old.float(), value, weight).to(activations.dtype)
        if where is not None:
            new = torch.where(where, new, old)
        return _written(activations, neurons, new)

    def write(given: Tensor) -> Tensor:
        activations = handle.rows(given)
        new = changed(activations)
        return new if activations is given else new.view(given.shape)

    return write


def _written(activations: Tensor, neurons: Tensor, new: Tensor) -> Tensor:
    """Return activations with other values of some neurons."""
    if torch.is_grad_enabled():  # the values before may be needed for a gradient
        return activations.index_copy(-1, neurons, new)
    # The model has just computed them and reads nothing but what is returned.
    return activations.index_copy_(-1, neurons, new)


def _mover(
    edit: Edit, intervention: Intervention, handle: Handle
) -> Callable[[Tensor], Tensor]:
    """Return what writes into all coordinates at once, so that none is looked up."""
    op, weight, values = OPS[intervention.op], intervention.weight, edit.values

    def write(states: Tensor) -> Tensor:
        nonlocal values
        if values.device != states.device:
            values = values.to(states.device)
        new = op(states.float(), values, weight).to(states.dtype)
        where = handle.where(states)
        return new if where is None else torch.where(where, new, states)

    return write
