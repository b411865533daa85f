"""Models and tokenizers as people have them on their disks."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from huggingface_hub.utils import validate_repo_id

import tiny_models
from langneurons.jobs import files
from langneurons.nn.models import loading
from langneurons.study.configuration import load
from langneurons.study.specs import Specs
from langneurons.tasks import xnli
from script_runs import POINTER, Bench, changed, write_text
from test_models import WORDS, save_model, save_tokenizer
from test_tokenizing import sequences

CONTROL = ["<pad>", "<s>", "</s>"]
NAMED = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>"}


def tokenizer(folder: Path, *more: str, **named: str) -> Any:
    """Save a tokenizer of 34 words and more, and load it as a job does."""
    save_tokenizer(folder, CONTROL, list(more), **(named or NAMED))
    return loading.load_tokenizer(folder)


@pytest.mark.case("Weights that are Git LFS pointers are refused when fetched")
def test_weights_not_downloaded(bench: Bench) -> None:
    folder = bench.folder / "clone"
    save_model(folder, "llama")
    (folder / "model.safetensors").write_text(POINTER)
    told, manifest = bench.pin(folder)
    told.refused(str(folder), "model.safetensors", "Git LFS pointer", "git lfs pull")
    assert not manifest.parent.exists()


@pytest.mark.case("Tokens without an embedding are refused before the model runs")
def test_ids_beyond_embeddings(bench: Bench) -> None:
    folder = bench.folder / "added"
    save_model(folder, "llama", vocab_size=40)
    tokenizer(folder, *(f"new{i}" for i in range(10)))
    told, _ = bench.pin(folder)
    told.refused("4 tokens without an embedding", "'new9' is token 43", "0 to 39")


@pytest.mark.case("Control tokens spelled in a text are its characters")
def test_special_tokens_in_text(tmp_path: Path) -> None:
    loaded = tokenizer(tmp_path)
    (ids,) = loading.encoder(loaded)(["w1 </s> w2 <s> w3"])
    assert not {loaded.bos_token_id, loaded.eos_token_id} & set(ids)
    assert [i for i in ids if i != loaded.unk_token_id] == loaded.convert_tokens_to_ids(
        ["w1", "w2", "w3"]
    )
    pair = {"id": 0, "premise": "w1 </s> w2", "hypothesis": "w3", "label": 0}
    given = xnli.Parameters(pool="last_real_token", separator="eos", max_length=16)
    (found,) = sequences(loaded, [pair], given)
    assert found.count(loaded.eos_token_id) == 1, "the separator alone"


@pytest.mark.case("Truncation that tokenizer.json was saved with cuts nothing")
def test_saved_truncation(tmp_path: Path) -> None:
    tokenizer(tmp_path)
    path = tmp_path / "tokenizer.json"
    cut = {"direction": "Right", "max_length": 4, "strategy": "LongestFirst"}
    raw = json.loads(path.read_text()) | {"truncation": cut | {"stride": 0}}
    path.write_text(json.dumps(raw))
    loaded = loading.load_tokenizer(tmp_path)
    text = " ".join(WORDS)
    assert len(loading.encoder(loaded)([text])[0]) == len(WORDS)
    assert len(loaded([text])["input_ids"][0]) >= len(WORDS)


@pytest.mark.case("A SentencePiece file alone, or no tokenizer: it says what is absent")
def test_sentencepiece_only(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = bench.folder / "whole"
    save_model(whole, "llama")
    for path in whole.glob("*token*"):
        path.unlink()
    told, _ = bench.pin(whole)
    told.refused("no usable tokenizer", "tokenizer.json")
    piece = b"\n\x0e\n\x05<unk>\x15\x00\x00\x00\x00\x18\x02"
    blank = b"\n\r\n\x02\xe2\x96\x81\x15\x00\x00\x80\xbf"
    (whole / "tokenizer.model").write_bytes(piece + blank)
    settings = {"tokenizer_class": "LlamaTokenizer", "bos_token": "<s>"}
    (whole / "tokenizer_config.json").write_text(json.dumps(settings))
    told, _ = bench.pin(whole)
    error = told.refused("tokenizer")
    assert "sentencepiece" in next(
        line for line in error.lower().splitlines() if line.startswith("error:")
    )


@pytest.mark.case("A family that is not supported is refused by name, with the list")
@pytest.mark.parametrize(
    "kind", ["phi3", "mixtral", "qwen2_moe", "gemma3", "llama4_text", "olmo2"]
)
def test_other_architectures(bench: Bench, kind: str) -> None:
    """Gemma 3 with images is another than that of text; OLMo 2 is a family of its own.

    Both would be read as a Llama, as the configuration calls it.
    """
    folder = bench.folder / kind
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"model_type": kind}))
    (folder / "model.safetensors").write_bytes(b"")
    told, _ = bench.pin(folder)
    told.refused(kind, "famil")


@pytest.mark.case("Pickled weights are not read; it says that they are pickled")
def test_pickled_weights(bench: Bench) -> None:
    folder = bench.folder / "pickle"
    save_model(folder, "llama")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    told, _ = bench.pin(folder)
    told.refused("safetensors", "pickled")


@pytest.mark.case("Shards, tied weights, torch_dtype and no BOS are read and measured")
@pytest.mark.parametrize(
    ("family", "changes"),
    [
        ("llama", {"tie_word_embeddings": True}),
        ("qwen2", {"use_sliding_window": False, "sliding_window": 8}),
        ("gemma3", {"head_dim": 4}),
    ],
)
def test_usual_forms(bench: Bench, family: str, changes: dict[str, Any]) -> None:
    folder = bench.folder / family
    built = tiny_models.build(family, **changes)
    built.save_pretrained(folder, max_shard_size="8KB")
    assert len(list(folder.glob("model-*.safetensors"))) > 1
    raw = json.loads((folder / "config.json").read_text())
    raw["torch_dtype"] = raw.pop("dtype", "float32")  # as older versions write it
    (folder / "config.json").write_text(json.dumps(raw))
    tokenizer(folder, eos_token="</s>", pad_token="<pad>")
    told, manifest = bench.pin(folder, family)
    told.fine()
    told, tokens = bench.tokenise(manifest, write_text(bench.folder / "en.txt"))
    told.fine()
    bench.measure(manifest, tokens, family).fine()


@pytest.mark.case("PEFT opens a saved adapter by the base model that it names")
def test_adapter_for_others(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    from peft import AutoPeftModelForSequenceClassification

    folder = bench.folder / "base"
    save_model(folder, "llama")
    told, manifest = bench.pin(folder)
    told.fine()
    items = bench.folder / "train.jsonl"
    pairs = [{"id": i, "premise": "w1 w2", "hypothesis": "w3"} for i in range(6)]
    lines = [json.dumps(pair | {"label": pair["id"] % 3}) for pair in pairs]
    items.write_text("\n".join(lines) + "\n")
    training = {"rank": 2, "alpha": 4, "epochs": 1, "batch_size": 2}
    specs = Specs(load(changed(tasks={"xnli": {"training": training}})))
    chosen = SimpleNamespace(task="xnli", model="demo", tuning="attention", seed=1)
    out = bench.folder / "adapter"

    def tune() -> dict[str, Any]:
        """Tune, and return what the adapter says of itself."""
        written = {"adapter": out / "adapter_model.safetensors"}
        written |= {"config": out / "adapter_config.json", "log": out / "log.json"}
        spec = specs.tune_model(chosen)
        bench.script("tune_model", spec, model=manifest, items=items, **written).fine()
        return files.read_json(written["config"])

    said = tune()
    assert said["base_model_name_or_path"] == str(folder)
    assert said["revision"] is None
    AutoPeftModelForSequenceClassification.from_pretrained(str(out), num_labels=3)
    # A model of the hub, as its manifest says.
    raw = files.read_json(manifest) | {"source": "hub:owner/name", "revision": "0" * 40}
    manifest.write_text(json.dumps(raw))
    manifest.with_name(f"{manifest.name}.provenance.json").unlink()
    said = tune()
    validate_repo_id(said["base_model_name_or_path"])
    assert said["base_model_name_or_path"] == "owner/name"
    assert said["revision"] == "0" * 40


@pytest.mark.case("Weights of another shape than config.json says: name, both shapes")
def test_shapes_differ(bench: Bench) -> None:
    folder = bench.folder / "resized"
    save_model(folder, "llama", vocab_size=41)
    path = folder / "config.json"
    raw = json.loads(path.read_text())
    assert raw["vocab_size"] == 41
    path.write_text(json.dumps(raw | {"vocab_size": 40}))
    told, _ = bench.pin(folder)
    error = told.refused("embed_tokens", "[41, 16]", "[40, 16]")
    assert "above report" not in error
