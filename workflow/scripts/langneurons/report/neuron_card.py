"""The card of a model's neuron files: what they hold, and what overwriting does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from langneurons.config.names import BASE, target_of
from langneurons.jobs import manifests
from langneurons.neurons.neuron_sets import NeuronSets
from langneurons.tables.common.document import (
    Bullets,
    Document,
    Heading,
    Paragraph,
    Part,
    grid,
)
from langneurons.tables.common.metrics import Shown
from langneurons.tables.common.task_columns import of_languages
from langneurons.tables.common.words import RANDOM

from . import cards

FORMAT = (
    "Each `method.language_set.json` has, under `neurons`, language -> layer -> ids of "
    "MLP neurons (dimensions of the gate's output), both counted from 0, and beside it "
    "what they were found with. `random` methods are controls: as many neurons in each "
    "layer, drawn at random."
)
USE = """\
```yaml
methods:
  theirs: {kind: published, parameters: {path: %s}}
```"""
OF_OTHERS = (
    "# Some of the neurons are other people's, and their licence is not known here: "
    "look it up, and\n# write what holds for all in its place.\n"
)


def write(
    spec: Mapping[str, Any],
    neurons: Sequence[Path],
    manifest: Path,
    *,
    tables: Sequence[Path],
    out: Path,
) -> None:
    """Write a card.

    Args:
        spec: of ``card_specs.CardSpecs.neuron_card``.
        neurons: files of the selections that it describes.
        manifest: of the pinned model.
        tables: of tasks that the model is tested on; perhaps none.
        out: the card.
    """
    sets = [NeuronSets.read(path) for path in neurons]
    _, base = cards.base_of(manifests.read_model(manifest))
    named = [lang for one in sets for lang in one.languages]
    others = [name for name, one in spec["selections"].items() if one["others"]]
    hubs = [corpus["hub"] for corpus in spec["corpora"].values() if corpus["hub"]]
    head = {
        "pretty_name": f"Language-specific neurons of {spec['model']}",
        "language": cards.languages(named),
        "license": (not others and spec["license"]) or cards.UNKNOWN_LICENSE,
        "source_datasets": [hub["repo"] for hub in hubs],
        "tags": ["language-specific-neurons", "interpretability"],
        "viewer": False,
    }
    parts = [
        Paragraph(f"Neurons of {base}, by language. {FORMAT}"),
        Heading("Use them"),
        Paragraph(
            f"With langneurons, as a method:\n\n{USE % neurons[0].name}\n\nThen "
            f"`snakemake results/neurons/{spec['model']}/theirs.{sets[0].language_set}"
            ".pth`, with the names that its model and languages have there, writes the "
            "lists of Tang et al. (2024), language by layer."
        ),
        Heading("How they were found"),
        Bullets(tuple(_found(spec, sets))),
        Heading("How many there are"),
        _counts(sets),
        Heading("What overwriting them does"),
        *_effects(spec, cards.read_scores(tables)),
        Heading("Licence"),
        *_licence(spec, base, others),
    ]
    title = f"Language-specific neurons of {spec['model']}"
    remark = OF_OTHERS if others else cards.OF_BASE
    cards.write(out, head, Document(title, tuple(parts)), unknown=remark)


def _name(one: NeuronSets) -> str:
    return f"{one.method}.{one.language_set}"


def _found(spec: Mapping[str, Any], sets: Sequence[NeuronSets]) -> Iterator[str]:
    for one in sets:
        about = spec["selections"][_name(one)]
        kept = {k: v for k, v in one.parameters.items() if k not in about["files"]}
        shown = ", ".join(f"{k}: {v}" for k, v in sorted(kept.items())) or "none"
        if about["imported"]:
            yield f"`{_name(one)}`: found by others, taken over from a file"
            continue
        how = f"`{_name(one)}`: kind `{one.kind}` at `{one.site}`, parameters: {shown}"
        if about["corpus"] is None:
            yield f"{how}; made from neurons that others found"
            continue
        corpus = spec["corpora"][about["corpus"]]
        text = "text of its maker's, which is on no hub"
        if hub := corpus["hub"]:
            part = f", configuration `{hub['config']}`" if hub["config"] else ""
            text = f"`{hub['repo']}`{part}, revision `{hub['revision']}`"
        yield f"{how}; {corpus['tokens']:,} tokens per language at most of {text}"


def _licence(
    spec: Mapping[str, Any], base: str, others: Sequence[str]
) -> Iterator[Part]:
    """Say what holds for the neurons that were found here, and for other people's."""
    if len(others) < len(spec["selections"]):
        yield Paragraph(cards.license_text(spec["license"], base))
    if others:
        named = ", ".join(f"`{name}`" for name in others)
        yield Paragraph(
            f"{named}: found by others, or made from what they found. The terms of "
            "those who published them hold, and are not known to the configuration. "
            "Look them up before you pass this on."
        )


def _counts(sets: Sequence[NeuronSets]) -> Part:
    named = dict.fromkeys(lang for one in sets for lang in one.languages)
    lines = []
    for one in sets:
        counts = one.counts
        own = [f"{counts[lang]:,}" if lang in counts else "" for lang in named]
        lines.append([_name(one), f"{one.layers * one.intermediate_size:,}", *own])
    return grid(("selection", "of", *named), lines, names=1)


def _effects(spec: Mapping[str, Any], scores: pd.DataFrame) -> Iterator[Part]:
    """Set what overwriting a language's neurons does beside that of random ones."""
    own = of_languages(scores[scores["model"] == spec["model"]])
    own = own[own["neuron_lang"] == own["lang"].map(target_of)]
    chosen = own[(own["method"] + "." + own["langset"]).isin(spec["selections"])]
    controls = own[own["method"] == RANDOM]
    lines = []
    for row in chosen[chosen["delta"].notna()].to_dict("records"):
        tuned = "" if row["tuning"] == BASE else f", {row['tuning']}"
        what = f"{row['table']}{tuned}, seed {row['seed']}"
        named = f"{row['method']}.{row['langset']}"
        metric = Shown.read(row).word
        line = [named, what, row["lang"], row["statistic"], metric, f"{row['n']:,}"]
        lines.append([*line, cards.change(row), _beside(row, controls)])
    if not lines:
        yield Paragraph("No table of their study has changes by overwriting them.")
        return
    titles = ("selection", "task", "language", "statistic", "metric", "items")
    yield grid((*titles, "change", "random neurons"), lines, names=5)
    yield Paragraph(
        f"{cards.INTERVALS} A change is against the same model left alone; the "
        "statistic, of the language's own text, is written into its neurons. Of random "
        "neurons: the mean change over draws, and its range, where any were drawn. A "
        "change that they have too is none of the language."
    )


def _beside(row: Mapping[Any, Any], controls: pd.DataFrame) -> str:
    """Write the mean change by random neurons as many as a row's, and its range."""
    same = controls["matched"] == row["method"]
    for name in ("langset", "tuning", "seed", "lang", "statistic", "metric", "table"):
        same &= controls[name] == row[name]
    found = controls.loc[same, "delta"].dropna()
    if found.empty:
        return ""
    shown = Shown.read(row)
    low, high = shown.change(found.min()), shown.change(found.max())
    return f"{shown.change(found.mean())}{shown.points} ({low} to {high})"
