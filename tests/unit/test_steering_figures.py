"""Figures of amplification: their data, and that they are drawn whole."""

from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

import draw_amplification
import draw_steering
import draw_task_changes
import steering_files
from evaluation_files import declared
from langneurons.config.errors import DataError
from langneurons.figures import amplification, damage, steering
from langneurons.tables import amplification as amplification_table
from langneurons.tables import steering as steering_table
from langneurons.tables.common import one_order, task_columns
from langneurons.tables.common.columns import frame, write_tsv
from test_figures import job
from test_steering_tables import indexes_of

FIFTEEN = ["en", "nl", "id", "ms", "vi", "ja", "zh", "fr", "pt", "ru", "et"]
FIFTEEN += ["it", "ta", "th", "tr"]


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("steering")
    spec, paths = steering_files.study(folder)
    read = indexes_of(paths)
    flat = {"rows": spec["rows"]["shifts"], "ties": spec["ties"]}
    found = {
        "steering": steering_table.TABLE.build(flat, read),
        "amplification": amplification_table.TABLE.build(spec, read),
    }
    for name, table in found.items():
        write_tsv(folder / f"{name}.tsv", table)
    return found | {"folder": folder}


def inside(figure: Figure) -> bool:
    """Tell whether all text that takes part in the layout lies on the sheet."""
    canvas = FigureCanvasAgg(figure)
    figure.draw_without_rendering()
    box = figure.get_tightbbox(canvas.get_renderer())
    width, height = figure.get_size_inches()
    slack = 0.02
    return bool(
        box.x0 > -slack and box.y0 > -slack
        and box.x1 < width + slack and box.y1 < height + slack
    )  # fmt: skip


def test_scripts_draw_what_tables_hold(tables: Any, tmp_path: Path) -> None:
    folder = tables["folder"]
    spec = {"task": "facts", "model": "m", "selection": "lape.s", "statistic": "p_max"}
    stems = [tmp_path / f"{kind}.facts.lape.s.p_max" for kind in steering.KINDS]
    draw_steering.main(job(spec, stems, table=folder / "steering.tsv"))
    both = [tmp_path / f"{kind}.facts" for kind in ("ladder", "damage")]
    spec = {"task": "facts", "model": "m"}
    draw_amplification.main(job(spec, both, table=folder / "amplification.tsv"))
    for stem in [*stems, *both]:
        for end in ("svg", "png", "tsv"):
            assert Path(f"{stem}.{end}").stat().st_size > 200
    table = pd.read_csv(f"{stems[0]}.tsv", sep="\t")
    own = table[table["neurons"] == "selected"]
    assert len(own) == 6 and own["value"].between(90, 100).all()
    drawn = table[table["neurons"] == "random"]
    assert set(drawn["draws"]) == {2} and (drawn["low"] <= drawn["value"]).all()
    absent = spec | {"selection": "lape.t", "statistic": "p_max"}
    with pytest.raises(DataError, match="no rows of lape.t with p_max"):
        draw_steering.main(job(absent, stems, table=folder / "steering.tsv"))


def test_the_ladder_has_every_way(tables: Any) -> None:
    data = amplification.ladder(tables["amplification"], "facts", "m")
    kinds = data.groupby("kind")["metric"].size().to_dict()
    # Two factors; two draws and their mean; a prompt; two settings; three measures.
    assert kinds == {"selected": 6, "random": 9, "prompt": 3, "diffmean": 6}
    chosen = data[data["chosen"]]
    assert set(chosen["statistic"]) == {"p_max", "l2-s2"}
    figure = amplification.draw_ladder(data, "m, facts: ways to steer")
    assert inside(figure) and len(figure.axes) == 3
    labels = [x.get_text() for x in figure.axes[0].get_yticklabels()]
    assert labels == ["p_max", "zero", "", "l1-s1", "l2-s2"]


def test_damage_has_a_point_for_each_way_measured_on_text(tables: Any) -> None:
    data = damage.damage(tables["amplification"], "facts", "m")
    assert "prompt" not in set(data["kind"])
    own = data[(data["text"] == "own") & (data["kind"] == "selected")]
    assert sorted(own["statistic"]) == ["p_max", "zero"]
    assert own["nats"].between(0.0, 0.1).all()
    assert inside(damage.draw_damage(data, "m, facts: damage"))
    # Without text there is nothing to draw, and the script says so.
    without = tables["amplification"]
    without = without[without["task"] != "perplexity"]
    assert damage.damage(without, "facts", "m").empty


def crowd(places: list[tuple[float, float]]) -> pd.DataFrame:
    """Make points of one selection, and one far away that sets the scale."""
    rows = [
        {"selection": "lape.s", "statistic": f"p_{i}", "kind": "selected",
         "draw": None, "text": text, "nats": x, "steering": y}
        for text in ("own", "other")
        for i, (x, y) in enumerate([*places, (4.0, -2.0)])
    ]  # fmt: skip
    return pd.DataFrame(rows)


def test_names_of_points_lie_apart() -> None:
    """Two that nearly coincide, and a heap whose names are led away from it."""
    heap = [(2.0, 5.0 + 0.01 * i) for i in range(11)]
    for places, led in (([(0.13, 9.01), (0.19, 9.07)], False), (heap, True)):
        figure = damage.draw_damage(crowd(places), "m, facts: damage")
        canvas = FigureCanvasAgg(figure)
        figure.draw_without_rendering()  # names find their places
        for axes in figure.axes:
            texts = list(axes.texts)
            assert len(texts) == len(places) + 1
            assert any(text.arrow_patch is not None for text in texts) == led
            boxes = [Text.get_window_extent(t, canvas.get_renderer()) for t in texts]
            spots = [axes.transData.transform(text.xy) for text in texts]
            for a, b in combinations(boxes, 2):
                assert not a.overlaps(b)
            assert not any(box.contains(*spot) for box in boxes for spot in spots)


def test_languages_have_one_order() -> None:
    whole = ["en", "id", "vi", "zh", "it"]
    some = [[x for x in whole if x != lang] for lang in ("vi", "en", "it")]
    assert one_order.merged(some) == whole
    assert one_order.merged([["a", "b"], ["b", "a"]]) == ["a", "b"]
    rows = [{"lang": a, "neuron_lang": b} for a in ("it", "en", "xx") for b in whole]
    tested = ["en", "it", "xx"]
    found = one_order.languages(pd.DataFrame(rows).query("lang != neuron_lang"))
    assert found == (tested, whole)


def matrix(languages: list[str], missing: tuple[str, str]) -> pd.DataFrame:
    rows = [
        {"neurons": neurons, "lang": a, "neuron_lang": b, "draws": draws,
         "value": (7.0 * i + 3 * j) % 100}
        for neurons, draws in (("selected", 1), ("random", 3))
        for i, a in enumerate(languages)
        for j, b in enumerate(languages)
        if a != b and (a, b) != missing
    ]  # fmt: skip
    return pd.DataFrame(rows)


@pytest.mark.parametrize("languages", [FIFTEEN, FIFTEEN[:8], FIFTEEN[:3]])
def test_matrices_of_any_size_fit(languages: list[str]) -> None:
    data = matrix(languages, missing=(languages[0], languages[-1]))
    assert len(data) == 2 * (len(languages) ** 2 - len(languages) - 1)
    for kind in steering.KINDS:
        figure = steering.draw_shifts(data, kind, "m, facts of mlama: lape.s, p_max")
        assert inside(figure)
        texts = [t.get_text() for t in figure.axes[0].texts]
        assert len(texts) == len(languages) ** 2
        assert texts.count("–") == len(languages) + 1


def test_changes_of_a_task_are_those_of_its_table(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    lines = []
    for lang in FIFTEEN[:4]:
        for whose in FIFTEEN[:4]:
            for method, draw in (("lape", None), ("random", 1), ("random", 2)):
                line = {"experiment": "a", "model": "m", "method": method, "draw": draw}
                line |= {"langset": "s", "matched": "lape" if draw else "-"}
                line |= {"neuron_lang": whose, "lang": lang, "tuning": "base"}
                line |= {"seed": "0", "statistic": "p_max", "metric": "accuracy"}
                line |= {"delta": rng.normal(0, 0.05), "against": "none", "n": 9}
                lines.append(line | declared("accuracy"))
    table = frame(lines, task_columns.COLUMNS)
    write_tsv(tmp_path / "pick.tsv", table)
    spec = {"task": "pick", "metric": "accuracy", "model": "m", "selection": "lape.s"}
    stem = tmp_path / "change.pick.lape.s.p_max"
    given = job(spec | {"statistic": "p_max"}, [stem], table=tmp_path / "pick.tsv")
    draw_task_changes.main(given)
    found = pd.read_csv(f"{stem}.tsv", sep="\t").query("neurons == 'selected'")
    wanted = 100 * table.loc[table["method"] == "lape", "delta"].to_numpy()
    assert found["value"].to_numpy() == pytest.approx(wanted, abs=1e-3)
    assert json.dumps(spec) and Path(f"{stem}.svg").exists()
