"""One comparison has one mark, in whichever table it stands.

Holm's correction makes a p-value depend on what else a table tests. Where a table shows
a comparison that another one is there for, it takes the corrected p-value of that one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import pandas as pd

from langneurons.config.names import BASE, NO_TREATMENT, Bridged

from .bridge_choices import DIRECT, VIA
from .bridge_numbers import ALL
from .task_columns import KEY
from .words import VIA_ENGLISH

# Two experiments that ask for one comparison may stand in either table first.
SAME = tuple(name for name in (*KEY, "metric", "against") if name != "experiment")
OF_BRIDGES = {DIRECT: NO_TREATMENT, VIA: VIA_ENGLISH}
"""What a choice is set against, as tables of tasks call it."""


def as_tuned(table: pd.DataFrame, tunings: pd.DataFrame) -> pd.DataFrame:
    """Let tunings of selected neurons have the marks of the table that is about them.

    Args:
        table: of a task: selected and random neurons that were fine-tuned.
        tunings: of the same task: selected neurons that were fine-tuned.

    Returns:
        The table, ``p_holm`` as in the other one, where that has the comparison.
    """
    known = dict(zip(_names(tunings), tunings["p_holm"], strict=True))
    own = zip(_names(table), table["p_holm"], strict=True)
    return table.assign(p_holm=[known.get(name, p_holm) for name, p_holm in own])


def _names(table: pd.DataFrame) -> list[tuple[str, ...]]:
    columns = (table[name].astype(str) for name in SAME)
    return list(zip(*columns, strict=True))


def as_bridged(
    table: pd.DataFrame, by_task: Mapping[str, tuple[pd.DataFrame, str]]
) -> pd.DataFrame:
    """Let the choice for one pair have the mark of that bridge in its task's table.

    Args:
        table: of choices, pair by pair and over all pairs.
        by_task: the table of each task, and the metric by which choices are judged.

    Returns:
        The table; of single pairs ``p_direct_holm`` and ``p_english_holm`` as there.
    """
    known = {}
    for task, (rows, metric) in by_task.items():
        # A choice is of the model as it is; the table of its task may have tuned ones.
        judged = rows[(rows["metric"] == metric) & (rows["tuning"] == BASE)]
        for one in judged.to_dict("records"):
            named = (one["model"], one["lang"], one["statistic"], one["against"])
            known[task, *named] = one["p_holm"]
    found = table.copy()
    for i, row in table[(table["pair"] != ALL) & (table["chosen"] != "")].iterrows():
        way = (row["task"], row["model"], row["pair"], str(Bridged(row["chosen"])))
        for name, against in OF_BRIDGES.items():
            if (*way, against) in known and not math.isnan(row[f"p_{name}"]):
                found.loc[i, f"p_{name}_holm"] = known[*way, against]
    return found
