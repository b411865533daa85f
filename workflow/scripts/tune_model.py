"""Fine-tune a model with QLoRA on the training items of a task.

The spec is {"task", "kind", "parameters", "model", "family", "tuning", "training",
"seed"}. Outputs are a stock PEFT adapter with its head, and a record of the training.
"""

import hashlib
import shutil

from langneurons import cli, files, tasks
from langneurons.catalogue import Training


def main(job: cli.Job) -> None:
    spec, model_path = job.spec, job.inputs["model"]
    manifest = files.read_json(model_path)
    task = tasks.load(spec["kind"])
    items = task.read_items(job.inputs["items"])
    parameters = task.Parameters.model_validate(spec["parameters"])
    settings = Training.model_validate(spec["training"])
    hashes = {name: files.sha256(path) for name, path in job.inputs.items()}
    key = files.canonical({"spec": spec, "code": job.code, "inputs": hashes})

    from langneurons.nn import adapters, classification, models, pairs, training

    tokenizer = models.load_tokenizer(model_path.parent)
    encoded = pairs.encode(tokenizer, items, parameters, training=True)
    base = models.load_classifier(model_path.parent, len(task.LABELS), job.device)
    base = adapters.prepare(base)
    model = adapters.wrap(base, spec["family"], spec["tuning"], settings, spec["seed"])
    plan = training.Plan.of(len(encoded), settings, spec["seed"])
    losses = training.fit(
        model,
        classification.Scorer(model, encoded).loss,
        plan,
        settings,
        job.micro_batch,
        training.Checkpoint(
            job.checkpoints,
            hashlib.sha256(key.encode()).hexdigest(),
            job.checkpoint_every,
        ),
        label=f"{spec['task']} {spec['model']} seed {spec['seed']}",
    )
    adapters.save(model, job.outputs["adapter"], job.outputs["config"], manifest)
    files.write_json(
        job.outputs["log"], training.record(model, plan, losses, encoded.dropped)
    )
    shutil.rmtree(job.checkpoints, ignore_errors=True)


if __name__ == "__main__":
    cli.run(
        main, __doc__, inputs=["model", "items"], outputs=["adapter", "config", "log"]
    )
