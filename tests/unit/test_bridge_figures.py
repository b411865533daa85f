"""Figures of bridges: their data, and that they are drawn whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import bridge_files
import draw_bridges
import draw_similarity
from langneurons.figures import bridges as pictures
from langneurons.figures import by_layer
from langneurons.tables import bridge_candidates, bridges
from langneurons.tables.common import similarity_files
from langneurons.tables.common.columns import write_tsv
from langneurons.tables.common.inputs import Inputs
from test_figures import job
from test_steering_figures import inside

PAIRS = [f"{s}-{t}" for s in ("en", "zh", "ja", "ar", "id") for t in ("he", "tl", "sw")]
CANDIDATES = ["en", "de", "fr", "it", "pt", "es"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("bridges")
    files = bridge_files.similarities(folder / "similarities")
    read = {"evaluations": bridge_files.evaluations(folder), "similarities": files}
    read["tables"] = bridge_files.tables(folder / "tables")
    found: dict[str, Any] = {"folder": folder, "files": files}
    for table in (bridges.TABLE, bridge_candidates.TABLE):
        found[table.NAME] = table.build(bridge_files.spec(), Inputs(read))
        write_tsv(folder / f"{table.NAME}.tsv", found[table.NAME])
    return found


def test_scripts_draw_what_tables_and_similarities_hold(
    made: Any, tmp_path: Path
) -> None:
    folder = made["folder"]
    stems = [tmp_path / f"{kind}.words" for kind in ("bridged", "gain")]
    read = {"choices": folder / "bridges.tsv"}
    read["candidates"] = folder / "bridge_candidates.tsv"
    draw_bridges.main(job({"task": "words", "model": "m"}, stems, **read))
    layers = tmp_path / "by_layer.wrong"
    spec = {"model": "m", "similarity": "wrong", "pairs": list(bridge_files.CANDIDATES)}
    files = [path for path in made["files"] if path.parent.name == "wrong"]
    draw_similarity.main(job(spec, [layers], similarities=files))
    for stem in [*stems, layers]:
        for end in ("svg", "png", "tsv"):
            assert Path(f"{stem}.{end}").stat().st_size > 200
    table = pd.read_csv(f"{layers}.tsv", sep="\t")
    assert len(table) == 2 * (3 + 4 + 4) and set(table["layer"]) == {0, 2}
    assert set(table.loc[table["chosen"], "candidate"]) == {"zh"}
    # A model, or a similarity, of which there is nothing gets a sentence.
    draw_bridges.main(job({"task": "words", "model": "n"}, stems, **read))
    assert "no bridges of n on words" in Path(f"{stems[0]}.svg").read_text()
    without = [path for path in made["files"] if path.parent.name == "right"]
    draw_similarity.main(
        job(spec | {"similarity": "right"}, [layers], similarities=without)
    )
    assert "no scores of layers" in Path(f"{layers}.svg").read_text()


def test_each_pair_has_the_ways_that_there_are(made: Any) -> None:
    data = pictures.ways(made["bridges"], "words", "m")
    assert list(dict.fromkeys(data["similarity"])) == ["right", "wrong", "few"]
    of = data[data["pair"] == "en-ur"]
    assert set(of["way"]) == {"direct", "best", "chosen"}  # English is an end
    left = data[(data["pair"] == "vi-ur") & (data["similarity"] == "few")]
    assert set(left["way"]) == {"direct", "English", "best"}
    assert inside(pictures.draw_ways(data, "m, words: bridges pair by pair"))


def test_gains_are_those_of_candidates_with_a_score(made: Any) -> None:
    data = pictures.gains(made["bridge_candidates"], "words", "m")
    assert data.groupby("similarity").size().to_dict() == {
        "right": 11, "wrong": 11, "few": 7,
    }  # fmt: skip
    assert data["chosen"].sum() == 3 + 3 + 2
    assert inside(pictures.draw_gains(data, "m, words: similarity and gain of bridges"))


@pytest.mark.parametrize("names", [1, 3, 11])
def test_figures_of_the_study_fit(names: int) -> None:
    similarities = [f"hsic_{i}_of_some_kind" for i in range(names)]
    ways = pd.DataFrame(
        [
            {"similarity": name, "pair": pair, "way": way, "bridge": "",
             "accuracy": float((7 * i + 11 * j) % 100)}
            for name in similarities
            for i, pair in enumerate(PAIRS)
            for j, way in enumerate(pictures.WAYS)
        ]
    )  # fmt: skip
    assert inside(pictures.draw_ways(ways, "llama3: bridges pair by pair"))
    gains = pd.DataFrame(
        [
            {"similarity": name, "pair": pair, "candidate": candidate,
             "score": float(i == 0) if names == 1 else i + 0.1 * j,
             "gain": float(i * j - 9), "chosen": i == 0}
            for name in similarities
            for j, pair in enumerate(PAIRS)
            for i, candidate in enumerate(CANDIDATES)
        ]
    )  # fmt: skip
    assert inside(pictures.draw_gains(gains, "llama3: similarity and gain"))


def test_layers_of_fifteen_pairs_fit() -> None:
    scores = {k: {layer: 0.1 * i + layer for layer in range(10, 22)}
              for i, k in enumerate(CANDIDATES)}  # fmt: skip
    one = similarity_files.Similar(
        "hsic", dict.fromkeys(CANDIDATES, 1.0), scores, {}, {}, 0, 9, 30, "en", "", 6
    )
    data = by_layer.layers(dict.fromkeys(PAIRS, one))
    assert len(data) == 15 * 6 * 12
    figure = by_layer.draw_layers(data, "llama3: hsic layer by layer")
    assert inside(figure) and sum(axes.get_visible() for axes in figure.axes) == 15
