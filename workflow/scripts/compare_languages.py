"""Say how similar each candidate for a bridge is to a pair of languages.

The spec is that of ``similarities.describe``, with the selection and the languages of
its set as far as the similarity reads them.
"""

from langneurons import similarities
from langneurons.config.names import Pair
from langneurons.jobs import cli
from langneurons.jobs.files import write_json
from langneurons.neurons.asked_words import AskedWords
from langneurons.neurons.neuron_sets import NeuronSets
from langneurons.neurons.recorded_activations import Activations
from langneurons.neurons.recorded_probes import RecordedProbes
from langneurons.similarities import SimilarityInputs
from langneurons.text.dictionaries import PairDictionary

READ = ["neurons", "activations", "probes", "asked", "dictionary"]


def main(job: cli.Job) -> None:
    """Read what the similarity looks at, compare, and write one small file."""
    spec, read = job.spec, job.inputs
    neurons = [NeuronSets.read(path) for path in read["neurons"]]
    probes = [RecordedProbes.read(path) for path in read["probes"]]
    asked = [AskedWords.read(path) for path in read["asked"]]
    pair = Pair.parse(spec["pair"])
    for words in map(PairDictionary.read, read["dictionary"]):
        tested = [each.word for each in words.test]
        # A word that the pair is tested on must not choose its bridge. Another pair's
        # dictionary may have it among those that are asked.
        ours = [Pair.parse(one.pair).source == pair.source for one in asked]
        pairs = zip(asked, ours, strict=True)
        asked = [one.without(tested) if own else one for one, own in pairs]
    activations = [Activations.open(path) for path in read["activations"]]
    inputs = SimilarityInputs(
        pair,
        spec["candidates"],
        neurons[0] if neurons else None,
        dict(zip(spec.get("languages", ()), activations, strict=True)),
        probes[0] if probes else None,
        {Pair.parse(one.pair): one for one in asked},
    )
    write_json(job.outputs["out"], similarities.describe(spec, inputs))


if __name__ == "__main__":
    cli.run(main, __doc__, READ, many=READ)
