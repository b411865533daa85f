"""The demo's tables agree with what is true in the demo world.

They are checked where ``make demo`` has made them (continuous integration runs it
first); elsewhere these tests are skipped.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import load_file

from langneurons import grid, outputs
from langneurons.config import Config, load
from langneurons.neuron_sets import NeuronSets
from test_config import merge, paper
from test_config import read as read_config

ROOT = Path(__file__).parent.parent.parent
LANGUAGES = ["en", "vi", "hi", "ur", "zh", "el"]


@pytest.fixture(scope="module")
def config() -> Config:
    return load(merge(paper(), read_config("demo.yaml")))


def read(name: str) -> pd.DataFrame:
    path = ROOT / outputs.table(name)
    if not path.is_file():
        pytest.skip(f"{path} is absent: run `make demo` first")
    table = pd.read_csv(path, sep="\t", keep_default_na=False, na_values=[""])
    if name != "reproduction" and "demo" not in set(table["model"]):
        pytest.skip(f"{path} is not of the demo: run `make demo` first")
    return table


def untreated(table: pd.DataFrame, metric: str) -> pd.DataFrame:
    chosen = (table["statistic"] == "none") & (table["metric"] == metric)
    return table[chosen].set_index("lang")


def test_every_table_figure_and_the_report_are_there(config: Config) -> None:
    read("xnli")
    for name in outputs.wanted_tables(config):
        path = ROOT / outputs.table(name)
        assert path.is_file() and path.with_suffix(".md").is_file(), name
    figures = outputs.figures(config)
    assert len(figures) > 40
    for figure in figures:
        for extension in outputs.EXTENSIONS:
            path = (ROOT / figure).with_suffix(f".{extension}")
            assert path.stat().st_size > 0, path
    page = (ROOT / outputs.REPORT).read_text(encoding="utf-8")
    assert page.count("data:image/svg+xml") >= len(figures)
    assert "http://" not in page.split("</style>")[0]


def test_transfer_is_well_above_chance() -> None:
    none = untreated(read("xnli"), "accuracy")
    assert none.loc["en", "value"] > 0.6
    others = none.drop(index="en")
    assert len(others) == 5
    assert others["value"].mean() > 0.45  # chance is one third
    assert (others["ci_low"] > 1 / 3).sum() >= 4


def test_questions_are_answered_in_the_language_of_training() -> None:
    table = read("xquad")
    # A passage has seven to twelve words and the answer is one of them. The paper's F1
    # counts EOS, so that no answer at all would get two thirds: it proves nothing here.
    assert untreated(table, "em").loc["en", "value"] > 0.5
    assert untreated(table, "squad_f1").loc["en", "value"] > 0.6
    for metric in ("em", "f1", "squad_em", "squad_f1", "mlqa_em", "mlqa_f1"):
        assert len(untreated(table, metric)) == 3


def test_intervals_are_as_wide_as_the_number_of_items_makes_them() -> None:
    table = read("xnli")
    width = table["ci_high"] - table["ci_low"]
    expected = 2 * 1.96 * (table["value"] * (1 - table["value"]) / table["n"]) ** 0.5
    assert ((width / expected).between(0.9, 1.1)).all()
    assert table["value"].between(table["ci_low"], table["ci_high"]).all()


def test_every_intervention_has_a_paired_test_and_random_controls() -> None:
    for name in ("xnli", "xquad"):
        table = read(name)
        treated = table[table["statistic"] != "none"]
        numbers = ["delta", "delta_ci_low", "delta_ci_high", "p_value", "detectable"]
        assert treated[numbers].notna().all().all()
        controls = treated[treated["method"] == "random"]
        assert controls["draw"].nunique() >= 10
        zeroed = treated["statistic"] == "zero"
        lape = treated[(treated["method"] == "lape") & zeroed]
        matched = controls[controls["statistic"] == "zero"].groupby("lang")["n_neurons"]
        assert matched.nunique().eq(1).all()
        counts = lape.groupby("lang")["n_neurons"].first()
        assert matched.first().to_dict() == counts.to_dict()


def test_switching_off_a_language_hurts_that_language_most() -> None:
    table = read("perplexity")
    zeroed = table[table["statistic"] == "zero"]
    lape = zeroed[zeroed["method"] == "lape"]
    matrix = lape.pivot(index="neuron_lang", columns="lang", values="delta_nll")
    matrix = matrix.loc[LANGUAGES, LANGUAGES]
    assert list(matrix.idxmax(axis=1)) == LANGUAGES  # in each row its own language
    own = np.diag(matrix)
    others = (matrix.sum(axis=1) - own) / (len(LANGUAGES) - 1)
    assert own.mean() > 4 * others.mean()
    random = zeroed[zeroed["method"] == "random"]
    assert random["draw"].nunique() >= 10
    medians = random.groupby(["neuron_lang", "lang"])["delta_nll"].median()
    assert medians.abs().mean() < own.mean() / 4
    assert (own > medians.unstack().loc[LANGUAGES, LANGUAGES].max(axis=1)).all()


def test_masked_tuning_moves_no_other_neuron(config: Config) -> None:
    read("finetune_xnli")
    sets = NeuronSets.read(ROOT / grid.neurons("demo", "lape.world"))
    for tuning, languages in (("lape.world.ur", ["ur"]), ("lape.world.en+ur", None)):
        path = ROOT / grid.adapter("xnli", "demo", tuning, 42)
        weights = load_file(path)
        scale = json.loads(path.with_name("adapter_config.json").read_text())
        assert scale["r"] > 0
        seen = 0
        for name, outer in weights.items():
            if "mlp.gate_proj.lora_B" not in name:
                continue
            layer = int(name.split(".layers.")[1].split(".")[0])
            ids = {
                i
                for lang in languages or ["en", "ur"]
                for i in sets.of(lang).get(layer, [])
            }
            change = outer @ weights[name.replace("lora_B", "lora_A")]
            moved = set(np.flatnonzero(np.abs(change).sum(axis=1)).tolist())
            assert moved == ids
            seen += len(ids)
        assert seen > 50


def test_tunings_are_set_against_attention_and_random_neurons() -> None:
    table = read("finetune_xnli")
    plain = table[table["statistic"] == "none"].set_index("tuning")
    assert plain.loc["attention", "against"] == "-"
    others = plain.drop(index="attention")
    assert set(others["against"]) == {"attention"}
    assert others["p_value"].notna().all()
    assert {"all_mlp", "lape.world.en", "rows.lape.world.ur"} <= set(others.index)
    random = read("random_xnli")
    draws = random[random["tuning"].str.startswith("random_")]
    assert len(draws) >= 2 and draws["p_holm"].isna().all()


def test_both_profiles_stand_side_by_side() -> None:
    table = read("profiles")
    assert {"mean", "p90", "p10"} <= set(table["value_name"])
    touched = table[table["n_neurons"] > 0]
    gap = touched["consistent"] - touched["paper"]
    assert np.allclose(gap, touched["difference"], atol=1e-6)


def test_all_published_numbers_are_listed_and_none_is_ours_in_the_demo() -> None:
    read("xnli")
    table = read("reproduction")
    assert len(table) > 4000
    assert table["published"].notna().all() and table["ours"].isna().all()


def test_the_activation_statistics_are_ordered() -> None:
    table = read("activation_statistics")
    wide = table[(table["site"] == "act_post") & (table["quantile"] == "pooled")]
    wide = wide.pivot(index="lang", columns="statistic", values="value")
    ordered = wide[["p5", "p10", "p25", "p50", "p75", "p90", "p95"]]
    assert (ordered.diff(axis=1).iloc[:, 1:] >= 0).all().all()
    assert ordered.min().min() >= -0.2785  # SiLU has no smaller value
