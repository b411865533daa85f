"""A small study whose places and names are the awkward ones that people have.

One study serves several cases: another workflow uses ours as a module, from a checkout
whose folder has blanks, an accent, an apostrophe and brackets; model, text and items
are local files; the home directory cannot be written; and a language is called nan
(Southern Min in ISO 639-3). Snakemake itself runs the first job. The others are run
here, by the commands that it prints, so that Python and torch start once.
"""

from __future__ import annotations

import csv
import json
import os
import re
import runpy
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

import tiny_models
import warm_start
from langneurons.jobs import devices
from script_runs import write_text
from snakemake_runs import copy_project, count_jobs, environment
from test_models import save_model

MODULE = """configfile: "config/config.yaml"

module langneurons:
    snakefile: "{}/Snakefile"
    config: config

use rule * from langneurons
"""
STUDY = """
run: [transfer, again, perplexity]
tables: [xquad, perplexity, activation_statistics]
demo_world: null
models: {demo: {builder: null, demo: null, folder: data/model}}
corpora:
  demo:
    folder: data/corpus
    tokens: 512
    heldout_tokens: 128
    chunk_length: 16
    tokens_per_shard: 512
language_sets: {world: [en, nan]}
tasks:
  xquad:
    languages: [nan]
    data: {train: null, test: "data/qa/test-{lang}.json"}
    test_items: null
    parameters: {max_length: 48}
experiments:
  transfer:
    tasks: [xquad]
    tunings: [base]
    selections: [lape.world]
    statistics: [zero]
  again: # the same once more, and one statistic
    kind: interventions
    models: [demo]
    tasks: [xquad]
    tunings: [base]
    selections: [lape.world]
    statistics: [zero, mean]
  perplexity: {languages: [en, nan], selections: [lape.world], statistics: [zero]}
"""
TARGETS = ["xquad", "perplexity", "activation_statistics"]


ITEMS = "results/tasks/xquad/test.nan.jsonl"


@dataclass(frozen=True)
class Study:
    """Where it runs, and how Snakemake's own job ended and what it said."""

    folder: Path
    status: int
    text: str

    def rows(self, table: str) -> list[dict[str, str]]:
        path = self.folder / f"results/tables/{table}.tsv"
        with path.open(encoding="utf-8") as handle:
            return list(csv.DictReader(handle, delimiter="\t"))


def snakemake(folder: Path, *arguments: str) -> tuple[int, str]:
    """Run Snakemake as a user of the module does, without a home directory."""
    command = [
        str(warm_start.command()), "-m", "snakemake", *arguments, "--cores", "1",
        "--workflow-profile", "none",
        "--configfile", "config/demo.yaml", "tiny.yaml", "study.yaml",
    ]  # fmt: skip
    own = environment(HOME="/dev/null", XDG_CACHE_HOME=str(folder / "cache"))
    done = subprocess.run(command, cwd=folder, env=own, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def arguments_of(command: str) -> list[str]:
    """Return the script of a rule's shell command, and its arguments.

    What is piped to it stands where the script reads it: ``printf ... | python x @-``.
    """
    words = shlex.split(command)
    at = words.index("python")
    piped = words[2 : at - 1] if at else []
    found: list[str] = []
    for word in words[at + 1 : words.index(">")]:  # the log
        found += piped if word == "@-" else [word]
    return found


def finish(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run every job that is left, in the order in which Snakemake would."""
    status, text = snakemake(folder, "-n", "-p")
    assert status == 0, text
    commands = re.findall(r"^Shell command: (.* .*)$", text, re.MULTILINE)
    assert len(commands) == sum(count_jobs(text).values()) - 1, "all but the rule all"
    monkeypatch.chdir(folder)
    # Scripts set these for the rest of their process, which is this one.
    for name in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE"):
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv(devices.VISIBLE, "")
    for command in commands:
        monkeypatch.setattr(sys, "argv", arguments_of(command))
        try:
            runpy.run_path(sys.argv[0], run_name="__main__")
        except SystemExit as ended:  # its error is on the standard error
            pytest.fail(f"status {ended.code}: {command}")


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """The finished study."""
    place = tmp_path_factory.mktemp("places")
    checkout = place / "José's study (2)"
    checkout.mkdir()
    copy_project(checkout)
    folder = place / "work"
    shutil.copytree(checkout / "config", folder / "config")
    shutil.move(checkout / "tiny.yaml", folder / "tiny.yaml")
    (folder / "study.yaml").write_text(STUDY, encoding="utf-8")
    (folder / "workflow").mkdir()
    module = folder / "workflow/Snakefile"
    module.write_text(MODULE.format(checkout), encoding="utf-8")
    save_model(folder / "data/model", "llama")
    for i, lang in enumerate(("en", "nan")):
        write_text(folder / f"data/corpus/{lang}.txt", documents=60, seed=i)
    asked = {"question": "w1 w2", "answers": [{"text": "w4", "answer_start": 3}]}
    passages = [{"context": "w3 w4 w5", "qas": [asked]} for _ in range(8)]
    (folder / "data/qa").mkdir()
    (folder / "data/qa/test-nan.json").write_text(
        json.dumps({"data": [{"title": "t", "paragraphs": passages}]})
    )
    found = Study(folder, *snakemake(folder, ITEMS))
    if found.status == 0:
        with pytest.MonkeyPatch.context() as monkeypatch:
            finish(folder, monkeypatch)
    return found


@pytest.mark.case("As a module of another workflow, in a folder whose name has blanks")
def test_module_with_blanks_in_its_path(study: Study) -> None:
    assert study.status == 0, study.text
    assert (study.folder / ITEMS).is_file()
    assert (study.folder / "results/neurons/demo/lape.world.json").is_file()
    assert not (study.folder.parent / "José's study (2)/results").exists()


@pytest.mark.case("A home directory that cannot be written: XDG_CACHE_HOME is enough")
def test_home_not_writable(study: Study) -> None:
    """Without it caches go into the project; see tests/workflow/test_failures.py."""
    assert study.status == 0, study.text
    assert (study.folder / "cache/snakemake").is_dir()


@pytest.mark.case("The code nan is text in tables, figures and report, and not missing")
def test_code_nan(study: Study) -> None:
    assert study.status == 0, study.text
    results = study.folder / "results"
    assert {row["lang"] for row in study.rows("xquad")} == {"nan"}
    assert {row["lang"] for row in study.rows("perplexity")} == {"en", "nan"}
    switched = {(row["neuron_lang"], row["lang"]) for row in study.rows("perplexity")}
    assert {("nan", "nan"), ("en", "nan"), ("nan", "en")} <= switched
    assert {row["lang"] for row in study.rows("activation_statistics")} == {"en", "nan"}
    for table in TARGETS:
        text = (results / f"tables/{table}.md").read_text(encoding="utf-8")
        assert "| nan " in text, table
    neurons = json.loads((results / "neurons/demo/lape.world.json").read_text())
    assert neurons["neurons"]["nan"], "LAPE found some"
    drawn = (results / "figures/demo/lape.world/counts.tsv").read_text()
    assert "nan\t" in drawn
    assert ">nan<" in (results / "report.html").read_text(encoding="utf-8")


@pytest.mark.case("What two experiments ask for counts once; one seed is not pooled")
def test_repeated_evaluations_run(study: Study) -> None:
    assert study.status == 0, study.text
    names = ("method", "langset", "draw", "seed", "lang", "statistic", "metric")
    rows = [tuple(row[name] for name in names) for row in study.rows("xquad")]
    assert {row[5] for row in rows} == {"none", "zero", "mean"}
    assert len(set(rows)) == len(rows)
    assert {row[3] for row in rows} == {"0"}, "the model as it is has no other seed"


@pytest.mark.case("Other weights in a model's folder are pinned anew, and all follows")
def test_model_folder_replaced(study: Study) -> None:
    assert study.status == 0, study.text
    status, text = snakemake(study.folder, "-n")
    assert status == 0 and count_jobs(text) == {}, text
    model = study.folder / "data/model"
    tiny_models.build("llama", seed=2).save_pretrained(model)
    # Of an older time, as what was downloaded before and is moved here.
    for path in model.iterdir():
        os.utime(path, (1_000_000_000, 1_000_000_000))
    _, text = snakemake(study.folder, "-n")
    jobs = count_jobs(text)
    assert jobs["fetch_model"] == 1 and jobs["measure_activations"] == 2, text
