"""What ``measure_alignment`` found: how well neuron states of two languages match."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from langneurons.config.errors import DataError
from langneurons.jobs.files import read_object, redo
from langneurons.neurons.aligned_languages import FORMAT, STATES
from langneurons.stats.alignment import MEASURES

RETRIEVAL = "retrieval"
"""The mean of both directions, beside those of ``MEASURES``."""
KEYS: dict[str, type] = {
    **dict.fromkeys(("format", "model", "corpus", "pair", "site"), str),
    "states": dict,
}
"""Keys of a file of alignments, and the types of their values."""
Interval = tuple[float, float, float]


@dataclass(frozen=True)
class Measured:
    """An alignment of two languages by one kind of states.

    Attributes:
        site: where values were taken.
        sentences: pairs that were compared.
        over_layers: measure -> mean over layers, and the ends of its interval.
        by_layer: measure -> a value of each layer.
    """

    site: str
    sentences: int
    over_layers: Mapping[str, Interval]
    by_layer: Mapping[str, Sequence[float]]

    def score(self, measure: str) -> float:
        """Return a measure over all layers, of ``MEASURES`` or ``RETRIEVAL``."""
        if measure == RETRIEVAL:
            both = (self.over_layers[name][0] for name in ("forward", "backward"))
            return sum(both) / 2
        return self.over_layers[measure][0]


def read(path: Path, corpus: str, model: str, pair: str) -> dict[str, Measured]:
    """Read a file of alignments, by kind of states.

    Raises:
        DataError: it is damaged, or of something else.
    """
    found = read_object(path, "a file of alignments", KEYS)
    given = tuple(found[k] for k in ("format", "corpus", "model", "pair"))
    wanted = (FORMAT, corpus, model, pair)
    if given != wanted:
        raise DataError(
            f"{path}: is of {', '.join(given)}, not of {', '.join(wanted)}{redo(path)}"
        )
    try:
        return {
            name: _measured(found["states"][name], found["site"]) for name in STATES
        }
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(
            f"{path}: not a file of alignments ({error!r}){redo(path)}"
        ) from error


def _measured(found: Mapping[str, Any], site: str) -> Measured:
    over: dict[str, Interval] = {}
    for name in MEASURES:
        value, low, high = map(float, found["over_layers"][name])
        if not all(map(math.isfinite, (value, low, high))):
            raise ValueError(f"{name} is not finite")
        over[name] = value, low, high
    layers = {name: [float(x) for x in found["by_layer"][name]] for name in MEASURES}
    if not all(layers.values()):
        raise ValueError("no layers")
    return Measured(site, int(found["sentences"]), over, layers)


def read_all(
    paths: Sequence[Path], names: Sequence[Sequence[str]]
) -> dict[tuple[str, str, str], dict[str, Measured]]:
    """Read files by corpus, model and pair, which are given in their order."""
    return {
        (corpus, model, pair): read(path, corpus, model, pair)
        for path, (corpus, model, pair) in zip(paths, names, strict=True)
    }
