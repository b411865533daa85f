"""Which GPUs of this machine a job has, where no cluster hands them out.

Snakemake counts the GPUs that running jobs asked for (``limit``), but tells no job
which ones are its own: each would take the first. So a job takes as many as it asked
for and locks them until it ends (``take``). On a cluster jobs find the GPUs of their
allocation in ``CUDA_VISIBLE_DEVICES``, and nothing is left to choose.

None of this changes a number.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import IO, Any

VISIBLE = "CUDA_VISIBLE_DEVICES"
LIST = [
    "nvidia-smi", "--query-gpu=uuid,memory.total", "--format=csv,noheader,nounits",
]  # fmt: skip
MIB = 2**20

_held: list[IO[str]] = []
"""Locks of this process: the system gives them back when it ends, however it ends."""


def visible() -> list[str]:
    """Return the GPUs that this process may use, by their names for CUDA.

    Numbers in ``CUDA_VISIBLE_DEVICES`` become names that are the same for every process
    of the machine (UUIDs), as far as ``nvidia-smi`` knows them. Empty: there are none,
    or nobody can tell.
    """
    return [*_found()]


def smallest(workflow: Any) -> float | None:
    """Return the memory of the smallest GPU that jobs may use, in bytes.

    None: they run elsewhere (see ``runs_here``), there is none, or nobody can tell of
    each (a part of one, a memory that is shared).
    """
    if not runs_here(workflow):
        return None
    sizes = [*_found().values()]
    known = [size for size in sizes if size is not None]
    return min(known) if known and len(known) == len(sizes) else None


def _found() -> dict[str, float | None]:
    """List the GPUs that this process may use: name -> bytes of its memory."""
    given = os.environ.get(VISIBLE)
    if given == "":
        return {}
    try:
        done = subprocess.run(LIST, capture_output=True, text=True, timeout=60)
        lines = done.stdout.splitlines() if done.returncode == 0 else []
    except (OSError, subprocess.TimeoutExpired):
        lines = []  # no NVIDIA driver
    there: dict[str, float | None] = {}
    for line in filter(None, map(str.strip, lines)):
        name, _, size = (part.strip() for part in line.partition(","))
        there[name] = float(size) * MIB if size.isdigit() else None
    if given is None:
        return there
    known = {str(number): uuid for number, uuid in enumerate(there)}
    names = [known.get(name.strip(), name.strip()) for name in given.split(",")]
    return {name: there.get(name) for name in names}


def runs_here(workflow: Any) -> bool:
    """Tell whether the jobs of a run of Snakemake run on this machine.

    Args:
        workflow: Snakemake's. A run on a cluster has a number of jobs, and each of its
            jobs, on a node, is one that somebody else planned.
    """
    return workflow.nodes is None and not workflow.remote_exec


def limit(workflow: Any) -> None:
    """Let no more jobs run at once on this machine than it has GPUs for.

    Args:
        workflow: Snakemake's, while it reads the rules. A run on a cluster, which gives
            a number of jobs, is left alone, and so is ``--resources gpu=N``.
    """
    here = workflow.is_main_process and runs_here(workflow)
    if here and "gpu" not in workflow.global_resources:
        # Where there is none, jobs that ask for one run on the CPU, one at a time.
        workflow.register_resource("gpu", max(1, len(visible())))


def take(wanted: int, poll: float = 1.0) -> None:
    """Reserve GPUs for this process, and hide the others from it; wait until some are.

    To be called before CUDA is used.

    Args:
        wanted: how many; 0 hides all of them.
        poll: seconds between two looks for free ones.
    """
    if wanted == 0:
        os.environ[VISIBLE] = ""
        return
    there = visible()
    if not there or (VISIBLE in os.environ and len(there) <= wanted):
        return  # chosen by a cluster or a person; or nothing is known
    if len(there) < wanted:
        say(f"{wanted} wanted, but there are {len(there)}")
        wanted = len(there)
    said = False
    while not (taken := _lock(there, wanted)):
        if not said:
            say(f"waiting for {wanted} of {len(there)} to be free")
            said = True
        time.sleep(poll)
    os.environ[VISIBLE] = ",".join(taken)
    say(f"using {', '.join(taken)}")


def _lock(there: list[str], wanted: int) -> list[str]:
    """Lock so many GPUs, or none."""
    folder = Path(tempfile.gettempdir()) / f"langneurons-gpus-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    locks: dict[str, IO[str]] = {}
    for name in there:
        handle: IO[str] = (folder / f"{name.replace('/', '_')}.lock").open("w")
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            handle.close()
            continue
        locks[name] = handle
        if len(locks) == wanted:
            _held.extend(locks.values())
            return list(locks)
    for handle in locks.values():  # closing unlocks: others may want fewer
        handle.close()
    return []


def say(text: str) -> None:
    """Print a line about GPUs where a run or a job logs."""
    print(f"GPUs: {text}", file=sys.stderr, flush=True)
