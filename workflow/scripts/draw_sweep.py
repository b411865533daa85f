"""Draw what the values of a sweep do to a task's score.

The spec is {"table", "metric", "sweep", "swept", "parameter", "values"}: "swept" is
method or statistic, "values" the value of each.
"""

from langneurons import figures
from langneurons.figures import sweep
from langneurons.jobs import cli
from langneurons.tables.common import metrics
from langneurons.tables.common.columns import read_table
from langneurons.tables.common.task_columns import COLUMNS


def main(job: cli.Job) -> None:
    name, metric = job.spec["table"], job.spec["metric"]
    table = read_table(job.inputs["table"], COLUMNS, sweep.NEEDED)
    shown = metrics.of_table(table).get(metric)
    word = metric if shown is None else shown.word
    data = sweep.sweep(table, metric, job.spec["values"], job.spec["swept"])
    title = f"{name}: {word} against {job.spec['sweep']}"
    for stem in figures.stems(job.outputs["figures"]):
        figures.only(figures.kind_of(stem), ("sweep",), stem)
        if shown is None or data.empty:
            text = f"The table {name} has no change of {word} by {job.spec['sweep']}."
            figure = figures.message(title, text)
        else:
            figure = sweep.draw_sweep(data, shown, job.spec["parameter"], title)
        figures.save(figure, data, stem)


if __name__ == "__main__":
    cli.run(main, __doc__, inputs=["table"], outputs=["figures"], many=["figures"])
