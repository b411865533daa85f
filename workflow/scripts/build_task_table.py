"""Set every treatment of a task against its reference, with interval and test.

The spec is {"task", "kind", "source_language", "layout", "rows": see
tables.task.task_table}.
"""

from langneurons import tables
from langneurons.jobs import cli
from langneurons.tables import evaluations, task, task_text
from langneurons.tasks import metric_kinds


def main(job: cli.Job) -> None:
    spec, paths = job.spec, job.inputs["evaluations"]
    metrics = metric_kinds(spec["kind"])
    found = [evaluations.Evaluation.read(path, metrics) for path in paths]
    table = task.task_table(spec["rows"], found, metrics, spec["layout"])
    text = task_text.task(table, spec["task"], spec["source_language"], spec["layout"])
    tables.write_markdown(job.outputs["markdown"], text)
    tables.write_tsv(job.outputs["tsv"], table)


if __name__ == "__main__":
    cli.run(
        main,
        __doc__,
        inputs=["evaluations"],
        outputs=["tsv", "markdown"],
        many=["evaluations"],
    )
