"""The points of correlations of alignment, and what is said of each."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from langneurons.config.names import (
    BASE,
    BASE_SEED,
    UNTREATED,
    Bridged,
    languages_of,
)
from langneurons.grid.aligned_with import GAIN
from langneurons.grid.alignment import Aligned
from langneurons.neurons.aligned_languages import STATES
from langneurons.stats.correlations import (
    LEAST,
    Correlation,
    over_points,
    within_groups,
)

from .alignment_files import RETRIEVAL, Measured
from .evaluations import Evaluation, Evaluations
from .metrics import first_of_items
from .words import NOTHING

PLACE = ("experiment", "model", "against", "task", "tuning")
"""What names a correlation, beside states and measure."""
MEASURES = ("mutual", RETRIEVAL, "gap")
Key = tuple[str, str, str]
"""Corpus, model and pair of an alignment."""


class Point(NamedTuple):
    """A point of a correlation: alignments whose mean counts, and another number."""

    aligned: Sequence[Key]
    number: float


class Points(NamedTuple):
    """The points of one correlation.

    Attributes:
        place: experiment, model, against, task, tuning.
        groups: languages, or pairs with their candidates.
    """

    place: Sequence[str]
    groups: Sequence[Sequence[Point]]


Found = Mapping[Key, Mapping[str, Measured]]


def lines(points: Points, found: Found) -> Iterator[dict[str, Any]]:
    """Yield a line for each kind of states and measure; or one that says why not.

    Args:
        points: of a correlation.
        found: alignments.
    """
    within = points.place[2] == GAIN
    used = [group for group in points.groups if not within or len(group) > 1]
    numbers = [[point.number for point in group] for group in used]
    place: dict[str, Any] = dict(zip(PLACE, points.place, strict=True))
    place |= {"n": sum(map(len, used)), "groups": len(used)}
    if place["n"] < LEAST:
        few = f"{place['n']} points; at least {LEAST} are needed"
        yield place | {"states": NOTHING, "measure": NOTHING, "left_out": few}
        return
    for states in STATES:
        for measure in MEASURES:
            scores = [
                [
                    float(np.mean([found[x][states].score(measure) for x in p.aligned]))
                    for p in group
                ]
                for group in used
            ]
            line = place | {"states": states, "measure": measure}
            for name, ranks in (("pearson", False), ("spearman", True)):
                ends = (name, f"{name}_low", f"{name}_high")
                value = _correlated(scores, numbers, within, ranks)
                line |= dict(zip(ends, value, strict=True))
            if math.isnan(line["pearson"]):
                line["left_out"] = "one of the two is the same everywhere"
            yield line


def _correlated(
    scores: Sequence[Sequence[float]],
    numbers: Sequence[Sequence[float]],
    within: bool,
    ranks: bool,
) -> Correlation:
    if within:
        groups = list(zip(scores, numbers, strict=True))
        return within_groups(groups, ranks=ranks)
    first, second = (
        [x for group in given for x in group] for given in (scores, numbers)
    )
    return over_points(first, second, ranks=ranks)


def of_scores(
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
            scores.setdefault(row["lang"], []).append(
                _score(evaluated, evaluated.of(named))
            )
        groups = [
            [Point([_key(corpus, model, lang, pivot)], float(np.mean(of)))]
            for lang, of in scores.items()
        ]
        yield Points(one["place"], groups)


def of_bridges(
    bridges: Sequence[Sequence[str]], evaluated: Evaluations
) -> Iterator[Points]:
    """Yield a group for each pair: its candidates' alignments and gains."""
    by_place: dict[tuple[str, ...], dict[str, list[Point]]] = {}
    for experiment, model, corpus, _, task, pair, candidate in bridges:
        axes: dict[str, Any] = {"task": task, "model": model, "tuning": BASE}
        axes |= {"seed": BASE_SEED, "lang": pair}
        direct = evaluated.of(axes, treatment=str(UNTREATED))
        via = evaluated.of(axes, treatment=str(Bridged(candidate)))
        via.check_items(direct)
        legs = [_key(corpus, model, candidate, end) for end in languages_of(pair)]
        gain = _score(evaluated, via) - _score(evaluated, direct)
        point = Point(legs, gain)
        place = (experiment, model, GAIN, task, BASE)
        own = by_place.setdefault(place, {}).setdefault(pair, [])
        if point not in own:  # two experiments may go through one bridge
            own.append(point)
    for named, pairs in by_place.items():
        yield Points(named, list(pairs.values()))


def _key(corpus: str, model: str, one: str, other: str) -> tuple[str, str, str]:
    aligned = Aligned.of(corpus, model, one, other)
    return aligned.corpus, aligned.model, str(aligned.pair)


def _score(evaluated: Evaluations, one: Evaluation) -> float:
    """Return the mean over items of the task's first metric of single items."""
    task = one.record["task"]
    name = first_of_items(task, evaluated.metrics[task])
    return float(np.asarray(one.scores[name], np.float64).mean())
