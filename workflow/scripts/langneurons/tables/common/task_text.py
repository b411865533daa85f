"""Task tables laid out for reading, like the paper's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from langneurons.config.names import BASE, NO_TREATMENT

from . import bridged_text
from . import metrics as declared
from .document import Bullets, Document, Heading, Paragraph, Part, count
from .task_columns import KEY, of_languages
from .task_layouts import entries, interventions, random, tunings
from .task_legend import legend, signs
from .task_lines import Layout, Section, grids
from .task_summary import in_short
from .words import DIFFMEAN, POOLED, PROMPT

TITLES = {
    "interventions": "under interventions",
    "tunings": "after fine-tuning neurons",
    "random": "after fine-tuning random neurons",
}


def layout(table: pd.DataFrame, spec: Mapping[str, Any]) -> Document:
    """Lay out a task's table.

    Args:
        table: from ``task_table``, or read back.
        spec: ``task`` and ``source_language`` as the configuration names them, and
            ``layout``: interventions, tunings or random, as the table was made.
    """
    name, kind = spec["task"], spec["layout"]
    called = declared.named(name, declared.task_title(table))
    table, english = bridged_text.split(table)
    if table.empty:
        return Document(f"{called} {TITLES[kind]}", (Paragraph("No rows."),))
    what = bridged_text.TITLE if bridged_text.is_bridged(table) else TITLES[kind]
    metrics = declared.of_table(table)
    groups = declared.grouped(metrics)
    title = declared.group_title(groups[0])
    unit = declared.group_unit(groups[0])
    shown = without_pooled_seeds(table)
    each = "pair" if bridged_text.is_bridged(table) else "language"
    items = f"on {count(of_languages(table)['n'])} items per {each}."
    parts: list[Part] = [
        Paragraph(f"{_models(table, spec['source_language'])} {items}")
    ]
    explained = signs(table, kind)
    for heading, found in _sections(shown, kind):
        parts += [Heading(heading), *grids(found, groups, explained)]
    parts += bridged_text.against_english(english)
    parts += [Heading("In short"), Bullets.of(in_short(shown))]
    parts += [Heading("How to read it", folded=True)]
    parts.append(Bullets.of(*legend(table, kind, groups)))
    return Document(f"{called}: {title} {what}{unit}", tuple(parts))


def _models(table: pd.DataFrame, source: str) -> str:
    """Say what was tested: tuned models, the models as they are, or both."""
    untuned = table["tuning"] == BASE
    if untuned.all():
        return "Models as they are, not fine-tuned, tested"
    also = f", and as they are (`{BASE}`: not fine-tuned)" if untuned.any() else ""
    return f"Models tuned on `{source}`{also}, tested zero-shot"


def without_pooled_seeds(table: pd.DataFrame) -> pd.DataFrame:
    """Leave out single seeds of what is also pooled, to show each result once."""
    # What is pooled is of the first experiment that asks for one of the seeds.
    keys = [name for name in KEY if name not in ("seed", "experiment")]
    is_pooled = table["seed"] == POOLED
    pooled = set(table.loc[is_pooled, keys].itertuples(index=False, name=None))
    names = table[keys].itertuples(index=False, name=None)
    again = pd.Series([name in pooled for name in names], table.index)
    return table[is_pooled | ~again]


def _sections(shown: pd.DataFrame, layout: str) -> Iterator[tuple[str, Layout]]:
    """Yield headings and lines, experiment by experiment where there are several."""
    several = shown["experiment"].nunique() > 1
    for name in dict.fromkeys(shown["experiment"]):
        for heading, lines in _of_experiment(_beside(shown, name), layout):
            yield f"`{name}`: {heading}" if several else heading, lines


def _beside(shown: pd.DataFrame, experiment: str) -> pd.DataFrame:
    """Return the rows of an experiment, and what they are set against in others."""
    own = shown["experiment"] == experiment
    axes = ["model", "tuning", "seed", "lang"]
    places = set(shown.loc[own, axes].itertuples(index=False, name=None))
    same = [x in places for x in shown[axes].itertuples(index=False, name=None)]
    return shown[
        own | (pd.Series(same, shown.index) & (shown["statistic"] == NO_TREATMENT))
    ]


def _of_experiment(shown: pd.DataFrame, layout: str) -> Iterator[tuple[str, Layout]]:
    for seed, rows in _by_seed(shown, layout):
        which = "seeds pooled" if seed == POOLED else f"seed {seed}"
        section = Section(rows)
        if layout == "interventions":
            for tuning in section.tunings:
                heading = f"Tuning `{tuning}`, {which}"
                if tuning == BASE:
                    heading = f"Not fine-tuned (`{BASE}`)"
                for way, own in _by_way(rows[rows["tuning"] == tuning]):
                    yield heading + way, interventions(Section(own), tuning)
        elif layout == "tunings":
            for entry in entries(section):
                yield f"Tuning `{entry}`, {which}", tunings(section, entry)
        else:
            yield f"{which.capitalize()}", random(section)


def _by_way(rows: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Split treatments of neurons from those without any: their columns differ."""
    untreated = rows["statistic"] == NO_TREATMENT
    bare = rows["method"].isin((DIFFMEAN, PROMPT))
    if not bare.any() or (~bare & ~untreated).any():
        yield "", rows[~bare]
    for method in dict.fromkeys(rows.loc[bare, "method"]):
        yield f": {method}", rows[untreated | (rows["method"] == method)]


def _by_seed(shown: pd.DataFrame, layout: str) -> Iterator[tuple[str, pd.DataFrame]]:
    """Split a table by seed; beside tunings the model as it is stands in each part."""
    untuned = (shown["tuning"] == BASE) & (layout != "interventions")
    for seed in dict.fromkeys(shown.loc[~untuned, "seed"]):
        yield seed, shown[untuned | (shown["seed"] == seed)]
