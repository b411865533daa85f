"""What goes with alignment: zero-shot transfer, and what bridges gain."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
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
from langneurons.neurons.aligned_languages import STATES
from langneurons.stats.correlations import LEAST, correlate

from . import Table
from .common import alignment_files, columns, planned
from .common.alignment_files import RETRIEVAL, Measured
from .common.columns import Column
from .common.document import (
    Bullets,
    Cell,
    Document,
    Heading,
    Paragraph,
    Part,
    grid,
    number,
)
from .common.evaluations import Evaluation, Evaluations
from .common.inputs import Reads
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
MEASURES = ("mutual", RETRIEVAL, "gap")
ABOUT = {
    aligned_with.TRANSFER: "zero-shot transfer",
    aligned_with.AS_IS: "score of the model as it is",
    GAIN: "gain of bridges",
}
LEGEND = (
    "- *zero-shot transfer*: a language's alignment with the pivot against the score "
    "of a model that was tuned\n  in the pivot, tested in the language without "
    "intervention (mean over seeds). To divide all scores by that\n  in the pivot, or "
    "to subtract it, would change no correlation.",
    "- *gain of bridges*: mean alignment of a candidate with source and target against "
    "its accuracy minus that of\n  the direct way, within pairs: means of a pair are "
    "taken off first, and ranks are those within it.",
    "- *retrieval*: the mean of both directions. [low, high]: 95 % bootstrap over "
    "languages, or over pairs; with\n  fewer than five there is none. Languages of one "
    "family, and pairs of one language, are not independent,\n  which no interval "
    "knows.",
    "- Alignment and scores both rise with how much text of a language a model has "
    "seen: a correlation is no cause.",
)


class Points(NamedTuple):
    """Two numbers of the points of one correlation, by group.

    Attributes:
        place: experiment, model, against, task, tuning.
        groups: of each group its points: how to score it, and the other number.
    """

    place: tuple[str, ...]
    groups: Sequence[tuple[Sequence[Sequence[tuple[str, str, str]]], Sequence[float]]]


Found = Mapping[tuple[str, str, str], Mapping[str, Measured]]


def lines(points: Points, found: Found) -> Iterator[dict[str, Any]]:
    """Yield a line for each kind of states and measure.

    Args:
        points: each has the keys of one or more alignments, whose mean is taken.
        found: alignments by corpus, model and pair.
    """
    within = points.place[2] == GAIN
    for states in STATES:
        for measure in MEASURES:
            groups = [
                (
                    [
                        np.mean([found[key][states].score(measure) for key in keys])
                        for keys in some
                    ],
                    numbers,
                )
                for some, numbers in points.groups
            ]
            line: dict[str, Any] = dict(zip(columns.key(COLUMNS), points.place,
                                            strict=False))  # fmt: skip
            line |= {"states": states, "measure": measure}
            used = [g for g in groups if not within or len(g[0]) > 1]
            line |= {"n": sum(len(x) for x, _ in used), "groups": len(used)}
            for name, ranks in (("pearson", False), ("spearman", True)):
                value = correlate(groups, ranks=ranks, within=within)
                ends = (name, f"{name}_low", f"{name}_high")
                line |= dict(zip(ends, value, strict=True))
            if math.isnan(line["pearson"]):
                few = line["n"] < LEAST
                line["left_out"] = (
                    f"{line['n']} points; at least {LEAST} are needed"
                    if few
                    else "one of the two is the same everywhere"
                )
            yield line


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
            parts.append(grid(titles, rows, 5, fold=False))
        for row in own[own["measure"] == NOTHING].to_dict("records"):
            parts.append(Paragraph(f"No {ABOUT[row['against']]}: {row['left_out']}."))
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
    return [ABOUT[row["against"]], *names, f"{row['n']}", *shown]


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
            *_scored(rows["scored"], rows["pivots"], evaluated),
            *_gains(rows["bridges"], evaluated),
        ]
        made = [line for each in points for line in lines(each, found)]
        made += [_left_out(*given) for given in rows["absent"]]
        return columns.frame(made, COLUMNS)

    def layout(self, table: pd.DataFrame, spec: Mapping[str, Any]) -> Document:
        return layout(table)


def _left_out(experiment: str, model: str, against: str, why: str) -> dict[str, Any]:
    unknown = dict.fromkeys(("task", "tuning", "states", "measure"), NOTHING)
    place = {"experiment": experiment, "model": model, "against": against}
    return place | unknown | {"n": 0, "groups": 0, "left_out": why}


def _scored(
    scored: Sequence[Mapping[str, Any]],
    pivots: Mapping[str, tuple[str, str]],
    evaluated: Evaluations,
) -> Iterator[Points]:
    """Yield a point for each language: its alignment, and its mean over seeds."""
    for one in scored:
        experiment, model, _, task, _ = one["place"]
        corpus, pivot = pivots[experiment]
        scores: dict[str, list[float]] = {}
        for row in one["rows"]:
            named = dict(row) | {"task": task, "treatment": str(UNTREATED)}
            scores.setdefault(row["lang"], []).append(_primary(evaluated.of(named)))
        groups = [
            ([[_key(corpus, model, lang, pivot)]], [float(np.mean(of))])
            for lang, of in scores.items()
        ]
        yield Points(tuple(one["place"]), groups)


def _gains(
    bridges: Sequence[Sequence[str]], evaluated: Evaluations
) -> Iterator[Points]:
    """Yield a group for each pair: its candidates' alignments and gains."""
    by_place: dict[tuple[str, ...], dict[str, list[tuple[str, str]]]] = {}
    for experiment, model, corpus, _, task, pair, candidate in bridges:
        place = (experiment, model, GAIN, task, BASE)
        own = by_place.setdefault(place, {}).setdefault(pair, [])
        if (corpus, candidate) not in own:
            own.append((corpus, candidate))
    for place, pairs in by_place.items():
        model, task, tuning = place[1], place[3], place[4]
        groups = []
        for pair, candidates in pairs.items():
            axes: dict[str, Any] = {"task": task, "model": model, "tuning": tuning}
            axes |= {"seed": BASE_SEED, "lang": pair}
            direct = evaluated.of(axes, treatment=str(UNTREATED))
            source, target = pair.split("-")
            keys, gains = [], []
            for corpus, candidate in candidates:
                via = evaluated.of(axes, treatment=str(Bridged(candidate)))
                via.check_items(direct)
                gains.append(_primary(via) - _primary(direct))
                keys.append(
                    [_key(corpus, model, candidate, x) for x in (source, target)]
                )
            groups.append((keys, gains))
        yield Points(place, groups)


def _key(corpus: str, model: str, one: str, other: str) -> tuple[str, str, str]:
    aligned = alignment.Aligned.of(corpus, model, one, other)
    return aligned.corpus, aligned.model, str(aligned.pair)


def _primary(one: Evaluation) -> float:
    """Return the first metric of an evaluation: of its items, or of all together."""
    for scores in one.scores.values():
        return float(np.asarray(scores, np.float64).mean())
    return float(next(iter(one.values.values())))


TABLE = AlignmentCorrelation()
