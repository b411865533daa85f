"""The whole demo is there: its tables, figures, tests and controls.

Checked where ``make demo`` has made it (continuous integration runs it first);
elsewhere these tests are skipped. What its trained models show: test_demo_truth.py.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from demo_tables import TABLES, of_languages
from langneurons import tables
from langneurons.config.schema import Config
from langneurons.study import targets
from langneurons.study.configuration import load
from test_config import merge, paper
from test_config import read as read_config

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def config() -> Config:
    return load(merge(paper(), read_config("demo.yaml")))


def read(name: str) -> pd.DataFrame:
    path = ROOT / TABLES / f"{name}.tsv"
    if not path.is_file():
        pytest.skip(f"{path} is absent: run `make demo` first")
    table = pd.read_csv(path, sep="\t", keep_default_na=False, na_values=[""])
    if name != "reproduction" and "demo" not in set(table["model"]):
        pytest.skip(f"{path} is not of the demo: run `make demo` first")
    return of_languages(table)


def test_every_table_figure_and_the_report_are_there(config: Config) -> None:
    read("xnli")
    for name in tables.wanted(config):
        path = ROOT / targets.table(config, name)
        for extension in (".tsv", ".md", ".tex"):
            assert path.with_suffix(extension).is_file(), name
    figures = targets.figures(config)
    assert len(figures) > 40
    for figure in figures:
        for extension in targets.EXTENSIONS:
            path = (ROOT / figure).with_suffix(f".{extension}")
            assert path.stat().st_size > 0, path
    page = (ROOT / targets.report(config)).read_text(encoding="utf-8")
    assert page.count("data:image/svg+xml") >= len(figures)
    assert "http://" not in page.split("</style>")[0]


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


def test_random_neurons_are_drawn_ten_times_for_each_text() -> None:
    table = read("perplexity")
    random = table[(table["statistic"] == "zero") & (table["method"] == "random")]
    draws = random.groupby(["neuron_lang", "lang"])["draw"].nunique()
    assert len(draws) == 36 and (draws >= 10).all()


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
    table = table[(table["model"] == "demo") & (table["corpus"] == "demo")]
    wide = table[(table["site"] == "act_post") & (table["quantile"] == "pooled")]
    wide = wide.pivot(index="lang", columns="statistic", values="value")
    ordered = wide[["p5", "p10", "p25", "p50", "p75", "p90", "p95"]]
    assert (ordered.diff(axis=1).iloc[:, 1:] >= 0).all().all()
    assert ordered.min().min() >= -0.2785  # SiLU has no smaller value
