"""Ask a model to translate the probe words of a pair, and keep those that it knows.

The spec is {"model", "pair", "dictionary", "seed"}; where some words are probes, and
not only answers to be read, also "keep" and "max_pairs"; unless nothing is asked (keep
is all, and no similarity reads answers), also "family", "architecture",
"attn_implementation", "asked", "names", "post" and "max_new_tokens".
"""

from langneurons.config.names import Pair
from langneurons.jobs import cli
from langneurons.neurons.asked_words import NO_PROBES, AskedWords
from langneurons.tasks.common import asking
from langneurons.text.dictionaries import PairDictionary


def main(job: cli.Job) -> None:
    """Ask, judge the answers, and write all words with the places of the probes."""
    spec, pair = job.spec, Pair.parse(job.spec["pair"])
    keep, most = spec.get("keep", NO_PROBES), spec.get("max_pairs", 0)
    words = PairDictionary.read(job.inputs["dictionary"]).probe
    if "asked" not in spec:
        found = asking.untold(asking.drawn(words, spec["seed"], most))
    else:
        from langneurons.nn.evaluation.language_model import LanguageModel

        opened = LanguageModel.open(
            job.inputs["model"],
            job.device,
            prepared=True,
            attention=spec["attn_implementation"],
            family=spec["family"],
        )
        lm = opened.in_batches(job.batches).under(None, f"probes {pair}")
        chosen = asking.drawn(words, spec["seed"], spec["asked"])
        found = asking.ask(lm, chosen, pair, spec, back=keep == "both")
    places = asking.kept(found, keep, most)
    given = spec["model"], str(pair), spec["dictionary"], keep
    AskedWords(*given, found, places).write(job.outputs["out"])


if __name__ == "__main__":
    cli.run(main, __doc__, ["model", "dictionary"])
