"""From the configuration to the files: what every table needs, and from which jobs.

Paths carry registered names only, coarse axes first (see the list of paths in the
README). Everything here is plain text and tuples; it runs each time Snakemake starts.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from langneurons.config.catalogue import UNMEASURED
from langneurons.config.errors import ConfigError
from langneurons.config.names import (
    BASE,
    BASE_SEED,
    NO_TREATMENT,
    Selection,
    Treatment,
    TuningName,
)
from langneurons.config.schema import Config

from .axes import RESULTS, Row
from .rows import evaluations, tasks, text_rows

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
    )
    each = ("corpus/{}.txt", "nli/test-{}.tsv", "qa/test-{}.json")
    named = [name.format(lang) for name in each for lang in languages]
    return [f"{DEMO}/{name}" for name in (*fixed, *named)]


def tokens(corpus: str, model: str, lang: str) -> str:
    return f"{RESULTS}/tokens/{corpus}/{model}/{lang}.safetensors"


def held_out(corpus: str, model: str, lang: str) -> str:
    return f"{RESULTS}/tokens/{corpus}/{model}/{lang}.heldout.safetensors"


def activations(corpus: str, model: str, lang: str) -> str:
    return f"{RESULTS}/activations/{corpus}/{model}/{lang}.safetensors"


def neurons(model: str, selection: Selection | str) -> str:
    return f"{RESULTS}/neurons/{model}/{selection}.json"


def adapter(task: str, model: str, tuning: str, seed: int) -> str:
    folder = f"{RESULTS}/adapters/{task}/{model}/{tuning}/seed{seed}"
    return f"{folder}/adapter_model.safetensors"


def items(task: str, split: str, lang: str) -> str:
    return f"{RESULTS}/tasks/{task}/{split}.{lang}.jsonl"


def model_manifest(config: Config, model: str) -> str:
    """Name the model that jobs load: quantised where the catalogue says so."""
    stage = "pinned" if config.model(model).quantization == "none" else "nf4"
    return f"{RESULTS}/models/{model}/{stage}/manifest.json"


def shards(config: Config, corpus: str, model: str, lang: str) -> list[str]:
    """Name the measured pieces of a language; their number follows from the corpus."""
    entry = config.corpus(corpus)
    n = math.ceil(entry.tokens / entry.tokens_per_shard)
    folder = f"{RESULTS}/activations/{corpus}/{model}/{lang}"
    return [f"{folder}/shard-{i}-of-{n}.safetensors" for i in range(n)]


@dataclass(frozen=True)
class Bundle:
    """Treatments that one job works through with one loaded model.

    Attributes:
        folder: where each treatment writes its own file.
        number: position among the bundles of that folder, from 1.
        treatments: names, ``none`` first where it belongs to the bundle.
        axes: what is evaluated: task, corpus, model and so on, by name.
    """

    folder: str
    number: int
    treatments: tuple[str, ...]
    axes: tuple[tuple[str, str | int], ...]

    def __getattr__(self, name: str) -> str | int:
        for axis, value in self.axes:
            if axis == name:
                return value
        raise AttributeError(name)

    @property
    def outputs(self) -> list[str]:
        return [f"{self.folder}/{t}.json" for t in self.treatments]


@dataclass(frozen=True)
class Family:
    """Bundles that differ in nothing but model, tuning and seed: one Snakemake rule.

    A rule a bundle would do as well, but each start of Snakemake, and so each cluster
    job, would define thousands of rules.

    Attributes:
        pattern: the folder of its bundles, with Snakemake's wildcards.
        number: that of its bundles.
        treatments: those of its bundles.
        fixed: axes that its bundles share.
        tunings: of its bundles; empty where there are none.
        index: position among all families, from 1.
    """

    pattern: str
    number: int
    treatments: tuple[str, ...]
    fixed: tuple[tuple[str, str | int], ...]
    tunings: tuple[str, ...]
    index: int

    @property
    def outputs(self) -> list[str]:
        return [f"{self.pattern}/{t}.json" for t in self.treatments]

    @property
    def label(self) -> str:
        return f"{self.pattern}/bundle-{self.number}"

    @property
    def name(self) -> str:
        """The end of a rule name: task or corpus, language and number."""
        text = "_".join(str(value) for _, value in self.fixed) + f"_{self.index}"
        return "".join(c if c.isalnum() else "_" for c in text)

    def bundle(self, wildcards: Any) -> Bundle:
        """Return the bundle of one model (and tuning and seed)."""
        chosen: dict[str, str | int] = dict(self.fixed) | {"model": wildcards.model}
        if self.tunings:
            chosen |= {"tuning": wildcards.tuning, "seed": int(wildcards.seed)}
        folder = self.pattern.format(**chosen)
        return Bundle(folder, self.number, self.treatments, tuple(chosen.items()))


def families(bundles: list[Bundle]) -> list[Family]:
    """Put bundles together that one rule can describe."""
    found: dict[tuple, tuple[Bundle, str, dict[str, None]]] = {}
    for bundle in bundles:
        axes = dict(bundle.axes)
        lang = str(axes["lang"])
        if "task" in axes:
            row = Row("{model}", "{tuning}", "{seed}", lang, "")
            pattern = row.folder(str(axes["task"]))
        else:
            pattern = f"{RESULTS}/perplexity/{axes['corpus']}/{{model}}/{lang}"
        key = (pattern, bundle.number, bundle.treatments)
        tunings = found.setdefault(key, (bundle, pattern, {}))[2]
        if "tuning" in axes:
            tunings[str(axes["tuning"])] = None
    return [
        Family(
            pattern=pattern,
            number=first.number,
            treatments=first.treatments,
            fixed=tuple(x for x in first.axes if x[0] in ("task", "corpus", "lang")),
            tunings=tuple(tunings),
            index=index,
        )
        for index, (first, pattern, tunings) in enumerate(found.values(), start=1)
    ]


def chunks(config: Config, bundle: Bundle) -> int:
    """Say how many chunks of held-out text are measured, at most."""
    axes = dict(bundle.axes)
    for row in text_rows(config):
        if (row.corpus, row.model) == (axes["corpus"], axes["model"]):
            return row.chunks
    return 0


def _bundles(
    folder: str, names: list[str], size: int | None, **axes: str | int
) -> Iterator[Bundle]:
    step = size or max(len(names), 1)
    for i in range(0, len(names), step):
        part = tuple(names[i : i + step])
        yield Bundle(folder, i // step + 1, part, tuple(axes.items()))


def task_bundles(config: Config) -> list[Bundle]:
    """List the evaluation jobs of the grid's tasks, one (or more) a tuned model."""
    found: list[Bundle] = []
    for task in tasks(config):
        rows: dict[Row, dict[str, None]] = {}
        for row in evaluations(config, task):
            names = rows.setdefault(replace(row, treatment=""), {})
            names[row.treatment] = None
        for row, names in rows.items():
            axes = {k: getattr(row, k) for k in ("model", "tuning", "seed", "lang")}
            size = config.bundle_size
            found += _bundles(row.folder(task), list(names), size, task=task, **axes)
    return found


def perplexity_bundles(config: Config) -> list[Bundle]:
    """List the perplexity jobs: one (or more) for each model and text language."""
    rows: dict[tuple[str, str, str], dict[str, None]] = {}
    for row in text_rows(config):
        names = rows.setdefault((row.corpus, row.model, row.lang), {})
        names[row.treatment] = None
    found: list[Bundle] = []
    for (corpus, model, lang), names in rows.items():
        folder = f"{RESULTS}/perplexity/{corpus}/{model}/{lang}"
        axes = dict(corpus=corpus, model=model, lang=lang)
        found += _bundles(folder, list(names), config.bundle_size, **axes)
    return found


def languages_of(
    config: Config, treatment: str, lang: str, source: str
) -> tuple[str, str]:
    """Say whose neurons a treatment overwrites, and with whose statistics.

    Args:
        config: the configuration.
        treatment: not ``none``.
        lang: the evaluation (target) language.
        source: the language of the training data.
    """
    parsed = Treatment.parse(treatment)
    entry = config.statistic(parsed.statistic)
    known = {"target": lang, "source": source}
    whose = parsed.language or known.get(entry.neuron_language, entry.neuron_language)
    if parsed.language and entry.value_language == "target":
        return whose, whose
    return whose, known.get(entry.value_language, entry.value_language)


def tuned_neurons(model: str, tuning: str) -> list[str]:
    """Name the neuron file that a tuning reads; none for tunings without neurons."""
    selection = TuningName.parse(tuning).selection
    return [] if selection is None else [neurons(model, selection)]


def bundle_adapter(bundle: Bundle) -> list[str]:
    """Name the adapter that a bundle's model carries; none for the model as it is.

    Raises:
        ConfigError: the model as it is, with a seed that it does not have.
    """
    axes = dict(bundle.axes)
    tuning, seed = str(axes["tuning"]), int(axes["seed"])
    if tuning != BASE:
        return [adapter(str(axes["task"]), str(axes["model"]), tuning, seed)]
    if seed != BASE_SEED:
        raise ConfigError(
            f"{bundle.folder}: tuning {BASE} draws nothing and has no seed {seed}; ask "
            f"for seed{BASE_SEED}"
        )
    return []


def bundle_inputs(config: Config, bundle: Bundle) -> dict[str, list[str]]:
    """List the neuron and activation files that the treatments of a bundle read."""
    axes = dict(bundle.axes)
    model, lang = str(axes["model"]), str(axes["lang"])
    source = config.task(str(axes["task"])).source_language if "task" in axes else lang
    files: dict[str, dict[str, None]] = {"neurons": {}, "activations": {}}
    for treatment in bundle.treatments:
        if treatment == NO_TREATMENT:
            continue
        parsed = Treatment.parse(treatment)
        files["neurons"][neurons(model, parsed.selection)] = None
        if config.statistic(parsed.statistic).value not in UNMEASURED:
            value_language = languages_of(config, treatment, lang, source)[1]
            corpus = config.method_corpus(parsed.selection.method)
            files["activations"][activations(corpus, model, value_language)] = None
    return {role: list(paths) for role, paths in files.items()}


def selection_languages(config: Config, selection: str) -> list[str]:
    return list(config.language_set(Selection.parse(selection).languages).languages)
