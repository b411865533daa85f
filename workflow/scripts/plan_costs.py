"""Print what a grid will cost: jobs, tokens, hours, GPU hours, memory and disk by rule.

The spec is {"config": the merged configuration, "benchmarks": folder of Snakemake's
benchmark files, "gpu": kind of GPU}. Nothing is written.
"""

from pathlib import Path

from langneurons import cli, planning
from langneurons.config import load


def main(job: cli.Job) -> None:
    benchmarks = Path(job.spec["benchmarks"])
    print(planning.text(load(job.spec["config"]), benchmarks, job.spec["gpu"]))


if __name__ == "__main__":
    cli.run(main, __doc__, outputs=[])
