"""Neuron files: which neurons a method selected for each language, and from what."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from langneurons.config.errors import DataError, unknown_name
from langneurons.jobs.files import check_keys, read_object, redo, write_json

FORMAT = "langneurons/neurons/1"
Mask = npt.NDArray[np.bool_]
KEYS: dict[str, type] = {
    **dict.fromkeys(("method", "language_set", "kind", "model", "site"), str),
    "model_revision": str,
    **dict.fromkeys(("layers", "intermediate_size"), int),
    **dict.fromkeys(("corpora", "parameters", "thresholds", "counts", "neurons"), dict),
}
"""Keys of a neuron file, and the types of their values."""


@dataclass(frozen=True)
class NeuronSets:
    """The neurons of every language of a set, by one method on one model.

    Attributes:
        method: name of the method (or of the draw) in the configuration.
        language_set: name of the language set.
        kind: the module that selected them.
        model: name of the model.
        model_revision: its pinned revision.
        layers: number of layers of the model, L.
        intermediate_size: number of neurons in a layer, F.
        site: where activations were read.
        neurons: language -> layer -> sorted ids; layers without neurons are absent.
        corpora: language -> hash of the tokens that were measured.
        parameters: parameters of the method.
        thresholds: numbers that the method derived from the data.
    """

    method: str
    language_set: str
    kind: str
    model: str
    model_revision: str
    layers: int
    intermediate_size: int
    site: str
    neurons: Mapping[str, Mapping[int, list[int]]]
    corpora: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, Any] = field(default_factory=dict)
    thresholds: Mapping[str, Any] = field(default_factory=dict)

    @property
    def languages(self) -> list[str]:
        return list(self.neurons)

    @property
    def counts(self) -> dict[str, int]:
        """Number of neurons of each language."""
        return {
            lang: sum(map(len, layers.values()))
            for lang, layers in self.neurons.items()
        }

    def of(self, language: str) -> dict[int, list[int]]:
        """Return the neurons of a language: layer -> sorted ids.

        Raises:
            DataError: the language is not in the set.
        """
        if language not in self.neurons:
            where = f"neurons of {self.method}.{self.language_set}"
            raise DataError(unknown_name("language", language, self.neurons, where))
        return {layer: list(ids) for layer, ids in self.neurons[language].items()}

    def mask(self, language: str) -> Mask:
        """Return the neurons of a language as booleans: [L, F]."""
        out = np.zeros((self.layers, self.intermediate_size), np.bool_)
        for layer, ids in self.of(language).items():
            out[layer, ids] = True
        return out

    def require_model(
        self, layers: int, intermediate_size: int, revision: str | None, where: object
    ) -> None:
        """Refuse to use these neurons on another model.

        Args:
            layers: number of layers of the model at hand.
            intermediate_size: its neurons in a layer.
            revision: its pinned revision; None does not compare it.
            where: what is named in the message, for example the file.

        Raises:
            DataError: the model differs.
        """
        mine = (self.layers, self.intermediate_size)
        if mine != (layers, intermediate_size):
            raise DataError(
                f"{where}: these neurons are of a model with {mine[0]} layers of "
                f"{mine[1]} neurons ({self.model}), not {layers} of {intermediate_size}"
            )
        if revision is not None and revision != self.model_revision:
            raise DataError(
                f"{where}: these neurons are of revision {self.model_revision} of "
                f"{self.model}, not {revision}; identify them again"
            )

    def write(self, path: Path | str) -> None:
        """Write the neuron file as JSON, languages in their order."""
        neurons = {
            lang: {str(layer): ids for layer, ids in sorted(by_layer.items())}
            for lang, by_layer in self.neurons.items()
        }
        head = {
            "format": FORMAT,
            "method": self.method,
            "language_set": self.language_set,
            "kind": self.kind,
            "model": self.model,
            "model_revision": self.model_revision,
            "corpora": dict(self.corpora),
            "layers": self.layers,
            "intermediate_size": self.intermediate_size,
            "site": self.site,
            "parameters": dict(self.parameters),
            "thresholds": dict(self.thresholds),
            "counts": self.counts,
        }
        write_json(path, head | {"neurons": neurons})

    @classmethod
    def read(cls, path: Path | str) -> NeuronSets:
        """Read and check a neuron file.

        Raises:
            DataError: another format, a missing key, or ids that its model has not.
        """
        raw = read_object(path, "a neuron file")
        if raw.get("format") != FORMAT:
            given = raw.get("format")
            raise DataError(
                f"{path}: not a neuron file (format {given!r}, not {FORMAT})"
            )
        check_keys(path, raw, "a whole neuron file", KEYS)
        rest = {k: raw[k] for k in cls.__dataclass_fields__ if k != "neurons"}
        neurons, counts = _neurons(path, raw["neurons"]), raw["counts"]
        sets = cls(neurons=neurons, **rest)
        for lang, by_layer in neurons.items():
            for layer, ids in by_layer.items():
                spot = f"{path}: {lang}, layer {layer}"
                check_ids(layer, ids, sets.layers, sets.intermediate_size, spot)
        if counts != sets.counts:
            raise DataError(f"{path}: counts {counts} are not those of the neurons")
        return sets


def _neurons(path: Path | str, raw: Mapping[str, Any]) -> dict[str, dict[int, list]]:
    """Read language -> layer -> ids, all of which must be whole numbers."""
    found: dict[str, dict[int, list]] = {}
    for lang, by_layer in raw.items():
        spot = f"{path}: {lang}"
        if not isinstance(by_layer, dict):
            raise DataError(f"{spot}: not an object of layers{redo(path)}")
        found[lang] = {}
        for layer, ids in by_layer.items():
            whole = isinstance(ids, list) and all(type(i) is int for i in ids)
            if not whole or not re.fullmatch(r"-?(0|[1-9][0-9]{0,8})", layer):
                raise DataError(
                    f"{spot}, layer {layer!r}: not a list of neuron numbers of a layer"
                    f"{redo(path)}"
                )
            found[lang][int(layer)] = ids
    return found


def check_ids(layer: int, ids: list[int], layers: int, width: int, where: str) -> None:
    """Refuse ids that a model does not have, or that are not sorted and unique.

    Raises:
        DataError: names the first offence.
    """
    if not 0 <= layer < layers:
        raise DataError(f"{where}: the model has layers 0 to {layers - 1}")
    if ids and not (min(ids) >= 0 and max(ids) < width):
        bad = next(i for i in ids if not 0 <= i < width)
        raise DataError(
            f"{where}: neuron {bad}, but the model has neurons 0 to {width - 1}; "
            "is the file of another model?"
        )
    if any(a >= b for a, b in pairwise(ids)):
        raise DataError(f"{where}: ids are not sorted and unique")


def from_mask(mask: Mask) -> dict[int, list[int]]:
    """Turn booleans [L, F] into layer -> sorted ids, without empty layers."""
    return {
        layer: np.flatnonzero(row).tolist()
        for layer, row in enumerate(mask)
        if row.any()
    }


def check_masks(
    masks: Mapping[str, Mask],
    languages: Sequence[str],
    shape: tuple[int, int],
    *,
    where: str,
) -> None:
    """Refuse what is not one mask per language, such as ids of neurons.

    Args:
        masks: language -> booleans [L, F], whatever a method made of them.
        languages: of the language set.
        shape: L and F.
        where: what made them, for messages.

    Raises:
        DataError: names the language and what was given.
    """
    if set(masks) != set(languages):
        raise DataError(
            f"{where}: select() returned masks of {list(masks)}, but the languages of "
            f"the set are {languages}"
        )
    for lang, mask in masks.items():
        given = type(mask).__name__
        if isinstance(mask, np.ndarray):
            if mask.dtype == np.bool_ and mask.shape == shape:
                continue
            given = f"an array of {mask.dtype}, shape {mask.shape}"
        raise DataError(
            f"{where}, {lang}: select() returned {given}; a numpy array of bool, shape "
            f"{shape} (layers, neurons), is needed: True where a neuron is selected"
        )


def check_plain(thresholds: Mapping[str, Any], where: str) -> None:
    """Refuse thresholds that a neuron file cannot hold.

    Raises:
        DataError: names the threshold and what was given.
    """
    for name, value in thresholds.items():
        try:
            json.dumps({name: value}, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise DataError(
                f"{where}: threshold {name!r} is {value!r}, which JSON cannot hold "
                f"({error}); give finite Python numbers, texts, lists or mappings, as "
                "float() or .tolist() makes them"
            ) from None
