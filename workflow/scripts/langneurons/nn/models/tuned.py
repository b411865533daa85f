"""Putting a saved adapter on a model: the same preparation as before its training.

Mondal et al. 2025, section 4 (methods.md 2.1).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from langneurons.config.errors import DataError
from langneurons.jobs import files, tensors

ADAPTER = "adapter_model.safetensors"
CONFIG = "adapter_config.json"


def prepare(model: Any) -> Any:
    """Freeze a loaded model and set precisions, alike for training and evaluation.

    Around 4-bit weights, norms and embeddings become float32 (QLoRA); a classifier's
    head always does. Scores of a saved adapter are reproduced only from a base prepared
    this way.
    """
    if getattr(model, "is_loaded_in_4bit", False):
        from peft import prepare_model_for_kbit_training

        prepare_model_for_kbit_training(model, use_gradient_checkpointing=False)
    model.requires_grad_(False)
    if hasattr(model, "score"):  # a language model has no such head
        model.score.float()
    return model.eval()


def open_adapter(model: Any, adapter: Path | str | None) -> Any:
    """Put a saved adapter, and its head if it has one, on a freshly loaded model.

    Args:
        model: from ``loading.load_classifier`` or ``loading.load_causal``, as it was
            for training.
        adapter: folder with ``adapter_model.safetensors`` and ``adapter_config.json``;
            None: the model as it is, in the precisions that it has below an adapter, so
            that what a tuned one does otherwise is its adapter's doing.

    Raises:
        DataError: a file is absent, damaged, or of another model.
    """
    if adapter is None:
        return prepare(model)
    from peft import PeftModel

    folder = Path(adapter)
    settings = {"peft_type": str, "r": int}
    files.read_object(folder / CONFIG, "the configuration of an adapter", settings)
    tensors.open_file(folder / ADAPTER)
    prepare(model)
    device = str(next(model.parameters()).device)
    try:
        tuned = PeftModel.from_pretrained(model, str(folder), torch_device=device)
    except (OSError, ValueError, TypeError, LookupError, RuntimeError) as error:
        raise DataError(
            f"{folder}: the adapter cannot be put on this model ({error})"
            f"{files.redo(folder)}"
        ) from error
    return tuned.eval()
