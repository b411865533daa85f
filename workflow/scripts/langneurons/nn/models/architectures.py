"""Finding the MLP neurons of a loaded model.

A neuron is one coordinate of the MLP's intermediate layer. Gated families compute
``down(act(gate(x)) * up(x))``, GPT-2 and BLOOM ``down(act(up(x)))``; the three tensors
that can be read or written (Mondal et al. 2025, section 3; methods.md 1.1) are

* ``gate_pre``: input of the activation function,
* ``act_post``: its output,
* ``prod``: input of the down projection.

What these modules are called in each family says the table in ``families``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from langneurons.config.errors import ConfigError, DataError, unknown_name

from . import families

if TYPE_CHECKING:
    from torch import nn


MLP_TARGETS = ("gate", "gate_up", "gate_up_down")
_SAME_ACTIVATION = {"swish": "silu"}


@dataclass(frozen=True)
class LayerSites:
    """The two modules of one layer's MLP that hooks are put on."""

    act: nn.Module
    down: nn.Module


@dataclass(frozen=True)
class Sites:
    """The MLP neurons of a model.

    Attributes:
        family: a key of ``families.FAMILIES``.
        activation: the activation function's name in transformers, e.g. ``silu``.
        width: neurons per layer (intermediate size).
        layers: first layer first.
    """

    family: str
    activation: str
    width: int
    layers: tuple[LayerSites, ...]


def family_of(model: nn.Module) -> str:
    """Read the family from a loaded model's configuration.

    Raises:
        DataError: an architecture that the table does not have.
    """
    kind = str(_text_config(model).model_type)
    if (found := families.of_type(kind)) is None:
        raise DataError(families.unknown(kind, "model"))
    return found


def attention_modules(family: str) -> dict[str, str]:
    """Map q, k, v and o to the module-name suffixes that PEFT's targets take.

    Families that fuse q, k and v name the same module three times.
    """
    return dict(families.find(family).attention)


def mlp_modules(family: str, targets: str) -> dict[str, str]:
    """Map MLP projections to the side of their weights that neurons are on.

    Where there is no gate, the one projection before the activation function takes its
    place, and ``gate_up`` means the same.

    Args:
        family: a key of ``families.FAMILIES``.
        targets: one of ``MLP_TARGETS``.

    Returns:
        Module names relative to a layer, to ``out`` (a neuron is a row of the weight
        [out, in]: gate and up) or ``in`` (it is a column: down).
    """
    if targets not in MLP_TARGETS:
        raise ConfigError(unknown_name("mlp_targets", targets, MLP_TARGETS, "tunings"))
    names = families.find(family)
    found = {names.gate: "out"}
    if "up" in targets.split("_") and names.up is not None:
        found[names.up] = "out"
    if "down" in targets.split("_"):
        found[names.down] = "in"
    return found


def mlp_sites(model: nn.Module, family: str | None = None) -> Sites:
    """Find each layer's activation function and down projection.

    Modules are found by the end of their names, so a backbone, a model with a head and
    a PEFT-wrapped model all work.

    Args:
        model: a transformers or PEFT model.
        family: a key of ``families.FAMILIES``; None: from the model's configuration.

    Raises:
        DataError: if the family is unknown, or a layer has not exactly one of each
            module (for example because a fused kernel replaced the MLP).
    """
    family = family_of(model) if family is None else family
    names = families.find(family)
    config = _text_config(model)
    wanted = int(config.num_hidden_layers)
    acts = by_layer(model, names.layers, names.act)
    downs = by_layer(model, names.layers, names.down)
    for what, found in ((names.act, acts), (names.down, downs)):
        if sorted(found) != list(range(wanted)):
            raise DataError(
                f"model: a {family} model with {wanted} layers should have one module "
                f"'{names.layers}.<i>.{what}' in each, found layers {sorted(found)}. "
                "Give the family of this architecture, or add its module names to "
                "LAYOUTS in nn/architectures.py"
            )
    widths = {_input_width(module) for module in downs.values()}
    if len(widths) != 1:
        raise DataError(
            f"model: layers have different numbers of neurons: {sorted(widths)}; "
            "only models with equal layers are supported"
        )
    activation = names.fixed_activation() or str(getattr(config, names.activation))
    return Sites(
        family=family,
        activation=_SAME_ACTIVATION.get(activation, activation),
        width=widths.pop(),
        layers=tuple(LayerSites(acts[i], downs[i]) for i in range(wanted)),
    )


def _text_config(model: nn.Module) -> Any:
    # The configuration of a multimodal model holds that of its language model.
    config: Any = model.config
    return config.get_text_config()


def by_layer(model: nn.Module, layers: str, suffix: str) -> dict[int, nn.Module]:
    """Find one module per layer, however the model is wrapped: layer -> module.

    Args:
        model: a transformers or PEFT model.
        layers: name of the list of decoder layers.
        suffix: the module's name relative to a layer.
    """
    pattern = re.compile(rf"(?:^|\.){re.escape(layers)}\.(\d+)\.{re.escape(suffix)}$")
    found: dict[int, nn.Module] = {}
    # A module that several layers share is listed once only, and the count then fails:
    # a hook on it could not tell the layers apart.
    for name, module in model.named_modules():
        if match := pattern.search(name):
            found[int(match[1])] = module
    return found


def _input_width(module: nn.Module) -> int:
    # transformers' Conv1D (GPT-2) stores its weight as [in, out] and names no sizes
    # in the way of nn.Linear; a 4-bit weight has another shape, but in_features holds.
    size = getattr(module, "in_features", None)
    weight: Any = module.weight
    return int(weight.shape[0] if size is None else size)
