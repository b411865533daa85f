"""Draw a task's change, language of its items by language of the neurons.

The spec is {"task", "metric", "model", "selection", "statistic"}.
"""

from langneurons import figures
from langneurons.figures import steering
from langneurons.jobs import cli
from langneurons.tables.common import metrics
from langneurons.tables.common.columns import read_table
from langneurons.tables.common.task_columns import COLUMNS, of_languages


def main(job: cli.Job) -> None:
    model, selection = job.spec["model"], job.spec["selection"]
    metric, factor = job.spec["metric"], job.spec["statistic"]
    table = of_languages(read_table(job.inputs["table"], COLUMNS))
    given = {"model": model, "selection": selection, "factor": factor}
    data = steering.task_changes(table, metric, **given)
    shown = metrics.of_table(table)[metric]
    for stem in figures.stems(job.outputs["figures"]):
        figures.only(figures.kind_of(stem), ["change"], stem)
        task = job.spec["task"]
        title = f"{model}, {selection} set to {factor}: {task}, {shown.word}"
        figure = steering.draw_task_changes(data, shown, title)
        figures.save(figure, data, stem)


if __name__ == "__main__":
    cli.run(main, __doc__, inputs=["table"], outputs=["figures"], many=["figures"])
