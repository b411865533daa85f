"""What planning a grid costs; python -m benchmarks.plan_times.

Plans the paper's grid and the extension grid (tests/workflow/extension.yaml, with two
and with four models): everything, while nothing is there; one file, as every
cluster job does twice; and, but for the largest grid, everything when all is there and
nothing runs. Prints jobs, seconds of processor time, and largest resident memory; and
the size of what Snakemake remembers of finished jobs.

Outputs are empty files that ``snakemake --touch`` records as made, which takes minutes.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
for folder in ("workflow/scripts", "tests/workflow"):
    sys.path.insert(0, str(ROOT / folder))

import yaml  # noqa: E402
from snakemake.utils import update_config  # type: ignore[import-untyped] # noqa: E402

from langneurons import outputs  # noqa: E402
from langneurons.config import Config, load  # noqa: E402
from langneurons.planned_jobs import plan  # noqa: E402
from snakemake_runs import copy_project  # type: ignore # noqa: E402

ONE = "results/tokens/wikipedia/llama31/en.json"
LARGEST = ["llama31", "nemo", "qwen3", "big"]
GRIDS: dict[str, list[str] | None] = {
    "paper": None,
    "extension, two models": ["llama31", "qwen3"],
    "extension, four models": LARGEST,
}
# Snakemake sleeps before it touches the files of a job: for a large grid, half an hour.
START = """
import sys
import snakemake.executors.touch as touch
from snakemake.cli import main
touch.Executor.SLEEPING_TIME = 0
main(sys.argv[1:])
"""


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
                overlay = ["--configfile", "extension.yaml", "--config"]
                overlay.append(f"grid={{models: [{', '.join(models)}]}}")
            _measure(project, name, "nothing is there", "-n", "all", *overlay)
            _measure(project, name, "one job's", "-n", ONE, *overlay)
            if models == LARGEST:
                continue
            for path in _outputs(project, models):
                path.parent.mkdir(parents=True, exist_ok=True)
                path.touch()
            _snakemake(project, "--touch", "--forceall", "all", *overlay)
            _measure(project, name, "everything is there", "-n", "all", *overlay)
            records = [p.stat().st_size for p in project.glob(".snakemake/metadata/*")]
            megabytes = sum(records) / 1e6
            print(f"{name:24}{len(records):,} records, {megabytes:,.0f} MB", flush=True)


def _measure(project: Path, grid: str, label: str, *arguments: str) -> None:
    text, seconds, megabytes = _snakemake(project, *arguments)
    totals = re.findall(r"^total +(\d+)", text, re.MULTILINE)
    jobs = int(totals[0]) if totals else 0
    print(f"{grid:24}{label:24}{jobs:8,}{seconds:8.1f}{megabytes:7.0f}", flush=True)


def _snakemake(project: Path, *arguments: str) -> tuple[str, float, float]:
    """Run Snakemake; return what it printed, processor time, and memory in MB."""
    command = [
        sys.executable, "-c", START, *arguments,
        "--quiet", "rules", "--profile", "profiles/default", "--cores", "2",
    ]  # fmt: skip
    output = project.parent / "output.txt"
    with output.open("wb") as out:
        started = subprocess.Popen(command, cwd=project, stdout=out, stderr=out)
        _, status, used = os.wait4(started.pid, 0)
    text = output.read_text(encoding="utf-8", errors="replace")
    if status:
        raise SystemExit(f"snakemake failed:\n{text[-3000:]}")
    return text, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def _outputs(project: Path, models: list[str] | None) -> list[Path]:
    raw: dict[str, object] = {}
    overlays = [] if models is None else ["extension.yaml"]
    for path in ("config/config.yaml", *overlays):
        update_config(raw, yaml.safe_load((project / path).read_text("utf-8")))
    if models is not None:
        raw["grid"] = {**raw["grid"], "models": models}  # type: ignore[dict-item]
    config: Config = load(raw)
    planned = [path for job in plan(config) for path in job.outputs]
    return [project / path for path in (*planned, outputs.table("cost"))]


if __name__ == "__main__":
    main()
