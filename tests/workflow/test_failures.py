"""What a user reads when a job fails, however Snakemake was started."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

import warm_start
from snakemake_runs import copy_project, environment

ITEMS = "results/tasks/xnli/test.vi.jsonl"
LOG = f"logs/{ITEMS.removesuffix('.jsonl')}.log"
WORLD = "results/demo_world/nli/test-vi.tsv"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose test items are damaged."""
    folder = copy_project(tmp_path_factory.mktemp("failing"))
    assert run(folder, "--profile", "profiles/demo", target=WORLD)[0] == 0
    with (folder / WORLD).open("a", encoding="utf-8") as handle:
        handle.write("added by hand\n")
    return folder


def run(folder: Path, *arguments: str, target: str = ITEMS) -> tuple[int, str]:
    """Return the exit status of Snakemake, and what it printed."""
    command = [str(warm_start.command()), "-m", "snakemake", target, *arguments]
    command += ["--configfile", "config/demo.yaml", "tiny.yaml"]
    done = subprocess.run(
        command, cwd=folder, env=environment(), capture_output=True, text=True
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize(
    "typed",
    [
        "--quiet rules --profile profiles/demo --cores 2",  # make demo
        "--cores 1",
        "--profile profiles/workstation --retries 0",
        "--cores 1 --workflow-profile none --show-failed-logs",
    ],
)
def test_a_failed_job_says_why(project: Path, typed: str) -> None:
    status, text = run(project, *typed.split())
    assert status != 0
    told = text[text.index("Error in rule") :]
    assert re.match(
        r"Error in rule prepare_task \(job \d+\):\n"
        rf"    error: {WORLD}: row \d+ .*\n"
        rf"    output: {ITEMS}\n"
        rf"    log: {LOG}\n",
        told,
    ), text
    assert "Exiting because a job execution failed" in told
    assert "--spec" not in text and '"kind"' not in text  # the command, with its JSON


@pytest.mark.parametrize("set_apart", [False, True])
def test_a_home_that_cannot_be_written(
    project: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    set_apart: bool,
) -> None:
    """Snakemake wants a cache there before it reads the rules."""
    monkeypatch.setenv("HOME", "/dev/null")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    if set_apart:
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    status, text = run(project, "-n", "--profile", "profiles/slurm")
    assert status == 0, text
    assert ("/dev/null/.cache cannot be written" in text) == (not set_apart)
    used = tmp_path if set_apart else project / ".cache"
    assert (used / "snakemake").is_dir()
