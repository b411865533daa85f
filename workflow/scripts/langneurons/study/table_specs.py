"""What tables, figures and the report read: slices of the configuration, and files."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from langneurons import tables
from langneurons.config.errors import ConfigError, unknown_name
from langneurons.config.names import Pair
from langneurons.config.schema import Config
from langneurons.costs.parts import Parts
from langneurons.grid import alignment, bridges, result_paths, rows, subjects
from langneurons.jobs.files import canonical
from langneurons.jobs.fingerprint import code_hash
from langneurons.tables.common import metrics
from langneurons.tables.common.inputs import Reads

from . import local_files, targets

UNREAD = {"report", "resources"}
"""Blocks of the configuration that change nothing that is made or shown."""


class TableSpecs:
    """Builds the ``spec`` of every rule of reporting from one configuration."""

    def __init__(self, config: Config, parts: Parts | None = None) -> None:
        self.config = config
        self.parts = parts or Parts(config)
        # Snakemake asks for each several times.
        self.reads = cache(self._reads)
        self._files = cache(lambda name: files_of(self.parts, self.reads(name)))
        self._spec = cache(self._spec_of)

    @cached_property
    def kinds(self) -> dict[str, str]:
        """The tables that the configuration can make, and their kinds."""
        return tables.by_name(self.config)

    @property
    def layouts(self) -> tuple[str, ...]:
        """Modules that lay tables out, which the report loads by their kinds."""
        return tuple(f"tables.{kind}" for kind in tables.kinds())

    def _kind(self, name: str) -> str:
        if name not in self.kinds:
            where = "this configuration"
            raise ConfigError(unknown_name("table", name, self.kinds, where))
        return self.kinds[name]

    def table(self, wildcards: Any) -> str:
        return self._spec(wildcards.table)

    def _spec_of(self, name: str) -> str:
        kind = self._kind(name)
        spec = tables.load(kind).spec(self.config, name)
        return canonical({"table": kind} | spec)

    def table_code(self, wildcards: Any) -> str:
        """Hash the code of tables with this kind's module, and those of its tasks."""
        read = self.reads(wildcards.table).evaluations
        used = sorted({self.config.task(task).kind for task, _ in read})
        modules = (
            f"tables.{self._kind(wildcards.table)}",
            *(f"tasks.{k}" for k in used),
        )
        return code_hash("build_table", modules)

    def _reads(self, name: str) -> Reads:
        """Say what a table is built from."""
        return tables.load(self._kind(name)).reads(self.config, name)

    def files(self, role: str) -> Callable[[Any], list[str]]:
        """Return a function to the files of a role that a table reads, in its order."""

        def paths(wildcards: Any) -> list[str]:
            return self._files(wildcards.table)[role]

        return paths

    def memory(self, wildcards: Any, attempt: int) -> int:
        return attempt * tables.load(self._kind(wildcards.table)).MEMORY

    def minutes(self, wildcards: Any, attempt: int) -> int:
        return attempt * tables.load(self._kind(wildcards.table)).MINUTES

    def report(
        self, left_out: Mapping[str, str], patterns: Mapping[str, str], options: str
    ) -> str:
        """Say what the page shows of the configuration, and which files it leaves out.

        Args:
            left_out: tables and figures that are there but not of this configuration,
                each with the reason.
            patterns: of the benchmark files, by rule.
            options: with which Snakemake reads the configuration once more.
        """
        text = self.config.model_dump(mode="json", exclude=UNREAD)
        spec: dict[str, Any] = {"config": text, "benchmarks": "benchmarks"}
        spec |= {"left_out": dict(left_out), "estimates": self._estimates(patterns)}
        spec["tables"] = [
            self._shown(name) for name in targets.reading_order(self.config)
        ]
        kinds = [self.config.task(name).kind for name in rows.tasks(self.config)]
        spec |= {"terms": metrics.terms(kinds), "options": options}
        return canonical(spec | {"figures": self._drawn(), "used": self._used()})

    def _shown(self, name: str) -> dict[str, Any]:
        """Say what the report has to know of a table, be it there or not."""
        kind = self._kind(name)
        about = {"name": name, "table": kind, "shows": tables.load(kind).SHOWS}
        spec = json.loads(self._spec(name))
        given = {k: v for k, v in spec.items() if k not in ("rows", "table")}
        return about | {"spec": given}

    def _drawn(self) -> dict[str, str]:
        """Name the kinds of figures that are asked for, and the first of each."""
        found: dict[str, str] = {}
        for path in targets.figures(self.config):
            found.setdefault(Path(path).name.partition(".")[0], path)
        return found

    def _used(self) -> dict[str, list[str]]:
        """Name the entries of the configuration that have a part in the study."""
        corpora = dict.fromkeys(corpus for corpus, _ in local_files.texts(self.config))
        models, asked = rows.models(self.config), rows.tasks(self.config)
        # Not those trained here, which nothing but the configuration made.
        adopted = subjects.adopted(self.config)
        found = {"models": models, "corpora": [*corpora], "tasks": asked}
        return found | {"tunings": [*dict.fromkeys(str(x.tuning) for x in adopted)]}

    def plan(self, wildcards: Any) -> str:
        config = self.config.model_dump(mode="json", exclude_unset=True)
        return canonical({"config": config, "gpu": "a100"})

    def costs(self, patterns: Mapping[str, str]) -> str:
        """Say what the table of costs reads.

        Args:
            patterns: of the benchmark files, by rule.
        """
        return canonical({"benchmarks": "benchmarks"} | self._estimates(patterns))

    def _estimates(self, patterns: Mapping[str, str]) -> dict[str, Any]:
        """Say from what follows what jobs should have taken."""
        # Read again by the job: no key that was not given. And no default, or writing
        # one out would be a change.
        given = self.config.model_dump(
            mode="json",
            exclude_unset=True,
            exclude_defaults=True,
            exclude=UNREAD,
        )
        return {"config": given, "patterns": dict(patterns)}

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

    def draw_sweep(self, wildcards: Any) -> str:
        sweep = self.config.sweeps[wildcards.sweep]
        values = sweep.named(wildcards.sweep)
        swept = "method" if sweep.method is not None else "statistic"
        names = {"table": wildcards.table, "metric": wildcards.metric}
        parameter = f"{sweep.parameter} of {sweep.base}"
        given = {"sweep": wildcards.sweep, "parameter": parameter}
        return self.figure(**names, **given, swept=swept, values=values)

    def _trained(self, wildcards: Any) -> list[subjects.OnTask]:
        """List the adapters of a model on a task."""
        place = wildcards.model, wildcards.task
        found = subjects.trained(self.config)
        return [one for one in found if (one.model, one.task) == place]

    def trainings(self, wildcards: Any) -> list[str]:
        """List the records of how a model's adapters on a task were trained."""
        return [
            str(Path(path).with_name("training.json"))
            for one in self._trained(wildcards)
            for path in subjects.adapter(self.config, one)
        ]

    def draw_training(self, wildcards: Any) -> str:
        names = [[str(one.tuning), one.seed] for one in self._trained(wildcards)]
        return self.figure(task=wildcards.task, model=wildcards.model, names=names)

    def draw_profiles(self, wildcards: Any) -> str:
        return self.figure(task=wildcards.task, metric=wildcards.metric)

    def draw_steering(self, wildcards: Any) -> str:
        return self.figure(
            task=wildcards.task,
            model=wildcards.model,
            selection=f"{wildcards.method}.{wildcards.langset}",
            statistic=wildcards.statistic,
        )

    def draw_task_changes(self, wildcards: Any) -> str:
        metric = targets.metrics(self.config, wildcards.task)[0]
        return self.figure(
            task=wildcards.task,
            metric=metric,
            model=wildcards.model,
            selection=f"{wildcards.method}.{wildcards.langset}",
            statistic=wildcards.statistic,
        )

    def draw_amplification(self, wildcards: Any) -> str:
        return self.figure(task=wildcards.task, model=wildcards.model)

    def draw_bridges(self, wildcards: Any) -> str:
        return self.figure(task=wildcards.task, model=wildcards.model)

    def draw_similarity(self, wildcards: Any) -> str:
        model, name = wildcards.model, wildcards.similarity
        pairs = [str(pair) for pair in self._pairs(model)]
        return self.figure(model=model, similarity=name, pairs=pairs)

    def similarities(self, wildcards: Any) -> list[str]:
        """List the files of a similarity on a model, pair by pair."""
        model, name = wildcards.model, wildcards.similarity
        return [
            bridges.similarity(self.config, model, name, pair)
            for pair in self._pairs(model)
        ]

    def _aligned(self, wildcards: Any) -> dict[str, alignment.Aligned]:
        """Return what is drawn of a model and corpus, by language."""
        found: dict[str, alignment.Aligned] = {}
        for _, lang, one in alignment.with_pivot(self.config):
            if (one.corpus, one.model) == (wildcards.corpus, wildcards.model):
                found.setdefault(lang, one)
        return found

    def aligned(self, wildcards: Any) -> list[str]:
        """List the alignments of a model's languages with the pivot."""
        found = self._aligned(wildcards).values()
        return [one.path(self.config) for one in found]

    def draw_alignment(self, wildcards: Any) -> str:
        found = self._aligned(wildcards).items()
        names = [[x.corpus, x.model, str(x.pair), lang] for lang, x in found]
        return self.figure(model=wildcards.model, names=names)

    def draw_transfer(self, wildcards: Any) -> str:
        metric = targets.metrics(self.config, wildcards.task)[0]
        names = {"task": wildcards.task, "model": wildcards.model}
        return self.figure(**names, metric=metric)

    def _pairs(self, model: str) -> list[Pair]:
        found = bridges.asked_for(self.config)
        return [pair for name, pair in found if name == model]

    def draw_published(self, wildcards: Any) -> str:
        model, method, langset = wildcards.published.split(".")
        return self.figure(model=model, method=method, langset=langset)


def files_of(parts: Parts, reads: Reads) -> dict[str, list[str]]:
    """Find the files of what a table reads: role -> paths."""
    evaluations = [
        (subjects.of_row(task, row), row.treatment) for task, row in reads.evaluations
    ]
    perplexities = [
        (subjects.of_text_row(row), row.treatment) for row in reads.perplexities
    ]
    return {
        "evaluations": parts.indexes(evaluations),
        "perplexities": parts.indexes(perplexities),
        "activations": [
            result_paths.activations(c, m, lang) for m, c, lang in reads.activations
        ],
        "neurons": [result_paths.neurons(m, s) for m, s in reads.neurons],
        "similarities": [
            bridges.similarity(parts.config, *names) for names in reads.similarities
        ],
        "alignments": [one.path(parts.config) for one in reads.alignments],
        "tables": [targets.table(parts.config, name) for name in reads.tables],
    }
