"""Evaluate a model on one language's test items under many treatments.

It carries the adapter of its tuning; without one (tuning base) it is as it is.

The spec is {"shared": {"task", "kind", "parameters", "model", "family",
"attn_implementation", "tuning", "seed", "language"}, "statistics": {name: settings},
"treatments": {name: {"neuron_language", "value_language", "corpus"}, or {} for the
model as it is}}.
"""

from langneurons import tasks
from langneurons.jobs import cli, manifests
from langneurons.nn.evaluation import bundles
from langneurons.tasks.common import items as task_items


def main(job: cli.Job) -> None:
    shared, adapter = job.spec["shared"], job.inputs["adapter"]
    names = ("model", "items") if adapter is None else ("model", "adapter", "items")
    common = {name: job.inputs[name] for name in names}
    cells = bundles.cells(
        job.spec,
        job.code,
        job.outputs["out"],
        common,
        job.inputs["neurons"],
        job.inputs["activations"],
    )
    job.own.update(bundles.own(job.spec, cells, common))
    left = bundles.pending(cells, table=True)
    if not left:
        return
    manifest = manifests.read_model(job.inputs["model"])
    task = tasks.load(shared["kind"])
    items = task.read_items(job.inputs["items"])
    parameters = task.PARAMETERS.model_validate(shared["parameters"])

    from langneurons.nn.evaluation import runners
    from langneurons.nn.models import loading
    from langneurons.nn.tuning import adapters

    generates = task.generates(parameters) > 1  # the last one is not read back
    treatments = bundles.treatments(left, manifest, generates)
    folder, runner = job.inputs["model"].parent, runners.of(task)
    encoded = runner.encode(
        loading.load_tokenizer(folder), items, parameters, False, shared["language"]
    )
    runner.require_fit(encoded, manifest, training=False)
    kernels = shared["attn_implementation"]
    base = runner.load(folder, task, job.device, kernels)
    model = adapters.open_tuned(base, adapter.parent if adapter else None)
    for cell in left:
        treatment = treatments[cell.name]
        label = f"{shared['task']} {shared['language']} {cell.name}"
        table = runner.evaluate(
            model, encoded, job.batches, treatment, shared["family"], label
        )
        axes = {k: shared[k] for k in ("task", "model", "tuning", "seed")}
        record = {"format": "langneurons/evaluation/1", **axes}
        record |= {"lang": shared["language"], "treatment": cell.name}
        record |= {"metrics": task_items.means(table, task.METRICS), "n": len(table)}
        record["n_neurons"] = treatment.n_neurons if treatment else 0
        bundles.write(cell, record, table)


if __name__ == "__main__":
    read = ["model", "adapter", "items", "neurons", "activations"]
    several = ["neurons", "activations", "out"]
    cli.run(main, __doc__, inputs=read, many=several, optional=["adapter"])
