"""Print what a grid will cost: jobs, tokens, hours, GPU hours, memory and disk by rule.

The spec is {"config": the merged configuration, "benchmarks": folder of Snakemake's
benchmark files, "gpu": kind of GPU}. Nothing is written.
"""

from pathlib import Path

from langneurons.jobs import cli
from langneurons.study import cost_plan
from langneurons.study.configuration import load


def main(job: cli.Job) -> None:
    benchmarks = Path(job.spec["benchmarks"])
    print(cost_plan.text(load(job.spec["config"]), benchmarks, job.spec["gpu"]))


if __name__ == "__main__":
    cli.run(main, __doc__, outputs=[])
