"""Recorded probes: the mean activation of neurons on each word of a pair.

A safetensors file: ``values`` float32 [neurons, probes], ``layers`` and ``neurons``
int32 [neurons] (sorted by layer, then by number in it); what it is of stands in the
metadata.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from langneurons.config.errors import DataError
from langneurons.jobs import files, tensors

from .asked_words import AskedWords
from .neuron_sets import Mask, NeuronSets

KEYS = ("model", "selection", "pair", "tokens", "words", "left_out")
Ints = npt.NDArray[np.int32]


def union(sets: NeuronSets) -> tuple[Ints, Ints]:
    """Return the neurons of all languages, each once, by layer and number.

    So that another candidate of the language set needs no other recording.

    Returns:
        Their layers and their numbers in them: int32 [neurons].
    """
    masks = [sets.mask(lang) for lang in sets.languages]
    layers, neurons = np.nonzero(np.any(masks, axis=0))
    return layers.astype(np.int32), neurons.astype(np.int32)


def nothing(sets: NeuronSets) -> str:
    """Say that a selection has no neuron to record; empty where it has one.

    Args:
        sets: of all its languages.
    """
    if any(sets.counts.values()):
        return ""
    return (
        f"{sets.method}.{sets.language_set} selects no neuron of {sets.model} for any "
        "language, so that nothing can be recorded; select more (parameters of "
        f"methods.{sets.method}), or take another selection"
    )


def too_few(asked: AskedWords, least: int) -> str:
    """Say why the words of a pair are no probes; empty where there are enough.

    Args:
        asked: the words.
        least: how many are needed.
    """
    if len(asked.kept) >= least:
        return ""
    known = {"correct": "translated right", "both": "right in both directions"}
    what = known.get(asked.keep, "in the dictionary")
    hint = "" if asked.keep == "all" else " ask more words, give keep: all,"
    return (
        f"{len(asked.kept)} of {len(asked.words):,} words are {what} by {asked.model}, "
        f"and {least} are needed (probes.least);{hint} or take a larger dictionary"
    )


@dataclass(frozen=True)
class RecordedProbes:
    """Activations of some neurons of a model on the probes of a pair.

    Attributes:
        values: float32 [neurons, probes], means of act_post over the tokens of a probe.
        layers: int32 [neurons]
        neurons: int32 [neurons], numbers in their layers.
        model: name of the model.
        selection: the method and language set whose neurons they are.
        pair: of languages, ``zh-sw``.
        tokens: over which activations are averaged.
        words: the probes, in their order.
        left_out: why there are none; empty where there are some.
    """

    values: npt.NDArray[np.float32]
    layers: Ints
    neurons: Ints
    model: str
    selection: str
    pair: str
    tokens: str
    words: tuple[str, ...] = ()
    left_out: str = ""

    def places(self, mask: Mask) -> npt.NDArray[np.int64]:
        """Return which rows of ``values`` are of some neurons, in their order.

        Args:
            mask: booleans [L, F].

        Raises:
            DataError: one of them was not recorded.
        """
        found = np.flatnonzero(mask[self.layers, self.neurons])
        if found.size != int(mask.sum()):
            raise DataError(
                f"probes of {self.model}, {self.pair}: {int(mask.sum()) - found.size} "
                f"of the neurons are not recorded; were those of {self.selection} "
                "identified anew since?"
            )
        return found

    def write(self, path: Path | str) -> None:
        """Write the file."""
        metadata = {key: str(getattr(self, key)) for key in KEYS if key != "words"}
        metadata["words"] = json.dumps(self.words, ensure_ascii=False)
        arrays = {"values": self.values, "layers": self.layers, "neurons": self.neurons}
        tensors.write(path, arrays, metadata)

    @classmethod
    def read(cls, path: Path | str) -> RecordedProbes:
        """Read and check a file.

        Raises:
            DataError: it is damaged, or something else.
        """
        with tensors.open_file(path) as handle:
            metadata: Mapping[str, str] = handle.metadata() or {}
            if missing := sorted(set(KEYS) - set(metadata)):
                raise DataError(
                    f"{path}: not a file of probes, it lacks {', '.join(missing)}"
                    f"{files.redo(path)}"
                )
            shape = (None, None)
            rows, probes = tensors.shape_of(
                path, handle, "values", tensors.FLOATS, shape
            )
            for key in ("layers", "neurons"):
                tensors.shape_of(path, handle, key, tensors.INTEGERS, (rows,))
            values, layers, neurons = (
                handle.get_tensor(x) for x in ("values", "layers", "neurons")
            )
        words = tuple(json.loads(metadata["words"]))
        if len(words) != probes:
            raise DataError(
                f"{path}: {probes} probes, but {len(words)} words{files.redo(path)}"
            )
        rest = {key: metadata[key] for key in KEYS if key != "words"}
        return cls(values, layers, neurons, words=words, **rest)
