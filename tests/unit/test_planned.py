"""Writing down what a dry run plans, and reading it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from snakemake_interface_logger_plugins.common import LogEvent

import dry_runs
from configurations import experiment, merge, paper, tiny
from langneurons.config.errors import ConfigError
from langneurons.jobs import planned
from langneurons.jobs.planned import Job

LOGGER = logging.getLogger("snakemake.logging")


@pytest.fixture(autouse=True)
def _no_filters(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let Snakemake's logger have its filters back."""
    monkeypatch.setattr(LOGGER, "filters", [])
    yield


def message(event: LogEvent | None, **about: Any) -> logging.LogRecord:
    """Make a message of Snakemake."""
    one = logging.makeLogRecord({"msg": "job", "levelno": logging.INFO})
    vars(one).update({"event": event} | about)
    return one


ABOUT: dict[str, Any] = {
    "rule_name": "tune_model",
    "wildcards": {"model": "demo", "lang": "vi"},
    "output": ["results/a", "results/b"],
    "benchmark": "benchmarks/a.tsv",
    "resources": SimpleNamespace(gpu=2, mem_mb=4000),
}


def test_a_job_is_written_down_and_read_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = tmp_path / "plan.jsonl"
    monkeypatch.setenv(planned.PLAN, str(plan))
    planned.record()
    assert LOGGER.filter(message(LogEvent.JOB_INFO, **ABOUT))
    nothing = {"wildcards": None, "output": None, "benchmark": None}
    unknown = SimpleNamespace(mem_mb="<TBD>")
    told = {"rule_name": "all", "resources": unknown} | nothing
    assert LOGGER.filter(message(LogEvent.JOB_INFO, **told))
    assert planned.read(plan) == [
        Job(
            rule="tune_model",
            wildcards={"model": "demo", "lang": "vi"},
            outputs=("results/a", "results/b"),
            benchmark="benchmarks/a.tsv",
            gpus=2,
            memory=4000,
        ),
        Job(rule="all", wildcards={}, outputs=(), benchmark="", gpus=0, memory=0),
    ]
    assert [job.model for job in planned.read(plan)] == ["demo", ""]


@pytest.mark.parametrize("event", [LogEvent.RUN_INFO, LogEvent.SHELLCMD, None])
def test_other_messages_pass_and_leave_nothing(
    event: LogEvent | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(planned.PLAN, str(tmp_path / "plan.jsonl"))
    planned.record()
    assert LOGGER.filter(message(event, **ABOUT))
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_written_down_without_the_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(planned.PLAN, "plan.jsonl")
    planned.record()
    planned.record()
    assert len(LOGGER.filters) == 1  # one line for each job, however often it is asked
    monkeypatch.delenv(planned.PLAN)
    planned.record()
    assert LOGGER.filters == []
    assert LOGGER.filter(message(LogEvent.JOB_INFO, **ABOUT))
    assert list(tmp_path.iterdir()) == []


def test_what_does_not_plan_is_an_error_with_the_words_of_snakemake(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    wrong = merge(tiny(), experiment("transfer", models=["dmo"]))
    with pytest.raises(ConfigError, match="did you mean 'demo'"):
        planned.dry_run(dry_runs.SNAKEFILE, wrong)
    with pytest.raises(ConfigError, match=r"(?s)MissingRuleException:.*nothing\.makes"):
        planned.dry_run(dry_runs.SNAKEFILE, tiny(), "nothing.makes")


def test_jobs_ask_for_the_gpus_of_their_models_wherever_they_are_planned(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    raw = paper(models={"llama31": {"parameters": 70.6e9}}, run=["transfer"])
    target = "results/models/llama31/nf4/manifest.json"
    (job,) = [j for j in dry_runs.jobs(raw, target) if j.rule == "quantise_model"]
    assert job.gpus == 2
