"""Train a tiny decoder on the demo world: a new one, or one that goes on from another.

The spec is {"model", "family", "demo": a ``demo`` block of the model catalogue}. Reads
pretraining.txt and tokenizer.json beside --world, and the weights beside --base, the
manifest of the model to go on from. The output is the manifest; weights and tokenizer
lie beside it, as for any pinned model.
"""

from langneurons.config.catalogue import DemoModel
from langneurons.demo import pretraining
from langneurons.jobs import cli


def main(job: cli.Job) -> None:
    base = job.inputs["base"]
    pretraining.build(
        name=job.spec["model"],
        family=job.spec["family"],
        spec=DemoModel(**job.spec["demo"]),
        world=job.inputs["world"].parent,
        folder=job.outputs["model"].parent,
        device=job.device,
        base=base.parent if base else None,
    )


if __name__ == "__main__":
    cli.run(
        main, __doc__, inputs=["world", "base"], outputs=["model"], optional=["base"]
    )
