"""Tables of open text, from files as evaluations write them; numbers by hand."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from langneurons.config.errors import DataError
from langneurons.stats import steering
from langneurons.stats.appearing import largest
from langneurons.tables import fallback, open_text
from langneurons.tables.common import open_items
from langneurons.tables.common.as_html import html
from langneurons.tables.common.as_markdown import markdown
from langneurons.tables.common.columns import names, read_table, write_tsv
from langneurons.tables.common.document import Document
from langneurons.tables.common.inputs import Inputs
from steering_files import Files, packed, row

LANGUAGES = ("en", "vi")
ITEMS = 16
WAYS = (
    ("lape.s.{}.p_max", {"method": "lape", "statistic": "p_max"}, 0.5),
    ("random_lape-1.s.{}.p_max",
     {"method": "random", "matched": "lape", "draw": 1, "statistic": "p_max"}, 0.2),
    ("random_lape-2.s.{}.p_max",
     {"method": "random", "matched": "lape", "draw": 2, "statistic": "p_max"}, 0.0),
    ("prompt.{}", {"method": "prompt", "langset": None, "statistic": "prompt"}, 0.6),
    ("diffmean-l1-s1.{}",
     {"method": "diffmean", "langset": None, "statistic": "l1-s1"}, 0.3),
    ("diffmean-l2-s1.{}",
     {"method": "diffmean", "langset": None, "statistic": "l2-s1"}, 0.4),
)  # fmt: skip
"""Treatments, their columns, and what moves to the language that is steered to."""


def write(made: Files, one: Any, shares: Any, neurons: int = 7, **damage: Any) -> None:
    """Write answers; ``shares`` by language, one number or one per prompt."""
    columns: dict[str, Any] = {"item": np.arange(ITEMS, dtype=np.int32)}
    given = {x: shares.get(x, 0.0) for x in (*LANGUAGES, "other", "none")}
    for front in ("words_", "lines_"):
        columns |= {f"{front}{x}": np.full(ITEMS, v) for x, v in given.items()}
    usual = {"repetition": 0.1, "loops": False, "empty": False, "length": 20.0}
    columns |= {k: np.full(ITEMS, v) for k, v in (usual | damage).items()}
    axes = {k: one[k] for k in ("task", "model", "tuning", "seed", "lang")}
    none = one["statistic"] == "none"
    own = {"n": ITEMS, "n_neurons": 0 if none else neurons, "metrics": {}}
    made.write(axes, one["treatment"], pd.DataFrame(columns), **own)


def steered(folder: Path) -> tuple[Any, Inputs]:
    """Write answers in the prompts' language, of which treatments move a part."""
    made, rows = Files(folder), []
    for lang, other in (("en", "vi"), ("vi", "en")):
        rows.append(row(lang))
        write(made, rows[-1], {lang: 0.9, "none": 0.1})
        for name, own, moved in WAYS:
            rows.append(row(lang, other, name, **own))
            damage = {"length": 30.0, "loops": True} if moved == 0.5 else {}
            shares = {lang: 0.9 - moved, other: moved, "none": 0.1}
            neurons = 7 if own.get("langset", "s") else 0
            write(made, rows[-1], shares, neurons, **damage)
    spec = {"rows": packed(rows), "languages": {"facts": LANGUAGES}}
    return spec, Inputs({"evaluations": list(made.indexes)})


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    return open_text.TABLE.build(*steered(tmp_path_factory.mktemp("open")))


def only(table: pd.DataFrame, **wanted: Any) -> Any:
    for column, value in wanted.items():
        table = table[table[column].isna() if value is None else table[column] == value]
    assert len(table) == 1, table
    return table.iloc[0]


def written(document: Document) -> str:
    """Write Markdown, each run of blanks as one."""
    return re.sub(" +", " ", markdown(document))


def test_shares_of_the_steered_language(table: pd.DataFrame) -> None:
    assert list(table.columns) == names(open_text.TABLE.COLUMNS)
    for metric in ("words", "lines"):
        own = only(table, method="lape", metric=metric, against="none")
        assert (own["n"], own["cells"], own["unit"]) == (ITEMS, 2, "%")
        assert [own["before"], own["value"], own["delta"]] == pytest.approx(
            [0, 0.5, 0.5]
        )
        assert own["p_holm"] < 0.01
        # Mean of two draws, which moved 0.2 and nothing.
        random = only(table, method="lape", metric=metric, against="random")
        assert random["delta"] == pytest.approx(0.4)
        prompt = only(table, method="lape", metric=metric, against="prompt")
        assert prompt["delta"] == pytest.approx(-0.1) and prompt["p_holm"] < 0.01
        beside = only(table, method="lape", metric=metric, against="diffmean")
        assert (beside["setting"], beside["prompts"]) == ("l2-s1", "second half")
        second = int((~steering.first_half(np.arange(ITEMS))).sum())
        assert beside["n"] == second and beside["delta"] == pytest.approx(0.1)
        mean = only(table, method="random", draw=None, metric=metric, against="none")
        assert mean["value"] == pytest.approx(0.1) and np.isnan(mean["p_value"])


def test_damage_is_a_change(table: pd.DataFrame) -> None:
    own = {x: only(table, method="lape", metric=x, against="none")
           for x in open_items.DAMAGE}  # fmt: skip
    assert own["length"]["delta"] == 10 and own["length"]["unit"] == "tokens"
    assert (own["loops"]["before"], own["loops"]["value"]) == (0, 1)
    assert own["repetition"]["delta"] == 0 and own["repetition"]["p_value"] == 1
    controls = table[table["method"].isin(["random", "prompt", "diffmean"])]
    assert set(controls["against"]) == {"none"} and controls["p_holm"].isna().all()


def test_open_text_is_laid_out(table: pd.DataFrame, tmp_path: Path) -> None:
    document = open_text.TABLE.layout(table, {})
    text = written(document)
    line = next(x for x in text.splitlines() if x.startswith("| lape.s.p_max"))
    assert "50.0 (+50.0 ▲ [+50.0, +50.0])" in line and "30.00 (+10.00 ▲)" in line
    assert "| random for lape.s.p_max | 10.0 (+10.0" in text
    assert "random_lape" not in text and "minus diffmean" in text
    assert "50.0" in html(document)
    write_tsv(tmp_path / "t.tsv", table)
    again = read_table(tmp_path / "t.tsv", open_text.TABLE.COLUMNS)
    assert written(open_text.TABLE.layout(again, {})) == text


OFF = (
    ("lape.s.{}.zero", {"method": "lape", "statistic": "zero"}),
    ("random_lape-1.s.{}.zero",
     {"method": "random", "matched": "lape", "draw": 1, "statistic": "zero"}),
)  # fmt: skip


def switched(folder: Path) -> tuple[Any, Inputs]:
    """Write answers in English, then in Vietnamese, then in no language."""
    made, rows = Files(folder), []
    answers = {"en": {"en": 0.25, "vi": 0.75}, "en+vi": {"none": 0.8, "vi": 0.2}}
    for lang in LANGUAGES:
        rows.append(row(lang))
        write(made, rows[-1], {"en": 1.0})
        for name, own in OFF:
            for off, shares in answers.items():
                rows.append(row(lang, off, name, **own) | {"neuron_lang": None})
                kept = shares if own["method"] == "lape" else {"en": 1.0}
                write(made, rows[-1], kept, neurons=7 * len(off))
    spec = {"rows": packed(rows), "languages": {"facts": LANGUAGES}}
    return spec, Inputs({"evaluations": list(made.indexes)})


def test_which_language_appears(tmp_path: Path) -> None:
    table = fallback.TABLE.build(*switched(tmp_path))
    assert list(table.columns) == names(fallback.TABLE.COLUMNS)
    # A method, a draw and their mean; two languages and all; three steps; four shares.
    assert len(table) == 3 * 3 * 3 * 4
    for lang in ("en", "all"):
        at = {"method": "lape", "lang": lang}
        start = only(table, off="-", language="en", **at)
        assert (start["share"], start["step"], start["largest"]) == (1, 0, 1)
        assert np.isnan(start["delta"]) and np.isnan(start["random"])
        one = only(table, off="en", language="vi", **at)
        assert [one["share"], one["delta"], one["random"]] == [0.75] * 3
        assert (one["largest"], one["step"], one["n"]) == (1, 1, ITEMS)
        last = only(table, off="en+vi", language="none", **at)
        assert (last["share"], last["largest"], last["n_neurons"]) == (0.8, 1, 35)
        assert only(table, off="en+vi", language="vi", **at)["largest"] == 0
    document = fallback.TABLE.layout(table, {})
    text = written(document)
    assert "## m: facts, `lape.s.zero`" in text and "random for" not in text
    assert "| en | en | 25.0 (100.0) | 75.0 (0.0) |" in text
    assert "vi (100 %)" in text and "none (100 %)" in text
    assert html(document)
    write_tsv(tmp_path / "t.tsv", table)
    again = read_table(tmp_path / "t.tsv", fallback.TABLE.COLUMNS)
    assert written(fallback.TABLE.layout(again, {})) == text


def test_answers_that_do_not_fit(tmp_path: Path) -> None:
    spec, made = {"languages": {"facts": LANGUAGES}}, Files(tmp_path)
    rows = [row("en"), row("en", "vi", WAYS[0][0], **WAYS[0][1])]
    write(made, rows[0], {"en": 1.0})
    write(made, rows[1], {"en": np.r_[np.nan, np.ones(ITEMS - 1)]})
    files = Inputs({"evaluations": list(made.indexes)})
    with pytest.raises(DataError, match="words_en has values that are not finite"):
        open_text.TABLE.build({**spec, "rows": packed(rows)}, files)
    rows = [row("vi"), row("vi", "en", WAYS[0][0], **WAYS[0][1])]
    with pytest.raises(DataError, match="none of task facts"):
        open_text.TABLE.build({**spec, "rows": packed(rows)}, files)


def test_no_neurons_are_no_test(tmp_path: Path) -> None:
    made = Files(tmp_path)
    rows = [row("en"), row("en", "vi", WAYS[0][0], **WAYS[0][1])]
    write(made, rows[0], {"en": 1.0})
    write(made, rows[1], {"en": 1.0}, neurons=0)
    spec = {"rows": packed(rows), "languages": {"facts": LANGUAGES}}
    table = open_text.TABLE.build(spec, Inputs({"evaluations": list(made.indexes)}))
    assert table.empty
    assert "No rows." in markdown(open_text.TABLE.layout(table, {}))


def test_the_largest_share_by_hand() -> None:
    items = np.arange(2)
    shares = np.array([[1.0, 0.0], [0.0, 0.9]])
    # Two of the first: 1 in 4; one of each, the first is ahead: 1 in 2.
    found = largest([(items, shares)], 40_000)
    assert found == pytest.approx([0.75, 0.25], abs=0.02)
    both = largest([(items, shares), (items + 2, shares[:, ::-1])], 4_000)
    assert both.sum() == pytest.approx(1)


@given(
    st.lists(st.lists(st.floats(0, 1), min_size=3, max_size=3), min_size=1, max_size=9)
)
def test_shares_of_being_the_largest_are_shares(
    rows: Sequence[Sequence[float]],
) -> None:
    given_ = np.array(rows)
    found = largest([(np.arange(len(rows)), given_)], 50)
    assert found.sum() == pytest.approx(1) and (found >= 0).all()
    ahead = (given_[:, 0] > given_[:, 1:].max(axis=1) + 1e-9).all()
    assert not ahead or found[0] == 1
