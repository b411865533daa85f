"""Run Snakemake on a copy of the project, and say which jobs it would run."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
# Benchmarks import this module, too, without the paths of the tests.
sys.path.append(str(ROOT / "profiles/demo"))

import warm_start  # noqa: E402

TINY = Path(__file__).parent / "tiny.yaml"
PARTS = ("Snakefile", "workflow", "config", "profiles", "envs")
YARDSTICK = 1_500_000
"""Rounds of a fixed piece of work, to which planning is compared."""


def copy_project(folder: Path) -> Path:
    """Copy what a run needs into ``folder``."""
    for part in PARTS:
        source = ROOT / part
        if source.is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(source, folder / part, ignore=ignored)
        else:
            shutil.copy2(source, folder / part)
    shutil.copy2(TINY, folder / "tiny.yaml")
    return folder


def on_models(*models: str) -> list[str]:
    """Return arguments of Snakemake: the paper's experiments on other models."""
    axes = f"{{models: [{', '.join(models)}]}}"
    names = ("transfer", "finetuning", "perplexity")
    given = ", ".join(f"{name}: {axes}" for name in names)
    return ["--config", f"experiments={{{given}}}"]


def measured(
    folder: Path, *arguments: str, start: Sequence[str] = ("-m", "snakemake")
) -> tuple[str, float, float]:
    """Run Snakemake in ``folder``, quietly, and see what it takes.

    Args:
        folder: holds a copy of the project.
        arguments: of Snakemake.
        start: how Python starts it.

    Returns:
        What it printed, seconds of processor time, and largest resident memory in MB.

    Raises:
        AssertionError: with the end of what it printed, if it failed.
    """
    command = [
        sys.executable, *start, *arguments,
        "--quiet", "rules", "--cores", "2",
    ]  # fmt: skip
    with tempfile.TemporaryFile() as out:
        started = subprocess.Popen(
            command, cwd=folder, stdout=out, stderr=out, env=unmeasured(os.environ)
        )
        _, status, used = os.wait4(started.pid, 0)
        started.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        text = out.read().decode(errors="replace")
    assert started.returncode == 0, text[-3000:]
    return text, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def dry_run(folder: Path, *arguments: str) -> tuple[Counter[str], float]:
    """Plan jobs, and see what that takes on any machine, be it busy or idle.

    Returns:
        The jobs by rule, and the processor time in units of ``yardstick``, which was
        measured before and after, for the speed of a shared processor changes.
    """
    before = yardstick()
    text, seconds, _ = measured(folder, "-n", *arguments)
    return count_jobs(text), 2 * seconds / (before + yardstick())


def yardstick() -> float:
    """Return the seconds of processor time that a fixed piece of work takes.

    It is of the kind that planning consists of: texts, tuples, dictionaries.
    """
    begun = time.process_time()
    known: dict[tuple[str, int], str] = {}
    for number in range(YARDSTICK):
        text = f"results/{number % 1000}/part.json"
        known[text, number % 5000] = known.get((text, number % 7), text)
    assert len(known) == 5000
    return time.process_time() - begun


def unmeasured(given: Mapping[str, str]) -> dict[str, str]:
    """Return an environment in which nobody notes which lines run.

    That takes as long as running them, and what plans jobs runs in all real runs too.
    """
    return {k: v for k, v in given.items() if not k.startswith("COV")}


def environment(**more: str) -> dict[str, str]:
    """Return variables for a run; ``python``, which jobs call, is ``warm_start``."""
    first = (str(warm_start.command().parent), str(Path(sys.executable).parent))
    path = os.pathsep.join((*first, os.environ["PATH"]))
    fixed = {"PATH": path, "NO_COLOR": "1", "OMP_WAIT_POLICY": "passive"}
    return os.environ | fixed | more


def snakemake(
    folder: Path,
    *arguments: str,
    check: bool = True,
    tiny: bool = True,
    configs: Sequence[str] = (),
) -> str:
    """Run Snakemake in ``folder``; return what it printed.

    Args:
        folder: holds a copy of the project.
        arguments: of Snakemake.
        check: whether it has to succeed.
        tiny: whether it runs the tiny demo, or the paper's grid.
        configs: files of the configuration, in place of either's.

    Raises:
        AssertionError: with the whole output, if ``check`` and it failed.
    """
    usual = ["config/demo.yaml", "tiny.yaml"] if tiny else ["config/config.yaml"]
    command = [
        str(warm_start.command()), "-m", "snakemake", *arguments,
        "--profile", "profiles/demo", "--configfile", *(configs or usual),
    ]  # fmt: skip
    given = environment()
    if "-n" in arguments:
        given = unmeasured(given)
    done = subprocess.run(
        command, cwd=folder, env=given, capture_output=True, text=True
    )
    text = done.stdout + done.stderr
    if check:
        assert done.returncode == 0, text
    return text


def planned(folder: Path, *arguments: str, tiny: bool = True) -> Counter[str]:
    """Return how many jobs of each rule a dry run would start."""
    return count_jobs(snakemake(folder, "-n", *arguments, tiny=tiny))


def count_jobs(text: str) -> Counter[str]:
    """Count the jobs of each rule in what a dry run printed; see ``planned``."""
    jobs: Counter[str] = Counter()
    table = re.search(r"Job stats:\n(.*?)\n\n", text, re.DOTALL)
    for line in table.group(1).splitlines()[2:] if table else ():
        rule, number = line.split()
        jobs[rule] += int(number)
    jobs.pop("total", None)
    return jobs
