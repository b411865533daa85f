"""The jobs that Snakemake plans, written down by a dry run for whoever asks.

A dry run tells of each job in a message of its own. With the environment variable
``LANGNEURONS_PLAN`` these messages go to the file that it names, one line of JSON each.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from snakemake_interface_logger_plugins.common import LogEvent

from langneurons.config.errors import ConfigError

from .failures import read_messages

PLAN = "LANGNEURONS_PLAN"
ENOUGH_GPUS = 1_000_000
"""As if this machine had them: Snakemake cuts what jobs ask for to what there is."""


@dataclass(frozen=True)
class Job:
    """A job as Snakemake plans it.

    Attributes:
        rule: name of its rule.
        wildcards: of the job.
        outputs: files that it makes.
        benchmark: where Snakemake writes its time; empty if nowhere.
        gpus: that it asks for.
        memory: MB of main memory that it asks for at first; 0 if it says nothing.
    """

    rule: str
    wildcards: Mapping[str, str]
    outputs: tuple[str, ...]
    benchmark: str
    gpus: int
    memory: int

    @property
    def model(self) -> str:
        """The model that it is about; empty if none."""
        return self.wildcards.get("model", "")


class _Recorder(logging.Filter):
    """Writes down the jobs of a dry run; lets every message pass."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path

    def filter(self, record: logging.LogRecord) -> bool:
        if getattr(record, "event", None) == LogEvent.JOB_INFO:
            said: Any = record
            one = {
                "rule": said.rule_name,
                "wildcards": dict(said.wildcards or {}),
                "outputs": [str(path) for path in said.output or ()],
                "benchmark": str(said.benchmark or ""),
                "gpus": _number(said.resources, "gpu"),
                "memory": _number(said.resources, "mem_mb"),
            }
            with self.path.open("a", encoding="utf-8") as plan:
                plan.write(json.dumps(one) + "\n")
        return True


def _number(resources: Any, name: str) -> int:
    """Read a resource; what is not known before the job runs counts as none."""
    value = getattr(resources, name, 0)
    return value if isinstance(value, int) else 0


def record() -> None:
    """Write down what is planned, where a file is named for it."""
    path = os.environ.get(PLAN)
    read_messages(_Recorder, _Recorder(Path(path)) if path else None)


def dry_run(snakefile: Path, config: Mapping[str, Any], *arguments: str) -> list[Job]:
    """List the jobs that Snakemake would run, in the folder where this one runs.

    Args:
        snakefile: of the workflow.
        config: the whole configuration.
        arguments: targets and options of Snakemake.

    Raises:
        ConfigError: Snakemake does not plan; with what it says.
    """
    with TemporaryDirectory() as scratch:
        plan, given = Path(scratch) / "plan.jsonl", Path(scratch) / "config.json"
        given.write_text(json.dumps(config), encoding="utf-8")
        plan.touch()
        command = [
            sys.executable, "-m", "snakemake", *arguments, "--dry-run", "--cores", "1",
            "--resources", f"gpu={ENOUGH_GPUS}",
            "--quiet", "rules", "--snakefile", str(snakefile), "--configfile",
            str(given), "--replace-workflow-config",
        ]  # fmt: skip
        environment = os.environ | {PLAN: str(plan)}
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        if done.returncode:
            raise ConfigError(f"{' '.join(command)}: {done.stdout}{done.stderr}")
        return read(plan)


def read(plan: Path) -> list[Job]:
    """Read what a dry run has written down, in its order."""
    said = map(json.loads, plan.read_text(encoding="utf-8").splitlines())
    return [Job(**one | {"outputs": tuple(one["outputs"])}) for one in said]
