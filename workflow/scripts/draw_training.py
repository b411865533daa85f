"""Draw the losses of a model's adapters while they were trained on a task.

The spec is {"task", "model", "names"}: tuning and seed of each record.
"""

from langneurons import figures
from langneurons.figures import training
from langneurons.jobs import cli


def main(job: cli.Job) -> None:
    names = [(tuning, seed) for tuning, seed in job.spec["names"]]
    data = training.curves(job.inputs["records"], names)
    title = f"{job.spec['model']}, {job.spec['task']}: loss while adapters are trained"
    for stem in figures.stems(job.outputs["figures"]):
        figures.only(figures.kind_of(stem), ("training_curves",), stem)
        figures.save(training.draw_curves(data, title), data, stem)


if __name__ == "__main__":
    read = ["records"]
    cli.run(main, __doc__, inputs=read, outputs=["figures"], many=[*read, "figures"])
