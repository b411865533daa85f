"""Arrays in safetensors files whose bytes depend on the content only."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from langneurons.config.errors import DataError

from . import files


def write(
    path: Path | str,
    arrays: Mapping[str, np.ndarray[Any, Any]],
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write arrays and string metadata atomically.

    The library writes metadata in a random order; here the header is sorted, so that
    equal content gives equal bytes.
    """
    from safetensors.numpy import save_file

    with files.atomic(path) as part:
        whole = {k: np.ascontiguousarray(v) for k, v in arrays.items()}
        save_file(whole, part, metadata=dict(metadata or {}))
        _sort_header(part)


def _sort_header(path: Path) -> None:
    with path.open("rb+") as handle:
        size = int.from_bytes(handle.read(8), "little")
        header = json.loads(handle.read(size))
        text = json.dumps(
            header, sort_keys=True, ensure_ascii=False, separators=(",", ":")
        ).encode()
        if len(text) > size:
            # The same JSON in another order has the same length; anything else would
            # overwrite the data behind the header.
            raise RuntimeError(f"{path}: sorted header is longer than the original")
        handle.seek(8)
        handle.write(text.ljust(size))


INTEGERS = frozenset({"I8", "I16", "I32", "I64", "U8", "U16", "U32", "U64"})
FLOATS = frozenset({"F16", "F32", "F64"})
"""Types in the spelling of safetensors, as far as numpy has them."""


def open_file(path: Path | str) -> Any:
    """Open a safetensors file; its arrays are read when they are asked for.

    Raises:
        DataError: absent, not readable, damaged, or something else.
    """
    from safetensors import SafetensorError, safe_open

    files.require(path)
    try:
        with files.reading(path):
            return safe_open(str(path), framework="numpy")
    except SafetensorError as error:
        raise DataError(
            f"{path}: cannot be read as safetensors ({error}){files.redo(path)}"
        ) from error


def shape_of(
    path: Path | str,
    handle: Any,
    key: str,
    types: frozenset[str],
    shape: tuple[int | None, ...],
) -> tuple[int, ...]:
    """Return the shape of an array after checking it and the type of its numbers.

    Args:
        path: named in messages.
        handle: of :func:`open_file`.
        key: name of the array.
        types: those allowed, such as ``INTEGERS``.
        shape: sizes expected; None is any size.

    Raises:
        DataError: the array is missing, or differs.
    """
    if key not in handle.keys():  # noqa: SIM118 (a handle is no mapping)
        raise DataError(f"{path}: it holds no array {key!r}{files.redo(path)}")
    part = handle.get_slice(key)
    found, kind = tuple(part.get_shape()), str(part.get_dtype())
    fits = len(found) == len(shape) and all(
        wanted in (None, size) for size, wanted in zip(found, shape, strict=True)
    )
    if not fits:
        raise DataError(
            f"{path}: {key} has shape {list(found)}, expected "
            f"{['any' if size is None else size for size in shape]}{files.redo(path)}"
        )
    if kind not in types:
        raise DataError(
            f"{path}: {key} has numbers of type {kind}, expected one of "
            f"{', '.join(sorted(types))}{files.redo(path)}"
        )
    return found


def read(path: Path | str) -> tuple[dict[str, np.ndarray[Any, Any]], dict[str, str]]:
    """Read all arrays and the metadata of a safetensors file.

    Raises:
        DataError: absent, not readable, damaged, or with numbers that numpy has not.
    """
    with open_file(path) as handle:
        keys = list(handle.keys())
        for key in keys:
            part = handle.get_slice(key)
            shape_of(path, handle, key, INTEGERS | FLOATS, tuple(part.get_shape()))
        arrays = {key: handle.get_tensor(key) for key in keys}
        return arrays, handle.metadata() or {}
