"""Arrays in safetensors files whose bytes depend on the content only."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from . import files
from .errors import DataError


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


def read(path: Path | str) -> tuple[dict[str, np.ndarray[Any, Any]], dict[str, str]]:
    """Read all arrays and the metadata of a safetensors file.

    Raises:
        DataError: if the file is damaged.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), framework="numpy") as handle:
            keys = list(handle.keys())
            arrays = {key: handle.get_tensor(key) for key in keys}
            return arrays, handle.metadata() or {}
    except SafetensorError as error:
        raise DataError(
            f"{path}: not a valid safetensors file ({error}). Delete it to redo it."
        ) from error
