"""The same comparison has the same mark in every table that shows it."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from configurations import paper, shipped
from langneurons import tables
from langneurons.study.configuration import load
from langneurons.tables.common import bridge_numbers, same_marks, task_columns
from langneurons.tables.common.columns import names

TASK = names(task_columns.COLUMNS)


def tuned(tuning: str, p_holm: float, **more: Any) -> dict[str, Any]:
    usual: dict[str, Any] = dict.fromkeys(TASK, math.nan)
    usual |= {"experiment": "a", "model": "m", "method": "-", "langset": "-"}
    usual |= {"tuning": tuning, "seed": "42", "lang": "ur", "statistic": "none"}
    usual |= {"metric": "accuracy", "against": "attention", "p_holm": p_holm}
    return usual | more


def test_random_tunings_take_the_marks_of_the_table_of_selected_ones() -> None:
    """Two tests instead of twelve would make a fall significant in one table only."""
    alone = pd.DataFrame([tuned("lape.world.ur", 0.06), tuned("all_mlp", 1e-9)])
    beside = pd.DataFrame(
        [
            # Another experiment asks for it first here.
            tuned("lape.world.ur", 0.012, experiment="b"),
            tuned("random_lape-1.world.ur", math.nan),
            tuned("lape.world.hi", 0.03),  # in this table only
        ],
        index=[5, 6, 7],
    )
    found = same_marks.as_tuned(beside, alone)["p_holm"]
    assert found.tolist()[::2] == [0.06, 0.03]
    assert math.isnan(found.iloc[1])


def test_a_chosen_bridge_has_the_mark_of_its_tasks_table() -> None:
    def way(statistic: str, against: str, p_holm: float) -> dict[str, Any]:
        names = {"lang": "zh-ur", "statistic": statistic, "against": against}
        return tuned("base", p_holm, **names, metric="correct")

    task = pd.DataFrame(
        [
            way("via_hi", "none", 0.2),
            way("via_hi", "via_en", 0.03),
            way("via_vi", "none", 0.9),
            way("via_hi", "none", 0.5) | {"metric": "other"},
            way("via_hi", "none", 0.6) | {"tuning": "attention"},
        ]
    )
    usual: dict[str, Any] = dict.fromkeys(names(bridge_numbers.COLUMNS), math.nan)
    usual |= {"task": "bli", "model": "m", "similarity": "hsic", "beside": "-"}
    usual |= {"p_direct": 0.001, "p_english": 0.001}
    usual |= {"p_direct_holm": 0.01, "p_english_holm": 0.01, "p_random_holm": 0.7}
    choices = pd.DataFrame(
        [
            usual | {"pair": "zh-ur", "chosen": "hi"},
            usual | {"pair": "zh-ur", "chosen": "hi", "p_english": math.nan},
            usual | {"pair": "zh-ur", "chosen": ""},
            usual | {"pair": "all", "chosen": ""},
        ]
    )
    found = same_marks.as_bridged(choices, {"bli": (task, "correct")})
    assert found["p_direct_holm"].tolist() == [0.2, 0.2, 0.01, 0.01]
    assert found["p_english_holm"].tolist() == [0.03, 0.01, 0.01, 0.01]
    assert found["p_random_holm"].tolist() == [0.7] * 4


def test_those_tables_are_read() -> None:
    random = tables.load("random_tuning")
    assert random.reads(load(paper()), "random_xnli").tables == ["finetune_xnli"]
    bridged = load(shipped() | {"run": ["bridges"]})
    read = tables.load("bridges").reads(bridged, "bridges").tables
    assert read == ["bli", "belebele_bridged"]
