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

from langneurons.config.task_entries import Training
from langneurons.jobs import files
from langneurons.nn.models import families
from langneurons.nn.models.architectures import check_row
from langneurons.nn.models.tuned import ADAPTER, CONFIG

from . import masking

INITIAL_STD = 0.01
"""Standard deviation of LoRA's A at the start; B starts at 0 (methods.md 2.1)."""


def wrap(
    model: Any,
    family: str,
    tuning: Mapping[str, Any],
    training: Training,
    seed: int,
    head: str | None = "score",
    task_type: str = "SEQ_CLS",
    neurons: masking.Neurons | None = None,
) -> Any:
    """Add trainable LoRA matrices, and a fresh head, to a prepared model.

    Args:
        model: from ``tuned.prepare``.
        family: key of ``families.FAMILIES``.
        tuning: ``task_entries.Tuning`` as a mapping: which weights may change.
        training: rank, alpha and the attention projections.
        seed: of the initial weights.
        head: name of the module that is trained in full and saved with the adapter;
            None: there is none.
        task_type: PEFT's name of the kind of model, ``SEQ_CLS`` or ``CAUSAL_LM``.
        neurons: layer -> sorted ids, for the kinds that tune chosen neurons.

    Returns:
        The PEFT model; exactly its trainable parameters are float32 and new. Of
        matrices that are masked they hold the chosen part only; ``save`` writes them
        whole.

    Raises:
        ConfigError, DataError: see ``masking.plan`` and ``architectures.check_row``.
    """
    from peft import LoraConfig, get_peft_model

    todo = masking.plan(model, family, tuning, neurons)
    # PEFT skips names that fit no module if any other does.
    names = check_row(model, family).attention
    targets: Any = []
    if tuning["kind"] == "attention" or tuning["attention"]:
        # Families with fused projections name one module several times.
        targets = sorted({names[module] for module in training.attention_modules})
    if todo.targets:
        # One expression, since the MLP may be adapted in other layers than attention.
        ends = "|".join(name.replace(".", r"\.") for name in targets)
        targets = "|".join([rf"(?:.*\.)?(?:{ends})"] * bool(ends) + [todo.targets])
    # A whole number stays one in the saved file.
    alpha: Any = int(training.alpha) if training.alpha % 1 == 0 else training.alpha
    config = LoraConfig(
        task_type=task_type,
        r=training.rank,
        lora_alpha=alpha,
        rank_pattern=todo.ranks,
        alpha_pattern=dict(todo.ranks),  # a scale of 1
        lora_dropout=0.0,
        bias="none",
        target_modules=targets,
        modules_to_save=None if head is None else [head],
        fan_in_fan_out=families.find(family).conv1d,
    )
    peft_model = get_peft_model(model, config)
    _initialise(peft_model, family, seed)
    masking.restrict(peft_model, todo)
    return peft_model.eval()  # no dropout, in the backbone neither


def trainable(model: nn.Module) -> dict[str, nn.Parameter]:
    """Return the parameters that training changes, by name."""
    return {name: p for name, p in model.named_parameters() if p.requires_grad}


def _initialise(model: nn.Module, family: str, seed: int) -> None:
    """Draw every trainable weight from one generator, in the order of their names.

    Own draws, because those of libraries differ from version to version. The MLP comes
    last: whatever is tuned there, attention and head start at the same values.
    """
    generator = torch.Generator().manual_seed(seed)
    row = families.find(family)
    ours = tuple(f".{x}." for x in (row.gate, row.up, row.down) if x is not None)

    def place(name: str) -> tuple[bool, str]:
        return any(part in name for part in ours), name

    weights = trainable(model)
    for name in sorted(weights, key=place):
        weight = weights[name]
        start = torch.zeros(weight.shape, dtype=torch.float32)
        if ".lora_A." in name:
            start.normal_(0.0, INITIAL_STD, generator=generator)
        elif ".lora_B." not in name:  # the head: as nn.Linear starts
            bound = 1 / math.sqrt(weight.shape[-1])
            start.uniform_(-bound, bound, generator=generator)
        weight.data = start.to(weight.device)


def base_name(manifest: Mapping[str, Any], folder: Path) -> tuple[str, str | None]:
    """Name a base model as PEFT and transformers take it.

    Args:
        manifest: of the base model.
        folder: where it is pinned, as the job was told: relative to where the workflow
            runs, so that equal runs elsewhere give equal files and results can move.

    Returns:
        The hub's ``owner/name`` and its commit. For a model that is on no hub None as
        commit, and the folder that it was copied from, if that was given in full; else
        where it is pinned.
    """
    kind, _, name = str(manifest["source"]).partition(":")
    if kind == "hub":
        return name, str(manifest["revision"])
    if kind == "folder" and Path(name).is_absolute():
        return name, None
    return str(folder), None


def save(
    model: Any, adapter: Path, config: Path, manifest: Mapping[str, Any], folder: Path
) -> None:
    """Write the adapter and its head as stock PEFT files, atomically.

    Masked matrices are written whole; the model itself stays as it is.

    Args:
        model: from ``wrap``.
        adapter: ``.../adapter_model.safetensors``.
        config: ``.../adapter_config.json``.
        manifest: of the base model, which the configuration names; see ``base_name``.
        folder: of the base model.
    """
    entry = model.peft_config["default"]
    entry.base_model_name_or_path, entry.revision = base_name(manifest, folder)
    adapter.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=adapter.parent, prefix=".saving-") as scratch:
        # The vocabulary never changes; asking the hub about it would need a network.
        model.save_pretrained(
            scratch,
            state_dict=masking.stock_state(model),
            save_embedding_layers=False,
        )
        settings = files.read_json(Path(scratch) / CONFIG)
        with files.atomic(adapter) as part:
            (Path(scratch) / ADAPTER).replace(part)
    # PEFT keeps module names in sets, whose order changes from run to run, and lists
    # the head of a classifier twice.
    for key in ("target_modules", "modules_to_save"):
        if isinstance(settings[key], list):
            settings[key] = sorted(set(settings[key]))
    files.write_json(config, dict(sorted(settings.items())))
