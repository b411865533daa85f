"""What the treatments of a job write into a model: read from files, before it loads."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from langneurons.config.catalogue import Statistic
from langneurons.config.errors import DataError
from langneurons.config.names import Treatment
from langneurons.neurons.neuron_sets import NeuronSets
from langneurons.neurons.recorded_activations import Activations

from . import interventions
from .bundles import Cell
from .interventions import Intervention


def read(
    found: Sequence[Cell], manifest: Mapping[str, Any], generates: bool
) -> dict[str, Intervention | None]:
    """Read what every treatment of a job does, before its model is loaded.

    A treatment that overwrites no neuron is said to do so; it is evaluated, and its
    record has ``n_neurons`` 0.

    Args:
        found: treatments.
        manifest: of the model that will be treated.
        generates: whether the model reads tokens that it generated.

    Returns:
        What is overwritten, by the treatment's name; None: nothing is meant to be.

    Raises:
        ConfigError: layers or positions that there are not.
        DataError: neurons or activations are of another model, or damaged.
    """
    built: dict[str, Intervention | None] = {}
    for cell in found:
        if not cell.spec:
            built[cell.name] = None
            continue
        chosen, values, statistic = overwritten(cell, manifest)
        where = f"statistics.{Treatment.parse(cell.name).statistic}"
        interventions.require_positions(statistic.positions, generates, where)
        treatment = interventions.build(chosen, values, statistic, where)
        built[cell.name] = treatment
        if treatment.n_neurons == 0:
            whose = f"neurons of {cell.spec['neuron_language']}"
            why = f"{cell.spec['selection']} has no {whose}"
            if statistic.layers and (there := sum(map(len, chosen.values()))):
                first, last = statistic.layers
                why = f"none of the {there} {whose} is in layers {first} to {last}"
            print(
                f"{cell.name}: overwrites nothing: {why}", file=sys.stderr, flush=True
            )
    return built


def overwritten(
    cell: Cell, manifest: Mapping[str, Any]
) -> tuple[dict[int, list[int]], np.ndarray[Any, Any], Statistic]:
    """Read the neurons that a treatment overwrites, and what it writes.

    Args:
        cell: not the untreated model.
        manifest: of the model that will be treated.

    Returns:
        Neuron ids by layer; values float32 [layers, width]; the statistic.

    Raises:
        DataError: neurons or activations are of another model or lack the language.
    """
    if cell.neurons is None:
        raise DataError(f"{cell.name}: this treatment overwrites nothing")
    statistic = Statistic.model_validate(cell.spec["statistic"])
    shape = (manifest["layers"], manifest["intermediate_size"])
    sets = NeuronSets.read(cell.neurons)
    # Published sets carry no revision of ours; their sizes must still agree.
    sets.require_model(*shape, None, cell.neurons)
    chosen = sets.of(cell.spec["neuron_language"])
    if cell.activations is None:
        fill = statistic.constant if statistic.value == "const" else 0.0
        return chosen, np.full(shape, fill, dtype=np.float32), statistic
    measured = Activations.open(cell.activations)
    if (measured.layers, measured.width) != shape:
        raise DataError(
            f"{cell.activations}: of a model with {measured.layers} layers of "
            f"{measured.width} neurons, but {manifest['model']} has {shape[0]} of "
            f"{shape[1]}"
        )
    if statistic.measure is None or statistic.quantile is None:
        raise DataError(f"{cell.name}: statistic has no 'measure' or 'quantile'")
    values = measured.value(statistic.value, statistic.measure, statistic.quantile)
    return chosen, values, statistic
