"""The tables, figures and report that a configuration asks for, by path."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

from langneurons import tables, tasks
from langneurons.config.names import Selection
from langneurons.config.schema import Config
from langneurons.grid.rows import (
    RESULTS,
    drawn_selections,
    is_control,
)
from langneurons.published import numbers

EXTENSIONS = ("svg", "png", "tsv")
NEURON_KINDS = ("counts", "overlap", "jaccard", "layers", "multiplicity")
PERPLEXITY_KINDS = ("perplexity", "nll")
EFFECT_KINDS = ("forest", "size")
PUBLISHED_KINDS = ("counts", "overlap", "layers")
FORESTS = ("interventions", "finetuning")
"""Kinds of tables whose changes are drawn."""

FIGURES = f"{RESULTS}/figures"
REPORT = f"{RESULTS}/report.html"


def table(name: str) -> str:
    return f"{RESULTS}/tables/{name}.tsv"


def metrics(config: Config, task: str) -> list[str]:
    """List the metrics of a task that are drawn, as it declares."""
    found = tasks.load(config.task(task).kind).METRICS
    return [name for name, metric in found.items() if metric.drawn]


def shared_pairs(config: Config) -> list[tuple[Selection, Selection]]:
    """List pairs of selections by different methods that have languages in common."""

    def languages(selection: Selection) -> set[str]:
        return set(config.language_set(selection.languages).languages)

    return [
        (a, b)
        for a, b in combinations(drawn_selections(config), 2)
        if a.method != b.method and languages(a) & languages(b)
    ]


def published_sets(config: Config) -> list[str]:
    """List the published neuron sets of the grid's models, model.method.set."""
    keys = {config.model(model).published_as for model in config.grid.models}
    sets = numbers.figures()["neuron_sets"]
    return [
        f"{entry['model']}.{entry['method']}.{entry['language_set']}"
        for entry in sets
        if entry["model"] in keys
    ]


def figures(config: Config) -> list[str]:
    """List the figures of ``snakemake all``, as paths of their SVG files."""
    return [f"{FIGURES}/{stem}.svg" for stem in _stems(config)]


def figure_files(
    stem: str, kinds: Sequence[str], extensions: Sequence[str] = EXTENSIONS
) -> list[str]:
    """List the files of figures: their drawing, a picture and the data behind it.

    Args:
        stem: path below the folder of figures, with ``{kind}``; other braces doubled.
        kinds: of the figures.
        extensions: which files.
    """
    return [
        f"{FIGURES}/{stem.format(kind=kind)}.{extension}"
        for kind in kinds
        for extension in extensions
    ]


def _stems(config: Config) -> Iterator[str]:
    kinds = tables.by_name(config)
    wanted = tables.wanted(config)
    for model in config.grid.models:
        for selection in drawn_selections(config):
            yield from (f"{model}/{selection}/{kind}" for kind in NEURON_KINDS)
        for a, b in shared_pairs(config):
            yield f"{model}/{a}/shared_with.{b}"
        if config.perplexity is not None and "perplexity" in wanted:
            for text in config.perplexity.selections:
                if is_control(config, text):
                    continue
                for statistic in config.perplexity.statistics:
                    for kind in PERPLEXITY_KINDS:
                        yield f"{model}/{kind}.{text}.{statistic}"
    for name in wanted:
        if kinds[name] not in FORESTS:
            continue
        for metric in metrics(config, tables.task_of(name)):
            yield from (f"{name}/{kind}.{metric}" for kind in EFFECT_KINDS)
    if "profiles" in wanted:
        for task in config.grid.tasks:
            yield from (f"profiles/sites.{task}.{m}" for m in metrics(config, task))
    for name in published_sets(config):
        yield from (f"published/{name}/{kind}" for kind in PUBLISHED_KINDS)
