"""Draw the ladder of factors with its controls, and steering against damage.

The spec is {"task", "model"}.
"""

from langneurons import figures
from langneurons.figures import amplification, damage
from langneurons.jobs import cli
from langneurons.tables.amplification import COLUMNS
from langneurons.tables.common.columns import read_table

DRAWN = {
    "ladder": (amplification.ladder, amplification.draw_ladder, "ways to steer"),
    "damage": (damage.damage, damage.draw_damage, "steering and damage"),
}
NOTHING = {
    "ladder": "The table amplification has no way to steer {}.",
    "damage": "The table amplification has no way to steer {} that was also measured "
    "on text.",
}


def main(job: cli.Job) -> None:
    task, model = job.spec["task"], job.spec["model"]
    table = read_table(job.inputs["table"], COLUMNS, amplification.NEEDED)
    for stem in figures.stems(job.outputs["figures"]):
        kind = figures.kind_of(stem)
        figures.only(kind, DRAWN, stem)
        describe, draw, what = DRAWN[kind]
        data = describe(table, task, model)
        title = f"{model}, facts of {task}: {what}"
        if data.empty:
            figure = figures.message(title, NOTHING[kind].format(model))
        else:
            figure = draw(data, title)
        figures.save(figure, data, stem)


if __name__ == "__main__":
    cli.run(main, __doc__, inputs=["table"], outputs=["figures"], many=["figures"])
