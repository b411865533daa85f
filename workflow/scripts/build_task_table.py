"""Set every intervention of a task against none, with interval and test.

The spec is {"task", "source_language", "rows": see tables.task_table}.
"""

from langneurons import cli, files, table_text, tables


def main(job: cli.Job) -> None:
    evaluations = [tables.Evaluation.read(p) for p in job.inputs["evaluations"]]
    table = tables.task_table(job.spec["rows"], evaluations)
    source = job.spec["source_language"]
    text = table_text.task(table, job.spec["task"], source)
    with files.atomic(job.outputs["markdown"]) as part:
        part.write_text(text, encoding="utf-8")
    tables.write_tsv(job.outputs["tsv"], table)


if __name__ == "__main__":
    cli.run(
        main,
        __doc__,
        inputs=["evaluations"],
        outputs=["tsv", "markdown"],
        many=["evaluations"],
    )
