"""What a row of a task table is: its columns, and which rows are controls or means."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from langneurons.config.names import JOIN, TuningName, split_draw, target_of

from . import columns
from .columns import HIDDEN, Column
from .metrics import DECLARED
from .words import OWN, RANDOM

NEURONS = (
    Column(
        "method",
        "that selected the neurons; random: as many at random; prompt and "
        "diffmean: steering without neurons; bridge: through another language",
        key=True,
    ),
    Column("langset", "language set of the selection", key=True),
    Column("draw", "number of the draw of random neurons", "count", key=True),
    Column("matched", "method whose counts random neurons have", key=True),
)
COLUMNS = (
    Column("experiment", "of the configuration, that asks for it first", key=True),
    Column("model", "name in the configuration", key=True),
    *NEURONS,
    Column(
        "neuron_lang", "language whose neurons are overwritten, or that is steered "
        "towards", key=True,
    ),
    Column("tuning", "what was fine-tuned; base: nothing", key=True),
    Column("seed", "of the fine-tuning; pooled: all seeds together", key=True),
    Column(
        "lang", "language of the test items, or pair of languages; vi+zh: mean over "
        "these", key=True,
    ),
    Column(
        "statistic", "what is written into the neurons; none: nothing; of diffmean "
        "layer and strength; of a bridge which: via_en", key=True,
    ),
    Column("metric", "what is measured of each item", key=True),
    Column("against", "what it is set against on the same items", key=True),
    Column("n", "test items", "count"),
    Column("value", "mean over items, or of all together", "number", form="value"),
    Column("ci_low", "low end of its 95 % interval", "number", form="value"),
    Column("ci_high", "high end of its 95 % interval", "number", form="value"),
    Column("delta", "the difference to that", "number", form="change"),
    Column("delta_ci_low", "low end of its 95 % interval", "number", form="change"),
    Column("delta_ci_high", "high end of its 95 % interval", "number", form="change"),
    Column("p_value", "of the paired test", "number", form=".2g"),
    Column("p_holm", "after Holm's correction", "number", form=".2g"),
    Column(
        "detectable", "smallest difference that the test finds with 80 % power",
        "number", form="value",
    ),
    Column("n_neurons", "neurons overwritten", "count"),
    Column("published", "the value in the paper", "number", form="value"),
    Column("task_title", "what the task calls itself", form=HIDDEN),
    *DECLARED,
)  # fmt: skip
"""The columns of every table of a task."""

KEY = [name for name in columns.key(COLUMNS) if name != "against"]
"""The columns that name an evaluation and a metric; a bridge has two comparisons."""


def is_mean(lang: str) -> bool:
    """Tell whether a row is a mean over languages: ``vi+zh``."""
    return JOIN in lang


def of_languages(table: pd.DataFrame) -> pd.DataFrame:
    """Leave out means over languages, which repeat the other rows."""
    return table[~table["lang"].map(is_mean).astype(bool)]


def own_neurons(lang: str) -> str:
    """Say whose neurons are a language's own: of a pair its target's; see OWN."""
    return OWN if is_mean(lang) else target_of(lang)


def is_random_tuning(tuning: str) -> bool:
    """Tell whether a tuning changes neurons that were drawn at random."""
    selection = TuningName.parse(tuning).selection
    return selection is not None and split_draw(selection.method)[1] is not None


def is_control(row: Any) -> bool:
    """Tell whether a row of a task table is about random neurons."""
    return row["method"] == RANDOM or is_random_tuning(row["tuning"])


def is_marked(table: pd.DataFrame) -> pd.Series:
    """Tell which comparisons a layout may mark, and so count as tests.

    All but those of random neurons, and, where neurons of several languages are
    overwritten for one language of test items, all but the neurons of that language: a
    matrix shows intervals only.

    Args:
        table: of a task.

    Returns:
        [rows] whether each is marked, if it is significant.
    """
    return is_own(table, KEY) & ~table.apply(is_control, axis=1).astype(bool)


def is_own(table: pd.DataFrame, key: Sequence[str]) -> pd.Series:
    """Tell which rows are of the only neurons, or of those of the tested language."""
    names = [name for name in key if name != "neuron_lang"]
    whose = table.groupby(names, dropna=False)["neuron_lang"].transform("nunique")
    return (whose <= 1) | (table["neuron_lang"] == table["lang"].map(own_neurons))
