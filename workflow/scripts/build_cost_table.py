"""Sum up what the jobs cost, stage by stage, from Snakemake's benchmark files.

The spec is {"models": catalogue entries, "study": its name or null, "benchmarks":
folder of the benchmark files}.
``--report`` is read for its time only: the page comes last, so every job is on record.
"""

from pathlib import Path

from langneurons.costs import spending
from langneurons.jobs import cli, files


def main(job: cli.Job) -> None:
    spec, gpus = job.spec, spending.gpus_of(job.spec)
    spent = spending.sum_up(Path(spec["benchmarks"]), gpus, spec["study"])
    with files.atomic(job.outputs["tsv"]) as part:
        part.write_text(spending.table(spent), encoding="utf-8")


if __name__ == "__main__":
    cli.run(main, __doc__, inputs=["report"], outputs=["tsv"])
