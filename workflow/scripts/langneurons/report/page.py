"""The page: everything that the template shows, in its order."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
import yaml
from markupsafe import Markup

from langneurons.config.yaml_files import BASE
from langneurons.costs import spending
from langneurons.tables.common import as_html
from langneurons.tables.common.document import Cell, Grid, grid, number
from langneurons.tables.common.metrics import TWO_POINTS

from . import (
    bridge_verdicts,
    gallery,
    inputs,
    neuron_verdicts,
    origin,
    steering_verdicts,
    studies,
    verdicts,
)
from .glossary import OTHER_UNITS
from .glossary import terms as general_terms
from .inputs import Table
from .texts import HYPOTHESES, OTHER_SIZES, RULES
from .verdicts import Verdict

OF_METRICS = ("H1", "H2", "H4")
"""Hypotheses on changes of the tasks' primary metrics."""

LONG = 60
"""Rows from which a table is folded, even one that has no compact layout."""


def render(
    tables: Sequence[Table],
    pictures: Sequence[gallery.Picture],
    config: Mapping[str, Any],
    spent: Sequence[spending.Cost],
    left_out: Mapping[str, str],
    terms: Sequence[tuple[str, str]],
    known: Sequence[Mapping[str, Any]],
    asked: Mapping[str, Any],
) -> str:
    """Lay out the page.

    Args:
        tables: any of the tables.
        pictures: any of the figures.
        config: the merged configuration.
        spent: cost by stage, the total last; empty without benchmark files.
        left_out: files that were made under other settings: path -> what differs.
        terms: words of the tasks, and what they mean.
        known: of each table that the configuration asks for, ``name``, ``table`` (its
            kind), ``shows`` and ``spec``, in the order of the page.
        asked: ``figures`` (the first of each kind that the configuration asks for),
            ``used`` (its entries that have a part, by block) and ``options`` (with
            which Snakemake reads it); any of them may be absent.

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
    running, options = studies.running(config), str(asked.get("options", ""))
    keys = [key for study in running for key in study.hypotheses]
    return environment.get_template("page.html").render(
        studies=running,
        is_transfer=studies.TRANSFER in running,
        title=studies.title(running),
        judged=[
            (HYPOTHESES[v.key], v, _numbers(v), _rule(v.key, usual))
            for v in judge(tables, config)
            if v.key in keys
        ],
        other_hypotheses=studies.others(running),
        sections=_ordered(tables, known),
        laid_out=_markup(as_html.html),
        long=LONG,
        absent_tables=inputs.absent_tables(tables, known, config, options),
        grid=_markup(as_html.grid),
        inline=_markup(as_html.inline),
        groups=gallery.grouped(pictures, studies.TRANSFER in running),
        absent_figures=gallery.absent(pictures, asked.get("figures", {}), options),
        costs=_cost_grid(spent),
        gpus_unknown=any(math.isnan(c.gpu) for c in spent),
        config=_yaml(config),
        profile=str(config.get("profile", "paper")) if config else "",
        scope=_scope(config, options),
        everything=inputs.command("", options) if config else "",
        left_out=left_out,
        origin=origin.trace(paths, config, asked.get("used", {})),
        glossary=[
            *general_terms(running),
            *terms,
            *([OTHER_UNITS] if other_units else ()),
        ],
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
        by_kind.setdefault(table.kind, {})[table.task] = table.results
    sources = {
        str(task): str(entry.get("source_language") or "en")
        for task, entry in (config.get("tasks") or {}).items()
    } | {
        t.task: str(t.spec["source_language"])
        for t in tables
        if "source_language" in t.spec
    }
    tasks, tuned, drawn = (
        by_kind.get(kind, {})
        for kind in ("interventions", "finetuning", "random_tuning")
    )

    def single(kind: str) -> pd.DataFrame | None:
        return next(iter(by_kind.get(kind, {}).values()), None)

    return [
        verdicts.h1(tasks, sources),
        verdicts.h2(tuned, drawn, sources),
        neuron_verdicts.h3(single("perplexity")),
        neuron_verdicts.h4(single("profiles"), tasks, sources),
        *(
            verdict_of(single("amplification"))
            for verdict_of in (
                steering_verdicts.h5,
                steering_verdicts.h6,
                steering_verdicts.h7,
            )
        ),
        bridge_verdicts.h8(single("bridges")),
        bridge_verdicts.h9(single("bridges")),
    ]


def _markup(write: Callable[..., str]) -> Callable[..., Markup]:
    """Tell the template that a text is HTML already."""

    def written(*given: Any, **options: Any) -> Markup:
        return Markup(write(*given, **options))

    return written


def _yaml(config: Mapping[str, Any]) -> str:
    """Write the configuration as YAML, what is run before what names mean."""
    if not config:
        return ""
    first = {k: config[k] for k in ("profile", "run") if k in config}
    ordered = first | dict(config)
    return yaml.safe_dump(ordered, sort_keys=False, allow_unicode=True, width=80)


def _ordered(
    tables: Sequence[Table], known: Sequence[Mapping[str, Any]]
) -> list[Table]:
    places = {one["name"]: i for i, one in enumerate(known)}
    return sorted(tables, key=lambda t: (places.get(t.name, len(places)), t.name))


def _scope(config: Mapping[str, Any], options: str) -> list[tuple[str, str]]:
    """Name the configuration, and what its experiments run."""
    if not config:
        return []
    above = f", and on top of it{options}" if options else ""
    found = [
        ("configuration", f"{BASE}{above}"),
        ("results", inputs.place(config)),
        ("experiments", ", ".join(config.get("run") or ())),
    ]
    for key in ("models", "tasks", "selections", "statistics", "tunings", "seeds"):
        named = [x for one in inputs.experiments(config) for x in one.get(key) or ()]
        found.append((key, ", ".join(map(str, dict.fromkeys(named)))))
    return [(key, text) for key, text in found if text]


# Columns of the verdicts' numbers, and how they are worded.
OF_CHANGES = ("change", "gain over random", "random")
NATS = partial(number, form="+.3f")
SIGNED = partial(number, form="+.2f")
PROBABILITY = partial(number, form=".2g")
COUNT = partial(number, form=",.0f")
HOURS = partial(number, form=",.2f")
FORMS: dict[str, Callable[[Any], str]] = {
    "own text": NATS,
    "other texts": NATS,
    "random neurons": NATS,
    "p (own > others)": PROBABILITY,
    "p (own > random)": PROBABILITY,
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
            has_ends = f"{column} low" in names
            form = forms.get(column, SIGNED if has_ends else COUNT)
            text = form(row[column])
            if has_ends:
                low, high = row[f"{column} low"], row[f"{column} high"]
                if not (math.isnan(low) or math.isnan(high)):
                    text += f" [{form(low)}, {form(high)}]"
            line.append(text + (after if column in (*OF_CHANGES, "detectable") else ""))
        lines.append(line)
    titles = [f"{c}, {units[c]}" if units.get(c) else c for c in shown]
    return grid(titles, lines, len(texts), fold=False)


def _cost_grid(spent: Sequence[spending.Cost]) -> Grid | None:
    """Lay out the costs; a stage whose jobs ask for no GPU says so."""
    if not spent:
        return None
    lines = [
        [
            *(c.stage, c.what, COUNT(c.jobs), HOURS(c.estimated), HOURS(c.wall)),
            HOURS(c.cpu),
            "none" if c.gpu == 0 else HOURS(c.gpu),
            COUNT(c.memory),
        ]
        for c in spent
    ]
    header = ["stage", "what its jobs do", "jobs", "estimated hours", "wall hours"]
    header += ["CPU hours", "GPU hours asked for", "peak memory, MB"]
    return grid(header, lines, 2, fold=False)
