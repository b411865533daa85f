"""The whole configuration: loading, checking, and lookups that explain a bad name.

A configuration is a ``grid`` (lists of names to run) over catalogues (what each name
means), so that ``--configfile`` replaces the lists and merges the catalogues.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeVar

from pydantic import Field

from . import names
from .catalogue import (
    PROFILES,
    Activations,
    Corpus,
    DemoWorld,
    Frozen,
    Grid,
    LanguageSet,
    Method,
    Model,
    Perplexity,
    Statistic,
)
from .errors import ConfigError, unknown_name
from .task_entries import NeuronTuning, Task, Training, Tuning

Entry = TypeVar("Entry")


class Config(Frozen):
    """A checked configuration. Build it with ``study.configuration.load``."""

    profile: Literal["paper", "consistent"] = Field(
        "paper", description="defaults of measure, write and quantile (methods.md 9)"
    )
    grid: Grid
    models: dict[str, Model]
    corpora: dict[str, Corpus]
    language_sets: dict[str, LanguageSet]
    methods: dict[str, Method]
    statistics: dict[str, Statistic] = Field(default_factory=dict)
    tasks: dict[str, Task] = Field(default_factory=dict)
    tunings: dict[str, Tuning] = Field(
        default_factory=lambda: {"attention": Tuning(kind="attention")}
    )
    neuron_tuning: NeuronTuning | None = None
    activations: Activations = Activations()
    perplexity: Perplexity | None = None
    demo_world: DemoWorld | None = None
    report: Literal["complete", "existing"] = Field(
        "complete", description="whether the report waits for all tables and figures"
    )

    def model(self, name: str) -> Model:
        return _lookup("model", name, self.models, "models")

    def corpus(self, name: str) -> Corpus:
        return _lookup("corpus", name, self.corpora, "corpora")

    def language_set(self, name: str) -> LanguageSet:
        return _lookup("language set", name, self.language_sets, "language_sets")

    def method(self, name: str) -> Method:
        """Return the entry of a method; a draw such as ``random-2`` has its base's."""
        return _lookup("method", names.split_draw(name)[0], self.methods, "methods")

    def task(self, name: str) -> Task:
        return _lookup("task", name, self.tasks, "tasks")

    def tuning(self, name: str) -> Tuning:
        """Return the entry behind a tuning's name, such as ``lape.set1.en+vi``."""
        entry = names.TuningName.parse(name).entry
        return _lookup("tuning", entry, self.tunings, "tunings")

    def statistic(self, name: str) -> Statistic:
        """Return a statistic with the profile's measure, write and quantile filled."""
        entry = _lookup("statistic", name, self.statistics, "statistics")
        profile = entry.profile or self.profile
        default = PROFILES[profile]
        filled = {k: v for k, v in default.items() if getattr(entry, k) is None}
        return entry.model_copy(update={**filled, "profile": profile})

    def reads(self, selection: names.Selection) -> list[names.Selection]:
        """List the selections whose neurons a selection is made from, in order."""
        given = self.method(selection.method).reads
        return [names.Selection.beside(text, selection) for text in given]

    def method_profile(self, name: str) -> str:
        """Name the profile whose site and quantile a method reads."""
        return self._of_method(name, "profile") or self.profile

    def method_recorded(self, name: str) -> dict[str, str]:
        """Return the site (``measure``) and quantile that a method reads."""
        return PROFILES[self.method_profile(name)]

    def method_corpus(self, name: str) -> str:
        return self._of_method(name, "corpus") or self.grid.corpus

    def _of_method(self, name: str, key: str) -> str | None:
        """Return what a method says, or else the first one that it reads.

        Where it reads several, all of these say the same (``study.check_methods``).
        """
        entry = self.method(name)
        own: str | None = getattr(entry, key)
        if own or not entry.reads:
            return own
        return self._of_method(entry.reads[0].partition(".")[0], key)

    def training(self, task: str, model: str, tuning: str) -> Training:
        """Return the optimiser's settings: the tuning's own keys come last."""
        entry = self.task(task)
        settings = entry.training.model_dump()
        for changed in (
            entry.training_by_model.get(model),
            self.tuning(tuning).training,
        ):
            settings |= changed.model_dump(exclude_unset=True) if changed else {}
        return Training.model_validate(settings)


def _lookup(what: str, name: str, entries: Mapping[str, Entry], where: str) -> Entry:
    if name not in entries:
        raise ConfigError(unknown_name(what, name, entries, where))
    return entries[name]


def json_schema() -> dict[str, Any]:
    """Return the JSON schema of the configuration, for editors."""
    schema = Config.model_json_schema()
    schema["title"] = "langneurons configuration"
    _lists_are_sets(schema)
    defined = schema["$defs"]
    languages = defined["LanguageSet"]["properties"]["languages"]
    short = {k: v for k, v in languages.items() if k != "title"}
    defined["LanguageSet"] = {"anyOf": [defined["LanguageSet"], short]}
    return schema


def _lists_are_sets(part: Any) -> None:
    """Say of every list of any length that each entry stands once."""
    if isinstance(part, dict) and part.get("type") == "array" and "items" in part:
        part["uniqueItems"] = True
    for inner in part.values() if isinstance(part, dict) else part:
        if isinstance(inner, (dict, list)):
            _lists_are_sets(inner)
