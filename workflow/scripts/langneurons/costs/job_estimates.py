"""What each job takes, by its rule and Snakemake's wildcards, before any was run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from langneurons import similarities
from langneurons.config.names import Pair
from langneurons.config.schema import Config
from langneurons.grid import bridges

from . import rates
from .estimates import GPU, Work
from .parts import Parts


class JobEstimates:
    """Estimates whole jobs of a configuration on one kind of GPU.

    Args:
        config: the configuration.
        gpu: key of ``rates.FLOPS``.
        parts: of the configuration and the GPU, if they are known already.
    """

    def __init__(
        self, config: Config, gpu: str = GPU, parts: Parts | None = None
    ) -> None:
        self.config, self.parts = config, parts or Parts(config, gpu)
        self._of: dict[str, Callable[[Any], Work]] = {
            "fetch_model": self._fetch_model,
            "pretrain_demo_model": self._pretrain_demo_model,
            "quantise_model": self._quantise_model,
            "fetch_text": self._fetch_text,
            "tokenise_corpus": self._tokenise_corpus,
            "hold_out_text": self._hold_out_text,
            "measure_activations": self._measure_activations,
            "merge_activations": self._merge_activations,
            "identify_neurons": self._identify_neurons,
            "find_directions": self._find_directions,
            "ask_probes": self._ask_probes,
            "record_probes": self._record_probes,
            "compare_languages": self._compare_languages,
            "measure_alignment": self._measure_alignment,
            "tune_model": self._tune_model,
            "evaluate_task": self._treat,
            "measure_perplexity": self._treat,
        }

    @property
    def rules(self) -> list[str]:
        """Rules whose jobs take more than a few seconds."""
        return list(self._of)

    def job(self, rule: str, wildcards: Any) -> Work:
        """Estimate a job from its start to its end.

        Args:
            rule: its rule; one that is not in ``rules`` takes a few seconds.
            wildcards: of the job, as Snakemake gives them to functions of a rule.
        """
        if rule not in self._of:
            return Work(rates.SMALL_JOB, 0, 0)
        return self._of[rule](wildcards)

    def _loaded(self, name: str, work: Work) -> Work:
        """Add the start of a job that loads a model."""
        seconds = rates.loading(self.config.model(name)) + work.seconds
        return Work(seconds, work.tokens, work.disk)

    def _fetch_model(self, wildcards: Any) -> Work:
        entry = self.config.model(wildcards.model)
        size = rates.fetched_bytes(entry)
        speed = rates.DOWNLOAD if entry.hub else rates.READ
        return Work(rates.SMALL_JOB + size / speed, 0, size)

    def _pretrain_demo_model(self, wildcards: Any) -> Work:
        entry = self.config.model(wildcards.model)
        return self._loaded(wildcards.model, self.parts.estimates.building(entry))

    def _quantise_model(self, wildcards: Any) -> Work:
        entry = self.config.model(wildcards.model)
        seconds = rates.fetched_bytes(entry) / rates.READ
        return self._loaded(
            wildcards.model, Work(seconds, 0, rates.weight_bytes(entry))
        )

    def _fetch_text(self, wildcards: Any) -> Work:
        entry = self.config.corpus(wildcards.corpus)
        size: float = entry.text_bytes
        if entry.sentences:
            size = rates.recorded_tokens(entry) * entry.fetch_bytes_per_token
        return Work(rates.SMALL_JOB + size / rates.DOWNLOAD, 0, size)

    def _tokenise_corpus(self, wildcards: Any) -> Work:
        return _tokenised(rates.recorded_tokens(self.config.corpus(wildcards.corpus)))

    def _hold_out_text(self, wildcards: Any) -> Work:
        entry = self.config.corpus(wildcards.corpus)
        sentences = rates.recorded_tokens(entry) if entry.sentences else None
        return _tokenised(entry.heldout_tokens if sentences is None else sentences)

    def _measure_activations(self, wildcards: Any) -> Work:
        axes = (wildcards.corpus, wildcards.model, int(wildcards.shards))
        return self._loaded(wildcards.model, self.parts.estimates.shard(*axes))

    def _statistics(self, model: str, corpus: str) -> float:
        """Return the size of a language's activations file."""
        entry = self.config.model(model)
        return rates.activation_bytes(entry, self.config.recorded(corpus))

    def _merge_activations(self, wildcards: Any) -> Work:
        size = self._statistics(wildcards.model, wildcards.corpus)
        files = self.config.corpus(wildcards.corpus).shards + 1
        return Work(rates.SMALL_JOB + files * size / rates.READ, 0, size)

    def _identify_neurons(self, wildcards: Any) -> Work:
        corpus = self.config.method_corpus(wildcards.method)
        languages = self.config.language_set(wildcards.langset).languages
        read = len(languages) * self._statistics(wildcards.model, corpus)
        return Work(rates.SMALL_JOB + read / rates.READ, 0, 0)

    def _find_directions(self, wildcards: Any) -> Work:
        # It reads the residual stream's means, a few megabytes.
        return Work(rates.SMALL_JOB, 0, 0)

    def _ask_probes(self, wildcards: Any) -> Work:
        probes, words = bridges.probes(self.config), answers_read(self.config)
        if not asks(self.config):
            return Work(rates.SMALL_JOB, 0, 0)
        ways = 1
        if Pair.parse(wildcards.pair) in bridges.pairs(self.config):
            words = probes.asked
            ways = 2 if probes.keep == "both" else 1
        one = self.parts.estimates.asking(wildcards.model, words)
        work = Work(ways * one.seconds, ways * one.tokens, one.disk)
        return self._loaded(wildcards.model, work)

    def _record_probes(self, wildcards: Any) -> Work:
        probes = bridges.probes(self.config)
        generates = probes.tokens != "prompt"
        words = probes.max_pairs
        one = self.parts.estimates.asking(wildcards.model, words, generates)
        languages = self.config.language_set(bridges.selection(self.config).languages)
        number = len(languages.languages)
        size = rates.recorded_bytes(self.config.model(wildcards.model), words, number)
        whole = Work(one.seconds, one.tokens, one.disk + size)
        return self._loaded(wildcards.model, whole)

    def _compare_languages(self, wildcards: Any) -> Work:
        kind = similarities.load(self.config.similarity(wildcards.similarity).kind)
        seconds = rates.SMALL_JOB
        if "probes" in kind.READS:
            seconds = rates.comparing(self.config.model(wildcards.model))
        return Work(seconds, 0, 0)

    def _measure_alignment(self, wildcards: Any) -> Work:
        read = 2 * self._statistics(wildcards.model, wildcards.corpus)
        return Work(rates.SMALL_JOB + read / rates.READ, 0, 0)

    def _tune_model(self, wildcards: Any) -> Work:
        axes = (wildcards.task, wildcards.model, wildcards.tuning)
        if not self.config.is_trained(wildcards.tuning):
            return Work(rates.SMALL_JOB, 0, 0)  # a benchmark of its fetching
        return self._loaded(wildcards.model, self.parts.estimates.tuning(*axes))

    def _treat(self, wildcards: Any) -> Work:
        part = self.parts.of_job(wildcards)
        work = self.parts.estimates.treatments(part.subject, part.treatments)
        return self._loaded(part.subject.model, work)


def answers_read(config: Config) -> int:
    """Return how many answers of a pair over a candidate similarities read; or 0."""
    most = 0
    for entry in map(config.similarity, bridges.similarities(config)):
        kind = similarities.load(entry.kind)
        parameters = kind.PARAMETERS.model_validate(entry.parameters)
        most = max(most, kind.words(parameters))
    return most


def asks(config: Config) -> bool:
    """Tell whether a model is asked for words, not only read on them."""
    return bridges.probes(config).keep != "all" or answers_read(config) > 0


def _tokenised(tokens: float) -> Work:
    return Work(rates.SMALL_JOB + tokens / rates.TOKENISING, tokens, 4 * tokens)
