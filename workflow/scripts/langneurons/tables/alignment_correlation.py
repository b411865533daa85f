"""What goes with alignment: zero-shot transfer, and what bridges gain."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

from langneurons import tasks
from langneurons.config.names import (
    BASE,
    BASE_SEED,
    UNTREATED,
    Bridged,
    TuningName,
)
from langneurons.grid import aligned_with, alignment
from langneurons.grid.aligned_with import GAIN
from langneurons.grid.axes import Row
from langneurons.grid.experiments.alignment import CORRELATION as NAME

from . import Table
from .common import alignment_files, alignment_points, columns, planned
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
from .common.evaluations import Evaluations
from .common.inputs import Reads
from .common.signs import INTERVAL, has_interval
from .common.words import NOTHING

if TYPE_CHECKING:
    from langneurons.config.schema import Config

    from .common.inputs import Inputs

COLUMNS = (
    Column("experiment", "that aligns languages", key=True),
    Column("model", "name in the configuration", key=True),
    Column("against", "transfer, as_is or bridge_gain", key=True),
    Column("task", "that is tested", key=True),
    Column("tuning", "of the model that is tested", key=True),
    Column("states", "value or binary", key=True),
    Column("measure", "of alignment: mutual, retrieval or gap", key=True),
    Column("n", "points: languages, or bridges of pairs", "count"),
    Column("groups", "that are resampled: languages, or pairs", "count"),
    Column("pearson", "correlation coefficient", "number", form="+.2f"),
    Column("pearson_low", "of its 95 % interval over groups", "number", form="+.2f"),
    Column("pearson_high", "its upper end", "number", form="+.2f"),
    Column("spearman", "rank correlation", "number", form="+.2f"),
    Column("spearman_low", "of its 95 % interval over groups", "number", form="+.2f"),
    Column("spearman_high", "its upper end", "number", form="+.2f"),
    Column("left_out", "why there is none"),
)
ABOUT = {
    aligned_with.TRANSFER: "zero-shot transfer",
    aligned_with.AS_IS: "score of the model as it is",
    GAIN: "gain of bridges",
}
WITH_INTERVAL = Sign(
    INTERVAL,
    "95 % bootstrap interval over languages, or over pairs",
    has_interval,
    "; with fewer than five there is none. Languages of one family, and pairs of one "
    "language, are not independent, which no interval knows",
)
POINTS = Sign(
    "*n*",
    "languages; of bridges, candidates *in* so many pairs",
    lambda title, _: title == "n",
)
LEGEND = (
    "- *zero-shot transfer*: a language's alignment with the pivot against the score "
    "of a model that was tuned\n  in the pivot, tested in the language without "
    "intervention (mean over seeds). To divide all scores by that\n  in the pivot, or "
    "to subtract it, would change no correlation.",
    "- *gain of bridges*: mean alignment of a candidate with source and target against "
    "its score minus that of\n  the direct way, within pairs: means of a pair are "
    "taken off first, and ranks are those within it.",
    POINTS.bullet,
    "- *score*: mean over items of the task's first metric of single items.",
    "- *retrieval*: the mean of both directions.",
    WITH_INTERVAL.bullet,
    "- Alignment and scores both rise with how much text of a language a model has "
    "seen: a correlation is no cause.",
)


def layout(table: pd.DataFrame) -> Document:
    """Lay out a grid of coefficients for each model and thing it is set against."""
    parts: list[Part] = []
    several = table["experiment"].nunique() > 1
    for key, own in table.groupby(["experiment", "model"], sort=False):
        experiment, model = map(str, key)
        parts.append(Heading(f"{experiment}, {model}" if several else model))
        there = own[own["measure"] != NOTHING]
        if not there.empty:
            titles = ["with", "task", "tuning", "states", "measure", "n", "Pearson",
                      "Spearman"]  # fmt: skip
            rows = [_row(row) for row in there.to_dict("records")]
            parts.append(
                grid(titles, rows, 5, fold=False, signs=[POINTS, WITH_INTERVAL])
            )
        for row in own[own["measure"] == NOTHING].to_dict("records"):
            of = "" if row["task"] == NOTHING else f" ({row['task']}, {row['tuning']})"
            said = f"No {ABOUT[row['against']]}{of}: {row['left_out']}."
            parts.append(Paragraph(said))
    if table.empty:
        parts.append(Paragraph("No rows."))
    parts += [Heading("How to read it", folded=True), Bullets.of(*LEGEND)]
    return Document("What goes with alignment", tuple(parts))


def _row(row: Mapping[Any, Any]) -> list[Cell | str]:
    shown = []
    for name in ("pearson", "spearman"):
        text = number(row[name], "+.2f")
        if not math.isnan(row[f"{name}_low"]):
            ends = (number(row[f"{name}_{end}"], "+.2f") for end in ("low", "high"))
            text += f" [{', '.join(ends)}]"
        shown.append(Cell(text, title=str(row["left_out"])))
    names = [str(row[name]) for name in ("task", "tuning", "states", "measure")]
    names[1] = code(names[1])
    points = f"{row['n']} in {row['groups']}" if row["against"] == GAIN else row["n"]
    return [ABOUT[row["against"]], *names, str(points), *shown]


class AlignmentCorrelation(Table):
    """Correlations of alignment with scores and with gains of bridges."""

    NAME = NAME
    COLUMNS = COLUMNS
    SHOWS = "whether languages that are aligned transfer better, and bridges gain more"
    PLACE = 50

    def names(self, config: Config) -> list[str]:
        return [self.NAME] if alignment.all_axes(config) else []

    def reads(self, config: Config, name: str) -> Reads:
        found = {(x.task, row): None for x in aligned_with.scored(config)
                 for row in x.rows}  # fmt: skip
        base = TuningName(BASE)
        for _, model, one in alignment.on_the_way(config):
            row = Row(model, base, BASE_SEED, str(one.pair), UNTREATED)
            for way in (UNTREATED, Bridged(one.candidate)):
                found[one.task, row.under(way)] = None
        return Reads(evaluations=list(found), alignments=alignment.asked_for(config))

    def spec(self, config: Config, name: str) -> dict[str, Any]:
        axes = alignment.all_axes(config)
        corpora = {name: alignment.corpus(config, one) for name, one in axes.items()}
        aligned = [
            [x.corpus, x.model, str(x.pair)] for x in alignment.asked_for(config)
        ]
        scored = aligned_with.scored(config)
        bridges = [
            [name, model, corpora[name], x.experiment, x.task, str(x.pair), x.candidate]
            for name, model, x in alignment.on_the_way(config)
        ]
        used = dict.fromkeys([*(x.task for x in scored), *(x[4] for x in bridges)])
        return {
            "rows": {
                "alignments": aligned,
                "pivots": {name: [corpora[name], x.pivot] for name, x in axes.items()},
                "scored": [
                    {
                        "place": [x.experiment, x.model, x.against, x.task, x.tuning],
                        "rows": [planned.axes_of(row) for row in x.rows],
                    }
                    for x in scored
                ],
                "bridges": bridges,
                "absent": [list(x) for x in aligned_with.absent(config)],
            },
            "kinds": {task: config.task(task).kind for task in used},
        }

    def build(self, spec: Mapping[str, Any], read: Inputs) -> pd.DataFrame:
        rows = spec["rows"]
        names = [tuple(x) for x in rows["alignments"]]
        paths = list(read.paths("alignments", len(names)))
        found = alignment_files.read_all(paths, names)
        metrics = {task: tasks.load(k).METRICS for task, k in spec["kinds"].items()}
        evaluated = Evaluations(read.files.get("evaluations", ()), metrics)
        points = [
            *alignment_points.of_scores(rows["scored"], rows["pivots"], evaluated),
            *alignment_points.of_bridges(rows["bridges"], evaluated),
        ]
        made = [line for each in points for line in alignment_points.lines(each, found)]
        made += [_left_out(*given) for given in rows["absent"]]
        return columns.frame(made, COLUMNS)

    def layout(self, table: pd.DataFrame, spec: Mapping[str, Any]) -> Document:
        return layout(table)


def _left_out(experiment: str, model: str, against: str, why: str) -> dict[str, Any]:
    unknown = dict.fromkeys(("task", "tuning", "states", "measure"), NOTHING)
    place = {"experiment": experiment, "model": model, "against": against}
    return place | unknown | {"n": 0, "groups": 0, "left_out": why}


TABLE = AlignmentCorrelation()
