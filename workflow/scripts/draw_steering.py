"""Draw how often facts shift to the language whose neurons are amplified.

The spec is {"task", "model", "selection", "statistic"}.
"""

from langneurons import figures
from langneurons.figures import steering
from langneurons.jobs import cli
from langneurons.tables.common.columns import read_table
from langneurons.tables.steering import COLUMNS


def main(job: cli.Job) -> None:
    given = {k: job.spec[k] for k in ("task", "model", "selection")}
    factor = job.spec["statistic"]
    table = read_table(job.inputs["table"], COLUMNS, steering.NEEDED)
    for stem in figures.stems(job.outputs["figures"]):
        kind = figures.kind_of(stem)
        figures.only(kind, steering.KINDS, stem)
        data = steering.shifts(table, kind, factor=factor, **given)
        what = f"{given['model']}, facts of {given['task']}"
        title = f"{what}: {given['selection']} set to {factor}"
        figure = steering.draw_shifts(data, kind, title)
        figures.save(figure, data, stem)


if __name__ == "__main__":
    cli.run(main, __doc__, inputs=["table"], outputs=["figures"], many=["figures"])
