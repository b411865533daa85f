"""How well neuron states of sentences in each language match those of translations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from langneurons.grid import alignment
from langneurons.grid.experiments.alignment import TABLE as NAME

from . import Table
from .common import alignment_files, columns
from .common.alignment_files import Measured
from .common.columns import Column
from .common.document import (
    Bullets,
    Cell,
    Document,
    Heading,
    Paragraph,
    Part,
    Sign,
    code,
    grid,
    number,
)
from .common.inputs import Reads
from .common.signs import INTERVAL, has_interval

if TYPE_CHECKING:
    from langneurons.config.schema import Config

    from .common.inputs import Inputs

COLUMNS = (
    Column("experiment", "of the configuration", key=True),
    Column("model", "name in the configuration", key=True),
    Column("lang", "language of the sentences", key=True),
    Column("states", "value: means over tokens; binary: whether above zero", key=True),
    Column("pivot", "language of the translations"),
    Column("corpus", "of the sentences"),
    Column("site", "where values are taken"),
    Column("sentences", "pairs that are compared", "count"),
    Column("layers", "over which measures are averaged", "count"),
    Column("mutual", "pairs that find each other", "number", form=".3f"),
    Column("mutual_low", "of its 95 % interval over sentences", "number", form=".3f"),
    Column("mutual_high", "its upper end", "number", form=".3f"),
    Column("to_pivot", "sentences that find their translation", "number", form=".3f"),
    Column("from_pivot", "translations that find theirs", "number", form=".3f"),
    Column("gap", "cosine of pairs minus that of others", "number", form=".4f"),
    Column("gap_low", "of its 95 % interval over sentences", "number", form=".4f"),
    Column("gap_high", "its upper end", "number", form=".4f"),
    Column("peak_layer", "with the most mutual pairs, from 0", "count"),
    Column("peak", "mutual pairs there", "number", form=".3f"),
)
INTRODUCTION = """\
Neuron states of sentences beside those of their translations: what is aligned has the
same neurons on for the same meaning, whatever the language."""
MEASURES = Sign(
    "*mutual*",
    "share of sentences that find their translation as the nearest of all by cosine, "
    "and are found by it; *to*, *from*: each direction alone; *gap*: mean cosine of "
    "translations minus that of all other pairs; *peak*: the layer with the most "
    "mutual pairs, from 0; all others are means over layers",
    lambda title, _: title == "mutual",
    ". A tie finds nothing",
)
OF_SENTENCES = Sign(INTERVAL, "95 % bootstrap interval over sentences", has_interval)
LEGEND = (
    MEASURES.bullet,
    "- *value*: a neuron's mean over the tokens of a sentence; *binary*: whether that "
    "mean is above zero.",
    OF_SENTENCES.bullet,
    "- Chance finds one sentence of as many as there are.",
    "- Names, numbers and words that languages share are found without any meaning; "
    "kin languages have more of them.",
)


def lines(
    places: Sequence[Sequence[str]],
    found: Mapping[tuple[str, str, str], Mapping[str, Measured]],
) -> Iterator[dict[str, Any]]:
    """Yield a line for each language and kind of states.

    Args:
        places: experiment, corpus, model, pair, language and pivot of each.
        found: by corpus, model and pair.
    """
    for experiment, corpus, model, pair, lang, pivot in places:
        forward = pair.startswith(f"{lang}-")
        for states, one in found[corpus, model, pair].items():
            line: dict[str, Any] = {"experiment": experiment, "model": model}
            line |= {"lang": lang, "states": states, "pivot": pivot, "corpus": corpus}
            line |= {"site": one.site, "sentences": one.sentences}
            line |= {"layers": len(one.by_layer["mutual"])}
            for name in ("mutual", "gap"):
                ends = (name, f"{name}_low", f"{name}_high")
                line |= dict(zip(ends, one.over_layers[name], strict=True))
            ways = ("forward", "backward") if forward else ("backward", "forward")
            for name, way in zip(("to_pivot", "from_pivot"), ways, strict=True):
                line[name] = one.over_layers[way][0]
            peak = int(np.argmax(one.by_layer["mutual"]))
            yield line | {"peak_layer": peak, "peak": one.by_layer["mutual"][peak]}


def layout(table: pd.DataFrame) -> Document:
    """Lay out a grid for each experiment and model, languages down."""
    parts: list[Part] = [Paragraph(INTRODUCTION)]
    several = table["experiment"].nunique() > 1
    keys = ["experiment", "model", "states"]
    for key, own in table.groupby(keys, sort=False):
        experiment, model, states = map(str, key)
        front = f"{experiment}, " if several else ""
        first = own.iloc[0]
        about = f"{first['sentences']} sentences of {code(first['corpus'])}"
        about += f", {code(first['site'])}"
        parts.append(Heading(f"{front}{model}: {states} ({about})"))
        pivot = str(first["pivot"])
        titles = ["", "mutual", f"to {pivot}", f"from {pivot}", "gap", "peak"]
        rows = [_row(row) for row in own.to_dict("records")]
        signs = [MEASURES, OF_SENTENCES]
        parts.append(grid(titles, rows, 1, fold=False, signs=signs))
    if table.empty:
        parts.append(Paragraph("No rows."))
    parts += [Heading("How to read it", folded=True), Bullets.of(*LEGEND)]
    return Document("Alignment of languages", tuple(parts))


def _row(row: Mapping[Any, Any]) -> list[Cell | str]:
    mutual, gap = (
        f"{number(row[name], form)} [{number(row[f'{name}_low'], form)}, "
        f"{number(row[f'{name}_high'], form)}]"
        for name, form in (("mutual", ".3f"), ("gap", ".4f"))
    )
    ways = (number(row[name], ".3f") for name in ("to_pivot", "from_pivot"))
    peak = f"{number(row['peak'], '.2f')} (layer {row['peak_layer']})"
    return [str(row["lang"]), mutual, *ways, gap, peak]


class Alignment(Table):
    """Languages of each experiment of kind alignment, beside its pivot."""

    NAME = NAME
    COLUMNS = COLUMNS
    SHOWS = "how well neuron states of languages match on parallel sentences"
    PLACE = 49

    def names(self, config: Config) -> list[str]:
        return [self.NAME] if alignment.all_axes(config) else []

    def reads(self, config: Config, name: str) -> Reads:
        found = {one: None for _, _, one in alignment.with_pivot(config)}
        return Reads(alignments=list(found))

    def spec(self, config: Config, name: str) -> dict[str, Any]:
        pivots = {name: axes.pivot for name, axes in alignment.all_axes(config).items()}
        places = [
            [name, one.corpus, one.model, str(one.pair), lang, pivots[name]]
            for name, lang, one in alignment.with_pivot(config)
        ]
        return {"rows": {"places": places}}

    def build(self, spec: Mapping[str, Any], read: Inputs) -> pd.DataFrame:
        places = spec["rows"]["places"]
        names = list(dict.fromkeys(tuple(place[1:4]) for place in places))
        paths = list(read.paths("alignments", len(names)))
        found = alignment_files.read_all(paths, names)
        return columns.frame(list(lines(places, found)), COLUMNS)

    def layout(self, table: pd.DataFrame, spec: Mapping[str, Any]) -> Document:
        return layout(table)


TABLE = Alignment()
