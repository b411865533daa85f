"""Sum up what the jobs cost, stage by stage, from Snakemake's benchmark files.

The spec is {"config": the configuration, "benchmarks": folder of the benchmark files,
"patterns": of these files, by rule}.
``--report`` is read for its time only: the page comes last, so every job is on record.
"""

from pathlib import Path

from langneurons.costs import spending
from langneurons.jobs import cli, files
from langneurons.study.configuration import load


def main(job: cli.Job) -> None:
    spec, config = job.spec, load(job.spec["config"])
    gpus = spending.gpus_of(spec["config"])
    expected = spending.estimated(config, spec["patterns"])
    spent = spending.sum_up(Path(spec["benchmarks"]), gpus, config.study, expected)
    with files.atomic(job.outputs["tsv"]) as part:
        part.write_text(spending.table(spent), encoding="utf-8")


if __name__ == "__main__":
    cli.run(main, __doc__, inputs=["report"], outputs=["tsv"])
