"""Table the change of perplexity, language by language.

The spec is {"rows": see tables.perplexity.perplexity_table}.
"""

from langneurons import tables
from langneurons.jobs import cli
from langneurons.tables import perplexity, perplexity_text


def main(job: cli.Job) -> None:
    paths = job.inputs["perplexities"]
    records = [perplexity.read(path) for path in paths]
    table = perplexity.perplexity_table(job.spec["rows"], records, paths)
    tables.write_markdown(job.outputs["markdown"], perplexity_text.perplexity(table))
    tables.write_tsv(job.outputs["tsv"], table)


if __name__ == "__main__":
    cli.run(
        main,
        __doc__,
        inputs=["perplexities"],
        outputs=["tsv", "markdown"],
        many=["perplexities"],
    )
