"""Set every treatment of a task against its reference, with interval and test.

The spec is {"task", "kind", "source_language", "layout", "rows": see
tables.task.task_table, with the name of the treatment}. Indexes list the evaluations.
"""

from langneurons import tables, tasks
from langneurons.jobs import cli
from langneurons.tables import evaluations, task, task_text


def main(job: cli.Job) -> None:
    spec, paths = job.spec, job.inputs["evaluations"]
    made, layout = tasks.load(spec["kind"]), spec["layout"]
    metrics, title = made.METRICS, made.TITLE
    read = evaluations.Evaluations(paths, {spec["task"]: metrics})
    found = [read.of(row, task=spec["task"]) for row in spec["rows"]]
    table = task.task_table(spec["rows"], found, metrics, layout=layout, title=title)
    text = task_text.task(table, spec["task"], spec["source_language"], layout)
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
