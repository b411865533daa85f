"""What the treatments of a job write into a model: read from files, before it loads."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from langneurons.config.catalogue import Statistic
from langneurons.config.errors import DataError
from langneurons.config.names import Overwritten, Steered, Treatment
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
    chosen = sets.of(run.settings["neuron_language"])
    if run.activations is None:
        fill = statistic.constant if statistic.value == "const" else 0.0
        return chosen, np.full(shape, fill, dtype=np.float32), statistic
    measured = Activations.open(run.activations)
    if (measured.layers, measured.width) != shape:
        raise DataError(
            f"{run.activations}: of a model with {measured.layers} layers of "
            f"{measured.width} neurons, but {manifest['model']} has {shape[0]} of "
            f"{shape[1]}"
        )
    if statistic.measure is None or statistic.quantile is None:
        raise DataError(f"{run.name}: statistic has no 'measure' or 'quantile'")
    values = measured.value(statistic.value, statistic.measure, statistic.quantile)
    return chosen, values, statistic
