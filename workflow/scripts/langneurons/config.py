"""The whole configuration: loading, checking, and lookups that explain a bad name.

A configuration is a ``grid`` (lists of names to run) over catalogues (what each name
means), so that ``--configfile`` replaces the lists and merges the catalogues.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, Field, ValidationError

from . import names
from .catalogue import (
    NAME,
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
    Task,
    Training,
    Tuning,
)
from .errors import ConfigError, did_you_mean, unknown_name

Entry = TypeVar("Entry")
PACKAGE = Path(__file__).parent


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
    activations: Activations = Activations()
    perplexity: Perplexity | None = None
    demo_world: DemoWorld | None = None

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
        return _lookup("tuning", name, self.tunings, "tunings")

    def statistic(self, name: str) -> Statistic:
        """Return a statistic with the profile's measure, write and quantile filled."""
        entry = _lookup("statistic", name, self.statistics, "statistics")
        default = PROFILES[self.profile]
        filled = {k: v for k, v in default.items() if getattr(entry, k) is None}
        return entry.model_copy(update=filled)

    def statistic_defaults(self) -> dict[str, str]:
        """Return the profile's measure, write and quantile."""
        return PROFILES[self.profile]

    def method_corpus(self, name: str) -> str:
        return self.method(name).corpus or self.grid.corpus

    def training(self, task: str, model: str) -> Training:
        entry = self.task(task)
        changed = entry.training_by_model.get(model, {})
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
    problems = _cross_check(config)
    if problems:
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


def plugins(folder: str) -> list[str]:
    """List the plug-in modules of ``methods`` or ``tasks`` without importing them."""
    return sorted(
        p.stem for p in (PACKAGE / folder).glob("*.py") if not p.stem.startswith("_")
    )


def _cross_check(config: Config) -> list[str]:
    """List every reference of the configuration that leads nowhere."""
    problems: list[str] = []

    def known(what: str, name: str, entries: Any, where: str) -> bool:
        if name in entries:
            return True
        problems.append(unknown_name(what, name, entries, where))
        return False

    for catalogue in ("models", "corpora", "language_sets", "methods", "statistics"):
        problems += [
            f"{catalogue}.{name}: names are lower case letters, digits, '-' and '_'"
            for name in getattr(config, catalogue)
            if not re.match(NAME, name)
        ]
    for name in (*config.tasks, *config.tunings):
        if not re.match(NAME, name):
            problems.append(
                f"{name}: names are lower case letters, digits, '-' and '_'"
            )
    grid = config.grid
    for name in grid.models:
        known("model", name, config.models, "grid.models")
    known("corpus", grid.corpus, config.corpora, "grid.corpus")
    for name in grid.tunings:
        known("tuning", name, config.tunings, "grid.tunings")
    for name in grid.statistics:
        known("statistic", name, config.statistics, "grid.statistics")
    for name in config.models:
        entry = config.models[name]
        if entry.builder and config.demo_world is None:
            problems.append(
                f"models.{name}: builder demo_world needs a demo_world block"
            )
    for name, method in config.methods.items():
        where = f"methods.{name}"
        if "-" in name:
            problems.append(f"{where}: '-' is kept for the number of a random draw")
        if known("method kind", method.kind, plugins("methods"), f"{where}.kind"):
            problems += _plugin_problems(
                "methods", method.kind, method.parameters, where
            )
        if method.corpus:
            known("corpus", method.corpus, config.corpora, f"{where}.corpus")
        if method.match:
            known("method", method.match, config.methods, f"{where}.match")
    for name, task in config.tasks.items():
        where = f"tasks.{name}"
        if known("task kind", task.kind, plugins("tasks"), f"{where}.kind"):
            problems += _plugin_problems("tasks", task.kind, task.parameters, where)
        for model, changed in task.training_by_model.items():
            spot = f"{where}.training_by_model.{model}"
            if known("model", model, config.models, spot):
                for key in set(changed) - set(Training.model_fields):
                    known("key", key, Training.model_fields, spot)
    problems += _check_selections(config, grid.selections, "grid.selections")
    if config.perplexity is not None:
        block = config.perplexity
        problems += _check_selections(config, block.selections, "perplexity.selections")
        known("statistic", block.statistic, config.statistics, "perplexity.statistic")
        if block.corpus:
            known("corpus", block.corpus, config.corpora, "perplexity.corpus")
    tables = [*config.tasks, *(["perplexity"] if config.perplexity else [])]
    for name in grid.tables:
        known("table", name, tables, "grid.tables")
    if not problems:
        problems += _check_languages(config)
        problems += _check_recorded(config)
    return problems


def _plugin_problems(folder: str, kind: str, given: dict, where: str) -> list[str]:
    module = importlib.import_module(f"{__package__}.{folder}.{kind}")
    try:
        module.Parameters.model_validate(given)
    except ValidationError as error:
        lines = []
        for e in error.errors():
            spot = ".".join([where, "parameters", *(str(p) for p in e["loc"])])
            hint = did_you_mean(
                str(e["loc"][-1] if e["loc"] else ""), module.Parameters.model_fields
            )
            allowed = ", ".join(module.Parameters.model_fields) or "(none)"
            lines.append(f"{spot}: {e['msg']}{hint} Known keys: {allowed}")
        return lines
    return []


def _check_selections(config: Config, given: tuple[str, ...], where: str) -> list[str]:
    problems = []
    for text in given:
        try:
            selection = names.Selection.parse(text)
        except ConfigError as error:
            problems.append(f"{where}: {error}")
            continue
        base = names.split_draw(selection.method)[0]
        if base not in config.methods:
            problems.append(unknown_name("method", base, config.methods, where))
        if selection.languages not in config.language_sets:
            problems.append(
                unknown_name(
                    "language set", selection.languages, config.language_sets, where
                )
            )
    return problems


def _check_languages(config: Config) -> list[str]:
    """Check that each evaluation language has neurons, and each corpus its text."""
    problems = []
    sets = {names.Selection.parse(s).languages for s in config.grid.selections}
    covered = {
        lang
        for s in sets
        for lang in (
            config.language_sets[s].evaluate or config.language_sets[s].languages
        )
    }
    for name in config.grid.tables:
        task = config.tasks.get(name)
        for lang in task.languages if task else ():
            if lang not in covered:
                where = f"tasks.{name}.languages (no language set of the grid has it)"
                problems.append(unknown_name("language", lang, covered, where))
    folder = config.corpora[config.grid.corpus].folder
    wanted = {lang for s in sets for lang in config.language_sets[s].languages}
    wanted |= set(config.perplexity.languages if config.perplexity else ())
    if folder and Path(folder).is_dir():
        have = {p.stem for p in Path(folder).glob("*.txt")}
        if missing := sorted(wanted - have):
            problems.append(
                f"corpora.{config.grid.corpus}.folder: no text for "
                f"{', '.join(missing)} in {folder} (a file {{lang}}.txt a language); "
                f"found: {', '.join(sorted(have))}"
            )
    elif folder and config.demo_world is None:
        problems.append(
            f"corpora.{config.grid.corpus}.folder: {folder} is not a folder"
        )
    return problems


def _check_recorded(config: Config) -> list[str]:
    """Check that the streaming pass keeps what each statistic of the grid reads."""
    problems = []
    recorded = config.activations.batch_quantiles
    default = config.statistic_defaults()
    for text in config.grid.selections:
        name = names.split_draw(names.Selection.parse(text).method)[0]
        threshold = config.methods[name].parameters.get("threshold_population")
        if threshold == "same_lang_batchmean" and default["measure"] not in recorded:
            problems.append(
                f"methods.{name}: same_lang_batchmean needs the mean of per-batch "
                f"percentiles at {default['measure']} (profile {config.profile}); add "
                "that site to activations.batch_quantiles"
            )
    for name in config.grid.statistics:
        entry = config.statistic(name)
        percentile = entry.value.startswith("p") or entry.value == "median"
        if (
            percentile
            and entry.quantile == "batch_mean"
            and entry.measure not in recorded
        ):
            problems.append(
                f"statistics.{name}: quantile batch_mean at {entry.measure} is not "
                "recorded; add that site to activations.batch_quantiles"
            )
    return problems


def json_schema() -> dict[str, Any]:
    """Return the JSON schema of the configuration, for editors."""
    schema = Config.model_json_schema()
    schema["title"] = "langneurons configuration"
    return schema
