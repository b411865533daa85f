"""Identification methods: each module selects neurons for every language of a set.

A method is one file, ``methods/<kind>.py``, with ``Parameters`` (a frozen model of its
configuration) and ``select(inputs, parameters) -> Selected``. ``Parameters`` may have
``unmet(recorded, languages, site)``, which says before the first job what the method
lacks: ``recorded`` is the block ``activations`` of the configuration.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from langneurons.config.errors import ConfigError, DataError, unknown_name
from langneurons.neurons.neuron_sets import Mask, NeuronSets, from_mask

if TYPE_CHECKING:
    from langneurons.neurons.recorded_activations import Activations


@dataclass(frozen=True)
class MethodInputs:
    """What a method may look at.

    Attributes:
        activations: recorded statistics, language -> file, in the set's order.
        layers: number of layers of the model, L.
        width: neurons in a layer, F.
        draw: number of the random draw, from 1; None for a method without draws.
        matched: the neurons whose counts a random control matches.
        site: where activations are read, gate_pre or act_post.
        quantile: which quantile the profile means, pooled or batch_mean.
    """

    activations: Mapping[str, Activations]
    layers: int
    width: int
    draw: int | None
    matched: NeuronSets | None
    site: str
    quantile: str

    @property
    def languages(self) -> list[str]:
        return list(self.activations)

    def require_contrast(self, what: str) -> None:
        """Refuse a set of one language where languages are compared.

        Raises:
            DataError: fewer than two languages.
        """
        if len(self.activations) < 2:
            raise DataError(
                f"{what} compares languages, but the language set has only "
                f"{self.languages}; give at least two"
            )


@dataclass(frozen=True)
class Selected:
    """What a method selected.

    Attributes:
        neurons: language -> booleans [L, F].
        thresholds: numbers that it derived from the data, as plain JSON values.
    """

    neurons: Mapping[str, Mask]
    thresholds: Mapping[str, Any] = field(default_factory=dict)


def kinds() -> list[str]:
    """List the methods that there are, without importing them."""
    folder = Path(__file__).parent
    return sorted(p.stem for p in folder.glob("*.py") if not p.stem.startswith("_"))


def load(kind: str) -> ModuleType:
    """Import the module of a method.

    Raises:
        ConfigError: there is no such module.
    """
    if kind not in kinds():
        raise ConfigError(unknown_name("method kind", kind, kinds(), "methods"))
    return importlib.import_module(f"{__name__}.{kind}")


def share_of(rate: float, neurons: int, what: str) -> int:
    """Return how many neurons a share of all is, rounded as the reference does.

    Raises:
        DataError: none at all.
    """
    count = round(rate * neurons)
    if count == 0:
        raise DataError(
            f"{what}: {rate} of {neurons} neurons rounds to none; give a larger share"
        )
    return count


def kth_smallest(values: npt.NDArray[np.floating], ranks: Sequence[int]) -> list[float]:
    """Return the values at some ranks, counted from 1, in linear time.

    Args:
        values: any shape, without NaN.
        ranks: each from 1 to the number of values.
    """
    # Naming the ends too keeps numpy off a path that is slow on many equal values:
    # 15 s against 0.2 s for 37 million probabilities, half of them zero.
    places = {0, values.size - 1, *(rank - 1 for rank in ranks)}
    parted = np.partition(values, sorted(places), axis=None)
    return [float(parted[rank - 1]) for rank in ranks]


def lowest(scores: npt.NDArray[np.floating], count: int) -> npt.NDArray[np.int64]:
    """Return the places of the ``count`` smallest scores, in increasing order.

    Of equal scores the first ones are taken, so that the choice is the same on every
    machine. The cost is linear: nothing is sorted.

    Args:
        scores: [n] without NaN.
        count: how many; all of them if there are fewer.
    """
    if count >= scores.size:
        return np.arange(scores.size)
    if count <= 0:
        return np.arange(0)
    last = kth_smallest(scores, [count])[0]
    chosen = scores < last
    ties = np.flatnonzero(scores == last)
    chosen[ties[: count - int(chosen.sum())]] = True
    return np.flatnonzero(chosen)


def identify(
    spec: Mapping[str, Any],
    activations: Sequence[Activations],
    matched: NeuronSets | None,
) -> NeuronSets:
    """Run one method on the activations of a language set.

    Args:
        spec: model, method, kind, parameters, language_set, languages, site,
            quantile, draw and match.
        activations: one file a language, in the order of ``languages``.
        matched: neurons of the method named by ``match``, if there is one.

    Raises:
        DataError: files of other languages or models, or no neuron at all.
    """
    from langneurons.neurons.recorded_activations import check_same_model

    languages = list(spec["languages"])
    recorded = [one.metadata.get("language", "?") for one in activations]
    if recorded != languages:
        raise DataError(f"activations are of {recorded}, but wanted are {languages}")
    if any(one.metadata.get("model") != spec["model"] for one in activations):
        found = sorted({str(one.metadata.get("model")) for one in activations})
        raise DataError(f"activations are of model {found}, not of {spec['model']}")
    check_same_model(activations)
    first = activations[0]
    revision = first.metadata.get("model_revision", "")
    if matched is not None:
        where = f"{matched.method}.{matched.language_set}"
        if matched.model != spec["model"]:
            raise DataError(f"{where}: neurons of {matched.model}, not {spec['model']}")
        matched.require_model(first.layers, first.width, revision, where)
    module = load(spec["kind"])
    parameters = module.PARAMETERS.model_validate(spec["parameters"])
    inputs = MethodInputs(
        activations=dict(zip(languages, activations, strict=True)),
        layers=first.layers,
        width=first.width,
        draw=spec["draw"],
        matched=matched,
        site=spec["site"],
        quantile=spec["quantile"],
    )
    selected: Selected = module.select(inputs, parameters)
    if not any(mask.any() for mask in selected.neurons.values()):
        raise DataError(
            f"method {spec['method']} selects no neuron for any of {languages}; "
            f"thresholds: {dict(selected.thresholds)}"
        )
    return NeuronSets(
        method=spec["method"],
        language_set=spec["language_set"],
        kind=spec["kind"],
        model=spec["model"],
        model_revision=revision,
        layers=first.layers,
        intermediate_size=first.width,
        site=spec["site"],
        neurons={lang: from_mask(selected.neurons[lang]) for lang in languages},
        corpora={
            lang: one.metadata.get("tokens_sha256", "")
            for lang, one in inputs.activations.items()
        },
        parameters=parameters.model_dump(mode="json"),
        thresholds=selected.thresholds,
    )
