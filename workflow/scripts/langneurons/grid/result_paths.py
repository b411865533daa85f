"""From the configuration to the files: where each result lies.

Paths carry registered names only, coarse axes first (see the list of paths in the
README). Everything here is plain text; it runs each time Snakemake starts.
"""

from __future__ import annotations

from itertools import permutations

from langneurons.config.names import Overwritten, Selection, TuningName, target_of
from langneurons.config.schema import RESULTS, Config

DEMO = f"{RESULTS}/demo_world"


def demo_files(config: Config) -> list[str]:
    """List what the demo world writes beside its description; none without one."""
    if config.demo_world is None:
        return []
    languages = config.demo_world.languages
    fixed = (
        "tokenizer.json",
        "pretraining.txt",
        "nli/train-en.tsv",
        "qa/train-en.json",
        "facts/facts.jsonl",
        "facts/templates.tsv",
    )
    each = (
        "corpus/{}.txt",
        "sentences/{}.txt",
        "translation/{}.txt",
        "lexicon/{}.txt",
        "choices/{}.jsonl",
        "nli/test-{}.tsv",
        "qa/test-{}.json",
    )
    named = [name.format(lang) for name in each for lang in languages]
    named += [
        f"dictionary/{part}-{source}-{target}.txt"
        for part in ("probe", "test")
        for source, target in permutations(languages, 2)
    ]
    return [f"{DEMO}/{name}" for name in (*fixed, *named)]


def text(config: Config, corpus: str, lang: str, part: str = "recorded") -> list[str]:
    """Name the files that hold a language's text: local ones, or what was fetched.

    Args:
        config: the configuration.
        corpus: its name.
        lang: of the text.
        part: ``recorded`` or ``held_out``; chunks of both are of one file.

    Returns:
        None where a corpus of sentences holds none out.
    """
    entry = config.corpus(corpus)
    rows = entry.rows(part) if entry.sentences else None
    if entry.sentences and rows is None:
        return []
    if entry.folder is None:
        return [f"{RESULTS}/text/{corpus}/{lang}.jsonl"]
    names = rows.files if rows else ("{lang}.txt",)
    filled = {"lang": lang, "code": entry.code(lang)}
    return [f"{entry.folder}/{name.format(**filled)}" for name in names]


def tokens(corpus: str, model: str, lang: str) -> str:
    return f"{RESULTS}/tokens/{corpus}/{model}/{lang}.safetensors"


def held_out(corpus: str, model: str, lang: str) -> str:
    return f"{RESULTS}/tokens/{corpus}/{model}/{lang}.heldout.safetensors"


def activations(corpus: str, model: str, lang: str) -> str:
    return f"{RESULTS}/activations/{corpus}/{model}/{lang}.safetensors"


def neurons(model: str, selection: Selection | str) -> str:
    return f"{RESULTS}/neurons/{model}/{selection}.json"


def adapter(
    config: Config, task: str, model: str, tuning: TuningName, *, seed: int
) -> str:
    folder = f"{config.results}/adapters/{task}/{model}/{tuning}/seed{seed}"
    return f"{folder}/adapter_model.safetensors"


def items(config: Config, task: str, split: str, lang: str) -> str:
    return f"{config.results}/tasks/{task}/{split}.{lang}.jsonl"


def model_manifest(config: Config, model: str) -> str:
    """Name the model that jobs load: quantised where the catalogue says so."""
    stage = "pinned" if config.model(model).quantization == "none" else "nf4"
    return f"{RESULTS}/models/{model}/{stage}/manifest.json"


def index(folder: str, part: int, parts: int) -> str:
    """Name the index of a part of the treatments whose results lie in a folder."""
    return f"{folder}/part-{part}-of-{parts}.json"


def shards(config: Config, corpus: str, model: str, lang: str) -> list[str]:
    """Name the measured pieces of a language; their number follows from the corpus."""
    n = config.corpus(corpus).shards
    folder = f"{RESULTS}/activations/{corpus}/{model}/{lang}"
    return [f"{folder}/shard-{i}-of-{n}.safetensors" for i in range(n)]


def languages_of(
    config: Config, treatment: Overwritten, lang: str, source: str
) -> tuple[str, str]:
    """Say whose neurons a treatment overwrites, and with whose statistics.

    Of several languages together both are joined, ``en+zh``: a neuron gets the
    statistic of the first of them whose neuron it is.

    Args:
        config: the configuration.
        treatment: of neurons.
        lang: the evaluation (target) language, or pair.
        source: the language of the training data.
    """
    entry = config.statistic(treatment.statistic)
    known = {"target": target_of(lang), "source": source}
    whose = treatment.language or known.get(
        entry.neuron_language, entry.neuron_language
    )
    if treatment.language and entry.value_language == "target":
        return whose, whose
    return whose, known.get(entry.value_language, entry.value_language)


def tuned_neurons(model: str, tuning: TuningName) -> list[str]:
    """Name the neuron file that a tuning reads; none for tunings without neurons."""
    selection = tuning.selection
    return [] if selection is None else [neurons(model, selection)]


def selection_languages(config: Config, selection: str) -> list[str]:
    return list(config.language_set(Selection.parse(selection).languages).languages)
