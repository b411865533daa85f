"""What a model folder holds, read from its config.json without torch.

A pinned folder has the Hugging Face layout (config.json, model*.safetensors, tokenizer
files) and a ``manifest.json`` with the revision and the hash of every file.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

from .. import files
from ..errors import DataError, unknown_name

MANIFEST = "manifest.json"

# family of the catalogue -> ``model_type`` in config.json
MODEL_TYPES = {
    "llama": "llama",
    "mistral": "mistral",
    "qwen2": "qwen2",
    "qwen3": "qwen3",
    "gemma2": "gemma2",
    "gemma3": "gemma3_text",
    "gpt2": "gpt2",
    "bloom": "bloom",
}


def read_config(folder: Path | str, family: str | None = None) -> dict[str, Any]:
    """Read ``config.json`` and check that it is of the family the catalogue says.

    Raises:
        DataError: no ``config.json``, or the architecture is another one.
    """
    path = Path(folder) / "config.json"
    if not path.is_file():
        raise DataError(
            f"{folder}: no config.json; a model folder has the Hugging Face layout "
            "(config.json, *.safetensors, tokenizer files)"
        )
    config = files.read_object(path, "the configuration of a model")
    if family is None:
        return config
    if family not in MODEL_TYPES:
        raise DataError(unknown_name("model family", family, MODEL_TYPES, str(path)))
    found = str(config.get("model_type"))
    if found == MODEL_TYPES[family]:
        return config
    right = [name for name, kind in MODEL_TYPES.items() if kind == found]
    hint = f"Set family: {right[0]}" if right else _unsupported(found)
    raise DataError(
        f"{path}: model_type is {found!r}, but the catalogue says family {family!r} "
        f"(model_type {MODEL_TYPES[family]!r}). {hint}"
    )


def _unsupported(model_type: str) -> str:
    known = ", ".join(sorted(MODEL_TYPES))
    if model_type == "gemma3":
        return "This is the image-and-text Gemma 3; only its text-only sizes are known."
    return (
        f"Known families: {known}. A new one is added in nn/models and architectures."
    )


def is_nf4(config: dict[str, Any]) -> bool:
    """Whether a saved model holds 4-bit weights of bitsandbytes."""
    saved = config.get("quantization_config")
    saved = saved if isinstance(saved, dict) else {}
    return bool(saved.get("load_in_4bit"))


def describe(folder: Path | str) -> dict[str, Any]:
    """Say what a folder holds, in the words of the manifest.

    Returns:
        ``layers``, ``intermediate_size`` (MLP neurons per layer), ``hidden_size``,
        ``activation`` (Hugging Face name), ``quantization`` (``none`` or ``nf4``).
    """
    config = read_config(folder)

    def first(*keys: str) -> int | None:
        return next((int(config[k]) for k in keys if config.get(k)), None)

    hidden, layers = (
        first("n_embed", "hidden_size", "n_embd"),
        first("num_hidden_layers", "n_layer"),
    )
    if hidden is None or layers is None:
        raise DataError(f"{folder}/config.json: no hidden_size or num_hidden_layers")
    # BLOOM always computes the tanh form of GELU and has no key for it.
    bloom = config.get("model_type") == "bloom"
    activation = (
        config.get("hidden_activation")
        or config.get("hidden_act")
        or config.get("activation_function")
        or ("gelu_pytorch_tanh" if bloom else "silu")
    )
    return {
        "layers": layers,
        # GPT-2 and BLOOM have no gate and, by default, four neurons per hidden unit.
        "intermediate_size": first("intermediate_size", "n_inner") or 4 * hidden,
        "hidden_size": hidden,
        "activation": activation,
        "quantization": "nf4" if is_nf4(config) else "none",
    }


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
