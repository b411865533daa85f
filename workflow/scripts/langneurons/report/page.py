"""The page: everything that the template shows, in its order."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
import yaml

from langneurons.costs import spending
from langneurons.tables.metrics import TWO_POINTS

from . import gallery, html_cells, inputs, layouts, neuron_verdicts, origin, verdicts
from .html_cells import Cell, Grid
from .inputs import Table
from .texts import GLOSSARY, HYPOTHESES, OTHER_SIZES, OTHER_UNITS, RULES, TITLES
from .verdicts import Verdict

OF_METRICS = ("H1", "H2", "H4")
"""Hypotheses on changes of the tasks' primary metrics."""

LONG = 60
"""Rows from which a table is folded, even one that has no compact layout."""


@dataclass(frozen=True)
class Section:
    """A table as the page shows it.

    Attributes:
        table: its name, kind and place.
        title: what it shows.
        compact: laid out like the paper's; empty for a table of unknown kind.
        rows: every row.
        unfolded: whether every row is shown at once.
    """

    table: Table
    title: str
    compact: Sequence[Grid]
    rows: Grid
    unfolded: bool


def render(
    tables: Sequence[Table],
    pictures: Sequence[gallery.Picture],
    config: Mapping[str, Any],
    spent: Sequence[spending.Cost],
    left_out: Mapping[str, str],
    terms: Sequence[tuple[str, str]],
) -> str:
    """Lay out the page.

    Args:
        tables: any of the tables.
        pictures: any of the figures.
        config: the merged configuration.
        spent: cost by stage, the total last; empty without benchmark files.
        left_out: files that were made under other settings: path -> what differs.
        terms: words of the tasks, and what they mean.

    Returns:
        HTML that loads nothing else; the same bytes for the same arguments and the same
        provenance files.
    """
    paths = [t.path for t in tables] + [Path(p.path) for p in pictures]
    metrics = [table.metrics for table in tables]
    other_units = not all(metric.is_percent for own in metrics for metric in own)
    usual = all(metric.matters == TWO_POINTS for own in metrics for metric in own[:1])
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html").render(
        judged=[
            (HYPOTHESES[v.key], v, _numbers(v), _rule(v.key, usual))
            for v in judge(tables, config)
        ],
        sections=[section(t, t.source(config)) for t in _ordered(tables)],
        absent_tables=inputs.absent_tables(tables, config),
        groups=gallery.grouped(pictures),
        absent_figures=gallery.absent(pictures, config),
        costs=_cost_grid(spent),
        gpus_unknown=any(math.isnan(c.gpu) for c in spent),
        gpus_used=any(c.gpu > 0 for c in spent),
        config=_yaml(config),
        profile=str(config.get("profile", "paper")) if config else "",
        scope=_scope(config),
        left_out=left_out,
        origin=origin.trace(paths, config),
        glossary=[*GLOSSARY, *terms, *([OTHER_UNITS] if other_units else ())],
        other_units=other_units,
    )


def _rule(key: str, usual: bool) -> str:
    """State the rule of a hypothesis, for metrics that call 2 points a difference."""
    of_metrics = key in OF_METRICS
    return RULES[key] + ("" if usual or not of_metrics else f" {OTHER_SIZES}")


def judge(tables: Sequence[Table], config: Mapping[str, Any]) -> list[Verdict]:
    """Judge the hypotheses from whatever tables there are."""
    by_kind: dict[str, dict[str, pd.DataFrame]] = {}
    for table in tables:
        by_kind.setdefault(table.kind, {})[table.task] = table.frame
    sources = {
        str(task): str(entry.get("source_language") or "en")
        for task, entry in (config.get("tasks") or {}).items()
    } | {t.task: t.source(config) for t in tables}
    tasks = by_kind.get("task", {})

    def single(kind: str) -> pd.DataFrame | None:
        return next(iter(by_kind.get(kind, {}).values()), None)

    return [
        verdicts.h1(tasks, sources),
        verdicts.h2(by_kind.get("finetune", {}), by_kind.get("random", {}), sources),
        neuron_verdicts.h3(single("perplexity")),
        neuron_verdicts.h4(single("profiles"), tasks, sources),
    ]


def section(table: Table, source: str) -> Section:
    """Lay out one table, in short and in full."""
    title = TITLES.get(table.kind, "{task}").format(task=table.called)
    compact = layouts.compact(table, source)
    rows = html_cells.every_row(table.kind, table.frame)
    unfolded = not compact and len(rows.rows) <= LONG
    return Section(table, title, compact, rows, unfolded)


def _yaml(config: Mapping[str, Any]) -> str:
    """Write the configuration as YAML, what is run before what names mean."""
    if not config:
        return ""
    first = {k: config[k] for k in ("profile", "run") if k in config}
    ordered = first | dict(config)
    return yaml.safe_dump(ordered, sort_keys=False, allow_unicode=True, width=80)


def _ordered(tables: Sequence[Table]) -> list[Table]:
    kinds = list(inputs.NEEDED)
    return sorted(
        tables,
        key=lambda t: (kinds.index(t.kind) if t.kind in kinds else len(kinds), t.name),
    )


def _scope(config: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Name what the configuration's experiments run."""
    found = [("experiments", ", ".join(config.get("run") or ()))]
    for key in ("models", "tasks", "selections", "statistics", "tunings", "seeds"):
        named = [x for one in inputs.experiments(config) for x in one.get(key) or ()]
        found.append((key, ", ".join(map(str, dict.fromkeys(named)))))
    return [(key, text) for key, text in found if text]


# Columns of the verdicts' numbers, and how they are worded.
OF_CHANGES = ("change", "gain over random", "random")
FORMS = {
    "own text": html_cells.nats,
    "other texts": html_cells.nats,
    "random neurons": html_cells.nats,
    "p (own > others)": html_cells.probability,
    "p (own > random)": html_cells.probability,
}
UNITS = {
    "own text": "nats per token",
    "other texts": "nats per token",
    "random neurons": "nats per token",
}


def _numbers(verdict: Verdict) -> Grid | None:
    """Lay out the numbers behind a verdict; intervals beside their means."""
    table = verdict.numbers
    if table.empty:
        return None
    names = [str(c) for c in table]
    hidden = {f"{c} {end}" for c in names for end in ("low", "high")}
    shown = [c for c in names if c not in hidden]
    texts = [c for c in shown if c in ("part", "verdict", "statistic")]
    shown = texts + [c for c in shown if c not in texts]
    own = list(dict.fromkeys(metric.points.strip() for metric in verdict.metrics))
    units = UNITS | dict.fromkeys((*OF_CHANGES, "detectable"), "".join(own[:1]))
    if len(own) > 1:  # each cell names its own
        units = UNITS
    lines: list[list[Cell | str]] = []
    for i, (_, row) in enumerate(table.iterrows()):
        forms: dict[str, Callable[[Any], str]] = dict(FORMS)
        after = ""
        if verdict.metrics:
            metric = verdict.metrics[i]
            forms |= dict.fromkeys(OF_CHANGES, metric.change)
            forms["detectable"] = metric.value
            after = metric.points if len(own) > 1 else ""
        line: list[Cell | str] = []
        for column in shown:
            if column in texts:
                line.append(str(row[column]))
                continue
            text = forms.get(column, html_cells.count)(row[column])
            if f"{column} low" in names:
                low, high = row[f"{column} low"], row[f"{column} high"]
                text += html_cells.limits(low, high, forms[column])
            line.append(text + (after if column in (*OF_CHANGES, "detectable") else ""))
        lines.append(line)
    titles = [f"{c}, {units[c]}" if units.get(c) else c for c in shown]
    return html_cells.grid(titles, lines, len(texts), fold=False)


def _cost_grid(spent: Sequence[spending.Cost]) -> Grid | None:
    """Lay out the costs; a stage without GPUs says so."""
    if not spent:
        return None
    lines = [
        [
            *(c.stage, c.what, html_cells.count(c.jobs), html_cells.hours(c.wall)),
            html_cells.hours(c.cpu),
            "CPU only" if c.gpu == 0 else html_cells.hours(c.gpu),
            html_cells.count(c.memory),
        ]
        for c in spent
    ]
    header = ["stage", "what its jobs do", "jobs", "wall hours", "CPU hours"]
    return html_cells.grid(
        [*header, "GPU hours", "peak memory, MB"], lines, 2, fold=False
    )
