"""Whether what is planned fits on this machine, said before anything starts.

Snakemake itself would give a job as many GPUs as there are, however many it needs, and
the job would run out of memory hours later.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from langneurons.config.errors import ConfigError
from langneurons.jobs import devices

from .requests import Requests


def before_start(
    scheduler: type[Any], requests: Requests, error: type[Exception]
) -> None:
    """Have a run checked when its jobs are planned and none of them has started.

    Args:
        scheduler: Snakemake's class, of which it makes one at that moment.
        requests: what jobs ask for.
        error: of Snakemake, which it shows without a traceback.
    """
    # The rules may be read more than once in a process.
    begin = vars(scheduler).get("_begins_with", scheduler.__init__)

    def checked(self: Any, workflow: Any, *given: Any, **named: Any) -> None:
        try:
            check(workflow, requests)
        except ConfigError as found:
            raise error(str(found)) from None
        begin(self, workflow, *given, **named)

    scheduler._begins_with = begin
    scheduler.__init__ = checked


def check(workflow: Any, requests: Requests) -> None:
    """Refuse jobs that need more GPUs than there are for them.

    Jobs of a cluster are left alone, and so is a machine without GPUs, where they run
    on the CPU.

    Args:
        workflow: Snakemake's, with all jobs planned.
        requests: what jobs ask for.

    Raises:
        ConfigError: each model that does not fit, with its size and what helps.
    """
    if not workflow.is_main_process or workflow.touch:
        return
    if not devices.runs_here(workflow) or not devices.visible():
        return
    there = int(workflow.global_resources["gpu"].value)
    asked = asked_for(workflow.dag.needrun_jobs())
    if said := too_large(asked, there, requests):
        raise ConfigError("\n".join([*said, "Nothing was started."]))
    if any(asked.values()):
        devices.say(f"jobs share {there}; each waits until those it needs are free")


def asked_for(jobs: Iterable[Any]) -> dict[tuple[str, str], int]:
    """Return how many GPUs jobs of Snakemake ask for, by rule and model.

    As the rule or ``--set-resources`` says, not cut to what there is.
    """
    asked: dict[tuple[str, str], int] = {}
    for job in jobs:
        resource = job.rule.resources.get("gpu")
        key = job.rule.name, str(getattr(job.wildcards, "model", ""))
        if resource is not None and key not in asked:
            value = resource.evaluate(job.wildcards, attempt=1).value
            asked[key] = int(value or 0)
    return asked


def too_large(
    asked: Mapping[tuple[str, str], int], there: int, requests: Requests
) -> list[str]:
    """Say which models need more GPUs than there are, one line each.

    Args:
        asked: from :func:`asked_for`.
        there: GPUs that jobs of this machine may have.
        requests: what jobs ask for.
    """
    most: dict[str, tuple[int, str]] = {}
    for (rule, model), wanted in asked.items():
        if wanted > max(there, most.get(model, (0, ""))[0]):
            most[model] = wanted, rule
    return [
        requests.does_not_fit(model, rule, wanted, there)
        for model, (wanted, rule) in sorted(most.items())
    ]
