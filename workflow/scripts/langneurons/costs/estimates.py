"""Seconds, tokens and bytes of the jobs that run a model, from the configuration alone.

Never from measured times: what a job asks for, and how treatments are put into jobs,
must be the same each time that Snakemake starts.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from langneurons.config.catalogue import Model
from langneurons.config.names import UNTREATED, Bridged, Treatment, TuningName
from langneurons.config.schema import Config
from langneurons.grid import rows
from langneurons.grid.subjects import OnTask, Subject

from . import rates

GPU = "a100"
"""Key of ``rates.FLOPS``: the slowest that estimates are made for."""
ITEM_BYTES = 20
"""Of a test item in a treatment's file."""
CHUNK_BYTES = 16
"""Of a held-out chunk or sentence in a treatment's file."""
RECORD_BYTES = 4000
"""Of what such a file says of itself."""


@dataclass(frozen=True)
class Work:
    """What one treatment takes, once the model is loaded.

    Attributes:
        seconds: of the model.
        tokens: that pass through it.
        disk: bytes that are left behind.
    """

    seconds: float
    tokens: float
    disk: float


class Estimates:
    """Estimates each job of a configuration on one kind of GPU."""

    def __init__(self, config: Config, gpu: str = GPU) -> None:
        self.config, self.gpu = config, gpu
        self._known: dict[tuple[str, ...], Work] = {}

    def time(self, model: Model, tokens: float, each: int = rates.FORWARD) -> float:
        """Return seconds of passing tokens through a model.

        Args:
            model: its entry.
            tokens: how many.
            each: FLOP per parameter and token.
        """
        return each * model.parameters * tokens / rates.flops(model, self.gpu)

    def treatment(self, subject: Subject, treatment: Treatment = UNTREATED) -> Work:
        """Estimate one treatment; all but bridges take the same of a subject."""
        bridged = isinstance(treatment, Bridged)
        where = subject.task if isinstance(subject, OnTask) else subject.corpus
        key = (type(subject).__name__, where, subject.model, str(bridged))
        if key not in self._known:
            if isinstance(subject, OnTask):
                self._known[key] = self._on_task(where, subject.model, bridged)
            else:
                self._known[key] = self._on_text(where, subject.model)
        return self._known[key]

    def treatments(self, subject: Subject, given: Iterable[Treatment]) -> Work:
        """Estimate some treatments of a subject, one after the other."""
        works = [self.treatment(subject, one) for one in given]
        return Work(
            sum(one.seconds for one in works),
            sum(one.tokens for one in works),
            sum(one.disk for one in works),
        )

    def _on_task(self, task: str, name: str, bridged: bool) -> Work:
        """Estimate a run on a task; through a bridge a model reads its text too."""
        entry, model = self.config.task(task), self.config.model(name)
        items = rates.items_of(self.config, task, "test")
        disk = RECORD_BYTES + ITEM_BYTES * items
        asked = [(items, rates.new_tokens(entry))]
        if bridged:
            asked.append(rates.on_the_way(entry, items))
        seconds = tokens = 0.0
        for number, new in asked:
            read = number * rates.tokens_of(entry, "test")
            tokens += read + number * new
            seconds += self.time(model, read)
            if new:
                seconds += rates.decoding(model, number, new, self.gpu)
        return Work(seconds, tokens, disk)

    def _on_text(self, corpus: str, name: str) -> Work:
        entry, chunks = self.config.corpus(corpus), rows.chunks(self.config)
        number, length = chunks[corpus, name], rates.SENTENCE
        if not entry.sentences:
            length = entry.chunk_length
            number = min(number, entry.heldout_tokens // length)
        tokens = number * length
        seconds = self.time(self.config.model(name), tokens)
        return Work(seconds, tokens, RECORD_BYTES + CHUNK_BYTES * number)

    def asking(self, name: str, words: int, generates: bool = True) -> Work:
        """Estimate prompts that ask for words.

        Args:
            name: of the model.
            words: how many.
            generates: whether it answers; else it only reads.
        """
        model, tokens = self.config.model(name), words * rates.PROBE
        seconds = self.time(model, tokens)
        if generates:
            seconds += rates.decoding(model, words, rates.ANSWER, self.gpu)
        return Work(seconds, tokens, RECORD_BYTES + ITEM_BYTES * words)

    def shard(self, corpus: str, name: str, shards: int) -> Work:
        """Estimate the recording of one of a language's shards."""
        model, entry = self.config.model(name), self.config.corpus(corpus)
        recorded = self.config.recorded(corpus)
        tokens = rates.recorded_tokens(entry) / shards
        seconds = self.time(model, tokens) * rates.recording(recorded)
        return Work(seconds, tokens, rates.activation_bytes(model, recorded))

    def tuning(self, task: str, name: str, tuning: str) -> Work:
        """Estimate a fine-tuning, once the model is loaded.

        Whose neurons are tuned makes no difference.
        """
        key = (TuningName.parse(tuning).entry, task, name)
        if key not in self._known:
            entry, model = self.config.task(task), self.config.model(name)
            training = self.config.training(task, name, tuning)
            tokens = rates.items_of(self.config, task, "train") * training.epochs
            tokens *= rates.tokens_of(entry, "train")
            size = rates.adapter_bytes(model, training, self.config.tuning(tuning))
            seconds = self.time(model, tokens, rates.TRAINING)
            self._known[key] = Work(seconds, tokens, size)
        return self._known[key]

    def building(self, model: Model) -> Work:
        """Estimate the pretraining of a tiny model, once it is set up."""
        demo = model.demo
        tokens = demo.steps * demo.tokens_per_step if demo else 0
        seconds = self.time(model, tokens, rates.TRAINING)
        return Work(seconds, tokens, rates.fetched_bytes(model))
