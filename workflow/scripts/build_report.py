"""Put verdicts, tables, figures, configuration and cost on one self-contained page.

The spec is {"config": the merged configuration, "benchmarks": folder of Snakemake's
benchmark files, "left_out": files of other settings, path -> what differs, "terms":
[words of the tasks, what they mean], "tables": [what is known of a table], "estimates":
from what follows what jobs should have taken, "figures": kind -> the first that is
asked for, "used": entries of the configuration that have a part, "options": with which
Snakemake reads it}. Benchmarks and the provenance beside the inputs are read where they
exist.
"""

from pathlib import Path

from langneurons import report
from langneurons.jobs import cli, files


def main(job: cli.Job) -> None:
    page = report.build(
        job.inputs["tables"],
        job.inputs["figures"],
        job.spec["config"],
        Path(job.spec["benchmarks"]),
        job.spec["left_out"],
        job.spec["terms"],
        job.spec["tables"],
        job.spec["estimates"],
        {name: job.spec[name] for name in ("figures", "used", "options")},
    )
    with files.atomic(job.outputs["out"]) as part:
        part.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    read = ["tables", "figures"]
    cli.run(main, __doc__, inputs=read, many=read)
