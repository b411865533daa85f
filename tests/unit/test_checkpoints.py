"""Models that cannot be used are refused when they are fetched, and say why."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

import tiny_models
from langneurons.config.errors import DataError
from langneurons.jobs import files
from langneurons.nn.models import fetching, folders, loading
from test_fetching import HUB, repository  # noqa: F401 - a fixture
from test_models import WORDS, save_model, save_tokenizer

POINTER = (
    "version https://git-lfs.github.com/spec/v1\n"
    f"oid sha256:{'0' * 64}\nsize 16060556376\n"
)
WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
GATE = "model.layers.1.mlp.gate_proj.weight"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A usable model in one file, and the same in several."""
    place = tmp_path_factory.mktemp("whole")
    model = save_model(place / "one", "llama")
    model.save_pretrained(place / "several", max_shard_size="8KB")
    for path in (place / "one").glob("*token*"):
        shutil.copyfile(path, place / "several" / path.name)
    assert len(list((place / "several").glob("model-*"))) > 2
    return {"one": place / "one", "several": place / "several"}


def pin(folder: Path, family: str = "llama", dtype: str = "float32") -> dict[str, Any]:
    entry = {"family": family, "dtype": dtype, "folder": str(folder)}
    return fetching.fetch("m", entry, folder.parent / "pinned")


def text(name: str, content: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).write_text(content, encoding="utf-8")


def config(**changes: Any) -> Callable[[Path], None]:
    """Change keys of config.json; None takes one out."""

    def change(folder: Path) -> None:
        path = folder / "config.json"
        raw = files.read_json(path) | changes
        raw = {key: value for key, value in raw.items() if value is not None}
        path.write_text(json.dumps(raw))

    return change


def weights(change: Callable[[dict[str, Any]], Any]) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        held = load_file(folder / WEIGHTS)
        change(held)
        save_file(held, folder / WEIGHTS, metadata={"format": "pt"})

    return apply


def add(name: str, *shape: int, dtype: Any = torch.float32) -> Any:
    return weights(lambda w: w.update({name: torch.zeros(shape, dtype=dtype)}))


def index(change: Callable[[dict[str, Any]], Any]) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        raw = files.read_json(folder / INDEX)
        change(raw)
        (folder / INDEX).write_text(json.dumps(raw))

    return apply


def cut(folder: Path) -> None:
    content = (folder / WEIGHTS).read_bytes()
    (folder / WEIGHTS).write_bytes(content[: len(content) // 2])


def without_tokenizer(folder: Path) -> None:
    for path in folder.glob("*token*"):
        path.unlink()


def words(*more: str) -> Callable[[Path], None]:
    """Another tokenizer: 34 words of the model's 40, and more."""

    def save(folder: Path) -> None:
        without_tokenizer(folder)
        special = {"bos_token": "<s>", "eos_token": "</s>"}
        save_tokenizer(folder, ["<pad>", "<s>", "</s>"], list(more), **special)

    return save


def quantised(**settings: Any) -> Callable[[Path], None]:
    return config(quantization_config=settings)


FP8 = weights(lambda w: w.update({GATE: w[GATE].to(torch.float8_e4m3fn)}))
INT8 = weights(lambda w: w.update({GATE: w[GATE].to(torch.int8)}))
HEAD = "for another task"

REFUSED: list[tuple[str, Callable[[Path], Any], str]] = [
    # What Git LFS leaves.
    ("one", text(WEIGHTS, POINTER), r"model\.safetensors: a Git LFS pointer.*lfs pull"),
    ("one", text("tokenizer.json", POINTER), r"tokenizer\.json: a Git LFS pointer"),
    ("one", text("config.json", POINTER), r"config\.json: a Git LFS pointer"),
    ("several", text("model-00002-of-00009.safetensors", POINTER), "LFS pointer"),
    # Shapes.
    ("one", config(vocab_size=41), r"embed_tokens.*\[40, 16\].*asks for \[41, 16\]"),
    ("one", config(intermediate_size=25), r"model\.safetensors: layers\.0\.mlp.*25"),
    ("one", config(num_key_value_heads=2), r"k_proj.*\[8, 16\].*\[16, 16\]"),
    # Files that are cut or something else.
    ("one", cut, r"model\.safetensors: cut short or no safetensors file"),
    ("one", text(WEIGHTS, ""), r"cut short or no safetensors file \(0 bytes"),
    ("one", text(WEIGHTS, "<html>Not found</html>" * 9), "no safetensors file"),
    ("one", text(WEIGHTS, "\0" * 64), "no safetensors file"),
    # Shards.
    ("several", lambda f: next(f.glob("model-*")).unlink(), "1 of .* files .* absent"),
    ("several", index(lambda i: i["weight_map"].update({"x": "model-9.safetensors"})),
     r"absent: model-9\.safetensors"),
    ("several", index(lambda i: i["weight_map"].update(
        {"extra": i["weight_map"][GATE]})), "holds extra, but it does not"),
    ("several", index(lambda i: i.pop("weight_map")), "no weight_map"),
    ("several", index(lambda i: i.update(weight_map={"x": 1})), "no weight_map"),
    ("several", text(INDEX, "[]"), "but of type list"),
    ("several", text(INDEX, '{"weight_map": {'), "not valid JSON"),
    ("several", lambda f: (f / INDEX).unlink(), "neither model.safetensors nor"),
    ("one", lambda f: (f / WEIGHTS).rename(f / "model.fp16.safetensors"),
     r"has model\.fp16\.safetensors, but neither"),
    # Weights that are absent, and weights that would be left out.
    ("one", weights(lambda w: w.pop(GATE)), "1 weights .* in no file: layers.1.mlp"),
    ("one", config(num_hidden_layers=3), "weights .* in no file: layers.2"),
    ("one", config(num_hidden_layers=1), "no place in the model.*: layers.1"),
    ("one", add("model.layers.0.self_attn.q_proj.bias", 16), "no place.*q_proj.bias"),
    # Quantised by other means, or already.
    ("one", quantised(quant_method="gptq", bits=4), "(?s)gptq.*quantised already"),
    ("one", quantised(quant_method="awq"), "awq.*full precision"),
    ("one", quantised(quant_method="fp8"), "fp8.*full precision"),
    ("one", quantised(quant_method="compressed-tensors"), "compressed-tensors"),
    ("one", quantised(quant_method="bitsandbytes", load_in_8bit=True), "bitsandbytes"),
    ("one", quantised(load_in_4bit=True), "load_in_4bit.*quantised already"),
    ("one", config(compression_config={"format": "x"}), "compression_config"),
    ("one", add("model.layers.0.mlp.gate_proj.qweight", 2, 2), "qweight: its weights"),
    ("one", add("model.layers.0.mlp.gate_proj.weight_scale", 1), "quantised already"),
    ("one", add("model.layers.0.mlp.gate_proj.SCB", 24), "quantised already"),
    ("one", add("model.layers.0.mlp.gate_proj.weight.absmax", 2), "quantised already"),
    ("one", FP8, "gate_proj.weight holds numbers of the format F8_E4M3"),
    ("one", INT8, "gate_proj.weight holds numbers of the format I8"),
    # Another head.
    ("one", add("score.weight", 3, 16), f"score.weight: a model with a head {HEAD}"),
    ("one", add("qa_outputs.bias", 2), HEAD),
    ("one", weights(lambda w: w.pop("lm_head.weight")), "no output layer"),
    # The configuration.
    ("one", text("config.json", "[]"), "config.json: not a file.*, but of type list"),
    ("one", text("config.json", "{"), r"config\.json: not valid JSON.*anew"),
    ("one", config(hidden_size="16"), "config.json.*hidden_size"),
    ("one", config(hidden_act="sillu"), "config.json describes no model.*sillu"),
    ("one", config(num_attention_heads=0), "config.json describes no model"),
    ("one", config(model_type=None), "model_type is 'None'"),
    ("one", text("generation_config.json", "["), "generation_config.json: not valid"),
    # Adapters.
    ("one", text("adapter_config.json", "{}"), "adapter beside the model.*merge"),
    # Tokenizers.
    ("one", without_tokenizer, "no usable tokenizer: there is none of tokenizer.json"),
    ("one", text("tokenizer.json", '{"model": {}}'), "no usable tokenizer"),
    ("one", words(*(f"new{i}" for i in range(10))),
     "4 tokens without an embedding: 'new9' is token 43.*0 to 39"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("which", "damage", "message"), REFUSED, ids=[m[:40] for _, _, m in REFUSED]
)
def test_unusable_models_are_refused_when_fetched(
    tmp_path: Path,
    whole: dict[str, Path],
    which: str,
    damage: Callable[[Path], Any],
    message: str,
) -> None:
    folder = shutil.copytree(whole[which], tmp_path / "source")
    damage(folder)
    with pytest.raises(DataError, match=message) as caught:
        pin(folder)
    assert str(folder) in str(caught.value)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["source"], "nothing is left"


@pytest.mark.parametrize("key", ["hidden_size", "num_hidden_layers", "vocab_size"])
def test_keys_that_the_configuration_lacks(tmp_path: Path, key: str) -> None:
    save_model(tmp_path / "source", "llama")
    folders.describe(tmp_path / "source")
    config(**{key: None})(tmp_path / "source")
    with pytest.raises(DataError, match=rf"config.json: no .*{key}"):
        folders.describe(tmp_path / "source")
    with pytest.raises(DataError):
        pin(tmp_path / "source")
    for value in ("16", 16.5, True, -1, [16]):
        config(**{key: value})(tmp_path / "source")
        with pytest.raises(DataError, match=f"{key} is .*whole number"):
            folders.describe(tmp_path / "source")


@pytest.mark.parametrize("head", ["base", "classifier"])
@pytest.mark.parametrize("family", ["llama", "qwen2", "gpt2"])
def test_other_heads(tmp_path: Path, family: str, head: str) -> None:
    """A decoder without its head is a language model where the head is tied (GPT-2)."""
    save_tokenizer(tmp_path / "source", ["</s>"], eos_token="</s>")
    tiny_models.build(family, head).save_pretrained(tmp_path / "source")
    if head == "base" and family == "gpt2":
        pin(tmp_path / "source", family)
        loading.load_causal(tmp_path / "pinned")
        return
    expected = HEAD if head == "classifier" else "no output layer"
    with pytest.raises(DataError, match=expected):
        pin(tmp_path / "source", family)


@pytest.mark.parametrize("family", tiny_models.FAMILIES)
@pytest.mark.parametrize("form", ["half", "shards", "bare", "tied"])
def test_usable_forms_of_every_family(tmp_path: Path, family: str, form: str) -> None:
    source = tmp_path / "source"
    if form == "tied":
        save_model(source, family, tie_word_embeddings=True)
    else:
        model = save_model(source, family)
    if form == "half":
        model.bfloat16().save_pretrained(source)
    elif form == "shards":
        (source / WEIGHTS).unlink()
        model.save_pretrained(source, max_shard_size="8KB")
    elif form == "bare":  # names without the decoder's prefix, and computed tables
        held = load_file(source / WEIGHTS)
        prefix = f"{model.base_model_prefix}."
        held = {key.removeprefix(prefix): value for key, value in held.items()}
        attention = {
            "gpt2": "h.0.attn.bias",
            "bloom": "h.0.self_attention.position_ids",
            "gpt_neox": "layers.0.attention.masked_bias",
            "xglm": "embed_positions.weights",
        }
        computed = attention.get(family, "layers.0.self_attn.rotary_emb.inv_freq")
        held[computed] = torch.zeros(4)
        save_file(held, source / WEIGHTS, metadata={"format": "pt"})
    manifest = pin(source, family)
    assert (manifest["vocab_size"], manifest["quantization"]) == (40, "none")
    assert manifest["positions"] == (None if family == "bloom" else 64)
    loading.load_causal(tmp_path / "pinned")


def test_positions_of_stretched_models(tmp_path: Path) -> None:
    save_model(tmp_path, "llama")
    found = []
    for scaling in (
        {"rope_type": "default"},
        {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 64},
        {"rope_type": "linear", "factor": 2},
        {"rope_type": "llama3", "factor": 8, "original_max_position_embeddings": 2},
    ):
        config(rope_parameters=None, rope_scaling=scaling)(tmp_path)
        found.append(folders.describe(tmp_path)["positions"])
    assert found == [64, 256, 128, 64]


def test_a_padding_token_beyond_the_embeddings(
    tmp_path: Path, whole: dict[str, Path]
) -> None:
    """As of the many tokenizers that got [PAD] when they were fine-tuned."""
    folder = shutil.copytree(whole["one"], tmp_path / "source")
    tokenizer = loading.load_tokenizer(folder)
    tokenizer.add_special_tokens({"pad_token": "[PAD]"})
    tokenizer.add_tokens([f"new{i}" for i in range(4)])
    tokenizer.save_pretrained(folder)
    pin(folder)
    config(vocab_size=34)(folder)
    few = {"model.embed_tokens.weight", "lm_head.weight"}
    weights(lambda w: w.update({k: w[k][:34].clone() for k in few}))(folder)
    with pytest.raises(DataError, match="4 tokens without an embedding: 'new3'"):
        pin(folder)
    save_tokenizer(folder, ["<pad>", "<s>", "</s>"], bos_token="<s>", eos_token="</s>")
    tokenizer = loading.load_tokenizer(folder)
    tokenizer.add_special_tokens({"pad_token": "[PAD]"})
    tokenizer.save_pretrained(folder)
    with pytest.raises(
        DataError, match=r"padding token '\[PAD\]' is token 34.*0 to 33"
    ):
        pin(folder)


def test_control_tokens_that_no_text_gives_may_have_no_embedding(
    tmp_path: Path, whole: dict[str, Path]
) -> None:
    """As Gemma 3's <image_soft_token>, in the sizes without images."""
    from tokenizers import AddedToken

    folder = shutil.copytree(whole["one"], tmp_path / "source")
    tokenizer = loading.load_tokenizer(folder)
    added = [AddedToken(f"<image_{i}>", special=True) for i in range(9)]
    tokenizer.add_tokens(added, special_tokens=True)
    tokenizer.save_pretrained(folder)
    assert len(loading.load_tokenizer(folder)) == 43
    pin(folder)
    encode = loading.encoder(loading.load_tokenizer(tmp_path / "pinned"))
    assert max(encode(["w1 <image_8> w2"])[0]) < 40


@pytest.mark.parametrize("there", [False, True])
def test_a_tokenizer_that_lacks_only_a_package(
    tmp_path: Path,
    whole: dict[str, Path],
    there: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = shutil.copytree(whole["one"], tmp_path / "source")
    without_tokenizer(folder)
    (folder / "tokenizer.model").write_bytes(b"\n\x0e\n\x05<unk>\x15\0\0\0\0\x18\x02")
    monkeypatch.setattr(folders.importlib.util, "find_spec", lambda name: there or None)
    expected = "no usable tokenizer" if there else "pip install sentencepiece"
    with pytest.raises(DataError, match=expected):
        pin(folder)


def test_an_adapter_alone(tmp_path: Path) -> None:
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        text(name, "{}")(tmp_path)
    with pytest.raises(DataError, match="config.json"):
        pin(tmp_path)


@pytest.mark.parametrize(
    ("damage", "message", "calls"),
    [
        (quantised(quant_method="gptq"), "hub model 'owner/name'.*gptq", 1),
        (without_tokenizer, "no usable tokenizer", 2),
        (words(*(f"new{i}" for i in range(10))), "without an embedding", 2),
        (config(vocab_size=41), "hub:owner/name.*embed_tokens", 3),
    ],
)
def test_hub_models_are_refused_as_soon_as_it_shows(
    tmp_path: Path,
    repository: Any,  # noqa: F811
    damage: Callable[[Path], Any],
    message: str,
    calls: int,
) -> None:
    damage(repository.folder)
    entry = {"family": "llama", "dtype": "float32", "hub": HUB}
    with pytest.raises(DataError, match=message):
        fetching.fetch("m", entry, tmp_path / "pinned")
    assert len(repository.calls) == calls, "weights come last"
    early = [name for call in repository.calls[:2] for name in call]
    assert not [name for name in early if name.endswith(".safetensors")]
    assert not (tmp_path / "pinned").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [(POINTER.encode(), "a Git LFS pointer.*lfs pull"), (b"PK\3\4", "no GGUF file")],
)
def test_gguf_files_that_are_none(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "tiny.gguf"
    path.write_bytes(content)
    source = {"path": str(path), "sha256": None}
    entry = {"family": "llama", "dtype": "float32", "gguf": source}
    with pytest.raises(DataError, match=message):
        fetching.fetch("m", entry, tmp_path / "pinned")
    assert [p.name for p in tmp_path.iterdir()] == ["tiny.gguf"]


def test_no_weight_is_read(tmp_path: Path, whole: dict[str, Path]) -> None:
    """A file of 40 GB, of which only the header is there, is checked at once."""
    from langneurons.nn.models import checkpoints

    folder = shutil.copytree(whole["one"], tmp_path / "source")
    header: dict[str, Any] = {}
    at = 0
    rows = 10 * 2**30 // 16  # of four bytes each, 16 a row: 40 GiB
    for key, value in load_file(folder / WEIGHTS).items():
        shape = [rows, 16] if key == "lm_head.weight" else list(value.shape)
        size = 4 * torch.Size(shape).numel()
        header[key] = {"dtype": "F32", "shape": shape, "data_offsets": [at, at + size]}
        at += size
    raw = json.dumps(header).encode()
    with (folder / WEIGHTS).open("wb") as handle:
        handle.write(len(raw).to_bytes(8, "little") + raw)
        handle.truncate(8 + len(raw) + at)  # a hole
    found = checkpoints.weights(folder, "here")
    assert found["lm_head.weight"].shape == (rows, 16)
    with pytest.raises(DataError, match=rf"lm_head.weight has shape \[{rows}, 16\]"):
        pin(folder)
    assert len(WORDS) == 30
