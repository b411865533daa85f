"""Cases from the field: faults that people met with tools of this kind.

Each test has the mark ``case`` with what it guards: the fault, and what is wanted in
its place. It stands above the assertion that failed. ``pytest -m case`` runs them all.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from script_runs import Bench

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuse a test of this folder that does not say what it guards."""
    for item in items:
        if HERE not in item.path.parents:
            continue
        mark = item.get_closest_marker("case")
        if mark is None or not (mark.args and mark.args[0]):
            raise pytest.UsageError(f"{item.nodeid}: say what it guards: mark.case")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Say of a case that failed what it guards."""
    report: Any = yield
    mark = item.get_closest_marker("case")
    if report.failed and mark is not None:
        report.sections.insert(0, ("what the case guards", mark.args[0]))
    return report


@pytest.fixture
def bench(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Bench:
    """Scripts of the workflow, run in an empty folder."""
    return Bench(tmp_path, monkeypatch, capsys)
