"""Amplification with its controls, from plan to tables, on the smallest grid."""

from __future__ import annotations

import csv
import json
import re
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml
from snakemake.utils import update_config

from snakemake_runs import TINY, copy_project, planned, snakemake

pytestmark = pytest.mark.xdist_group("amplification")

AMPLIFIED = """
run: [amplified]
tables: [xquad, perplexity]
corpora: {demo: {bos: none}} # whose state steering would add
language_names: {en: English, vi: Vietnamese, hi: Hindi}
statistics:
  top: {value: runtime_max, positions: non_pad}
experiments:
  amplified:
    kind: amplification
    models: [demo]
    tasks: [xquad]
    selections: [lape.world, random_lape.world]
    statistics: [mean, top]
    control_statistics: [mean]
    prompt: "Answer in {language}."
    steering: {languages: world, layers: [1], strengths: [1, 2.5]}
    perplexity: {languages: [vi], chunks: 8}
"""
FOLDER = Path("results/evaluations/xquad/demo/base/seed0/vi")
INDEX = FOLDER / "part-1-of-1.json"
LANGUAGES = ("en", "vi", "hi")
INSIDE = {
    "none",
    *(f"lape.world.{x}.{s}" for x in LANGUAGES for s in ("mean", "top")),
    *(f"random_lape-1.world.{x}.mean" for x in LANGUAGES),
    *(f"diffmean-l1-{s}.{x}" for x in LANGUAGES for s in ("s1", "s2_5")),
}
PROMPTS = {f"prompt.{x}" for x in LANGUAGES}


def write_overlay(project: Path, changes: str = "", **axes: Any) -> None:
    """Put the experiment on top of the tiny configuration, and changes on it."""
    both = yaml.safe_load(TINY.read_text(encoding="utf-8"))
    update_config(both, yaml.safe_load(AMPLIFIED))
    update_config(both, yaml.safe_load(changes) or {})
    both["experiments"]["amplified"] |= axes
    text = yaml.safe_dump(both, sort_keys=False, allow_unicode=True)
    (project / "tiny.yaml").write_text(text, encoding="utf-8")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished study."""
    folder = copy_project(tmp_path_factory.mktemp("amplification"))
    write_overlay(folder)
    jobs = planned(folder)
    assert jobs["find_directions"] == jobs["evaluate_task"] == 1
    assert jobs["measure_perplexity"] == 1 and "tune_model" not in jobs
    snakemake(folder, "--cores", "2")
    return folder


def table(project: Path, name: str) -> list[dict[str, str]]:
    path = project / f"results/tables/{name}.tsv"
    with path.open(encoding="utf-8") as handle:
        return list(csv.DictReader(handle, delimiter="\t"))


def test_every_treatment_stands_in_the_tables(project: Path) -> None:
    assert planned(project) == Counter()
    listed = json.loads((project / INDEX).read_text(encoding="utf-8"))["treatments"]
    assert set(listed) == INSIDE | PROMPTS
    rows = table(project, "xquad")
    keys = ("method", "langset", "statistic", "neuron_lang", "against")
    found = {tuple(row[k] for k in keys) for row in rows if row["metric"] == "em"}
    for lang in LANGUAGES:
        assert ("prompt", "-", "prompt", lang, "none") in found
        assert ("diffmean", "-", "l1-s2_5", lang, "none") in found
        assert ("lape", "world", "top", lang, "none") in found
    assert len(found) == len(INSIDE | PROMPTS)
    # Of the tested language alone, and never of random neurons: what may be marked.
    tested = {(r["method"], r["neuron_lang"]) for r in rows if r["p_holm"]}
    assert tested == {(method, "vi") for method in ("lape", "diffmean", "prompt")}
    assert {row["published"] for row in rows} == {""}
    text = (project / "results/tables/xquad.md").read_text(encoding="utf-8")
    assert "| demo  | prompt of hi" in text and "| diffmean of hi" in text
    assert "an instruction that names the language stands before" in text
    read = table(project, "perplexity")
    assert {row["method"] for row in read} == {"-", "lape", "random", "diffmean"}
    moved = [r["delta_nll"] for r in read if r["method"] == "diffmean"]
    assert len(moved) == 6 and len(set(moved)) == 6 and all(moved)
    assert (project / "results/report.html").is_file()


def test_a_factor_computes_itself_alone(project: Path) -> None:
    write_overlay(project, statistics=["mean", "top", "zero"])
    jobs = planned(project)
    assert jobs["evaluate_task"] == jobs["measure_perplexity"] == 1
    assert not {"find_directions", "identify_neurons", "measure_activations"} & {*jobs}
    snakemake(project, "--cores", "2", str(INDEX))
    log = (project / "logs" / INDEX).with_suffix(".log").read_text(encoding="utf-8")
    kept = len(INSIDE | PROMPTS)
    assert re.search(rf"kept {kept} of {kept + 3} treatments, computing 3", log)
    write_overlay(project, prompt="Say it in {language}.")
    snakemake(project, "--cores", "2", str(INDEX))
    log = (project / "logs" / INDEX).with_suffix(".log").read_text(encoding="utf-8")
    assert re.search(rf"kept {kept - 3} of {kept} treatments, computing 3", log)


def test_a_language_computes_only_what_it_touches(project: Path) -> None:
    write_overlay(project)
    snakemake(project, "--cores", "2")
    write_overlay(project, "tasks: {xquad: {languages: [vi, hi]}}")
    jobs = planned(project)
    assert jobs["evaluate_task"] == jobs["prepare_task"] == 1  # Hindi, as it is tested
    assert not {"identify_neurons", "measure_perplexity", "find_directions"} & {*jobs}
    # One more is set against the others, so all neurons and directions are found anew,
    # but no text of these is read again.
    write_overlay(project, "language_sets: {world: [en, vi]}")
    snakemake(project, "--cores", "2")
    for kind in ("tokens", "activations"):
        for path in (project / f"results/{kind}/demo/demo").glob("hi*"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    write_overlay(project)
    jobs = planned(project)
    assert jobs["tokenise_corpus"] == jobs["merge_activations"] == 1
    assert jobs["identify_neurons"] == 2 and jobs["find_directions"] == 1
    assert jobs["evaluate_task"] == jobs["measure_perplexity"] == 1
    assert not {"pretrain_demo_model", "generate_demo_world", "prepare_task"} & {*jobs}
