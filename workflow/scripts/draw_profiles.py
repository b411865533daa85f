"""Draw what it changes to read and write statistics at one place.

The spec is {"task", "metric"} (methods.md 1.1).
"""

from langneurons import figures
from langneurons.figures import profiles
from langneurons.jobs import cli
from langneurons.tables.common import metrics
from langneurons.tables.common.columns import read_table
from langneurons.tables.profiles import COLUMNS


def main(job: cli.Job) -> None:
    task, metric = job.spec["task"], job.spec["metric"]
    table = read_table(job.inputs["table"], COLUMNS, profiles.NEEDED)
    for stem in figures.stems(job.outputs["figures"]):
        figures.only(figures.kind_of(stem), ["sites"], stem)
        data = profiles.sites(table, task, metric)
        if data.empty:
            title = f"{task}, {metric}: paper and consistent profile"
            text = (
                "No intervention was measured in both profiles. Name statistics of "
                "profile paper and of profile consistent in the grid to compare them."
            )
            figure = figures.message(title, text)
        else:
            shown = metrics.of_table(table[table["task"] == task])[metric]
            title = f"{task}, {shown.word}: paper and consistent profile"
            figure = profiles.draw_sites(data, shown, title)
        figures.save(figure, data, stem)


if __name__ == "__main__":
    cli.run(main, __doc__, inputs=["table"], outputs=["figures"], many=["figures"])
