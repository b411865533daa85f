"""Table the change of perplexity, language by language.

The spec is {"rows": see tables.perplexity_table}.
"""

from langneurons import cli, files, table_text, tables


def main(job: cli.Job) -> None:
    paths = job.inputs["perplexities"]
    records = [files.read_json(path) for path in paths]
    table = tables.perplexity_table(job.spec["rows"], records, paths)
    with files.atomic(job.outputs["markdown"]) as part:
        part.write_text(table_text.perplexity(table), encoding="utf-8")
    tables.write_tsv(job.outputs["tsv"], table)


if __name__ == "__main__":
    cli.run(
        main,
        __doc__,
        inputs=["perplexities"],
        outputs=["tsv", "markdown"],
        many=["perplexities"],
    )
