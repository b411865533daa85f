"""Pieces of work are spread over processors, in order, and by nothing else."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from langneurons.jobs.workers import processors, spread


def test_results_come_in_order_from_as_many_at_once_as_there_are(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    together = threading.Barrier(3, timeout=20)  # three at once, or it breaks

    def work(number: int, other: str) -> str:
        together.wait()
        return f"{number}{other}"

    assert list(spread(work, range(6), "abcdef")) == [
        "0a",
        "1b",
        "2c",
        "3d",
        "4e",
        "5f",
    ]


@pytest.mark.parametrize(("said", "found"), [("4", 4), ("", None), ("0", None)])
def test_the_job_says_how_many_there_are(said, found, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", said)
    assert processors() == found or (found is None and processors() >= 1)


def test_rounding_does_not_depend_on_how_many_there_are(monkeypatch):
    one, other = np.random.default_rng(0).standard_normal((2, 300, 300))
    found = []
    for number in "13":
        monkeypatch.setenv("OMP_NUM_THREADS", number)
        found.append(np.stack(list(spread(lambda i: one @ (i * other), range(4)))))
    assert np.array_equal(*found)


def test_what_fails_is_told():
    with pytest.raises(ZeroDivisionError):
        list(spread(lambda i: 1 // i, range(3)))
