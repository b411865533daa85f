"""Table 6: means over neurons of each statistic, beside the published ones."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from activation_files import build, heavy_tailed
from evaluation_files import cells_of, run
from langneurons.config.catalogue import PERCENTILES
from langneurons.config.errors import DataError
from langneurons.neurons.histogram import activation_function
from langneurons.neurons.recorded_activations import Activations
from langneurons.tables import activation_statistics as activations
from langneurons.tables.common.as_markdown import markdown
from langneurons.tables.common.columns import names
from langneurons.tables.common.inputs import Inputs, read_activations

GOLDEN = Path(__file__).parent / "golden" / "activations.md"
TOKENS, BATCH = 600, 100


def measured(folder: Path, lang: str, seed: int = 0, batches: bool = True) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{lang}.safetensors"
    values = heavy_tailed(seed, TOKENS, 2, 30)
    build(path, values, language=lang, batch_tokens=BATCH if batches else None)
    return path


def row(lang: str, **published: float) -> dict:
    return {"model": "toy", "corpus": "made up", "lang": lang, "published": published}


def table_of(rows: list[dict], paths: list[Path]) -> pd.DataFrame:
    opened = read_activations(Inputs({"activations": paths}), len(rows))
    return activations.activation_table(rows, opened, "gate_pre", "batch_mean")


def text_of(table: pd.DataFrame) -> str:
    return markdown(activations.layout(table))


def test_values_are_means_over_all_neurons(tmp_path: Path) -> None:
    table = table_of([row("en")], [measured(tmp_path, "en")])
    assert tuple(table.columns) == tuple(names(activations.COLUMNS))
    pre = heavy_tailed(0, TOKENS, 2, 30).astype(np.float64)
    values = {"gate_pre": pre, "act_post": activation_function("silu")(pre)}
    shown = table.set_index(["site", "quantile", "statistic"]).sort_index()
    assert len(shown) == 2 * 2 * (1 + len(PERCENTILES))
    for site, own in values.items():
        mean = own.mean(0)
        for quantile in ("pooled", "batch_mean"):
            found = shown.loc[(site, quantile)]
            assert found["n_tokens"].eq(TOKENS).all()
            assert found.loc["mean", "value"] == pytest.approx(mean.mean(), abs=1e-6)
            assert found.loc["mean", "sd"] == pytest.approx(mean.std(), abs=1e-6)
        batches = np.split(own, TOKENS // BATCH)
        for percent in PERCENTILES:
            each = np.mean([np.percentile(b, percent, axis=0) for b in batches], axis=0)
            batch = shown.loc[(site, "batch_mean", f"p{percent}")]
            assert batch["value"] == pytest.approx(each.mean(), abs=1e-5)
            assert batch["sd"] == pytest.approx(each.std(), abs=1e-5)
            # A histogram has bins: a quantile is right to a few percent of its size.
            pooled = np.percentile(own, percent, axis=0)
            found = shown.loc[(site, "pooled", f"p{percent}"), "value"]
            assert found == pytest.approx(pooled.mean(), abs=0.01)
    assert table["published"].isna().all()


def test_published_values_stand_where_they_were_measured(tmp_path: Path) -> None:
    rows = [row("en", mean=-0.3, p90=0.2)]
    table = table_of(rows, [measured(tmp_path, "en")])
    beside = table[table["published"].notna()]
    places = beside[["site", "quantile", "statistic", "published"]]
    # The mean over tokens is the same for both kinds of quantile.
    assert sorted(places.itertuples(index=False, name=None)) == [
        ("gate_pre", "batch_mean", "mean", -0.3),
        ("gate_pre", "batch_mean", "p90", 0.2),
        ("gate_pre", "pooled", "mean", -0.3),
    ]


def test_kinds_that_were_not_recorded_have_no_rows(tmp_path: Path) -> None:
    table = table_of([row("en")], [measured(tmp_path, "en", batches=False)])
    assert set(table["quantile"]) == {"pooled"}
    assert set(table["site"]) == {"gate_pre", "act_post"}


def test_files_of_other_rows_are_refused(tmp_path: Path) -> None:
    paths = [measured(tmp_path, lang) for lang in ("en", "vi")]
    with pytest.raises(DataError, match="lang is 'vi', not 'en'"):
        table_of([row("en"), row("vi")], paths[::-1])
    with pytest.raises(DataError, match="model is 'toy', not 'other'"):
        table_of([row("en") | {"model": "other"}], paths[:1])
    with pytest.raises(DataError, match="1 files of activations for 2 rows"):
        table_of([row("en"), row("vi")], paths[:1])


def test_layout_is_that_of_table_6(tmp_path: Path) -> None:
    rows = [row("en", mean=-0.2934, p5=-2.0), row("vi")]
    paths = [measured(tmp_path, lang, seed) for seed, lang in enumerate(("en", "vi"))]
    table = table_of(rows, paths)
    text = text_of(table)
    assert text.count("\n## `") == 4
    lines = cells_of(text, "toy", "en")
    values = table.query("lang == 'en' and site == 'gate_pre'")
    batch = values[values["quantile"] == "batch_mean"]["value"]
    block = lines[1]
    assert block[2] == f"{batch.iloc[0]:.4f} (-0.2934)"
    assert block[3] == f"{batch.iloc[1]:.4f} (-2.0000)"
    assert block[4] == f"{batch.iloc[2]:.4f}"
    assert "2 values have a published one beside them" in text
    assert text == GOLDEN.read_text(encoding="utf-8")
    several = table.assign(corpus=["a", "b"] * (len(table) // 2))
    assert "| model | corpus | lang |" in text_of(several)


def test_memory_is_that_of_a_layer_not_of_the_file(tmp_path: Path) -> None:
    """The histogram is read a layer at a time: more layers, the same peak."""
    rng = np.random.default_rng(0)
    peaks = {}
    for layers in (2, 12):
        path = tmp_path / f"{layers}.safetensors"
        build(path, rng.normal(size=(20, layers, 200)).astype(np.float32))
        opened = [Activations.open(path)]
        tracemalloc.start()
        activations.activation_table([row("en")], opened, "gate_pre", "batch_mean")
        peaks[layers] = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peaks[12] < 2 * peaks[2]


def test_the_script_writes_both_files(tmp_path: Path) -> None:
    spec = {"rows": [row("en", p90=0.2)]}
    out = tmp_path / "activation_statistics.tsv"
    path = measured(tmp_path / "in", "en")
    run("activation_statistics", spec, "activations", [path], out)
    found = pd.read_csv(out, sep="\t")
    assert (
        tuple(found.columns) == tuple(names(activations.COLUMNS)) and len(found) == 32
    )
    assert found["published"].notna().sum() == 1
    assert "(0.2000)" in out.with_suffix(".md").read_text()
