"""Record the neurons of a selection on the probes of a pair: a mean for each probe.

The spec is {"model", "family", "architecture", "attn_implementation", "pair",
"selection", "tokens", "least", "names"}; with generated tokens also "max_new_tokens".
With fewer probes than "least", or a selection without any neuron, nothing is recorded,
and the file says why.
"""

import numpy as np

from langneurons.config.names import Pair
from langneurons.jobs import cli, manifests
from langneurons.neurons import recorded_probes
from langneurons.neurons.asked_words import AskedWords
from langneurons.neurons.neuron_sets import NeuronSets
from langneurons.tasks.common import translations


def main(job: cli.Job) -> None:
    """Find the neurons and the words, and run the model where there are enough."""
    spec, pair = job.spec, Pair.parse(job.spec["pair"])
    asked = AskedWords.read(job.inputs["asked"])
    sets = NeuronSets.read(job.inputs["neurons"])
    layers, neurons = recorded_probes.union(sets)
    words = [asked.words[place]["word"] for place in asked.kept]
    left_out = recorded_probes.nothing(sets)
    left_out = left_out or recorded_probes.too_few(asked, spec["least"])
    values = np.empty((len(layers), 0), np.float32)
    if left_out:
        words = []
    else:
        from langneurons.nn.evaluation import probes
        from langneurons.nn.evaluation.language_model import LanguageModel

        known = manifests.read_model(job.inputs["model"])
        size = sets.layers, sets.intermediate_size
        sets.require_model(*size, known["revision"], job.inputs["neurons"])
        lm = LanguageModel.open(
            job.inputs["model"],
            job.device,
            prepared=True,
            attention=spec["attn_implementation"],
            family=spec["family"],
        )
        lm = lm.in_batches(job.batches).under(None, f"probes {pair}")
        texts = [translations.prompt(spec["names"], pair, word) for word in words]
        coded = probes.read(lm, texts, spec.get("max_new_tokens"), translations.STOP)
        values = probes.mean_activations(lm, coded, layers, neurons)
    given = spec["model"], spec["selection"], str(pair), spec["tokens"]
    recorded_probes.RecordedProbes(
        values, layers, neurons, *given, tuple(words), left_out
    ).write(job.outputs["out"])


if __name__ == "__main__":
    cli.run(main, __doc__, ["model", "neurons", "asked"])
