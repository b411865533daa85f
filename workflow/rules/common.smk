# Needs: config/config.yaml (or --configfile). Makes: the names that every rule uses.
# CONFIG is the checked configuration, SPECS and TABLES its slices, RESOURCES the requests.

import re
import sys

sys.path.insert(0, f"{workflow.basedir}/workflow/scripts")

from langneurons import devices, failures, grid, outputs
from langneurons.config import load
from langneurons.errors import LangneuronsError
from langneurons.fingerprint import code_hash
from langneurons.resources import Requests
from langneurons.specs import Specs
from langneurons.table_specs import TableSpecs

try:
    CONFIG = load(config)
except LangneuronsError as error:
    raise WorkflowError(str(error)) from None
SPECS = Specs(CONFIG)
TABLES = TableSpecs(CONFIG)
RESOURCES = Requests(CONFIG)
DEMO = "results/demo_world"


def either(names):
    """Make a wildcard constraint out of a catalogue; an empty one matches nothing."""
    return "|".join(sorted(names)) or "(?!)"


def built_models():
    """Models that the workflow trains itself."""
    return [name for name, entry in CONFIG.models.items() if entry.builder]


def demo_files():
    """Everything that the demo world writes, apart from its description."""
    languages = CONFIG.demo_world.languages if CONFIG.demo_world else []
    return [
        f"{DEMO}/tokenizer.json",
        f"{DEMO}/pretraining.txt",
        f"{DEMO}/nli/train-en.tsv",
        f"{DEMO}/qa/train-en.json",
        *expand(f"{DEMO}/corpus/{{lang}}.txt", lang=languages),
        *expand(f"{DEMO}/nli/test-{{lang}}.tsv", lang=languages),
        *expand(f"{DEMO}/qa/test-{{lang}}.json", lang=languages),
    ]


def corpus_text(wildcards):
    """The text of a language: a local file, or what was fetched from the hub."""
    entry = CONFIG.corpus(wildcards.corpus)
    if entry.folder is not None:
        return f"{entry.folder}/{wildcards.lang}.txt"
    return f"results/text/{wildcards.corpus}/{wildcards.lang}.jsonl"


def task_files(wildcards):
    """The local files of a task's split; none when it comes from the hub."""
    data = CONFIG.task(wildcards.task).data
    given = data.train if wildcards.split == "train" else data.test
    return [given.format(lang=wildcards.lang)] if given else []


def model_to_load(wildcards):
    """The weights that jobs load: 4-bit where the catalogue says so."""
    return grid.model_manifest(CONFIG, wildcards.model)


def measured_shards(wildcards):
    """All shards of one corpus, model and language."""
    return grid.shards(CONFIG, wildcards.corpus, wildcards.model, wildcards.lang)


def activations_of_set(wildcards):
    """The statistics of all languages that a method contrasts."""
    corpus = CONFIG.method_corpus(wildcards.method)
    languages = CONFIG.language_set(wildcards.langset).languages
    return [grid.activations(corpus, wildcards.model, lang) for lang in languages]


def matched_neurons(wildcards):
    """The selection whose counts random neurons match; none for other methods."""
    match = CONFIG.method(wildcards.method).match
    return (
        [grid.neurons(wildcards.model, f"{match}.{wildcards.langset}")] if match else []
    )


def published_neurons(wildcards):
    """The neuron file that a method imports; none for other methods."""
    path = CONFIG.method(wildcards.method).parameters.get("path")
    return [path] if path else []


def training_items(wildcards):
    """The training items of a task, in its source language."""
    source = CONFIG.task(wildcards.task).source_language
    return grid.items(wildcards.task, "train", source)


def tuned_neurons(wildcards):
    """The neurons that a tuning changes; none for tunings without neurons."""
    return grid.tuned_neurons(wildcards.model, wildcards.tuning)


def drawn(stem, kinds, extensions):
    """The files of some figures; each figure has an SVG, a PNG and its data."""
    return outputs.figure_files(stem, kinds, extensions.split())


TUNING = (
    rf"({either(CONFIG.tunings)})|([a-z0-9_-]+\.)?[a-z0-9_-]+\.[a-z0-9_-]+\.[a-zA-Z_+]+"
)


wildcard_constraints:
    model=either(CONFIG.models),
    corpus=either(CONFIG.corpora),
    task=either(CONFIG.tasks),
    tuning=TUNING,
    table="|".join(outputs.task_tables(CONFIG)) or "(?!)",
    statistic=either(CONFIG.statistics),
    metric="[a-z0-9_]+",
    other=r"[a-z0-9_-]+\.[a-z0-9_-]+",
    published="|".join(outputs.published_sets(CONFIG)).replace(".", r"\.") or "(?!)",
    langset=either(CONFIG.language_sets),
    method=f"({either(CONFIG.methods)})(-[0-9]+)?",
    lang="[a-z][a-zA-Z_]*",
    seed="[0-9]+",
    shard="[0-9]+",
    shards="[0-9]+",
    split="train|test",


devices.limit(workflow)
failures.report(workflow)
