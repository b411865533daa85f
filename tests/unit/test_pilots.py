"""The pilot of the amplification study stands beside the same procedure only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import steering_files
from configurations import experiment, merge
from langneurons import methods, tasks
from langneurons.config.catalogue import (
    Activations,
    Corpus,
    LanguageSet,
    Method,
    Model,
    Statistic,
)
from langneurons.config.names import Overwritten
from langneurons.config.schema import Config
from langneurons.config.task_entries import Task
from langneurons.published import pilots, procedure
from langneurons.tables import amplification
from langneurons.tables.common import steering_rows
from langneurons.tables.common.as_markdown import markdown
from langneurons.tables.common.inputs import Inputs
from test_partners import leaves, own, paper

SEVEN = ["en", "nl", "id", "ms", "vi", "ja", "zh"]
PILOT: dict[str, Any] = {
    "run": ["amplification"],
    "language_sets": {"pilot": SEVEN},
    "corpora": {
        "flores": {
            "prefix": "\n            ", "skip_tokens": 2, "tokens": 100_000,
            "chunk_means": 100, "recorded": {"split": "dev"},
        }
    },
    "tasks": {
        "mlama": {
            "data": {"hub": {"repo": "inayarhmns/MLAMA-dod", "revision": "0" * 40}},
            "languages": SEVEN,
            "parameters": {
                "languages": SEVEN, "prompt": "remove", "join": "space",
                "items": "all", "boundary": "separate",
            },
        }
    },
}  # fmt: skip
AXES = {
    "models": ["gemma2-2b", "qwen25-05b"], "tasks": ["mlama"],
    "languages": ["en", "id", "zh"], "selections": ["lape_and_ap.pilot"],
    "steering": None, "perplexity": None, "by_task": {}, "pairs": [],
    "switched_off": None,
}  # fmt: skip


def config(changes: Any = None, **axes: Any) -> Config:
    changed = merge(PILOT, experiment("amplification", **{**AXES, **axes}))
    return paper(merge(changed, changes or {}))


def beside(given: Config) -> dict[tuple[str, str], float]:
    found = pilots.beside(given, steering_rows.steering(given).shifts)
    return {(key[2], key[5]): value for key, value in found}


def test_the_pilots_procedure_has_its_numbers() -> None:
    found = beside(config())
    assert len(found) == 12 and found["gemma2-2b", "p_max"] == 0.94
    assert found["qwen25-05b", "eq_p10"] == 0.154
    assert found["gemma2-2b", "plus_max"] == 0.847


@pytest.mark.parametrize(
    "changes",
    [
        {"tasks": {"mlama": {"parameters": {"prompt": "prefix"}}}},
        {"tasks": {"mlama": {"test_items": 50}}},
        {"corpora": {"flores": {"skip_tokens": 0}}},
        {"corpora": {"flores": {"chunk_means": 99}}},
        {"language_sets": {"pilot": [*SEVEN, "fr"]}},
        {"methods": {"lape_and_ap": {"parameters": {"minimum": 1}}}},
        {"statistics": {"p_max": {"layers": [0, 3]}}},
    ],
)
def test_another_procedure_has_none(changes: Any) -> None:
    assert ("gemma2-2b", "p_max") not in beside(config(changes))


def test_other_pairs_have_none() -> None:
    assert not beside(config(languages=["en", "id"]))
    assert not beside(config(neuron_languages=["en", "nl", "id"]))


def test_the_usual_procedure_is_another_one() -> None:
    usual = paper({"run": ["amplification"]})
    given = steering_rows.steering(usual).shifts
    assert given and not pilots.beside(usual, given)
    task, row = next(
        (task, row)
        for task, row in given
        if isinstance(row.treatment, Overwritten)
        and str(row.treatment).startswith("lape_and_ap")
    )
    assert isinstance(row.treatment, Overwritten)
    names = (task, row.model, row.treatment.selection, row.treatment.statistic)
    why = pilots.why_not(usual, *names, {("en", "vi")})
    assert why is not None and "published: " in why


def test_a_number_of_the_pilot_stands_in_the_table_or_does_not(tmp_path: Path) -> None:
    made = steering_files.Files(tmp_path)
    given = list(steering_files.rows(("en", "vi")))
    for one in given:
        made.facts(one, ("en", "vi"))
    nothing = steering_files.packed([])
    rows = {"shifts": steering_files.packed(given), "choices": nothing}
    rows |= {"texts": nothing, "published": []}
    spec: Any = {"rows": rows, "ties": {"amplification": "drop"}, "kinds": {}}
    read = Inputs({"evaluations": list(made.indexes)})
    table = amplification.TABLE.build(spec, read)
    assert table["published"].isna().all()
    assert "(pilot 9" not in markdown(amplification.TABLE.layout(table, {}))
    key = ["amplification", "facts", "m", "lape", "s", "p_max"]
    rows["published"] = [[key, 0.942]]
    table = amplification.TABLE.build(spec, read)
    shown: pd.DataFrame = table[table["published"].notna()]
    assert list(shown["metric"]) == ["lss"] and set(shown["facts"]) == {"all"}
    assert shown["published"].iloc[0] == 0.942
    assert "(pilot 94.2)" in markdown(amplification.TABLE.layout(table, {}))


FIELDS = {
    "model": [*leaves(Model, "hub")],
    "corpus": [*leaves(Corpus, "hub", "recorded")],
    "activations": [*leaves(Activations)],
    "method.lape_and_ap": [*own(Method, "intersection", methods), "read_kinds"],
    "language_set": [*leaves(LanguageSet)],
    "statistic": [*leaves(Statistic)],
    "task": own(Task, "mlama", tasks, "data", "data.hub"),
    "experiment": ["bases", "targets"],
}


def test_every_field_decides_or_may_differ() -> None:
    rules = procedure.procedure()[pilots.STUDY]
    assert set(rules) == set(FIELDS)
    for part, fields in FIELDS.items():
        decides, may = (set(rules[part][k]) for k in ("decides", "may_differ"))
        assert not decides & may and decides | may == set(fields), part
        assert all(rules[part]["may_differ"].values())
