"""The cluster, and a finished local run that its results are compared with."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cluster_runs import TABLE, make_project, run_locally
from virtual_cluster import Cluster, missing


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A Slurm of two nodes with two GPUs each."""
    if lacking := missing():
        reason = (
            f"no {', '.join(lacking)} on this machine: tests/slurm/install.sh installs "
            "what the cluster tests need"
        )
        if "LANGNEURONS_COMPLETE" in os.environ:  # make test-slurm has run that script
            pytest.fail(reason)
        pytest.skip(reason)
    pytest.importorskip("snakemake_executor_plugin_slurm")
    with Cluster() as running:
        yield running


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """The project after an undisturbed run without a cluster; one for all workers."""
    base = tmp_path_factory.getbasetemp()
    folder = (base if worker_id == "master" else base.parent) / "finished"
    with folder.with_name("finished.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            part = make_project(folder.with_name("finished.part"))
            run_locally(part, "--cores", "2", TABLE)
            part.rename(folder)
    return folder


@pytest.fixture
def repeated(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Note what was done twice; it is listed at the end of the tests."""

    def note(what: str) -> None:
        record_property("repeated", what)

    return note


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """List each trouble with the work that was repeated after it."""
    lines = [
        (report.nodeid.split("::")[-1].removeprefix("test_").replace("_", " "), what)
        for report in terminalreporter.getreports("passed")
        for name, what in report.user_properties
        if name == "repeated" and report.when == "call"
    ]
    if lines:
        terminalreporter.section("trouble -> work that was repeated")
    for trouble, what in sorted(lines):
        terminalreporter.write_line(f"{trouble}: {what}")


@pytest.fixture
def project(cluster: Cluster, finished: Path, tmp_path: Path) -> Iterator[Path]:
    """A copy of the finished project, file times kept, to spoil and run again."""
    folder = shutil.copytree(finished, tmp_path / "p", symlinks=True)
    yield folder
    # What a failed test left at work must not take the next one's processors.
    cluster.end_all(folder)
