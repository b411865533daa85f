"""Kinds of tables: names, families of tests, and mistakes in their files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from configurations import paper
from evaluation_files import XNLI, Study, cells_of, right, text_of
from langneurons import tables
from langneurons.config import plugins
from langneurons.config.errors import ConfigError, DataError
from langneurons.config.schema import Config
from langneurons.study.configuration import load
from langneurons.tables import Table
from langneurons.tables.common import evaluations, task_table
from langneurons.tables.common.columns import Column, read_table, write_tsv
from langneurons.tables.common.document import Document
from langneurons.tables.common.inputs import Inputs, Reads

N = 40


def test_a_name_tells_its_kind_and_its_task() -> None:
    known = tables.by_name(load(paper()))
    assert known["xnli"] == tables.kind_of("xnli") == "interventions"
    for name, kind in known.items():
        assert tables.kind_of(name) == kind
    assert tables.task_of("finetune_xnli") == tables.task_of("xnli") == "xnli"
    assert tables.task_of("perplexity") == ""
    assert list(known)[:2] == ["xnli", "xquad"] and list(known)[-1] == "reproduction"


@pytest.mark.parametrize("name", ["perplexity", "cost", "finetune_xnli", "random_x"])
def test_a_task_named_like_a_table_is_refused(name: str) -> None:
    given = paper()
    given["tasks"][name] = given["tasks"]["xnli"]
    with pytest.raises(ConfigError, match=f"tasks.{name}: another table has this name"):
        load(given)


class Good(Table):
    """As a table should be."""

    NAME = "good"
    SHOWS = "goodness"
    COLUMNS: tuple[Column, ...] = (Column("model", "name", key=True),)

    def names(self, config: Config) -> list[str]:
        return [self.NAME]

    def reads(self, config: Config, name: str) -> Reads:
        return Reads()

    def spec(self, config: Config, name: str) -> dict[str, Any]:
        return {"rows": []}

    def build(self, spec: Mapping[str, Any], read: Inputs) -> pd.DataFrame:
        return pd.DataFrame()

    def layout(self, table: pd.DataFrame, spec: Mapping[str, Any]) -> Document:
        return Document("Good", ())


class Twice(Good):
    """A column twice, no name, a constant that nothing reads."""

    NAME = ""
    COLUMNS = (Column("model", "name"), Column("model", "name"))
    MEMROY = 3


class Half(Table):
    """Most is missing."""

    NAME = "half"
    SHOWS = "half of it"
    COLUMNS = (Column("model", "name"),)

    def names(self, config: Config) -> list[str]:
        return []


def loaded(monkeypatch: pytest.MonkeyPatch, table: object) -> Table:
    """Load a kind as if its file had made this instance."""
    module = type("Module", (), {"TABLE": table})
    monkeypatch.setattr(plugins, "_imported", lambda *_: module)
    monkeypatch.setattr(plugins, "_checked", {})
    monkeypatch.setattr(tables, "kinds", lambda: ["mine"])
    return tables.load("mine")


def test_mistakes_in_a_table_are_told_all_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert loaded(monkeypatch, Good()).NAME == "good"
    with pytest.raises(ConfigError) as caught:
        loaded(monkeypatch, Twice())
    text = str(caught.value)
    for told in ("tables/mine.py: Twice is incomplete", "MEMROY: nothing reads it",
                 "did you mean 'MEMORY'", "NAME: '' - must be a text",
                 "COLUMNS: model stands there twice", "none has key=True"):  # fmt: skip
        assert told in text, told
    with pytest.raises(ConfigError) as caught:
        loaded(monkeypatch, Half())  # type: ignore[abstract]
    for method in ("reads", "spec", "build", "layout"):
        assert f"{method}(): is missing" in str(caught.value)
    with pytest.raises(ConfigError, match="as in class MyTable\\(Table\\)"):
        loaded(monkeypatch, object())


def test_two_kinds_of_one_name_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    config = load(paper())
    monkeypatch.setattr(tables, "kinds", lambda: ["a", "b"])
    monkeypatch.setattr(tables, "load", lambda _: Good())
    with pytest.raises(ConfigError, match="tables a and b both make good"):
        tables.by_name(config)


def table_of(study: Study) -> pd.DataFrame:
    return task_table.task_table(
        study.rows, study.evaluations, study.metrics, resamples=50
    )


def test_each_model_is_a_family_of_tests(tmp_path: Path) -> None:
    made = Study(tmp_path, XNLI)
    for model in ("a", "b"):
        for lang in ("vi", "hi"):
            names = {"model": model}
            made.add(lang, "none", names, accuracy=right(N, 30))
            made.add(lang, "lape.s.p90", names, accuracy=right(N, 12))
    table = table_of(made)
    tested = table[table["p_value"].notna()]
    assert len(tested) == 4
    # Of a model two comparisons can be marked, not all four of the table.
    assert tested["p_holm"].tolist() == pytest.approx(2 * tested["p_value"])
    apart = evaluations.holm(tested.assign(experiment=[*"xyxy"]), [True] * len(tested))
    assert apart.tolist() == pytest.approx(tested["p_value"].tolist())


def test_a_matrix_shows_intervals_and_only_its_own_languages_are_tested(
    tmp_path: Path,
) -> None:
    made = Study(tmp_path, XNLI)
    for lang in ("vi", "hi"):
        made.add(lang, "none", {}, accuracy=right(N, 30))
        for whose in ("vi", "hi"):
            named = {"method": "lape", "langset": "s", "neuron_lang": whose}
            correct = right(N, 12 if whose == lang else 14)
            made.add(lang, f"lape.s.{whose}.p90", named, accuracy=correct)
    table = table_of(made)
    own = table["neuron_lang"] == table["lang"]
    others = (table["neuron_lang"] != "-") & ~own
    assert own.sum() == others.sum() == 2
    assert table.loc[others, "p_holm"].isna().all()
    assert table.loc[others, "p_value"].notna().all()
    first, *_ = table.loc[own, "p_holm"] / table.loc[own, "p_value"]
    assert first == pytest.approx(2)
    text = text_of(table, "xnli")
    assert cells_of(text, "m", "lape.s of vi", "vi")[0][4] == "30.0 ▼"
    other = cells_of(text, "m", "lape.s of hi", "vi")[0][4]
    assert other.startswith("35.0 [") and "▼" not in other
    assert "- *of* a language: its neurons are overwritten." in text
    alone = table[~others]
    assert "*of* a language" not in text_of(alone, "xnli")
    assert cells_of(text_of(alone, "xnli"), "m", "lape.s", "vi")[0][4] == "30.0 ▼"


def test_a_table_is_read_back_as_its_columns_say(tmp_path: Path) -> None:
    columns = (
        Column("lang", "language", key=True),
        Column("n", "items", "count"),
        Column("value", "share", "number"),
    )
    table = pd.DataFrame(
        {"lang": ["nan", "none"], "n": pd.array([3, None], "Int64"),
         "value": [0.5, np.nan], "mine": ["1", "x"]}
    )  # fmt: skip
    path = tmp_path / "t.tsv"
    write_tsv(path, table)
    back = read_table(path, columns)
    assert back["lang"].tolist() == ["nan", "none"] and back["mine"].tolist() == [
        "1",
        "x",
    ]
    assert back["n"].dtype == "Int64" and back["n"].tolist() == [3, pd.NA]
    assert back["value"].dtype == float and np.isnan(back["value"][1])
    path.write_text("lang\tn\tvalue\nen\t2.5\t1\n")
    with pytest.raises(DataError, match="n has a number that is not whole"):
        read_table(path, columns)
    path.write_text("lang\tn\nen\t2\n")
    with pytest.raises(DataError, match="the table has no column value"):
        read_table(path, columns)
    assert list(read_table(path, columns, ["n"]).columns) == ["lang", "n"]
