"""Models from GGUF files: weights and tokenizer as transformers converts them.

What it makes of the tokenizer is checked: versions before 5.23 read Gemma's without its
merges, or without BOS, and a model that reads other tokens than it has learnt is none.
"""

from __future__ import annotations

import importlib
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from langneurons.config.errors import DataError
from langneurons.config.user_paths import expand
from langneurons.jobs import files

from . import folders

ADDS_BOS, BOS = "tokenizer.ggml.add_bos_token", "tokenizer.ggml.bos_token_id"
"""Keys of a GGUF file."""
TRIED = 500
"""Pieces of the vocabulary that are encoded, at most."""
WHOLE = 0.5
"""Share of these that must be one token again: all but a few of a sound tokenizer."""


def convert(source: Mapping[str, Any], dtype: str, part: Path) -> tuple[str, str]:
    """Dequantise a GGUF file; a 270 M model takes about a minute and 3.2 GB.

    Args:
        source: its ``path``, or the ``package`` that has it; ``sha256`` of the file.
        dtype: of the weights that are saved.
        part: folder for them.

    Returns:
        What the model is called in its manifest, and its revision.

    Raises:
        DataError: there is no such file, it is damaged or another one, or transformers
            reads its tokenizer wrongly.
    """
    with tempfile.TemporaryDirectory(dir=part.parent, prefix=".gguf") as scratch:
        path, label = _file(source, Path(scratch))
        found = files.sha256(path)
        if source.get("sha256") not in (None, found):
            raise DataError(
                f"{label}: its sha256 is {found}, but the catalogue says "
                f"{source['sha256']}. Is it another version of the file?"
            )
        folders.require("gguf", "a GGUF model")
        folders.require("accelerate", "a GGUF model")
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

        folders.quiet()
        place = {
            "pretrained_model_name_or_path": str(path.parent),
            "gguf_file": path.name,
        }
        try:
            # Without dequantize the weights stay packed and cannot be saved.
            model, info = AutoModelForCausalLM.from_pretrained(
                **place,
                dtype=getattr(torch, dtype),
                quantization_config=GgufConfig(dequantize=True),
                output_loading_info=True,
            )
            tokenizer = AutoTokenizer.from_pretrained(**place)
        # Readers of a damaged file fail in many ways (struct.error, KeyError, ...).
        except Exception as error:
            said = (str(error).strip().splitlines() or ["no reason given"])[0]
            raise DataError(
                f"{label}: cannot be converted ({type(error).__name__}: {said}). Is "
                "the file whole, and its architecture one that transformers converts?"
            ) from error
        if info["missing_keys"]:
            # They would be drawn at random and saved as if they were the model's.
            some = ", ".join(sorted(info["missing_keys"])[:3])
            raise DataError(
                f"{label}: {len(info['missing_keys'])} weights are not in the file, "
                f"for example {some}. Is it the whole model, not a part of it?"
            )
        _check_beginning(tokenizer, path, label)
        _check_pieces(tokenizer, label)
        model.save_pretrained(part)
        tokenizer.save_pretrained(part)
    return label, f"sha256:{found}"


def _file(source: Mapping[str, Any], scratch: Path) -> tuple[Path, str]:
    """Find the GGUF file, or have its package put it together in ``scratch``."""
    if source.get("path"):
        path = Path(expand(source["path"]))
        if not path.is_file():
            raise DataError(f"GGUF file {path} does not exist")
        if folders.is_lfs_pointer(path):
            raise DataError(f"GGUF file {path}: {files.IS_POINTER}")
        with path.open("rb") as handle:
            start = handle.read(4)
        if start != b"GGUF":
            raise DataError(
                f"GGUF file {path}: no GGUF file; it begins with {start!r}. Get it "
                "anew from where the model comes from."
            )
        return path, f"gguf:{path.name}"
    package = str(source["package"])
    module = package.replace("-", "_")
    folders.require(module, f"the GGUF model of package {package!r}")
    assemble = getattr(importlib.import_module(module), "assemble", None)
    if assemble is None:
        raise DataError(f"package {package!r} has no function assemble(path)")
    try:
        return Path(assemble(scratch / "model.gguf")), f"package:{package}"
    except (OSError, ValueError) as error:
        raise DataError(f"package {package!r}: {error}. Reinstall it.") from error


def _check_beginning(tokenizer: Any, path: Path, label: str) -> None:
    """Refuse a tokenizer that puts no BOS in front although the file says so."""
    from gguf import GGUFReader

    fields = GGUFReader(path).fields
    if ADDS_BOS not in fields or not fields[ADDS_BOS].contents():
        return
    wanted = fields[BOS].contents() if BOS in fields else tokenizer.bos_token_id
    made = tokenizer("a").input_ids
    if made[:1] != [wanted]:
        raise DataError(
            f"{label}: texts are to begin with token {wanted} (BOS), but those of the "
            f"tokenizer that transformers reads begin with {made[:1]}; {_version()}"
        )


def _check_pieces(tokenizer: Any, label: str) -> None:
    """Refuse a tokenizer that takes the words of its own vocabulary to pieces."""
    words = []
    step = max(1, len(tokenizer) // (20 * TRIED))
    for token in range(0, len(tokenizer), step):
        text = tokenizer.decode([token])
        if len(text) > 3 and text.strip().isalpha():
            words.append((token, text))
    if not words:
        return
    words = words[:: max(1, len(words) // TRIED)]
    made = tokenizer([text for _, text in words], add_special_tokens=False).input_ids
    whole = sum(ids == [token] for ids, (token, _) in zip(made, words, strict=True))
    if whole < WHOLE * len(words):
        raise DataError(
            f"{label}: only {whole} of {len(words)} words of its vocabulary are one "
            f"token to the tokenizer that transformers reads; {_version()}"
        )


def _version() -> str:
    import transformers

    return (
        f"transformers {transformers.__version__} converts this file wrongly (Gemma's "
        "needs 5.23 or newer); update it, or give the model's own folder or repository"
    )
