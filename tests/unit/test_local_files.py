"""Files that a configuration names are asked for before anything runs."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from snakemake.utils import update_config

from langneurons.config.errors import ConfigError
from langneurons.config.schema import Config
from langneurons.grid import result_paths
from langneurons.nn.models import fetching
from langneurons.study import local_files
from langneurons.study.configuration import load

ROOT = Path(__file__).parent.parent.parent


def demo(**changes: Any) -> Config:
    raw: dict[str, Any] = {}
    for name in ("config.yaml", "demo.yaml"):
        text = (ROOT / "config" / name).read_text("utf-8")
        update_config(raw, yaml.safe_load(text))
    update_config(raw, changes)
    return load(raw)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_what_the_demo_world_writes_need_not_be_there(here: Path) -> None:
    local_files.require(demo())


def items(train: str, test: str) -> dict[str, Any]:
    return {"tasks": {"xnli": {"data": {"train": train, "test": test}}}}


WORLD = "results/demo_world/nli/{}-{{lang}}.tsv"
FOLDER = {"builder": None, "demo": None, "folder": "mine", "gguf": None}
CASES = {
    "tasks.xnli.data.test": items(WORLD.format("train"), WORLD.format("tset")),
    "tasks.xnli.data.train": items("d/{lang}.tsv", WORLD.format("test")),
    # demo_control, of other experiments, goes on from a model of the demo world only.
    "models.demo.folder": {"models": {"demo": FOLDER}, "run": ["transfer"]},
    "models.demo.gguf.path": {
        "models": {"demo": FOLDER | {"folder": None, "gguf": {"path": "m.gguf"}}},
        "run": ["transfer"],
    },
    "methods.sets.parameters.path": {
        "methods": {
            "sets": {
                "kind": "published",
                "parameters": {"path": "sets.pth", "languages": ["en", "vi"]},
            }
        },
        "language_sets": {"two": ["en", "vi"]},
        "experiments": {"other_methods": {"selections": ["sets.two"]}},
    },
}


@pytest.mark.parametrize("place", CASES)
def test_a_path_that_leads_nowhere_is_refused_by_its_place(
    here: Path, place: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        local_files.require(demo(**CASES[place]))
    message = str(caught.value)
    assert f"- {place}: " in message and "does not exist" in message
    assert str(here) in message
    assert message.count("- ") == (6 if place == "tasks.xnli.data.test" else 1)


def test_text_of_a_language_that_is_not_there(here: Path) -> None:
    (here / "text").mkdir()
    for lang in ("en", "vi", "hi", "ur", "zh", "el"):
        (here / f"text/{lang}.txt").write_text("one\n")
    config = demo(corpora={"demo": {"folder": "text"}})
    local_files.require(config)
    (here / "text/el.txt").unlink()
    with pytest.raises(ConfigError, match=r"corpora\.demo\.folder: text/el\.txt"):
        local_files.require(config)


def test_a_catalogue_entry_that_nothing_names_costs_nothing(here: Path) -> None:
    local_files.require(demo(models={"other": FOLDER | {"family": "llama"}}))


def test_what_is_copied_of_a_folder(here: Path) -> None:
    folder = here / "mine"
    folder.mkdir()
    for name in ("model.safetensors", "config.json", "tokenizer.json", "README.md"):
        (folder / name).write_text("")
    read = ["mine/config.json", "mine/model.safetensors", "mine/tokenizer.json"]
    assert fetching.local_files("mine") == read
    assert fetching.local_files("absent") == []


def test_an_older_file_that_takes_anothers_place_is_seen(here: Path) -> None:
    """Its time says nothing; when it came, the system knows."""
    for lang in ("en", "vi", "hi", "ur", "zh", "el"):
        (here / "text").mkdir(exist_ok=True)
        (here / f"text/{lang}.txt").write_text("one\n")
        os.utime(here / f"text/{lang}.txt", (1000, 1000))
    config = demo(corpora={"demo": {"folder": "text"}})
    made = {}
    for lang in ("en", "vi"):
        path = here / result_paths.tokens("demo", "demo", lang)
        path.parent.mkdir(parents=True, exist_ok=True)
        time.sleep(0.02)
        path.write_text("tokens")
        made[lang] = path
    before = made["en"].stat().st_mtime_ns
    local_files.let_replaced_files_be_seen(config)
    assert made["en"].stat().st_mtime_ns == before  # nothing came since
    time.sleep(0.02)
    other = here / "old.txt"
    other.write_text("another\n")
    os.utime(other, (1000, 1000))
    other.replace(here / "text/vi.txt")
    local_files.let_replaced_files_be_seen(config)
    assert made["vi"].stat().st_mtime < 1000
    assert made["en"].stat().st_mtime_ns == before
