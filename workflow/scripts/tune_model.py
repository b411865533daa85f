"""Fine-tune a model with QLoRA on the training items of a task.

The spec is {"task", "kind", "parameters", "model", "family", "architecture",
"attn_implementation", "tuning", "neurons", "training", "seed"}; "neurons" is null,
or {"selection", "languages"}: whose neurons of the one neuron file are tuned.
Outputs are a stock PEFT adapter, with its head if it has one, and a record of the
training.
"""

import shutil

from langneurons import tasks
from langneurons.config.task_entries import Training
from langneurons.jobs import cli, files, manifests


def main(job: cli.Job) -> None:
    spec, model_path = job.spec, job.inputs["model"]
    manifest = manifests.read_model(model_path)
    task = tasks.load(spec["kind"])
    items = task.read_items(job.inputs["items"])
    parameters = task.PARAMETERS.model_validate(spec["parameters"])
    settings = Training.model_validate(spec["training"])

    from langneurons.nn.evaluation.open_model import OpenModel
    from langneurons.nn.models import tuned
    from langneurons.nn.tuning import adapters, losses, masking, training

    neurons = masking.read(job.inputs["neurons"], spec["neurons"], manifest)
    kernels, labels = spec["attn_implementation"], len(task.LABELS)
    lm = OpenModel.open(model_path, job.device, labels=labels, attention=kernels)
    examples = task.examples(lm, items, parameters)
    lm.require_fit(examples)
    base, what = tuned.prepare(lm.model), (spec["family"], spec["tuning"])
    count = masking.plan(base, *what, neurons).count
    kind = examples.HEAD, examples.TASK_TYPE
    model = adapters.wrap(base, *what, settings, spec["seed"], *kind, neurons)
    plan = training.Plan.of(len(examples), settings, spec["seed"])
    curve = training.fit(
        model,
        losses.summed(model, examples, lm.filler),
        plan,
        settings,
        job.micro_batch,
        training.Checkpoint.of(job),
        label=f"{spec['task']} {spec['model']} seed {spec['seed']}",
    )
    saved = job.outputs["adapter"], job.outputs["config"]
    adapters.save(model, *saved, manifest, model_path.parent)
    summary = training.record(model, plan, curve, examples.dropped, count)
    files.write_json(job.outputs["log"], summary)
    shutil.rmtree(job.checkpoints, ignore_errors=True)


if __name__ == "__main__":
    read, made = ["model", "items", "neurons"], ["adapter", "config", "log"]
    cli.run(main, __doc__, inputs=read, outputs=made, many=["neurons"])
