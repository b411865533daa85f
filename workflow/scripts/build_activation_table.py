"""Average the statistics of all neurons, as in the paper's Table 6.

The spec is {"rows", "published_site", "published_quantile"}: see
tables.activations.activation_table.
"""

from langneurons import tables
from langneurons.jobs import cli
from langneurons.neurons.recorded_activations import Activations
from langneurons.tables import activations, activations_text


def main(job: cli.Job) -> None:
    spec, paths = job.spec, job.inputs["activations"]
    table = activations.activation_table(
        spec["rows"],
        [Activations.open(path) for path in paths],
        spec["published_site"],
        spec["published_quantile"],
    )
    text = activations_text.activation_statistics(table)
    tables.write_markdown(job.outputs["markdown"], text)
    tables.write_tsv(job.outputs["tsv"], table)


if __name__ == "__main__":
    cli.run(
        main,
        __doc__,
        inputs=["activations"],
        outputs=["tsv", "markdown"],
        many=["activations"],
    )
