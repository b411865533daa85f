"""What the report is told of a configuration: what is asked for, and what makes it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from configurations import read, shipped
from evaluation_files import declared
from langneurons.config.schema import Config
from langneurons.study import targets
from langneurons.study.configuration import load
from langneurons.study.table_specs import TableSpecs
from langneurons.tables.common import task_columns, task_text
from langneurons.tables.common.columns import names
from langneurons.tables.common.document import Grid, Heading, code

OPTIONS = " --configfile my.yaml"


@pytest.fixture(scope="module")
def amplification() -> Config:
    return load(shipped() | {"run": ["amplification"]})


def test_the_main_table_of_an_experiment_is_read_first(amplification: Config) -> None:
    tasks = list(amplification.experiment("amplification").tasks)
    order = targets.reading_order(amplification)
    first = ["amplification", "steering", "open_text", "fallback", "perplexity", *tasks]
    assert order[: len(first)] == first and order[-1] == "reproduction"
    several = {"run": ["transfer", "amplification", "bridges"]}
    whole = targets.reading_order(load(shipped() | several))
    assert whole.index("xnli") < whole.index("amplification") < whole.index("bridges")
    assert whole.index("bridges") < whole.index("bli")


def test_only_what_is_asked_for_is_told(amplification: Config) -> None:
    told = json.loads(TableSpecs(amplification).report({}, {}, OPTIONS))
    assert [x["name"] for x in told["tables"]] == targets.reading_order(amplification)
    assert told["options"] == OPTIONS
    figures = targets.figures(amplification)
    assert set(told["figures"].values()) <= set(figures)
    for kind, path in told["figures"].items():
        assert Path(path).name.startswith(f"{kind}.")
    assert {"ladder", "damage"} <= set(told["figures"]) and "nll" not in told["figures"]
    used = told["used"]
    assert used["tasks"] == list(amplification.experiment("amplification").tasks)
    assert used["models"] and set(used["models"]) < set(read("config.yaml")["models"])
    assert "flores" in used["corpora"]


def test_a_command_reads_the_same_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    files = [tmp_path / "config/small.yaml", tmp_path / "my own.yaml"]
    settings = ["run=[amplification]", "report=existing"]
    assert targets.options(files, settings) == (
        " --configfile config/small.yaml 'my own.yaml' --config 'run=[amplification]'"
    )
    assert targets.options([], ["report=existing"]) == ""
    beside = os.path.relpath(tmp_path.parent / "a.yaml")
    assert targets.options(["../a.yaml"], []) == f" --configfile {beside}"


def treated(method: str, statistic: str, lang: str, whose: str) -> dict[str, Any]:
    """Make a row of a task table in which a model is steered as it is."""
    usual: dict[str, Any] = dict.fromkeys(names(task_columns.COLUMNS), float("nan"))
    untreated = statistic == "none"
    usual |= {"model": "m", "method": method, "matched": "-", "experiment": "e"}
    usual |= {"langset": "s" if method == "lape" else "-", "statistic": statistic}
    usual |= {"tuning": "base", "seed": "0", "lang": lang, "neuron_lang": whose}
    usual |= {"metric": "accuracy", "n": 10, "value": 0.5, "n_neurons": 3}
    usual |= {"against": "-" if untreated else "none"}
    return usual | declared("accuracy")


def test_ways_without_neurons_have_grids_of_their_own() -> None:
    """Beside neurons they would leave most columns empty."""
    ways = (("lape", "p_max"), ("diffmean", "l1-s1"), ("prompt", "prompt"))
    rows = [treated("-", "none", lang, "-") for lang in ("en", "vi")]
    rows += [
        treated(method, statistic, lang, whose)
        for method, statistic in ways
        for whose in ("en", "vi")
        for lang in ("en", "vi")
    ]
    frame = pd.DataFrame(rows)
    spec = {"task": "xnli", "source_language": None, "layout": "interventions"}
    parts = task_text.layout(frame, spec).parts
    grids = [part for part in parts if isinstance(part, Grid)]
    start = ("model", "neurons", "lang", "No Int")
    assert [g.columns for g in grids] == [(*start, code(value)) for _, value in ways]
    assert all(cell.text != "–" for g in grids for row in g.rows for cell in row)
    heads = [part.text for part in parts if isinstance(part, Heading)]
    base = "Not fine-tuned (`base`)"
    assert heads[:3] == [base, f"{base}: diffmean", f"{base}: prompt"]
