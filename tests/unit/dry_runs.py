"""What Snakemake plans for a configuration, without a copy of the project.

All of a process plan in one empty folder, where the hashes of code stay.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import sys
from collections import Counter
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest import mock

import warm_start
from langneurons.jobs import planned
from langneurons.jobs.planned import Job

SNAKEFILE = Path(__file__).parents[2] / "Snakefile"


def jobs(raw: dict[str, Any], *targets: str) -> list[Job]:
    """List the jobs of a configuration where nothing is done yet.

    The same is asked of Snakemake once: it takes seconds.

    Args:
        raw: the whole configuration.
        targets: paths; none: all.
    """
    return _jobs(json.dumps(raw), targets)


@cache
def _jobs(text: str, targets: Sequence[str]) -> list[Job]:
    warm = mock.patch.object(sys, "executable", str(warm_start.command()))
    with warm, contextlib.chdir(_empty()):
        found = planned.dry_run(SNAKEFILE, json.loads(text), *targets)
    return [job for job in found if job.outputs]


@cache
def _empty() -> str:
    folder = TemporaryDirectory(prefix="dry-runs-")
    atexit.register(folder.cleanup)
    return folder.name


def counts(found: Sequence[Job]) -> Counter[str]:
    """Count jobs by rule."""
    return Counter(job.rule for job in found)


def outputs(found: Sequence[Job]) -> list[str]:
    """List the files that jobs make."""
    return [path for job in found for path in job.outputs]
