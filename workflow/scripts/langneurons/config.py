"""The whole configuration: loading, checking, and lookups that explain a bad name.

A configuration is a ``grid`` (lists of names to run) over catalogues (what each name
means), so that ``--configfile`` replaces the lists and merges the catalogues.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, Field, ValidationError

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
from .errors import ConfigError, did_you_mean, unknown_name
from .task_catalogue import NeuronTuning, Task, Training, Tuning

Entry = TypeVar("Entry")


class Config(Frozen):
    """A checked configuration. Build it with :func:`load`."""

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

    def method_reads(self, name: str) -> dict[str, str]:
        """Return the site (``measure``) and quantile that a method reads."""
        return PROFILES[self.method(name).profile or self.profile]

    def method_corpus(self, name: str) -> str:
        return self.method(name).corpus or self.grid.corpus

    def training(self, task: str, model: str, tuning: str) -> Training:
        """Return the optimiser's settings: the tuning's own keys come last."""
        entry = self.task(task)
        changed = entry.training_by_model.get(model, {})
        changed = changed | self.tuning(tuning).training
        return Training.model_validate(entry.training.model_dump() | changed)


def _lookup(what: str, name: str, entries: Mapping[str, Entry], where: str) -> Entry:
    if name not in entries:
        raise ConfigError(unknown_name(what, name, entries, where))
    return entries[name]


def load(raw: Mapping[str, Any]) -> Config:
    """Check a configuration that was read from YAML.

    Args:
        raw: the merged mapping, as Snakemake hands it over.

    Raises:
        ConfigError: one message that lists every problem: where it is, what was given,
            what is allowed and, for a mistyped key or name, the closest known one.
    """
    try:
        config = Config.model_validate(dict(raw))
    except ValidationError as error:
        problems = [_explain(e) for e in error.errors()]
        raise ConfigError(_bullets(problems)) from None
    # Checks need the finished class.
    from .checks import cross_check

    if problems := cross_check(config):
        raise ConfigError(_bullets(problems))
    return config


def _bullets(problems: list[str]) -> str:
    unique = list(dict.fromkeys(problems))
    return "The configuration is not valid:\n" + "\n".join(f"  - {p}" for p in unique)


def _explain(error: Any) -> str:
    """Turn one pydantic error into a line with the path and a suggestion."""
    where = ".".join(str(part) for part in error["loc"]) or "(top level)"
    given = error.get("input")
    if error["type"] == "extra_forbidden":
        block = _block_at(error["loc"][:-1])
        key = str(error["loc"][-1])
        allowed = sorted(block.model_fields) if block else []
        hint = did_you_mean(key, allowed)
        return f"{where}: unknown key{hint} Known: {', '.join(allowed)}"
    if error["type"] == "missing":
        return f"{where}: this key is required"
    if error["type"] == "literal_error":
        expected = error["ctx"]["expected"]
        hint = did_you_mean(str(given), re.findall(r"'([^']*)'", expected))
        return f"{where}: {given!r} is not one of {expected}{hint}"
    if error["type"] == "string_pattern_mismatch" and "[a-z][a-zA-Z_]*" in str(
        error["ctx"]["pattern"]
    ):
        return (
            f"{where}: {given!r} is not a language code: a lower case letter, then "
            "letters or '_' (it becomes a file name)"
        )
    message = error["msg"].removeprefix("Value error, ")
    shown = "" if isinstance(given, (dict, list)) else f" (given: {given!r})"
    return f"{where}: {message}{shown}"


def _block_at(location: tuple[Any, ...]) -> type[BaseModel] | None:
    """Find the model that describes the block at a path of a pydantic error."""
    current: Any = Config
    for part in location:
        if isinstance(current, type) and issubclass(current, BaseModel):
            field = current.model_fields.get(str(part))
            current = field.annotation if field else None
        else:  # a key of a catalogue: its value type is the last argument
            current = getattr(current, "__args__", (None,))[-1]
        if (
            hasattr(current, "__args__")
            and getattr(current, "__origin__", None) is None
        ):
            blocks = [
                a
                for a in current.__args__
                if isinstance(a, type) and issubclass(a, BaseModel)
            ]
            current = blocks[0] if blocks else None
    is_block = isinstance(current, type) and issubclass(current, BaseModel)
    return current if is_block else None


def json_schema() -> dict[str, Any]:
    """Return the JSON schema of the configuration, for editors."""
    schema = Config.model_json_schema()
    schema["title"] = "langneurons configuration"
    return schema
