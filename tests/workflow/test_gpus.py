"""Jobs on one machine have their GPUs to themselves; a cluster sees to its own.

No GPU is needed: a stand-in for ``nvidia-smi`` says which there are, Snakemake's own
scheduler starts the jobs, and the jobs write down when they had which.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from langneurons.jobs import devices, planned
from snakemake_runs import ROOT, copy_project

UUIDS = ["GPU-aa", "GPU-bb", "GPU-cc", "GPU-dd"]
SNAKEFILE = f"""
import sys
sys.path.insert(0, {str(ROOT / "workflow/scripts")!r})
from langneurons.jobs import devices
devices.limit(workflow)
rule all:
    input: expand("job{{n}}.{{gpus}}", n=range(4), gpus=1), "job4.2", "job5.0"
rule use:
    output: "job{{n}}.{{gpus}}"
    resources: gpu=lambda wildcards: int(wildcards.gpus)
    shell: "python use.py {{resources.gpu}} {{output}}"
"""
# Several seconds would only make it slower: two jobs on one GPU overlap for most of it.
JOB = f"""
import json, os, sys, time
begun = time.monotonic()
sys.path.insert(0, {str(ROOT / "workflow/scripts")!r})
from langneurons.jobs import devices
devices.take(int(sys.argv[1]), poll=0.05)
had = time.monotonic()
time.sleep(0.6)
names = [x for x in os.environ[devices.VISIBLE].split(",") if x]
times = {{"begun": begun, "from": had, "to": time.monotonic(), "names": names}}
with open(sys.argv[2], "w") as out:
    json.dump(times, out)
"""


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose ``nvidia-smi`` tells of two GPUs, and an own place for locks."""
    monkeypatch.delenv(devices.VISIBLE, raising=False)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    path = f"{tmp_path}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    monkeypatch.setenv("PATH", path)
    have(tmp_path, 2)
    return tmp_path


def have(folder: Path, number: int, mib: int | str = 81559) -> None:
    """Make the stand-in tell of so many GPUs, each with so much memory."""
    program = folder / "nvidia-smi"
    lines = "\n".join(f"{uuid}, {mib}" for uuid in UUIDS[:number])
    program.write_text(f"#!/bin/sh\ncat <<'END'\n{lines}\nEND\n", encoding="utf-8")
    program.chmod(0o755)


def run(folder: Path, *arguments: str) -> str:
    """Run Snakemake on six jobs of 1, 1, 1, 1, 2 and 0 GPUs."""
    (folder / "Snakefile").write_text(SNAKEFILE, encoding="utf-8")
    (folder / "use.py").write_text(JOB, encoding="utf-8")
    command = [sys.executable, "-m", "snakemake", "--scheduler", "greedy", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    text = done.stdout + done.stderr
    assert done.returncode == 0, text
    return text


def jobs(folder: Path) -> dict[str, dict[str, Any]]:
    return {p.name: json.loads(p.read_text()) for p in sorted(folder.glob("job*"))}


def at_once(spans: list[tuple[float, float]]) -> int:
    """Return how many of some spans of time there were at once, at most."""
    ends = sorted([(a, 1) for a, _ in spans] + [(b, -1) for _, b in spans])
    now = most = 0
    for _, change in ends:
        now += change
        most = max(most, now)
    return most


def assert_each_gpu_has_one_job(folder: Path) -> dict[str, dict[str, Any]]:
    found = jobs(folder)
    assert {name: len(job["names"]) for name, job in found.items()} == {
        "job0.1": 1, "job1.1": 1, "job2.1": 1, "job3.1": 1, "job4.2": 2, "job5.0": 0,
    }  # fmt: skip
    for uuid in UUIDS[:2]:
        mine = [(j["from"], j["to"]) for j in found.values() if uuid in j["names"]]
        assert at_once(mine) == 1, uuid
    return found


def test_each_gpu_has_one_job_at_a_time(machine: Path) -> None:
    run(machine, "--cores", "6")
    found = assert_each_gpu_has_one_job(machine)
    # Snakemake starts no job before there is a GPU for it, not even one that waits.
    spans = [(j["begun"], j["to"]) for n, j in found.items() if n.endswith(".1")]
    assert at_once(spans) <= 2


@pytest.mark.parametrize("more", [["--jobs", "6"], ["--resources", "gpu=9"]])
def test_jobs_that_snakemake_starts_all_the_same_wait(
    machine: Path, more: list[str]
) -> None:
    run(machine, "--cores", "6", *more)
    assert_each_gpu_has_one_job(machine)


def requested(text: str) -> int:
    """Return the GPUs of the job that needs two, as its command has them."""
    found = re.search(r"python use.py (\d) job4.2", text)
    assert found is not None, text
    return int(found[1])


@pytest.mark.parametrize(
    ("gpus", "more", "expected"),
    [
        (4, [], 2),
        (1, [], 1),
        (0, [], 1),  # of a kind that nobody can count, or the CPU: one at a time
        # The login node of a cluster, whose jobs have what they ask for.
        (0, ["--executor", "slurm", "--jobs", "9"], 2),
        (1, ["--executor", "slurm", "--jobs", "9"], 2),
    ],
)
def test_only_jobs_of_this_machine_are_limited(
    machine: Path, gpus: int, more: list[str], expected: int
) -> None:
    have(machine, gpus)
    assert requested(run(machine, "-n", "-p", "--cores", "6", *more)) == expected


def holder(gpus: int) -> subprocess.Popen[str]:
    """Start a job that takes some GPUs, says which, and then does not end."""
    code = f"from langneurons.jobs import devices as d; d.take({gpus}, poll=0.05); "
    code += "import os, time; print(os.environ[d.VISIBLE], flush=True); time.sleep(99)"
    paths = os.environ | {"PYTHONPATH": str(ROOT / "workflow/scripts")}
    return subprocess.Popen(
        [sys.executable, "-c", code], env=paths, stdout=subprocess.PIPE, text=True,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip


def test_the_gpus_of_a_job_that_was_killed_are_free_at_once(machine: Path) -> None:
    first, second = holder(1), holder(1)
    assert first.stdout and second.stdout
    had = [each.stdout.readline().strip() for each in (first, second)]
    assert sorted(had) == UUIDS[:2]
    both = holder(2)
    try:
        assert both.stdout
        first.send_signal(signal.SIGKILL)
        first.wait()
        third = holder(1)  # needs one only, and does not wait behind who needs two
        assert third.stdout and third.stdout.readline().strip() == had[0]
        for each in (second, third):
            each.send_signal(signal.SIGKILL)
            each.wait()
        assert both.stdout.readline().strip() == ",".join(UUIDS[:2])
    finally:
        for each in (first, second, third, both):
            each.kill()
            each.wait()


def dry_run(machine: Path, *more: str) -> tuple[int, str]:
    """Plan the manifest of a model of 405 billion parameters; say how it went."""
    if not (machine / "project").exists():
        (machine / "project").mkdir()
        copy_project(machine / "project")
    command = [sys.executable, "-m", "snakemake", "-n", "-p", *more]
    command += ["--", "results/models/llama31/nf4/manifest.json"]
    done = subprocess.run(
        command, cwd=machine / "project", capture_output=True, text=True
    )
    return done.returncode, done.stdout + done.stderr


LARGE = "models={llama31: {parameters: 405000000000}}"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--cores", "2", "--resources", "gpu=3"], "of 86 GB, but jobs can have 3"),
        (["--profile", "profiles/workstation"], "6 GPUs of 86 GB, but jobs can have 4"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_starts(
    machine: Path, more: list[str], said: str
) -> None:
    have(machine, 4)
    code, text = dry_run(machine, *more, "--config", LARGE)
    assert code == 1 and said in text and "Nothing was started" in text, text
    assert "quantise_model: models.llama31 has 405 billion parameters, 243 GB" in text
    assert "Traceback" not in text


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        (["--profile", "profiles/slurm", "--config"], 7),  # of 80 GB, not those here
        (["--cores", "2", "--resources", "gpu=9", "--config"], 6),
        (["--cores", "2", "--set-resources", "quantise_model:gpu=2", "--config"], 2),
        (["--cores", "2", "--config", "resources={gpu_memory_gb: 125}"], 4),
    ],
)
def test_other_places_or_sizes_are_what_was_said(
    machine: Path, more: list[str], expected: int
) -> None:
    have(machine, 4)
    code, text = dry_run(machine, *more, LARGE)
    assert re.findall(r"quantise_model.py .* --gpus (\d+) ", text) == [str(expected)]
    assert code == 0, text
    given = re.findall(r"^GPUs: jobs share (\d+);", text, re.M)
    assert given == (
        [] if "profiles/slurm" in more else ["9" if "gpu=9" in more else "4"]
    )


@pytest.mark.parametrize(
    ("mib", "most"),
    [(24564, {"gemma2-9b": 3, "llama31": 1}), (81559, {"gemma2-9b": 1})],
)
def test_the_grid_of_the_paper_is_planned_on_four_gpus(
    machine: Path, monkeypatch: pytest.MonkeyPatch, mib: int, most: dict[str, int]
) -> None:
    have(machine, 4, mib)
    (machine / "project").mkdir()
    project = copy_project(machine / "project")
    plan = machine / "plan.jsonl"
    monkeypatch.setenv(planned.PLAN, str(plan))
    command = [sys.executable, "-m", "snakemake", "-n", "--quiet", "rules"]
    command += ["--profile", "profiles/workstation", "all", "--config"]
    # The largest of its models; the others take minutes to plan and show no more.
    command += ["experiments={amplification: {models: [gemma2-9b]}}"]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    found: Counter[str] = Counter()
    for job in planned.read(plan):
        found[job.model] = max(found[job.model], job.gpus)
    assert most.items() <= found.items() and max(found.values()) <= 4, found


@pytest.mark.parametrize(
    ("given", "mib", "nodes", "expected"),
    [
        (None, 24564, None, 24564 * 2**20),
        ("1", 24564, None, 24564 * 2**20),
        (None, "[N/A]", None, None),
        ("MIG-1", 24564, None, None),  # a part of a GPU, of a size that is not told
        ("", 24564, None, None),
        (None, 24564, 9, None),  # jobs run on a cluster
    ],
)
def test_the_memory_of_the_smallest_gpu_that_jobs_may_have(
    machine: Path,
    monkeypatch: pytest.MonkeyPatch,
    given: str | None,
    mib: int | str,
    nodes: int | None,
    expected: float | None,
) -> None:
    have(machine, 2, mib)
    if given is not None:
        monkeypatch.setenv(devices.VISIBLE, given)
    workflow = SimpleNamespace(nodes=nodes, remote_exec=False)
    assert devices.smallest(workflow) == expected
    workflow.remote_exec = True
    assert devices.smallest(workflow) is None


def test_every_job_that_asks_for_gpus_is_told_how_many() -> None:
    asking = 0
    for path in (ROOT / "workflow/rules").glob("*.smk"):
        for rule in re.split(r"\brule\b", path.read_text(encoding="utf-8")):
            if re.search(r"^ *gpu=", rule, re.MULTILINE):
                assert "--gpus {resources.gpu}" in rule, rule
                asking += 1
    assert asking == 7


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (None, UUIDS[:2]),
        ("", []),
        ("1", ["GPU-bb"]),
        ("1, 0", ["GPU-bb", "GPU-aa"]),
        ("GPU-zz", ["GPU-zz"]),
        ("MIG-1,7", ["MIG-1", "7"]),
    ],
)
def test_visible_gpus_have_names_of_the_machine(
    machine: Path, monkeypatch: pytest.MonkeyPatch, given: str | None, expected: list
) -> None:
    if given is not None:
        monkeypatch.setenv(devices.VISIBLE, given)
    assert devices.visible() == expected


@pytest.mark.parametrize(
    ("given", "wanted", "left"),
    [
        (None, 0, ""),
        ("0,1", 0, ""),
        ("1", 1, "1"),  # a cluster's choice, or a person's: not touched
        ("1", 2, "1"),
        (None, 2, "GPU-aa,GPU-bb"),
        (None, 3, "GPU-aa,GPU-bb"),
        ("1,0", 1, "GPU-bb"),
    ],
)
def test_a_job_sees_its_own_gpus_only(
    machine: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    given: str | None,
    wanted: int,
    left: str,
) -> None:
    if given is not None:
        monkeypatch.setenv(devices.VISIBLE, given)
    code = f"from langneurons.jobs import devices as d; d.take({wanted}); import os; "
    code += "print(os.environ[d.VISIBLE])"
    paths = os.environ | {"PYTHONPATH": str(ROOT / "workflow/scripts")}
    done = subprocess.run(
        [sys.executable, "-c", code], env=paths, capture_output=True, text=True
    )
    assert done.stdout == f"{left}\n", done.stderr
    assert ("3 wanted, but there are 2" in done.stderr) == (wanted == 3)


def test_a_machine_that_nobody_can_look_into_is_left_alone(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = machine / "nvidia-smi"
    for text in ("#!/bin/sh\nexit 9\n", "not a program"):
        program.write_text(text, encoding="utf-8")
        assert devices.visible() == []
        devices.take(1)
        assert devices.VISIBLE not in os.environ
