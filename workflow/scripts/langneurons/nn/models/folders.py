"""What a model folder holds, read from its config.json without torch.

A pinned folder has the Hugging Face layout (config.json, model*.safetensors, tokenizer
files) and a ``manifest.json`` with the revision and the hash of every file.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from langneurons.config.errors import DataError
from langneurons.jobs import files

from . import families

MANIFEST = "manifest.json"


def read_config(folder: Path | str, family: str | None = None) -> dict[str, Any]:
    """Read ``config.json`` and check that it is of the family the catalogue says.

    Raises:
        DataError: no ``config.json``, one that is no JSON object, or the architecture
            is another one.
    """
    path = Path(folder) / "config.json"
    if not path.is_file():
        raise DataError(
            f"{folder}: no config.json; a model folder has the Hugging Face layout "
            "(config.json, *.safetensors, tokenizer files)"
        )
    config = read_object(path)
    if family is None:
        return config
    wanted = families.find(family, str(path)).model_type
    found = str(config.get("model_type"))
    if found == wanted:
        return config
    right = families.of_type(found)
    hint = f"Set family: {right}" if right else families.not_known(found)
    raise DataError(
        f"{path}: model_type is {found!r}, but the catalogue says family {family!r} "
        f"(model_type {wanted!r}). {hint}"
    )


def read_object(path: Path) -> dict[str, Any]:
    """Read a JSON file of a model, which holds an object; else a DataError."""
    try:
        return files.read_object(path, "a file of a model")
    except DataError as error:
        raise DataError(
            f"{error}. Get this file anew from where the model comes from."
        ) from error


def is_lfs_pointer(path: Path) -> bool:
    """Whether a file is what Git LFS leaves in place of content not downloaded."""
    with path.open("rb") as handle:
        return bool(files.pointer(handle.read(200)))


def is_nf4(config: dict[str, Any]) -> bool:
    """Whether a saved model holds 4-bit weights of bitsandbytes."""
    saved = config.get("quantization_config")
    saved = saved if isinstance(saved, dict) else {}
    return bool(saved.get("load_in_4bit"))


def describe(folder: Path | str) -> dict[str, Any]:
    """Say what a folder holds, in the words of the manifest.

    Returns:
        ``layers``, ``intermediate_size`` (MLP neurons per layer), ``hidden_size``,
        ``quantization`` (``none`` or ``nf4``), ``vocab_size`` (tokens that have an
        embedding), ``positions`` (the longest input, in tokens; None: there is no
        limit). Nothing from the family's row, on which the job does not depend.

    Raises:
        DataError: one of the sizes is absent, or no number.
    """
    path = Path(folder) / "config.json"
    config = read_config(folder)

    def required(*keys: str) -> int:
        found = _first(config, keys, path)
        if found is None:
            raise DataError(f"{path}: no {' or '.join(keys)}; a model cannot be made")
        return found

    hidden = required("n_embed", "hidden_size", "n_embd", "d_model")
    # GPT-2 and BLOOM have no gate and, by default, four neurons per hidden unit.
    widths = ("intermediate_size", "n_inner", "ffn_dim")
    width = _first(config, widths, path) or 4 * hidden
    return {
        "layers": required("num_hidden_layers", "n_layer", "num_layers"),
        "intermediate_size": width,
        "hidden_size": hidden,
        "quantization": "nf4" if is_nf4(config) else "none",
        "vocab_size": required("vocab_size"),
        "positions": positions(config, path),
    }


def _first(
    config: dict[str, Any], keys: tuple[str, ...], path: Path | str
) -> int | None:
    """Return the first of some sizes that is given; None: there is none."""
    for key in keys:
        value = config.get(key)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise DataError(
                f"{path}: {key} is {value!r}; a whole number of at least 1 is expected"
            )
        return value
    return None


def positions(config: dict[str, Any], path: Path | str) -> int | None:
    """Find how many positions a model has, or was made for with rotary positions.

    Args:
        config: of the model, as in ``config.json``.
        path: of the model, for messages.

    Returns:
        Tokens; None: there is no limit.
    """
    keys = ("n_positions", "max_position_embeddings")
    found = _first(config, keys, path)
    if found is None:
        return None
    # Rotary positions that were stretched after training (YaRN and others).
    stretch = config.get("rope_scaling") or config.get("rope_parameters")
    stretch = stretch if isinstance(stretch, dict) else {}
    factor = stretch.get("factor")
    if not isinstance(factor, (int, float)):
        return found
    before = stretch.get("original_max_position_embeddings")
    return max(found, int(factor * (before if isinstance(before, int) else found)))


def require_positions(
    manifest: Mapping[str, Any], length: int, what: str, keys: str
) -> None:
    """Refuse inputs that are longer than the model allows, before it is loaded.

    Args:
        manifest: of the model.
        length: tokens of the longest input.
        what: is so long.
        keys: of the configuration that make it shorter.
    """
    limit = manifest["positions"]
    if limit is not None and length > limit:
        raise DataError(
            f"{what} is {length:,} tokens, but model {manifest['model']!r} has only "
            f"{limit:,} positions (says its config.json); lower {keys}"
        )


def require_tokens(manifest: Mapping[str, Any], highest: int) -> None:
    """Refuse tokens that the model has no embedding for, before it is loaded.

    Args:
        manifest: of the model.
        highest: largest token id of all inputs.
    """
    rows = manifest["vocab_size"]
    if highest >= rows:
        raise DataError(
            f"the inputs have token {highest:,}, but model {manifest['model']!r} "
            f"embeds the tokens 0 to {rows - 1:,} only (vocab_size {rows:,}). Does a "
            "template of the task name a control token that the model lacks?"
        )


def share(folder: Path) -> None:
    """Give all files of a folder the mode of its config.json, set by the umask.

    safetensors writes files that only their owner can read; results may be shared.
    """
    mode = (folder / "config.json").stat().st_mode
    for path in folder.iterdir():
        if path.is_file():
            path.chmod(mode)


def quiet() -> None:
    """Keep transformers' bars and load reports out of logs; we check what they say."""
    from transformers.utils import logging as reports

    silence: Any = reports
    silence.disable_progress_bar()
    silence.set_verbosity_error()


def require(package: str, purpose: str) -> None:
    """Refuse early, with a hint, when an optional package is absent."""
    if importlib.util.find_spec(package) is None:
        raise DataError(
            f"{purpose} needs the Python package {package!r}, which is not installed; "
            f"try: pip install {package}"
        )
