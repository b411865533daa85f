"""Print what a configuration will cost and has cost, by rule.

The spec is {"config": the merged configuration, "gpu": kind of GPU}. Snakemake is asked
for the jobs of ``all``: ``--snakefile`` is that of the workflow. Nothing is written.
"""

from langneurons.jobs import cli
from langneurons.study import cost_plan


def main(job: cli.Job) -> None:
    spec = job.spec
    print(cost_plan.text(job.inputs["snakefile"], spec["config"], spec["gpu"]))


if __name__ == "__main__":
    cli.run(main, __doc__, inputs=["snakefile"], outputs=[])
