"""Say how well neuron states of sentences match in two languages.

The spec is {"model", "corpus", "pair", "site", "sentences", "text"}: the two languages,
how many sentences, and of each language how they are numbered (``parallel.require``).
"""

from langneurons.config.names import Pair
from langneurons.jobs import cli
from langneurons.jobs.files import write_json
from langneurons.neurons import aligned_languages
from langneurons.neurons.recorded_activations import Activations
from langneurons.text import parallel

READ = ["activations", "first", "second"]


def main(job: cli.Job) -> None:
    """Check that sentences are parallel, align, and write one small file."""
    spec, pair = job.spec, Pair.parse(job.spec["pair"])
    texts = {pair.source: job.inputs["first"], pair.target: job.inputs["second"]}
    parallel.require(texts, spec["text"], spec["sentences"])
    first, second = map(Activations.open, job.inputs["activations"])
    found = aligned_languages.align(
        first, second, spec["site"], sentences=spec["sentences"]
    )
    write_json(job.outputs["out"], aligned_languages.described(spec, found))


if __name__ == "__main__":
    cli.run(main, __doc__, READ, many=READ)
