"""Bad disks and damaged files: nothing half-written stays, nothing damaged is used."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cluster_runs import (
    ADAPTER,
    EVALUATIONS,
    TABLE,
    Run,
    remove_results,
    results,
    started,
)
from virtual_cluster import Cluster

pytestmark = pytest.mark.slurm

ONCE = ("--retries", "0")  # the same trouble three times would take three times as long


@pytest.fixture
def scratch(project: Path) -> Iterator[Path]:
    """A small disk that holds the results, as a link to scratch does."""
    disk = project.parent / "scratch"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(disk)],
        capture_output=True,
        text=True,
    )
    if mounted.returncode != 0:
        pytest.skip(f"needs the right to mount a small disk: {mounted.stderr.strip()}")
    try:
        remove_results(project, EVALUATIONS)
        subprocess.run(["cp", "-a", f"{project}/results/.", str(disk)], check=True)
        subprocess.run(["rm", "-r", f"{project}/results"], check=True)
        (project / "results").symlink_to(disk)
        yield disk
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


def fill(disk: Path) -> Path:
    """Take all the space that is left."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as handle:
        try:
            while True:
                handle.write(b"\0" * 4096)
        except OSError:
            return filler


def test_full_disk(
    cluster: Cluster,
    project: Path,
    finished: Path,
    scratch: Path,
    repeated: Callable[[str], None],
) -> None:
    filler = fill(scratch)
    run = Run(cluster, project, TABLE, *ONCE)
    assert run.wait() != 0
    assert "No space left on device" in run.text
    assert "Is the disk full or read-only?" in run.text
    assert [p for p in (project / EVALUATIONS).rglob("*") if p.is_file()] == []
    filler.unlink()
    Run(cluster, project, TABLE).succeed()
    assert results(project) == results(finished)
    assert started(project) == {"evaluate_task": 2}
    repeated("one job, as nothing of it could be kept")


def test_read_only_results(
    cluster: Cluster,
    project: Path,
    finished: Path,
    scratch: Path,
    repeated: Callable[[str], None],
) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(scratch)], check=True)
    run = Run(cluster, project, TABLE, *ONCE)
    assert run.wait() != 0
    # Seen before the first job: Snakemake looks at what it would have to replace.
    assert "Write-protected output files" in run.text
    assert not started(project)
    subprocess.run(["mount", "-o", "remount,rw", str(scratch)], check=True)
    Run(cluster, project, TABLE).succeed()
    assert results(project) == results(finished)
    assert started(project) == {"evaluate_task": 1}
    repeated("nothing")


def truncate(path: Path) -> None:
    """Cut a file in half without changing its time, as a bad disk does."""
    times = path.stat()
    os.truncate(path, times.st_size // 2)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def test_truncated_activations_are_refused(
    cluster: Cluster,
    project: Path,
    finished: Path,
    repeated: Callable[[str], None],
) -> None:
    activations = "results/activations/demo/demo/vi.safetensors"
    remove_results(project, EVALUATIONS)
    truncate(project / activations)
    run = Run(cluster, project, TABLE, *ONCE)
    assert run.wait() != 0
    assert f"error: {activations}: " in run.text
    assert "Delete it to redo it" in run.text
    (project / activations).unlink()
    Run(cluster, project, TABLE).succeed()
    assert results(project) == results(finished)
    # The merged file only; its shard is whole.
    assert started(project)["merge_activations"] == 1
    assert "measure_activations" not in started(project)
    repeated("merging the shards of one language")


def test_truncated_model_is_refused(
    cluster: Cluster,
    project: Path,
    finished: Path,
    repeated: Callable[[str], None],
) -> None:
    folder = "results/models/demo/pinned"
    remove_results(project, ADAPTER)
    truncate(project / folder / "model.safetensors")
    run = Run(cluster, project, TABLE, *ONCE)
    assert run.wait() != 0
    assert f"error: {folder}/model.safetensors: absent or damaged" in run.text
    assert "Traceback" not in run.text
    assert not (project / ADAPTER / "training.json").exists()
    (project / folder / "manifest.json").unlink()
    # Only the adapter: a model that is made again has everything else made again too.
    Run(cluster, project, f"{ADAPTER}/adapter_model.safetensors").succeed()
    there, here = results(project), results(finished)
    names = [name for name in here if name.startswith(("models/", "adapters/"))]
    assert [name for name in names if there[name] != here[name]] == []
    assert started(project) == {"pretrain_demo_model": 1, "tune_model": 2}
    repeated("pretraining the tiny model")
