"""Tuning chosen MLP neurons only, with stock LoRA matrices.

Mondal et al. 2025, section 4 (methods.md 2.1). LoRA adds dW = scale x B A to a frozen
weight [out, in], with B [out, rank] and A [rank, in]. A neuron is a row of the gate and
up projections and a column of the down projection, so dW is kept to some neurons by
keeping B to their rows (gate, up), or A to their columns (down):

* ``masked_lora``: only these rows of B, or columns of A, are parameters; the other
  matrix is trained in full. The rest is zero in every forward pass, so neither weight
  decay nor rounding can move it, and the optimiser never sees it.
* ``subnetwork_rows``: rank = number of neurons, one matrix frozen to pick them and the
  other holding what is added to their rows (columns). Any change of exactly these
  weights can be learnt, also where the frozen weights have 4 bits. Weight decay pulls
  towards the weights of the untuned model. The saved file holds the frozen matrix too:
  neurons of a layer x neurons chosen in it, 4 bytes each.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from langneurons.config.errors import ConfigError, DataError, unknown_name
from langneurons.neurons.neuron_sets import NeuronSets, check_ids
from langneurons.nn.models import families
from langneurons.nn.models.architectures import by_layer, mlp_modules, mlp_sites

KINDS = ("attention", "all_mlp", "masked_lora", "subnetwork_rows")
NEURON_KINDS = KINDS[2:]
ADAPTER = "default"
"""The name that PEFT gives to the one adapter of a model."""

Neurons = Mapping[int, Sequence[int]]


def union(sets: NeuronSets, languages: Iterable[str]) -> dict[int, list[int]]:
    """Return the neurons that any of the languages has: layer -> sorted ids.

    Raises:
        DataError: a language is not in the set.
    """
    found: dict[int, set[int]] = {}
    for language in languages:
        for layer, ids in sets.of(language).items():
            found.setdefault(layer, set()).update(ids)
    return {layer: sorted(ids) for layer, ids in sorted(found.items()) if ids}


def read(
    paths: Sequence[Path],
    wanted: Mapping[str, Any] | None,
    manifest: Mapping[str, Any],
) -> dict[int, list[int]] | None:
    """Read the neurons that a job is to tune: layer -> sorted ids; None: not chosen.

    Args:
        paths: the job's neuron files, one or none.
        wanted: ``languages`` whose neurons to take, or None.
        manifest: of the model that will be tuned.

    Raises:
        DataError: not one file for a selection, or neurons that are of another model or
            lack a language.
    """
    if len(paths) != (wanted is not None):
        named = wanted["selection"] if wanted else "no selection"
        raise DataError(f"--neurons: {named} is named, but {len(paths)} files given")
    if wanted is None:
        return None
    sets = NeuronSets.read(paths[0])
    # Published sets carry no revision of ours; their sizes must still agree.
    shape = int(manifest["layers"]), int(manifest["intermediate_size"])
    sets.require_model(*shape, None, paths[0])
    return union(sets, wanted["languages"])


@dataclass(frozen=True)
class Plan:
    """Which neurons a tuning changes, and in which projections.

    Attributes:
        family: key of ``families.FAMILIES``.
        kind: one of ``KINDS``.
        neurons: layer -> sorted ids; layers that do not change are absent.
        sides: projection, named relative to a layer, -> ``out`` or ``in``, see
            ``architectures.mlp_modules``.
    """

    family: str
    kind: str
    neurons: dict[int, list[int]]
    sides: dict[str, str]

    @property
    def count(self) -> int:
        """Number of neurons that change."""
        return sum(map(len, self.neurons.values()))

    @property
    def targets(self) -> str | None:
        """A regular expression for the names of the projections that change."""
        if not self.neurons:
            return None
        layers = "|".join(map(str, self.neurons))
        names = "|".join(name.replace(".", r"\.") for name in self.sides)
        return (
            rf"(?:.*\.)?{families.find(self.family).layers}\.(?:{layers})\.(?:{names})"
        )

    @property
    def ranks(self) -> dict[str, int]:
        """Rank of each projection where it is the number of neurons; else empty."""
        if self.kind != "subnetwork_rows":
            return {}
        return {
            f"{families.find(self.family).layers}.{layer}.{name}": len(ids)
            for layer, ids in self.neurons.items()
            for name in self.sides
        }


def plan(
    model: nn.Module, family: str, tuning: Mapping[str, Any], neurons: Neurons | None
) -> Plan:
    """Check what a tuning is to change against the model.

    Args:
        model: any model that ``architectures.mlp_sites`` knows.
        family: key of ``families.FAMILIES``.
        tuning: ``task_entries.Tuning`` as a mapping.
        neurons: layer -> sorted ids, for the kinds that tune chosen neurons.

    Raises:
        ConfigError: an unknown kind or target, or neurons where they do not belong or
            none where they do.
        DataError: the selection is empty, or the model has no such neurons.
    """
    kind = tuning["kind"]
    if kind not in KINDS:
        raise ConfigError(unknown_name("kind", kind, KINDS, "tunings"))
    if neurons is None and kind in NEURON_KINDS:
        raise ConfigError(
            f"tunings: kind {kind} tunes chosen neurons, but none are named; give a "
            "selection and languages, such as lape.set1.en+vi"
        )
    if neurons is not None and kind not in NEURON_KINDS:
        raise ConfigError(
            f"tunings: kind {kind} takes no neurons, but a selection is named; kinds "
            f"that do: {', '.join(NEURON_KINDS)}"
        )
    if kind == "attention":
        return Plan(family, kind, {}, {})
    sides = mlp_modules(family, tuning["mlp_targets"])
    sites = mlp_sites(model, family)
    if neurons is None:
        chosen = {layer: list(range(sites.width)) for layer in range(len(sites.layers))}
        return Plan(family, kind, chosen, sides)
    for layer, ids in neurons.items():
        where = f"neurons to tune, layer {layer}"
        check_ids(layer, list(ids), len(sites.layers), sites.width, where)
    chosen = {layer: list(ids) for layer, ids in sorted(neurons.items()) if ids}
    if not chosen:
        raise DataError(
            f"tunings: kind {kind} has no neurons to tune: the selection is empty for "
            "its languages; choose others, or a method that selects more"
        )
    return Plan(family, kind, chosen, sides)


class Scatter(nn.Module):
    """Puts some rows (or columns) of a matrix among zeros: a parametrisation.

    Args:
        ids: which rows or columns are given, int64 [k].
        size: how many there are in the whole matrix.
        dim: 0 for rows, 1 for columns.
    """

    ids: Tensor

    def __init__(self, ids: Tensor, size: int, dim: int) -> None:
        super().__init__()
        self.register_buffer("ids", ids, persistent=False)
        self.size, self.dim = size, dim

    def forward(self, part: Tensor) -> Tensor:
        """Return the whole matrix for the part that is trained."""
        shape = list(part.shape)
        shape[self.dim] = self.size
        return part.new_zeros(shape).index_copy(self.dim, self.ids, part)

    def right_inverse(self, whole: Tensor) -> Tensor:
        """Return the part of a matrix that is trained."""
        return whole.index_select(self.dim, self.ids)


def restrict(model: nn.Module, todo: Plan) -> None:
    """Keep the MLP's LoRA matrices to the chosen neurons, in place.

    Args:
        model: PEFT-wrapped, with initial values; the rest of a matrix is discarded.
        todo: kinds that tune whole projections are left as they are.
    """
    for layer, side, ids in _adapted(model, todo):
        a, b = layer.lora_A[ADAPTER], layer.lora_B[ADAPTER]
        picks, dim = (b, 0) if side == "out" else (a, 1)
        chosen = torch.tensor(ids, device=picks.weight.device)
        size = picks.weight.shape[dim]
        if todo.kind == "masked_lora":
            parametrize.register_parametrization(
                picks, "weight", Scatter(chosen, size, dim)
            )
        elif todo.kind == "subnetwork_rows":
            eye = torch.eye(len(ids), device=chosen.device)
            picks.weight.data = Scatter(chosen, size, dim)(eye)
            picks.weight.requires_grad_(False)
            free = a if side == "out" else b
            free.weight.data = torch.zeros_like(free.weight, dtype=torch.float32)


def stock_state(model: nn.Module) -> dict[str, Tensor]:
    """Return what an adapter consists of, every matrix whole, as stock PEFT names it.

    ``state_dict()`` of the whole model would alter 4-bit weights on the CPU, which
    bitsandbytes packs for speed and then unpacks with less precision.
    """
    state: dict[str, Tensor] = {}
    for name, weight in model.named_parameters():
        if ".lora_" in name or weight.requires_grad:
            state[name] = weight.detach()
    for name, module in model.named_modules():
        if parametrize.is_parametrized(module, "weight"):
            del state[f"{name}.parametrizations.weight.original"]
            whole: Any = module.weight
            state[f"{name}.weight"] = whole.detach()
    return state


def _adapted(model: nn.Module, todo: Plan) -> Iterator[tuple[Any, str, list[int]]]:
    for name, side in todo.sides.items():
        found = by_layer(model, families.find(todo.family).layers, name)
        for layer, ids in todo.neurons.items():
            yield found[layer], side, ids
