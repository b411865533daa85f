"""Build one table of results, of any kind, and lay it out for reading.

The spec is that of the table's kind (``table``; see ``Table.spec``).
"""

from langneurons import tables
from langneurons.jobs import cli, files
from langneurons.tables.common.as_markdown import markdown
from langneurons.tables.common.columns import write_tsv
from langneurons.tables.common.inputs import Inputs

ROLES = (
    "evaluations", "perplexities", "activations", "neurons", "similarities",
    "alignments", "tables",
)  # fmt: skip


def main(job: cli.Job) -> None:
    kind = tables.load(job.spec["table"])
    read = Inputs({role: job.inputs[role] for role in ROLES}, *job.inputs["published"])
    table = kind.build(job.spec, read)
    text = markdown(kind.layout(table, job.spec))
    with files.atomic(job.outputs["markdown"]) as part:
        part.write_text(text, encoding="utf-8")
    write_tsv(job.outputs["tsv"], table)


if __name__ == "__main__":
    read = [*ROLES, "published"]
    cli.run(main, __doc__, inputs=read, outputs=["tsv", "markdown"], many=read)
