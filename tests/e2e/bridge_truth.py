"""What holds of the models that learnt a dictionary with gaps, in every demo.

In each of them two languages have one bridge, which is known; what finds it is what the
study of bridges asks. Levels of single pairs vary, and are asserted nowhere.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from demo_tables import read
from truths import Truth

NATURAL, SWAPPED = "demo_bridge", "demo_bridge_swapped"
"""Bridges of their targets' kind (word order), and others."""
BRIDGES = {
    NATURAL: {"ur": "hi", "el": "vi"},
    SWAPPED: {"ur": "zh", "el": "hi"},
}


def ways(folder: Path, model: str) -> pd.DataFrame:
    """Return the accuracy of each pair of languages by its way.

    Args:
        folder: of the demo.
        model: ``NATURAL`` or ``SWAPPED``.

    Returns:
        DataFrame indexed by pair: ``direct``, ``right`` (through the target's bridge),
        ``wrong`` and ``worst`` (through others: mean, and the most).
    """
    table = read(folder, "bli")
    rows = table[(table["model"] == model) & (table["metric"] == "correct")]
    # A bridge has two rows, against the direct way and against English: one value.
    values = rows.groupby(["lang", "statistic"])["value"].first()
    found = {}
    for pair, of_pair in values.groupby(level="lang"):
        by_way = of_pair.droplevel("lang")
        right = f"via_{BRIDGES[model][str(pair).partition('-')[2]]}"
        others = by_way.drop(index=["none", right])
        found[pair] = {
            "direct": by_way["none"],
            "right": by_way[right],
            "wrong": others.mean(),
            "worst": others.max(),
        }
    return pd.DataFrame.from_dict(found, orient="index")


def both(folder: Path, column: str) -> float:
    """Return a mean over the pairs of both models; of ``ways``."""
    return float(pd.concat([ways(folder, x)[column] for x in BRIDGES]).mean())


def found(folder: Path, model: str, similarity: str) -> float:
    """Return the share of pairs whose bridge a similarity chooses."""
    table = read(folder, "bridges")
    chosen = (table["model"] == model) & (table["similarity"] == similarity)
    rows = table[chosen & (table["pair"] != "all") & (table["beside"] == "-")]
    targets = rows["pair"].str.partition("-")[2]
    return float((rows["chosen"] == targets.map(BRIDGES[model])).mean())


def _right_is_best(folder: Path) -> float:
    every = ways(folder, SWAPPED)
    return float((every["right"] > every["worst"]).mean())


TRUTHS = {
    "bridge_direct": Truth(
        "dictionary with gaps: words right without a bridge, mean of pairs",
        lambda f: both(f, "direct"),
        "under",
        0.1,
    ),
    "bridge_wrong": Truth(
        "natural assignment: words right through the right bridge minus wrong ones",
        lambda f: float((ways(f, NATURAL)["right"] - ways(f, NATURAL)["wrong"]).mean()),
        "over",
        0.2,
    ),
    "bridge_right": Truth(
        "both assignments: words right through the right bridge, mean of pairs",
        lambda f: both(f, "right"),
        "over",
        0.7,
    ),
    "bridge_swapped": Truth(
        "swapped assignment: share of pairs in which the right bridge is the best",
        _right_is_best,
        "over",
        0.8,
    ),
    "bridge_cosine": Truth(
        "natural: share of pairs whose bridge the cosine with the target finds",
        lambda f: found(f, NATURAL, "cosine_target"),
        "over",
        0.8,
    ),
}
