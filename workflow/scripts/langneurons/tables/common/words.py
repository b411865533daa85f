"""Words that stand in the cells of tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from langneurons.config.names import NO_TREATMENT

RANDOM = "random"
"""Name of every count-matched random method in the tables."""

PROMPT, DIFFMEAN = "prompt", "diffmean"
"""Methods of rows about an instruction, and about steering in the residual stream.

They have no language set. Statistic of the first is ``prompt``, of the second its
setting, ``l12-s2``.
"""

BRIDGE = "bridge"
"""Method of rows that pass through another language; statistic ``via_en``: which."""

WITHOUT_NEURONS = (PROMPT, DIFFMEAN, BRIDGE)
"""Methods that overwrite no neurons, and are something all the same."""

VIA_ENGLISH = "via_en"
"""The bridge that every other one is set against, beside the direct way."""

NOTHING = "-"
"""Method, language set and language of neurons of a row without an intervention."""

POOLED = "pooled"
"""Seed of a row in which several seeds are taken together."""

OWN, TARGET = "own", "target"
"""In a mean over languages: neurons of each language itself, overwritten or tuned."""

ATTENTION = "attention"
"""The tuning that every other tuning is set against; itself against ``base``."""

NO_INT = "No Int"
"""Title of the column without an intervention, as in the paper."""

NO_NEURONS = "no neurons"
"""What a cell says where a method selected no neuron to overwrite."""

ABSENT = "–"
LEVEL = 0.05  # of significance, after Holm's correction


def neurons(method: str, langset: str) -> str:
    """Name what is treated: ``lape.set1``, or what steers without neurons."""
    return method if langset == NOTHING else f"{method}.{langset}"


def is_empty(row: Mapping[Any, Any]) -> bool:
    """Tell whether a row is an intervention on no neuron, which can change nothing."""
    number = row["n_neurons"]
    treated = row["statistic"] != NO_TREATMENT
    of_neurons = row.get("method") not in WITHOUT_NEURONS
    return bool(treated and of_neurons and not pd.isna(number) and number == 0)
