"""What an activations file must hold, checked when it is opened.

A file that was damaged, or is of something else, is refused here by name, so that no
statistic of it ends in a crash or in numbers of another shape.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from langneurons.config.errors import DataError
from langneurons.jobs import files, tensors

from .histogram import Bins

SITES = ("gate_pre", "act_post")
REQUIRED_METADATA = ("activation", "mantissa", "emin", "emax", "percentiles")
INTEGER, FLOAT = tensors.INTEGERS, tensors.FLOATS


@dataclass(frozen=True)
class Layout:
    """Sizes of an activations file.

    Attributes:
        layers: number of layers, L.
        width: number of neurons in a layer, F.
        bins: bins of the histogram.
        percentiles: those whose per-batch means were recorded, in order.
    """

    layers: int
    width: int
    bins: Bins
    percentiles: tuple[int, ...]


def check(path: Path, handle: Any) -> Layout:
    """Check names, types and shapes of all arrays, and the metadata.

    Args:
        path: named in messages.
        handle: of ``tensors.open_file``.

    Raises:
        DataError: says what is missing or differs.
    """
    keys, metadata = frozenset(handle.keys()), handle.metadata() or {}
    needed = ["n", "count_pos", "histogram", "histogram_n"]
    needed += [f"{s}.{k}" for s in SITES for k in ("sum", "min", "max")]
    missing = sorted(set(needed) - keys)
    missing += sorted(set(REQUIRED_METADATA) - set(metadata))
    if missing:
        raise DataError(
            f"{path}: not an activations file, it lacks {', '.join(missing)}"
        )
    bins = Bins(*(integer(path, metadata, k) for k in ("mantissa", "emin", "emax")))
    percentiles = _percentiles(path, metadata["percentiles"])
    layers, width = tensors.shape_of(path, handle, "count_pos", INTEGER, (None, None))
    if not (layers and width):
        raise DataError(f"{path}: no neurons were measured{files.redo(path)}")
    known = _arrays(layers, width, bins.count, len(percentiles))
    for key in sorted(keys & known.keys()):
        tensors.shape_of(path, handle, key, *known[key])
    if "chunk_numbers" in keys:
        chunks = handle.get_slice("chunk_numbers").get_shape()[0]
        for key in (f"{site}.chunk_means" for site in SITES):
            shape = (layers, chunks, width)
            tensors.shape_of(path, handle, key, FLOAT, shape)
    if "prod.top_chunks" in keys:
        if absent := sorted({"chunks", "prod.sumabs"} - keys):
            raise DataError(f"{path}: it lacks {', '.join(absent)}{files.redo(path)}")
        _share(path, metadata)
    return Layout(layers, width, bins, percentiles)


def _arrays(
    layers: int, width: int, bins: int, percentiles: int
) -> dict[str, tuple[frozenset[str], tuple[int | None, ...]]]:
    """Return the types and the shape of every array that a statistic reads."""
    each = (layers, width)
    known: dict[str, tuple[frozenset[str], tuple[int | None, ...]]] = {
        "histogram": (INTEGER, (*each, bins)),
        "chunk_numbers": (INTEGER, (None,)),
        "prod.top_chunks": (INTEGER, each),
        "prod.sumabs": (FLOAT, each),
        "residual.sum": (FLOAT, (layers, None)),
    }
    known |= dict.fromkeys(("n", "histogram_n", "batches", "chunks"), (INTEGER, (1,)))
    for site in SITES:
        for key in ("sum", "sumsq", "sumabs", "min", "max"):
            known[f"{site}.{key}"] = FLOAT, each
        known[f"{site}.batch_quantiles"] = FLOAT, (percentiles, *each)
    return known


def integer(path: Path, metadata: Mapping[str, str], key: str) -> int:
    """Read a whole number of the metadata.

    Raises:
        DataError: it is missing, or something else.
    """
    try:
        return int(metadata[key])
    except (KeyError, ValueError) as error:
        raise DataError(
            f"{path}: {key} is {metadata.get(key)!r}, not a whole number"
            f"{files.redo(path)}"
        ) from error


def _percentiles(path: Path, text: str) -> tuple[int, ...]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, list) or any(type(p) is not int for p in found):
        raise DataError(
            f"{path}: percentiles is {text!r}, not a list of whole numbers"
            f"{files.redo(path)}"
        )
    return tuple(found)


def _share(path: Path, metadata: Mapping[str, str]) -> None:
    text = metadata.get("contribution_top", "")
    try:
        right = 0 < float(text) <= 1
    except ValueError:
        right = False
    if not right:
        raise DataError(
            f"{path}: contribution_top is {text!r}, not a share from 0 to 1"
            f"{files.redo(path)}"
        )
