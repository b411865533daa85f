"""Tables of bridges: what choices are worth, in a planted world."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import bridge_files
from configurations import merge, tiny
from langneurons import tasks
from langneurons.config.errors import DataError
from langneurons.grid.experiments.bridges import Bridges
from langneurons.neurons.neuron_sets import NeuronSets
from langneurons.stats import choices
from langneurons.study.configuration import load
from langneurons.tables import (
    bridge_candidates,
    bridges,
    interventions,
    language_overlap,
)
from langneurons.tables.common.as_markdown import markdown
from langneurons.tables.common.columns import read_table, write_tsv
from langneurons.tables.common.inputs import Inputs


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> Inputs:
    folder = tmp_path_factory.mktemp("bridges")
    return Inputs(
        {
            "evaluations": bridge_files.evaluations(folder / "evaluations"),
            "similarities": bridge_files.similarities(folder / "similarities"),
            "tables": bridge_files.tables(folder / "tables"),
        }
    )


@pytest.fixture(scope="module")
def table(read: Inputs) -> pd.DataFrame:
    return bridges.TABLE.build(bridge_files.spec(), read)


def one(table: pd.DataFrame, similarity: str, pair: str, beside: str = "-") -> Any:
    rows = table[(table["similarity"] == similarity) & (table["pair"] == pair)]
    rows = rows[rows["beside"] == beside]
    assert len(rows) == 1
    return rows.iloc[0]


def test_a_choice_stands_beside_what_there_was_to_choose(table: pd.DataFrame) -> None:
    row = one(table, "right", "vi-ur")
    assert (row["chosen"], row["best"], row["found"], row["chance"]) == (
        "hi", "hi", 1.0, 0.25,
    )  # fmt: skip
    shares = {"direct": 0.1, "english": 0.3, "accuracy": 0.9, "best_accuracy": 0.9}
    assert {k: row[k] for k in shares} == pytest.approx(shares)
    assert row["random"] == pytest.approx((0.3 + 0.9 + 0.05 + 0.05) / 4)
    assert row["regret"] == 0
    # 24 of 40 words are right through hi only, none through English only.
    assert row["over_english"] == pytest.approx(0.6)
    assert row["p_english"] == pytest.approx(2 / 2**24)
    assert row["over_english_low"] < 0.6 < row["over_english_high"]
    assert row["over_random"] == pytest.approx(0.9 - row["random"])
    worse = one(table, "wrong", "vi-ur")
    assert (worse["chosen"], worse["share"], worse["draws"]) == ("zh", 0.8, 200)
    assert (worse["probes"], worse["anchor"]) == (33, 11)
    assert worse["regret"] == pytest.approx(0.85) and worse["found"] == 0
    assert worse["over_english"] == pytest.approx(-0.25)


def test_marks_of_pairs_are_those_of_the_tasks_table(table: pd.DataFrame) -> None:
    own = table[(table["similarity"] == "wrong") & (table["pair"] != "all")]
    # English is an end of en-ur, which is no test.
    assert list(own[own["p_english"].notna()]["pair"]) == ["vi-ur", "vi-el"]
    by_pair = own.set_index("pair")
    assert list(by_pair["chosen"]) == ["zh", "zh", "zh"]
    for pair, row in by_pair.iterrows():
        known = bridge_files.corrected(str(pair), "zh", "none")
        assert row["p_direct_holm"] == known != row["p_direct"]
    for pair in ("vi-ur", "vi-el"):
        known = bridge_files.corrected(pair, "zh", "via_en")
        assert by_pair.loc[pair, "p_english_holm"] == known
    assert np.isnan(by_pair.loc["en-ur", "english"])


def test_the_same_bridge_is_no_test(table: pd.DataFrame) -> None:
    row = one(table, "few", "vi-el")
    assert row["chosen"] == "en" and row["over_english"] == 0
    assert np.isnan(row["p_english"]) and np.isnan(row["over_english_low"])


def test_means_over_pairs_count_those_with_a_choice(table: pd.DataFrame) -> None:
    right = one(table, "right", "all")
    assert (right["pairs"], right["pairs_english"], right["n"]) == (3, 2, 120)
    assert right["over_direct"] == pytest.approx(0.8)
    assert right["over_english"] == pytest.approx(0.6)
    assert right["p_direct"] == pytest.approx(0.25) == right["p_least_direct"]
    # Of two pairs that have English.
    assert right["p_least_english"] == pytest.approx(0.5)
    # Where it is no end, `few` chooses English itself: no difference is possible.
    assert np.isnan(one(table, "few", "all")["p_least_english"])
    assert right["p_english"] == pytest.approx(0.5)
    assert (right["found"], right["regret"]) == (1, 0)
    # By chance: 1 of 3, 1 of 4, and 2 of 4 that are best.
    assert right["chance"] == pytest.approx((1 / 3 + 1 / 4 + 2 / 4) / 3)
    few = one(table, "few", "all")
    assert few["pairs"] == 2 and few["left_out"] == "1 of 3 pairs"
    assert one(table, "few", "vi-ur")["left_out"] == bridge_files.LEFT_OUT
    english = one(table, "always_english", "all")
    assert english["pairs"] == 2 and english["over_direct"] == pytest.approx(0.2)
    assert english["over_english"] == 0 and np.isnan(english["p_english"])
    assert "is an end" in one(table, "always_english", "en-ur")["left_out"]


def test_equals_are_told_beside_the_choice(read: Inputs, tmp_path: Path) -> None:
    paths = list(read.files["similarities"])
    for place, path in enumerate(paths):
        found = json.loads(path.read_text())
        if found["similarity"] == "wrong" and found["pair"] == "vi-el":
            found["tied"] = 2
            paths[place] = tmp_path / "tied.json"
            paths[place].write_text(json.dumps(found))
    given = Inputs(dict(read.files) | {"similarities": paths})
    table = bridges.TABLE.build(bridge_files.spec(), given)
    assert [one(table, "wrong", x)["tied"] for x in ("vi-ur", "vi-el", "all")] == [
        1, 2, 1,
    ]  # fmt: skip
    text = markdown(bridges.TABLE.layout(table, {}))
    assert text.count("(0.80, 1 of 2 equal)") == 1


def test_a_reason_to_leave_pairs_out_is_told_once(table: pd.DataFrame) -> None:
    rows = (table["beside"] == "-") & (table["pair"] != "all")
    few = rows & table["similarity"].isin(("few", "wrong"))
    few |= rows & (table["similarity"] == "right") & (table["pair"] == "vi-el")
    changed = table.assign(left_out=table["left_out"].where(~few, "too few."))
    text = markdown(bridges.TABLE.layout(changed, {}))
    left = text.partition(": left out")[2].partition("## How")[0].strip()
    assert left == "- vi-el (right, wrong, few); en-ur, vi-ur (wrong, few): too few."


def test_two_similarities_are_compared(table: pd.DataFrame) -> None:
    row = one(table, "right", "all", "wrong")
    # On vi-el zh is as good as hi: both are right on the same words.
    assert row["same_choice"] == 0 and row["over_beside"] == pytest.approx(1.7 / 3)
    scores = bridge_files.SCORES
    taus = [
        choices.kendall(*([scores[x][k] for k in some] for x in ("right", "wrong")))
        for some in bridge_files.CANDIDATES.values()
    ]
    assert row["kendall"] == pytest.approx(np.mean(taus)) and row["pairs"] == 3
    assert one(table, "right", "all", "few")["pairs"] == 2


def test_candidates_have_their_scores_and_accuracies(read: Inputs) -> None:
    found = bridge_candidates.TABLE.build(bridge_files.spec(), read)
    assert len(found) == 3 * (3 + 4 + 4)
    own = found[(found["similarity"] == "wrong") & (found["pair"] == "vi-el")]
    assert list(own["rank"]) == [3, 4, 1, 2] and list(own["size"]) == [7] * 4
    assert list(own["chosen"]) == ["", "", "yes", ""]
    assert list(own["accuracy"]) == pytest.approx([0.3, 0.9, 0.9, 0.05])
    assert list(own["over_direct"]) == pytest.approx([0.2, 0.8, 0.8, -0.05])
    left = found[(found["similarity"] == "few") & (found["pair"] == "vi-ur")]
    assert left["score"].isna().all() and left["rank"].isna().all()
    text = markdown(bridge_candidates.TABLE.layout(found, {}))
    assert "| vi-el | zh      |" in text and "**0.9 (0.80)**" in text


def test_tables_read_back_and_are_laid_out(table: pd.DataFrame, tmp_path: Path) -> None:
    write_tsv(tmp_path / "bridges.tsv", table)
    again = read_table(tmp_path / "bridges.tsv", bridges.TABLE.COLUMNS)
    pd.testing.assert_frame_equal(again, table, atol=1e-3)
    text = markdown(bridges.TABLE.layout(again, {}))
    assert text.count("\n") == markdown(bridges.TABLE.layout(table, {})).count("\n")
    assert "an end" in text and f"vi-ur (few): {bridge_files.LEFT_OUT}" in text
    assert "zh 0.050 (0.80) ▼" in text and "hi 0.900 ▲" in text
    assert "No rows." in markdown(bridges.TABLE.layout(again[:0], {}))


def test_a_file_of_another_pair_is_refused(read: Inputs, tmp_path: Path) -> None:
    paths = list(read.files["similarities"])
    damaged = json.loads(paths[0].read_text())
    for key, value, said in (
        ("pair", "hi-en", "is of .*hi-en, not of .*en-ur"),
        ("draws", None, "draws is None"),
        ("chosen", "de", "chose de, which has no score"),
    ):
        path = tmp_path / f"{key}.json"
        path.write_text(json.dumps(damaged | {key: value}))
        given = Inputs(dict(read.files) | {"similarities": [path, *paths[1:]]})
        with pytest.raises(DataError, match=said):
            bridges.TABLE.build(bridge_files.spec(), given)


def test_the_mean_over_groups_resamples_both() -> None:
    rng = np.random.default_rng(1)
    groups = [rng.normal(mean, 1, 400) for mean in (0.0, 0.0, 0.0, 0.0)]
    mean, low, high = choices.mean_over(groups)
    assert low < mean < high
    # Items alone: 1.96 / sqrt(1600) to either side.
    alone = 1.96 / 40
    assert high - low > 2 * 0.9 * alone
    far = [group + shift for group, shift in zip(groups, (-2, -1, 1, 2), strict=True)]
    _, low, high = choices.mean_over(far)
    assert high - low > 10 * alone
    single = choices.mean_over(groups[:1])
    assert single[2] - single[1] == pytest.approx(4 * alone, rel=0.1)
    assert np.isnan(choices.mean_over([])).all()
    assert np.isnan(choices.test_over([])) and np.isnan(choices.smallest(0))


def test_rank_correlations_need_three_different_numbers() -> None:
    nan = float("nan")
    assert choices.spearman([1, 2, 3, nan], [10, 20, 30, 0]) == pytest.approx(1)
    assert choices.kendall([1, 2, 3], [3, 2, 1]) == pytest.approx(-1)
    for few in ([1, 2], [1, 1, 1], [1, nan, 2]):
        assert np.isnan(choices.spearman(few, range(len(few))))
        assert np.isnan(choices.kendall(few, range(len(few))))


def rows_of_task() -> list[dict[str, Any]]:
    """Name the rows of the task's table as the planner does."""
    empty = dict.fromkeys(("langset", "draw", "matched", "neuron_lang", "published"))
    shared = {"experiment": "bridges", "task": "words", "model": "m", "tuning": "base"}
    found = []
    for pair, candidates in bridge_files.CANDIDATES.items():
        for way in ("none", *(f"via_{k}" for k in candidates)):
            method = None if way == "none" else "bridge"
            own = {"seed": 0, "lang": pair, "method": method, "statistic": way}
            found.append(shared | empty | own | {"treatment": way})
    return found


def test_each_bridge_is_set_against_direct_and_against_english(read: Inputs) -> None:
    spec = {"task": "words", "kind": "bli", "source_language": "en"}
    spec |= {"layout": "interventions", "rows": rows_of_task()}
    table = interventions.TABLE.build(spec, read)
    assert table["against"].value_counts().to_dict() == {
        "none": 3 + 4 + 4, "via_en": 3 + 3, "-": 3,
    }  # fmt: skip
    keys = ["lang", "statistic", "against"]
    by_name = table.set_index(keys)
    row = by_name.loc["vi-ur", "via_hi", "via_en"]
    assert row["delta"] == pytest.approx(0.6) and row["p_value"] < 1e-6
    assert by_name.loc["vi-ur", "via_hi", "none"]["delta"] == pytest.approx(0.8)
    # Two families: against the direct way, and against English.
    for against in ("none", "via_en"):
        part = table[table["against"] == against]
        least = part["p_value"].min()
        assert part["p_holm"].min() == pytest.approx(least * len(part))
    assert tasks.load("bli").METRICS["correct"].kind == "binary"
    text = markdown(interventions.TABLE.layout(table, spec))
    assert text.startswith("# words (BLI): accuracy directly and through bridges, perc")
    assert "## Against English as the bridge, percentage points" in text
    assert "| model | pair  |           direct | via hi |" in text
    assert "- Strongest bridge: m via_hi on en-ur, +80.0 points" in text
    assert "- Of 11 bridges 4 raise and 0 lower accuracy significantly" in text
    assert "on 40 items per pair." in text and "higher or lower than *direct*" in text
    # Nothing is written into any neurons.
    for word in ("No Int", "neurons", "ntervention", "not fine-tuned, "):
        assert word not in text.replace("Models as they are, not fine-tuned, ", "")
    lines = [line for line in text.splitlines() if line.startswith("| m ")]
    direct = next(line for line in lines if "vi-ur" in line)
    assert "90.0 ▲" in direct and "10.0 [" in direct
    against = [line for line in lines if "vi-ur" in line][1]
    assert "+60.0 ▲" in against and "-25.0 ▼" in against


def test_shared_neurons_stand_beside_kinship(tmp_path: Path) -> None:
    neurons = {
        "hi": {0: [1, 2, 3], 1: [4]},
        "ur": {0: [2, 3, 5]},
        "el": {1: [4, 5], 2: [0]},
        "xx": {},
    }
    sets = NeuronSets(
        "top", "all", "top_probability", "m", "r", 3, 8, "act_post", neurons
    )
    path = tmp_path / "top.all.json"
    sets.write(path)
    families = {"hi": "Indo-European", "ur": "Indo-European", "el": "Hellenic"}
    spec = {"rows": {"neurons": [["m", "top.all"]], "families": families}}
    table = language_overlap.TABLE.build(spec, Inputs({"neurons": [path]}))
    assert len(table) == 6
    found = table.set_index(["lang", "other"])
    kin = found.loc["hi", "ur"]
    assert (kin["shared"], kin["layers"], kin["kin"]) == (2, 1, "yes")
    assert kin["jaccard"] == pytest.approx(2 / 5)
    assert tuple(found.loc["hi", "el"][["shared", "kin"]]) == (1, "no")
    assert tuple(found.loc["ur", "xx"][["shared", "kin"]]) == (0, "")
    text = markdown(language_overlap.TABLE.layout(table, {}))
    assert "**2 (0.40)**" in text and "1 (0.17)" in text
    assert "of one family: 0.400 (pairs: 1); of two families: " in text


def test_families_are_those_of_similarities_that_are_used() -> None:
    chosen = {"kind": "family", "parameters": {"families": {"vi": "Austroasiatic"}}}
    other = {"kind": "family", "parameters": {"families": {"vi": "None"}}}
    config = load(merge(tiny(), {"similarities": {"mine": chosen, "idle": other}}))
    entry = Bridges.model_validate(
        {
            "kind": "bridges", "models": ["demo"], "tasks": ["bli"],
            "pairs": ["hi-vi"], "candidates": ["en"], "selection": "lape.world",
            "similarities": ["mine"], "probes": {"dictionary": "muse"},
        }
    )  # fmt: skip
    changes = {"run": ("a",), "experiments": {"a": entry}}
    spec = language_overlap.TABLE.spec(config.model_copy(update=changes), "x")
    assert spec["rows"]["families"]["vi"] == "Austroasiatic"
