"""Manifests of pinned models and of token files, read with a check of their keys."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from . import files

MODEL: dict[str, type] = {
    **dict.fromkeys(("model", "source", "revision", "quantization"), str),
    **dict.fromkeys(("layers", "intermediate_size"), int),
}
"""Keys of a model's manifest that jobs read, and the types of their values."""

TOKENS: dict[str, type] = {"tokens_sha256": str}


def read_model(path: Path | str) -> dict[str, Any]:
    """Read the manifest of a pinned or quantised model; see ``nn.fetching.finish``.

    Raises:
        DataError: it is damaged, or something else.
    """
    found = files.read_object(path, "the manifest of a model", MODEL)
    if "files" in found:  # their hashes
        files.check_keys(path, found, "the manifest of a model", {"files": dict})
    return found


def read_tokens(path: Path | str) -> dict[str, Any]:
    """Read the manifest of a token file; see ``packing.tokenise``.

    Raises:
        DataError: it is damaged, or something else.
    """
    return files.read_object(path, "the manifest of a token file", TOKENS)
