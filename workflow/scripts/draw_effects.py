"""Draw every change of a task's score, and score against neurons touched.

The spec is {"table", "metric"}: the table's name and one of its metrics.
"""

from langneurons import figures
from langneurons.config.names import NO_TREATMENT
from langneurons.figures import effects, sizes
from langneurons.jobs import cli

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
    table = figures.read_table(job.inputs["table"], effects.NEEDED)
    shown = figures.metric_of(table, metric)
    for stem in figures.stems(job.outputs["figures"]):
        kind = figures.kind_of(stem)
        figures.only(kind, DRAWN, stem)
        describe, draw, what = DRAWN[kind]
        data = describe(table, metric)
        title = f"{name}: {what} {shown.word}"
        if data.empty or (kind == "size" and (data["series"] == NO_TREATMENT).all()):
            figure = figures.message(title, NOTHING[kind].format(name, shown.word))
        else:
            figure = draw(data, shown, title)
        figures.save(figure, data, stem)


if __name__ == "__main__":
    cli.run(main, __doc__, inputs=["table"], outputs=["figures"], many=["figures"])
