"""Overwriting neurons while a model runs (Mondal et al. 2025; methods.md 1.7).

One hook per touched layer writes all of its neurons at once. Neurons that are not named
keep their bits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from langneurons.config.catalogue import Statistic
from langneurons.config.errors import ConfigError, DataError
from langneurons.nn.models.architectures import mlp_sites

# a: what the model computed, v: the value, w: the weight; all float32.
OPS: dict[str, Callable[[Tensor, Tensor, float], Tensor]] = {
    "set": lambda a, v, w: v.expand_as(a),
    "add": lambda a, v, w: a + w * v,
    "scale": lambda a, v, w: a * v,
    "clamp_min": lambda a, v, w: torch.maximum(a, v),
    "clamp_max": lambda a, v, w: torch.minimum(a, v),
    "interpolate": lambda a, v, w: (1 - w) * a + w * v,
}


@dataclass(frozen=True)
class Edit:
    """What is written in one layer.

    Attributes:
        layer: from 0.
        neurons: int64 [k], distinct.
        values: float32 [k].
    """

    layer: int
    neurons: Tensor
    values: Tensor


@dataclass(frozen=True)
class Intervention:
    """What is written into a model, where and how.

    Attributes:
        edits: one per touched layer.
        op: a key of ``OPS``.
        weight: factor of ``add``, share of ``interpolate``.
        write: ``gate_pre``, ``act_post`` or ``prod``.
        positions: ``all``; ``non_pad``; ``last``, the last that is no padding, which
            is each new one while text is generated; ``prompt``, all text but what the
            model generated; ``generated``, generated tokens when they are read back.
            A continuation whose likelihood is asked for counts as generated.
    """

    edits: tuple[Edit, ...]
    op: str
    weight: float
    write: str
    positions: str

    @property
    def n_neurons(self) -> int:
        """Number of neurons written, over all layers."""
        return sum(len(edit.neurons) for edit in self.edits)


def build(
    neurons: Mapping[int, Sequence[int]],
    values: np.ndarray[Any, Any],
    statistic: Statistic,
    where: str = "statistic",
) -> Intervention:
    """Put neurons and their values together.

    Args:
        neurons: layer to neuron ids.
        values: what each neuron of the model would get, [layers, width].
        statistic: operation, site (not null) and positions; layers outside its range
            are left alone.
        where: what the statistic is called in messages.

    Raises:
        ConfigError: if the statistic names no site to write, or layers that the model
            does not have.
        DataError: if the model has no such neuron, or a value is not finite.
    """
    if statistic.write is None:
        raise ConfigError(
            f"{where}: 'write' is null and no profile filled it in; "
            "allowed: gate_pre, act_post, prod"
        )
    layers, width = values.shape
    first, last = statistic.layers or (0, layers - 1)
    if not 0 <= first <= last < layers:
        raise ConfigError(
            f"{where}.layers: [{first}, {last}] - the model has layers 0 to "
            f"{layers - 1}. Give the first and the last layer to write, the first not "
            "after the last, or null for all"
        )
    edits = []
    for layer, ids in sorted(neurons.items()):
        if not 0 <= layer < layers or any(not 0 <= i < width for i in ids):
            raise DataError(
                f"neurons of layer {layer}: the model has layers 0 to {layers - 1} "
                f"with neurons 0 to {width - 1}. Do they belong to another model?"
            )
        if not ids or not first <= layer <= last:
            continue
        chosen = np.unique(np.asarray(ids, dtype=np.int64))
        wanted = np.ascontiguousarray(values[layer, chosen], dtype=np.float32)
        if not np.isfinite(wanted).all():
            raise DataError(
                f"values of layer {layer} are not finite; was the statistic measured?"
            )
        edits.append(Edit(layer, torch.from_numpy(chosen), torch.from_numpy(wanted)))
    return Intervention(
        tuple(edits),
        statistic.op,
        statistic.weight,
        statistic.write,
        statistic.positions,
    )


def require_positions(
    positions: str, generates: bool, where: str = "statistic"
) -> None:
    """Refuse positions that no input has.

    Args:
        positions: of a statistic.
        generates: whether the model reads tokens that it generated.
        where: what the statistic is called in messages.

    Raises:
        ConfigError: positions ``generated``, but nothing is.
    """
    if positions == "generated" and not generates:
        raise ConfigError(
            f"{where}.positions: 'generated' - nothing is generated here, only read; "
            "allowed: all, non_pad, last, prompt"
        )


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
        model: any model that ``mlp_sites`` knows, PEFT-wrapped or not.
        intervention: None adds no hooks: the model as it is.
        family: see ``mlp_sites``.

    Yields:
        A handle; all positions but ``all`` need its ``set_mask``.

    Raises:
        DataError: if the model has no such neuron.
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
    neurons, values = edit.neurons, edit.values

    def write(activations: Tensor) -> Tensor:
        nonlocal neurons, values
        if neurons.device != activations.device:
            neurons = neurons.to(activations.device)
            values = values.to(activations.device)
        old = activations.index_select(-1, neurons)
        new = op(old.float(), values, weight).to(activations.dtype)
        where = handle.where(activations)
        if where is not None:
            new = torch.where(where, new, old)
        return activations.index_copy(-1, neurons, new)

    return write
