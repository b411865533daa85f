"""Evaluate a model on one language's test items under many treatments.

It carries the adapter of its tuning; without one (tuning base) it is as it is.
The spec is {"shared": {"task", "kind", "parameters", "model", "family",
"architecture", "attn_implementation", "tuning", "seed", "language"}, "statistics":
{name: settings}, "treatments": {name: what study/treatment_specs.py says of it}}.
Beside the output, an index, is a file per treatment.
"""

from typing import Any

from langneurons import tasks
from langneurons.grid import subjects
from langneurons.jobs import cli, manifests
from langneurons.nn.evaluation import treatments


def main(job: cli.Job) -> None:
    found, left = treatments.begin(job, ("model", "adapter", "items", "files"))
    axes = treatments.axes(job, ("task", "model", "tuning", "seed"))
    if left:
        evaluate(job, left, axes)
    treatments.write_index(job.outputs["out"], "langneurons/evaluations/1", axes, found)


def evaluate(job: cli.Job, left: list[treatments.Run], axes: dict[str, Any]) -> None:
    """Write the file of each treatment."""
    shared, adapter = job.spec["shared"], job.inputs["adapter"]
    manifest = manifests.read_model(job.inputs["model"])
    task, lang = tasks.load(shared["kind"]), axes["lang"]
    parameters = task.PARAMETERS.model_validate(shared["parameters"])
    asked = task.read_items(job.inputs["items"]), parameters, lang

    from langneurons.nn.evaluation import overwriting
    from langneurons.nn.evaluation.language_model import LanguageModel

    # The last token that is generated is not read back.
    generates = task.CONTINUES or task.generates(parameters) > 1
    written = overwriting.read(left, manifest, generates)
    lm = LanguageModel.open(
        job.inputs["model"],
        job.device,
        labels=len(task.LABELS),
        adapter=adapter.parent if adapter else None,
        prepared=True,
        attention=shared["attn_implementation"],
        family=shared["family"],
    ).in_batches(job.batches)
    for run in left:
        what = f"{shared['task']} {lang} {run.name}"
        treated = lm.under(written[run.name], what, overwriting.told(run))
        table = tasks.evaluated(task, run.name, treated, asked)
        scores = tasks.metrics(task, table, parameters, lang)
        result = {"n": len(table), "n_neurons": overwriting.count(written[run.name])}
        treatments.write(run, axes, {"metrics": scores} | result, table)


if __name__ == "__main__":
    read, many = ["model", "adapter", "items"], ["files", *subjects.READ]
    cli.run(main, __doc__, [*read, *many], many=many, optional=["adapter"])
