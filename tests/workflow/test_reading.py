"""Selections that are made from others: identified, and run again when these change."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from langneurons.neurons.neuron_sets import NeuronSets
from snakemake_runs import copy_project, planned, snakemake

# Nothing in a list of the grid names lape or actprob: others read them.
READING = """
methods:
  both: {kind: intersection, reads: [lape, actprob], parameters: {minimum: 1}}
  random_both: {kind: matched_random, reads: [both], draws: 1}
"""
FOLDER = "results/neurons/demo"
MADE = ("lape", "actprob", "both", "random_both-1", "entropy_lambda")
TARGETS = (f"{FOLDER}/random_both-1.world.json", f"{FOLDER}/entropy_lambda.world.json")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project in which these neurons are identified."""
    project = copy_project(tmp_path_factory.mktemp("reading"))
    tiny = (project / "tiny.yaml").read_text(encoding="utf-8")
    assert "\nmethods:\n" in tiny
    tiny = tiny.replace("\nmethods:\n", READING)
    (project / "tiny.yaml").write_text(tiny, encoding="utf-8")
    assert planned(project, *TARGETS)["identify_neurons"] == len(MADE)
    snakemake(project, "--cores", "2", *TARGETS)
    return project


def edit(project: Path, old: str, new: str) -> None:
    path = project / "tiny.yaml"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_all_that_is_read_is_made_and_recorded(project: Path) -> None:
    found = {n: NeuronSets.read(project / f"{FOLDER}/{n}.world.json") for n in MADE}
    for lang in ("en", "vi", "hi"):
        either = found["lape"].mask(lang) | found["actprob"].mask(lang)
        assert (found["both"].mask(lang) == either).all() and either.any()
    assert found["random_both-1"].counts == found["both"].counts
    record = project / f"{FOLDER}/both.world.json.provenance.json"
    inputs = json.loads(record.read_text(encoding="utf-8"))["inputs"]
    read = [f"{FOLDER}/{n}.world.json" for n in ("lape", "actprob")]
    assert list(inputs["reads"]) == read


def test_an_edit_of_what_is_read_reaches_what_is_made_from_it(project: Path) -> None:
    assert planned(project, *TARGETS) == Counter()
    edit(project, "bar_ratio: 0.5", "bar_ratio: 0.6")
    told = snakemake(project, "-n", *TARGETS)
    again = {n for n in MADE if f"output: {FOLDER}/{n}.world.json" in told}
    assert again == {"lape", "both", "random_both-1"}
    edit(project, "bar_ratio: 0.6", "bar_ratio: 0.5")
    edit(project, "minimum: 1", "minimum: null")
    told = snakemake(project, "-n", *TARGETS)
    again = {n for n in MADE if f"output: {FOLDER}/{n}.world.json" in told}
    assert again == {"both", "random_both-1"}
    edit(project, "minimum: null", "minimum: 1")
