"""Draw what choices of bridges get pair by pair, and similarity against gain.

The spec is {"task", "model"}.
"""

from langneurons import figures
from langneurons.figures import bridges
from langneurons.jobs import cli
from langneurons.tables.bridge_candidates import COLUMNS as CANDIDATES
from langneurons.tables.common.bridge_numbers import COLUMNS
from langneurons.tables.common.columns import read_table

DRAWN = {
    "bridged": (bridges.ways, bridges.draw_ways, "bridges pair by pair"),
    "gain": (bridges.gains, bridges.draw_gains, "similarity and gain of bridges"),
}


def main(job: cli.Job) -> None:
    task, model = job.spec["task"], job.spec["model"]
    tables = {
        "bridged": read_table(job.inputs["choices"], COLUMNS, bridges.NEEDED),
        "gain": read_table(
            job.inputs["candidates"], CANDIDATES, bridges.NEEDED_CANDIDATES
        ),
    }
    for stem in figures.stems(job.outputs["figures"]):
        kind = figures.kind_of(stem)
        figures.only(kind, DRAWN, stem)
        describe, draw, what = DRAWN[kind]
        data = describe(tables[kind], task, model)
        title = f"{model}, {task}: {what}"
        if data.empty:
            text = f"The table has no bridges of {model} on {task}."
            figure = figures.message(title, text)
        else:
            figure = draw(data, title)
        figures.save(figure, data, stem)


if __name__ == "__main__":
    read = ["choices", "candidates"]
    cli.run(main, __doc__, inputs=read, outputs=["figures"], many=["figures"])
