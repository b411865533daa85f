"""The paper's procedure against the consistent one, on the same items.

The paper measures statistics before the activation function and writes them after it;
the consistent profile does both at one site (methods.md 1.1, design of ``profile``).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from langneurons import tasks
from langneurons.config.catalogue import PROFILES as CATALOGUE
from langneurons.config.catalogue import Statistic
from langneurons.config.errors import DataError
from langneurons.config.names import UNTREATED, Overwritten, Treatment
from langneurons.grid import rows as all_rows
from langneurons.grid.axes import Row
from langneurons.grid.kept import kept
from langneurons.published.partners import Partners
from langneurons.tasks import Metric

from . import Table
from .common import columns, inputs, planned, profiles_text
from .common.columns import HIDDEN, Column
from .common.document import Document
from .common.evaluations import RESAMPLES, Evaluation, compare, holm, level
from .common.inputs import Reads
from .common.metrics import DECLARED, Shown
from .common.task_columns import NEURONS, is_own
from .common.words import NOTHING, RANDOM

if TYPE_CHECKING:
    from langneurons.config.schema import Config

    from .common.inputs import Inputs

COLUMNS = (
    Column("task", "name in the configuration", key=True),
    Column("model", "name in the configuration", key=True),
    Column("tuning", "what was fine-tuned; base: nothing", key=True),
    Column("seed", "of the fine-tuning", key=True),
    Column("lang", "language of the test items", key=True),
    *NEURONS,
    Column("neuron_lang", "language whose neurons are overwritten", key=True),
    Column("value_name", "what is written into the neurons", key=True),
    Column("metric", "what is measured of each item", key=True),
    Column("n", "test items", "count"),
    Column("none", "without intervention", "number", form="value"),
    Column("paper", "measured and written apart", "number", form="value"),
    Column("paper_delta", "its change", "number", form="change"),
    Column("consistent", "measured and written at one site", "number", form="value"),
    Column("consistent_delta", "its change", "number", form="change"),
    Column("difference", "consistent - paper", "number", form="change"),
    Column("diff_ci_low", "low end of its 95 % interval", "number", form="change"),
    Column("diff_ci_high", "high end of its 95 % interval", "number", form="change"),
    Column("p_value", "of the paired test", "number", form=".2g"),
    Column("p_holm", "after Holm's correction", "number", form=".2g"),
    Column("n_neurons", "neurons overwritten", "count"),
    Column("task_title", "what the task calls itself", form=HIDDEN),
    *DECLARED,
)
KEY = columns.key(COLUMNS)
USED = ("none", "paper", "consistent")
PROFILES = ("paper", "consistent")
PROFILED = {"measure", "write", "quantile", "profile"}
"""Keys of a statistic that its profile fills in."""
Triple = tuple[Evaluation, Evaluation, Evaluation]


def profile_table(
    pairs: Sequence[Mapping[str, Any]],
    evaluations: Sequence[Triple],
    metrics: Mapping[str, Mapping[str, Metric]],
    titles: Mapping[str, str],
    *,
    resamples: int = RESAMPLES,
) -> pd.DataFrame:
    """Set the two profiles of each intervention side by side.

    Args:
        pairs: one mapping per pair: ``task``, ``kind``, ``model``, ``tuning``,
            ``seed``, ``lang``, ``method``, ``langset``, ``draw``, ``matched`` (the
            method whose counts random neurons have, else None), ``neuron_lang`` and
            ``value_name``.
        evaluations: for each pair those of no intervention, of the paper's profile and
            of the consistent one.
        metrics: for each kind its ``METRICS``.
        titles: for each kind its ``TITLE``.
        resamples: of each bootstrap.

    Returns:
        ``COLUMNS``, one row per pair and metric; empty without pairs. ``none``,
        ``paper`` and ``consistent`` are means over items, the two deltas are against
        ``none``, and ``difference`` is consistent - paper with a paired bootstrap 95 %
        interval and McNemar's exact test, or a paired permutation test for scores.
        ``p_holm``: after Holm's correction over the rows with the same model and
        metric, random neurons and neurons of other languages than the items' (where
        there are several) left out. Where there are no neurons to overwrite
        (``n_neurons`` 0) there are no changes and no test. A metric of all items
        together has no interval and no test either.

    Raises:
        DataError: files do not fit the pairs, or items differ.
    """
    if len(pairs) != len(evaluations):
        raise DataError(f"{len(evaluations)} triples for {len(pairs)} pairs")
    found = []
    for pair, triple in zip(pairs, evaluations, strict=True):
        if len(triple) != len(USED):
            raise DataError(f"{len(triple)} evaluations for a pair, not {len(USED)}")
        for one in triple:
            one.check_items(triple[0])
        for metric, declared in metrics[pair["kind"]].items():
            named = {k: pair[k] for k in KEY if k != "metric"}
            line = named | {"matched": pair["matched"] or NOTHING}
            line |= {"metric": metric, "task_title": titles[pair["kind"]]}
            line |= Shown.of(metric, declared).columns
            line |= _numbers(triple, metric, declared.kind, resamples)
            found.append(line)
    table = columns.frame(found, COLUMNS)
    tested = (table["method"] != RANDOM) & table["draw"].isna() & is_own(table, KEY)
    return table.assign(p_holm=holm(table, tested))


def _numbers(triple: Triple, metric: str, kind: str, resamples: int) -> dict[str, Any]:
    """Return the numbers of a pair: of each treatment, and of their differences."""
    found: dict[str, Any] = {"n": len(triple[0].items)}
    found["n_neurons"] = triple[1].record["n_neurons"]
    is_corpus = metric in triple[0].values
    none, paper, consistent = (
        one.values[metric] if is_corpus else level(one.of(metric)) for one in triple
    )
    found |= {"none": none, "paper": paper, "consistent": consistent}
    if found["n_neurons"] == 0:
        return found
    found |= {"paper_delta": paper - none, "consistent_delta": consistent - none}
    if is_corpus:
        return found | {"difference": consistent - paper}
    scores = [one.of(metric) for one in triple]
    compared = compare(scores[2], scores[1], kind, resamples)
    found |= {"difference": compared["delta"], "p_value": compared["p_value"]}
    found |= {"diff_ci_low": compared["delta_ci_low"]}
    return found | {"diff_ci_high": compared["delta_ci_high"]}


def profile_pairs(config: Config) -> list[tuple[dict[str, Any], list[Row]]]:
    """Pair the evaluations of the paper's profile with those of the consistent one.

    Returns:
        For each pair its names, and what is compared: none, paper, consistent.
    """
    found: list[tuple[dict[str, Any], list[Row]]] = []
    for task in all_rows.tasks(config):
        kind = config.task(task).kind
        for row, pairs in _paired(config, task):
            for paper, consistent in pairs:
                used = [row.under(each) for each in (UNTREATED, paper, consistent)]
                pair = _pair(config, used[1]) | {"task": task, "kind": kind}
                pair |= {"treatments": [str(each.treatment) for each in used]}
                found.append((pair, used))
    return found


def paired_tasks(config: Config) -> list[str]:
    """List the tasks on which the two profiles are compared."""
    return [task for task in all_rows.tasks(config) if _paired(config, task)]


@kept
def _paired(
    config: Config, task: str
) -> list[tuple[Row, list[tuple[Treatment, Treatment]]]]:
    """List what is tested under both profiles: a row of each, and the pairs there."""
    asked: dict[Row, list[tuple[Treatment, ...]]] = {}
    for block in all_rows.tables(config).get(task, ()):
        if isinstance(block.row, Row):
            asked.setdefault(block.row, []).append(block.treatments)
    known: dict[tuple[int, ...], list[tuple[Treatment, Treatment]]] = {}
    found = []
    for row, some in asked.items():
        key = tuple(map(id, some))  # models share their treatments
        if key not in known:
            known[key] = list(_pairs(config, (each for one in some for each in one)))
        if known[key]:
            found.append((row, known[key]))
    return found


def _pairs(
    config: Config, treatments: Iterable[Treatment]
) -> Iterator[tuple[Treatment, Treatment]]:
    """Pair treatments that write the same, each as another profile does."""
    cells: dict[tuple[Any, ...], dict[str, Treatment]] = {}
    of: dict[str, tuple[str | None, str]] = {}
    for treatment in treatments:
        if not isinstance(treatment, Overwritten):
            continue
        name = treatment.statistic
        if name not in of:
            entry = config.statistic(name)
            reads = {k: getattr(entry, k) for k in PROFILED if k != "profile"}
            # Or neither procedure, but one with keys of its own.
            profile = next((k for k in PROFILES if CATALOGUE[k] == reads), None)
            same = json.dumps(entry.model_dump(exclude=PROFILED, mode="json"))
            of[name] = profile, same
        profile, same = of[name]
        if profile is not None:
            # Language of the neurons included, where the treatment names one.
            cell = (treatment.selection, treatment.language, same)
            cells.setdefault(cell, {}).setdefault(profile, treatment)
    for by_profile in cells.values():
        if set(PROFILES) <= set(by_profile):
            yield by_profile[PROFILES[0]], by_profile[PROFILES[1]]


def _pair(config: Config, row: Row) -> dict[str, Any]:
    """Name what two evaluations of other profiles have in common."""
    names = planned.treated(config, row.treatment)
    statistic = config.statistic(names["statistic"])
    value = names["statistic"]  # what is more than writing a value keeps its name
    if statistic.value != "const":
        usual = Statistic(value=statistic.value).model_dump(exclude=PROFILED)
        if statistic.model_dump(exclude=PROFILED) == usual:
            value = statistic.value
    shared = {k: names[k] for k in ("method", "langset", "draw", "matched")}
    axes = planned.axes_of(row)
    return {"value_name": value} | axes | shared


class Profiles(Table):
    """The paper's procedure against the consistent one, on the same items."""

    NAME = "profiles"
    COLUMNS = COLUMNS
    SHOWS = "the paper's measuring and writing sites against equal ones"
    PLACE = 60

    def names(self, config: Config) -> list[str]:
        return [self.NAME] if paired_tasks(config) else []

    def reads(self, config: Config, name: str) -> Reads:
        pairs = profile_pairs(config)
        return Reads(
            evaluations=[(p["task"], row) for p, rows in pairs for row in rows]
        )

    def spec(self, config: Config, name: str) -> dict[str, Any]:
        partners, rows = Partners(config), []
        for pair, used in profile_pairs(config):
            named = planned.evaluated(config, partners, pair["task"], used[1])
            rows.append(pair | {"neuron_lang": named["neuron_lang"]})
        return {"rows": rows}

    def build(self, spec: Mapping[str, Any], read: Inputs) -> pd.DataFrame:
        pairs = spec["rows"]
        made = {pair["kind"]: tasks.load(pair["kind"]) for pair in pairs}
        metrics = {kind: one.METRICS for kind, one in made.items()}
        titles = {kind: one.TITLE for kind, one in made.items()}
        rows = [pair | {"treatment": t} for pair in pairs for t in pair["treatments"]]
        by_task = {pair["task"]: metrics[pair["kind"]] for pair in pairs}
        found = inputs.read_evaluations(read, rows, by_task)
        triples = list(zip(found[::3], found[1::3], found[2::3], strict=True))
        return profile_table(pairs, triples, metrics, titles)

    def layout(self, table: pd.DataFrame, spec: Mapping[str, Any]) -> Document:
        return profiles_text.layout(table)


TABLE = Profiles()
