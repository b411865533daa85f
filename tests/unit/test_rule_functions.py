"""What spares Snakemake time: one timer at a time until it looks at its jobs again."""

from __future__ import annotations

import threading

import pytest
from snakemake.scheduling.job_scheduler import JobScheduler

from langneurons.study.rule_functions import one_timer


@pytest.fixture
def scheduler(monkeypatch: pytest.MonkeyPatch) -> JobScheduler:
    """Snakemake's own, as far as its timers go."""
    own = JobScheduler._schedule_reevalutation
    monkeypatch.setattr(JobScheduler, "_schedule_reevalutation", own)
    one_timer(JobScheduler)
    assert JobScheduler._schedule_reevalutation is not own
    made = object.__new__(JobScheduler)
    made._open_jobs = threading.Semaphore(0)
    return made


def test_it_looks_once_however_often_it_was_to_wait(scheduler: JobScheduler) -> None:
    before = threading.active_count()
    for _ in range(20):
        scheduler._schedule_reevalutation(0.2)
    assert threading.active_count() == before + 1
    assert scheduler._open_jobs.acquire(timeout=5)
    assert not scheduler._open_jobs.acquire(timeout=0.5)


def test_it_waits_again_after_it_has_looked(scheduler: JobScheduler) -> None:
    for _ in range(200):
        scheduler._schedule_reevalutation(0)
        # The thread of the timer may not have ended when the next is set.
        assert scheduler._open_jobs.acquire(timeout=5)


def test_a_scheduler_without_such_timers_is_left_alone() -> None:
    class Other:
        pass

    one_timer(Other)
    assert not hasattr(Other, "_schedule_reevalutation")
