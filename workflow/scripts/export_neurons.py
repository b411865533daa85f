"""Write a selection as List[List[LongTensor]], language x layer, like published files.

The languages are in the order of the language set (Tang et al. 2024; methods.md 1.4).
"""

from langneurons.jobs import cli
from langneurons.methods.published import write_published
from langneurons.neurons.neuron_sets import NeuronSets


def main(job: cli.Job) -> None:
    write_published(NeuronSets.read(job.inputs["neurons"]), job.outputs["out"])


if __name__ == "__main__":
    cli.run(main, __doc__, inputs=["neurons"])
