"""Figures: the data behind them, what is drawn of it, and the files."""

from __future__ import annotations

import json
import re
import warnings
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

import draw_amplification
import draw_bridges
import draw_effects
import draw_neurons
import draw_perplexity
import draw_profiles
import draw_published
import draw_shared
from evaluation_files import XNLI, declared
from langneurons import figures
from langneurons.config.errors import DataError
from langneurons.figures import (
    captions,
    effects,
    neurons,
    number_axis,
    perplexity,
    profiles,
    selections,
    sizes,
    steering,
)
from langneurons.figures.matrix import signed
from langneurons.jobs.cli import Job
from langneurons.neurons.neuron_sets import NeuronSets, from_mask
from langneurons.tables import perplexity as perplexity_table
from langneurons.tables import profiles as profiles_table
from langneurons.tables.common import task_columns
from langneurons.tables.common.columns import names as names_of
from langneurons.tables.common.columns import write_tsv
from langneurons.tables.common.metrics import Shown

PUBLISHED = Path(__file__).parents[2] / "config" / "published_results.json"
ACCURACY = Shown.of("accuracy", XNLI["accuracy"])
LANGS = ["en", "fr", "es", "vi", "id", "ja", "zh", "bn", "hi", "ta", "te", "mr"]
LANGS += ["ur", "kn", "ml", "pa"]


def job(spec: dict[str, Any], stems: list[Path], **inputs: Any) -> Job:
    """A job of a drawing script, with its figures in the order of the workflow."""
    files = [Path(f"{stem}.{x}") for x in ("svg", "png", "tsv") for stem in stems]
    return Job(spec, "", inputs, {"figures": files}, 1, 1, 1)


def read(stem: Path) -> pd.DataFrame:
    return pd.read_csv(f"{stem}.tsv", sep="\t", keep_default_na=False, na_values=[""])


def made(langs: list[str], layers: int = 40, method: str = "lape") -> NeuronSets:
    """Neurons of languages at random, a few in each layer, many in the last."""
    generator = np.random.default_rng(0)
    found = {}
    for lang in langs:
        mask = generator.random((layers, 300)) < 0.05
        mask[-1] = generator.random(300) < 0.5
        found[lang] = from_mask(mask)
    return NeuronSets(method, "all", "x", "toy", "r", layers, 300, "gate_pre", found)


@pytest.fixture
def toy() -> NeuronSets:
    found = {"en": {0: [1, 9], 2: [4]}, "zh": {0: [1], 1: [4, 5]}, "hi": {}, "ur": {}}
    return NeuronSets("lape", "four", "lape", "toy", "r1", 3, 10, "gate_pre", found)


def texts(figure: Figure) -> list[str]:
    """All words in the panels of a figure that are not names of its ticks."""
    return [t.get_text() for axes in figure.axes for t in axes.texts]


def crossed(data: pd.DataFrame, column: str) -> list[list[float]]:
    langs = list(dict.fromkeys(data["lang"]))
    matrix = data.pivot(index="lang", columns="other", values=column)
    return matrix.loc[langs, list(dict.fromkeys(data["other"]))].to_numpy().tolist()


def words_of(figure: Figure) -> dict[Text, Bbox]:
    """All words that are seen, numbers in cells aside, and where they are."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    found = [figure._suptitle, figure._supxlabel]
    for legend in figure.legends:
        found += [legend.get_title(), *legend.get_texts()]
    for axes in figure.axes:
        if not axes.get_visible():
            continue
        cells = any(isinstance(x, QuadMesh) for x in axes.collections)
        found += [axes.title, axes.xaxis.label, axes.yaxis.label]
        found += [] if cells else axes.texts
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            ticks = [t for t in axis.get_major_ticks() if low <= t.get_loc() <= high]
            found += [label for t in ticks for label in (t.label1, t.label2)]
    return {
        text: text.get_window_extent()
        for text in found
        if text is not None and text.get_visible() and text.get_text()
    }


def assert_labels_are_apart(figure: Figure) -> None:
    """No two words overlap, and nothing is outside the figure."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # of a layout that was given up
        boxes = words_of(figure)
    width, height = figure.canvas.get_width_height()
    for i, (text, box) in enumerate(boxes.items()):
        assert box.x0 > -1 and box.y0 > -1, text
        assert box.x1 < width + 1 and box.y1 < height + 1, text
        for other in [*boxes][:i]:
            assert not box.overlaps(boxes[other]), (text, other)
    tight = figure.get_tightbbox()  # inches
    assert tight.x0 > -0.01 and tight.x1 < figure.get_figwidth() + 0.01
    assert tight.y0 > -0.01 and tight.y1 < figure.get_figheight() + 0.01


# ---- data of neuron files


def test_data_of_a_selection(toy) -> None:
    assert selections.counts(toy)["neurons"].tolist() == [3, 3, 0, 0]
    overlap = selections.overlap(toy)
    assert crossed(overlap, "neurons") == [
        [3, 1, 0, 0], [1, 3, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0],
    ]  # fmt: skip
    jaccard = np.array(crossed(selections.jaccard(toy), "jaccard"))
    assert jaccard[0].tolist() == [1, 1 / 5, 0, 0]
    assert np.isnan(jaccard[2:, 2:]).all()
    layers = selections.layers(toy)
    assert layers[layers["lang"] == "en"]["neurons"].tolist() == [2, 0, 1]
    assert layers[layers["lang"] == "hi"]["neurons"].tolist() == [0, 0, 0]
    multiplicity = selections.multiplicity(toy)
    assert multiplicity["neurons"].tolist() == [4, 1]
    assert multiplicity["share"].tolist() == [0.8, 0.2]


def test_what_two_selections_share(toy) -> None:
    other = {"zh": {0: [1, 9]}, "en": {2: [4, 5], 1: [4]}}
    second = NeuronSets(
        "actprob", "two", "x", "toy", "r1", 3, 10, "gate_pre", other
    )  # fmt: skip
    data = selections.shared(toy, second)
    assert crossed(data, "neurons") == [[2, 1], [1, 1], [0, 0], [0, 0]]
    assert data["n_lang"].tolist() == [3, 3, 3, 3, 0, 0, 0, 0]
    assert data["n_other"].tolist() == [2, 3] * 4
    larger = NeuronSets("a", "b", "x", "big", "r1", 3, 11, "gate_pre", other)
    with pytest.raises(DataError, match="a.b: these neurons are of a model"):
        selections.shared(toy, larger)


def test_no_neurons_at_all_can_be_drawn(toy) -> None:
    empty = NeuronSets(
        "lape", "x", "x", "toy", "r", 2, 4, "gate_pre", {"en": {}, "zh": {}}
    )  # fmt: skip
    for describe, draw in draw_neurons.KINDS.values():
        FigureCanvasAgg(draw(describe(empty), "toy")).draw()


@given(st.lists(st.floats(-1e9, 1e9, allow_nan=False), max_size=40))
def test_the_end_of_a_scale_is_a_value_and_bounds_the_usual_ones(values) -> None:
    limit = figures.robust_limit([*values, float("nan"), float("inf")], 0.8)
    sizes_of = sorted(map(abs, values))
    if not sizes_of or sizes_of[-1] == 0:
        assert limit == 1
    else:
        assert limit in sizes_of and limit > 0
        assert sizes_of[int(0.8 * (len(values) - 1))] <= limit
        assert len(values) > 5 or limit == sizes_of[-1]


def test_one_huge_value_does_not_stretch_a_scale() -> None:
    assert figures.robust_limit([1, -2, 3, 1, 2, 4, 1, 5e6]) == 4


def test_only_outliers_are_beyond_a_scale() -> None:
    usual = [0.1 * i for i in range(11)]  # their 90th percentile is 0.9
    assert figures.robust_limit([*usual, -3.5]) == 3.5
    assert figures.robust_limit([*usual, -3.7]) == 1
    assert figures.robust_limit([0.1, -40]) == 40


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.001, "0.00"), (-0.001, "0.00"), (0.314, "+0.31"), (-9.996, "−10.0"),
     (99.96, "+100"), (-1234.4, "−1234"), (9999.6, "+1e4"), (-1.7e5, "−2e5"),
     (np.inf, "+∞"), (9.6e5, "+1e6")],
)  # fmt: skip
def test_changes_are_written_shortly(value: float, text: str) -> None:
    assert signed(value) == text


# ---- against the published neurons


@pytest.mark.parametrize(
    ("name", "key", "width"),
    [
        ("LLaMA-2-7B", "llama2-7b", 11008),
        ("BLOOM-7B", "bloom-7b", 16384),
        ("OPT-6.7B", "opt-6.7b", 16384),
        ("Phi-2-2.7B", "phi-2", 10240),
    ],
)
def test_figures_of_published_neurons_show_the_published_numbers(
    shared_data: Path, tmp_path: Path, name: str, key: str, width: int
) -> None:
    from langneurons.methods.published import read_published

    path = shared_data / "neurons" / f"{name}.neuron.pth"
    if not path.is_file():
        pytest.skip(f"{path} is absent")
    figures_of = json.loads(PUBLISHED.read_text(encoding="utf-8"))
    entry = selections.published_entry(figures_of, key, "lape", "tang2024")
    langs = tuple(entry["counts"])
    masks = read_published(path, langs, entry["layers"], width)
    sets = NeuronSets(
        "tang", "all", "published", key, "r", entry["layers"], width, "gate_pre",
        {lang: from_mask(mask) for lang, mask in masks.items()},
    )  # fmt: skip
    sets.write(tmp_path / "neurons.json")
    ours = [tmp_path / "ours" / kind for kind in draw_neurons.KINDS]
    spec = {"model": key, "selections": ["tang.all"]}
    draw_neurons.main(job(spec, ours, neurons=[tmp_path / "neurons.json"]))
    theirs = [tmp_path / "theirs" / kind for kind in draw_published.DRAWN]
    spec = {"model": key, "method": "lape", "langset": "tang2024"}
    draw_published.main(job(spec, theirs, published=PUBLISHED))
    for kind in draw_published.DRAWN:
        mine = (tmp_path / "ours" / f"{kind}.tsv").read_text()
        assert mine == (tmp_path / "theirs" / f"{kind}.tsv").read_text()
    counts = read(tmp_path / "ours" / "counts")
    assert dict(zip(counts["lang"], counts["neurons"], strict=True)) == entry["counts"]
    overlap = read(tmp_path / "ours" / "overlap").set_index(["lang", "other"])
    for a, b, number in entry["overlaps"]:
        assert overlap.loc[(a, b), "neurons"] == number
        assert overlap.loc[(b, a), "neurons"] == number
    layers = read(tmp_path / "ours" / "layers")
    for lang, by_layer in entry["neurons_per_layer"].items():
        own = layers[layers["lang"] == lang].sort_values("layer")
        assert own["neurons"].tolist() == by_layer
    multiplicity = read(tmp_path / "ours" / "multiplicity")
    assert multiplicity["neurons"].sum() == entry["unique"]


def test_unknown_published_neurons_are_refused() -> None:
    with pytest.raises(DataError, match="no published neurons of nemo.lape.set9.*set6"):
        selections.published_entry(
            json.loads(PUBLISHED.read_text()), "nemo", "lape", "set9"
        )


# ---- drawings of neuron files


def test_every_number_of_an_overlap_is_printed_and_the_diagonal_is_plain(toy) -> None:
    data = selections.overlap(toy)
    figure = neurons.draw_overlap(data, "toy, lape.four")
    assert texts(figure) == [str(n) for n in data["neurons"]]
    mesh = figure.axes[0].collections[0]
    plain = np.ma.getmaskarray(mesh.get_array()).reshape(4, 4)
    assert plain.tolist() == np.eye(4, dtype=bool).tolist()
    assert mesh.norm.vmax == 1  # of the shared ones, not of the diagonal
    assert [t.get_text() for t in figure.axes[0].get_yticklabels()] == toy.languages
    assert figure.axes[0].yaxis_inverted()
    jaccard = neurons.draw_jaccard(selections.jaccard(toy), "toy")
    assert texts(jaccard)[:2] == ["1.00", "0.20"] and "–" in texts(jaccard)


def test_layer_0_is_at_the_bottom(toy) -> None:
    figure = neurons.draw_layers(selections.layers(toy), "toy")
    axes = figure.axes[0]
    assert not axes.yaxis_inverted()
    assert [t.get_text() for t in axes.get_yticklabels()] == ["0", "1", "2"]
    assert [t.get_text() for t in axes.get_xticklabels()] == toy.languages
    values = axes.collections[0].get_array().reshape(3, 4)
    assert values.tolist() == [[2, 1, 0, 0], [0, 2, 0, 0], [1, 0, 0, 0]]
    assert [t for t in texts(figure) if t] == ["2", "1", "2", "1"]


def test_bars_have_their_numbers(toy) -> None:
    figure = neurons.draw_counts(selections.counts(toy), "toy")
    assert [bar.get_width() for bar in figure.axes[0].patches] == [3, 3, 0, 0]
    assert texts(figure) == ["3", "3", "0", "0"]
    figure = neurons.draw_multiplicity(selections.multiplicity(toy), "toy")
    assert texts(figure) == ["4 (80.0 %)", "1 (20.0 %)"]


def test_same_languages_of_two_selections_are_in_boxes(toy) -> None:
    data = selections.shared(toy, toy)
    data = data[data["other"].isin(["zh", "ur"])]
    figure = neurons.draw_shared(data, "toy", ("lape.four", "lape.four"))
    axes = figure.axes[0]
    assert {p.get_xy() for p in axes.patches} == {(0, 1), (1, 3)}
    assert [t.get_text() for t in axes.get_xticklabels()] == ["zh\n(3)", "ur\n(0)"]


@pytest.mark.parametrize("number", [1, 2, 3, 4, 6])
@pytest.mark.parametrize("name", ["{}", "{}g_Latn"])
def test_nothing_of_few_languages_is_cut_off(number: int, name: str) -> None:
    sets = made([name.format(lang) for lang in LANGS[:number]], layers=4)
    title = "llama31-8b-instruct, entropy_lambda.set6"
    drawn = [d(describe(sets), title) for describe, d in draw_neurons.KINDS.values()]
    pair = ("entropy_lambda.set6", "act_prob_zero.set6")
    shared = selections.shared(sets, sets)
    drawn.append(neurons.draw_shared(shared, "llama31-8b-instruct", pair))
    for draws in (0, 10):
        table = perplexities(sets.languages, draws, huge=8.0 if number > 1 else 0.0)
        kind = "nll" if draws else "perplexity"
        data = perplexity.changes(table, kind, "m", "lape.s", "zero")
        heading = f"{title} set to zero: change of {perplexity.KINDS[kind].name}"
        drawn.append(perplexity.draw_changes(data, kind, heading))
    for figure in drawn:
        assert_labels_are_apart(figure)


@pytest.mark.parametrize("name", ["{}", "{}g_Latn"])
def test_labels_of_16_languages_and_40_layers_are_apart(name: str) -> None:
    sets = made([name.format(lang) for lang in LANGS])
    for describe, draw in draw_neurons.KINDS.values():
        figure = draw(describe(sets), "llama31-8b, lape.all16")
        assert_labels_are_apart(figure)
        assert figure.get_figwidth() <= 7
        assert figure.get_figheight() <= figures.TALLEST
    assert_labels_are_apart(
        neurons.draw_shared(selections.shared(sets, sets), "toy", ("a.b", "c.d"))
    )


def test_a_script_refuses_other_neurons_and_other_figures(toy, tmp_path: Path) -> None:
    toy.write(tmp_path / "n.json")
    spec = {"model": "toy", "selections": ["lape.other"]}
    with pytest.raises(DataError, match="lape.four.*lape.other"):
        draw_neurons.main(
            job(spec, [tmp_path / "counts"], neurons=[tmp_path / "n.json"])
        )
    spec = {"model": "toy", "selections": ["lape.four"]}
    for stem, problem in (("forest.em", "figure 'forest'"), ("count", "'counts'")):
        with pytest.raises(DataError, match=problem):
            draw_neurons.main(
                job(spec, [tmp_path / stem], neurons=[tmp_path / "n.json"])
            )


# ---- files


def test_files_are_whole_and_the_same_in_each_run(toy, tmp_path: Path) -> None:
    toy.write(tmp_path / "n.json")
    spec = {"model": "toy", "selections": ["lape.four", "lape.four"]}
    for run in ("a", "b"):
        stem = tmp_path / run / "shared_with.lape.four"
        with matplotlib.rc_context({"font.size": 30} if run == "b" else {}):
            draw_shared.main(job(spec, [stem], neurons=[tmp_path / "n.json"] * 2))
    names = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert names == [f"shared_with.lape.four.{x}" for x in ("png", "svg", "tsv")]
    for name in names:
        one, two = (tmp_path / run / name for run in ("a", "b"))
        assert one.read_bytes() == two.read_bytes(), name
    svg = (tmp_path / "a" / "shared_with.lape.four.svg").read_text()
    assert not re.search(r"\d\d:\d\d:\d\d|Matplotlib v", svg)


def test_text_of_svg_is_text_and_png_is_not_blank(toy, tmp_path: Path) -> None:
    data = selections.counts(toy)
    figures.save(neurons.draw_counts(data, "toy, lape"), data, tmp_path / "counts")
    root = ElementTree.parse(tmp_path / "counts.svg").getroot()
    space = "{http://www.w3.org/2000/svg}"
    words = ["".join(x.itertext()) for x in root.iter(f"{space}text")]
    assert {"en", "zh", "3", "number of neurons"} <= set(words)
    assert root.find(f"{space}title").text == "toy, lape: neurons per language"
    assert captions.CAPTIONS["counts"] in (tmp_path / "counts.svg").read_text()
    fonts = [x.get("style", "") for x in root.iter(f"{space}text")]
    assert all("sans-serif" in style for style in fonts)
    image = matplotlib.image.imread(tmp_path / "counts.png")
    assert image.shape[1] == 1020 and image[..., :3].std() > 0.05
    assert read(tmp_path / "counts").equals(data)


def test_a_figure_needs_a_known_kind(toy, tmp_path: Path) -> None:
    data = selections.counts(toy)
    figure = neurons.draw_counts(data, "toy")
    with pytest.raises(DataError, match="unknown figure 'count'.*did you mean"):
        figures.save(figure, data, tmp_path / "count.lape.set1")
    assert list(tmp_path.iterdir()) == []
    drawable = {*draw_neurons.KINDS, *draw_effects.DRAWN, *perplexity.KINDS}
    drawable |= {*steering.KINDS, *draw_amplification.DRAWN, *draw_bridges.DRAWN}
    others = {"shared_with", "sites", "change", "by_layer", "aligned", "transfer"}
    others |= {"sweep", "training_curves"}
    assert set(captions.CAPTIONS) == drawable | others
    assert not any("\n" in caption for caption in captions.CAPTIONS.values())
    assert set(captions.WITH_RANDOM) <= set(captions.CAPTIONS)


@pytest.mark.parametrize("column", ["neurons", "series", "kind"])
def test_a_caption_speaks_of_random_neurons_where_there_are_some(column: str) -> None:
    alone = pd.DataFrame({column: ["selected"]})
    both = pd.DataFrame({column: ["selected", "random"]})
    assert captions.caption("change", alone) == captions.CAPTIONS["change"]
    assert captions.caption("change", both).endswith("neurons (mean over draws).")
    assert captions.caption("by_layer", both) == captions.CAPTIONS["by_layer"]
    drawn = pd.DataFrame({"control": [False, True]})
    assert "a tick a draw" in captions.caption("forest", drawn)
    assert "random" not in captions.caption("forest", drawn[:1])


# ---- perplexity


def perplexities(langs: list[str], draws: int = 2, huge: float = 0.0) -> pd.DataFrame:
    """Own language: +1 nat; others: +0.1 times (row + 1); random draws: 0.01 k."""
    found: list[dict[str, Any]] = []

    def add(lang: str, delta: float | None, **names: Any) -> None:
        nll = 2.0 + (delta or 0.0)
        value = np.exp(nll) if nll < 700 else np.inf
        change = None if delta is None else value - np.exp(2.0)
        row = dict.fromkeys(names_of(perplexity_table.COLUMNS)) | {
            "model": "m",
            "lang": lang,
        }
        row |= {"method": "-", "langset": "-", "matched": "-", "neuron_lang": "-"}
        row |= {"statistic": "none", "n_chunks": 2, "n_tokens": 10, "nll": nll}
        row |= {"perplexity": value, "delta_nll": delta, "n_neurons": 0}
        found.append(row | {"delta_perplexity": change} | names)

    for lang in langs:
        add(lang, None)
        for i, whose in enumerate(langs):
            names = {"langset": "s", "neuron_lang": whose, "statistic": "zero"}
            names |= {"n_neurons": 10 * (i + 1)}
            delta = 1.0 if whose == lang else 0.1 * (i + 1)
            if huge and (whose, lang) == (langs[0], langs[1]):
                delta = huge
            add(lang, delta, method="lape", **names)
            for k in range(draws):
                control = {"method": "random", "matched": "lape", "draw": k + 1}
                add(lang, 0.01 * k, **names, **control)
            add(lang, 9.0, method="random", matched="actprob", draw=1, **names)
    table = pd.DataFrame(found)
    return table.astype({"delta_nll": float, "delta_se": float, "draw": "Int64"})


def test_rows_are_the_neurons_and_columns_the_text(tmp_path: Path) -> None:
    path = tmp_path / "perplexity.tsv"
    write_tsv(path, perplexities(["vi", "hi", "nan"], draws=3))
    spec = {"model": "m", "selection": "lape.s", "statistic": "zero"}
    stems = [tmp_path / f"{kind}.lape.s.zero" for kind in perplexity.KINDS]
    draw_perplexity.main(job(spec, stems, table=path))
    data = read(stems[1]).set_index(["neurons", "neuron_lang", "lang"])
    assert data.loc[("selected", "hi", "vi"), "change"] == pytest.approx(0.2)
    assert data.loc[("selected", "vi", "hi"), "change"] == pytest.approx(0.1)
    assert data.loc[("selected", "nan", "nan"), "change"] == 1
    control = data.loc[("random", "hi", "nan")]
    assert control[["change", "low", "high"]].tolist() == [0.01, 0, 0.02]
    assert control["draws"] == 3 and control["without"] == 2
    assert len(data) == 2 * 9
    other = read(stems[0]).set_index(["neurons", "neuron_lang", "lang"])
    assert other.loc[("selected", "hi", "vi"), "change"] == pytest.approx(
        np.exp(2.2) - np.exp(2), rel=1e-5
    )


def test_a_perplexity_figure_names_its_axes_and_is_centred_on_zero() -> None:
    table = perplexities(["vi", "hi", "zh"], huge=9.5)
    data = perplexity.changes(table, "nll", "m", "lape.s", "zero")
    figure = perplexity.draw_changes(data, "nll", "m")
    own, control = figure.axes[:2]
    assert own.get_title() == "selected neurons"
    assert control.get_title() == "as many random neurons\n(median of 2 draws)"
    assert own.get_ylabel().startswith("language whose neurons")
    assert figure.get_supxlabel().startswith("language of the text")
    assert [t.get_text() for t in own.get_yticklabels()] == [
        "vi (10)", "hi (20)", "zh (30)",
    ]  # fmt: skip
    assert own.get_xticklabels()[0].get_text() == "vi\n2.00"
    assert own.yaxis_inverted() and control.yaxis_inverted()
    norm = own.collections[0].norm
    assert (norm.vmin, norm.vmax) == (-1, 1)  # 9.5 is beyond
    assert [t.get_text() for t in own.texts] == [
        "+1.00", "+9.50", "+0.10", "+0.20", "+1.00", "+0.20", "+0.30", "+0.30", "+1.00",
    ]  # fmt: skip
    assert len(control.texts) == 9
    assert {p.get_xy() for p in own.patches} == {(0, 0), (1, 1), (2, 2)}


@pytest.mark.parametrize("draws", [0, 2])
def test_perplexities_of_16_languages(draws: int) -> None:
    table = perplexities(LANGS, draws, huge=800.0)  # its perplexity is infinite
    data = perplexity.changes(table, "perplexity", "m", "lape.s", "zero")
    figure = perplexity.draw_changes(data, "perplexity", "m, lape.s set to zero")
    panels = 2 if draws else 1
    assert len(texts(figure)) == panels * 256 and "+∞" in texts(figure)
    assert figure.get_figwidth() <= 7 and figure.get_figheight() <= figures.TALLEST
    assert_labels_are_apart(figure)


def test_perplexities_that_are_not_there() -> None:
    table = perplexities(["vi", "hi"])
    with pytest.raises(DataError, match=r"m\.lape\.s\.mean; the table has m\.lape\.s"):
        perplexity.changes(table, "nll", "m", "lape.s", "mean")


# ---- effects


def effect(**names: Any) -> dict[str, Any]:
    """A row of a task's table."""
    row: dict[str, Any] = dict.fromkeys(names_of(task_columns.COLUMNS))
    row |= {"model": "m", "method": "-", "langset": "-", "matched": "-", "seed": "1"}
    row |= {"tuning": "attention", "lang": "vi", "statistic": "none", "against": "-"}
    row |= {"metric": "accuracy", "n": 9, "value": 0.5, "n_neurons": 0}
    if "delta" in names:
        low, high = names["delta"] - 0.01, names["delta"] + 0.01
        row |= {"delta_ci_low": low, "delta_ci_high": high, "p_holm": 0.5}
        row |= {"against": "none", "value": 0.5 + names["delta"], "n_neurons": 7}
    return row | names | declared(names.get("metric", "accuracy"))


def frame(rows: list[dict[str, Any]]) -> pd.DataFrame:
    numbers = ("delta", "delta_ci_low", "delta_ci_high", "p_holm")
    table = pd.DataFrame(rows).astype(dict.fromkeys(numbers, float))
    return table.assign(neuron_lang=table["lang"])


def interventions() -> pd.DataFrame:
    """Two languages of different sets; one clear effect; random neurons for zero."""
    rows = []
    for lang, langset in (("vi", "set1"), ("hi", "set6")):
        names = {"lang": lang, "langset": langset}
        rows.append(effect(lang=lang))
        rows.append(effect(**names, method="lape", statistic="p90", delta=0.02))
        clear = effect(**names, method="lape", statistic="zero", delta=-0.03)
        rows.append(clear | {"p_holm": 0.01})
        for k, delta in enumerate((-0.01, 0.0, 0.015)):
            control = {"method": "random", "matched": "lape", "draw": k + 1}
            rows.append(effect(**names, **control, statistic="zero", delta=delta))
            rows[-1]["p_holm"] = None
    rows.append(effect(metric="f1", method="lape", statistic="zero", delta=0.3))
    return frame(rows)


def test_rows_of_the_forest() -> None:
    data = effects.effects(interventions(), "accuracy")
    assert set(data["group"]) == {"m, lape (set1, set6)"}
    assert len(data) == 2 * 5 and data["control"].sum() == 6
    assert data[data["control"]]["row"].unique().tolist() == ["zero"]
    assert data[data["significant"]]["row"].tolist() == ["zero", "zero"]


def test_the_forest_names_whose_neurons_there_are() -> None:
    """Where they are of several languages; controls stand beside theirs."""
    table = interventions()
    both = pd.concat([table.assign(neuron_lang=x) for x in ("vi", "hi")])
    data = effects.effects(both.reset_index(drop=True), "accuracy")
    assert set(data["row"]) == {
        f"{s} of {x}" for s in ("p90", "zero") for x in ("vi", "hi")
    }
    drawn = data[data["control"]].groupby(["lang", "row"]).size()
    assert drawn.to_dict() == {
        (x, f"zero of {y}"): 3 for x in ("vi", "hi") for y in ("vi", "hi")
    }


def test_marks_of_the_forest() -> None:
    data = effects.effects(interventions(), "accuracy")
    figure = effects.draw_forest(data, ACCURACY, "xnli")
    assert [axes.get_title() for axes in figure.axes] == ["vi", "hi"]
    axes = figure.axes[1]
    named = [t.get_text() for t in figure.axes[0].get_yticklabels()]
    height = dict(zip(named, axes.get_yticks(), strict=True))
    points = [line for line in axes.lines if line.get_marker() == "o"]
    drawn = {(p.get_xdata()[0], p.get_ydata()[0]): p for p in points}
    assert {(round(x, 6), y) for x, y in drawn} == {
        (2.0, height["p90"]), (-3.0, height["zero"]),
    }  # fmt: skip
    faces = {y: p.get_markerfacecolor() for (_, y), p in drawn.items()}
    assert faces == {height["p90"]: "white", height["zero"]: figures.BLUE}
    ticks = [line for line in axes.lines if line.get_marker() == "|"]
    assert [sorted(x.get_xdata()) for x in ticks] == [pytest.approx([-1, 0, 1.5])]
    bands = [p for p in axes.patches if p.get_facecolor()[0] == float(effects.BAND)]
    assert [(b.get_x(), b.get_width()) for b in bands] == [pytest.approx((-1, 2.5))]
    legend = [t.get_text() for t in figure.legends[0].get_texts()]
    assert len(legend) == 4 and "Holm p < 0.05" in legend


def test_a_collapse_is_a_number_at_the_edge() -> None:
    rows = [effect()]
    for i in range(9):
        rows.append(effect(method="lape", langset="s", statistic=f"p{i}", delta=0.01))
    rows.append(effect(method="lape", langset="s", statistic="p9", delta=-0.42))
    data = effects.effects(frame(rows), "accuracy")
    figure = effects.draw_forest(data, ACCURACY, "xnli")
    assert "−42" in texts(figure)
    low, high = figure.axes[0].get_xlim()
    assert -5 < low < 0 < high < 5
    data = sizes.sizes(frame(rows), "accuracy")
    figure = sizes.draw_size(data, ACCURACY, "xnli")
    assert texts(figure) == ["1 below: 8.0"]


def test_tunings_stand_in_one_row_for_all_languages() -> None:
    rows = []
    for lang, langset in (("vi", "set1"), ("hi", "set6")):
        rows.append(effect(lang=lang, seed="pooled"))
        for seed in ("1", "2", "pooled"):
            named = {"lang": lang, "seed": seed, "against": "attention"}
            one = {"tuning": f"lape.{langset}.en+{lang}", "delta": 0.01}
            rows.append(effect(**named, **one))
        control = {"tuning": f"random_lape-2.{langset}.en+{lang}", "delta": 0.0}
        rows.append(effect(**named, **control))
    rows += [effect(lang="vi", tuning="all_mlp", delta=0.2, against="attention")]
    data = effects.effects(frame(rows), "accuracy")
    assert set(data["group"]) == {"m: tuning against attention"}
    assert data["row"].tolist() == ["lape.en+own"] * 4 + ["all_mlp"]
    assert data["control"].tolist() == [False, True, False, True, False]
    assert data["seed"].tolist() == ["pooled"] * 4 + ["1"]


def test_tunings_of_one_language_from_two_sets_are_kept_apart() -> None:
    rows = [effect()]
    for langset in ("set1", "set6"):
        named = {"tuning": f"lape.{langset}.vi", "against": "attention"}
        rows.append(effect(**named, delta=0.01))
    data = effects.effects(frame(rows), "accuracy")
    assert data["row"].tolist() == ["lape.set1.own", "lape.set6.own"]


def test_selections_of_one_language_from_two_sets_are_kept_apart() -> None:
    rows = [effect()]
    for langset in ("set1", "set6"):
        rows.append(effect(method="lape", langset=langset, statistic="p5", delta=0.0))
    data = effects.effects(frame(rows), "accuracy")
    assert data["group"].tolist() == ["m, lape (set1)", "m, lape (set6)"]


def test_the_forest_of_a_whole_table_is_readable() -> None:
    rows = []
    statistics = ["mean", "p75", "p90", "p95", "zero", "p5", "p10", "p25"]
    for lang in LANGS[:6]:
        rows.append(effect(lang=lang))
        for method in ("lape", "actprob", "plnd"):
            named = {"lang": lang, "method": method, "langset": "s"}
            for i, statistic in enumerate(statistics):
                one = {"statistic": statistic, "delta": 0.003 * (i - 4)}
                rows.append(effect(**named, **one))
    data = effects.effects(frame(rows), "accuracy")
    figure = effects.draw_forest(data, ACCURACY, "xnli")
    points = [x for a in figure.axes for x in a.lines if x.get_marker() == "o"]
    assert len(points) == 144
    assert figure.get_figwidth() <= 7
    assert_labels_are_apart(figure)
    few = effects.draw_forest(data[data["row"] == "zero"], ACCURACY, "xnli")
    assert few.get_figheight() < figure.get_figheight() / 2


def test_sizes_have_random_neurons_and_the_score_without() -> None:
    data = sizes.sizes(interventions(), "accuracy")
    assert data["series"].value_counts().to_dict() == {
        "random": 6, "lape": 4, "none": 2,
    }  # fmt: skip
    figure = sizes.draw_size(data, ACCURACY, "xnli")
    vi = figure.axes[0]
    assert vi.get_xscale() == "log"
    by_marker = {x.get_marker(): x for x in vi.lines}
    assert by_marker["o"].get_ydata() == pytest.approx([52])
    assert by_marker["s"].get_ydata() == pytest.approx([47])
    assert by_marker["o"].get_xdata().tolist() == [7]
    assert (by_marker["x"].get_xdata() < 7).all()
    assert by_marker["None"].get_ydata() == [50, 50]
    assert_labels_are_apart(figure)


def legend_of(figure: Figure) -> dict[str, Any]:
    """Map what the legend names to the mark beside it."""
    (legend,) = figure.legends
    named = [text.get_text() for text in legend.get_texts()]
    return dict(zip(named, legend.legend_handles, strict=True))


def test_sizes_say_which_statistic_is_written() -> None:
    """By a shape of its own; methods differ in filling too, not in colour alone."""
    data = sizes.sizes(interventions(), "accuracy")
    figure = sizes.draw_size(data, ACCURACY, "xnli")
    named = legend_of(figure)
    statistics = list(dict.fromkeys(data.loc[data["series"] == "lape", "statistic"]))
    assert [named[x].get_marker() for x in statistics] == ["o", "s"]
    assert named["lape"].get_fillstyle() == "none"
    assert "written" not in figure.legends[0].get_title().get_text()
    one = data[data["statistic"].isin(["none", statistics[1]])]
    figure = sizes.draw_size(one, ACCURACY, "xnli")
    assert statistics[1] not in legend_of(figure)
    title = figure.legends[0].get_title().get_text().replace("\n", " ")
    assert title.endswith(f"; written into them: {statistics[1]}")
    both = pd.concat([data, data[data["series"] == "lape"].assign(series="plnd")])
    named = legend_of(sizes.draw_size(both, ACCURACY, "xnli"))
    fills = [named[name].get_fillstyle() for name in ("lape", "plnd")]
    assert len(set(fills)) == 2


@pytest.mark.parametrize("attention", [True, False])
def test_sizes_beside_the_model_as_it_is(attention: bool) -> None:
    """The line of reference is what the tunings of neurons are set against."""
    reference = "attention" if attention else "base"
    rows = [effect(tuning="base", seed="0", value=0.4)]
    if attention:
        rows.append(effect(delta=0.1, against="base", n_neurons=0))
    tuned = {"tuning": "lape.set1.vi"}
    rows.append(effect(**tuned, delta=0.02, against=reference, n_neurons=0))
    treated = {"method": "lape", "langset": "set1", "statistic": "zero"}
    rows.append(effect(**tuned, **treated, delta=-0.02))
    data = sizes.sizes(frame(rows), "accuracy")
    assert data["tuning"].to_dict() == {0: reference, 1: "lape.set1.vi"}
    assert data["series"].to_dict() == {0: "none", 1: "lape"}
    forest = effects.effects(frame(rows), "accuracy")
    against = {f"m: tuning against {name}" for name in (reference, "base")}
    assert against < set(forest["group"])


METHODS = ("lape", "actprob", "entropy_lambda", "plnd")


def whole(
    langs: list[str], methods: int = 2, models: int = 1, huge: float = 0.0
) -> pd.DataFrame:
    """A table like those of a run: eight statistics, ten draws, other numbers.

    With huge, it is what one random draw and one intervention of each method change in
    the first language.
    """
    statistics = ["mean", "p75", "p90", "p95", "zero", "p5", "p10", "p25"]
    rows = []
    for model in [f"llama{i}-8b-instruct" for i in range(models)]:
        for i, lang in enumerate(langs):
            base = {"model": model, "lang": lang}
            value = 0.805 - 0.004 * i
            rows.append(effect(**base, value=value))
            for k, method in enumerate(METHODS[:methods]):
                size = {"n_neurons": (31, 118, 104, 5011)[k] + i}
                named = {"langset": "set6", **base, **size}
                for j, statistic in enumerate(statistics):
                    delta = 0.002 * (j - 5)
                    if i == 0 and j == 4 and huge:
                        delta = huge
                    one = {"statistic": statistic, "delta": delta, "method": method}
                    rows.append(effect(**named, **one, value=value + delta))
                    if k or j % 4:
                        continue
                    one |= {"method": "random", "matched": method}
                    for draw in range(10):
                        delta = -0.0007 * draw
                        if i == 0 and draw == 1 and huge:
                            delta = huge
                        one |= {"delta": delta, "draw": draw + 1, "p_holm": None}
                        rows.append(effect(**named, **one, value=value + delta))
            rows[-1]["p_holm"] = 0.01
    return frame(rows)


@pytest.mark.parametrize("number", [1, 2, 3, 4, 5, 6, 16])
@pytest.mark.parametrize("huge", [0.0, -0.4])
def test_nothing_of_effects_is_cut_off(number: int, huge: float) -> None:
    langs = [f"{lang}g_Latn" if number % 2 else lang for lang in LANGS[:number]]
    table = whole(langs, 4 if huge else 1 + number % 2, huge=huge)
    data = sizes.sizes(table, "accuracy")
    figure = sizes.draw_size(data, ACCURACY, "xnli: neurons touched and accuracy")
    assert_labels_are_apart(figure)
    assert figure.get_figwidth() <= 7
    assert figure.get_figheight() <= figures.TALLEST
    if number <= 6:
        data = effects.effects(table, "accuracy")
        if huge:
            data["group"] += ", tuning rows.entropy_lambda.set6.en+own of them all"
        title = "llama31_finetune_xnli: every change of accuracy"
        assert_labels_are_apart(effects.draw_forest(data, ACCURACY, title))


def test_a_note_a_method_counts_scores_beyond_the_scale() -> None:
    table = whole(LANGS[:6], methods=2, models=2, huge=-0.4)
    figure = sizes.draw_size(sizes.sizes(table, "accuracy"), ACCURACY, "xnli")
    assert_labels_are_apart(figure)
    first, other = figure.axes[0], figure.axes[1]
    assert [t.get_text() for t in first.texts] == [
        "2 below, lowest 40.5", "1 below: 40.5", "1 below: 40.5",
    ]  # fmt: skip
    assert not other.texts
    for text in first.texts:
        box = text.get_window_extent()
        assert first.bbox.x0 < box.x0 and box.x1 < first.bbox.x1
        assert first.bbox.y0 < box.y0
    # No score is where the notes are.
    highest = max(t.get_window_extent().y1 for t in first.texts)
    low = first.transData.inverted().transform((0, highest))[1]
    marks = [line for line in first.lines if line.get_marker() in ("o", "s", "x")]
    inside = [y for line in marks for y in line.get_ydata() if y > 1]
    assert min(inside) > low and min(inside) > 70
    assert min(first.get_yticks()) > low


def test_scores_of_all_languages_share_a_scale_that_suits_them() -> None:
    table = whole(LANGS[:6])
    figure = sizes.draw_size(sizes.sizes(table, "accuracy"), ACCURACY, "xnli")
    assert len({axes.get_ylim() for axes in figure.axes}) == 1
    words_of(figure)
    named = [
        any(t.label1.get_visible() for t in axes.yaxis.get_major_ticks())
        for axes in figure.axes
    ]
    assert named == [True, False, False] * 2
    # Everything is seen, and there is no room for notes.
    values = 100 * table["value"]
    low, high = figure.axes[0].get_ylim()
    assert low < values.min() and values.max() < high and not texts(figure)
    assert figure.axes[0].spines["left"].get_bounds() == (low, high)
    far = table["lang"] == LANGS[0]
    table.loc[far, "value"] -= 0.4
    figure = sizes.draw_size(sizes.sizes(table, "accuracy"), ACCURACY, "xnli")
    assert_labels_are_apart(figure)
    ends = [axes.get_ylim() for axes in figure.axes]
    assert len(set(ends)) == 6 and not texts(figure)
    assert {round(high - low, 6) for low, high in ends} == {
        round(ends[0][1] - ends[0][0], 6)
    }


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [(18, 130, [20, 50, 100]), (76, 133, [80, 100, 120]), (6, 9, [6, 7, 8, 9]),
     (8, 60000, [100, 10000]), (70, 12000, [100, 1000, 10000])],
)  # fmt: skip
def test_numbers_of_neurons_are_round(low: float, high: float, ticks: list[int]):
    found = number_axis.round_numbers(low, high, 1.3)
    assert found[: len(ticks)] == ticks


def test_a_change_is_an_arrow_only_if_it_is_an_outlier() -> None:
    table = whole(LANGS[:6], huge=-0.03)  # others go to -0.01, and intervals to -0.02
    data = effects.effects(table, "accuracy")
    figure = effects.draw_forest(data, ACCURACY, "xnli")
    assert not [t for t in texts(figure) if "−" in t]
    assert figure.axes[0].get_xlim()[0] < -4
    assert not [x for a in figure.axes for x in a.lines if x.get_marker() in "<>"]


def test_what_goes_on_beyond_the_scale_ends_in_an_arrow() -> None:
    table = whole(LANGS[:6])
    drawn = (table["lang"] == "en") & (table["statistic"] == "zero")
    drawn &= table["draw"] == 2
    wide = (table["lang"] == "fr") & (table["method"] == "lape")
    wide &= table["statistic"] == "p5"
    table.loc[drawn, "delta"] = -0.4
    table.loc[wide, "delta_ci_high"] = 0.4
    figure = effects.draw_forest(effects.effects(table, "accuracy"), ACCURACY, "xnli")
    arrows = [
        (axes.get_title(), line.get_marker(), line.get_color())
        for axes in figure.axes
        for line in axes.lines
        if line.get_marker() in ("<", ">")
    ]
    assert arrows == [("en", "<", figures.RANDOM), ("fr", ">", figures.BLUE)]


def test_scripts_draw_tables_of_effects(tmp_path: Path) -> None:
    path = tmp_path / "xnli.tsv"
    write_tsv(path, interventions())
    stems = [tmp_path / "xnli" / f"{kind}.accuracy" for kind in draw_effects.DRAWN]
    spec = {"table": "xnli", "metric": "accuracy"}
    draw_effects.main(job(spec, stems, table=path))
    assert len(read(stems[0])) == 10 and len(read(stems[1])) == 12
    stems = [tmp_path / "empty" / f"{kind}.em" for kind in draw_effects.DRAWN]
    draw_effects.main(job(spec | {"metric": "em"}, stems, table=path))
    for stem in stems:
        assert "The table xnli has no" in Path(f"{stem}.svg").read_text()
        assert read(stem).empty
    path.write_text("model\tlang\nm\tvi\n")
    with pytest.raises(DataError, match=r"xnli\.tsv: the table has no column method"):
        draw_effects.main(job(spec, stems, table=path))


# ---- profiles


def pairs() -> pd.DataFrame:
    def row(**names: Any) -> dict[str, Any]:
        found: dict[str, Any] = dict.fromkeys(names_of(profiles_table.COLUMNS))
        found |= {"task": "xnli", "model": "m", "tuning": "attention", "seed": "1"}
        found |= {"lang": "vi", "method": "lape", "langset": "s", "metric": "accuracy"}
        found |= {"value_name": "p5", "paper_delta": -0.04, "consistent_delta": -0.01}
        found |= {"matched": "-", "difference": 0.03, "p_holm": 0.01}
        found |= names
        found |= {"neuron_lang": names.get("neuron_lang", found["lang"])}
        return found | declared(names.get("metric", "accuracy"))

    rows = [row(), row(value_name="zero", consistent_delta=0.0, p_holm=0.9)]
    drawn = {"method": "random", "matched": "lape"}
    rows += [row(**drawn, draw=k, paper_delta=0.01 * k) for k in (1, 2, 4)]
    return pd.DataFrame([*rows, row(metric="f1"), row(task="xquad")])


def test_both_profiles_are_joined_by_a_line() -> None:
    data = profiles.sites(pairs(), "xnli", "accuracy")
    assert data["group"].tolist() == ["m, lape (s)"] * 2 + ["m, random for lape (s)"]
    assert data["row"].tolist() == ["p5", "zero", "p5"]
    assert data["paper"].tolist() == pytest.approx([-0.04, -0.04, 0.02])
    figure = profiles.draw_sites(data, ACCURACY, "xnli")
    (axes,) = figure.axes
    marks = {m: [x for x in axes.lines if x.get_marker() == m] for m in "os*"}
    assert [len(marks[m]) for m in "os*"] == [3, 3, 1]
    assert marks["o"][0].get_xdata() == pytest.approx([-4])
    assert marks["s"][0].get_xdata() == pytest.approx([-1])


def test_pairs_name_whose_neurons_there_are() -> None:
    """Draws of the neurons of one language have a median of their own."""
    both = pairs().assign(neuron_lang="hi", paper_delta=0.5)
    table = pd.concat([pairs(), both], ignore_index=True)
    data = profiles.sites(table, "xnli", "accuracy")
    found = data.set_index(["group", "row"])["paper"]
    assert found["m, random for lape (s)", "p5 of vi"] == pytest.approx(0.02)
    assert found["m, random for lape (s)", "p5 of hi"] == pytest.approx(0.5)
    assert found["m, lape (s)", "zero of vi"] == pytest.approx(-0.04)


@pytest.mark.parametrize("number", [1, 2, 3, 4, 6])
def test_nothing_of_profiles_is_cut_off(number: int) -> None:
    table = pd.concat([pairs().assign(lang=lang) for lang in LANGS[:number]])
    data = profiles.sites(table, "xnli", "accuracy")
    title = "xnli, accuracy: paper and consistent profile"
    figure = profiles.draw_sites(data, ACCURACY, title)
    assert_labels_are_apart(figure)
    assert len(figure.legends) == 1 and len(figure.legends[0].get_texts()) == 3
    assert_labels_are_apart(figures.message(title, "No intervention was measured."))


def test_a_table_without_pairs_says_so(tmp_path: Path) -> None:
    path = tmp_path / "profiles.tsv"
    write_tsv(path, pairs().iloc[:0])
    stem = tmp_path / "sites.xnli.accuracy"
    spec = {"task": "xnli", "metric": "accuracy"}
    draw_profiles.main(job(spec, [stem], table=path))
    assert "No intervention was measured" in Path(f"{stem}.svg").read_text()
    assert read(stem).empty
    write_tsv(path, pairs())
    draw_profiles.main(job(spec, [stem], table=path))
    assert len(read(stem)) == 3
