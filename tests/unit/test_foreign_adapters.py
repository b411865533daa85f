"""Somebody else's adapter: fetched, checked against model and task, and only tested."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import huggingface_hub
import numpy as np
import pytest
import torch

import dry_runs
from configurations import tiny
from langneurons.config.errors import ConfigError, DataError
from langneurons.grid import rows, subjects
from langneurons.jobs import files
from langneurons.nn.models import adapter_files, foreign_adapters, tuned
from langneurons.study import local_files
from langneurons.study.configuration import load
from langneurons.study.table_specs import TableSpecs
from tiny_models import build, tokens

CLASSES = ["entailment", "neutral", "contradiction"]
REVISION = "0123456789abcdef0123456789abcdef01234567"
SPEC: dict[str, Any] = {
    "source": {"path": "theirs"},
    "base": "owner/tiny",
    "labels": None,
    "title": "tasks.xnli",
    "classes": CLASSES,
}


def theirs(folder: Path, head: str = "classifier", **changes: Any) -> Any:
    """Train, as it were, an adapter with nothing but PEFT; return the tuned model."""
    from peft import LoraConfig, get_peft_model

    kind = {"classifier": "SEQ_CLS", "causal": "CAUSAL_LM"}[head]
    model = build("llama", head)
    usual = {"task_type": kind, "r": 2, "target_modules": ["q_proj", "gate_proj"]}
    settings = LoraConfig(**usual | {"base_model_name_or_path": "owner/tiny"} | changes)
    model = get_peft_model(model, settings).eval()
    torch.manual_seed(5)
    for name, weight in model.named_parameters():
        if "lora_B" in name or "modules_to_save" in name:
            torch.nn.init.normal_(weight)
    model.peft_config["default"].base_model_name_or_path = "owner/tiny"
    model.save_pretrained(folder, save_embedding_layers=False)
    return model


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """The manifest of a pinned model, of which a check reads no weight."""
    folder = tmp_path / "pinned"
    build("llama", "causal").config.save_pretrained(folder)
    about = {"model": "tiny", "source": "hub:owner/tiny", "revision": "abc"}
    sizes = {"layers": 2, "intermediate_size": 24}
    files.write_json(folder / "manifest.json", about | sizes)
    return folder / "manifest.json"


def fetched(tmp_path: Path, pinned: Path, name: str = "out", **changes: Any) -> Path:
    """Fetch what lies in theirs/; return the folder."""
    folder = tmp_path / name
    roles = {"adapter": tuned.ADAPTER, "config": tuned.CONFIG, "record": "source.json"}
    out = {role: folder / file for role, file in roles.items()}
    given = [tmp_path / "theirs" / file for file in adapter_files.FILES]
    foreign_adapters.fetch(SPEC | changes, pinned, given, out)
    return folder


def scores(model: Any) -> np.ndarray[Any, Any]:
    with torch.inference_mode():
        return model(tokens()).logits.numpy()


def test_it_scores_as_it_does_with_plain_peft(tmp_path: Path, base: Path) -> None:
    expected = scores(theirs(tmp_path / "theirs"))
    folder = fetched(tmp_path, base)
    assert sorted(path.name for path in folder.iterdir()) == [
        tuned.CONFIG, tuned.ADAPTER, "source.json",
    ]  # fmt: skip
    ours = tuned.open_adapter(build("llama", "classifier"), folder)
    assert np.array_equal(scores(ours), expected)
    untuned = tuned.open_adapter(build("llama", "classifier"), None)
    assert not np.allclose(scores(untuned), expected, atol=0.1)
    said = json.loads((folder / "source.json").read_text())
    assert said["source"] == {"path": "theirs"} and said["says"]["r"] == 2
    assert said["files"][tuned.ADAPTER] == files.sha256(
        tmp_path / "theirs" / tuned.ADAPTER
    )


def test_classes_are_brought_into_the_order_of_the_task(
    tmp_path: Path, base: Path
) -> None:
    expected = scores(theirs(tmp_path / "theirs"))
    labels = ["contradiction", "entailment", "neutral"]
    folder = fetched(tmp_path, base, labels=labels)
    ours = scores(tuned.open_adapter(build("llama", "classifier"), folder))
    for number, name in enumerate(CLASSES):
        assert np.array_equal(ours[:, number], expected[:, labels.index(name)])


def test_the_weights_tell_that_only_the_configuration_changed(
    tmp_path: Path, base: Path
) -> None:
    """Evaluations read the weights alone, and must be made again."""
    theirs(tmp_path / "theirs")
    one, two = (fetched(tmp_path, base, name) / tuned.ADAPTER for name in "ab")
    assert one.read_bytes() == two.read_bytes()
    path = tmp_path / "theirs" / tuned.CONFIG
    settings = json.loads(path.read_text()) | {"lora_alpha": 64}
    path.write_text(json.dumps(settings))
    other = fetched(tmp_path, base, "c") / tuned.ADAPTER
    assert other.read_bytes() != one.read_bytes()


def changed(folder: Path, **settings: Any) -> None:
    path = folder / tuned.CONFIG
    path.write_text(json.dumps(json.loads(path.read_text()) | settings))


REFUSED: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any], str]] = {
    "head": (
        {"head": "causal"}, {}, {},
        "brings no classification head.*3 classes .entailment, neutral, contradiction",
    ),
    "words": ({}, {}, {"classes": []}, "of a classifier.*in its own words"),
    "classes": ({}, {}, {"classes": ["no", "yes"]}, "has 3 classes.*has 2 classes"),
    "base": ({}, {}, {"base": "owner/other"}, "'owner/tiny'.*write base: owner/tiny"),
    "rank": ({}, {"r": 3}, {}, r"has shape \[2, 16\], but .* would be \[3, 16\]"),
    "modules": ({}, {"target_modules": ["query"]}, {}, "cannot be put on this model"),
    "fewer": ({}, {"target_modules": ["q_proj"]}, {}, "4 weights have no place"),
    "more": (
        {}, {"target_modules": ["q_proj", "gate_proj", "v_proj"]}, {},
        "4 weights .* are not in adapter_model.safetensors",
    ),
    "kind": ({}, {"peft_type": "IA3"}, {}, "kind IA3; LORA is read"),
    "start": ({}, {"init_lora_weights": "pissa"}, {}, "'pissa'.*plain LoRA"),
    "layers": ({}, {"layer_replication": [[0, 2]]}, {}, "layer_replication is set"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_does_not_fit_is_refused_where_it_is_fetched(
    tmp_path: Path, base: Path, case: str
) -> None:
    made, settings, asked, said = REFUSED[case]
    theirs(tmp_path / "theirs", **made)
    changed(tmp_path / "theirs", **settings)
    with pytest.raises(DataError, match=said):
        fetched(tmp_path, base, **asked)
    assert list((tmp_path / "out").iterdir()) == []


def test_a_model_of_other_sizes(tmp_path: Path, base: Path) -> None:
    theirs(tmp_path / "theirs")
    build("llama", "causal", intermediate_size=32).config.save_pretrained(base.parent)
    with pytest.raises(DataError, match=r"gate_proj.lora_B.* \[24, 2\].* \[32, 2\]"):
        fetched(tmp_path, base)
    files.write_json(base, json.loads(base.read_text()) | {"layers": 1})
    with pytest.raises(DataError, match="changes layer 1.*layers 0 to 0"):
        fetched(tmp_path, base)


def test_a_pickle_is_never_read() -> None:
    with pytest.raises(DataError, match=r"adapter_model\.bin only, a pickle.*run code"):
        adapter_files.require_files([tuned.CONFIG, "adapter_model.bin"], "x")
    with pytest.raises(
        DataError, match=r"no adapter_config\.json; an adapter has both"
    ):
        adapter_files.require_files([tuned.ADAPTER], "x")


def test_from_the_hub_its_two_files_and_no_other(
    tmp_path: Path, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "theirs"
    theirs(place)
    (place / "adapter_model.bin").write_bytes(b"pickle")
    hashed = {path.name: files.sha256(path) for path in place.iterdir()}
    asked = []

    def model_info(self: Any, repo: str, revision: str, **options: Any) -> Any:
        asked.append((repo, revision))
        listed = [
            SimpleNamespace(rfilename=k, size=9, lfs=SimpleNamespace(sha256=v))
            for k, v in hashed.items()
        ]
        return SimpleNamespace(siblings=listed)

    def download(repo: str, revision: str, **options: Any) -> None:
        for name in options["allow_patterns"]:
            shutil.copyfile(place / name, options["local_dir"] / name)

    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", model_info)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    source = {"source": {"id": "a/b", "revision": REVISION}}
    folder = fetched(tmp_path, base, **source)
    assert asked == [("a/b", REVISION)]
    assert "adapter_model.bin" not in {path.name for path in folder.iterdir()}
    hashed[tuned.ADAPTER] = "0" * 64
    with pytest.raises(DataError, match="'a/b': adapter_model.*arrived damaged"):
        fetched(tmp_path, base, "again", **source)


# What the planner makes of one: %s is its entry.
WITH = """
run: [transfer, other_methods, perplexity]
experiments: {transfer: {tunings: [attention, theirs], seeds: [42, 43]}}
tunings: {theirs: %s}
"""
ON_HUB = f"{{kind: adapter, id: owner/theirs, revision: {REVISION!r}}}"


def test_its_plan_is_its_own_evaluations() -> None:
    both = dry_runs.jobs(tiny(WITH % ON_HUB))
    without = WITH.replace("attention, theirs", "attention") % ON_HUB
    before = dry_runs.jobs(tiny(without))
    more = dry_runs.counts(both) - dry_runs.counts(before)
    # XNLI in two languages and XQuAD in one; an adapter of each task, whatever seeds.
    assert more == Counter({"evaluate_task": 3, "fetch_adapter": 2})
    assert dry_runs.counts(before) - dry_runs.counts(both) == Counter()
    new = set(dry_runs.outputs(both)) - set(dry_runs.outputs(before))
    assert {path.split("/")[4] for path in new} == {"theirs"}
    assert {path.split("/")[5] for path in new} == {"seed0"}


def test_nothing_is_trained_or_published_for_it() -> None:
    alone = WITH.replace("attention, theirs", "theirs") % ON_HUB
    config = load(tiny(f"{alone}\ntasks: {{xquad: {{data: {{train: null}}}}}}"))
    assert not rows.is_trained(config, "xquad")
    page = json.loads(TableSpecs(config).report({}, {}, ""))
    assert page["used"]["tunings"] == ["theirs"]  # the page says where it is from
    for one in subjects.adopted(config):
        (path,) = subjects.adapter(config, one)
        assert path.endswith("/theirs/seed0/adapter_model.safetensors")
        with pytest.raises(
            ConfigError, match="theirs draws nothing and has no seed 42"
        ):
            subjects.adapter(config, replace(one, seed=42))


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("{kind: adapter}", "give 'path', a local folder, or 'id' and 'revision'"),
        ("{kind: adapter, path: a, id: b/c}", "give 'path', a local folder, or 'id'"),
        ("{kind: adapter, id: b/c}", "'id' and 'revision' go together"),
        ("{kind: adapter, id: b/c, revision: main}", "revision"),
        ("{kind: adapter, path: a, mlp_targets: gate}", "nothing reads 'mlp_targets'"),
        ("{kind: all_mlp, path: a}", "nothing reads 'path'.*the kind is adapter"),
        (
            f"{ON_HUB[:-1]}, labels: [yes_, no_]}}",
            "tunings.theirs.labels: yes_, no_; needed is each class of tasks.xnli once",
        ),
    ],
)
def test_an_entry_that_cannot_be(entry: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        load(tiny(WITH % entry))


def test_a_local_one_is_checked_before_the_first_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    entry = "{kind: adapter, path: theirs}"
    config = load(tiny(WITH % entry))
    with pytest.raises(
        ConfigError, match=r"tunings\.theirs\.path: theirs/adapter_model"
    ):
        local_files.require(config)
    theirs(tmp_path / "theirs", head="causal")
    local_files.require(config)
    with pytest.raises(
        ConfigError, match=r"theirs: brings no .*tasks\.xnli is decided"
    ):
        load(tiny(WITH % entry))
    words = WITH.replace("seeds:", "tasks: [xquad], seeds:")
    load(tiny(words % entry))
    changed(tmp_path / "theirs", peft_type="LOHA")
    with pytest.raises(ConfigError, match="tunings.theirs: .*kind LOHA"):
        load(tiny(words % entry))
