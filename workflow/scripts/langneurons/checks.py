"""Checks across the configuration: every reference leads somewhere.

They run before the first job, so that a mistyped name costs nothing.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from . import names
from .catalogue import NAME
from .errors import ConfigError, did_you_mean, unknown_name
from .grid import all_statistics
from .outputs import table_names
from .partner_clashes import clashes, twin_controls
from .rows import all_selections
from .task_catalogue import NeuronTuning, Training

if TYPE_CHECKING:
    from .config import Config

PACKAGE = Path(__file__).parent


def plugins(folder: str) -> list[str]:
    """List the plug-in modules of ``methods`` or ``tasks`` without importing them."""
    return sorted(
        p.stem for p in (PACKAGE / folder).glob("*.py") if not p.stem.startswith("_")
    )


def cross_check(config: Config) -> list[str]:
    """List every reference of the configuration that leads nowhere."""
    problems: list[str] = []

    def known(what: str, name: str, entries: Any, where: str) -> bool:
        if name in entries:
            return True
        problems.append(unknown_name(what, name, entries, where))
        return False

    def known_statistics(given: tuple[str, ...] | None, where: str) -> None:
        for name in given or ():
            known("statistic", name, config.statistics, where)

    def known_training(changed: Mapping[str, Any], where: str) -> None:
        for key in set(changed) - set(Training.model_fields):
            known("key", key, Training.model_fields, where)

    catalogues = ("models", "corpora", "language_sets", "methods", "statistics")
    for catalogue in (*catalogues, "tasks", "tunings"):
        problems += [
            f"{catalogue}.{name}: names are lower case letters, digits, '-' and '_'"
            for name in getattr(config, catalogue)
            if not re.fullmatch(NAME, name)  # $ alone lets a line end pass
        ]
    grid = config.grid
    for name in grid.models:
        known("model", name, config.models, "grid.models")
    for name in grid.tasks:
        known("task", name, config.tasks, "grid.tasks")
    known("corpus", grid.corpus, config.corpora, "grid.corpus")
    problems += _check_tunings(config, grid.tunings, "grid.tunings")
    known_statistics(grid.statistics, "grid.statistics")
    known_statistics(grid.control_statistics, "grid.control_statistics")
    for name in grid.models:
        bloom = name in config.models and config.models[name].family == "bloom"
        if bloom and config.activations.attention == "document":
            problems.append(
                f"activations.attention: 'document' cannot be had with {name}: family "
                "bloom takes no position ids; use chunk, or take it out of grid.models"
            )
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
    for name, tuning in config.tunings.items():
        known_training(tuning.training, f"tunings.{name}.training")
    for name, task in config.tasks.items():
        where = f"tasks.{name}"
        if known("task kind", task.kind, plugins("tasks"), f"{where}.kind"):
            problems += _plugin_problems("tasks", task.kind, task.parameters, where)
        known_statistics(task.statistics, f"{where}.statistics")
        known_statistics(task.control_statistics, f"{where}.control_statistics")
        for model, changed in task.training_by_model.items():
            spot = f"{where}.training_by_model.{model}"
            if known("model", model, config.models, spot):
                known_training(changed, spot)
    problems += _check_selections(config, grid.selections, "grid.selections")
    problems += _check_selections(config, grid.identify, "grid.identify")
    if config.perplexity is not None:
        block = config.perplexity
        problems += _check_selections(config, block.selections, "perplexity.selections")
        known_statistics(block.statistics, "perplexity.statistics")
        known_statistics(block.control_statistics, "perplexity.control_statistics")
        if block.corpus:
            known("corpus", block.corpus, config.corpora, "perplexity.corpus")
    if config.neuron_tuning is not None:
        problems += _check_neuron_tuning(config, config.neuron_tuning)
    if not problems:
        for name in grid.tables or ():
            known("table", name, table_names(config), "grid.tables")
    if not problems:
        problems += _check_languages(config)
        problems += _check_recorded(config)
    if not problems:
        problems += twin_controls(config) or clashes(config)
    return problems


def _check_tunings(config: Config, given: tuple[str, ...], where: str) -> list[str]:
    """Check tunings by name: the entry, and neurons exactly where it needs them."""
    problems = []
    for text in given:
        try:
            name = names.TuningName.parse(text)
        except ConfigError as error:
            problems.append(f"{where}: {error}")
            continue
        if name.entry not in config.tunings:
            problems.append(
                unknown_name("tuning", name.entry, config.tunings, f"{where}")
            )
            continue
        entry = config.tunings[name.entry]
        if entry.needs_neurons != (name.selection is not None):
            needs = "needs neurons, as in" if entry.needs_neurons else "takes no"
            shown = f"{name.entry}.lape.set1.en" if entry.needs_neurons else "neurons"
            problems.append(f"{where}: {text}: kind {entry.kind} {needs} {shown}")
        if name.selection is not None:
            chosen = (str(name.selection),)
            found = _check_selections(config, chosen, where)
            problems += found
            inside = () if found else config.language_sets[name.selection.languages]
            if inside and (extra := set(name.languages) - set(inside.languages)):
                problems.append(
                    unknown_name("language", min(extra), inside.languages, where)
                )
    return problems


def _check_neuron_tuning(config: Config, block: NeuronTuning) -> list[str]:
    where = "neuron_tuning"
    problems = _check_selections(config, block.selections, f"{where}.selections")
    problems += _check_selections(config, block.controls, f"{where}.controls")
    problems += _check_tunings(config, block.baselines, f"{where}.baselines")
    for key, given, entries in (
        ("task", block.tasks, config.grid.tasks),
        ("tuning", block.entries, config.tunings),
        ("statistic", block.statistics, config.statistics),
    ):
        problems += [
            unknown_name(key, name, entries, where)
            for name in given
            if name not in entries
        ]
    for name in block.entries:
        if name in config.tunings and not config.tunings[name].needs_neurons:
            problems.append(
                f"{where}.entries: {name} tunes no selected neurons; kinds that do: "
                "masked_lora, subnetwork_rows. Others belong to baselines"
            )
    for text in block.controls:
        base = text.partition(".")[0]
        if base in config.methods and config.methods[base].draws is None:
            problems.append(
                f"{where}.controls: {base} is no random method (kind matched_random)"
            )
    return problems


def _module(folder: str, kind: str) -> Any:
    return importlib.import_module(f"{__package__}.{folder}.{kind}")


def _plugin_problems(folder: str, kind: str, given: dict, where: str) -> list[str]:
    module = _module(folder, kind)
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
    for name in config.grid.tasks:
        for lang in config.tasks[name].languages:
            if lang not in covered:
                where = f"tasks.{name}.languages (no language set of the grid has it)"
                problems.append(unknown_name("language", lang, covered, where))
    block = config.neuron_tuning
    for name in block.tasks if block else ():
        for lang in (block.evaluate if block else ()) or ():
            if lang not in config.tasks[name].languages:
                allowed = config.tasks[name].languages
                where = f"neuron_tuning.evaluate ({name})"
                problems.append(unknown_name("language", lang, allowed, where))
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
    """Check that the streaming pass keeps what each method and statistic reads."""
    problems = []
    recorded = config.activations
    for selection in all_selections(config):
        method = config.method(selection.method)
        parameters = _module("methods", method.kind).Parameters.model_validate(
            method.parameters
        )
        if hasattr(parameters, "unmet"):
            languages = config.language_set(selection.languages).languages
            site = config.method_reads(selection.method)["measure"]
            found = parameters.unmet(recorded, languages, site)
            problems += [f"methods.{selection.method}: {text}" for text in found]
    for name in all_statistics(config):
        entry = config.statistic(name)
        percentile = entry.value.startswith("p") or entry.value == "median"
        if (
            percentile
            and entry.quantile == "batch_mean"
            and entry.measure not in recorded.batch_quantiles
        ):
            problems.append(
                f"statistics.{name}: quantile batch_mean at {entry.measure} is not "
                "recorded; add that site to activations.batch_quantiles"
            )
    return problems
