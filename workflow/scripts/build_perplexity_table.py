"""Table the change of perplexity, language by language.

The spec is {"rows": see tables.perplexity.perplexity_table, with the name of the
treatment}. Indexes list the measured perplexities.
"""

from langneurons import tables
from langneurons.jobs import cli
from langneurons.tables import perplexity, perplexity_text


def main(job: cli.Job) -> None:
    rows, read = job.spec["rows"], perplexity.Perplexities(job.inputs["perplexities"])
    records, paths = zip(*map(read.of, rows), strict=True) if rows else ((), ())
    table = perplexity.perplexity_table(rows, records, paths)
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
