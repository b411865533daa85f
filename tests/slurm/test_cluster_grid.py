"""The tiny grid on a real Slurm: the same results, and the resources asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from cluster_runs import TABLE, Run, computed, make_project, remove_results, results
from virtual_cluster import Cluster

# One worker for both tests: they look at the same run (pytest --dist loadgroup).
pytestmark = [pytest.mark.slurm, pytest.mark.xdist_group("grid")]


@pytest.fixture(scope="module")
def on_cluster(
    cluster: Cluster, finished: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The project after the same run on the cluster."""
    folder = make_project(tmp_path_factory.mktemp("cluster") / "p")
    Run(cluster, folder, TABLE, ask=()).succeed(1200)  # the profile as it is
    return folder


def test_a_run_on_the_cluster_gives_the_same_bytes(
    on_cluster: Path, finished: Path
) -> None:
    there, here = results(on_cluster), results(finished)
    assert there.keys() == here.keys()
    assert [name for name in here if here[name] != there[name]] == []
    assert "tables/xnli.tsv" in here


def test_gpus_memory_and_time_are_requested(cluster: Cluster, on_cluster: Path) -> None:
    jobs = {
        job["Comment"].split("_wildcards_")[0]: job for job in cluster.jobs(on_cluster)
    }
    tuning = jobs["rule_tune_model"]
    assert tuning["TresPerJob"] == "gres:gpu:1"
    assert tuning["Partition"] == "accelerated" and tuning["NumNodes"] == "1"
    assert tuning["MinMemoryNode"] == "7000M"  # 4,000 + 2.5 a million parameters
    assert tuning["TimeLimit"] == "00:20:00" and tuning["CPUs/Task"] == "2"
    measuring = jobs["rule_measure_activations"]
    assert measuring["TresPerJob"] == "gres:gpu:1"
    assert measuring["MinMemoryNode"] == "15000M"  # and 8,000 for the histograms
    selecting = jobs["rule_identify_neurons"]
    assert "TresPerJob" not in selecting and selecting["Partition"] == "short"
    assert selecting["TimeLimit"] == "01:00:00"
    # What the programs were given of it.
    lines = (on_cluster / "started.txt").read_text(encoding="utf-8").splitlines()
    devices = {words[2]: words[1] for words in map(str.split, lines)}
    assert devices["tune_model.py"] in ("0", "1")
    assert devices["identify_neurons.py"] == "-"


PERPLEXITY = "results/perplexity/demo/demo/vi/part-1-of-1.json"


def test_resources_by_a_rules_plain_name_and_force(
    cluster: Cluster, project: Path
) -> None:
    remove_results(project)
    set_ = ("evaluate_task:runtime=600", "measure_perplexity:runtime=500")
    more = ("--set-resources", *set_)
    Run(cluster, project, TABLE, PERPLEXITY, *more).succeed()
    jobs = {j["Comment"].split("_wildcards_")[0]: j for j in cluster.jobs(project)}
    assert jobs["rule_evaluate_task"]["TimeLimit"] == "10:00:00"
    assert jobs["rule_measure_perplexity"]["TimeLimit"] == "08:20:00"
    kept, again = computed(project)
    assert again == 0
    # Nor is anything kept where the rule is forced: the job on the node is told so.
    before = results(project)
    Run(cluster, project, TABLE, "--forcerun", "evaluate_task").succeed()
    assert computed(project) == (0, kept)
    assert results(project) == before
