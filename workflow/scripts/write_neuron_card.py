"""Write the card of a model's neuron files, as the hub shows it beside them.

The spec is that of ``card_specs.CardSpecs.neuron_card``.
"""

from langneurons.jobs import cli
from langneurons.report import neuron_card


def main(job: cli.Job) -> None:
    """Say how the neurons were found, and what the tables say of them."""
    neurons, model = job.inputs["neurons"], job.inputs["model"]
    tables, out = job.inputs["tables"], job.outputs["out"]
    neuron_card.write(job.spec, neurons, model, tables=tables, out=out)


if __name__ == "__main__":
    many = ["neurons", "tables"]
    cli.run(main, __doc__, inputs=["model", *many], many=many)
