"""Which words a model is asked, how, and what each similarity reads of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from langneurons import similarities, tasks
from langneurons.config.errors import ConfigError
from langneurons.config.fields import Frozen
from langneurons.config.names import Pair
from langneurons.config.schema import RESULTS, Config
from langneurons.grid import bridges, result_paths
from langneurons.grid.kept import kept
from langneurons.similarities import Similarity, wanted_pairs
from langneurons.tasks.common.translations import Translating

from .rule_functions import signed


def plugin(config: Config, name: str) -> tuple[Similarity[Frozen], Frozen]:
    """Return a similarity, and its parameters with all defaults."""
    entry = config.similarity(name)
    kind = similarities.load(entry.kind)
    return kind, kind.PARAMETERS.model_validate(entry.parameters)


@kept
def asked(config: Config) -> Mapping[tuple[str, Pair], int]:
    """Return the words that each model is asked of each pair, at most.

    Pairs that bridges are chosen for, and those over each candidate where a similarity
    reads what the model says of them.
    """
    if not bridges.all_axes(config):
        return {}
    whole = bridges.probes(config).asked
    found = dict.fromkeys(bridges.asked_for(config), whole)
    if most := answers_read(config):
        for model, pair in bridges.asked_for(config):
            for step in wanted_pairs(pair, bridges.candidates(config, pair)):
                found.setdefault((model, step), min(most, whole))
    return found


def answers_read(config: Config) -> int:
    """Return how many answers on the way over a candidate similarities read; or 0."""
    found = [plugin(config, name) for name in bridges.similarities(config)]
    return max(kind.words(parameters) for kind, parameters in found)


def translating(config: Config) -> Translating:
    """Return how words are asked for: as the first task does that asks for words.

    Without such a task the defaults of ``bli`` hold.
    """
    for found in all_translating(config).values():
        return found
    return Translating()


def all_translating(config: Config) -> dict[str, Translating]:
    """Return how each task of bridges asks for words, by the task's name."""
    found: dict[str, Translating] = {}
    for axes in bridges.all_axes(config).values():
        for name in axes.tasks:
            entry = config.task(name)
            kind = tasks.load(entry.kind)
            given = kind.PARAMETERS.model_validate(entry.parameters)
            if isinstance(given, Translating):
                fields = Translating.model_fields
                found[name] = Translating(
                    **{key: getattr(given, key) for key in fields}
                )
    return found


def wording(config: Config, pair: Pair) -> dict[str, Any]:
    """Return what a job says of how it asks for the words of a pair."""
    given = translating(config)
    called = given.called()
    both = (pair.source, pair.target)
    if nameless := given.nameless(both):
        raise ConfigError(
            f"{pair}: prompts have no name for {', '.join(nameless)}; add it to the "
            "parameter names of the task that asks for words"
        )
    return {
        "names": {lang: called[lang] for lang in both},
        "post": given.post,
        "max_new_tokens": given.max_new_tokens,
    }


def ask(config: Config, model: str, pair: Pair) -> dict[str, Any]:
    """Say which words a model is asked, and how; beside what it is.

    Of pairs on the way over a candidate only the first answers are read: none of their
    words is a probe, and none is asked for backwards.

    Raises:
        ConfigError: no similarity of ``run`` reads words of this model and pair.
    """
    words = asked(config).get((model, pair))
    if words is None:
        raise ConfigError(
            f"{bridges.asked(model, pair)}: no similarity of an experiment of run "
            "reads it"
        )
    probes = bridges.probes(config)
    spec = {key: getattr(probes, key) for key in ("dictionary", "seed")}
    spec |= {"pair": str(pair)}
    if (model, pair) in bridges.asked_for(config):
        # Whether or not they are asked: as many words may be probes.
        most = min(probes.asked, probes.max_pairs)
        spec |= {"keep": probes.keep, "max_pairs": most}
        if probes.keep == "all" and not answers_read(config):
            return spec
    return spec | {"asked": words} | wording(config, pair)


def record(config: Config, pair: Pair) -> dict[str, Any]:
    """Say what is recorded of the probes of a pair, beside the model."""
    probes = bridges.probes(config)
    spec = wording(config, pair)
    del spec["post"]
    if probes.tokens == "prompt":
        del spec["max_new_tokens"]
    given = {"pair": str(pair), "tokens": probes.tokens, "least": probes.least}
    return spec | given | {"selection": str(bridges.selection(config))}


def compare(config: Config, model: str, name: str, pair: Pair) -> dict[str, Any]:
    """Say how the candidates of a pair are compared, and of what is read."""
    kind, parameters = plugin(config, name)
    spec = {
        "model": model,
        "pair": str(pair),
        "similarity": name,
        "kind": config.similarity(name).kind,
        "parameters": parameters.model_dump(mode="json"),
        "candidates": list(bridges.candidates(config, pair)),
    }
    if {"neurons", "probes"} & set(kind.READS):
        spec["selection"] = str(bridges.selection(config))
    if "activations" in kind.READS:
        selection = str(bridges.selection(config))
        spec["languages"] = result_paths.selection_languages(config, selection)
    return spec


def files(config: Config, model: str, name: str, pair: Pair) -> dict[str, list[str]]:
    """Name the files that a comparison reads, by role."""
    kind, _ = plugin(config, name)
    selection = bridges.selection(config)
    corpus = config.method_corpus(selection.method)
    languages = config.language_set(selection.languages).languages
    steps = wanted_pairs(pair, bridges.candidates(config, pair))
    every = {
        "neurons": [result_paths.neurons(model, selection)],
        "activations": [
            result_paths.activations(corpus, model, lang) for lang in languages
        ],
        "probes": [bridges.recorded(model, selection, pair)],
        "asked": [bridges.asked(model, step) for step in steps],
        # Beside answers, the words that the pair is tested on.
        "dictionary": [bridges.dictionary(bridges.probes(config).dictionary, pair)],
    }
    read = {*kind.READS, *(["dictionary"] if "asked" in kind.READS else ())}
    return {role: paths if role in read else [] for role, paths in every.items()}


def reader(config: Config, role: str) -> Callable[[Any], list[str]]:
    """Make the function from wildcards to the files of a role; see ``files``."""

    def paths(wildcards: Any) -> list[str]:
        names = wildcards.model, wildcards.similarity, Pair.parse(wildcards.pair)
        return files(config, *names)[role]

    return signed(paths)


def words(config: Config) -> str:
    """Name the files of the words that models are asked, with the wildcard pair."""
    asks = bool(bridges.all_axes(config))
    name = bridges.probes(config).dictionary if asks else "none"
    return f"{RESULTS}/dictionaries/{name}/{{pair}}.json"
