"""Planning large grids: how long Snakemake takes, and what it writes down.

Times are of the processor (user and system), in units of a fixed piece of work that is
done before and after, so that neither a slow processor nor a busy one counts.
"""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import pytest

from langneurons.jobs import planned
from snakemake_runs import copy_project, dry_run, on_models

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("scale")]

EXTENSION = Path(__file__).parent / "extension.yaml"
TWO_MODELS = on_models("llama31", "qwen3")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = copy_project(tmp_path_factory.mktemp("scale"))
    shutil.copy2(EXTENSION, folder / "extension.yaml")
    return folder


def test_the_papers_grid(project: Path) -> None:
    first = "run=[transfer,finetuning,perplexity]"
    jobs, work = dry_run(project, "all", "--config", first)
    assert sum(jobs.values()) == 684
    assert work < 45


def test_ten_thousand_jobs(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(planned.PLAN, str(tmp_path / "plan.jsonl"))
    overlay = ["--configfile", "extension.yaml", *TWO_MODELS]
    jobs, work = dry_run(project, "all", *overlay)
    assert Counter(job.rule for job in planned.read(tmp_path / "plan.jsonl")) == jobs
    assert sum(jobs.values()) > 10_000
    assert work < 300


def test_the_start_of_one_job_of_ten_thousand(project: Path) -> None:
    """Each cluster job starts Snakemake twice and reads all rules."""
    target = "results/tokens/wikipedia/llama31/en.json"
    overlay = ["--configfile", "extension.yaml", *TWO_MODELS]
    jobs, work = dry_run(project, target, *overlay)
    assert sum(jobs.values()) == 3
    assert work < 20
