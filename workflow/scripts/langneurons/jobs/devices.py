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
LIST = ["nvidia-smi", "--query-gpu=uuid", "--format=csv,noheader"]

_held: list[IO[str]] = []
"""Locks of this process: the system gives them back when it ends, however it ends."""


def visible() -> list[str]:
    """Return the GPUs that this process may use, by their names for CUDA.

    Numbers in ``CUDA_VISIBLE_DEVICES`` become names that are the same for every process
    of the machine (UUIDs), as far as ``nvidia-smi`` knows them. Empty: there are none,
    or nobody can tell.
    """
    given = os.environ.get(VISIBLE)
    if given == "":
        return []
    try:
        done = subprocess.run(LIST, capture_output=True, text=True, timeout=60)
        there = done.stdout.split() if done.returncode == 0 else []
    except (OSError, subprocess.TimeoutExpired):
        there = []  # no NVIDIA driver
    if given is None:
        return there
    names = [name.strip() for name in given.split(",")]
    known = {str(number): uuid for number, uuid in enumerate(there)}
    return [known.get(name, name) for name in names]


def limit(workflow: Any) -> None:
    """Let no more jobs run at once on this machine than it has GPUs for.

    Args:
        workflow: Snakemake's, while it reads the rules. A run on a cluster, which gives
            a number of jobs, is left alone, and so is ``--resources gpu=N``.
    """
    here = workflow.is_main_process and workflow.nodes is None
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
        _say(f"{wanted} wanted, but there are {len(there)}")
        wanted = len(there)
    said = False
    while not (taken := _lock(there, wanted)):
        if not said:
            _say(f"waiting for {wanted} of {len(there)} to be free")
            said = True
        time.sleep(poll)
    os.environ[VISIBLE] = ",".join(taken)
    _say(f"using {', '.join(taken)}")


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


def _say(text: str) -> None:
    print(f"GPUs: {text}", file=sys.stderr, flush=True)
