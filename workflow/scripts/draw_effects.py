"""Draw every change of a task's score, and score against neurons touched.

The spec is {"table", "metric"}: the table's name and one of its metrics.
"""

from langneurons import figures
from langneurons.config.names import NO_TREATMENT
from langneurons.figures import effects, sizes
from langneurons.jobs import cli
from langneurons.tables.common import metrics
from langneurons.tables.common.columns import read_table
from langneurons.tables.common.task_columns import COLUMNS, of_languages

DRAWN = {
    "forest": (effects.effects, effects.draw_forest, "every change of"),
    "size": (sizes.sizes, sizes.draw_size, "neurons touched and"),
}
NOTHING = {
    "forest": "The table {} has no intervention or tuning with a change of {}.",
    "size": "The table {} has no row with a number of neurons touched and {}.",
}


def main(job: cli.Job) -> None:
    name, metric = job.spec["table"], job.spec["metric"]
    table = of_languages(read_table(job.inputs["table"], COLUMNS, effects.NEEDED))
    shown = metrics.of_table(table).get(metric)
    word = metric if shown is None else shown.word
    for stem in figures.stems(job.outputs["figures"]):
        kind = figures.kind_of(stem)
        figures.only(kind, DRAWN, stem)
        describe, draw, what = DRAWN[kind]
        data = describe(table, metric)
        title = f"{name}: {what} {word}"
        without = kind == "size" and (data["series"] == NO_TREATMENT).all()
        if shown is None or data.empty or without:
            figure = figures.message(title, NOTHING[kind].format(name, word))
        else:
            figure = draw(data, shown, title)
        figures.save(figure, data, stem)


if __name__ == "__main__":
    cli.run(main, __doc__, inputs=["table"], outputs=["figures"], many=["figures"])
