"""What planning a grid costs; python -m benchmarks.plan_times.

Plans the paper's grid and the extension grid (tests/workflow/extension.yaml, with two
and with four models): everything, while nothing is there; one file, as every cluster
job does twice; and, but for the largest grid, everything when all is there and nothing
runs. Prints jobs, seconds of processor time, and largest resident memory; and the size
of what Snakemake remembers of finished jobs.

Outputs are empty files that ``snakemake --touch`` records as made, which takes minutes.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
for folder in ("workflow/scripts", "tests/workflow"):
    sys.path.insert(0, str(ROOT / folder))

from langneurons.jobs import planned  # noqa: E402
from snakemake_runs import (  # type: ignore[import-not-found]  # noqa: E402
    copy_project,
    count_jobs,
    measured,
    on_models,
)

ONE = "results/tokens/wikipedia/llama31/en.json"
LARGEST = ["llama31", "nemo", "qwen3", "big"]
GRIDS: dict[str, list[str] | None] = {
    "paper": None,
    "extension, two models": ["llama31", "qwen3"],
    "extension, four models": LARGEST,
}
# Snakemake sleeps before it touches the files of a job: for a large grid, half an hour.
AWAKE = (
    "-c",
    """
import sys
import snakemake.executors.touch as touch
from snakemake.cli import main
touch.Executor.SLEEPING_TIME = 0
main(sys.argv[1:])
""",
)


def main() -> None:
    print(f"{'grid':24}{'plan':24}{'jobs':>8}{'CPU s':>8}{'MB':>7}", flush=True)
    for name, models in GRIDS.items():
        with tempfile.TemporaryDirectory() as scratch:
            project = Path(scratch) / "project"
            project.mkdir()
            copy_project(project)
            shutil.copy2(ROOT / "tests/workflow/extension.yaml", project)
            overlay: list[str] = []
            if models is not None:
                overlay = ["--configfile", "extension.yaml", *on_models(*models)]
            plan = project / "plan.jsonl"
            os.environ[planned.PLAN] = str(plan)
            _measure(project, name, "nothing is there", "-n", "all", *overlay)
            del os.environ[planned.PLAN]
            _measure(project, name, "one job's", "-n", ONE, *overlay)
            if models == LARGEST:
                continue
            for path in (path for job in planned.read(plan) for path in job.outputs):
                (project / path).parent.mkdir(parents=True, exist_ok=True)
                (project / path).touch()
            measured(project, "--touch", "--forceall", "all", *overlay, start=AWAKE)
            _measure(project, name, "everything is there", "-n", "all", *overlay)
            records = [p.stat().st_size for p in project.glob(".snakemake/metadata/*")]
            megabytes = sum(records) / 1e6
            print(f"{name:24}{len(records):,} records, {megabytes:,.0f} MB", flush=True)


def _measure(project: Path, grid: str, label: str, *arguments: str) -> None:
    text, seconds, megabytes = measured(project, *arguments)
    jobs = sum(count_jobs(text).values())
    print(f"{grid:24}{label:24}{jobs:8,}{seconds:8.1f}{megabytes:7.0f}", flush=True)


if __name__ == "__main__":
    main()
