"""Opening a pinned model folder: tokenizer, backbone, language model, classifier.

Everything is read from a local folder in the Hugging Face layout whose
``manifest.json`` was written by ``fetching``, ``quantising`` or the demo world; nothing
touches the network. torch and transformers are imported inside the functions: packing a
corpus needs the tokenizer only.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from langneurons.config.errors import DataError
from langneurons.jobs import files, manifests

from .folders import MANIFEST, is_nf4, quiet, read_config, require
from .tokenizing import encoder, load_tokenizer

__all__ = ["encoder", "load_base", "load_causal", "load_classifier", "load_tokenizer"]

SPLIT_FROM = 0.4
"""Share of a GPU from which on the weights are split; the rest is work space."""

HEADS = ("score.weight", "score.bias")


def load_base(
    folder: Path | str,
    device: str = "cpu",
    dtype: Any = None,
    attention: str | None = None,
) -> Any:
    """Load the decoder without its head, in eval mode.

    Args:
        folder: a pinned or quantised model folder.
        device: ``cpu`` or ``cuda``.
        dtype: torch dtype (or its name) of weights that are not quantised; None takes
            the manifest's.
        attention: ``attn_implementation`` of transformers; None: its own choice.

    Raises:
        DataError: the folder holds no such model, or what ``attention`` needs is not
            there.
    """
    from transformers import AutoModel

    return _load(AutoModel, folder, device, dtype, attention, ())


def load_causal(
    folder: Path | str,
    device: str = "cpu",
    dtype: Any = None,
    attention: str | None = None,
) -> Any:
    """Load the language model with its output head, in eval mode."""
    from transformers import AutoModelForCausalLM

    return _load(AutoModelForCausalLM, folder, device, dtype, attention, ())


def load_classifier(
    folder: Path | str,
    num_labels: int = 3,
    device: str = "cpu",
    dtype: Any = None,
    attention: str | None = None,
) -> Any:
    """Load the stock sequence classifier with a fresh linear head named ``score``.

    The head is drawn from torch's global generator: seed it first. ``pad_token_id`` is
    that of :func:`load_tokenizer`.
    """
    from transformers import AutoModelForSequenceClassification

    model = _load(
        AutoModelForSequenceClassification,
        folder,
        device,
        dtype,
        attention,
        HEADS,
        num_labels=num_labels,
    )
    if not hasattr(model, "score"):
        raise DataError(
            f"{folder}: {type(model).__name__} has no head named 'score'; its "
            "family is not supported for classification"
        )
    pad = load_tokenizer(folder).pad_token_id
    if pad >= model.config.vocab_size:
        raise DataError(
            f"{folder}: the padding token has id {pad}, but the model embeds only "
            f"{model.config.vocab_size} tokens. Is the tokenizer that of the model?"
        )
    model.config.pad_token_id = pad
    return model


def _load(
    auto: Any,
    folder: Path | str,
    device: str,
    dtype: Any,
    attention: str | None,
    allowed_missing: tuple[str, ...],
    **options: Any,
) -> Any:
    """Load a model and refuse weights that came out randomly initialised."""
    folder = Path(folder)
    _check_files(folder)
    config = read_config(folder)
    quantised = is_nf4(config)
    if attention is not None:
        _require_attention(folder, attention, device)
        options["attn_implementation"] = attention
    if quantised:
        require("bitsandbytes", "a 4-bit (nf4) model")
    if quantised or device != "cpu":
        require("accelerate", f"loading {folder} on {device}")
        options["device_map"] = placement(folder, device)
    quiet()
    try:
        model, info = auto.from_pretrained(
            str(folder),
            dtype=_dtype(folder, config, dtype),
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=False,
            output_loading_info=True,
            **options,
        )
    except (OSError, ValueError) as error:
        raise DataError(f"{folder}: the model cannot be loaded ({error})") from error
    # transformers only warns when backbone weights are absent and drawn at random.
    missing = sorted(set(info["missing_keys"]) - set(allowed_missing))
    if missing:
        shown = ", ".join(missing[:5]) + (" ..." if len(missing) > 5 else "")
        raise DataError(
            f"{folder}: {len(missing)} weights that {type(model).__name__} needs are "
            f"not in the files: {shown}. Is it a model of another architecture?"
        )
    return model.eval()


def _require_attention(folder: Path, attention: str, device: str) -> None:
    """Refuse kernels that cannot run here, before any weight is read."""
    if attention == "flash_attention_2":
        what = f"{folder}: attn_implementation flash_attention_2"
        if device == "cpu":
            raise DataError(
                f"{what} needs a GPU, and this job has none; give it one (profiles: "
                "set-resources, gpu), or use sdpa"
            )
        require("flash_attn", what)


def placement(folder: Path, device: str) -> Any:
    """Say where a model goes: one device, or whole layers over the job's GPUs.

    A model stays on one GPU as long as its weights fill at most ``SPLIT_FROM`` of it;
    ``resources`` asks for several only above that. Nothing is put into main memory.

    Returns:
        A ``device_map`` of transformers: ``balanced``: about as many layers on each.
    """
    import torch

    if device != "cuda" or torch.cuda.device_count() < 2:
        return {"": device}
    weights = sum(path.stat().st_size for path in folder.glob("*.safetensors"))
    whole = torch.cuda.get_device_properties(0).total_memory
    return "balanced" if weights > SPLIT_FROM * whole else {"": device}


def _check_files(folder: Path) -> None:
    """Compare the files with the hashes in the manifest; reading warms the cache."""
    manifest = folder / MANIFEST
    if not manifest.is_file():
        return
    for name, expected in manifests.read_model(manifest, {}).get("files", {}).items():
        path = folder / name
        if not path.is_file() or files.sha256(path) != expected:
            raise DataError(
                f"{path}: absent or damaged: its hash is not the one in {manifest}. "
                f"Delete {manifest} to make the model anew."
            )


def _dtype(folder: Path, config: dict[str, Any], dtype: Any) -> Any:
    import torch

    manifest = folder / MANIFEST
    if dtype is None and manifest.is_file():
        dtype = manifests.read_model(manifest, {}).get("dtype")
    dtype = dtype or config.get("dtype") or config.get("torch_dtype") or "float32"
    return getattr(torch, dtype) if isinstance(dtype, str) else dtype
