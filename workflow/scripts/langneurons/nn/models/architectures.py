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
from collections.abc import Mapping, Sequence
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
        DataError: the family is unknown, or its row does not fit; see ``check_row``.
    """
    family = family_of(model) if family is None else family
    names = check_row(model, family)
    acts = by_layer(model, names.layers, names.act)
    downs = by_layer(model, names.layers, names.down)
    widths = {_input_width(module) for module in downs.values()}
    if len(widths) != 1:
        raise DataError(
            f"model: layers have different numbers of neurons: {sorted(widths)}; "
            "only models with equal layers are supported"
        )
    activation = names.fixed_activation()
    if activation is None:
        activation = str(getattr(_text_config(model), names.activation))
    return Sites(
        family=family,
        activation=_SAME_ACTIVATION.get(activation, activation),
        width=widths.pop(),
        layers=tuple(LayerSites(acts[i], downs[i]) for i in sorted(acts)),
    )


def decoder_layers(
    model: nn.Module, family: str | None = None
) -> tuple[nn.Module, ...]:
    """Find the decoder layers, whose outputs are the residual stream, first one first.

    Args:
        model: a transformers or PEFT model.
        family: see ``mlp_sites``.

    Raises:
        DataError: the family is unknown, or its row does not fit; see ``check_row``.
    """
    family = family_of(model) if family is None else family
    names = check_row(model, family)
    # Of several lists of layers the decoder's is the one that has the MLP.
    ends = re.compile(rf"(?:.*\.)?{re.escape(names.layers)}\.\d+")
    inside = dict(model.named_modules())
    acts = [name for name in inside if name.endswith(f".{names.act}")]
    blocks = [name.removesuffix(f".{names.act}") for name in acts]
    found = {int(x.rpartition(".")[2]): inside[x] for x in blocks if ends.fullmatch(x)}
    return tuple(found[i] for i in sorted(found))


def hidden_size(model: nn.Module) -> int:
    """Return the number of coordinates of the residual stream."""
    return int(_text_config(model).hidden_size)


def check_row(model: nn.Module, family: str) -> families.Family:
    """Check every name in a family's row against a model of it.

    Args:
        model: a transformers or PEFT model.
        family: a key of ``families.FAMILIES``.

    Returns:
        The row.

    Raises:
        DataError: the family is unknown; its activation is no key of the model's
            configuration; or a layer has not exactly one of each module that the row
            names (for example because a fused kernel replaced the MLP). It lists all
            names that are wrong, and the modules that there are.
    """
    row, config = families.find(family), _text_config(model)
    wanted = int(config.num_hidden_layers)
    there = _names_in_layers(model, row)
    faults = _wrong_names(row, there, wanted)
    if row.fixed_activation() is None and not hasattr(config, row.activation):
        keys = ", ".join(key for key in sorted(config.to_dict()) if "act" in key)
        faults.append(f"activation: no {row.activation!r} in config.json, but {keys}")
    if not faults:
        return row
    modules = (
        f"A layer has the modules {', '.join(there[min(there)])}"
        if there
        else (f"Modules in lists: {', '.join(_in_lists(model))}")
    )
    raise DataError(
        f"model: FAMILIES[{family!r}] does not fit this model, which should have one "
        f"module of each name in each of its {wanted} layers. {'; '.join(faults)}. "
        f"{modules}. Give the family of this architecture, or correct the row. "
        f"{families.HINT}"
    )


def _wrong_names(
    row: families.Family, there: Mapping[int, Sequence[str]], wanted: int
) -> list[str]:
    """Say which names of a row have not one module in each layer.

    Args:
        row: of the family.
        there: layer -> names of its modules.
        wanted: number of layers.
    """
    faults = [f"attention: no {key!r}" for key in "qkvo" if key not in row.attention]
    if not there:
        return [f"layers: no list {row.layers!r}", *faults]
    mlp = {"act": row.act, "gate": row.gate, "up": row.up, "down": row.down}
    ends = {field: name for field, name in mlp.items() if name is not None}
    ends |= {f"attention[{key!r}]": f".{name}" for key, name in row.attention.items()}
    for field, end in ends.items():
        # Of attention, the row has the ends of names, as PEFT takes them.
        found = [
            layer
            for layer in sorted(there)
            for name in there[layer]
            if name == end or (end[0] == "." and f".{name}".endswith(end))
        ]
        if found != list(range(wanted)):
            faults.append(f"{field}: {end.lstrip('.')!r}, found layers {found}")
    return faults


def _in_lists(model: nn.Module) -> list[str]:
    """Name the first module of each list."""
    return [name for name, _ in model.named_modules() if name.endswith(".0")]


def _names_in_layers(model: nn.Module, row: families.Family) -> dict[int, list[str]]:
    """List the names of modules relative to their decoder layer: layer -> names.

    A list of layers without any part of the MLP is not the decoder, but for example the
    image encoder of a multimodal model; unless all lists are such.
    """
    pattern = re.compile(rf"(?:(.*)\.)?{re.escape(row.layers)}\.(\d+)\.(.+)")
    lists: dict[str, dict[int, list[str]]] = {}
    for name, _ in model.named_modules():
        if match := pattern.fullmatch(name):
            layers = lists.setdefault(match[1] or "", {})
            layers.setdefault(int(match[2]), []).append(match[3])
    mlp = {row.act, row.gate, row.up, row.down}
    decoders = [
        layers
        for layers in lists.values()
        if any(not mlp.isdisjoint(names) for names in layers.values())
    ]
    found: dict[int, list[str]] = {}
    for layers in decoders or lists.values():
        for layer, names in layers.items():
            found.setdefault(layer, []).extend(names)
    return found


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
