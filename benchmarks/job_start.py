"""What a cluster job costs before it computes; python -m benchmarks.job_start.

Runs the tiny grid of the cluster tests on a Slurm on this machine, one job at a time,
and prints for each rule, as a mean over its jobs, in seconds of wall time:

* node: from the start of the Slurm job to its end, without the program: Snakemake's two
  starts on the node. Slurm gives whole seconds.
* imports: in the program, as `python -X importtime` counts them.
* rest: of the program: loading the model, and the work, which is tiny here.

Then the time to load a model of Gemma 3 270M's shape: quantised at each load, or saved
in 4 bits once. Needs what tests/slurm/install.sh installs.
"""

from __future__ import annotations

import re
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from datetime import datetime
from pathlib import Path

ROOT = Path(__file__).parent.parent
for folder in ("workflow/scripts", "tests/workflow", "tests/slurm"):
    sys.path.insert(0, str(ROOT / folder))

from cluster_runs import TABLE, Run, make_project  # type: ignore[import-not-found]  # noqa: E402
from virtual_cluster import Cluster, missing  # type: ignore[import-not-found]  # noqa: E402

# Stands between a job and its program: notes when it starts and ends, and what it
# imports; the first two words of a line are Slurm's job and the script.
PROGRAM = """#!/usr/bin/env bash
start=$(date +%s.%N)
"$REAL_PYTHON" -X importtime "$@" 2> "$PROGRAMS.${SLURM_JOB_ID:-local}"
status=$?
if [[ $1 == *.py ]]; then
  echo "${SLURM_JOB_ID:-local} ${1##*/} $start $(date +%s.%N)" >> "$PROGRAMS"
fi
exit $status
"""
IMPORT = re.compile(r"^import time:\s+(\d+) \|", re.MULTILINE)


def main() -> None:
    if lacking := missing():
        raise SystemExit(f"no {', '.join(lacking)}: run tests/slurm/install.sh first")
    print(f"{'rule':24}{'jobs':>5}{'node':>8}{'imports':>9}{'rest':>8}")
    for rule, rows in sorted(_jobs().items()):
        node, imports, rest = (
            statistics.mean(column) for column in zip(*rows, strict=True)
        )
        print(f"{rule:24}{len(rows):5}{node:8.1f}{imports:9.1f}{rest:8.1f}")
    print()
    for label, seconds in _loads().items():
        print(f"{label:60}{seconds:8.2f} s")


def _jobs() -> dict[str, list[tuple[float, float, float]]]:
    """Run the grid; return (node, imports, rest) of each job, by rule."""
    found = defaultdict(list)
    with tempfile.TemporaryDirectory() as scratch, Cluster() as cluster:
        folder = make_project(Path(scratch) / "p")
        programs = Path(scratch) / "programs"
        cluster.environment["PROGRAMS"] = str(programs)
        fake = cluster.root / "bin/python"
        fake.write_text(PROGRAM, encoding="utf-8")
        fake.chmod(0o755)
        Run(cluster, folder, TABLE, "--jobs", "1").succeed(3600)
        slurm = {job["JobId"]: job for job in cluster.jobs(folder)}
        for line in programs.read_text(encoding="utf-8").splitlines():
            number, script, start, end = line.split()
            if number not in slurm:  # a rule that runs where Snakemake does
                continue
            text = Path(f"{programs}.{number}").read_text(encoding="utf-8")
            imports = sum(int(each) for each in IMPORT.findall(text)) / 1e6
            program = float(end) - float(start)
            whole = _seconds(slurm[number]["EndTime"]) - _seconds(
                slurm[number]["StartTime"]
            )
            row = (whole - program, imports, program - imports)
            found[script.removesuffix(".py")].append(row)
    return found


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def _loads(repeats: int = 5) -> dict[str, float]:
    """Time, with warm files, what a job waits for its model: medians."""
    from transformers import AutoModelForCausalLM

    from langneurons.jobs import files
    from langneurons.nn.models import folders, loading, quantising

    with tempfile.TemporaryDirectory() as scratch:
        whole, small = Path(scratch) / "whole", Path(scratch) / "nf4"
        _save_model(whole)
        quantising.quantise(whole, small)
        ways = {
            "bf16 weights, quantised at each load": lambda: (
                AutoModelForCausalLM.from_pretrained(
                    str(whole),
                    quantization_config=quantising.nf4_config(),
                    device_map={"": "cpu"},
                )
            ),
            "4-bit weights, saved once": lambda: loading.load_causal(small),
            "of it: comparing the files with their hashes": lambda: [
                files.sha256(small / name)
                for name in files.read_json(small / folders.MANIFEST)["files"]
            ],
        }
        found: dict[str, list[float]] = defaultdict(list)
        for _ in range(repeats):
            for label, load in ways.items():
                start = time.perf_counter()
                load()
                found[label].append(time.perf_counter() - start)
    return {label: statistics.median(times) for label, times in found.items()}


def _save_model(folder: Path) -> None:
    """Save a model of Gemma 3 270M's shape with random weights and a short vocabulary.

    The layers are what is quantised; the embedding is not.
    """
    from transformers import Gemma3ForCausalLM, Gemma3TextConfig

    from langneurons.jobs import files
    from langneurons.nn.models import folders

    config = Gemma3TextConfig(
        vocab_size=8192,
        hidden_size=640,
        intermediate_size=2048,
        num_hidden_layers=18,
        num_attention_heads=4,
        num_key_value_heads=1,
        head_dim=256,
    )
    Gemma3ForCausalLM(config).bfloat16().save_pretrained(folder)
    written = {path.name: files.sha256(path) for path in sorted(folder.iterdir())}
    manifest = {"quantization": "none", "dtype": "bfloat16", "files": written}
    files.write_json(folder / folders.MANIFEST, manifest)


if __name__ == "__main__":
    main()
