"""Whether a model's files are whole, and the model that config.json describes.

Everything is told from small files and from the headers of the weights, so that a model
that cannot be used is refused when it is fetched, not by a job on a GPU days later. No
weight is read.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from langneurons.config.errors import DataError
from langneurons.jobs import files

from . import folders, tokenizing

WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"

FLOATS = ("F64", "F32", "F16", "BF16")
"""Formats of numbers, in the words of safetensors, that are not quantised."""

# Parts of names of weights that only quantised models have: GPTQ and AWQ; FP8 and
# compressed-tensors; bitsandbytes.
QUANTISED = re.compile(
    r"\.(qweight|qzeros|scales|g_idx|weight_(scale|scale_inv|packed|shape|zero_point)"
    r"|input_scale|k_scale|v_scale|SCB|weight_format|absmax|quant_map)$|\.quant_state\."
)
HEADS = re.compile(r"^(score|classifier|qa_outputs|v_head|value_head)\.")
# Tables that are computed anew: masks, rotary frequencies and sinusoidal positions.
COMPUTED = re.compile(
    r"rotary_emb\.inv_freq$|(^|\.)position_ids$|\.(attn|attention)\.(masked_)?bias$"
    r"|(^|\.)embed_positions\.weights$"
)
# What files call the output layer of GPT-NeoX, which transformers renames.
OUTPUT = re.compile(r"^embed_out\.")
FULL = (
    "Give the model in full precision; the workflow makes its own 4-bit weights "
    "(quantization: nf4)"
)


@dataclass(frozen=True)
class Weight:
    """What a header says of one weight: its file, its format and its shape."""

    file: str
    dtype: str
    shape: tuple[int, ...]


def check(folder: Path, names: Sequence[str], family: str, where: str) -> None:
    """Refuse a folder whose files are not a usable model.

    Args:
        folder: in the Hugging Face layout.
        names: of its files that are part of the model.
        family: of the catalogue.
        where: the model's source, for messages.

    Raises:
        DataError: names the file, what is wrong with it and what helps.
    """
    require_content(folder, names, where)
    config = folders.read_config(folder, family)
    require_full_precision(config, where)
    require_names(names, where)
    found = weights(folder, where)
    compare(folder, found, where)
    check_small(folder, names, where)


def check_small(folder: Path, names: Sequence[str], where: str) -> None:
    """Refuse what the small files show: sizes that are absent, or the tokenizer."""
    for name in names:
        if name.endswith(".json"):
            folders.read_object(folder / name)
    rows = folders.describe(folder)["vocab_size"]
    tokenizing.require_fit(tokenizing.load_tokenizer(folder), rows, where)


def require_content(folder: Path, names: Sequence[str], where: str) -> None:
    """Refuse files that Git has not downloaded."""
    pointers = [name for name in names if folders.is_lfs_pointer(folder / name)]
    if pointers:
        raise DataError(f"{where}: {', '.join(pointers)}: {files.IS_POINTER}")


def require_full_precision(config: dict[str, Any], where: str) -> None:
    """Refuse a configuration that says the weights are quantised."""
    for key in ("quantization_config", "compression_config"):
        saved = config.get(key)
        if saved is not None:
            kind = saved.get("quant_method") if isinstance(saved, dict) else None
            raise DataError(
                f"{where}: config.json has {key} ({kind or saved}): its weights are "
                f"quantised already. {FULL}"
            )


def require_names(names: Sequence[str], where: str) -> None:
    """Refuse a list of files that lacks weights in a form that is read."""
    if WEIGHTS in names or INDEX in names:
        return
    found = [name for name in names if name.endswith(".safetensors")]
    if found:
        raise DataError(
            f"{where}: has {found[0]}, but neither {WEIGHTS} nor {INDEX}, which says "
            "what is in which file. Save the model anew with save_pretrained."
        )
    raise DataError(
        f"{where}: no model*.safetensors weights; pickled weights (*.bin, *.pth) are "
        "not read, because loading them can run code. Convert them with "
        "save_pretrained first, or pin a revision that has safetensors."
    )


def shards(folder: Path, names: Sequence[str], where: str) -> dict[str, str]:
    """Read which file holds which weight; empty where one file holds all.

    Args:
        folder: with the index.
        names: of all files of the model, also of those that are not here yet.
        where: the model's source, for messages.

    Raises:
        DataError: the index is damaged, or a file that it names is absent.
    """
    # As transformers: where both are there, the index is not read.
    if WEIGHTS in names:
        return {}
    found = folders.read_object(folder / INDEX).get("weight_map")
    texts = isinstance(found, dict) and all(isinstance(v, str) for v in found.values())
    if not found or not texts:
        raise DataError(
            f"{where}: {INDEX} has no weight_map from names of weights to files. Get "
            "this file anew from where the model comes from."
        )
    absent = sorted(set(found.values()) - set(names))
    if absent:
        raise DataError(
            f"{where}: {len(absent)} of {len(set(found.values()))} files of weights "
            f"that {INDEX} names are absent: {_some(absent)}. Was the download "
            "interrupted? Get them from where the model comes from."
        )
    return dict(found)


def weights(folder: Path, where: str) -> dict[str, Weight]:
    """Read the headers of all files of weights.

    Raises:
        DataError: a file is cut or no safetensors file, or lacks what the index says.
    """
    names = [path.name for path in folder.glob("model*")]
    index = shards(folder, names, where)
    found: dict[str, Weight] = {}
    for name in sorted(set(index.values())) or [WEIGHTS]:
        found |= _header(folder / name, where)
    absent = sorted(key for key, name in index.items() if key not in found)
    if absent:
        name = index[absent[0]]
        raise DataError(
            f"{where}: {INDEX} says that {name} holds {_some(absent)}, but it does "
            "not. Are index and weights of the same model? Get both anew."
        )
    return found


def _header(path: Path, where: str) -> dict[str, Weight]:
    from safetensors import SafetensorError, safe_open

    found = {}
    try:
        with safe_open(str(path), framework="numpy") as handle:
            for key in handle.keys():  # noqa: SIM118 - it is no mapping
                part = handle.get_slice(key)
                shape = tuple(part.get_shape())
                found[key] = Weight(path.name, str(part.get_dtype()), shape)
    except (SafetensorError, OSError, ValueError) as error:
        raise DataError(
            f"{where}: {path.name}: cut short or no safetensors file "
            f"({path.stat().st_size:,} bytes; {error}). Get this file anew from where "
            "the model comes from."
        ) from error
    return found


def compare(folder: Path, found: dict[str, Weight], where: str) -> None:
    """Compare the weights in the files with the model that config.json describes.

    Raises:
        DataError: quantised weights, another head, a weight that is absent, of another
            shape, or of no use to the model.
    """
    model = _skeleton(folder, where)
    # Checkpoints of the decoder alone have names without its prefix.
    prefix = f"{model.base_model_prefix}."
    wanted = {
        key.removeprefix(prefix): tuple(value.shape)
        for key, value in model.state_dict().items()
    }
    tied = {key.removeprefix(prefix) for key in model.all_tied_weights_keys}
    have = {OUTPUT.sub("lm_head.", k.removeprefix(prefix)): w for k, w in found.items()}
    extra = sorted(
        key for key in have if key not in wanted and not COMPUTED.search(key)
    )
    _refuse_quantised(have, wanted, extra, where)
    missing = sorted(set(wanted) - set(have) - tied)
    _refuse_heads(missing, extra, where)
    if missing:
        raise DataError(
            f"{where}: {len(missing)} weights that config.json asks for "
            f"({type(model).__name__}) are in no file: {_some(missing)}. Is "
            "config.json that of these weights, and is every file there?"
        )
    for key, shape in sorted(wanted.items()):
        if key in have and have[key].shape != shape:
            raise DataError(
                f"{where}: {have[key].file}: {key} has shape {list(have[key].shape)}, "
                f"but config.json asks for {list(shape)}. Were weights changed (for "
                "example embeddings resized) and config.json not? Save both together "
                "with save_pretrained."
            )
    if extra:
        raise DataError(
            f"{where}: {have[extra[0]].file}: {len(extra)} weights have no place in "
            f"the model of config.json ({type(model).__name__}) and would be left "
            f"out: {_some(extra)}. Is config.json that of these weights?"
        )


def _skeleton(folder: Path, where: str) -> Any:
    """Make the model that config.json describes, with shapes but without numbers."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    folders.quiet()
    try:
        config = AutoConfig.from_pretrained(
            str(folder), local_files_only=True, trust_remote_code=False
        )
        with torch.device("meta"):
            return AutoModelForCausalLM.from_config(config, trust_remote_code=False)
    # Each key of a configuration fails in its own way: TypeError, KeyError, others.
    except Exception as error:
        said = (str(error).strip().splitlines() or ["no reason given"])[0]
        raise DataError(
            f"{where}: config.json describes no model that can be made "
            f"({type(error).__name__}: {said}). Get this file anew from where the "
            "model comes from."
        ) from error


def _refuse_quantised(
    have: dict[str, Weight],
    wanted: dict[str, tuple[int, ...]],
    extra: Sequence[str],
    where: str,
) -> None:
    for key in extra:
        if QUANTISED.search(key):
            raise DataError(
                f"{where}: {have[key].file} holds {key}: its weights are quantised "
                f"already. {FULL}"
            )
    for key, weight in sorted(have.items()):
        if key in wanted and weight.dtype not in FLOATS:
            raise DataError(
                f"{where}: {weight.file}: {key} holds numbers of the format "
                f"{weight.dtype}; {', '.join(FLOATS)} are read. {FULL}"
            )


def _refuse_heads(missing: Sequence[str], extra: Sequence[str], where: str) -> None:
    """Refuse models that are not, or no longer, language models."""
    heads = [key for key in extra if HEADS.search(key)]
    if heads:
        raise DataError(
            f"{where}: holds {heads[0]}: a model with a head for another task, such "
            "as classification. A language model is needed: tasks are answered in "
            "words, and each task trains its own head. Give the model that it was "
            "made from."
        )
    if list(missing) == ["lm_head.weight"]:
        raise DataError(
            f"{where}: no output layer (lm_head.weight), and config.json does not say "
            "that it is the embeddings (tie_word_embeddings): a decoder without its "
            "head, such as an embedding model. Perplexity and answers need a language "
            "model; save it as AutoModelForCausalLM."
        )


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (" ..." if len(names) > 3 else "")
