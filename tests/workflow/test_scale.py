"""Planning large grids: how long Snakemake takes, and whether our own plan agrees.

Times are of the processor (user and system), so that other work on the machine does not
count.
"""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import pytest

from snakemake_runs import copy_project, count_jobs, measured, on_models, our_plan

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("scale")]

EXTENSION = Path(__file__).parent / "extension.yaml"
TWO_MODELS = ["--config", on_models(["llama31", "qwen3"])]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = copy_project(tmp_path_factory.mktemp("scale"))
    shutil.copy2(EXTENSION, folder / "extension.yaml")
    return folder


def dry_run(folder: Path, *arguments: str) -> tuple[Counter[str], float]:
    """Return the jobs by rule, and the seconds of processor time of the dry run."""
    text, seconds, _ = measured(folder, "-n", *arguments)
    return count_jobs(text), seconds


def ours(folder: Path, models: list[str] | None, *overlays: Path) -> Counter[str]:
    """Return the jobs of ``planned_jobs`` for the same configuration."""
    return Counter(job.rule for job in our_plan(folder, models, *overlays))


def without_ends(jobs: Counter[str]) -> Counter[str]:
    """Leave out jobs that make no result of the study."""
    ends = ("all", "build_cost_table", "plan_costs")
    return Counter({rule: n for rule, n in jobs.items() if rule not in ends})


def test_the_papers_grid(project: Path) -> None:
    jobs, seconds = dry_run(project, "all")
    assert without_ends(jobs) == ours(project, None)
    assert seconds < 20


def test_ten_thousand_jobs(project: Path) -> None:
    overlay = ["--configfile", "extension.yaml", *TWO_MODELS]
    jobs, seconds = dry_run(project, "all", *overlay)
    expected = ours(project, ["llama31", "qwen3"], EXTENSION)
    assert without_ends(jobs) == expected
    assert sum(jobs.values()) > 10_000
    assert seconds < 120


def test_the_start_of_one_job_of_ten_thousand(project: Path) -> None:
    """Each cluster job starts Snakemake twice and reads all rules."""
    target = "results/tokens/wikipedia/llama31/en.json"
    overlay = ["--configfile", "extension.yaml", *TWO_MODELS]
    jobs, seconds = dry_run(project, target, *overlay)
    assert sum(jobs.values()) == 3
    assert seconds < 8


def test_the_demo_is_planned_alike(project: Path) -> None:
    jobs, _ = dry_run(project, "all", "--configfile", "config/demo.yaml")
    expected = ours(project, None, project / "config/demo.yaml")
    assert without_ends(jobs) == expected
