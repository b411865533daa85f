"""Draw the change of perplexity, neurons of one language by text of another.

The spec is {"model", "selection", "statistic"} (methods.md 3.1).
"""

from langneurons import figures
from langneurons.figures import perplexity
from langneurons.jobs import cli
from langneurons.tables.common.columns import read_table
from langneurons.tables.perplexity import COLUMNS


def main(job: cli.Job) -> None:
    model, selection, statistic = (
        job.spec[k] for k in ("model", "selection", "statistic")
    )
    table = read_table(job.inputs["table"], COLUMNS, perplexity.NEEDED)
    for stem in figures.stems(job.outputs["figures"]):
        kind = figures.kind_of(stem)
        figures.only(kind, perplexity.KINDS, stem)
        data = perplexity.changes(table, kind, model, selection, statistic)
        what = perplexity.KINDS[kind].name
        title = f"{model}, {selection} set to {statistic}: change of {what}"
        figure = perplexity.draw_changes(data, kind, title)
        figures.save(figure, data, stem)


if __name__ == "__main__":
    cli.run(main, __doc__, inputs=["table"], outputs=["figures"], many=["figures"])
