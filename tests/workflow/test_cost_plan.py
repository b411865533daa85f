"""``make plan`` on the tiny grid: what Snakemake would run, and what it has run."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest

from langneurons.jobs import planned
from snakemake_runs import copy_project, count_jobs, snakemake

ITEMS = "results/{}tasks/xnli/test.vi.jsonl"
STUDY = ("--config", "study=mine")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_project(tmp_path_factory.mktemp("costs"))


def lines(text: str) -> dict[str, list[str]]:
    """Read the table that was printed: rule -> cells."""
    table = text[text.index("rule  ") :].partition("\n\n")[0]
    names, *rows = [line.split("  ") for line in table.splitlines()]
    cells = [[cell.strip() for cell in row if cell] for row in (names, *rows)]
    assert cells[0][:3] == ["rule", "jobs", "to do"]
    assert {len(row) for row in cells} == {len(cells[0])}
    return {row[0]: row[1:] for row in cells[1:]}


def files(folder: Path) -> set[str]:
    """List files below ``results``."""
    found = folder.joinpath("results").rglob("*")
    return {str(path.relative_to(folder)) for path in found if path.is_file()}


def test_a_dry_run_writes_down_the_jobs_that_it_prints(
    project: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(planned.PLAN, str(tmp_path / "plan.jsonl"))
    said = count_jobs(snakemake(project, "-n", "all"))
    written = planned.read(tmp_path / "plan.jsonl")
    assert Counter(job.rule for job in written) == said
    assert sum(said.values()) > 50
    outputs = [path for job in written for path in job.outputs]
    assert len(outputs) == len(set(outputs))
    assert {"results/report.html", ITEMS.format("")} <= set(outputs)


def test_a_plan_follows_what_was_run_and_what_is_the_studys_own(project: Path) -> None:
    before = lines(snakemake(project, "plan_costs"))
    assert files(project) == set()
    total = before["total"]
    jobs, to_do, spent = (list(before["total"])[i] for i in (0, 1, 5))
    assert int(jobs) == int(to_do) > 50 and spent == "-" and total[-1] == "estimate"
    assert before["prepare_task"][:2] == ["5", "5"]

    snakemake(project, ITEMS.format(""))
    there = files(project)
    after = lines(snakemake(project, "plan_costs"))
    assert files(project) == there
    assert int(after["total"][0]) == int(jobs)
    assert int(after["total"][1]) == int(to_do) - 2  # the world, and these items
    assert after["prepare_task"][:2] == ["5", "4"]
    assert after["generate_demo_world"][:2] == ["1", "0"]
    assert after["prepare_task"][5] != "-" == after["tune_model"][5]
    assert after["prepare_task"][-1] == "1 measured"
    assert after["total"][-1] == "2 measured"

    study = lines(snakemake(project, "plan_costs", *STUDY))
    assert int(study["total"][0]) == int(jobs)
    # The world is shared, and its time counts for all; the items are not its own.
    assert study["generate_demo_world"][:2] == ["1", "0"]
    assert study["prepare_task"][:2] == ["5", "5"]
    assert study["prepare_task"][5] == "-"
    assert study["total"][-1] == "1 measured"


def test_a_study_writes_into_its_folder_and_to_what_is_shared(
    tmp_path: Path,
) -> None:
    project = copy_project(tmp_path)
    given = set(os.listdir(project))
    snakemake(project, ITEMS.format("mine/"), *STUDY)
    assert set(os.listdir(project)) - given == {
        "results", "logs", "benchmarks", ".snakemake"
    }  # fmt: skip
    assert ITEMS.format("mine/") in files(project)
    assert set(os.listdir(project / "results")) == {"demo_world", "mine"}
    assert os.listdir(project / "results/mine") == ["tasks"]
    for mirror in ("logs", "benchmarks"):
        assert os.listdir(project / mirror) == ["results"]
        own = project / mirror / "results/mine"
        assert os.listdir(own) == ["tasks"]
    # The world of another meaning is that of the first study.
    other = "demo_world={qa_test: 20}"
    said = snakemake(project, "-n", "--config", "study=second", other, check=False)
    assert "results/demo_world/world.json: study mine made it" in said
    assert "10 then, 20 now" in said
    assert "means something else by a name" in said and "Traceback" not in said
    said = snakemake(project, "-n", ITEMS.format("second/"), "--config", "study=second")
    assert count_jobs(said) == {"prepare_task": 1}
