"""What tables, figures and the report read: slices of the configuration, and files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from langneurons.config.catalogue import PROFILES as CATALOGUE
from langneurons.config.catalogue import Statistic
from langneurons.config.names import (
    NO_TREATMENT,
    Selection,
    Treatment,
    TuningName,
    split_draw,
)
from langneurons.config.schema import Config
from langneurons.costs.parts import Parts
from langneurons.grid import result_paths
from langneurons.grid.axes import Row
from langneurons.grid.rows import measured, table_rows, task_rows
from langneurons.grid.rows import tasks as tasks_of
from langneurons.grid.subjects import OnTask, on_texts
from langneurons.jobs.files import canonical
from langneurons.jobs.fingerprint import code_hash
from langneurons.published.numbers import means_over_neurons
from langneurons.published.partners import Partners
from langneurons.tables import metrics

from . import targets
from .partner_clashes import identity

PROFILES = ("paper", "consistent")
PROFILED = {"measure", "write", "quantile", "profile"}
"""Keys of a statistic that its profile fills in."""


class TableSpecs:
    """Builds the ``spec`` of every rule of reporting from one configuration."""

    def __init__(self, config: Config, parts: Parts | None = None) -> None:
        self.config = config
        self.parts = parts or Parts(config)
        self.partners = Partners(config)

    def task_table(self, wildcards: Any) -> str:
        layout, task = targets.split_table(wildcards.table)
        entry = self.config.task(task)
        rows = table_rows(self.config, wildcards.table)
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
        task = targets.split_table(wildcards.table)[1]
        return code_hash("build_task_table", (f"tasks.{self.config.task(task).kind}",))

    def _row(self, task: str, row: Row) -> dict[str, Any]:
        columns = self._columns(row.treatment)
        tuned = TuningName.parse(row.tuning).selection
        if row.treatment == NO_TREATMENT and tuned is not None:
            # Whose counts a tuning of random neurons has.
            base, number = split_draw(tuned.method)
            columns |= {"draw": number, "matched": self.config.method(base).control_of}
        published = {"published": self.partners.values(task, row)}
        axes = {k: getattr(row, k) for k in ("model", "tuning", "seed", "lang")}
        return axes | {"treatment": row.treatment} | columns | published

    def _columns(self, treatment: str) -> dict[str, Any]:
        """Name what a treatment does: method, set, draw, matched and statistic."""
        if treatment == NO_TREATMENT:
            empty = dict.fromkeys(("method", "langset", "draw", "matched"))
            return empty | {"statistic": NO_TREATMENT}
        parsed = Treatment.parse(treatment)
        base, number = split_draw(parsed.selection.method)
        entry = self.config.method(base)
        return {
            "method": "random" if entry.control_of else base,
            "langset": parsed.selection.languages,
            "draw": number,
            "matched": entry.control_of,
            "statistic": parsed.statistic,
        }

    def perplexity_table(self, wildcards: Any) -> str:
        rows = []
        for subject, treatments in on_texts(self.config).items():
            for name in treatments:
                whose = Treatment.parse(name).language if name != NO_TREATMENT else None
                axes = {"model": subject.model, "lang": subject.lang, "treatment": name}
                rows.append(axes | self._columns(name) | {"neuron_language": whose})
        return canonical({"rows": rows})

    def asked(self, table: str) -> list[tuple[OnTask, str]]:
        """List the evaluations of a task's table, in the order of its rows."""
        task = targets.split_table(table)[1]
        return [_asked(task, row) for row in table_rows(self.config, table)]

    @property
    def paired(self) -> list[tuple[OnTask, str]]:
        """The evaluations of each pair of profiles: none, paper and consistent."""
        return [each for _, three in profile_pairs(self.config) for each in three]

    def evaluations_of_table(self, wildcards: Any) -> list[str]:
        """List the indexes of the evaluations of a task's table."""
        return self.parts.indexes(self.asked(wildcards.table))

    def perplexities(self, wildcards: Any) -> list[str]:
        """List the indexes of the measured perplexities."""
        return [part.index for part in self.parts.perplexities]

    def measured_activations(self, wildcards: Any) -> list[str]:
        """List the activations of every language, in the order of the table's rows."""
        found = measured(self.config)
        return [result_paths.activations(c, m, lang) for m, c, lang in found]

    def paired_evaluations(self, wildcards: Any) -> list[str]:
        """List the indexes of the evaluations of each pair of profiles."""
        return self.parts.indexes(self.paired)

    def reproduced_tables(self, wildcards: Any) -> list[str]:
        """List the tables whose cells are set against published ones."""
        names = [*targets.task_tables(self.config), "activation_statistics"]
        wanted = targets.wanted_tables(self.config)
        return [targets.table(name) for name in names if name in wanted]

    def reproduced_neurons(self, wildcards: Any) -> list[str]:
        """List the neuron files that are set against published sets."""
        return [result_paths.neurons(m, Selection.parse(s)) for m, s in self._compared]

    @property
    def _compared(self) -> list[tuple[str, str]]:
        """Models and selections whose neurons are set against published ones."""
        found = [x for x in self.partners.neurons if x.why is None]
        return list(dict.fromkeys((x.model, str(x.selection)) for x in found))

    def activation_table(self, wildcards: Any) -> str:
        partners = {
            (x.model, x.corpus): x.key
            for x in self.partners.activations
            if x.why is None
        }
        rows = []
        for model, corpus, lang in measured(self.config):
            key = partners.get((model, corpus))
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
        """List what stands beside a published number, and why the rest does not."""
        partners = self.partners
        evaluations: dict[Any, dict[str, Any]] = {}
        for one in partners.evaluations:
            row, columns = one.row, self._columns(one.row.treatment)
            names = {k: getattr(row, k) for k in ("model", "tuning", "lang")}
            names |= {k: columns[k] for k in ("method", "langset", "statistic")}
            entry = {"task": one.task} | names | {"key": one.key, "why": one.why}
            # Seeds share an entry, and so does what is the same evaluation twice.
            evaluations.setdefault((one.key, identity(self.config, one)), entry)
        return canonical(
            {
                "evaluations": list(evaluations.values()),
                "activations": [x._asdict() for x in partners.activations],
                "neurons": [
                    x._asdict() | {"selection": str(x.selection)}
                    for x in partners.neurons
                ],
                "files": [
                    f"{model} {selection}" for model, selection in self._compared
                ],
            }
        )

    def profiles_code(self, wildcards: Any) -> str:
        """Hash the code of the table with the modules of the grid's tasks."""
        kinds = {self.config.task(task).kind for task in tasks_of(self.config)}
        modules = tuple(f"tasks.{kind}" for kind in sorted(kinds))
        return code_hash("compare_profiles", modules)

    def report(self, left_out: Mapping[str, str]) -> str:
        """Say what the page shows of the configuration, and which files it leaves out.

        Args:
            left_out: tables and figures that are there but not of this configuration,
                each with the reason.
        """
        text = self.config.model_dump(mode="json", exclude={"report"})
        spec = {"config": text, "benchmarks": "benchmarks", "left_out": dict(left_out)}
        kinds = [self.config.task(name).kind for name in tasks_of(self.config)]
        return canonical(spec | {"terms": metrics.terms(kinds)})

    def plan(self, wildcards: Any) -> str:
        config = self.config.model_dump(mode="json", exclude_unset=True)
        return canonical({"config": config, "gpu": "a100"})

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
        value = columns["statistic"]  # what is more than writing a value keeps its name
        if statistic.value != "const":
            usual = Statistic(value=statistic.value).model_dump(exclude=PROFILED)
            if statistic.model_dump(exclude=PROFILED) == usual:
                value = statistic.value
        names = {k: columns[k] for k in ("method", "langset", "draw", "matched")}
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


def _asked(task: str, row: Row) -> tuple[OnTask, str]:
    """Return what a row of a task's table shows."""
    seed = int(row.seed)
    return OnTask(task, row.model, row.tuning, seed, row.lang), row.treatment


def profile_pairs(
    config: Config,
) -> list[tuple[dict[str, Any], list[tuple[OnTask, str]]]]:
    """Pair the evaluations of the paper's profile with those of the consistent one.

    Returns:
        For each pair its names, and its evaluations: none, paper, consistent.
    """
    specs = TableSpecs(config)
    found: list[tuple[dict[str, Any], list[tuple[OnTask, str]]]] = []
    for task in tasks_of(config):
        kind = config.task(task).kind
        cells: dict[str, dict[str, Row]] = {}
        for row in task_rows(config, task):
            if row.treatment == NO_TREATMENT:
                continue
            parsed = Treatment.parse(row.treatment)
            entry = config.statistic(parsed.statistic)
            reads = {k: getattr(entry, k) for k in PROFILED if k != "profile"}
            profile = next((k for k in PROFILES if CATALOGUE[k] == reads), None)
            if profile is None:  # neither procedure, but one with keys of its own
                continue
            same = entry.model_dump(exclude=PROFILED, mode="json")
            axes = [row.model, row.tuning, row.seed, row.lang, str(parsed.selection)]
            key = json.dumps([axes, same], sort_keys=True)
            cells.setdefault(key, {}).setdefault(profile, row)
        for by_profile in cells.values():
            if set(PROFILES) <= set(by_profile):
                none = replace(by_profile["paper"], treatment=NO_TREATMENT)
                pair = specs.pair(by_profile["paper"]) | {"task": task, "kind": kind}
                used = [none, *(by_profile[name] for name in PROFILES)]
                pair |= {"treatments": [row.treatment for row in used]}
                found.append((pair, [_asked(task, row) for row in used]))
    return found
