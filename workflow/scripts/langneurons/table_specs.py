"""What tables, figures and the report read: slices of the configuration, and files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from . import grid, outputs, tasks
from .config import Config
from .files import canonical
from .fingerprint import code_hash
from .names import NO_TREATMENT, Selection, Treatment, TuningName, split_draw
from .published import RANDOM, lookup, means_over_neurons
from .rows import Row, task_rows

PROFILES = ("paper", "consistent")


class TableSpecs:
    """Builds the ``spec`` of every rule of reporting from one configuration."""

    def __init__(self, config: Config) -> None:
        self.config = config

    def task_table(self, wildcards: Any) -> str:
        layout, task = outputs.split_table(wildcards.table)
        entry = self.config.task(task)
        rows = outputs.table_rows(self.config, wildcards.table)
        return canonical(
            {
                "task": task,
                "kind": entry.kind,
                "source_language": entry.source_language,
                "layout": layout,
                "rows": [self._row(task, row) for row in rows],
            }
        )

    def task_table_code(self, wildcards: Any) -> str:
        """Hash the code of task tables with the module of the table's task."""
        task = outputs.split_table(wildcards.table)[1]
        return code_hash("build_task_table", (f"tasks.{self.config.task(task).kind}",))

    def _row(self, task: str, row: Row) -> dict[str, Any]:
        columns = self._columns(row.treatment)
        tuned = TuningName.parse(row.tuning).selection
        if row.treatment == NO_TREATMENT and tuned is not None:
            # Whose counts a tuning of random neurons has.
            base, number = split_draw(tuned.method)
            columns |= {"draw": number, "matched": self.config.method(base).match}
        published = {"published": self._cells(task, row)}
        axes = {k: getattr(row, k) for k in ("model", "tuning", "seed", "lang")}
        return axes | columns | published

    def _columns(self, treatment: str) -> dict[str, Any]:
        """Name what a treatment does: method, set, draw, matched and statistic."""
        if treatment == NO_TREATMENT:
            empty = dict.fromkeys(("method", "langset", "draw", "matched"))
            return empty | {"statistic": NO_TREATMENT}
        parsed = Treatment.parse(treatment)
        base, number = split_draw(parsed.selection.method)
        entry = self.config.method(base)
        return {
            "method": "random" if entry.match else base,
            "langset": parsed.selection.languages,
            "draw": number,
            "matched": entry.match,
            "statistic": parsed.statistic,
        }

    def _cells(self, task: str, row: Row) -> dict[str, float]:
        """Return the published value of each metric, where there is one."""
        kind = tasks.load(self.config.task(task).kind)
        found = {}
        for metric in kind.METRICS:
            value = lookup(
                self.config.model(row.model).published_as,
                self._published_method(row.treatment),
                kind.PUBLISHED,
                row.lang,
                row.tuning,
                self._published_statistic(row.treatment),
                metric,
                tuning_method=self._published_tuning(row.tuning),
                language_set=self._columns(row.treatment)["langset"],
            )
            if value is not None:
                found[metric] = value
        return found

    def _published_method(self, treatment: str) -> str | None:
        if treatment == NO_TREATMENT:
            return None
        selection = Treatment.parse(treatment).selection
        return self.config.method(selection.method).published_as

    def _published_statistic(self, treatment: str) -> str:
        """Name a statistic as the paper does; its numbers are of its own procedure."""
        if treatment == NO_TREATMENT:
            return treatment
        name = Treatment.parse(treatment).statistic
        entry = self.config.statistic(name)
        plain = entry.op == "set" and entry.profile == "paper"
        return entry.value if plain else f"not published: {name}"

    def _published_tuning(self, tuning: str) -> str | None:
        selection = TuningName.parse(tuning).selection
        if selection is None:
            return None
        entry = self.config.method(selection.method)
        return RANDOM if entry.draws else entry.published_as

    def perplexity_table(self, wildcards: Any) -> str:
        rows = []
        for bundle in grid.perplexity_bundles(self.config):
            axes = dict(bundle.axes)
            for name in bundle.treatments:
                whose = Treatment.parse(name).language if name != NO_TREATMENT else None
                columns = self._columns(name)
                rows.append(
                    {"model": axes["model"], "lang": axes["lang"]}
                    | columns
                    | {"neuron_language": whose}
                )
        return canonical({"rows": rows})

    def evaluations_of_table(self, wildcards: Any) -> list[str]:
        """List the evaluation files of a task's table, in the order of its rows."""
        rows = outputs.table_rows(self.config, wildcards.table)
        task = outputs.split_table(wildcards.table)[1]
        return [row.path(task) for row in rows]

    def perplexities(self, wildcards: Any) -> list[str]:
        """List the perplexity files of the table, in the order of its rows."""
        return [p for b in grid.perplexity_bundles(self.config) for p in b.outputs]

    def measured_activations(self, wildcards: Any) -> list[str]:
        """List the activations of every language, in the order of the table's rows."""
        return [grid.activations(c, m, lang) for m, c, lang in measured(self.config)]

    def paired_evaluations(self, wildcards: Any) -> list[str]:
        """List for each pair of profiles: none, paper and consistent."""
        return [path for _, paths in profile_pairs(self.config) for path in paths]

    def reproduced_tables(self, wildcards: Any) -> list[str]:
        """List the tables whose cells are set against published ones."""
        names = [*outputs.task_tables(self.config), "activation_statistics"]
        wanted = outputs.wanted_tables(self.config)
        return [outputs.table(name) for name in names if name in wanted]

    def reproduced_neurons(self, wildcards: Any) -> list[str]:
        """List the neuron files that are set against published sets."""
        return [grid.neurons(m, s) for m, s in published_selections(self.config)]

    def activation_table(self, wildcards: Any) -> str:
        rows = []
        for model, corpus, lang in measured(self.config):
            key = self.config.model(model).published_as
            published = means_over_neurons(key, lang) if key else {}
            rows.append(
                {"model": model, "corpus": corpus, "lang": lang, "published": published}
            )
        return canonical(
            {
                "rows": rows,
                "published_site": "gate_pre",
                "published_quantile": "batch_mean",
            }
        )

    def profiles(self, wildcards: Any) -> str:
        return canonical({"pairs": [pair for pair, _ in profile_pairs(self.config)]})

    def reproduction(self, wildcards: Any) -> str:
        config = self.config
        neurons = [
            {"model": model, "method": s.method, "langset": s.languages}
            for model, s in published_selections(config)
        ]
        return canonical(
            {
                "models": {
                    m: config.model(m).published_as
                    for m in config.grid.models
                    if config.model(m).published_as
                },
                "methods": {
                    m: entry.published_as
                    for m, entry in config.methods.items()
                    if entry.published_as
                },
                "statistics": {
                    name: entry.value
                    for name in config.statistics
                    if (entry := config.statistic(name)).op == "set"
                    and entry.profile == "paper"
                },
                "tasks": {
                    task: tasks.load(config.task(task).kind).PUBLISHED
                    for task in config.grid.tasks
                },
                "neurons": neurons,
            }
        )

    def profiles_code(self, wildcards: Any) -> str:
        """Hash the code of the table with the modules of the grid's tasks."""
        kinds = {self.config.task(task).kind for task in self.config.grid.tasks}
        modules = tuple(f"tasks.{kind}" for kind in sorted(kinds))
        return code_hash("compare_profiles", modules)

    def report(self, left_out: Mapping[str, str]) -> str:
        """Say what the page shows of the configuration, and which files it leaves out.

        Args:
            left_out: tables and figures that are there but not of this configuration,
                each with the reason.
        """
        text = self.config.model_dump(mode="json", exclude={"report"})
        return canonical(
            {"config": text, "benchmarks": "benchmarks", "left_out": dict(left_out)}
        )

    def plan(self, wildcards: Any) -> str:
        config = self.config.model_dump(mode="json", exclude_unset=True)
        return canonical({"config": config, "benchmarks": "benchmarks", "gpu": "a100"})

    def costs(self, wildcards: Any) -> str:
        models = {
            name: entry.model_dump(mode="json", exclude_unset=True)
            for name, entry in self.config.models.items()
        }
        return canonical({"models": models, "benchmarks": "benchmarks"})

    def pair(self, row: Row) -> dict[str, Any]:
        """Name what two evaluations of other profiles have in common."""
        columns = self._columns(row.treatment)
        statistic = self.config.statistic(columns["statistic"])
        value = statistic.value
        if statistic.op != "set":
            value = f"{statistic.op} {value}"
        names = {k: columns[k] for k in ("method", "langset", "draw")}
        axes = {k: getattr(row, k) for k in ("model", "tuning", "seed", "lang")}
        return {"value_name": value} | axes | names

    def figure(self, **names: Any) -> str:
        """Name what a figure shows."""
        return canonical(names)

    def draw_neurons(self, wildcards: Any) -> str:
        chosen = [f"{wildcards.method}.{wildcards.langset}"]
        return self.figure(model=wildcards.model, selections=chosen)

    def draw_shared(self, wildcards: Any) -> str:
        chosen = [f"{wildcards.method}.{wildcards.langset}", wildcards.other]
        return self.figure(model=wildcards.model, selections=chosen)

    def draw_perplexity(self, wildcards: Any) -> str:
        return self.figure(
            model=wildcards.model,
            selection=f"{wildcards.method}.{wildcards.langset}",
            statistic=wildcards.statistic,
        )

    def draw_effects(self, wildcards: Any) -> str:
        return self.figure(table=wildcards.table, metric=wildcards.metric)

    def draw_profiles(self, wildcards: Any) -> str:
        return self.figure(task=wildcards.task, metric=wildcards.metric)

    def draw_published(self, wildcards: Any) -> str:
        model, method, langset = wildcards.published.split(".")
        return self.figure(model=model, method=method, langset=langset)


def measured(config: Config) -> list[tuple[str, str, str]]:
    """List model, corpus and language of every activation file that neurons need."""
    found: dict[tuple[str, str, str], None] = {}
    for model in config.grid.models:
        for selection in outputs.drawn_selections(config):
            corpus = config.method_corpus(selection.method)
            for lang in config.language_set(selection.languages).languages:
                found[model, corpus, lang] = None
    return list(found)


def published_selections(config: Config) -> list[tuple[str, Selection]]:
    """List models and selections whose neurons are compared with published ones."""
    return [
        (model, selection)
        for model in config.grid.models
        if config.model(model).published_as
        for selection in outputs.drawn_selections(config)
        if config.method(selection.method).published_as
    ]


def profile_pairs(config: Config) -> list[tuple[dict[str, Any], list[str]]]:
    """Pair the evaluations of the paper's profile with those of the consistent one.

    Returns:
        For each pair its names, and its files: none, paper, consistent.
    """
    specs = TableSpecs(config)
    found: list[tuple[dict[str, Any], list[str]]] = []
    for task in config.grid.tasks:
        kind = config.task(task).kind
        cells: dict[str, dict[str, Row]] = {}
        for row in task_rows(config, task):
            if row.treatment == NO_TREATMENT:
                continue
            parsed = Treatment.parse(row.treatment)
            entry = config.statistic(parsed.statistic)
            same = entry.model_dump(
                exclude={"measure", "write", "quantile", "profile"}, mode="json"
            )
            axes = [row.model, row.tuning, row.seed, row.lang, str(parsed.selection)]
            key = json.dumps([axes, same], sort_keys=True)
            cells.setdefault(key, {}).setdefault(str(entry.profile), row)
        for by_profile in cells.values():
            if set(PROFILES) <= set(by_profile):
                none = replace(by_profile["paper"], treatment=NO_TREATMENT)
                pair = specs.pair(by_profile["paper"]) | {"task": task, "kind": kind}
                used = [none, *(by_profile[name] for name in PROFILES)]
                found.append((pair, [row.path(task) for row in used]))
    return found
