"""Evaluate a model on one language's test items under many treatments.

It carries the adapter of its tuning; without one (tuning base) it is as it is.

The spec is {"shared": {"task", "kind", "parameters", "model", "family",
"architecture", "attn_implementation", "tuning", "seed", "language"}, "statistics":
{name: settings}, "treatments": {name: {"neuron_language", "value_language", "corpus"},
or {} for the model as it is}}.
"""

from langneurons import tasks
from langneurons.jobs import cli, manifests
from langneurons.nn.evaluation import bundles


def main(job: cli.Job) -> None:
    shared, adapter = job.spec["shared"], job.inputs["adapter"]
    left = bundles.begin(job, ("model", "adapter", "items"), table=True)
    if not left:
        return
    manifest = manifests.read_model(job.inputs["model"])
    task = tasks.load(shared["kind"])
    items = task.read_items(job.inputs["items"])
    parameters = task.PARAMETERS.model_validate(shared["parameters"])

    from langneurons.nn.evaluation import overwriting
    from langneurons.nn.evaluation.language_model import LanguageModel

    # The last token that is generated is not read back.
    generates = task.CONTINUES or task.generates(parameters) > 1
    treatments = overwriting.read(left, manifest, generates)
    lm = LanguageModel.open(
        job.inputs["model"],
        job.device,
        labels=len(task.LABELS),
        adapter=adapter.parent if adapter else None,
        prepared=True,
        attention=shared["attn_implementation"],
        family=shared["family"],
    ).in_batches(job.batches)
    for cell in left:
        treatment, lang = treatments[cell.name], shared["language"]
        treated = lm.under(treatment, f"{shared['task']} {lang} {cell.name}")
        table = tasks.checked(task, task.evaluate(treated, items, parameters, lang))
        axes = {k: shared[k] for k in ("task", "model", "tuning", "seed")}
        record = {"format": "langneurons/evaluation/1", **axes}
        record |= {"lang": lang, "treatment": cell.name}
        scores = tasks.metrics(task, table, parameters, lang)
        record |= {"metrics": scores, "n": len(table)}
        record["n_neurons"] = treatment.n_neurons if treatment else 0
        bundles.write(cell, record, table)


if __name__ == "__main__":
    read = ["model", "adapter", "items", "neurons", "activations"]
    several = ["neurons", "activations", "out"]
    cli.run(main, __doc__, inputs=read, many=several, optional=["adapter"])
