"""Draw alignment of languages against their scores on a task.

The spec is {"task", "model", "metric"}.
"""

from langneurons import figures
from langneurons.figures import alignment
from langneurons.jobs import cli
from langneurons.tables.alignment import COLUMNS as ALIGNMENT
from langneurons.tables.common.columns import read_table
from langneurons.tables.common.metrics import Shown
from langneurons.tables.common.task_columns import COLUMNS, of_languages


def main(job: cli.Job) -> None:
    task, model, metric = (job.spec[key] for key in ("task", "model", "metric"))
    aligned = read_table(job.inputs["aligned"], ALIGNMENT, alignment.NEEDED)
    scores = of_languages(read_table(job.inputs["scores"], COLUMNS))
    shown = Shown.read(scores[scores["metric"] == metric].iloc[0])
    data = alignment.points(aligned, scores, model, metric)
    data["score"] *= shown.scale
    for stem in figures.stems(job.outputs["figures"]):
        figures.only(figures.kind_of(stem), ("transfer",), stem)
        title = f"{model}, {task}: alignment and {shown.word}"
        if data.empty:
            figure = figures.message(title, f"No language has both on {task}.")
        else:
            figure = alignment.draw_points(data, title, shown.label)
        figures.save(figure, data, stem)


if __name__ == "__main__":
    read = ["aligned", "scores"]
    cli.run(main, __doc__, inputs=read, outputs=["figures"], many=["figures"])
