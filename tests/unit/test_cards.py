"""Cards of adapters and neurons: what they say, and that `cards` plans them all."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

import dry_runs
from configurations import experiment, merge, paper, tiny
from langneurons.config.schema import Config
from langneurons.jobs import files
from langneurons.neurons.neuron_sets import NeuronSets
from langneurons.report import adapter_card, neuron_card
from langneurons.study.card_specs import CardSpecs, all_cards
from langneurons.study.configuration import load
from langneurons.study.specs import Specs
from langneurons.tables.common.columns import frame, write_tsv
from langneurons.tables.common.task_columns import COLUMNS

REVISION = "0123456789abcdef0123456789abcdef01234567"
HUB = {"hub": {"repo": "owner/base", "revision": REVISION}}
DECLARED = {"metric_kind": "binary", "unit": "%", "decimals": 1, "task_title": "XNLI"}


def config(**model: Any) -> Config:
    """The paper's grid with one model whose base and licence are known."""
    return load(merge(paper(), {"models": {"llama31": HUB | model}}))


def row(**changes: Any) -> dict[str, Any]:
    usual = {"model": "llama31", "tuning": "attention", "seed": "42", "lang": "vi"}
    usual |= {"method": "-", "langset": "-", "neuron_lang": "-", "statistic": "none"}
    usual |= {"metric": "accuracy", "against": "-", "n": 500}
    given = {"value": 0.7, "ci_low": 0.66, "ci_high": 0.74}
    return usual | given | DECLARED | changes


def table(folder: Path, *rows: dict[str, Any], name: str = "xnli") -> Path:
    path = folder / f"{name}.tsv"
    write_tsv(path, frame(list(rows), COLUMNS))
    return path


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    about = {"model": "llama31", "source": "hub:owner/base", "revision": REVISION}
    sizes = {"layers": 2, "intermediate_size": 10}
    files.write_json(tmp_path / "manifest.json", about | sizes)
    return tmp_path / "manifest.json"


def adapter(
    folder: Path, manifest: Path, given: Config, *rows: dict[str, Any], **names: str
) -> str:
    """Write the card of an adapter; return it."""
    usual = {"task": "xnli", "model": "llama31", "tuning": "attention", "seed": "42"}
    spec = json.loads(CardSpecs(given).adapter_card(SimpleNamespace(**usual | names)))
    settings = {"task_type": "SEQ_CLS", "r": 8, "base_model_name_or_path": "x"}
    files.write_json(folder / "adapter_config.json", settings)
    summary = {
        "items": 1234,
        "steps": 7,
        "trainable_parameters": 99,
        "tuned_neurons": 3,
    }
    files.write_json(folder / "training.json", summary | {"final_loss": 0.5})
    read = folder / "adapter_config.json", folder / "training.json", manifest
    tables = [table(folder, *rows)] if rows else []
    adapter_card.write(spec, *read, tables=tables, out=folder / "README.md")
    return (folder / "README.md").read_text(encoding="utf-8")


def head(card: str) -> dict[str, Any]:
    block = card.split("---\n")[1]
    found: dict[str, Any] = yaml.safe_load(block)
    return found


def test_an_adapter_says_what_it_is_and_scores(tmp_path: Path, manifest: Path) -> None:
    rows = [
        row(),
        row(lang="hi", delta=-0.031, delta_ci_low=-0.05, delta_ci_high=-0.012,
            against="base"),
        row(lang="vi+hi", value=0.444),
        row(lang="ur", seed="43", value=0.111),
        row(lang="zh", model="nemo", value=0.222),
        row(lang="vi", statistic="zero", value=0.333),
    ]  # fmt: skip
    card = adapter(tmp_path, manifest, config(license="apache-2.0"), *rows)
    said = head(card)
    assert said["base_model"] == "owner/base" and said["library_name"] == "peft"
    assert said["license"] == "apache-2.0" and "licence of the base model" not in card
    assert said["datasets"] == [paper()["tasks"]["xnli"]["data"]["hub"]["repo"]]
    assert said["pipeline_tag"] == "text-classification" and said["language"] == ["en"]
    lines = [re.sub(r" +", " ", line) for line in card.splitlines()]
    assert "| vi | accuracy | 500 | 70.0 % [66.0, 74.0] | |" in lines
    changed = "-3.1 points [-5.0, -1.2] against base |"
    assert f"| hi | accuracy | 500 | 70.0 % [66.0, 74.0] | {changed}" in lines
    assert not any(other in card for other in ("11.1", "22.2", "33.3"))
    assert "44.4" not in card  # a mean over languages: no Wilson interval is of it
    assert "Items: 1,234" in card and REVISION in card
    (code,) = re.findall(r"```python\n(.*?)```", card, re.DOTALL)
    ast.parse(code)  # it is trained around nf4 weights, and opened so
    assert "num_labels=3" in code and "quantization_config=in_4_bits" in code


def test_what_is_not_known_is_said_and_not_guessed(
    tmp_path: Path, manifest: Path
) -> None:
    about = json.loads(manifest.read_text()) | {"source": "folder:/home/me/base"}
    files.write_json(manifest, about)
    given = load(
        merge(
            paper(),
            {"tasks": {"xnli": {"data": {"hub": None, "train": "/home/me/t.tsv",
                                         "test": "/home/me/{lang}.tsv"}}},
             "models": {"llama31": {"license": None}}},
        )
    )  # fmt: skip
    card = adapter(tmp_path, manifest, given)
    said = head(card)
    assert said["license"] == "other" and "# The licence of the base model" in card
    assert "base_model" not in said and "datasets" not in said
    assert "/home/me" not in card
    assert "No table of its study has scores of it." in card
    assert card == adapter(tmp_path, manifest, given)  # the same bytes


def neurons(
    folder: Path,
    manifest: Path,
    *rows: dict[str, Any],
    selections: Sequence[str] = ("lape.set1",),
    **methods: dict[str, Any],
) -> str:
    """Write the card of a model's neurons; return it."""
    axes = {"models": ["llama31"], "languages": ["vi"], "selections": [*selections]}
    given = {"run": ["transfer"], "methods": methods} | experiment("transfer", **axes)
    specs = CardSpecs(load(merge(paper(), given)))
    spec = json.loads(specs.neuron_card(SimpleNamespace(model="llama31")))
    sets = []
    for name in spec["selections"]:
        method, langset = name.split(".")
        kind = methods[method]["kind"] if method in methods else method
        sets.append(folder / f"{name}.json")
        write_set(sets[-1], method, langset, kind)
    out = folder / "README.md"
    neuron_card.write(spec, sets, manifest, tables=[table(folder, *rows)], out=out)
    return out.read_text(encoding="utf-8")


def write_set(path: Path, method: str, langset: str, kind: str) -> None:
    found = {"vi": {0: [1, 2], 1: [3]}, "zh": {}}
    axes = (method, langset, kind, "llama31", REVISION, 2, 10, "gate_pre", found)
    NeuronSets(*axes, parameters={"top_rate": 0.01}).write(path)


def test_neurons_are_counted_and_stand_beside_random_ones(
    tmp_path: Path, manifest: Path
) -> None:
    treated = {"langset": "set1", "neuron_lang": "vi", "statistic": "zero"}
    treated |= {"against": "none", "delta_ci_low": -0.06, "delta_ci_high": -0.02}
    rows = [
        row(),
        row(**treated, method="lape", delta=-0.04),
        row(**treated | {"neuron_lang": "zh"}, method="lape", delta=-0.99),
        *(
            row(**treated, method="random", matched="lape", draw=i, delta=-0.01 * i)
            for i in (1, 2, 3)
        ),
    ]
    card = neurons(tmp_path, manifest, *rows)
    said = head(card)
    assert "`snakemake results/neurons/llama31/theirs.set1.pth`" in " ".join(
        card.split()
    )
    assert said["language"] == ["vi", "zh"] and said["viewer"] is False
    lines = [re.sub(r" +", " ", line) for line in card.splitlines()]
    assert "| lape.set1 | 20 | 3 | 0 |" in lines
    (effect,) = [line for line in lines if line.startswith("| lape.set1 | xnli")]
    assert effect.endswith("| -4.0 points [-6.0, -2.0] | -2.0 points (-3.0 to -1.0) |")
    assert "owner/base" in card and "top_rate: 0.01" in card
    assert neurons(tmp_path, manifest, *rows) == card


def test_what_others_found_is_under_their_terms(tmp_path: Path, manifest: Path) -> None:
    path = tmp_path / "found.pth"
    path.write_bytes(b"x")
    languages = ["en", "fr", "es", "vi", "id", "ja", "zh"]
    given = {"path": str(path), "languages": languages}
    theirs = {"kind": "published", "parameters": given}
    both = {"kind": "intersection", "reads": ["theirs", "lape"]}
    corpus = paper()["corpora"]["wikipedia"]["hub"]["repo"]
    made = partial(neurons, tmp_path, manifest, row(), theirs=theirs)

    card = made(selections=["theirs.set1"])
    assert head(card)["license"] == "other" and "source_datasets" not in head(card)
    assert corpus not in card and "llama3.1" not in card
    assert "# Some of the neurons are other people's" in card
    assert "`theirs.set1`: found by others" in card.partition("# Licence")[2]

    card = made(selections=["both.set1"], both=both)
    assert head(card)["license"] == "other" and head(card)["source_datasets"] == [
        corpus
    ]
    licence = card.partition("## Licence")[2]
    assert "`llama3.1`" in licence  # of the neurons that were found here
    assert "`lape.set1`" not in licence
    assert {"`both.set1`", "`theirs.set1`"} <= set(re.findall(r"`\w+\.\w+`", licence))

    alone = {"kind": "intersection", "reads": ["theirs", "theirs2"]}
    card = made(selections=["both.set1"], both=alone, theirs2=theirs)
    assert corpus not in card and "made from neurons that others found" in card


def test_the_licence_makes_nothing_but_cards_anew() -> None:
    given = SimpleNamespace(model="llama31", task="xnli", tuning="attention", seed=42)
    one, two = Specs(config()), Specs(config(license="mit"))
    assert one.fetch_model(given) == two.fetch_model(given)
    assert one.tune_model(given) == two.tune_model(given)
    cards = (CardSpecs(x).adapter_card(given) for x in (one.config, two.config))
    assert len(set(cards)) == 2


def test_the_target_plans_a_card_of_each_in_the_folder_of_the_study(
    tmp_path: Path,
) -> None:
    path = tmp_path / "lape.world.json"
    sets = {lang: {0: [1]} for lang in ("en", "vi", "hi")}
    NeuronSets("a", "b", "lape", "toy", "r", 2, 48, "gate_pre", sets).write(path)
    raw = merge(tiny(), {"study": "mine"})
    raw["methods"]["theirs"] = {"kind": "published", "parameters": {"path": str(path)}}
    lists = "results/neurons/demo/theirs.world.pth"  # as the card tells its readers
    found = dry_runs.jobs(raw, "cards", lists)
    assert lists in dry_runs.outputs(found)
    made = [path for path in dry_runs.outputs(found) if path.endswith("README.md")]
    assert sorted(made) == sorted(all_cards(load(raw)))
    adapters = sum("/adapters/" in path for path in made)
    assert adapters == dry_runs.counts(found)["tune_model"] > 1
    assert all(path.startswith("results/mine/") for path in made)
    assert "results/mine/cards/demo/README.md" in made
