"""What the treatments of a job write into a model: read from files, before it loads."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from langneurons.config.catalogue import Statistic
from langneurons.config.errors import DataError
from langneurons.config.names import Overwritten, Steered, Treatment, together
from langneurons.neurons import directions
from langneurons.neurons.neuron_sets import NeuronSets
from langneurons.neurons.recorded_activations import Activations

from . import interventions
from .interventions import Intervention
from .treatments import Run


def read(
    found: Sequence[Run], manifest: Mapping[str, Any], generates: bool
) -> dict[str, Intervention | None]:
    """Read what every treatment of a job does, before its model is loaded.

    A treatment that overwrites no neuron is said to do so; it is evaluated, and its
    record has ``n_neurons`` 0.

    Args:
        found: treatments.
        manifest: of the model that will be treated.
        generates: whether the model reads tokens that it generated.

    Returns:
        What is written, by the treatment's name; None: nothing is meant to be, as by a
        prompt (``told``).

    Raises:
        ConfigError: layers or positions that there are not.
        DataError: neurons or activations are of another model, or damaged.
    """
    built: dict[str, Intervention | None] = {}
    for run in found:
        parsed = Treatment.parse(run.name)
        if isinstance(parsed, Steered):
            built[run.name] = steered(run, parsed, manifest)
            continue
        if not isinstance(parsed, Overwritten):
            built[run.name] = None
            continue
        chosen, values, statistic = overwritten(run, manifest)
        where = f"statistics.{parsed.statistic}"
        interventions.require_positions(statistic.positions, generates, where)
        treatment = interventions.build(chosen, values, statistic, where)
        built[run.name] = treatment
        if treatment.n_neurons == 0:
            whose = f"neurons of {run.settings['neuron_language']}"
            why = f"{run.settings['selection']} has no {whose}"
            if statistic.layers and (there := sum(map(len, chosen.values()))):
                first, last = statistic.layers
                why = f"none of the {there} {whose} is in layers {first} to {last}"
            print(f"{run.name}: overwrites nothing: {why}", file=sys.stderr, flush=True)
    return built


def count(written: Intervention | None) -> int:
    """Return how many neurons a treatment overwrites."""
    return written.n_neurons if written else 0


def told(run: Run) -> str:
    """Return the text that a treatment puts before every context; empty for most."""
    return str(run.settings.get("instruction", ""))


def steered(run: Run, parsed: Steered, manifest: Mapping[str, Any]) -> Intervention:
    """Read the direction that a treatment adds to the residual stream.

    Raises:
        DataError: the directions are of another model, lack the language or the layer.
    """
    if run.directions is None or parsed.language is None:
        raise DataError(f"{run.name}: no directions are given, or no language")
    layers = manifest["layers"]
    if parsed.layer >= layers:
        raise DataError(
            f"{run.name}: {manifest['model']} has layers 0 to {layers - 1}; correct "
            "'layers' of the experiment's steering"
        )
    # The hidden size is compared with the model's when it is loaded.
    of_layers = directions.read(run.directions, parsed.language, (layers, None))
    return interventions.steer(of_layers[parsed.layer], parsed.layer, parsed.strength)


def overwritten(
    run: Run, manifest: Mapping[str, Any]
) -> tuple[dict[int, list[int]], np.ndarray[Any, Any], Statistic]:
    """Read the neurons that a treatment overwrites, and what it writes.

    Args:
        run: not of the untreated model.
        manifest: of the model that will be treated.

    Returns:
        Neuron ids by layer; values float32 [layers, width]; the statistic.

    Raises:
        DataError: neurons or activations are of another model or lack the language.
    """
    if run.neurons is None:
        raise DataError(f"{run.name}: this treatment overwrites nothing")
    statistic = Statistic.model_validate(run.settings["statistic"])
    shape = (manifest["layers"], manifest["intermediate_size"])
    sets = NeuronSets.read(run.neurons)
    # Published sets carry no revision of ours; their sizes must still agree.
    sets.require_model(*shape, None, run.neurons)
    of_each = [sets.of(x) for x in together(run.settings["neuron_language"])]
    chosen = _union(of_each)
    if not run.activations:
        fill = statistic.constant if statistic.value == "const" else 0.0
        return chosen, np.full(shape, fill, dtype=np.float32), statistic
    if statistic.measure is None or statistic.quantile is None:
        raise DataError(f"{run.name}: statistic has no 'measure' or 'quantile'")
    own = statistic.value, statistic.measure, statistic.quantile
    measured = [
        _open(path, shape, manifest["model"]).value(*own) for path in run.activations
    ]
    values = measured[0]
    if len(measured) > 1:
        values = _of_the_first(of_each, measured)
    return chosen, values, statistic


def _open(path: Path, shape: tuple[int, int], model: str) -> Activations:
    """Open activations.

    Raises:
        DataError: they are of a model of another size.
    """
    found = Activations.open(path)
    if (found.layers, found.width) != shape:
        raise DataError(
            f"{path}: of a model with {found.layers} layers of {found.width} neurons, "
            f"but {model} has {shape[0]} of {shape[1]}"
        )
    return found


Neurons = dict[int, list[int]]


def _union(of_each: Sequence[Neurons]) -> Neurons:
    """Put the neurons of several languages together, layer by layer."""
    if len(of_each) == 1:
        return of_each[0]
    layers = sorted({layer for one in of_each for layer in one})
    return {x: sorted({n for one in of_each for n in one.get(x, ())}) for x in layers}


def _of_the_first(
    of_each: Sequence[Neurons], measured: Sequence[np.ndarray[Any, Any]]
) -> np.ndarray[Any, Any]:
    """Give each neuron the value of the first language whose neuron it is.

    Args:
        of_each: neurons of each language.
        measured: of each language the value of every neuron, [layers, width].
    """
    values = np.zeros_like(measured[0])
    for neurons, own in reversed(list(zip(of_each, measured, strict=True))):
        for layer, ids in neurons.items():
            values[layer, ids] = own[layer, ids]
    return values
