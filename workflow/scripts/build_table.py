"""Build one table of results, of any kind, and lay it out for reading.

The spec is that of the table's kind (``table``; see ``Table.spec``).
"""

from langneurons import tables
from langneurons.jobs import cli, files
from langneurons.tables.common.as_latex import latex
from langneurons.tables.common.as_markdown import markdown
from langneurons.tables.common.columns import as_written, write_tsv
from langneurons.tables.common.inputs import Inputs

ROLES = (
    "evaluations", "perplexities", "activations", "neurons", "similarities",
    "alignments", "tables",
)  # fmt: skip


def main(job: cli.Job) -> None:
    kind = tables.load(job.spec["table"])
    read = Inputs({role: job.inputs[role] for role in ROLES}, *job.inputs["published"])
    # Laid out from the same digits as on the report's page.
    table = as_written(kind.build(job.spec, read))
    document = kind.layout(table, job.spec)
    path = job.outputs["latex"]
    study = path.parent.parent.name  # results/{study}/tables/, or results/tables/
    name = path.stem if study in ("", "results") else f"{study}-{path.stem}"
    written = {"markdown": markdown(document), "latex": latex(document, name)}
    for role, text in written.items():
        with files.atomic(job.outputs[role]) as part:
            part.write_text(text, encoding="utf-8")
    write_tsv(job.outputs["tsv"], table)


if __name__ == "__main__":
    read = [*ROLES, "published"]
    made = ["tsv", "markdown", "latex"]
    cli.run(main, __doc__, inputs=read, outputs=made, many=read)
