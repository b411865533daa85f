"""Which jobs are to compute again what they find finished: --forcerun and its like.

Snakemake runs a forced job, but tells it nothing. So the process that plans says in an
environment variable which jobs are forced and when the run began. A job that is started
again, by a retry or by the cluster, keeps what it has made since.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, MutableMapping
from pathlib import Path
from typing import Any

VARIABLE = "LANGNEURONS_FORCED"
STARTED = time.time()
NEVER = 0.0


def tell(workflow: Any, environment: MutableMapping[str, str] = os.environ) -> None:
    """Say in the environment what this run forces; nothing, where it forces nothing.

    Args:
        workflow: Snakemake's, while it plans: while it reads the rules it does not know
            its settings yet. Jobs on a cluster, which plan themselves, are left alone.
        environment: that jobs are started with.
    """
    if not workflow.is_main_process:
        return
    settings = workflow.dag_settings  # of the options -F, -R, and -f with its targets
    names = {str(name) for name in settings.forcerun}
    if settings.forcetargets:
        names |= {str(name) for name in settings.targets}
    environment.pop(VARIABLE, None)
    if names or settings.forceall:
        said = {"since": STARTED, "all": bool(settings.forceall)}
        environment[VARIABLE] = json.dumps(said | {"names": sorted(names)})


def since(
    rule: str,
    outputs: Iterable[Path],
    environment: MutableMapping[str, str] = os.environ,
) -> float:
    """Return when the run began that forces a job.

    Args:
        rule: name of the job's rule; a workflow that uses this one may put something
            and ``_`` in front.
        outputs: what the job declares.
        environment: of the job.

    Returns:
        Seconds since the epoch; results of before are computed again. ``NEVER`` where
        the job is not forced.
    """
    said = environment.get(VARIABLE)
    if not said:
        return NEVER
    given = json.loads(said)
    named = {Path(name).resolve() for name in given["names"]}
    forced = given["all"] or any(path.resolve() in named for path in outputs)
    forced |= any(f"_{name}".endswith(f"_{rule}") for name in given["names"])
    return float(given["since"]) if forced else NEVER
