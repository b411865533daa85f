"""Where the MLP neurons are in each supported family of models.

A neuron is one coordinate of the MLP's intermediate layer. Gated families compute
``down(act(gate(x)) * up(x))``, GPT-2 and BLOOM ``down(act(up(x)))``; the three tensors
that can be read or written (Mondal et al. 2025, section 3; methods.md 1.1) are

* ``gate_pre``: input of the activation function,
* ``act_post``: its output,
* ``prod``: input of the down projection.

To add a family, add a ``Layout`` to ``LAYOUTS``, its name to ``catalogue.Family`` and a
tiny model to the tests.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from langneurons.config.errors import ConfigError, DataError, unknown_name

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Layout:
    """Module names of a family, relative to one decoder layer.

    Attributes:
        layers: name of the list of decoder layers.
        act: the module that is the activation function.
        down: the projection back to the residual stream.
        activation: configuration key with the activation's name, or ``=name``.
        attention: q, k, v and o to the end of the module's name, as PEFT takes it.
        gate: the projection whose output the activation function takes.
        up: the projection it is multiplied with; None where there is none.
    """

    layers: str
    act: str
    down: str
    activation: str
    attention: dict[str, str]
    gate: str = "mlp.gate_proj"
    up: str | None = "mlp.up_proj"


_SPLIT = {"q": "q_proj", "k": "k_proj", "v": "v_proj", "o": "o_proj"}
_GATED = Layout("layers", "mlp.act_fn", "mlp.down_proj", "hidden_act", _SPLIT)
_GEMMA = Layout("layers", "mlp.act_fn", "mlp.down_proj", "hidden_activation", _SPLIT)

LAYOUTS: dict[str, Layout] = {
    "llama": _GATED,
    "mistral": _GATED,
    "qwen2": _GATED,
    "qwen3": _GATED,
    "gemma2": _GEMMA,
    "gemma3": _GEMMA,
    # One matrix computes q, k and v in these two, so they are adapted together.
    "gpt2": Layout(
        "h",
        "mlp.act",
        "mlp.c_proj",
        "activation_function",
        # "c_proj" alone would also name the MLP's down projection.
        {"q": "c_attn", "k": "c_attn", "v": "c_attn", "o": "attn.c_proj"},
        gate="mlp.c_fc",
        up=None,
    ),
    "bloom": Layout(
        "h",
        "mlp.gelu_impl",
        "mlp.dense_4h_to_h",
        # Fixed in the code of BLOOM: 0.5 x (1 + tanh(0.79788456 x (1 + 0.044715 x^2))).
        "=gelu_pytorch_tanh",
        {
            "q": "query_key_value",
            "k": "query_key_value",
            "v": "query_key_value",
            "o": "self_attention.dense",
        },
        gate="mlp.dense_h_to_4h",
        up=None,
    ),
}
MLP_TARGETS = ("gate", "gate_up", "gate_up_down")
_SAME_FAMILY = {"gemma3_text": "gemma3"}
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
        family: a key of ``LAYOUTS``.
        activation: the activation function's name in transformers, e.g. ``silu``.
        width: neurons per layer (intermediate size).
        layers: first layer first.
    """

    family: str
    activation: str
    width: int
    layers: tuple[LayerSites, ...]


def layout(family: str) -> Layout:
    """Look up a family; an unknown one is a DataError that lists the known ones."""
    if family not in LAYOUTS:
        message = unknown_name("model family", family, LAYOUTS, "model")
        raise DataError(f"{message}. To add one, see nn/architectures.py (LAYOUTS)")
    return LAYOUTS[family]


def family_of(model: nn.Module) -> str:
    """Read the family from a loaded model's configuration."""
    kind = str(_text_config(model).model_type)
    family = _SAME_FAMILY.get(kind, kind)
    layout(family)
    return family


def attention_modules(family: str) -> dict[str, str]:
    """Map q, k, v and o to the module-name suffixes that PEFT's targets take.

    Families that fuse q, k and v name the same module three times.
    """
    return dict(layout(family).attention)


def mlp_modules(family: str, targets: str) -> dict[str, str]:
    """Map MLP projections to the side of their weights that neurons are on.

    Where there is no gate, the one projection before the activation function takes its
    place, and ``gate_up`` means the same.

    Args:
        family: a key of ``LAYOUTS``.
        targets: one of ``MLP_TARGETS``.

    Returns:
        Module names relative to a layer, to ``out`` (a neuron is a row of the weight
        [out, in]: gate and up) or ``in`` (it is a column: down).
    """
    if targets not in MLP_TARGETS:
        raise ConfigError(unknown_name("mlp_targets", targets, MLP_TARGETS, "tunings"))
    names = layout(family)
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
        family: a key of ``LAYOUTS``; None: from the model's configuration.

    Raises:
        DataError: if the family is unknown, or a layer has not exactly one of each
            module (for example because a fused kernel replaced the MLP).
    """
    family = family_of(model) if family is None else family
    names = layout(family)
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
    if names.activation.startswith("="):
        activation = names.activation[1:]
    else:
        activation = str(getattr(config, names.activation))
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
    """Find one module a layer, however the model is wrapped: layer -> module.

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
