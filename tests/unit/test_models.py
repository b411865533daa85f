"""Loading: heads, missing weights, padding tokens, families, 4-bit weights."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from transformers import PreTrainedTokenizerFast

import tiny_models
from langneurons.config.errors import DataError
from langneurons.jobs.files import sha256, write_json
from langneurons.nn.models import families, folders, loading

WORDS = [f"w{i}" for i in range(30)]


def save_tokenizer(
    folder: Path, extra: list[str], more: list[str] | None = None, **special: str
) -> None:
    """Save a word-level tokenizer; ``extra`` tokens come first, ``more`` words last."""
    words = [*extra, "<unk>", *WORDS, *(more or [])]
    vocab = {word: i for i, word in enumerate(words)}
    tokenizer = Tokenizer(WordLevel(vocab, unk_token="<unk>"))
    tokenizer.pre_tokenizer = Whitespace()
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="<unk>", padding_side="left", **special
    )
    fast.save_pretrained(folder)


def save_model(folder: Path, family: str, **changes: Any) -> Any:
    """Save a tiny language model with tokenizer and manifest; return the model."""
    model = tiny_models.build(family, "causal", **changes)
    model.save_pretrained(folder)
    save_tokenizer(folder, ["<pad>", "<s>", "</s>"], bos_token="<s>", eos_token="</s>")
    return model


@pytest.mark.parametrize("family", tiny_models.CLASSIFIERS)
def test_all_heads_share_the_saved_backbone(tmp_path: Path, family: str) -> None:
    saved = save_model(tmp_path, family)
    ids = tiny_models.tokens()
    base = loading.load_base(tmp_path)
    causal = loading.load_causal(tmp_path)
    torch.manual_seed(3)
    classifier = loading.load_classifier(tmp_path, 3)
    assert not any(m.training for m in (base, causal, classifier))
    assert causal.dtype == torch.float32
    with torch.inference_mode():
        torch.testing.assert_close(causal(ids).logits, saved(ids).logits)
        hidden = base(ids).last_hidden_state
        scores = classifier(ids).logits
        expected = classifier.score(hidden[:, -1])
    assert tuple(classifier.score.weight.shape) == (3, tiny_models.HIDDEN)
    assert classifier.config.pad_token_id == 0
    torch.testing.assert_close(scores, expected)


def test_the_head_depends_on_the_seed_only(tmp_path: Path) -> None:
    save_model(tmp_path, "llama")
    heads = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        heads.append(loading.load_classifier(tmp_path, 3).score.weight)
    assert torch.equal(heads[0], heads[1])
    assert not torch.equal(heads[0], heads[2])


def test_a_missing_backbone_weight_is_refused(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    save_model(tmp_path, "llama")
    path = tmp_path / "model.safetensors"
    weights = load_file(path)
    del weights["model.layers.1.mlp.gate_proj.weight"]
    save_file(weights, path, metadata={"format": "pt"})
    for load in (loading.load_base, loading.load_causal, loading.load_classifier):
        with pytest.raises(DataError, match=r"1 weights.*gate_proj"):
            load(tmp_path)


def test_pickled_weights_are_not_read(tmp_path: Path) -> None:
    model = save_model(tmp_path, "llama")
    (tmp_path / "model.safetensors").unlink()
    torch.save(model.state_dict(), tmp_path / "pytorch_model.bin")
    with pytest.raises(DataError, match="cannot be loaded"):
        loading.load_base(tmp_path)


def test_dtype_is_the_manifests_unless_given(tmp_path: Path) -> None:
    save_model(tmp_path, "llama")
    (tmp_path / "manifest.json").write_text(json.dumps({"dtype": "bfloat16"}))
    assert loading.load_base(tmp_path).dtype == torch.bfloat16
    assert loading.load_base(tmp_path, dtype=torch.float32).dtype == torch.float32
    assert loading.load_base(tmp_path, dtype="float32").dtype == torch.float32


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_kernels_of_attention_are_those_asked_for(
    tmp_path: Path, attention: str
) -> None:
    save_model(tmp_path, "llama")
    for load in (loading.load_base, loading.load_causal, loading.load_classifier):
        model = load(tmp_path, attention=attention)
        assert model.config._attn_implementation == attention


def test_flash_attention_is_refused_before_weights_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_model(tmp_path, "llama")
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(DataError, match="flash_attention_2 needs a GPU.*use sdpa"):
        loading.load_base(tmp_path, "cpu", attention="flash_attention_2")
    monkeypatch.setattr(folders.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(DataError, match="pip install flash_attn"):
        loading.load_base(tmp_path, "cuda", attention="flash_attention_2")


def test_kernels_that_an_architecture_has_not_are_an_error(tmp_path: Path) -> None:
    save_model(tmp_path, "bloom")
    with pytest.raises(DataError, match="cannot be loaded"):
        loading.load_base(tmp_path, attention="sdpa")


def test_family_must_match_the_config(tmp_path: Path) -> None:
    save_model(tmp_path, "mistral")
    assert folders.read_config(tmp_path, "mistral")["model_type"] == "mistral"
    with pytest.raises(DataError, match="Set family: mistral"):
        folders.read_config(tmp_path, "llama")
    with pytest.raises(DataError, match="did you mean 'mistral'"):
        folders.read_config(tmp_path, "mistrall")
    (tmp_path / "config.json").write_text('{"model_type": "gemma3"}')
    with pytest.raises(DataError, match="image-and-text"):
        folders.read_config(tmp_path, "gemma3")
    (tmp_path / "config.json").write_text('{"model_type": "t5"}')
    with pytest.raises(DataError, match="Known families"):
        folders.read_config(tmp_path, "gemma3")
    with pytest.raises(DataError, match=r"no config\.json"):
        folders.read_config(tmp_path / "absent", "llama")


@pytest.mark.parametrize("family", tiny_models.FAMILIES)
def test_description_agrees_with_the_modules(tmp_path: Path, family: str) -> None:
    from langneurons.nn.models import architectures

    model = save_model(tmp_path, family)
    sites = architectures.mlp_sites(model, family)
    found = folders.describe(tmp_path)
    assert found["layers"] == tiny_models.LAYERS == len(sites.layers)
    assert found["hidden_size"] == tiny_models.HIDDEN
    assert found["intermediate_size"] == sites.width
    assert found["quantization"] == "none"


def test_a_description_does_not_depend_on_the_row_of_its_family(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The row is in neither the spec nor the code hash of the job that pins a model."""
    save_model(tmp_path, "bloom")
    before = folders.describe(tmp_path)
    row = replace(families.FAMILIES["bloom"], activation="=relu")
    monkeypatch.setitem(families.FAMILIES, "bloom", row)
    assert folders.describe(tmp_path) == before


@pytest.mark.parametrize(
    ("extra", "special", "expected"),
    [
        (["<|finetune_right_pad_id|>", "<pad>"], {}, "<|finetune_right_pad_id|>"),
        (["<pad>"], {}, "<pad>"),
        (["<own>", "<pad>"], {"pad_token": "<own>"}, "<own>"),
        (["<|fim_pad|>"], {"pad_token": "</s>"}, "<|fim_pad|>"),
        ([], {}, "</s>"),
    ],
)
def test_padding_token(
    tmp_path: Path,
    extra: list[str],
    special: dict[str, str],
    expected: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    save_tokenizer(tmp_path, [*extra, "</s>"], eos_token="</s>", **special)
    tokenizer = loading.load_tokenizer(tmp_path)
    assert tokenizer.pad_token == expected
    assert tokenizer.padding_side == "right"
    assert ("no token is reserved" in caplog.text) == (expected == "</s>")
    assert len(tokenizer) == len(extra) + 1 + 1 + len(WORDS), "no token was added"


def test_a_tokenizer_without_any_padding_is_refused(tmp_path: Path) -> None:
    save_tokenizer(tmp_path, [])
    with pytest.raises(DataError, match="neither a padding nor an end-of-text"):
        loading.load_tokenizer(tmp_path)
    with pytest.raises(DataError, match="no usable tokenizer"):
        loading.load_tokenizer(tmp_path / "absent")


@pytest.mark.parametrize("family", tiny_models.FAMILIES)
def test_the_saved_tokenizer_is_not_replaced(tmp_path: Path, family: str) -> None:
    """AutoTokenizer gives no tokens at all for this one in a Qwen2 folder."""
    save_model(tmp_path, family)
    tokenizer = loading.load_tokenizer(tmp_path)
    assert tokenizer("w0 w2")["input_ids"] == [4, 6]
    assert (tokenizer.bos_token_id, tokenizer.eos_token_id) == (1, 2)


def test_a_tokenizer_of_another_model_is_refused(tmp_path: Path) -> None:
    save_model(tmp_path, "llama", vocab_size=33)
    save_tokenizer(tmp_path, ["<s>", "</s>"], pad_token="padding")
    with pytest.raises(DataError, match="padding token has id 33"):
        loading.load_classifier(tmp_path, 3)


def test_encoder_adds_nothing(tmp_path: Path) -> None:
    save_tokenizer(tmp_path, ["<s>", "</s>"], bos_token="<s>", eos_token="</s>")
    encode = loading.encoder(loading.load_tokenizer(tmp_path))
    assert encode(["w0 w2", "w1"]) == [[3, 5], [4]]
    assert encode([]) == []


def test_manifest_functions_do_without_torch() -> None:
    code = (
        "import sys; from langneurons.nn.models import fetching, loading, quantising; "
        "print('torch' in sys.modules, 'transformers' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(Path(loading.__file__).parents[3])},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["False", "False"]


def test_absent_packages_are_named() -> None:
    with pytest.raises(DataError, match="pip install no_such_package"):
        folders.require("no_such_package", "this test")


@pytest.mark.parametrize(
    ("gpus", "gigabytes", "expected"),
    [(0, 3, {"": "cuda"}), (2, 3, {"": "cuda"}), (2, 5, "balanced")],
)
def test_large_weights_are_split_over_the_gpus_of_the_job(
    gpus: int,
    gigabytes: int,
    expected: object,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with (tmp_path / "model.safetensors").open("wb") as handle:
        handle.truncate(gigabytes * 10**9)  # a hole, not a file of that size
    facts = SimpleNamespace(total_memory=10 * 10**9)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: facts)
    assert loading.placement(tmp_path, "cuda") == expected
    assert loading.placement(tmp_path, "cpu") == {"": "cpu"}


def test_a_70b_model_is_cut_between_layers() -> None:
    from accelerate import infer_auto_device_map, init_empty_weights
    from accelerate.utils import get_balanced_memory
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        hidden_size=8192, intermediate_size=28672, num_hidden_layers=80,
        num_attention_heads=64, num_key_value_heads=8, vocab_size=128256,
    )  # fmt: skip
    with init_empty_weights():
        model = LlamaForCausalLM(config).to(torch.bfloat16)
    whole = ["LlamaDecoderLayer"]
    limit = dict.fromkeys(range(4), 72 * 10**9)  # four GPUs without quantisation
    memory = get_balanced_memory(model, limit, no_split_module_classes=whole)
    places = infer_auto_device_map(model, memory, no_split_module_classes=whole)
    assert set(places.values()) == {0, 1, 2, 3}
    layers = [places[f"model.layers.{i}"] for i in range(80)]
    assert layers == sorted(layers)


@pytest.mark.parametrize("damage", ["truncated", "one byte", "absent"])
def test_a_damaged_file_of_a_model_is_named(tmp_path: Path, damage: str) -> None:
    save_model(tmp_path, "llama")
    written = {path.name: sha256(path) for path in sorted(tmp_path.iterdir())}
    write_json(tmp_path / "manifest.json", {"files": written, "dtype": "float32"})
    loading.load_base(tmp_path)
    path = tmp_path / "model.safetensors"
    content = path.read_bytes()
    path.unlink()
    if damage == "truncated":
        path.write_bytes(content[: len(content) // 2])
    elif damage == "one byte":
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(DataError, match="model.safetensors: absent or damaged") as told:
        loading.load_base(tmp_path)
    assert "Delete" in str(told.value)
