"""Fine-tune a model with QLoRA on the training items of a task.

The spec is {"task", "kind", "parameters", "model", "family", "attn_implementation",
"tuning", "neurons", "training", "seed"}; "neurons" is null, or {"selection",
"languages"}: whose neurons of the one neuron file are tuned. Outputs are a stock PEFT
adapter, with its head if it has one, and a record of the training.
"""

import shutil

from langneurons import tasks
from langneurons.config.task_entries import Training
from langneurons.jobs import cli, files, manifests


def main(job: cli.Job) -> None:
    spec, model_path = job.spec, job.inputs["model"]
    manifest, folder = manifests.read_model(model_path), model_path.parent
    task = tasks.load(spec["kind"])
    items = task.read_items(job.inputs["items"])
    parameters = task.PARAMETERS.model_validate(spec["parameters"])
    settings = Training.model_validate(spec["training"])

    from langneurons.nn.evaluation import runners
    from langneurons.nn.models import loading
    from langneurons.nn.tuning import adapters, masking, training

    neurons = masking.read(job.inputs["neurons"], spec["neurons"], manifest)
    runner = runners.of(task)
    tokenizer = loading.load_tokenizer(folder)
    encoded = runner.encode(tokenizer, items, parameters, training=True)
    runner.require_fit(encoded, manifest, training=True)
    kernels = spec["attn_implementation"]
    base = adapters.prepare(runner.load(folder, task, job.device, kernels))
    what = spec["family"], spec["tuning"]
    tuned = masking.plan(base, *what, neurons).count
    kind = runner.HEAD, runner.TASK_TYPE
    model = adapters.wrap(base, *what, settings, spec["seed"], *kind, neurons)
    plan = training.Plan.of(len(encoded), settings, spec["seed"])
    losses = training.fit(
        model,
        runner.summed_loss(model, encoded),
        plan,
        settings,
        job.micro_batch,
        training.Checkpoint.of(job),
        label=f"{spec['task']} {spec['model']} seed {spec['seed']}",
    )
    saved = job.outputs["adapter"], job.outputs["config"]
    adapters.save(model, *saved, manifest, folder)
    summary = training.record(model, plan, losses, encoded.dropped, tuned)
    files.write_json(job.outputs["log"], summary)
    shutil.rmtree(job.checkpoints, ignore_errors=True)


if __name__ == "__main__":
    cli.run(
        main,
        __doc__,
        inputs=["model", "items", "neurons"],
        outputs=["adapter", "config", "log"],
        many=["neurons"],
    )
