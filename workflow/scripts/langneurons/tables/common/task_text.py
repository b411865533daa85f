"""Task tables laid out for reading, like the paper's."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from langneurons.config.names import BASE, NO_TREATMENT

from . import bridged_text
from . import metrics as declared
from .document import Bullets, Document, Heading, Paragraph, Part, count
from .metrics import RESUMMED, Shown
from .task_layouts import entries, interventions, random, tunings
from .task_lines import Line, Section, grids
from .task_table import KEY, is_control, is_marked, of_languages
from .words import (
    ATTENTION,
    BRIDGE,
    DIFFMEAN,
    EMPTY_LEGEND,
    LEVEL,
    NOTHING,
    POOLED,
    PROMPT,
    WITHOUT_NEURONS,
    is_empty,
    neurons,
)

TITLES = {
    "interventions": "under interventions",
    "tunings": "after fine-tuning neurons",
    "random": "after fine-tuning random neurons",
}
LEGEND = """\
- *No Int*: no intervention, with its 95 % interval [Wilson for right or wrong answers,
  bootstrap over items for scores].
- The other columns: the named statistic of the language is written into its neurons.
- ▲ ▼: higher or lower than *No Int* on the same items, p < 0.05 after Holm's correction
  over all comparisons of the same model and metric that may be marked here; exact
  McNemar test for right or wrong answers, paired permutation test for scores. No mark:
  no such difference was found. Random neurons are a control and are not tested."""
TUNING_LEGEND = """\
- *fine-tuned*: the languages whose neurons were tuned. The lines without languages are
  tunings without selected neurons, to compare with; `attention` is tuned everywhere,
  unless the configuration says otherwise."""
MARK_LEGEND = """\
- ▲ ▼ at *No Int*: higher or lower than `attention` without intervention on the same
  items and seed"""
BESIDE_LEGENDS = {
    ATTENTION: """\
- *attention*, *language neurons* [95 % interval]: tuning of the attention alone, and of
  the neurons of the named languages too.""",
    BASE: """\
- *base*, *language neurons* [95 % interval]: the model as it is, and after tuning of
  the neurons of the named languages.""",
}
RANDOM_LEGEND = """\
- ▲ ▼: higher or lower than *{reference}* on the same items{seed}, p < 0.05 after
  Holm's correction over all comparisons of the same model and metric that the table of
  selected neurons alone may mark, so that both mark the same; exact McNemar test for
  right or wrong answers, paired permutation test for scores. No mark: no such
  difference was found.
- *random neurons*: as many random neurons in each layer are tuned instead; mean
  [lowest, highest] draw. They are a control and are not tested."""
BASE_LEGEND = """\
- `base`: the model as it is, not fine-tuned; it has no seed."""
SHARED_LEGEND = """\
- *random*: as many random neurons in each layer; mean [lowest, highest] draw."""
PUBLISHED_LEGEND = """\
- (in parentheses): the value published for the same cell, where there is one."""
PAIR_LEGEND = (
    "- {title}: {about}; *published*: the values of the line above it in the paper."
)
CORPUS_LEGEND = (
    "- {titles}: a number of all items together; without intervals, tests and marks."
)
RESUMMED_LEGEND = (
    "- {titles}: a number of all items together, made of statistics of single items; "
    "interval and test are those of a bootstrap that sums them up anew."
)
POOLED_LEGEND = """\
- *pooled*: mean over seeds; the interval is for other seeds and other items, and the
  test is that of each item's mean over the seeds."""
MATRIX_LEGEND = """\
- *of* a language: its neurons are overwritten. Where there are several, those of other
  languages than the items' are not tested; values have their 95 % interval instead."""
MEAN_LEGEND = (
    "- *mean of* languages, which are taken as given: each counts alike, with its own "
    "neurons; {target}the interval is a bootstrap over items, an item with all the "
    "languages that have it, and the test flips signs of items; Holm's correction is "
    "over means alone."
)
STEERING_LEGENDS = {
    DIFFMEAN: """\
- *diffmean*: no neurons; the mean difference of the named language from the others is
  added to the output of a decoder layer, `l12-s2`: twice, at layer 12 (from 0).""",
    PROMPT: """\
- *prompt*: nothing is written; an instruction that names the language stands before
  every item.""",
}
LAST_LEGEND = """\
- The `.tsv` file beside this one has every seed, draw, interval and p-value, and the
  smallest difference that each test could have found."""


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
    for heading, (header, lines) in _sections(shown, kind):
        written = grids(header, lines, groups) if lines else []
        parts += [Heading(heading), *written[:1]]
        if written[1:]:
            parts += [Paragraph("Other metrics:"), *written[1:]]
    parts += bridged_text.against_english(english)
    parts += [Heading("In short"), Bullets.of(in_short(of_languages(shown)))]
    parts += [Heading("How to read it", folded=True)]
    parts.append(Bullets.of(*_legend(table, kind, groups)))
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


def _sections(
    shown: pd.DataFrame, layout: str
) -> Iterator[tuple[str, tuple[list[str], list[Line]]]]:
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


def _of_experiment(
    shown: pd.DataFrame, layout: str
) -> Iterator[tuple[str, tuple[list[str], list[Line]]]]:
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


def _legend(
    table: pd.DataFrame, layout: str, groups: Sequence[Sequence[Shown]]
) -> list[str]:
    against = [x for x in (ATTENTION, BASE) if (table["against"] == x).any()]
    only_base = against == [BASE]
    if layout == "random":
        reference, seed = (BASE, "") if only_base else (ATTENTION, " and seed")
        marks = RANDOM_LEGEND.format(reference=reference, seed=seed)
        parts = [BESIDE_LEGENDS[reference], marks]
    else:
        parts = [bridged_text.LEGEND if bridged_text.is_bridged(table) else LEGEND]
    if layout == "tunings":
        parts += [TUNING_LEGEND, _marks(against)]
    if (table["tuning"] == BASE).any():
        parts.append(BASE_LEGEND)
    marked, controls = is_marked(table), table.apply(is_control, axis=1).astype(bool)
    if layout != "random" and controls.any():
        parts.append(SHARED_LEGEND)
    if (~marked[~controls & table["p_value"].notna()]).any():
        parts.append(MATRIX_LEGEND)
    if len(of_languages(table)) < len(table):
        tuned = "" if layout == "interventions" else "`target` is its own tuning; "
        parts.append(_wrapped(MEAN_LEGEND, target=tuned))
    parts += [text for x, text in STEERING_LEGENDS.items() if x in set(table["method"])]
    if table.apply(is_empty, axis=1).any():
        parts.append(EMPTY_LEGEND)
    if len(groups[0]) > 1:
        about = declared.group_about(groups[0])
        parts.append(
            _wrapped(PAIR_LEGEND, title=declared.group_title(groups[0]), about=about)
        )
    elif table["published"].notna().any():
        parts.append(PUBLISHED_LEGEND)
    if (table["seed"] == POOLED).any():
        parts.append(POOLED_LEGEND)
    untested = [x.metric_title for g in groups for x in g if not x.is_tested]
    if untested:
        parts.append(_wrapped(CORPUS_LEGEND, titles=", ".join(untested)))
    summed = [x.metric_title for g in groups for x in g if x.metric_kind == RESUMMED]
    if summed:
        parts.append(_wrapped(RESUMMED_LEGEND, titles=", ".join(summed)))
    return [*parts, LAST_LEGEND]


def _marks(against: list[str]) -> str:
    """Say what the tunings of a table are set against: attention, base or both."""
    if against == [BASE]:
        return MARK_LEGEND.replace(ATTENTION, BASE).replace(" and seed", "") + "."
    also = f"; at `{ATTENTION}` itself, than `{BASE}` on the same items"
    return f"{MARK_LEGEND}{also if BASE in against else ''}."


def _wrapped(legend: str, **words: str) -> str:
    text = legend.format(**words)
    return textwrap.fill(text, 88, subsequent_indent="  ", break_on_hyphens=False)


def in_short(shown: pd.DataFrame) -> str:
    """Sum up a table: strongest and weakest effects, clear ones, controls, power.

    Args:
        shown: rows of a task table, each result once.
    """
    is_random = shown.apply(is_control, axis=1)
    marked = is_marked(shown)
    metrics = declared.of_table(shown)
    primary = next(iter(metrics.values()))
    lines: list[str] = []
    for against in (NO_TREATMENT, ATTENTION, BASE):
        what = "intervention" if against == NO_TREATMENT else "tuning"
        what = BRIDGE if bridged_text.is_bridged(shown) else what
        rows = shown[shown["against"] == against]
        tested = rows[marked[rows.index]]
        lines += _effects(tested, what, metrics)
        lines += _controls(rows[is_random[rows.index]], what, primary)
    compared = shown[(shown["against"] != NOTHING) & marked]
    found = compared[compared["metric"] == primary.name]["detectable"]
    if found.notna().any():
        low, middle, high = map(
            primary.value, (found.min(), found.median(), found.max())
        )
        lines.append(
            f"- Smallest difference in {primary.metric_title} that a test could have "
            "found (80 % power, before Holm's correction): "
            f"{low} to {high}{primary.points}, median {middle}."
        )
    return "\n".join(lines) or "- The table compares nothing."


def _effects(
    tested: pd.DataFrame, what: str, metrics: Mapping[str, Shown]
) -> list[str]:
    if tested.empty:
        return []
    first = next(iter(metrics.values()))
    primary = tested[tested["metric"] == first.name]
    order = primary.sort_values("delta", key=abs, kind="stable", ascending=False)
    against = f" against `{order['against'].iloc[0]}`" if what == "tuning" else ""
    lines = [
        f"- Strongest {what}{against}: {_one_line(order.iloc[0], first)}",
        f"- Weakest {what}{against}: {_one_line(order.iloc[-1], first)}",
    ]
    for name, metric in metrics.items():
        rows = tested[tested["metric"] == name]
        change = f"{metric.change(rows['delta'].mean())}{metric.points}"
        if not metric.is_tested:
            lines.append(
                f"- The mean change of {metric.metric_title} by {len(rows)} {what}s is "
                f"{change}; it is of all items together and not tested."
            )
            continue
        clear = rows[rows["p_holm"] < LEVEL]["delta"]
        lines.append(
            f"- Of {len(rows)} {what}s {int((clear > 0).sum())} raise and "
            f"{int((clear < 0).sum())} lower {metric.metric_title} significantly; "
            f"the mean change is {change}."
        )
    return lines


def _one_line(row: Any, metric: Shown) -> str:
    low, high = metric.change(row["delta_ci_low"]), metric.change(row["delta_ci_high"])
    what = str(row["tuning"])
    if row["statistic"] != NO_TREATMENT:
        prefix = {ATTENTION: "", BASE: "not fine-tuned, "}.get(what, f"tuned {what}, ")
        of, value = neurons(row["method"], row["langset"]), row["statistic"]
        what = f"{prefix}{of if of == value else f'{of}.{value}'}"
    if row["method"] == BRIDGE:
        what = row["statistic"]
    number = ""
    counted = row["method"] not in WITHOUT_NEURONS and not pd.isna(row["n_neurons"])
    if row["against"] == NO_TREATMENT and counted:
        number = f" ({row['n_neurons']:,} neurons)"
    tested = f" [{low}, {high}], Holm p = {row['p_holm']:.2g}"
    return (
        f"{row['model']} {what} on {row['lang']}, {metric.change(row['delta'])}"
        f"{metric.points}{tested if metric.is_tested else ''}{number}"
    )


def _controls(rows: pd.DataFrame, what: str, metric: Shown) -> list[str]:
    """Sum up random neurons: overwritten, or tuned."""
    if rows.empty:
        return []
    primary = rows[rows["metric"] == metric.name]["delta"]
    low, high = metric.change(primary.min()), metric.change(primary.max())
    name = "Random neurons" if what == "intervention" else "Tuning of random neurons"
    return [
        f"- {name}: mean change {metric.change(primary.mean())}{metric.points} over "
        f"{len(primary)} results, from {low} to {high}."
    ]
