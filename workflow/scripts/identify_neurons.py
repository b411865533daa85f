"""Select the language-specific neurons of a model, for every language of a set.

The spec is that of ``methods.identify``.
"""

from __future__ import annotations

import sys

from langneurons import methods
from langneurons.config.errors import DataError
from langneurons.jobs import cli
from langneurons.neurons.neuron_sets import NeuronSets
from langneurons.neurons.recorded_activations import Activations


def main(job: cli.Job) -> None:
    activations = [Activations.open(path) for path in job.inputs["activations"]]
    if not activations:
        raise DataError("--activations: give one file for each language")
    reads = [NeuronSets.read(path) for path in job.inputs["reads"]]
    sets = methods.identify(job.spec, activations, reads)
    sets.write(job.outputs["out"])
    counts = ", ".join(f"{lang} {count:,}" for lang, count in sets.counts.items())
    print(f"{sets.method}.{sets.language_set}: {counts}", file=sys.stderr)


if __name__ == "__main__":
    cli.run(
        main,
        __doc__,
        inputs=["activations", "reads"],
        outputs=["out"],
        many=["activations", "reads"],
    )
