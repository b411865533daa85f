"""Neurons that others found: their neuron files, in either of two formats.

``.pth`` is that of Tang et al. 2024, List[List[LongTensor]], language x layer. It does
not name its languages, so the configuration does. ``.json`` is a neuron file of this
workflow, which says by itself whose neurons and which model's they are.
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field, model_validator

from langneurons.config.errors import DataError, unknown_name
from langneurons.config.fields import Frozen, LocalPath
from langneurons.jobs.files import atomic, require, sha256
from langneurons.neurons.neuron_sets import Mask, NeuronSets

from . import Method, MethodInputs, Planned, Selected

CODE = re.compile(r"unsupported global:? (?:GLOBAL )?(\S+)", re.IGNORECASE)
"""How torch names what a file holds besides plain data."""


OURS = ".json"
"""How the name of a neuron file of this workflow ends."""
ORIGIN = ("method", "language_set", "kind", "model", "model_revision")
"""What such a file says of itself that stays with what is imported from it."""


class Parameters(Frozen):
    """Parameters of ``published``."""

    path: LocalPath = Field(
        description="`.pth`, as Tang et al. 2024 released theirs, or `.json`, "
        "as this workflow writes it"
    )
    languages: tuple[str, ...] | None = Field(
        None,
        min_length=1,
        description="languages of a `.pth` file, in its order; null: a `.json` file, "
        "which names its own",
    )

    @model_validator(mode="after")
    def _languages_are_named_once(self) -> Parameters:
        if self.is_ours and self.languages is not None:
            raise ValueError(
                f"'languages' are those that {self.path} names itself; leave them out"
            )
        if not self.is_ours and self.languages is None:
            raise ValueError(
                f"give 'languages', those of {self.path} in its order: only a "
                f"{OURS} file of this workflow names its own"
            )
        return self

    @property
    def is_ours(self) -> bool:
        """Whether the file is one of this workflow's own."""
        return self.path.endswith(OURS)


class Published(Method[Parameters]):
    """Neurons that others released."""

    PARAMETERS = Parameters
    IMPORTED = True

    def select(self, inputs: MethodInputs, parameters: Parameters) -> Selected:
        """Take the neurons from the file.

        Raises:
            DataError: a file that is damaged or of another model, a wrong number of
                languages, or a language of the set that the file does not have.
        """
        path, about = parameters.path, {"file_sha256": sha256(parameters.path)}
        if parameters.languages is None:
            sets = NeuronSets.read(path)
            # Of another revision, as of a tuned model, neurons may still be asked for.
            sets.require_model(inputs.layers, inputs.width, None, path)
            about |= {f"file_{key}": getattr(sets, key) for key in ORIGIN}
            found = {lang: sets.mask(lang) for lang in sets.languages}
        else:
            shape = inputs.layers, inputs.width
            found = read_published(path, parameters.languages, *shape)
        for lang in inputs.languages:
            if lang not in found:
                raise DataError(unknown_name("language", lang, found, path))
        return Selected({lang: found[lang] for lang in inputs.languages}, about)

    def unmet(self, parameters: Parameters, planned: Planned) -> list[str]:
        where, known = "parameters.languages", parameters.languages
        if known is None:
            return list(_unmet(parameters.path, planned))
        lacking = [lang for lang in planned.languages if lang not in known]
        return [unknown_name("language", lang, known, where) for lang in lacking]

    def files(self, parameters: Parameters) -> dict[str, str]:
        return {"path": parameters.path}


def _unmet(path: str, planned: Planned) -> Iterator[str]:
    """Say in what a neuron file of this workflow does not fit, if it is there."""
    try:
        sets = _known(path, os.stat(path).st_mtime_ns)
    except OSError:
        return  # whether files are there is checked where all are
    except DataError as error:
        yield f"parameters.path: {error}"
        return
    for lang in planned.languages:
        if lang not in sets.neurons:
            yield unknown_name("language", lang, sets.neurons, path)
    for model, shape in planned.shapes.items():
        try:
            sets.require_model(*shape, None, f"{path}, for model {model}")
        except DataError as error:
            yield f"parameters.path: {error}"


@lru_cache(maxsize=8)
def _known(path: str, modified: int) -> NeuronSets:
    """Read a file once for all selections that are planned from it."""
    return NeuronSets.read(path)


def read_published(
    path: Path | str, languages: tuple[str, ...], layers: int, width: int
) -> dict[str, Mask]:
    """Read a published file, and check that it is of a model of this shape.

    Args:
        path: the file; it is loaded without running any code in it.
        languages: names of its languages, in its order.
        layers: number of layers of the model, L.
        width: neurons in a layer, F.

    Returns:
        language -> booleans [L, F].

    Raises:
        DataError: says what does not fit.
    """
    lists = _load(path)
    if not isinstance(lists, list) or not all(isinstance(x, list) for x in lists):
        raise DataError(f"{path}: not a list of languages, each a list of layers")
    if len(set(languages)) != len(languages) or len(lists) != len(languages):
        raise DataError(
            f"{path}: holds {len(lists)} languages, but parameters.languages names "
            f"{', '.join(languages)}; name each of them once, in the file's order"
        )
    return {
        lang: _mask(by_layer, layers, width, f"{path}, {lang}")
        for lang, by_layer in zip(languages, lists, strict=True)
    }


def _load(path: Path | str) -> Any:
    """Load a .pth file without running any code in it.

    Raises:
        DataError: it is no such file, is damaged, or wants to run code.
    """
    import torch

    require(path)
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    # A damaged pickle fails in whatever way its bytes lead to: with KeyError,
    # IndexError, UnicodeDecodeError, MemoryError ... all mean the same here.
    except Exception as error:
        # What torch says advises to load the file unsafely; it is not passed on.
        if code := CODE.search(str(error)):
            raise DataError(
                f"{path}: holds {code[1]}, not lists of tensors alone, and is not "
                "read, because loading it can run code. A neuron file has a list for "
                "each language, with a tensor of neuron numbers for each layer"
            ) from error
        raise DataError(
            f"{path}: cannot be read as a .pth file, as torch.save writes it: damaged, "
            f"cut short, or something else ({type(error).__name__})"
        ) from error


def _mask(by_layer: list, layers: int, width: int, where: str) -> Mask:
    if len(by_layer) != layers:
        raise DataError(
            f"{where}: {len(by_layer)} layers, but the model has {layers}; "
            "is the file of another model?"
        )
    out = np.zeros((layers, width), np.bool_)
    for layer, given in enumerate(by_layer):
        try:
            ids = np.asarray(given)
        except (TypeError, ValueError, RuntimeError) as error:
            # Lists of unequal lengths; tensors that are sparse, or of numbers numpy
            # does not have.
            raise DataError(
                f"{where}, layer {layer}: not a list of neuron numbers ({error})"
            ) from error
        if ids.size == 0:  # an empty tensor may have any type
            continue
        if ids.ndim != 1 or not np.issubdtype(ids.dtype, np.integer):
            raise DataError(f"{where}, layer {layer}: not a list of neuron numbers")
        if ids.min() < 0 or ids.max() >= width:
            bad = ids.max() if ids.max() >= width else ids.min()
            raise DataError(
                f"{where}, layer {layer}: neuron {bad}, but the model has neurons 0 to "
                f"{width - 1}; is the file of another model?"
            )
        out[layer, ids] = True
    return out


def write_published(sets: NeuronSets, path: Path | str) -> None:
    """Write neurons in the published format; languages keep their order.

    Every language is kept, those without neurons too: published files lose them at
    the end of the list.
    """
    import torch

    lists = [
        [
            torch.tensor(by_layer.get(layer, []), dtype=torch.long)
            for layer in range(sets.layers)
        ]
        for by_layer in (sets.of(lang) for lang in sets.languages)
    ]
    # Through memory: torch puts the name of a file, here a temporary one, into it.
    buffer = io.BytesIO()
    torch.save(lists, buffer)
    with atomic(path) as part:
        part.write_bytes(buffer.getvalue())


METHOD = Published()
