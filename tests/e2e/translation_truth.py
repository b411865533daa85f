"""What holds of the language in which the demo's planted model translates.

Told nothing of the target (``→any:"``), it writes in one language or another; amplified
neurons of a language make it write in that one.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from demo_tables import read
from truths import Truth

OPEN, TOLD = "translation", "translation_told"
"""Tasks: the same sentences, without and with a prompt that names the target."""
OWN = "lape_sentences"


def written(folder: Path, task: str = OPEN) -> pd.DataFrame:
    """Return the rows of shares of answers in the target's language, by treatment."""
    table = read(folder, task)
    return table[table["metric"] == "in_target"]


def share(folder: Path, method: str, statistic: str, *, own: bool = True) -> float:
    """Return the share of answers in the target's language, mean of the pairs.

    Args:
        folder: of the demo.
        method: whose neurons are overwritten.
        statistic: what is written.
        own: neurons of the target; False: of every other language.
    """
    table = written(folder)
    chosen = (table["method"] == method) & (table["statistic"] == statistic)
    targets = table["lang"].str.partition("-")[2]
    chosen &= (table["neuron_lang"] == targets) == own
    return float(table[chosen].groupby("lang")["value"].mean().mean())


def untreated(folder: Path, task: str) -> float:
    """Return the share of answers in the target's language, mean of the pairs."""
    table = written(folder, task)
    return float(table[table["statistic"] == "none"]["value"].mean())


TRUTHS = {
    "told": Truth(
        "translation into a language that is named: share of answers in it",
        lambda f: untreated(f, TOLD),
        "over",
        0.6,
    ),
    "choice_own": Truth(
        "language not named, LAPE's neurons at p_max: share of answers in theirs",
        lambda f: share(f, OWN, "p_max"),
        "over",
        0.7,
    ),
    "choice_untreated": Truth(
        "the same minus the share of such answers without a write",
        lambda f: share(f, OWN, "p_max") - untreated(f, OPEN),
        "over",
        0.5,
    ),
    "choice_random": Truth(
        "the same minus the share under random neurons of no language",
        lambda f: share(f, OWN, "p_max") - share(f, "random", "p_max"),
        "over",
        0.5,
    ),
    "choice_others": Truth(
        "neurons of the other languages: share of answers in the target's",
        lambda f: share(f, OWN, "p_max", own=False),
        "under",
        0.1,
    ),
}
