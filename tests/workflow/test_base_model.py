"""The model as it is, and with somebody else's adapter: nothing is trained for it."""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from pathlib import Path

import pytest
import yaml
from snakemake.utils import update_config

from snakemake_runs import TINY, copy_project, planned, snakemake

pytestmark = pytest.mark.xdist_group("base")

# One text task and one method with its control; no training data is named.
ALONE = """
run: [transfer]
tables: [xquad]
experiments:
  transfer:
    tasks: [xquad]
    tunings: [base]
    seeds: [42, 43]
    selections: [lape.world, random_lape.world]
tasks: {xquad: {data: {train: null}}}
"""
PLAN = {
    "generate_demo_world": 1,
    "pretrain_demo_model": 1,
    "tokenise_corpus": 3,
    "measure_activations": 6,
    "merge_activations": 3,
    "identify_neurons": 2,
    "prepare_task": 1,
    "evaluate_task": 1,
    "build_table": 1,
    "draw_neurons": 1,
    "draw_effects": 2,
    "build_report": 1,
    "build_cost_table": 1,
    "all": 1,
}
FOLDER = Path("results/evaluations/xquad/demo/base/seed0/vi")
INDEX = "part-1-of-1.json"


def write_overlay(project: Path, tunings: list[str]) -> None:
    """Put the settings of this test on top of the tiny configuration."""
    tiny = yaml.safe_load(TINY.read_text(encoding="utf-8"))
    update_config(tiny, yaml.safe_load(ALONE))
    tiny["experiments"]["transfer"]["tunings"] = tunings
    if "theirs" in tunings:
        tiny["tunings"] = {"theirs": {"kind": "adapter", "path": "theirs"}}
    if "attention" in tunings:
        del tiny["tasks"]["xquad"]["data"]
    text = yaml.safe_dump(tiny, sort_keys=False)
    (project / "tiny.yaml").write_text(text, encoding="utf-8")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished study of the model as it is."""
    folder = copy_project(tmp_path_factory.mktemp("base"))
    write_overlay(folder, ["base"])
    assert planned(folder) == Counter(PLAN)
    snakemake(folder, "--cores", "2")
    return folder


def test_it_goes_through_table_figures_and_report(project: Path) -> None:
    assert planned(project) == Counter()
    assert not (project / "results/adapters").exists()
    assert not list((project / "results/tasks").rglob("train.*"))
    made = json.loads((project / FOLDER / INDEX).read_text(encoding="utf-8"))
    assert (made["tuning"], made["seed"]) == ("base", 0)
    assert made["treatments"]["none"]["n"] == 10
    with (project / "results/tables/xquad.tsv").open(encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle, delimiter="\t"))
    assert {(row["tuning"], row["seed"]) for row in rows} == {("base", "0")}
    assert {row["against"] for row in rows} == {"-", "none"}
    assert {row["published"] for row in rows} == {""}
    text = (project / "results/tables/xquad.md").read_text(encoding="utf-8")
    assert "Models as they are, not fine-tuned, tested on 10 items" in text
    assert (project / "results/figures/xquad/forest.em.svg").is_file()
    page = (project / "results/report.html").read_text(encoding="utf-8")
    assert "Not fine-tuned (<code>base</code>)" in page
    with (project / "results/tables/cost.tsv").open(encoding="utf-8") as handle:
        stages = {row["stage"]: row for row in csv.DictReader(handle, delimiter="\t")}
    assert "evaluations" in stages and "adapters" not in stages
    assert all(float(row["estimated_hours"]) > 0 for row in stages.values())
    assert re.search(r"<th\b[^>]*>estimated hours</th>", page)


def test_a_tuning_beside_it_computes_nothing_of_it_again(project: Path) -> None:
    write_overlay(project, ["base", "attention"])
    evaluated = {"evaluate_task": 2, "tune_model": 2, "prepare_task": 1}  # two seeds
    page = {"build_report": 1, "build_cost_table": 1, "all": 1}
    again = {"build_table": 1, "draw_effects": 2, "draw_training": 1} | page
    assert planned(project) == Counter(evaluated | again)
    write_overlay(project, ["base"])
    assert planned(project) == Counter()


def test_an_adapter_of_others_is_evaluated_and_again_once_it_changes(
    project: Path,
) -> None:
    make_adapter(project)
    write_overlay(project, ["base", "theirs"])
    page = {"build_report": 1, "build_cost_table": 1, "all": 1}
    again = Counter({"build_table": 1, "draw_effects": 2} | page)
    own = Counter({"evaluate_task": 1})
    assert planned(project) == own + again + Counter({"fetch_adapter": 1})
    snakemake(project, "--cores", "2")
    assert planned(project) == Counter()
    folder = project / "results/evaluations/xquad/demo/theirs/seed0/vi"
    before = (folder / "none.parquet").read_bytes()
    base = project / FOLDER / "none.parquet"
    untouched = base.stat().st_mtime_ns
    with (project / "results/tables/xquad.tsv").open(encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle, delimiter="\t"))
    named = {(row["tuning"], row["seed"]) for row in rows}
    assert named == {("base", "0"), ("theirs", "0")}
    # Another scale, with the same weights.
    path = project / "theirs/adapter_config.json"
    settings = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(settings | {"lora_alpha": 500}), encoding="utf-8")
    assert planned(project) == own + again + Counter({"fetch_adapter": 1})
    snakemake(project, "--cores", "2", "results/tables/xquad.tsv")
    assert (folder / "none.parquet").read_bytes() != before
    assert base.stat().st_mtime_ns == untouched
    write_overlay(project, ["base"])


def make_adapter(project: Path) -> None:
    """Make an adapter with nothing but PEFT, of which one weight stands out."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    pinned = project / "results/models/demo/pinned"
    settings = LoraConfig(task_type="CAUSAL_LM", r=1, target_modules=["o_proj"])
    model = get_peft_model(AutoModelForCausalLM.from_pretrained(pinned), settings)
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.ones_(weight)
    model.save_pretrained(project / "theirs", save_embedding_layers=False)


def test_what_cannot_be_made_of_it_is_said(project: Path) -> None:
    adapter = "results/adapters/xquad/demo/base/seed0/adapter_model.safetensors"
    text = snakemake(project, "-n", adapter, check=False)
    assert "No rule to produce" in text and adapter in text
    seed = str(FOLDER / INDEX).replace("seed0", "seed42")
    text = snakemake(project, "-n", seed, check=False)
    assert "tuning base draws nothing and has no seed 42; ask for seed0" in text
