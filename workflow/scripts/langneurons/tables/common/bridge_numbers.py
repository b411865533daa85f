"""What each way to choose a bridge is worth, pair by pair and over pairs.

A choice is set against the direct way, against English, and against a candidate taken
at random (the mean over all of them, item by item); its regret is what it lacks to the
best candidate, which is known since all are tested. Over pairs intervals and tests are
those of ``stats.choices``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from langneurons.stats import choices, significance

from . import columns
from .bridge_choices import (
    AGAINST,
    ALWAYS_ENGLISH,
    DIRECT,
    RANDOM,
    VIA,
    Choice,
    Head,
    Place,
    Scored,
    chosen_by,
)
from .columns import Column
from .evaluations import RESAMPLES, compare
from .similarity_files import Similar
from .words import NOTHING

ALL = "all"
"""Pair of the rows of means over pairs."""


def _comparison(name: str, what: str) -> tuple[Column, ...]:
    """Name the columns of a comparison."""
    low, high = f"over_{name}_low", f"over_{name}_high"
    return (
        Column(f"over_{name}", f"accuracy minus {what}", "number", form="+.3f"),
        Column(low, "low end of its 95 % interval", "number", form="+.3f"),
        Column(high, "high end of its 95 % interval", "number", form="+.3f"),
        Column(f"p_{name}", "of its test", "number", form=".2g"),
        Column(f"p_{name}_holm", "after Holm's correction", "number", form=".2g"),
        Column(
            f"p_least_{name}",
            "smallest p that the pairs with a difference can give",
            "number",
            form=".2g",
        ),
    )


COLUMNS = (
    Column("experiment", "of the configuration", key=True),
    Column("task", "that is tested", key=True),
    Column("model", "name in the configuration", key=True),
    Column("similarity", "that chooses; always_english: no similarity", key=True),
    Column("pair", "from which language into which; all: mean over pairs", key=True),
    Column("beside", "another similarity, of rows that compare two; else -", key=True),
    Column("kind", "of the similarity"),
    Column("chosen", "the bridge"),
    Column(
        "tied", "candidates with the largest score; of all: pairs whose choice has "
        "equals", "count",
    ),
    Column("share", "of the bootstrap's draws, that it wins", "number", form=".2f"),
    Column("draws", "of the bootstrap over probes", "count"),
    Column("probes", "words on which neurons are compared", "count"),
    Column("anchor", "neurons of the pair, |A|", "count"),
    Column("candidates", "bridges to choose from", "count"),
    Column("pairs", "that have a choice", "count"),
    Column("pairs_english", "that have English as a bridge, too", "count"),
    Column("n", "test items", "count"),
    Column(DIRECT, "accuracy of the direct way", "number", form=".3f"),
    Column(VIA, "accuracy through English", "number", form=".3f"),
    Column(RANDOM, "mean accuracy over all candidates", "number", form=".3f"),
    Column("accuracy", "through the chosen bridge", "number", form=".3f"),
    Column("best", "the candidate with the highest accuracy"),
    Column("best_accuracy", "its accuracy", "number", form=".3f"),
    Column("regret", "best_accuracy minus accuracy", "number", form=".3f"),
    *_comparison(DIRECT, "that of the direct way"),
    *_comparison(VIA, "that through English"),
    *_comparison(RANDOM, "the mean over all candidates"),
    Column("detectable", "smallest difference to English found", "number", form=".3f"),
    Column("found", "chosen is the best; of all: share", "number", form=".2f"),
    Column("chance", "the same of a candidate at random", "number", form=".2f"),
    Column("spearman", "of similarity and accuracy, ranks", "number", form="+.2f"),
    Column("kendall", "tau-b with the other similarity", "number", form="+.2f"),
    Column("same_choice", "share of pairs with the same choice", "number", form=".2f"),
    Column("over_beside", "accuracy minus that of the other's", "number", form="+.3f"),
    Column("over_beside_low", "low end of its 95 % interval", "number", form="+.3f"),
    Column("over_beside_high", "high end of its 95 % interval", "number", form="+.3f"),
    Column("p_beside", "of its test; not corrected", "number", form=".2g"),
    Column(
        "p_least_beside", "smallest p that the pairs with a difference can give",
        "number", form=".2g",
    ),
    Column("left_out", "why the pair has no choice; of all: how many have none"),
)  # fmt: skip


def bridge_table(
    tested: Mapping[Place, Scored],
    similar: Mapping[tuple[str, str, str], Similar],
    *,
    resamples: int = RESAMPLES,
) -> pd.DataFrame:
    """Judge every choice, pair by pair, over pairs, and two similarities together.

    Args:
        tested: items of each place.
        similar: by model, similarity and pair.
        resamples: of each bootstrap.
    """
    lines: list[dict[str, Any]] = []
    for head, by_name in chosen_by(tested, similar).items():
        for name, some in by_name.items():
            lines += [head_of(head, name, one.place.pair) | _of_pair(one, resamples)
                      for one in some]  # fmt: skip
        for name, some in by_name.items():
            lines.append(head_of(head, name, ALL) | _over_pairs(some, resamples))
        names = [name for name in by_name if name != ALWAYS_ENGLISH]
        for a, b in combinations(names, 2):
            both = _together(by_name[a], by_name[b], resamples)
            lines.append(head_of(head, a, ALL, b) | both)
    table = columns.frame(lines, COLUMNS)
    return table.assign(**{f"p_{x}_holm": _holm(table, f"p_{x}") for x in AGAINST})


def head_of(head: Head, name: str, pair: str, beside: str = NOTHING) -> dict[str, Any]:
    keys = ("experiment", "task", "model", "similarity", "pair", "beside")
    return dict(zip(keys, (*head, name, pair, beside), strict=True))


def _of_pair(one: Choice, resamples: int) -> dict[str, Any]:
    """Judge the choice for one pair."""
    tested, similar = one.tested, one.similar
    found: dict[str, Any] = {
        "kind": similar.kind,
        "chosen": similar.chosen,
        "tied": similar.tied,
        "draws": similar.draws or None,
        "probes": similar.probes,
        "anchor": similar.anchor,
        "candidates": len(tested.bridges),
        "n": len(tested.direct),
        "best": tested.best,
        "left_out": similar.left_out,
    }
    found |= _numbers(one)
    for name in AGAINST:
        found |= _against(one, name, resamples)
    return found


def _numbers(one: Choice) -> dict[str, float]:
    """Return what is also averaged over pairs."""
    tested, similar, items = one.tested, one.similar, one.items
    english = tested.against(VIA)
    accuracy = math.nan if items is None else float(items.mean())
    best = tested.accuracies[tested.best]
    found = {
        "share": similar.share.get(similar.chosen or "", math.nan),
        DIRECT: float(tested.direct.mean()),
        VIA: math.nan if english is None else float(english.mean()),
        RANDOM: float(tested.random.mean()),
        "accuracy": accuracy,
        "best_accuracy": best,
        "regret": best - accuracy,
        "spearman": choices.spearman(_scores(one), list(tested.accuracies.values())),
    }
    return found | _is_best(one)


def _is_best(one: Choice) -> dict[str, float]:
    """Say whether the choice is a best one, and how likely a random one is."""
    accuracies, chosen = one.tested.accuracies, one.similar.chosen
    top = [k for k, x in accuracies.items() if x == max(accuracies.values())]
    chance = len(top) / len(accuracies)
    hit = math.nan if chosen is None else float(chosen in top)
    return {"found": hit, "chance": chance}


def _against(one: Choice, name: str, resamples: int) -> dict[str, Any]:
    """Set a choice against another way on the items of its pair."""
    items, other = one.items, one.tested.against(name)
    if items is None or other is None:
        return {}
    if name != DIRECT and (other is items or len(one.tested.bridges) == 1):
        return {f"over_{name}": 0.0}  # the same bridge: there is nothing to test
    kind = one.tested.kind
    if name == RANDOM and kind == "binary":
        kind = "score"  # a mean over candidates is neither right nor wrong
    elif kind == "binary":
        items, other = items.astype(bool), other.astype(bool)
    found = compare(items, other, kind, resamples)
    named = {
        f"over_{name}": found["delta"],
        f"over_{name}_low": found["delta_ci_low"],
        f"over_{name}_high": found["delta_ci_high"],
        f"p_{name}": found["p_value"],
    }
    return named | ({"detectable": found["detectable"]} if name == VIA else {})


def _over_pairs(some: Sequence[Choice], resamples: int) -> dict[str, Any]:
    """Judge a similarity over the pairs for which it chose."""
    made = [one for one in some if one.items is not None]
    each = pd.DataFrame([_numbers(one) for one in made])
    missing = len(some) - len(made)
    found: dict[str, Any] = {
        "kind": some[0].similar.kind,
        "tied": sum(one.similar.tied > 1 for one in made),
        "pairs": len(made),
        "pairs_english": sum(one.gains(VIA) is not None for one in made),
        "n": sum(len(one.tested.direct) for one in made) or None,
        "left_out": f"{missing} of {len(some)} pairs" if missing else "",
    }
    found |= {str(name): float(mean) for name, mean in each.mean().items()}
    for name in AGAINST:
        gains = [gain for one in made if (gain := one.gains(name)) is not None]
        mean, low, high = choices.mean_over(gains, resamples)
        found |= {f"over_{name}": mean, f"over_{name}_low": low}
        found |= {f"over_{name}_high": high}
        found[f"p_least_{name}"] = choices.smallest(choices.differing(gains))
        if any(gain.any() for gain in gains):  # or else it is the same way everywhere
            found[f"p_{name}"] = choices.test_over(gains)
    return found


def _together(
    a: Sequence[Choice], b: Sequence[Choice], resamples: int
) -> dict[str, Any]:
    """Compare two similarities: their ranks, and what their choices are worth."""
    taus, same, gains = [], [], []
    for one, other in zip(a, b, strict=True):
        tau = choices.kendall(*(_scores(each) for each in (one, other)))
        taus += [] if math.isnan(tau) else [tau]
        first, second = one.items, other.items
        if first is not None and second is not None:
            same.append(one.similar.chosen == other.similar.chosen)
            gains.append(first - second)
    mean, low, high = choices.mean_over(gains, resamples)
    found = {"kind": a[0].similar.kind, "pairs": len(gains)}
    found |= {"kendall": float(np.mean(taus)) if taus else math.nan}
    found |= {"same_choice": float(np.mean(same)) if same else math.nan}
    found |= {"over_beside": mean, "over_beside_low": low, "over_beside_high": high}
    if any(gain.any() for gain in gains):
        found["p_beside"] = choices.test_over(gains)
    return found | {"p_least_beside": choices.smallest(choices.differing(gains))}


def _scores(one: Choice) -> list[float]:
    """Return the score of each candidate, in their order; NaN where it has none."""
    return [one.similar.scores.get(k, math.nan) for k in one.tested.bridges]


def _holm(table: pd.DataFrame, column: str) -> npt.NDArray[np.float64]:
    """Adjust p-values over pairs; those of means, over what chooses."""
    family = table[["experiment", "task", "model"]].assign(
        of=table["similarity"].where(table["pair"] != ALL, ALL)
    )
    return significance.holm_within(table[column], family.itertuples(index=False))
