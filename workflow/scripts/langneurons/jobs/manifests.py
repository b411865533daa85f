"""Manifests of pinned models and of token files, read with a check of their keys."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from . import files

MODEL: dict[str, type] = {
    **dict.fromkeys(("model", "source", "revision"), str),
    **dict.fromkeys(("layers", "intermediate_size"), int),
}
"""Keys of a model's manifest that jobs read, and the types of their values."""

TOKENS: dict[str, type] = {"tokens_sha256": str}


def read_model(
    path: Path | str, keys: Mapping[str, type] | None = None
) -> dict[str, Any]:
    """Read the manifest of a pinned or quantised model; see ``nn.fetching.finish``.

    Args:
        path: the file.
        keys: those that the reader needs, instead of :data:`MODEL`.

    Raises:
        DataError: it is damaged, or something else.
    """
    what = "the manifest of a model"
    found = files.read_object(path, what, MODEL if keys is None else keys)
    if "files" in found:  # their hashes
        files.check_keys(path, found, what, {"files": dict})
    return found


def read_tokens(path: Path | str) -> dict[str, Any]:
    """Read the manifest of a token file; see ``packing.tokenise``.

    Raises:
        DataError: it is damaged, or something else.
    """
    return files.read_object(path, "the manifest of a token file", TOKENS)
