"""The tables, figures and report that a configuration asks for, by path.

Table names: a task's own name (interventions), ``finetune_{task}`` and
``random_{task}`` (neuron fine-tuning), and those of ``table_names``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

from langneurons import tasks
from langneurons.config.names import NO_TREATMENT, Selection, Treatment
from langneurons.config.schema import RESULTS, Config
from langneurons.grid import rows
from langneurons.grid.axes import is_control
from langneurons.grid.experiments.finetuning import FINETUNE, RANDOM
from langneurons.grid.rows import drawn_selections, models, table_rows, text_rows
from langneurons.grid.rows import tasks as tasks_of
from langneurons.published import numbers

EXTENSIONS = ("svg", "png", "tsv")
NEURON_KINDS = ("counts", "overlap", "jaccard", "layers", "multiplicity")
PERPLEXITY_KINDS = ("perplexity", "nll")
EFFECT_KINDS = ("forest", "size")
PUBLISHED_KINDS = ("counts", "overlap", "layers")
OTHER_TABLES = (
    "perplexity", "activation_statistics", "profiles", "reproduction", "cost",
)  # fmt: skip
FIGURES = f"{RESULTS}/figures"
REPORT = f"{RESULTS}/report.html"


def table(name: str) -> str:
    return f"{RESULTS}/tables/{name}.tsv"


def split_table(name: str) -> tuple[str, str]:
    """Split a task's table name into its layout and its task.

    Layouts: ``interventions``, ``tunings`` and ``random``.
    """
    for front, layout in ((FINETUNE, "tunings"), (RANDOM, "random")):
        if name.startswith(front):
            return layout, name.removeprefix(front)
    return "interventions", name


def task_tables(config: Config) -> list[str]:
    """List the tables that are made of evaluations."""
    return [name for name in rows.tables(config) if table_rows(config, name)]


def table_names(config: Config) -> list[str]:
    """List every table that this configuration can make."""
    names = task_tables(config)
    if text_rows(config):
        names.append("perplexity")
    return [*names, "activation_statistics", "profiles", "reproduction"]


def wanted_tables(config: Config) -> list[str]:
    """List the tables of ``snakemake all``."""
    given = config.tables
    return list(table_names(config) if given is None else given)


def of_experiment(config: Config, name: str) -> list[str]:
    """List the tables that show rows of an experiment, and its figures.

    A table is whole: other experiments have their rows in it too.
    """
    alone = config.model_copy(update={"run": (name,)})
    allowed = wanted_tables(config)
    tables = [table(each) for each in rows.tables(alone) if each in allowed]
    return [*tables, *figures(alone)]


def metrics(config: Config, task: str) -> list[str]:
    """List the metrics of a task that are drawn, as it declares."""
    found = tasks.load(config.task(task).kind).METRICS
    return [name for name, metric in found.items() if metric.drawn]


def shared_pairs(config: Config, model: str) -> list[tuple[Selection, Selection]]:
    """List pairs of selections by different methods that have languages in common."""

    def languages(selection: Selection) -> set[str]:
        return set(config.language_set(selection.languages).languages)

    return [
        (a, b)
        for a, b in combinations(drawn_selections(config, model), 2)
        if a.method != b.method and languages(a) & languages(b)
    ]


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


def _switched(config: Config, model: str) -> list[tuple[str, str]]:
    """List chosen selections and statistics of a model's perplexity table."""
    found = {
        (str(treatment.selection), treatment.statistic): None
        for row in text_rows(config)
        if row.model == model and row.treatment != NO_TREATMENT
        for treatment in [Treatment.parse(row.treatment)]
        if not is_control(config, treatment.selection)
    }
    return list(found)


def _stems(config: Config) -> Iterator[str]:
    wanted = wanted_tables(config)
    for model in models(config):
        for selection in drawn_selections(config, model):
            yield from (f"{model}/{selection}/{kind}" for kind in NEURON_KINDS)
        for a, b in shared_pairs(config, model):
            yield f"{model}/{a}/shared_with.{b}"
        if "perplexity" in wanted:
            for text, statistic in _switched(config, model):
                for kind in PERPLEXITY_KINDS:
                    yield f"{model}/{kind}.{text}.{statistic}"
    for name in task_tables(config):
        if name not in wanted or split_table(name)[0] == "random":
            continue
        for metric in metrics(config, split_table(name)[1]):
            yield from (f"{name}/{kind}.{metric}" for kind in EFFECT_KINDS)
    if "profiles" in wanted:
        for task in tasks_of(config):
            yield from (f"profiles/sites.{task}.{m}" for m in metrics(config, task))
    for name in published_sets(config):
        yield from (f"published/{name}/{kind}" for kind in PUBLISHED_KINDS)
