"""Tables of steering and amplification, from files as evaluations write them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import steering_files
from configurations import paper
from langneurons.config.errors import DataError
from langneurons.stats import significance
from langneurons.stats import steering as statistics
from langneurons.study.configuration import load
from langneurons.tables import amplification, steering
from langneurons.tables.common import steering_rows
from langneurons.tables.common.as_markdown import markdown
from langneurons.tables.common.columns import names, read_table, write_tsv
from langneurons.tables.common.inputs import Inputs
from langneurons.tables.common.perplexities import shares
from langneurons.tables.common.steering_items import read_texts, shifted
from langneurons.tables.common.steering_rows import unpacked

LANGUAGES = ("en", "vi", "hi")


def indexes_of(paths: list[Path]) -> Inputs:
    is_text = [path.relative_to(path.parents[3]).parts[0] == "c" for path in paths]
    split: dict[str, list[Path]] = {"evaluations": [], "perplexities": []}
    for path, text in zip(paths, is_text, strict=True):
        split["perplexities" if text else "evaluations"].append(path)
    return Inputs(split)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Any:
    spec, paths = steering_files.study(tmp_path_factory.mktemp("steering"))
    read = indexes_of(paths)
    flat = {"rows": spec["rows"]["shifts"], "ties": spec["ties"]}
    return (
        steering.TABLE.build(flat, read),
        amplification.TABLE.build(spec, read),
        spec,
        read,
    )


def only(table: pd.DataFrame, **wanted: Any) -> pd.DataFrame:
    for column, value in wanted.items():
        table = table[table[column] == value]
    return table


def test_every_ordered_pair_has_a_row(made: Any) -> None:
    table = made[0]
    assert list(table.columns) == names(steering.COLUMNS)
    assert len(table) == 6 * len(steering_files.WAYS)
    assert (table["lang"] != table["neuron_lang"]).all()
    p_max = only(table, method="lape", statistic="p_max")
    assert (p_max["lss"] > 0.9).all() and (p_max["delta_t"] > 1.5).all()
    # One fact has no object in hi.
    assert set(p_max["n"]) == {steering_files.FACTS - 1, steering_files.FACTS}
    one = p_max.iloc[0]
    right = round(one["lss"] * one["n"])
    wilson = significance.wilson(right, one["n"])
    assert (one["lss_low"], one["lss_high"]) == pytest.approx(wilson)
    # Random neurons harm both objects, the likelier one more.
    drawn = only(table, method="random")
    assert drawn["lss"].mean() > 0.55 and drawn["lss_plus"].mean() < 0.35


def test_matrices_of_pairs_are_laid_out(made: Any, tmp_path: Path) -> None:
    text = markdown(steering.TABLE.layout(made[0], {}))
    assert "## m, `lape.s`, factor `p_max`" in text and "## m, `prompt`" in text
    assert "## m, `diffmean` `l1-s1`" in text and "| random" not in text
    lines = [x for x in text.splitlines() if x.startswith(("| en ", "| mean"))]
    cells = [cell.strip() for cell in lines[0].strip("|").split("|")]
    assert cells[0] == "en" and cells[1] == "–" and cells[2].endswith(")")
    write_tsv(tmp_path / "steering.tsv", made[0])
    again = read_table(tmp_path / "steering.tsv", steering.COLUMNS)
    assert markdown(steering.TABLE.layout(again, {})) == text


def test_means_over_pairs_and_their_differences(made: Any) -> None:
    table, whole = made[:2]
    lape = only(whole, method="lape", statistic="p_max", metric="lss")
    mean = only(lape, facts="all", against="-").iloc[0]
    pairs = only(table, method="lape", statistic="p_max")
    assert mean["value"] == pytest.approx(pairs["lss"].mean())
    assert mean["cells"] == 6 and mean["n"] == steering_files.FACTS
    assert mean["ci_low"] <= mean["value"] <= mean["ci_high"]
    drawn = only(table, method="random")
    against = only(lape, facts="all", against="random").iloc[0]
    assert against["delta"] == pytest.approx(mean["value"] - drawn["lss"].mean())
    assert against["p_value"] < 0.01 and against["p_holm"] >= against["p_value"]
    # A setting that is chosen on some of the facts is not shown on them.
    assert set(lape.loc[lape["facts"] == "all", "against"]) == {"-", "random", "prompt"}
    half = set(lape.loc[lape["facts"] == "second half", "against"])
    assert half == {"-", "random", "prompt", "diffmean", "runner-up"}


def test_settings_are_chosen_on_the_first_half(made: Any) -> None:
    _, whole, spec, read = made
    first = statistics.first_half(np.arange(steering_files.FACTS))
    settings = only(whole, method="diffmean", metric="lss", facts="second half")
    means: dict[str, list[float]] = {}
    rows = unpacked(spec["rows"]["shifts"])
    found = shifted(read.files["evaluations"], rows, spec["ties"])
    for one in found:
        if one.row["method"] == "diffmean":
            half = first[one.shift.facts]
            means.setdefault(one.row["statistic"], []).append(
                float(one.shift.values["lss"][half].mean())
            )
    best = max(means, key=lambda k: float(np.mean(means[k])))
    assert settings.set_index("statistic")["rank"].to_dict()[best] == 1
    compared = only(whole, against="diffmean")
    assert set(compared["setting"]) == {best}
    ranks = only(whole, method="lape", metric="lss").set_index("statistic")["rank"]
    assert ranks["p_max"].iloc[0] == 1 and ranks["zero"].iloc[0] == 2
    runner = only(whole, against="runner-up", metric="lss").iloc[0]
    assert runner["setting"] == "zero" and runner["facts"] == "second half"
    n = only(whole, method="lape", metric="lss", facts="second half")["n"]
    assert set(n) == {int((~first).sum())}


def test_own_and_other_languages_of_tasks_and_text(made: Any) -> None:
    whole = made[1]
    lape = only(whole, method="lape", statistic="p_max", against="none")
    pick, text = only(lape, task="pick"), only(lape, task="perplexity")
    pick, text = (x.set_index("metric")["value"] for x in (pick, text))
    assert pick["own"] > 0.05 and pick["other"] < -0.05
    assert text["own"] == pytest.approx(0.05, abs=0.02)
    assert text["other"] == pytest.approx(0.4, abs=0.02)
    cells = only(lape, task="perplexity").set_index("metric")["cells"]
    assert cells.to_dict() == {"own": 3, "other": 6}
    against = only(whole, task="pick", method="lape", against="diffmean")
    assert set(against["facts"]) == {"all"} and len(against) == 4
    assert "prompt" not in set(only(whole, task="perplexity")["against"])
    units = whole.groupby("task")["unit"].agg(set).to_dict()
    assert units["pick"] == {"%"} and units["perplexity"] == {"nats per token"}


class Measured:
    """Stands for files of perplexity: half a nat more per token under a treatment."""

    tokens = (2, 30, 7, 61)

    def of(self, row: Any) -> tuple[dict[str, Any], Path]:
        more = 0.0 if row["treatment"] == "none" else 0.5
        nll = [more + x for x in (3.0, 1.0, 2.0, 4.0)]
        record = {"n_neurons": 7, "chunk_tokens": self.tokens, "chunk_nll": nll}
        return record, Path("text")


def test_sentences_that_change_alike_leave_no_doubt_however_long_they_are() -> None:
    one = {"corpus": "c", "model": "m", "lang": "en", "treatment": "t"}
    found: Any = Measured()
    [changed] = read_texts(found, [one | {"statistic": "p_max"}])
    assert changed.change.tolist() == [0.5] * 4
    # By hand: (2 x 1 + 6 x 3) / 8 = 2.5, from which parts are 2 (1 - 2.5) / 4 apart.
    by_hand = shares(np.array([1.0, 3.0]), np.array([2, 6]))
    assert by_hand.tolist() == [2.5 - 0.75, 2.5 + 0.75]


def test_holm_counts_the_comparisons_of_a_metric(made: Any) -> None:
    whole = made[1]
    family = only(whole, task="facts", metric="lss", facts="second half")
    tested = family[family["p_value"].notna()]
    # Two factors against three controls (random neurons have one factor only), and
    # one runner-up.
    assert len(tested) == 2 * 2 + 1 + 1
    expected = significance.holm(list(tested["p_value"]))
    assert list(tested["p_holm"]) == pytest.approx(expected)
    controls = whole[whole["method"].isin(("random", "prompt", "diffmean"))]
    assert controls["p_value"].isna().all()


def test_the_whole_table_is_laid_out(made: Any, tmp_path: Path) -> None:
    whole = made[1]
    text = markdown(amplification.TABLE.layout(whole, {}))
    for part in (
        "m: facts of facts, all of them", "second half, against the controls",
        "minus random", "minus prompt", "minus diffmean", "best factor by the first",
        "random for lape.s.p_max", "pick own, points", "text other, nats per token",
        "SHA-256",
    ):  # fmt: skip
        assert part in text, part
    assert "pilot" not in text.split("How to read it")[0] and "nan" not in text
    write_tsv(tmp_path / "amplification.tsv", whole)
    again = read_table(tmp_path / "amplification.tsv", amplification.COLUMNS)
    assert markdown(amplification.TABLE.layout(again, {})) == text
    empty = markdown(amplification.TABLE.layout(whole.iloc[:0], {}))
    assert "No rows." in empty


def test_a_language_without_neurons_counts_nowhere(tmp_path: Path) -> None:
    made = steering_files.Files(tmp_path)
    given = list(steering_files.rows(LANGUAGES))
    for one in given:
        made.facts(one, LANGUAGES, neurons=0 if one["neuron_lang"] == "vi" else 7)
    read = Inputs({"evaluations": list(made.indexes)})
    spec: Any = {
        "rows": steering_files.packed(given),
        "ties": {"amplification": "drop"},
    }
    table = steering.TABLE.build(spec, read)
    lape = only(table, method="lape", neuron_lang="vi")
    assert lape["lss"].isna().all() and (lape["n_neurons"] == 0).all()
    assert only(table, method="prompt", neuron_lang="vi")["lss"].notna().all()
    assert "no neurons" in markdown(steering.TABLE.layout(table, {}))
    nothing = steering_files.packed([])
    parts = {"shifts": steering_files.packed(given), "published": []}
    parts |= {"choices": nothing, "texts": nothing}
    spec = spec | {"rows": parts, "kinds": {}}
    whole = amplification.TABLE.build(spec, read)
    mean = only(whole, method="lape", metric="lss", statistic="p_max", against="-")
    assert set(mean["cells"]) == {4}
    against = only(whole, method="lape", statistic="p_max", against="prompt")
    assert set(against["cells"]) == {4}


def test_damaged_answers_are_told(tmp_path: Path) -> None:
    made = steering_files.Files(tmp_path)
    given = list(steering_files.rows(("en", "vi")))
    for one in given:
        made.facts(one, ("en", "vi"))
    [index] = [i for i in made.indexes if i.parent.name == "en"]
    path = index.with_name("prompt.vi.parquet")
    spec = {"rows": steering_files.packed(given), "ties": {"amplification": "drop"}}
    whole = pd.read_parquet(path)
    axes = {k: given[0][k] for k in ("task", "model", "tuning", "seed", "lang")}
    result = {"n": 24, "n_neurons": 0, "metrics": {}}
    broken = {
        "tokens_vi": "lacks the columns tokens_vi",
        "logprob_en": "lacks the columns|other languages",
    }
    for column, said in broken.items():
        made.write(axes, "prompt.vi", whole.drop(columns=[column]), **result)
        with pytest.raises(DataError, match=said):
            steering.TABLE.build(spec, Inputs({"evaluations": [*made.indexes]}))
    made.write(axes, "prompt.vi", whole.assign(logprob_vi=-np.inf), **result)
    with pytest.raises(DataError, match="an infinite log-probability, or no tokens"):
        steering.TABLE.build(spec, Inputs({"evaluations": [*made.indexes]}))
    made.write(axes, "prompt.vi", whole.assign(item=whole["item"] + 1), **result)
    with pytest.raises(DataError, match="other facts, or another order"):
        steering.TABLE.build(spec, Inputs({"evaluations": [*made.indexes]}))


def test_two_treatments_of_one_name_are_refused(made: Any) -> None:
    _, _, spec, read = made
    shifts = unpacked(spec["rows"]["shifts"])
    again = steering_files.packed([*shifts, shifts[1]])
    twice = spec | {"rows": spec["rows"] | {"shifts": again}}
    with pytest.raises(DataError, match="two treatments of vi have the names lape"):
        amplification.TABLE.build(twice, read)


def test_facts_shift_to_the_languages_that_they_have_answers_in() -> None:
    """The study's neurons are of 18 languages, its facts in 15 of them."""
    config = load(paper(run=["amplification"]))
    entry = config.task("mlama")
    asked = set(entry.parameters["languages"])
    inside = set(config.language_set("flores18").languages)
    assert inside - asked == {"ht", "qu", "sw"}
    found = steering_rows.steering(config)
    pairs = {(row.lang, steering_rows.target(row.treatment)) for _, row in found.shifts}
    assert pairs == {(b, t) for b in entry.languages for t in {*asked, None} - {b}}
    others = {steering_rows.target(row.treatment) for _, row in found.choices}
    assert others == {*inside, None}
    assert len(steering_rows.overwrites(config).shifts) == 6 * 4 * 6
