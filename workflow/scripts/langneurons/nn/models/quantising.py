"""Quantise a pinned model once, so that later jobs load 4-bit weights in seconds.

nf4 with double quantisation and bf16 compute (Mondal et al. 2025, section 4).
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from langneurons.config.errors import DataError
from langneurons.jobs import files, manifests

from . import folders

# Heads stay in full precision: bitsandbytes spares only the last module by itself, and
# a 4-bit head that is absent from the files fails in the first forward pass.
SKIPPED = ("lm_head", "score", "qa_outputs")
WEIGHTS = (".safetensors", ".safetensors.index.json")


def nf4_config() -> Any:
    """Return the ``BitsAndBytesConfig`` of the paper."""
    import torch
    from transformers import BitsAndBytesConfig

    make: Any = BitsAndBytesConfig
    return make(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
        llm_int8_skip_modules=list(SKIPPED),
    )


def quantise(source: Path, target: Path, device: str = "cpu") -> dict[str, Any]:
    """Write an nf4 copy of a model folder, tokenizer included.

    Args:
        source: pinned model folder with a manifest.
        target: folder to write; it appears only when complete.
        device: ``cuda`` is much faster for large models; the last bits of the block
            scales may differ from ``cpu``.

    Returns:
        The manifest that was written to ``target``.
    """
    from transformers import AutoModelForCausalLM

    folders.require("bitsandbytes", "quantization: nf4")
    folders.require("accelerate", "quantization: nf4")
    needed = {"quantization": str, "files": dict}
    manifest = manifests.read_model(source / folders.MANIFEST, needed)
    if manifest["quantization"] != "none":
        raise DataError(
            f"{source}: already quantised ({manifest['quantization']}); give the "
            "pinned full-precision model"
        )
    folders.quiet()
    model = AutoModelForCausalLM.from_pretrained(
        str(source),
        dtype=manifest.get("dtype", "bfloat16"),
        quantization_config=nf4_config(),
        device_map={"": device},
        local_files_only=True,
        use_safetensors=True,
    )
    with files.atomic_folder(target) as part:
        model.save_pretrained(part)
        kept = {p.name for p in part.iterdir()}
        for path in sorted(source.iterdir()):
            is_weight = path.name.endswith(WEIGHTS)
            if (
                path.name in manifest["files"]
                and path.name not in kept
                and not is_weight
            ):
                shutil.copyfile(path, part / path.name)
        folders.share(part)
        written = {p.name: files.sha256(p) for p in sorted(part.iterdir())}
        manifest = manifest | folders.describe(part) | {"files": written}
        files.write_json(part / folders.MANIFEST, manifest)
    return manifest
