"""The tables, figures and report that a configuration asks for, by path."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Sequence
from itertools import combinations
from pathlib import Path

from langneurons import similarities, tables, tasks
from langneurons.config.names import Overwritten, Selection
from langneurons.config.schema import Config
from langneurons.grid import (
    aligned_with,
    alignment,
    bridges,
    experiments,
    rows,
    subjects,
)
from langneurons.grid.axes import is_control
from langneurons.grid.experiments.perplexity import Perplexity
from langneurons.grid.rows import drawn_selections, models, text_blocks
from langneurons.published import numbers
from langneurons.tables import profiles
from langneurons.tables.common import bridge_rows, steering_rows

EXTENSIONS = ("svg", "png", "tsv")
NEURON_KINDS = ("counts", "overlap", "jaccard", "layers", "multiplicity")
PERPLEXITY_KINDS = ("perplexity", "nll")
EFFECT_KINDS = ("forest", "size")
PUBLISHED_KINDS = ("counts", "overlap", "layers")
SHIFT_KINDS = ("lss", "lss_plus")
STEERING_KINDS = ("ladder", "damage")
BRIDGE_KINDS = ("bridged", "gain")
FORESTS = ("interventions", "finetuning")
"""Kinds of tables whose changes are drawn."""


FOUND = ("Snakefile", "snakefile", "workflow/Snakefile", "workflow/snakefile")
"""Where Snakemake looks for a workflow when it is not told where."""


def folder(config: Config) -> str:
    """Say where the figures lie."""
    return f"{config.results}/figures"


def report(config: Config) -> str:
    return f"{config.results}/report.html"


def table(config: Config, name: str) -> str:
    return f"{config.results}/tables/{name}.tsv"


def of_experiment(config: Config, name: str) -> list[str]:
    """List the tables that show rows of an experiment, and its figures.

    A table is whole: other experiments have their rows in it too.
    """
    alone, wanted = config.model_copy(update={"run": (name,)}), tables.wanted(config)
    # `tables:` may name some that only other experiments make.
    allowed = tuple(each for each in tables.by_name(alone) if each in wanted)
    alone = alone.model_copy(update={"tables": allowed})
    kind = experiments.load(config.experiment(name).kind)
    own = {*rows.tables(alone), *kind.TABLES}
    made = [table(config, each) for each in allowed if each in own]
    return [*made, *figures(alone)]


def reading_order(config: Config) -> list[str]:
    """List the tables of ``snakemake all`` as the report shows them.

    Those of the first experiment stand first, its main table before the others.
    """
    wanted = tables.wanted(config)
    found: dict[str, None] = {}
    for axes in experiments.running(config).values():
        for pattern in experiments.load(axes.kind).TABLES:
            some = [pattern]
            if tables.TASK in pattern:
                some = [pattern.format(task=x) for x in getattr(axes, "tasks", ())]
            found |= {name: None for name in some if name in wanted}
    return list(found | dict.fromkeys(wanted))


def options(
    files: Sequence[Path | str], settings: Sequence[str], snakefile: str = FOUND[0]
) -> str:
    """Say with which options Snakemake reads a configuration once more.

    Args:
        files: of ``--configfile``. They are named from the folder of the run, so that
            one in it has the same name wherever the folder lies.
        settings: of ``--config``, ``key=value``; what the report is made of is no part.
        snakefile: of the run; named where Snakemake does not find it by itself, as in a
            folder of ``--directory``.
    """
    place = os.path.relpath(snakefile)
    where = "" if place in FOUND else f" --snakefile {shlex.quote(place)}"
    kept = [text for text in settings if not text.startswith("report=")]
    given = {"--configfile": map(os.path.relpath, files), "--config": kept}
    lists = {name: shlex.join(texts) for name, texts in given.items()}
    rest = "".join(f" {name} {texts}" for name, texts in lists.items() if texts)
    return where + rest


def metrics(config: Config, task: str) -> list[str]:
    """List the metrics of a task that are drawn, as it declares."""
    found = tasks.load(config.task(task).kind).METRICS
    return [name for name, metric in found.items() if metric.drawn]


def shared_pairs(config: Config, model: str) -> list[tuple[Selection, Selection]]:
    """List pairs of selections by different methods that have languages in common.

    Both are of one text: sentences and articles have other neurons by any method. Those
    of sweeps, which are many and alike, are left out.
    """

    def languages(selection: Selection) -> set[str]:
        return set(config.language_set(selection.languages).languages)

    swept = {own for name, one in config.sweeps.items() for own in one.named(name)}
    return [
        (a, b)
        for a, b in combinations(drawn_selections(config, model), 2)
        if a.method != b.method
        and not {a.method, b.method} & swept
        and config.method_corpus(a.method) == config.method_corpus(b.method)
        and languages(a) & languages(b)
    ]


def sweeps(config: Config, task: str) -> list[str]:
    """List the sweeps that treatments of a task's table of interventions are of."""
    given = {
        each
        for row in rows.task_rows(config, task)
        if isinstance(row.treatment, Overwritten)
        for each in (row.treatment.selection.method, row.treatment.statistic)
    }
    return [name for name, one in config.sweeps.items() if given & {*one.named(name)}]


def published_sets(config: Config) -> list[str]:
    """List the published neuron sets of the grid's models, model.method.set."""
    keys = {config.model(model).published_as for model in models(config)}
    sets = numbers.figures()["neuron_sets"]
    return [
        f"{entry['model']}.{entry['method']}.{entry['language_set']}"
        for entry in sets
        if entry["model"] in keys
    ]


def figures(config: Config) -> list[str]:
    """List the figures of ``snakemake all``, as paths of their SVG files."""
    return [f"{folder(config)}/{stem}.svg" for stem in _stems(config)]


def figure_files(
    where: str,
    stem: str,
    kinds: Sequence[str],
    extensions: Sequence[str] = EXTENSIONS,
) -> list[str]:
    """List the files of figures: their drawing, a picture and the data behind it.

    Args:
        where: the folder of figures.
        stem: path in it, with ``{kind}``; other braces doubled.
        kinds: of the figures.
        extensions: which files.
    """
    return [
        f"{where}/{stem.format(kind=kind)}.{extension}"
        for kind in kinds
        for extension in extensions
    ]


def _switched(config: Config, model: str) -> list[tuple[str, str]]:
    """List chosen selections and statistics of a model whose matrices are drawn.

    Those of experiments on perplexity; others measure it beside something else, which
    has figures of its own.
    """
    own = experiments.of_kind(config, Perplexity)
    found = {
        (str(treatment.selection), treatment.statistic): None
        for row, treatments in text_blocks(config)
        if row.model == model and row.experiment in own
        for treatment in treatments
        if isinstance(treatment, Overwritten)
        and not is_control(config, treatment.selection)
    }
    return list(found)


def _steered(config: Config) -> Iterator[str]:
    """List the figures of amplification, of which tables there are."""
    wanted, found = tables.wanted(config), steering_rows.overwrites(config)
    if "steering" in wanted:
        for task, model, name in found.shifts:
            yield from (f"{model}/{kind}.{task}.{name}" for kind in SHIFT_KINDS)
    if "amplification" in wanted:
        for task, model in steering_rows.steered(config):
            yield from (f"{model}/{kind}.{task}" for kind in STEERING_KINDS)
    for task, model, name in found.choices:
        if task in wanted and metrics(config, task):
            yield f"{model}/change.{task}.{name}"


def _on_pairs(config: Config, name: str) -> bool:
    """Tell whether a table is of a task on pairs, which has figures of bridges."""
    return bool(tasks.load(config.task(tables.task_of(name)).kind).PAIRS)


def _bridged(config: Config) -> Iterator[str]:
    """List the figures of bridges, of which tables there are."""
    if {"bridges", "bridge_candidates"} <= set(tables.wanted(config)):
        some = ((place.task, place.model) for place, _ in bridge_rows.places(config))
        for task, model in dict.fromkeys(some):
            yield from (f"{model}/{kind}.{task}" for kind in BRIDGE_KINDS)
    for model in dict.fromkeys(model for model, _ in bridges.asked_for(config)):
        yield from (f"{model}/by_layer.{name}" for name in by_layer(config))


def _aligned(config: Config) -> Iterator[str]:
    """List the figures of alignment: by layer, and against the tables of tasks."""
    for one in dict.fromkeys((x.model, x.corpus) for x in alignment.asked_for(config)):
        yield "{}/aligned.{}".format(*one)
    wanted = tables.wanted(config)
    tested = ((x.model, x.task) for x in aligned_with.scored(config))
    for model, task in dict.fromkeys(tested):
        if {"alignment", task} <= {*wanted} and metrics(config, task):
            yield f"{model}/transfer.{task}"


def by_layer(config: Config) -> list[str]:
    """List the similarities that are drawn by layer: those of recorded neurons."""
    if not bridges.all_axes(config):
        return []
    return [
        name
        for name in bridges.similarities(config)
        if "probes" in similarities.load(config.similarity(name).kind).READS
    ]


def _stems(config: Config) -> Iterator[str]:
    kinds = tables.by_name(config)
    wanted = tables.wanted(config)
    for model in models(config):
        for selection in drawn_selections(config, model):
            yield from (f"{model}/{selection}/{kind}" for kind in NEURON_KINDS)
        for a, b in shared_pairs(config, model):
            yield f"{model}/{a}/shared_with.{b}"
        if "perplexity" in wanted:
            for text, statistic in _switched(config, model):
                for kind in PERPLEXITY_KINDS:
                    yield f"{model}/{kind}.{text}.{statistic}"
    for name in wanted:
        if kinds[name] not in FORESTS or _on_pairs(config, name):
            continue
        for metric in metrics(config, tables.task_of(name)):
            yield from (f"{name}/{kind}.{metric}" for kind in EFFECT_KINDS)
            if kinds[name] == FORESTS[0]:
                yield from (f"{name}/sweep.{x}.{metric}" for x in sweeps(config, name))
    if "profiles" in wanted:
        for task in profiles.paired_tasks(config):
            yield from (f"profiles/sites.{task}.{m}" for m in metrics(config, task))
    yield from _steered(config)
    yield from _bridged(config)
    yield from _aligned(config)
    for model, task in dict.fromkeys(
        (x.model, x.task) for x in subjects.trained(config)
    ):
        yield f"{model}/training_curves.{task}"
    for name in published_sets(config):
        yield from (f"published/{name}/{kind}" for kind in PUBLISHED_KINDS)
