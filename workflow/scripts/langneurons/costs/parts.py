"""Which treatments share a job: parts of those of one tuned model and language.

Each job loads the model once. ``bundle_size`` and ``job_hours`` say how many treatments
it works through; nothing else of the results depends on them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from langneurons.config.errors import ConfigError
from langneurons.config.names import Treatment, TuningName
from langneurons.config.schema import Config
from langneurons.grid import result_paths
from langneurons.grid.subjects import (
    OnTask,
    OnText,
    Subject,
    Treatments,
    adapter,
    folder,
    on_tasks,
    on_texts,
    read_files,
    source_language,
)

from . import rates
from .estimates import Estimates


@dataclass(frozen=True)
class Part:
    """Treatments that one job works through with one loaded model.

    Attributes:
        subject: what is treated.
        folder: where its results lie.
        number: position among the parts of this subject, from 1.
        parts: how many it has.
        treatments: names, in a fixed order.
    """

    subject: Subject
    folder: str
    number: int
    parts: int
    treatments: Treatments

    @property
    def index(self) -> str:
        """The file that lists its finished treatments."""
        return result_paths.index(self.folder, self.number, self.parts)

    @property
    def outputs(self) -> list[str]:
        """The files of its treatments, which Snakemake does not know."""
        return [f"{self.folder}/{name}.parquet" for name in self.treatments]


class Parts:
    """The evaluation jobs of a configuration."""

    def __init__(self, config: Config, gpu: str | None = None) -> None:
        self.config = config
        self.estimates = Estimates(config, gpu) if gpu else Estimates(config)
        # Of the sizes of parts alone: they must not depend on the GPU of a cost plan.
        self._usual = Estimates(config)
        self._known: dict[Subject, list[Part]] = {}
        self._indexes: dict[Subject, dict[Treatment, str]] = {}
        self._read: dict[tuple[str, str, str, Treatments], dict[str, list[str]]] = {}
        self._read_by: dict[tuple[Subject, int], dict[str, list[str]]] = {}

    @cached_property
    def _tasks(self) -> Mapping[OnTask, Treatments]:
        return on_tasks(self.config)

    @cached_property
    def _texts(self) -> Mapping[OnText, Treatments]:
        return on_texts(self.config)

    @cached_property
    def evaluations(self) -> list[Part]:
        """The jobs that evaluate tasks."""
        return [part for subject in self._tasks for part in self.of(subject)]

    @cached_property
    def perplexities(self) -> list[Part]:
        """The jobs that measure perplexity."""
        return [part for subject in self._texts for part in self.of(subject)]

    def treatments(self, subject: Subject) -> Treatments:
        """List the treatments of a subject, ``none`` first.

        Raises:
            ConfigError: no table asks for one.
        """
        given: Treatments | None
        if isinstance(subject, OnTask):
            given = self._tasks.get(subject)
        else:
            given = self._texts.get(subject)
        if given is None:
            if isinstance(subject, OnTask):
                adapter(
                    self.config, subject
                )  # which says what is wrong with a seed of `base`
            raise ConfigError(
                f"{folder(self.config, subject)}: no table of this configuration asks "
                "for it; name its model, tuning, seed and language in an experiment of "
                "`run`"
            )
        return given

    def size(self, subject: Subject) -> int:
        """Return how many treatments of a subject share a job."""
        config, given = self.config, self.treatments(subject)
        everything = len(given)
        if config.bundle_size is not None:
            return config.bundle_size
        if config.job_hours is None:
            return everything
        each = max(self._usual.treatment(subject, one).seconds for one in given)
        left = 3600 * config.job_hours
        left -= rates.loading(config.model(subject.model))
        return max(1, min(everything, int(left / each) if each else everything))

    def of(self, subject: Subject) -> list[Part]:
        """List the parts of the treatments of a subject."""
        if subject not in self._known:
            names, size = self.treatments(subject), self.size(subject)
            where = folder(self.config, subject)
            pieces = [names[i : i + size] for i in range(0, len(names), size)]
            self._known[subject] = [
                Part(subject, where, number, len(pieces), piece)
                for number, piece in enumerate(pieces, start=1)
            ]
        return self._known[subject]

    def of_job(self, wildcards: Any) -> Part:
        """Return the part of a job, by Snakemake's wildcards.

        Raises:
            ConfigError: this configuration has no such part.
        """
        subject, parts = subject_of(wildcards), int(wildcards.parts)
        found, number = self.of(subject), int(wildcards.part)
        if parts != len(found) or not 1 <= number <= parts:
            where = folder(self.config, subject)
            asked = result_paths.index(where, number, parts)
            raise ConfigError(
                f"{asked}: the {len(self.treatments(subject))} treatments there are in "
                f"{len(found)} parts (bundle_size, job_hours); the first is "
                f"{found[0].index}"
            )
        return found[number - 1]

    def reads(self, wildcards: Any, role: str) -> list[str]:
        """List the files of a role that the treatments of a job read."""
        part = self.of_job(wildcards)
        known = (part.subject, part.number)  # one job asks for each of its roles
        if known not in self._read_by:
            self._read_by[known] = self._files_of(part)
        return self._read_by[known][role]

    def _files_of(self, part: Part) -> dict[str, list[str]]:
        subject, treatments = part.subject, part.treatments
        source = source_language(self.config, subject)
        # Tunings and seeds share it: most of the jobs of a large grid.
        key = (subject.model, subject.lang, source, treatments)
        if key not in self._read:
            self._read[key] = read_files(self.config, subject, treatments)
        return self._read[key]

    def _indexes_of(self, subject: Subject) -> dict[Treatment, str]:
        found = self._indexes.get(subject)
        if found is None:
            found = {}
            for part in self.of(subject):
                found |= dict.fromkeys(part.treatments, part.index)
            self._indexes[subject] = found
        return found

    def indexes(self, wanted: Iterable[tuple[Subject, Treatment]]) -> list[str]:
        """Name the indexes that list some treatments, each once, in their order."""
        found: dict[str, None] = {}
        last: Subject | None = None
        listed: dict[Treatment, str] = {}
        for subject, treatment in wanted:
            if subject != last:  # tables ask for all of a subject in one go
                last, listed = subject, self._indexes_of(subject)
            found[listed[treatment]] = None
        return list(found)


def subject_of(wildcards: Any) -> Subject:
    """Return what a job or a file is about, by the wildcards of its path."""
    model, lang = str(wildcards.model), str(wildcards.lang)
    if hasattr(wildcards, "task"):
        seed = int(wildcards.seed)
        return OnTask(
            wildcards.task, model, TuningName.parse(wildcards.tuning), seed, lang
        )
    return OnText(wildcards.corpus, model, lang)
