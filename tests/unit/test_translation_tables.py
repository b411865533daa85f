"""Translations in tables: corpus scores with intervals and tests, pair by pair.

In the planted world the neurons of a language turn translations into it right, and
those into another language wrong; random neurons change one translation in five.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import steering_files
from evaluation_files import text_of
from langneurons import tasks
from langneurons.config.errors import DataError
from langneurons.figures import steering as figures
from langneurons.report import effects
from langneurons.stats.resummed import Resummed, compare
from langneurons.tables import amplification
from langneurons.tables.common import task_columns, task_table
from langneurons.tables.common.as_markdown import markdown
from langneurons.tables.common.bridge_choices import Place
from langneurons.tables.common.bridge_rows import _tested
from langneurons.tables.common.evaluations import Evaluations
from langneurons.tables.common.inputs import Inputs
from langneurons.tables.common.metrics import Shown
from langneurons.tasks.common import sentence_translations, translation_scores

sacrebleu = pytest.importorskip("sacrebleu", reason="pip install sacrebleu")

N = 20
PAIRS = ("en-vi", "en-hi")
RIGHT = [f"mot con meo so {i} ngoi tren tam tham" for i in range(N)]
WRONG = [f"a cat number {i} sat on the mat" for i in range(N)]
TARGETED = tasks.load("translation")
WAYS = steering_files.WAYS[:5]  # lape, random draws and the prompt


def answers(one: dict[str, Any], rng: Any) -> list[str]:
    target, whose = one["lang"].partition("-")[2], one["neuron_lang"]
    right = np.arange(N) % 2 == 0
    if one["method"] == "random":
        right ^= rng.random(N) < 0.2
    elif one["statistic"] in ("p_max", "prompt"):
        right = np.full(N, whose == target)
    return [RIGHT[i] if ok else WRONG[i] for i, ok in enumerate(right)]


def table_of(texts: list[str]) -> pd.DataFrame:
    items = [{"id": i, "reference": text} for i, text in enumerate(RIGHT)]
    empty = {"scorers": TARGETED.PARAMETERS().scorers(), "target": "vi"}
    return sentence_translations.table(items, texts, [""] * N, **empty)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The rows, the indexes, and what every treatment wrote."""
    files = steering_files.Files(tmp_path_factory.mktemp("mt"))
    rng, given, wrote = np.random.default_rng(0), [], {}
    for pair in PAIRS:
        given.append(steering_files.row(pair, task="mt"))
        for name, columns in WAYS:
            for whose in ("vi", "hi"):
                one = steering_files.row(pair, whose, name, **columns, task="mt")
                given.append(one)
    for one in given:
        texts = wrote[one["lang"], one["treatment"]] = answers(one, rng)
        axes = {k: one[k] for k in ("task", "model", "tuning", "seed", "lang")}
        own = {"n": N, "n_neurons": 7, "metrics": {}}
        files.write(axes, one["treatment"], table_of(texts), **own)
    return given, list(files.indexes), wrote


@pytest.fixture(scope="module")
def whole(made: Any) -> pd.DataFrame:
    rows = [one | {"published": {}} for one in made[0]]
    found = Evaluations(made[1], {"mt": TARGETED.METRICS})
    return task_table.task_table(
        rows, [found.of(one) for one in rows], TARGETED.METRICS,
        title=TARGETED.TITLE, resamples=400,
    )  # fmt: skip


def of(table: pd.DataFrame, **wanted: Any) -> Any:
    for column, value in wanted.items():
        table = table[table[column] == value]
    assert len(table) == 1
    return table.iloc[0]


def test_values_are_scores_of_all_sentences(made: Any, whole: pd.DataFrame) -> None:
    for metric, theirs in (
        ("chrf", sacrebleu.CHRF(word_order=2)), ("bleu", sacrebleu.BLEU()),
    ):  # fmt: skip
        rows = whole[whole["metric"] == metric]
        assert len(rows) == len(made[0])
        for row, one in zip(rows.to_dict("records"), made[0], strict=True):
            texts = made[2][one["lang"], one["treatment"]]
            wanted = theirs.corpus_score(texts, [RIGHT]).score / 100
            assert row["value"] == pytest.approx(wanted, abs=1e-11)
            assert row["ci_low"] <= row["value"] <= row["ci_high"]


def test_differences_are_those_of_the_paired_bootstrap(
    made: Any, whole: pd.DataFrame
) -> None:
    names = {"lang": "en-vi", "statistic": "p_max", "neuron_lang": "vi"}
    row = of(whole, metric="chrf", method="lape", **names)
    both = [
        Resummed(
            translation_scores.chrf_statistics(made[2]["en-vi", name], RIGHT),
            translation_scores.chrf_score,
        )
        for name in ("lape.s.vi.p_max", "none")
    ]
    wanted = compare(*both, 400)
    assert {k: row[k] for k in wanted} == pytest.approx(wanted)
    assert row["delta_ci_low"] > 0 and row["p_value"] < 0.01
    assert row["against"] == "none" and row["metric_kind"] == "resummed"


def test_own_neurons_are_those_of_the_target(whole: pd.DataFrame) -> None:
    marked = whole[task_columns.is_marked(whole) & whole["against"].eq("none")]
    lape = marked[marked["method"] == "lape"]
    assert set(zip(lape["lang"], lape["neuron_lang"], strict=True)) == {
        ("en-vi", "vi"), ("en-hi", "hi"),
    }  # fmt: skip
    assert lape["p_holm"].notna().all()
    kept = effects.chosen_rows(whole, "en")
    assert set(kept["metric"]) == {"chrf"}
    assert set(kept.loc[kept["method"] == "lape", "neuron_lang"]) == {"vi", "hi"}


def test_the_table_is_laid_out(whole: pd.DataFrame) -> None:
    text = text_of(whole, "mt")
    assert "chrF++" in text and "en-vi" in text
    assert "chrF++, BLEU: a number of all items together, made of statistics" in (
        " ".join(text.split())
    )
    shown = Shown.read(whole.iloc[0])
    assert shown.is_tested and shown.is_percent


def test_a_matrix_of_changes_frames_the_target(whole: pd.DataFrame) -> None:
    given = {"model": "m", "selection": "lape.s", "factor": "p_max"}
    data = figures.task_changes(whole, "chrf", **given)
    own = data[data["neurons"] == "selected"].set_index(["lang", "neuron_lang"])
    assert own.loc[("en-vi", "vi"), "value"] > 20
    assert own.loc[("en-vi", "hi"), "value"] < -20
    shown = Shown.of("chrf", TARGETED.METRICS["chrf"])
    drawn = figures.draw_task_changes(data, shown, "title")
    assert [x.get_text() for x in drawn.axes[0].get_yticklabels()] == list(PAIRS)


@pytest.fixture(scope="module")
def amplified(made: Any, tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """The table of amplification, with the facts that it needs."""
    spec, paths = steering_files.study(tmp_path_factory.mktemp("facts"), ("vi", "hi"))
    spec["rows"] |= {"choices": steering_files.packed(made[0]), "texts": []}
    spec["rows"]["texts"] = steering_files.packed([])
    spec["kinds"] = {"mt": "translation"}
    kept = [path for path in paths if path.parents[4].name == "facts"]
    return amplification.TABLE.build(spec, Inputs({"evaluations": [*kept, *made[1]]}))


def test_amplification_has_own_and_other_changes_of_chrf(
    made: Any, amplified: pd.DataFrame
) -> None:
    mt = amplified[amplified["task"] == "mt"]
    assert set(mt["metric"]) == {"own", "other"} and set(mt["unit"]) == {"%"}
    wanted = {}
    for metric, same in (("own", True), ("other", False)):
        changes = []
        for pair in PAIRS:
            whose = next(x for x in ("vi", "hi") if (pair[3:] == x) == same)
            scores = [
                sacrebleu.CHRF(word_order=2).corpus_score(made[2][pair, x], [RIGHT])
                for x in (f"lape.s.{whose}.p_max", "none")
            ]
            changes.append((scores[0].score - scores[1].score) / 100)
        wanted[metric] = np.mean(changes)
    lape = mt[(mt["method"] == "lape") & (mt["statistic"] == "p_max")]
    for metric, value in wanted.items():
        row = of(lape, metric=metric, against="none")
        assert row["value"] == pytest.approx(value) and row["cells"] == 2
        assert row["ci_low"] < value < row["ci_high"] and row["n"] == N
        assert row["p_value"] < 0.01 and row["p_holm"] < 0.05
        beside = of(lape, metric=metric, against="random")
        assert np.sign(beside["delta"]) == np.sign(value) and beside["p_value"] < 0.01
    drawn = mt[mt["method"] == "random"]
    mean = of(drawn[drawn["draw"].isna()], metric="own")["value"]
    each = drawn[drawn["draw"].notna() & (drawn["metric"] == "own")]["value"]
    assert mean == pytest.approx(each.mean()) and len(each) == 2
    same = of(lape, metric="own", against="prompt")
    assert same["delta"] == pytest.approx(0) and same["p_value"] == 1
    text = markdown(amplification.TABLE.layout(amplified, {}))
    assert "mt own, points" in text and "paired bootstrap" in " ".join(text.split())


def test_bridges_are_chosen_by_single_sentences(made: Any, tmp_path: Path) -> None:
    """No choice is made over sums: a similarity's items are those of one sentence."""
    files = steering_files.Files(tmp_path)
    axes = {"task": "mt", "model": "m", "tuning": "base", "seed": 0, "lang": "en-vi"}
    for name, texts in (("none", WRONG), ("via_de", RIGHT)):
        own = {"n": N, "n_neurons": 0, "metrics": {}}
        files.write(axes, name, table_of(texts), **own)
    found = Evaluations(list(files.indexes), {"mt": TARGETED.METRICS})
    place = Place("bridged", "mt", "m", "en-vi")
    scored = _tested(found, place, ["de"], TARGETED.METRICS)
    assert scored.kind == "score" and len(scored.direct) == N
    assert scored.accuracies == {"de": pytest.approx(1.0)}


def test_damaged_statistics_are_told(made: Any, tmp_path: Path) -> None:
    files = steering_files.Files(tmp_path)
    axes = {"task": "mt", "model": "m", "tuning": "base", "seed": 0, "lang": "en-vi"}
    table = table_of(WRONG)
    own = {"n": N, "n_neurons": 0, "metrics": {}}
    files.write(axes, "none", table.assign(chrf_c1_match=-1), **own)
    found = Evaluations(list(files.indexes), {"mt": TARGETED.METRICS})
    with pytest.raises(DataError, match="chrf_c1_match has a number below 0"):
        found.of(axes, treatment="none")
