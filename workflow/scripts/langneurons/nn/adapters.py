"""QLoRA adapters: trainable matrices on a frozen model, saved as stock PEFT files.

Mondal et al. 2025, section 4 (methods.md 2.1).
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from .. import files
from ..catalogue import Training
from ..errors import ConfigError, unknown_name
from .architectures import attention_modules

INITIAL_STD = 0.01
"""Standard deviation of LoRA's A at the start; B starts at 0 (methods.md 2.1)."""


ADAPTER = "adapter_model.safetensors"
CONFIG = "adapter_config.json"


def prepare(classifier: Any) -> Any:
    """Freeze a loaded classifier and set precisions, alike for training and evaluation.

    Around 4-bit weights, norms and embeddings become float32 (QLoRA); the head always
    does. Scores of a saved adapter are reproduced only from a base prepared this way.
    """
    if getattr(classifier, "is_loaded_in_4bit", False):
        from peft import prepare_model_for_kbit_training

        prepare_model_for_kbit_training(classifier, use_gradient_checkpointing=False)
    classifier.requires_grad_(False)
    classifier.score.float()
    return classifier.eval()


def open_tuned(classifier: Any, adapter: Path | str) -> Any:
    """Put a saved adapter and its head on a freshly loaded classifier.

    Args:
        classifier: from ``models.load_classifier``.
        adapter: folder with ``adapter_model.safetensors`` and ``adapter_config.json``.
    """
    from peft import PeftModel

    prepare(classifier)
    device = str(classifier.score.weight.device)
    tuned = PeftModel.from_pretrained(classifier, str(adapter), torch_device=device)
    return tuned.eval()


def wrap(
    classifier: Any,
    family: str,
    tuning: Mapping[str, Any],
    training: Training,
    seed: int,
    head: str = "score",
) -> Any:
    """Add trainable LoRA matrices and a fresh head to a prepared model.

    Args:
        classifier: from ``prepare``.
        family: key of ``architectures.LAYOUTS``.
        tuning: ``catalogue.Tuning`` as a mapping: which weights may change.
        training: rank, alpha and the attention projections.
        seed: of the initial weights.
        head: name of the module that is trained in full and saved with the adapter.

    Returns:
        The stock PEFT model; exactly its trainable parameters are float32 and new.
    """
    from peft import LoraConfig, get_peft_model

    if tuning["kind"] != "attention":
        raise ConfigError(
            unknown_name("kind", tuning["kind"], ["attention"], "tunings")
        )
    names = attention_modules(family)
    # Families with fused projections name one module several times.
    targets = sorted({names[module] for module in training.attention_modules})
    # A whole number stays one in the saved file.
    alpha: Any = int(training.alpha) if training.alpha % 1 == 0 else training.alpha
    config = LoraConfig(
        task_type="SEQ_CLS",
        r=training.rank,
        lora_alpha=alpha,
        lora_dropout=0.0,
        bias="none",
        target_modules=targets,
        modules_to_save=[head],
        # GPT-2's projections store their weights as [in, out].
        fan_in_fan_out=family == "gpt2",
    )
    model = get_peft_model(classifier, config)
    _initialise(model, seed)
    return model.eval()  # no dropout, in the backbone neither


def trainable(model: nn.Module) -> dict[str, nn.Parameter]:
    """Return the parameters that training changes, by name."""
    return {name: p for name, p in model.named_parameters() if p.requires_grad}


def _initialise(model: nn.Module, seed: int) -> None:
    """Draw every trainable weight from one generator, in the order of their names.

    Own draws, because those of libraries differ from version to version.
    """
    generator = torch.Generator().manual_seed(seed)
    for name, weight in sorted(trainable(model).items()):
        start = torch.zeros(weight.shape, dtype=torch.float32)
        if ".lora_A." in name:
            start.normal_(0.0, INITIAL_STD, generator=generator)
        elif ".lora_B." not in name:  # the head: as nn.Linear starts
            bound = 1 / math.sqrt(weight.shape[-1])
            start.uniform_(-bound, bound, generator=generator)
        weight.data = start.to(weight.device)


def save(model: Any, adapter: Path, config: Path, manifest: Mapping[str, Any]) -> None:
    """Write the adapter and its head as stock PEFT files, atomically.

    Args:
        model: from ``wrap``.
        adapter: ``.../adapter_model.safetensors``.
        config: ``.../adapter_config.json``.
        manifest: of the base model; names it in the configuration.
    """
    entry = model.peft_config["default"]
    entry.base_model_name_or_path = str(manifest["source"])
    entry.revision = str(manifest["revision"])
    adapter.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=adapter.parent, prefix=".saving-") as folder:
        # The vocabulary never changes; asking the hub about it would need a network.
        model.save_pretrained(folder, save_embedding_layers=False)
        settings = files.read_json(Path(folder) / CONFIG)
        with files.atomic(adapter) as part:
            (Path(folder) / ADAPTER).replace(part)
    # PEFT keeps module names in sets, whose order changes from run to run, and lists
    # the head of a classifier twice.
    for key in ("target_modules", "modules_to_save"):
        settings[key] = sorted(set(settings[key]))
    files.write_json(config, dict(sorted(settings.items())))
