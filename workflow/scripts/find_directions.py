"""Find the mean difference of each language of a set from the others.

The spec is {"model", "language_set", "languages", "corpus"}.
"""

from __future__ import annotations

from langneurons.jobs import cli
from langneurons.neurons import directions
from langneurons.neurons.recorded_activations import Activations


def main(job: cli.Job) -> None:
    """Read the activations of all languages, and write one small file."""
    activations = [Activations.open(path) for path in job.inputs["activations"]]
    directions.find(job.spec, activations).write(job.outputs["out"])


if __name__ == "__main__":
    cli.run(main, __doc__, inputs=["activations"], many=["activations"])
