"""What goes wrong on clusters: every run ends with the table of an undisturbed one.

Each test spoils a copy of a finished project, runs it, brings the trouble about, and
counts what was done twice. Where a job has to be caught in the middle of its work, the
`python` of the jobs stops the program at a given point (job_python.sh); what happens
then is done by Slurm, by a signal, or by the disk.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from cluster_runs import (
    ADAPTER,
    EVALUATIONS,
    EVERY,
    INDEX,
    STEPS,
    TABLE,
    Run,
    computed,
    micro_batches,
    remove_results,
    results,
    resumed_after,
    started,
)
from virtual_cluster import Cluster, wait_for

pytestmark = pytest.mark.slurm

# Stopped in the middle of a training, after a checkpoint (one every 10 steps of 80).
IN_TRAINING = {
    "trouble": "stall",
    "script": "tune_model.py",
    "when": f"{ADAPTER}/.checkpoints/training.pt",
}
# Stopped in the middle of an evaluation, after the first of its treatments.
IN_EVALUATION = {
    "trouble": "stall",
    "script": "evaluate_task.py",
    "when": f"{EVALUATIONS}/*.parquet",
}


def training(cluster: Cluster, project: Path) -> Run:
    """Start a run that stalls in the middle of a training."""
    remove_results(project, ADAPTER)
    return Run(cluster, project, TABLE, **IN_TRAINING)


def assert_same_table(project: Path, finished: Path) -> None:
    """The tables are equal; a smaller micro-batch may round what they are made of."""
    assert (project / TABLE).read_bytes() == (finished / TABLE).read_bytes()
    assert results(project).keys() == results(finished).keys()


def assert_training_was_resumed(project: Path, repeated: Callable[[str], None]) -> None:
    """The second job went on from the first one's checkpoint."""
    assert started(project)["tune_model"] == 2
    step = resumed_after(project)
    assert EVERY <= step < STEPS
    repeated(f"less than {EVERY} of {STEPS} steps (went on after step {step})")


def assert_training_was_not_repeated(
    project: Path, finished: Path, repeated: Callable[[str], None]
) -> None:
    assert results(project) == results(finished)
    assert started(project)["tune_model"] == 1
    repeated("nothing")


def test_time_limit_in_training(
    cluster: Cluster,
    project: Path,
    finished: Path,
    repeated: Callable[[str], None],
) -> None:
    remove_results(project, ADAPTER)
    # A minute, and two for the next attempt, instead of 20 and 40.
    limit = ("--set-resources", "tune_model:runtime=attempt")
    run = Run(cluster, project, TABLE, *limit, **IN_TRAINING).succeed()
    assert "TIMEOUT" in run.text
    first, second = (j for j in cluster.jobs(project) if "tune_model" in j["Comment"])
    assert first["JobState"] == "TIMEOUT"
    assert (first["TimeLimit"], second["TimeLimit"]) == ("00:01:00", "00:02:00")
    assert_same_table(project, finished)
    assert_training_was_resumed(project, repeated)


def test_out_of_memory_in_evaluation(
    cluster: Cluster,
    project: Path,
    finished: Path,
    repeated: Callable[[str], None],
) -> None:
    remove_results(project, EVALUATIONS)
    # The program needs 150 MB for each sequence of the micro-batch: 16, then 8.
    memory = ("--set-resources", "evaluate_task:mem_mb=attempt * 2000")
    eating = {"trouble": "eat", "script": "evaluate_task.py", "mb": 150}
    run = Run(cluster, project, TABLE, *memory, **eating).succeed()
    first, second = (j for j in cluster.jobs(project) if "evaluate" in j["Comment"])
    assert first["JobState"] in ("FAILED", "OUT_OF_MEMORY")
    assert first["JobState"] in run.text
    assert (first["MinMemoryNode"], second["MinMemoryNode"]) == ("2000M", "4000M")
    assert micro_batches(project) == [16, 8]
    assert_same_table(project, finished)
    repeated("the treatments of one job: it was killed before the first was done")


def test_cancelled_job(
    cluster: Cluster,
    project: Path,
    finished: Path,
    repeated: Callable[[str], None],
) -> None:
    remove_results(project, EVALUATIONS)
    run = Run(cluster, project, TABLE, **IN_EVALUATION)
    job = run.until_stalled()
    cluster.run("scancel", job["JobId"])
    run.succeed()
    assert "CANCELLED" in run.text
    assert_same_table(project, finished)
    kept, again = computed(project)
    whole = len(list((finished / EVALUATIONS).glob("*.parquet")))
    assert kept >= 1 and kept + again == whole
    repeated(f"at most one of {whole} treatments ({kept} kept, {again} computed)")


def test_preempted_job(
    cluster: Cluster,
    project: Path,
    finished: Path,
    repeated: Callable[[str], None],
) -> None:
    run = training(cluster, project)
    run.until_stalled()
    # Someone with precedence wants all processors of the cluster.
    size = ["--nodes=2", "--ntasks-per-node=4", "--mem=100"]
    urgent = ["--partition=urgent", "--output=/dev/null", "--wrap=sleep 2"]
    cluster.run("sbatch", "--wait", *size, *urgent)
    run.succeed()
    assert results(project) == results(finished)
    assert_training_was_resumed(project, repeated)


def test_lost_node(
    cluster: Cluster,
    project: Path,
    finished: Path,
    repeated: Callable[[str], None],
) -> None:
    run = training(cluster, project)
    lost = run.until_stalled()["NodeList"]
    cluster.kill_node(lost)
    try:
        run.succeed()
    finally:
        cluster.start_node(lost)
        wait_for(cluster.is_idle, 60, "the node is back")
    assert results(project) == results(finished)
    assert_training_was_resumed(project, repeated)


def test_controller_that_is_away_for_a_while(
    cluster: Cluster,
    project: Path,
    finished: Path,
    repeated: Callable[[str], None],
) -> None:
    run = training(cluster, project)
    run.until_stalled()
    cluster.stop_controller()
    try:
        time.sleep(20)  # some status queries fail
    finally:
        cluster.start_controller()
        wait_for(cluster.is_idle, 60, "the controller is back")
    run.let_go()
    run.succeed()
    assert_training_was_not_repeated(project, finished, repeated)


def test_killed_snakemake_and_its_job_goes_on(
    cluster: Cluster,
    project: Path,
    finished: Path,
    repeated: Callable[[str], None],
) -> None:
    first = training(cluster, project)
    first.until_stalled()
    first.kill()
    first.wait()
    second = Run(cluster, project, TABLE)
    assert second.wait() != 0
    assert "cannot be locked" in second.text and "--unlock" in second.text
    # The job knows nothing of it. Wait for its end, then unlock.
    first.let_go()
    wait_for(lambda: not cluster.active(project), 120, "the end of the orphan")
    Run(cluster, project, "--unlock").succeed()
    Run(cluster, project, TABLE).succeed()
    assert_training_was_not_repeated(project, finished, repeated)


def test_killed_snakemake_and_its_job_is_cancelled(
    cluster: Cluster,
    project: Path,
    finished: Path,
    repeated: Callable[[str], None],
) -> None:
    first = training(cluster, project)
    job = first.until_stalled()
    first.kill()
    first.wait()
    cluster.run("scancel", "--name", job["JobName"])
    wait_for(lambda: not cluster.active(project), 60, "the end of the orphan")
    Run(cluster, project, "--unlock").succeed()
    Run(cluster, project, TABLE).succeed()
    assert results(project) == results(finished)
    assert_training_was_resumed(project, repeated)


def test_terminated_snakemake_waits_for_its_jobs(
    cluster: Cluster,
    project: Path,
    finished: Path,
    repeated: Callable[[str], None],
) -> None:
    first = training(cluster, project)
    first.until_stalled()
    first.kill(signal.SIGTERM)
    wait_for(lambda: "Will exit after" in first.text, 30, "the answer to SIGTERM")
    first.let_go()
    assert first.wait() != 0
    assert not cluster.active(project)
    assert started(project) == {"tune_model": 1}
    Run(cluster, project, TABLE).succeed()
    assert_training_was_not_repeated(project, finished, repeated)


def test_interrupted_snakemake_cancels_its_jobs(
    cluster: Cluster,
    project: Path,
    finished: Path,
    repeated: Callable[[str], None],
) -> None:
    first = training(cluster, project)
    first.until_stalled()
    first.kill(signal.SIGINT)  # Ctrl-C
    assert first.wait() != 0
    wait_for(lambda: not cluster.active(project), 60, "the end of its jobs")
    Run(cluster, project, TABLE).succeed()
    assert results(project) == results(finished)
    assert_training_was_resumed(project, repeated)


def test_second_run_in_the_same_folder_is_refused(
    cluster: Cluster,
    project: Path,
    finished: Path,
    repeated: Callable[[str], None],
) -> None:
    first = training(cluster, project)
    first.until_stalled()
    second = Run(cluster, project, TABLE)
    assert second.wait() != 0
    assert "cannot be locked" in second.text
    first.let_go()
    first.succeed()
    assert_training_was_not_repeated(project, finished, repeated)


def test_job_that_always_fails_stops_no_other(
    cluster: Cluster,
    project: Path,
    finished: Path,
    repeated: Callable[[str], None],
) -> None:
    neurons = "results/neurons/demo/actprob.world.json"
    remove_results(project, ADAPTER, neurons)
    run = Run(cluster, project, TABLE, trouble="fail", script="identify_neurons.py")
    assert run.wait() != 0
    assert started(project) == {"identify_neurons": 3, "tune_model": 1}
    waiting = {INDEX, TABLE}
    absent = {path.removeprefix("results/") for path in waiting | {neurons}}
    assert results(project).keys() == results(finished).keys() - absent
    # The program's own words, and where to find them.
    assert "error: this program always fails" in run.text
    assert "logs/results/neurons/demo/actprob.world.log" in run.text
    assert "logs/slurm/rule_identify_neurons/" in run.text
    Run(cluster, project, TABLE).succeed()
    assert_training_was_not_repeated(project, finished, repeated)
