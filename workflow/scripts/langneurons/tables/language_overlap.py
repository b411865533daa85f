"""Neurons that any two languages share, beside their families."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from langneurons import similarities
from langneurons.config.names import Selection
from langneurons.grid import bridges
from langneurons.grid.experiments.bridges import OVERLAP as NAME
from langneurons.neurons.neuron_sets import NeuronSets
from langneurons.similarities import family

from . import Table
from .common import columns, inputs
from .common.columns import Column
from .common.document import (
    Bullets,
    Cell,
    Document,
    Grid,
    Heading,
    Paragraph,
    Part,
    Sign,
    code,
    grid,
    number,
)
from .common.inputs import Reads
from .common.signs import has_parentheses, is_bold

if TYPE_CHECKING:
    from langneurons.config.schema import Config

    from .common.inputs import Inputs

COLUMNS = (
    Column("model", "name in the configuration", key=True),
    Column("selection", "whose neurons", key=True),
    Column("lang", "a language of its set", key=True),
    Column("other", "another one", key=True),
    Column("family", "of the first, as the configuration says"),
    Column("other_family", "of the other"),
    Column("kin", "yes: both are of one family; empty: a family is not named"),
    Column("n_lang", "neurons of the first", "count"),
    Column("n_other", "neurons of the other", "count"),
    Column("shared", "neurons that both have", "count"),
    Column("jaccard", "shared, divided by the neurons of either", "number", form=".3f"),
    Column("layers", "layers in which they share neurons", "count"),
)
CELLS = Sign(
    "Cells",
    "neurons that both languages have and, in parentheses, their Jaccard index",
    has_parentheses,
    ": shared neurons divided by those of either",
)
KIN = Sign("**Bold**", "both languages are of one family", is_bold)
LEGEND = (
    CELLS.bullet,
    KIN.bullet,
    "- Families are those of the similarity of kind family, and not measured.",
)


def overlap(
    model: str, selection: str, sets: NeuronSets, families: Mapping[str, str]
) -> Iterator[dict[str, Any]]:
    """Yield a line for any two languages of a set.

    Args:
        model: its name.
        selection: method.language_set.
        sets: their neurons.
        families: of languages, as far as they are named.
    """
    masks = {lang: sets.mask(lang) for lang in sets.languages}
    for a, b in combinations(masks, 2):
        both = masks[a] & masks[b]
        either = int(np.count_nonzero(masks[a] | masks[b]))
        of = families.get(a, ""), families.get(b, "")
        shared = int(np.count_nonzero(both))
        yield {
            "model": model,
            "selection": selection,
            "lang": a,
            "other": b,
            "family": of[0],
            "other_family": of[1],
            "kin": ("yes" if of[0] == of[1] else "no") if all(of) else "",
            "n_lang": int(np.count_nonzero(masks[a])),
            "n_other": int(np.count_nonzero(masks[b])),
            "shared": shared,
            "jaccard": shared / either if either else None,
            "layers": int(both.any(axis=1).sum()),
        }


def layout(table: pd.DataFrame) -> Document:
    """Lay out a triangle of counts for each model, and what kinship goes with."""
    parts: list[Part] = []
    for (model, selection), own in table.groupby(["model", "selection"], sort=False):
        parts += [Heading(f"{model}, neurons of {code(selection)}"), _triangle(own)]
        of = {name: own.loc[own["kin"] == name, "jaccard"] for name in ("yes", "no")}
        if all(len(values) for values in of.values()):
            said = (
                "Mean Jaccard index of two languages of one family: "
                f"{number(of['yes'].mean(), '.3f')} (pairs: {len(of['yes'])}); of two "
                f"families: {number(of['no'].mean(), '.3f')} ({len(of['no'])})."
            )
            parts.append(Paragraph(said))
    if not parts:
        parts.append(Paragraph("No rows."))
    parts += [Heading("How to read it", folded=True), Bullets.of(*LEGEND)]
    return Document("Neurons that languages share", tuple(parts))


def _triangle(own: pd.DataFrame) -> Grid:
    names = list(dict.fromkeys([*own["lang"], *own["other"]]))
    cells = {(r["lang"], r["other"]): r for r in own.to_dict("records")}
    sizes = dict(zip(own["lang"], own["n_lang"], strict=True))
    sizes |= dict(zip(own["other"], own["n_other"], strict=True))
    families = dict(zip(own["lang"], own["family"], strict=True))
    families |= dict(zip(own["other"], own["other_family"], strict=True))
    lines: list[list[Cell | str]] = [
        [
            a,
            families[a],
            f"{sizes[a]:,}",
            *(_cell(cells.get((a, b))) for b in names[1:]),
        ]
        for a in names[:-1]
    ]
    titles = ["", "family", "neurons", *names[1:]]
    return grid(titles, lines, 2, fold=False, references=1, signs=[CELLS, KIN])


def _cell(row: Mapping[Any, Any] | None) -> Cell:
    if row is None:
        return Cell("")
    text = f"{row['shared']:,} ({number(row['jaccard'], '.2f')})"
    return Cell(text, "own" if row["kin"] == "yes" else "")


class LanguageOverlap(Table):
    """Shared neurons of the languages among which bridges are chosen."""

    NAME = NAME
    COLUMNS = COLUMNS
    SHOWS = "the neurons that languages share, beside their families"
    PLACE = 48

    def names(self, config: Config) -> list[str]:
        return [self.NAME] if bridges.all_axes(config) else []

    def reads(self, config: Config, name: str) -> Reads:
        return Reads(neurons=_compared(config))

    def spec(self, config: Config, name: str) -> dict[str, Any]:
        rows = [[model, str(selection)] for model, selection in _compared(config)]
        return {"rows": {"neurons": rows, "families": _families(config)}}

    def build(self, spec: Mapping[str, Any], read: Inputs) -> pd.DataFrame:
        rows = spec["rows"]["neurons"]
        sets = inputs.read_neurons(read, [" ".join(names) for names in rows])
        families = spec["rows"]["families"]
        lines = [
            line
            for model, selection in rows
            for line in overlap(
                model, selection, sets[f"{model} {selection}"], families
            )
        ]
        return columns.frame(lines, COLUMNS)

    def layout(self, table: pd.DataFrame, spec: Mapping[str, Any]) -> Document:
        return layout(table)


def _families(config: Config) -> dict[str, str]:
    """Return the family of each language that one is named of.

    By similarities that choose bridges; others of the configuration say nothing here.
    """
    found = dict(family.STUDY)
    for entry in map(config.similarity, bridges.similarities(config)):
        if family.SIMILARITY is similarities.load(entry.kind):
            found |= family.Parameters.model_validate(entry.parameters).families
    return found


def _compared(config: Config) -> list[tuple[str, Selection]]:
    """List the models that bridges are chosen for, with the selection."""
    models = dict.fromkeys(model for model, _ in bridges.asked_for(config))
    return [(model, bridges.selection(config)) for model in models]


TABLE = LanguageOverlap()
