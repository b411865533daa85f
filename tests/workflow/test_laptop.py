"""`make laptop` on a hub that stands in: every file is fetched, by its commit."""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from snakemake.utils import update_config
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

import tiny_models
from hub_stand_in import Hub, Key, Repository, serving
from langneurons import tasks
from langneurons.costs.parts import Parts
from langneurons.study.configuration import load
from snakemake_runs import ROOT, copy_project, count_jobs, snakemake

LAPTOP = yaml.safe_load((ROOT / "config/laptop.yaml").read_text("utf-8"))
PAPER = yaml.safe_load((ROOT / "config/config.yaml").read_text("utf-8"))
LANGUAGES = LAPTOP["language_sets"]["laptop"]
(MODEL,) = LAPTOP["models"]
WORDS = {"en": "the", "id": "dan", "it": "che", "vi": "là", "zh": "的"}


def parquet(rows: list[dict[str, Any]]) -> bytes:
    """Write rows as a data set of the hub has them."""
    out = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), out, row_group_size=20)
    return out.getvalue()


def data_set(source: dict[str, Any], files: dict[str, dict[str, bytes]]) -> Repository:
    """Make a repository of Parquet files: configuration -> split -> content."""
    configs, content = [], {}
    for config, splits in files.items():
        listed = []
        for split, data in splits.items():
            name = f"{config}/{split}-00000-of-00001.parquet"
            content[name] = data
            listed.append({"split": split, "path": name})
        configs.append({"config_name": config, "data_files": listed})
    head = yaml.safe_dump({"configs": configs})
    content["README.md"] = f"---\n{head}---\n# Made up\n".encode()
    return Repository(source["revision"], content)


def articles(lang: str) -> bytes:
    """Write articles of words that only this language has, no two alike."""
    own, sizes = WORDS[lang], range(120)
    said = [" ".join(f"{own}{(i * k) % 97}" for k in range(40)) for i in sizes]
    return parquet([{"id": str(i), "text": text} for i, text in enumerate(said)])


def choices(lang: str) -> bytes:
    """Write as many items as the official file has."""
    own = WORDS[lang]
    return parquet(
        [
            {"premise": f"{own} {i}.", "choice1": f"{own} a.", "choice2": f"{own} b."}
            | {"question": "cause", "label": i % 2, "idx": i, "changed": False}
            for i in range(500)
        ]
    )


def weights(folder: Path) -> dict[str, bytes]:
    """Make a tiny model of the family, whose tokenizer knows bytes and has no BOS."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: i for i, token in enumerate([*letters, "<|endoftext|>"])}
    tokenizer = Tokenizer(models.BPE(vocabulary, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    end = "<|endoftext|>"
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token=end, pad_token=end
    )
    fast.save_pretrained(folder)
    tokens = {"vocab_size": len(vocabulary), "bos_token_id": None}
    tokens |= {"eos_token_id": len(letters), "pad_token_id": len(letters)}
    sizes = {"intermediate_size": 512, "max_position_embeddings": 256}
    family = LAPTOP["models"][MODEL]["family"]
    tiny_models.build(family, **tokens, **sizes).save_pretrained(folder)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


SOURCES = (
    ("models", LAPTOP["models"][MODEL]["hub"]),
    ("datasets", LAPTOP["corpora"]["articles"]["hub"]),
    ("datasets", PAPER["tasks"]["xcopa"]["data"]["hub"]),
)


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """Stand in for the hub, with a tiny model and made-up text at the right commits."""
    (_, model), (_, text), (_, items) = SOURCES
    of_text = {text["config"].format(lang=x): {"train": articles(x)} for x in LANGUAGES}
    asked = LAPTOP["tasks"]["xcopa"]["languages"]
    of_items = {x: {"test": choices(x)} for x in asked}
    files = weights(tmp_path_factory.mktemp("weights"))
    content: dict[Key, Repository] = {
        ("models", model["repo"]): Repository(model["revision"], files),
        ("datasets", text["repo"]): data_set(text, of_text),
        ("datasets", items["repo"]): data_set(items, of_items),
    }
    with serving(content) as found:
        yield found


@pytest.fixture
def online(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the jobs of this test take the stand-in for the hub."""
    for name in ("HF_HUB_OFFLINE", "HF_TOKEN", "HF_DATASETS_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_ENDPOINT", hub.address)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "cache"))
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1")


def folder_in(tmp_path: Path) -> Path:
    """Make a folder for a copy of the project."""
    folder = tmp_path / "p"
    folder.mkdir()
    return folder


@pytest.mark.usefixtures("online")
def test_everything_is_fetched_by_its_commit(hub: Hub, tmp_path: Path) -> None:
    project = copy_project(folder_in(tmp_path))
    model = f"results/models/{MODEL}/pinned/manifest.json"
    lang = LAPTOP["tasks"]["xcopa"]["languages"][-1]
    text = f"results/text/articles/{lang}.jsonl"
    items = f"results/laptop/tasks/xcopa/test.{lang}.jsonl"
    wanted = [model, text, items]
    snakemake(project, "--cores", "2", *wanted, configs=["config/laptop.yaml"])
    pinned = {(kind, one["repo"], one["revision"]) for kind, one in SOURCES}
    assert hub.asked == pinned, "something was asked for by another name than a commit"
    made = json.loads((project / model).read_text("utf-8"))
    assert made["revision"] == LAPTOP["models"][MODEL]["hub"]["revision"]
    assert {"model.safetensors", "tokenizer.json"} <= made["files"].keys()
    lines = (project / text).read_text("utf-8").splitlines()
    assert json.loads(lines[0])["text"].startswith(WORDS[lang])
    asked = (project / items).read_text("utf-8").splitlines()
    assert len(asked) == LAPTOP["tasks"]["xcopa"]["test_items"]


def test_few_tokens_go_through_the_model(tmp_path: Path) -> None:
    """Recorded, in texts under every treatment, and in items under every treatment."""
    merged: dict[str, Any] = {}
    for each in (PAPER, LAPTOP):
        update_config(merged, each)
    config = load(merged)
    parts = Parts(config)
    corpus = config.corpus("articles")
    recorded = len(LANGUAGES) * corpus.tokens
    chunk = corpus.chunk_length * config.experiment("perplexity").chunks
    texts = chunk * sum(len(part.treatments) for part in parts.perplexities)
    items = config.task("xcopa").test_items * 2 * tasks.load("xcopa").SIZE.test_tokens
    asked = items * sum(len(part.treatments) for part in parts.evaluations)
    assert len(parts.perplexities) == len(LANGUAGES)
    assert 50_000 < recorded + texts + asked < 300_000


def test_the_plan_trains_and_quantises_nothing(tmp_path: Path) -> None:
    project = copy_project(folder_in(tmp_path))
    text = snakemake(project, "-n", configs=["config/laptop.yaml"])
    jobs: Counter[str] = count_jobs(text)
    assert jobs["fetch_model"] == 1
    assert jobs["fetch_text"] == jobs["measure_activations"] == len(LANGUAGES)
    assert jobs["tune_model"] == jobs["quantise_model"] == 0
