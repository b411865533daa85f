"""Pretrain a tiny decoder on the demo world.

The spec is {"model", "family", "demo": a ``demo`` block of the model catalogue}. Reads
pretraining.txt and tokenizer.json beside --world. The output is the manifest; weights
and tokenizer lie beside it, as for any pinned model.
"""

from langneurons.config.catalogue import DemoModel
from langneurons.demo import pretraining
from langneurons.jobs import cli


def main(job: cli.Job) -> None:
    pretraining.build(
        name=job.spec["model"],
        family=job.spec["family"],
        spec=DemoModel(**job.spec["demo"]),
        world=job.inputs["world"].parent,
        folder=job.outputs["model"].parent,
        device=job.device,
    )


if __name__ == "__main__":
    cli.run(main, __doc__, inputs=["world"], outputs=["model"])
