"""Write the card of an adapter, as the hub shows it beside the files.

The spec is that of ``card_specs.CardSpecs.adapter_card``.
"""

from langneurons.jobs import cli
from langneurons.report import adapter_card


def main(job: cli.Job) -> None:
    """Say how the adapter was trained, and what the tables say of it."""
    read = [job.inputs[name] for name in ("config", "training", "model")]
    tables, out = job.inputs["tables"], job.outputs["out"]
    adapter_card.write(job.spec, *read, tables=tables, out=out)


if __name__ == "__main__":
    read = ["config", "training", "model", "tables"]
    cli.run(main, __doc__, inputs=read, many=["tables"])
