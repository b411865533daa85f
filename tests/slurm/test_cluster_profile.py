"""The profile before it is filled in: what the user is told."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from cluster_runs import TABLE, Run, remove_results, started
from virtual_cluster import Cluster

pytestmark = pytest.mark.slurm

NEURONS = "results/neurons/demo/actprob.world.json"


def test_a_placeholder_for_a_partition_is_named(
    cluster: Cluster, project: Path
) -> None:
    source = Path(__file__).parent.parent.parent / "profiles/slurm/partitions.yaml"
    shutil.copy2(source, project / "profiles/slurm/partitions.yaml")
    remove_results(project, NEURONS)
    run = Run(cluster, project, TABLE)
    assert run.wait() != 0
    assert "invalid partition specified: your-cpu-partition" in run.text
    assert not started(project)


def test_an_account_that_the_cluster_demands_is_asked_for(
    cluster: Cluster, project: Path
) -> None:
    path = project / "profiles/slurm/partitions.yaml"
    text = path.read_text(encoding="utf-8").replace("  short:", "  members:")
    path.write_text(text, encoding="utf-8")
    remove_results(project, NEURONS)
    run = Run(cluster, project, TABLE)
    assert run.wait() != 0
    assert "Invalid account or account/partition combination specified" in run.text
    assert not started(project)
