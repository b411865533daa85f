"""What is written into which neurons (Mondal et al. 2025; methods.md 1.7).

An intervention knows no model; ``applying`` writes it into one while that runs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from langneurons.config.catalogue import Statistic
from langneurons.config.errors import ConfigError, DataError, unknown_name

# a: what the model computed, v: the value, w: the weight; all float32.
OPS: dict[str, Callable[[Tensor, Tensor, float], Tensor]] = {
    "set": lambda a, v, w: v.expand_as(a),
    "add": lambda a, v, w: a + w * v,
    "scale": lambda a, v, w: a * v,
    "clamp_min": lambda a, v, w: torch.maximum(a, v),
    "clamp_max": lambda a, v, w: torch.minimum(a, v),
    "interpolate": lambda a, v, w: (1 - w) * a + w * v,
}


def _largest(a: Tensor, real: Tensor) -> Tensor:
    # Tokens first, so that all activations are read once, and none is copied.
    return a.amax(dim=-1).masked_fill(~real[..., 0], -torch.inf).amax(dim=1)


def _tenth(a: Tensor, real: Tensor) -> Tensor:
    """Interpolate linearly between the two values around the 10th percentile."""
    values = a.float().masked_fill(~real, torch.inf).flatten(1).sort(dim=1).values
    count = real.flatten(1).sum(dim=1, keepdim=True) * a.shape[-1]
    place = 0.1 * (count - 1).clamp(min=0).double()
    low = place.floor()
    below, above = (
        values.gather(1, at.long()) for at in (low, place.ceil().clamp(min=0))
    )
    return below.lerp(above, (place - low).to(values.dtype))[:, 0]


# Of activations [items, tokens, neurons] and which tokens are no padding [items,
# tokens, 1]: a number per item (Rahmanisa et al. 2025: =max, =P10).
RUNTIME: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "runtime_max": _largest,
    "runtime_p10": _tenth,
}

WRITES = ("gate_pre", "act_post", "prod")
RESIDUAL = "residual"
"""Where steering writes: the output of a decoder layer."""
POSITIONS = ("all", "non_pad", "last", "prompt", "generated")

Ids = np.ndarray[Any, Any]
Neurons = Mapping[int, Sequence[int] | Ids]
"""Layer to neuron ids, both from 0."""


@dataclass(frozen=True)
class Edit:
    """What is written in one layer.

    Attributes:
        layer: from 0.
        neurons: int64 [k], distinct; in the residual stream all of its coordinates.
        values: float32 [k]; of a runtime value not read.
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
        write: ``gate_pre``, ``act_post``, ``prod`` or ``residual``.
        positions: ``all``; ``non_pad``; ``last``, the last that is no padding, which
            is each new one while text is generated; ``prompt``, all text but what the
            model generated; ``generated``, generated tokens when they are read back.
            A continuation whose likelihood is asked for counts as generated.
        runtime: what takes the place of the edits' values: a key of ``RUNTIME``, of
            all that the layer computes at ``write`` for the tokens of an item; empty:
            the values are known beforehand.
    """

    edits: tuple[Edit, ...]
    op: str
    weight: float
    write: str
    positions: str
    runtime: str = ""

    @property
    def n_neurons(self) -> int:
        """Number of neurons written, over all layers; none in the residual stream."""
        if self.write == RESIDUAL:
            return 0
        return sum(len(edit.neurons) for edit in self.edits)


def overwrite(
    neurons: Neurons,
    value: float | np.ndarray[Any, Any],
    *,
    op: str = "set",
    weight: float = 1.0,
    write: str = "act_post",
    positions: str = "all",
) -> Intervention:
    """Say what is written into which neurons; ``applying.applied`` does it.

    Args:
        neurons: layer to neuron ids, both from 0, as ``NeuronSets.of`` returns them;
            ids in any order.
        value: v, one number for all of them, or what each neuron of the model would
            get, [layers, width], as ``Activations.value`` returns it.
        op: what becomes of an activation a: ``set`` v, ``add`` a + weight v, ``scale``
            a v, ``clamp_min`` at least v, ``clamp_max`` at most v, ``interpolate``
            (1 - weight) a + weight v.
        weight: of ``add`` and ``interpolate``.
        write: where a is: ``gate_pre``, input of the activation function; ``act_post``,
            its output; ``prod``, input of the down projection.
        positions: tokens at which it is written; see :class:`Intervention`.

    Raises:
        ConfigError: an ``op``, ``write`` or ``positions`` that there is not.
        DataError: neurons that are no whole numbers from 0, values of another shape,
            neurons that they lack, or values that are not finite.
    """
    allowed = {"op": (op, OPS), "write": (write, WRITES)}
    allowed |= {"positions": (positions, POSITIONS)}
    for name, (given, known) in allowed.items():
        if given not in known:
            raise ConfigError(unknown_name(name, given, known, "overwrite"))
    table = np.asarray(value)
    if table.dtype.kind not in "biuf" or table.ndim not in (0, 2):
        raise DataError(
            f"overwrite: value is {value!r}; a number is needed, or an array of "
            "numbers [layers, width]"
        )
    edits = [_edit(layer, ids, table) for layer, ids in sorted(neurons.items())]
    written = tuple(edit for edit in edits if len(edit.neurons))
    return Intervention(written, op, float(weight), write, positions)


def _edit(layer: int, ids: Sequence[int] | Ids, table: np.ndarray[Any, Any]) -> Edit:
    """Put the neurons of a layer and their values together; see ``overwrite``."""
    given = np.asarray(ids)
    whole = given.ndim == 1 and (given.dtype.kind in "iu" or not given.size)
    if not whole or (given.size and given.min() < 0) or layer < 0:
        raise DataError(
            f"neurons of layer {layer}: {ids!r}; whole numbers from 0 are needed, the "
            "layer's and those of its neurons"
        )
    chosen = np.unique(given.astype(np.int64))
    if table.ndim:
        layers, width = table.shape
        if layer >= layers or (chosen.size and chosen[-1] >= width):
            raise DataError(
                f"neurons of layer {layer}: the model has layers 0 to {layers - 1} "
                f"with neurons 0 to {width - 1}. Do they belong to another model?"
            )
    values = table[layer, chosen] if table.ndim else np.full(chosen.size, table)
    values = np.ascontiguousarray(values, dtype=np.float32)
    if not np.isfinite(values).all():
        raise DataError(
            f"values of layer {layer} are not finite; was the statistic measured?"
        )
    return Edit(layer, torch.from_numpy(chosen), torch.from_numpy(values))


def build(
    neurons: Neurons,
    values: np.ndarray[Any, Any],
    statistic: Statistic,
    where: str = "statistic",
) -> Intervention:
    """Say what a statistic of the configuration writes; see :func:`overwrite`.

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
            f"allowed: {', '.join(WRITES)}"
        )
    layers = len(values)
    first, last = statistic.layers or (0, layers - 1)
    if not 0 <= first <= last < layers:
        raise ConfigError(
            f"{where}.layers: [{first}, {last}] - the model has layers 0 to "
            f"{layers - 1}. Give the first and the last layer to write, the first not "
            "after the last, or null for all"
        )
    whole = overwrite(
        neurons,
        values,
        op=statistic.op,
        weight=statistic.weight,
        write=statistic.write,
        positions=statistic.positions,
    )
    inside = tuple(edit for edit in whole.edits if first <= edit.layer <= last)
    runtime = statistic.value if statistic.value in RUNTIME else ""
    return replace(whole, edits=inside, runtime=runtime)


def steer(direction: np.ndarray[Any, Any], layer: int, strength: float) -> Intervention:
    """Say what is added to the residual stream; ``applying.applied`` does it.

    At every token that is no padding, of prompts and of what follows them.

    Args:
        direction: float32 [hidden size].
        layer: decoder layer whose output it is added to, from 0.
        strength: factor on the direction.

    Raises:
        DataError: the direction is no list of finite numbers.
    """
    values = np.ascontiguousarray(direction, dtype=np.float32)
    if values.ndim != 1 or not np.isfinite(values).all():
        raise DataError(
            f"direction of layer {layer}: of shape {list(values.shape)}, with "
            f"{int((~np.isfinite(values)).sum())} numbers that are not finite; finite "
            "numbers [hidden size] are needed"
        )
    every = torch.arange(len(values))
    edit = Edit(layer, every, torch.from_numpy(values))
    return Intervention((edit,), "add", float(strength), RESIDUAL, "non_pad")


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
