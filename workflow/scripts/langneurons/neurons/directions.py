"""Mean differences between languages in the residual stream, to steer a model along.

The direction of a language is the mean output of a decoder layer over its tokens, minus
the mean of the other languages' means (difference in means; every language has the same
weight, however long its text).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from langneurons.config.errors import DataError, unknown_name
from langneurons.jobs import tensors

from .recorded_activations import Activations, check_same_model

Floats = npt.NDArray[np.float64]
SHARED = ("model", "model_revision")
"""Metadata of activation files that a file of directions has too."""


@dataclass(frozen=True)
class Directions:
    """Directions of the languages of a set.

    Attributes:
        by_language: float32 [layers, hidden size] of each.
        metadata: ``model``, ``model_revision``, ``language_set`` and ``corpus``.
    """

    by_language: Mapping[str, npt.NDArray[np.float32]]
    metadata: Mapping[str, str]

    def write(self, path: Path | str) -> None:
        tensors.write(path, self.by_language, self.metadata)


def differences(means: Mapping[str, Floats]) -> dict[str, npt.NDArray[np.float32]]:
    """Set the mean of each language against the mean of the others' means.

    Args:
        means: by language, float64 [layers, hidden size]; two languages at least.

    Returns:
        By language, float32 [layers, hidden size].

    Raises:
        DataError: there are fewer, their sizes differ, or a number is not finite.
    """
    if len(means) < 2:
        given = ", ".join(means) or "none"
        raise DataError(f"a difference needs two languages or more, given: {given}")
    shapes = {language: mean.shape for language, mean in means.items()}
    if len(set(shapes.values())) > 1:
        raise DataError(f"means of different sizes: {shapes}")
    if bad := [lang for lang, mean in means.items() if not np.isfinite(mean).all()]:
        raise DataError(f"means of {', '.join(bad)} are not finite")
    total = np.sum(list(means.values()), axis=0)
    rest = len(means) - 1
    return {
        language: (mean - (total - mean) / rest).astype(np.float32)
        for language, mean in means.items()
    }


def find(spec: Mapping[str, Any], activations: Sequence[Activations]) -> Directions:
    """Find the direction of every language of a set.

    Args:
        spec: ``language_set``, ``languages`` and ``corpus``.
        activations: one for each language, in any order.

    Raises:
        DataError: a file is missing or of another model, or the residual stream was not
            recorded.
    """
    files = {one.metadata.get("language", ""): one for one in activations}
    wanted = list(spec["languages"])
    if sorted(files) != sorted(wanted) or len(files) < len(activations):
        raise DataError(
            f"directions of {', '.join(wanted)}: one activations file for each is "
            f"needed, given: {', '.join(sorted(files)) or 'none'}"
        )
    check_same_model(list(activations))
    means = {language: files[language].residual_mean() for language in wanted}
    first = files[wanted[0]].metadata
    metadata = {key: first[key] for key in SHARED if key in first}
    metadata |= {key: spec[key] for key in ("language_set", "corpus")}
    return Directions(differences(means), metadata)


def read(
    path: Path | str, language: str, shape: tuple[int, int | None]
) -> npt.NDArray[np.float32]:
    """Read the direction of one language.

    Args:
        path: file of directions.
        language: its code.
        shape: layers and hidden size of the model; None: any.

    Returns:
        float32 [layers, hidden size].

    Raises:
        DataError: the file is damaged, lacks the language, or is of another model.
    """
    with tensors.open_file(path) as handle:
        if language not in (known := list(handle.keys())):
            raise DataError(unknown_name("language", language, known, str(path)))
        tensors.shape_of(path, handle, language, frozenset({"F32"}), shape)
        return handle.get_tensor(language)
