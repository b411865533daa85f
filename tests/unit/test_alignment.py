"""Alignment: by hand, against plain loops, from recorded sentences to the tables."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import activation_files
import bridge_files
import measure_alignment
from configurations import merge, tiny
from langneurons import similarities, tasks
from langneurons.config.errors import ConfigError, DataError
from langneurons.config.names import Pair
from langneurons.figures import alignment as figures
from langneurons.grid import aligned_with, alignment
from langneurons.grid.alignment import Aligned
from langneurons.jobs import files
from langneurons.jobs.cli import Job
from langneurons.neurons import aligned_languages
from langneurons.neurons.recorded_activations import Activations
from langneurons.similarities import Planned, SimilarityInputs
from langneurons.stats import alignment as stats
from langneurons.stats.correlations import over_points, within_groups
from langneurons.study.configuration import load
from langneurons.study.specs import Specs
from langneurons.tables import alignment as table_of
from langneurons.tables import alignment_correlation as correlations
from langneurons.tables.common import alignment_files, alignment_points
from langneurons.tables.common.as_markdown import markdown
from langneurons.tables.common.evaluations import Evaluation, Evaluations
from langneurons.tables.common.inputs import Inputs
from langneurons.text import parallel
from test_specs import Wildcards

# ---------------------------------------------------------------- one similarity matrix


def test_a_sentence_is_found_by_hand() -> None:
    """The first finds its translation, which finds another; the second is a tie."""
    matrix = np.array([[0.5, 0.4, 0.1], [0.3, 0.6, 0.6], [0.9, 0.2, 0.7]])
    forward, backward, mutual = stats.found(matrix)
    assert forward.tolist() == [True, False, False]
    assert backward.tolist() == [False, True, True]
    assert mutual.tolist() == [False, False, False]
    assert stats.gap(matrix) == pytest.approx(1.8 / 3 - 2.5 / 6)


def test_states_without_a_direction_find_nothing() -> None:
    first = np.array([[0, 0], [3, 4]])
    found = stats.cosines(first, np.array([[1, 0], [4, 3]]))
    assert found == pytest.approx(np.array([[0, 0], [0.6, 0.96]]))
    assert not stats.found(np.zeros((2, 2))).any()


def test_binary_states_are_those_above_zero() -> None:
    states = stats.binary(np.array([[-1, 0, 2], [1, 1, -0.0]], np.float16))
    assert states.tolist() == [[False, False, True], [True, True, False]]
    found = stats.cosines(states, states[::-1])
    assert found == pytest.approx(np.array([[0, 1], [1, 0]]))  # disjoint, or the same


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        (np.ones((3, 2)), np.ones((2, 2)), "same sentences and neurons"),
        (np.ones((1, 2)), np.ones((1, 2)), "at least two"),
        (np.full((2, 2), np.nan), np.ones((2, 2)), "not finite"),
    ],
)
def test_other_states_are_refused(first: Any, second: Any, said: str) -> None:
    with pytest.raises(DataError, match=said):
        stats.cosines(first, second)


def plain(layers: list[tuple[Any, Any]], counts: Any) -> dict[str, float]:
    """Measure as the definitions say, with every sentence as often as it is drawn."""
    drawn = [i for i, times in enumerate(counts) for _ in range(int(times))]
    sums = dict.fromkeys(stats.MEASURES, 0.0)
    for a, b in layers:
        n = len(a)

        def cosine(i: int, j: int, a: Any = a, b: Any = b) -> float:
            size = np.linalg.norm(a[i]) * np.linalg.norm(b[j])
            return float(np.dot(a[i], b[j]) / size) if size else 0.0

        c = [[cosine(i, j) for j in range(n)] for i in range(n)]
        for i in drawn:
            forward = all(c[i][i] > c[i][j] + 1e-12 for j in range(n) if j != i)
            backward = all(c[i][i] > c[j][i] + 1e-12 for j in range(n) if j != i)
            sums["forward"] += forward / n
            sums["backward"] += backward / n
            sums["mutual"] += (forward and backward) / n
        others = [c[i][j] for i in drawn for j in drawn if i != j]
        mean = sum(others) / len(others) if others else 0.0
        sums["gap"] += sum(c[i][i] for i in drawn) / n - mean
    return {name: value / len(layers) for name, value in sums.items()}


@settings(max_examples=25, deadline=None)
@given(
    st.integers(2, 6), st.integers(1, 5), st.integers(1, 3), st.integers(0, 2**31 - 1)
)
def test_measures_and_their_resampling_are_those_of_plain_loops(
    n: int, width: int, count: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    # Whole numbers: there are ties and zeros.
    layers = [
        (rng.integers(-1, 3, (n, width)), rng.integers(-1, 3, (n, width)))
        for _ in range(count)
    ]
    found = stats.align(layers, resamples=7, seed=seed)
    assert {k: v[0] for k, v in found.over_layers.items()} == pytest.approx(
        plain(layers, np.ones(n))
    )
    assert found.sentences == n and len(found.by_layer["gap"]) == count
    drawn = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), 7)
    each = [plain(layers, counts) for counts in drawn]
    for name, (_, low, high) in found.over_layers.items():
        wanted = np.quantile([one[name] for one in each], [0.025, 0.975])
        assert (low, high) == pytest.approx(tuple(wanted), abs=1e-9)


def test_no_layer_is_no_alignment() -> None:
    with pytest.raises(DataError, match="no layers"):
        stats.align([])


# ------------------------------------------------------------------------- correlations


def test_a_correlation_over_languages() -> None:
    from scipy.stats import pearsonr, spearmanr

    x, y = [0.1, 0.4, 0.2, 0.9, 0.5, 0.5], [1.0, 3.0, 2.0, 2.5, 9.0, 4.0]
    for ranks, plainly in ((False, pearsonr), (True, spearmanr)):
        one = over_points(x, y, ranks=ranks, resamples=50)
        assert one.value == pytest.approx(plainly(x, y).statistic)
        drawn = np.random.default_rng(0).integers(0, 6, (50, 6))
        each = [plainly(np.array(x)[i], np.array(y)[i]).statistic for i in drawn]
        wanted = np.quantile(each, [0.025, 0.975])
        assert (one.low, one.high) == pytest.approx(tuple(wanted))


def test_few_or_equal_points_say_nothing() -> None:
    for x, y in (([1, 2], [2, 1]), ([0.1, 0.1, 0.1], [1, 2, 3]), ([], [])):
        assert np.isnan(over_points(x, y)).all()
    four = over_points([1, 2, 3, 4], [1, 2, 3, 4])
    assert four.value == pytest.approx(1) and np.isnan([four.low, four.high]).all()
    assert np.isnan(within_groups([([1], [2])] * 9)).all(), "one candidate per pair"


def test_within_pairs_their_levels_play_no_part() -> None:
    """Pairs that are aligned better gain less, the better bridge of each gains more."""
    groups = [([k, k + 0.1, k + 0.3], [-k, 0.1 - k, 0.2 - k]) for k in range(6)]
    x, y = np.concatenate(groups, axis=1)
    assert over_points(x, y).value < -0.9
    for ranks in (False, True):
        found = within_groups(groups, ranks=ranks)
        assert found.value > 0.95 and found.low > 0.9
    # By hand: deviations -1, 1 and 2, -2 of the first, -1, 1 and 1, -1 of the other.
    two = within_groups([([1, 3], [5, 7]), ([4, 0], [1, -1])])
    assert two.value == pytest.approx(6 / np.sqrt(10 * 4))


# -------------------------------------------------------------- from recorded sentences


def recorded(
    path: Path, values: Any, lang: str, *, tokens: int = 2, **changes: Any
) -> Activations:
    """Write pre-activations [sentences, L, F], each sentence of equal tokens."""
    values = np.asarray(values, np.float32)
    options = {"chunk_means": len(values), "unit": "document"} | changes
    return activation_files.build(
        path / f"{lang}.safetensors",
        np.repeat(values, tokens, axis=0),
        language=lang,
        activation="relu",
        chunk_length=tokens,
        **options,
    )


ONE = np.array([[[1, 0, -1]], [[0, 2, -1]], [[1, 1, -1]]])
OTHER = np.array([[[3, 0, -5]], [[0, 1, -5]], [[0, 1, -5]]])


def test_files_of_two_languages_are_aligned(tmp_path: Path) -> None:
    first, second = recorded(tmp_path, ONE, "en"), recorded(tmp_path, OTHER, "vi")
    found = aligned_languages.align(first, second, "act_post")
    values = found["value"]
    # The last two translations are the same to a state, so that neither is found.
    assert {k: v[0] for k, v in values.over_layers.items()} == pytest.approx(
        {"forward": 1 / 3, "backward": 2 / 3, "mutual": 1 / 3,
         "gap": (2 + 0.5**0.5) / 3 - (0 + 0 + 0 + 1 + 2 * 0.5**0.5) / 6}
    )  # fmt: skip
    assert values.sentences == 3 and set(found) == {"value", "binary"}
    two = aligned_languages.align(first, second, "gate_pre", sentences=2)
    assert two["binary"].over_layers["mutual"][0] == 1


@pytest.mark.parametrize(
    ("changes", "asked", "said"),
    [
        ({"unit": None}, None, "not of sentences"),
        ({"chunk_means": 2}, None, "means of 2 sentences are kept"),
        ({"chunk_means": 2}, 2, "means of other sentences"),  # the first and the last
        ({"model": "other"}, None, "all languages need the same model"),
    ],
)
def test_files_that_cannot_be_aligned_are_refused(
    tmp_path: Path, changes: dict[str, Any], asked: int | None, said: str
) -> None:
    first = recorded(tmp_path, ONE, "en")
    second = recorded(tmp_path, OTHER, "vi", **changes)
    with pytest.raises(DataError, match=said):
        aligned_languages.align(first, second, "act_post", sentences=asked)


ROWS: dict[str, Any] = {
    "text_column": "text", "column": None, "at_least": 0, "below": None,
}  # fmt: skip


def lines(folder: Path, lang: str, text: str) -> list[Path]:
    path = folder / f"{lang}.txt"
    path.write_text(text, encoding="utf-8")
    return [path]


def test_sentences_are_parallel_by_their_numbers(tmp_path: Path) -> None:
    said = {x: {"rows": ROWS, "code": x, "counted": True} for x in ("en", "vi")}
    texts = {
        "en": lines(tmp_path, "en", "a\nb\nc\n"),
        "vi": lines(tmp_path, "vi", "x\n"),
    }
    with pytest.raises(DataError, match="vi: 1 sentences.*but 3 of en"):
        parallel.require(texts, said, 1)
    with pytest.raises(DataError, match="en: 3 sentences.*4 are compared"):
        parallel.require(texts, said, 4)
    for lang, numbers in (("en", (1, 2, 3)), ("vi", (1, 3, 4))):
        path = tmp_path / f"{lang}.tsv"
        path.write_text("id\ttext\n" + "".join(f"{i}\tx\n" for i in numbers))
        texts[lang] = [path]
        said[lang] = {"rows": ROWS | {"column": "id"}, "code": lang, "counted": False}
    parallel.require(texts, said, 1)  # what comes later is not compared
    with pytest.raises(DataError, match="vi: sentence 2 has number 3.*but 2 for en"):
        parallel.require(texts, said, 2)


def job(folder: Path) -> tuple[dict[str, Any], Path]:
    """Run the script on two languages of three sentences; return its spec and file."""
    counted = {"rows": ROWS, "counted": True}
    spec: dict[str, Any] = {
        "model": "toy", "corpus": "made", "pair": "en-vi", "site": "act_post",
        "sentences": 3, "text": {x: counted | {"code": x} for x in ("en", "vi")},
    }  # fmt: skip
    read = [recorded(folder, ONE, "en").path, recorded(folder, OTHER, "vi").path]
    texts = [lines(folder, lang, "a\nb\nc\n") for lang in ("en", "vi")]
    inputs = {"activations": read, "first": texts[0], "second": texts[1]}
    out = folder / "en-vi.json"
    measure_alignment.main(Job(spec, "", inputs, {"out": out}, 1, 1, 1))
    return spec, out


def test_the_table_of_languages(tmp_path: Path) -> None:
    _, out = job(tmp_path)
    place = ["mine", "made", "toy", "en-vi", "vi", "en"]
    read = Inputs({"alignments": [out]})
    table = table_of.TABLE.build({"rows": {"places": [place]}}, read)
    assert list(table["states"]) == ["value", "binary"]
    row = table.iloc[0]
    # English comes first by the alphabet: the way to it is the one back.
    assert row[["to_pivot", "from_pivot"]].tolist() == pytest.approx([2 / 3, 1 / 3])
    assert row["mutual_low"] <= row["mutual"] <= row["mutual_high"]
    assert (row["peak_layer"], row["sentences"], row["layers"]) == (0, 3, 1)
    text = markdown(table_of.TABLE.layout(table, {}))
    assert "## toy: value (3 sentences of `made`, `act_post`)" in text
    damaged = files.read_json(out)
    damaged["states"]["binary"]["over_layers"]["gap"] = [1, None, 2]
    out.write_text(json.dumps(damaged))
    with pytest.raises(DataError, match="not a file of alignments"):
        table_of.TABLE.build({"rows": {"places": [place]}}, read)


# ------------------------------------------------------------------- what goes with it


LANGUAGES = {"ur": 0.2, "el": 0.5, "vi": 0.6, "zh": 0.9, "hi": 0.4}
"""Alignment of each language with English."""


def aligned(folder: Path, one: str, other: str, score: float) -> Path:
    """Write a file of alignments that has one score for everything."""
    pair = Aligned.of("made", "m", one, other).pair
    state = {
        "sentences": 9,
        "over_layers": {k: [score, score, score] for k in stats.MEASURES},
        "by_layer": {k: [score] for k in stats.MEASURES},
    }
    whole = {"format": aligned_languages.FORMAT, "model": "m", "corpus": "made",
             "pair": str(pair), "site": "act_post",
             "states": dict.fromkeys(("value", "binary"), state)}  # fmt: skip
    path = folder / f"{pair}.json"
    path.write_text(json.dumps(whole))
    return path


def scores(folder: Path) -> list[Path]:
    """Write evaluations of a tuned model, right as often as a language is aligned."""
    indexes = []
    for lang, share in LANGUAGES.items():
        axes = {"task": "xnli", "model": "m", "tuning": "attention", "seed": 42}
        where = folder / lang
        where.mkdir(parents=True)
        right = np.arange(100) < round(100 * share**2)
        items = pd.DataFrame({"item": np.arange(100), "accuracy": right})
        items.to_parquet(where / "none.parquet")
        own = {"n": 100, "n_neurons": 0, "metrics": {},
               "sha256": files.sha256(where / "none.parquet")}  # fmt: skip
        index = where / "part-1-of-1.json"
        text = axes | {"lang": lang, "treatments": {"none": own}}
        index.write_text(json.dumps(text))
        indexes.append(index)
    return indexes


def test_correlations_of_tuned_models_and_of_bridges(tmp_path: Path) -> None:
    of_bridges = {"hi": 0.9, "zh": 0.5, "en": 0.3, "fr": 0.1}
    pairs = {tuple(sorted(("en", lang))): score for lang, score in LANGUAGES.items()}
    for text, candidates in bridge_files.CANDIDATES.items():
        for k in candidates:
            for end in text.split("-"):
                pairs.setdefault(tuple(sorted((k, end))), of_bridges[k])  # type: ignore[arg-type]
    spec = {
        "kinds": {"xnli": "xnli", "words": "bli"},
        "rows": {
            "alignments": [["made", "m", "-".join(sorted(x))] for x in pairs],
            "pivots": {"mine": ["made", "en"]},
            "scored": [
                {
                    "place": ["mine", "m", aligned_with.TRANSFER, "xnli", "attention"],
                    "rows": [
                        {"model": "m", "tuning": "attention", "seed": 42, "lang": x}
                        for x in LANGUAGES
                    ],
                },
                {
                    "place": ["mine", "m", aligned_with.TRANSFER, "xnli", "all_mlp"],
                    "rows": [],
                },
            ],
            "bridges": [
                ["mine", "m", "made", "bridges", "words", pair, k]
                for pair, some in bridge_files.CANDIDATES.items()
                for k in some
            ],
            "absent": [["mine", "n", "transfer", "no experiment tests n"]],
        },
    }
    evaluations = [
        *scores(tmp_path / "tuned"), *bridge_files.evaluations(tmp_path / "bridges"),
    ]  # fmt: skip
    written = [aligned(tmp_path, *x, score) for x, score in pairs.items()]
    read = Inputs({"evaluations": evaluations, "alignments": written})
    table = correlations.TABLE.build(spec, read)
    assert len(table) == 6 + 1 + 6 + 1
    tuned = table[table["against"] == "transfer"].iloc[0]
    assert (tuned["n"], tuned["groups"]) == (5, 5)
    assert tuned["spearman"] == pytest.approx(1)
    wanted = np.corrcoef([[x, x**2] for x in LANGUAGES.values()], rowvar=False)[0, 1]
    assert tuned["pearson"] == pytest.approx(wanted)
    assert tuned["pearson_low"] <= wanted <= tuned["pearson_high"]
    gain = table[table["against"] == "bridge_gain"].iloc[0]
    # Three pairs are too few to resample.
    assert (gain["n"], gain["groups"]) == (11, 3) and np.isnan(gain["pearson_low"])
    assert gain["pearson"] > 0.5 and gain["tuning"] == "base"
    text = markdown(correlations.TABLE.layout(table, {}))
    assert "No zero-shot transfer: no experiment tests n." in text
    assert "No zero-shot transfer (xnli, all_mlp): 0 points; at least 3" in text


def test_scores_are_of_the_first_metric_of_single_items() -> None:
    """Of translations that is no chrF++ of all together; a task may have no other."""

    class Read(Evaluations):
        def __init__(self, declared: Any) -> None:
            self.metrics = {"flores": declared}

        def of(self, row: Any, **axes: Any) -> Evaluation:
            found = {"in_target": np.array([1.0]), "sentence_chrf": np.array([0.2])}
            return Evaluation(Path("x"), {"task": "flores"}, np.arange(1), found, {})

    row = {"model": "m", "tuning": "base", "seed": 1, "lang": "en-vi"}
    scored = [{"place": ["mine", "m", "as_is", "flores", "base"], "rows": [row]}]
    declared = tasks.load("translation").METRICS
    pivots = {"mine": ("made", "en")}
    (one,) = alignment_points.of_scores(scored, pivots, Read(declared))
    assert [[point.number for point in group] for group in one.groups] == [[0.2]]
    read = Read({"chrf": declared["chrf"]})
    with pytest.raises(DataError, match=r"task flores: no metric.*chrf \(resummed\)"):
        list(alignment_points.of_scores(scored, pivots, read))


def test_what_figures_show(tmp_path: Path) -> None:
    _, out = job(tmp_path)
    found = alignment_files.read(out, "made", "toy", "en-vi")
    by_layer = figures.layers({"vi": found})
    assert by_layer[["states", "lang", "layer"]].to_numpy().tolist() == [
        ["value", "vi", 0], ["binary", "vi", 0],
    ]  # fmt: skip
    assert by_layer["mutual"].tolist() == pytest.approx([1 / 3, 1 / 3])
    aligned_ = pd.DataFrame(
        [("m", lang, "value", x) for lang, x in (("vi", 0.2), ("hi", 0.1))]
        + [("n", "vi", "value", 0.9)],
        columns=list(figures.NEEDED),
    )
    rows = [("m", "attention", seed, lang, statistic, "accuracy", value)
            for seed, lang, statistic, value in (
                ("1", "vi", "none", 0.5), ("2", "vi", "none", 0.7),
                ("pooled", "vi", "none", 0.1), ("1", "vi", "zero", 0.3),
                ("1", "ur", "none", 0.4))]  # fmt: skip
    scores_ = pd.DataFrame(rows, columns=list(figures.NEEDED_SCORES))
    data = figures.points(aligned_, scores_, "m", "accuracy")
    assert data.to_numpy().tolist() == [
        ["attention", "value", "vi", 0.2, pytest.approx(0.6)]
    ]
    for drawn in (
        figures.draw_layers(by_layer, "title"),
        figures.draw_points(data, "title", "accuracy, %"),
    ):
        assert len(drawn.axes) == (1 if drawn.axes[0].get_ylabel()[0] == "a" else 2)


# ------------------------------------------------------------------------ configuration


MINE = {"kind": "alignment", "models": ["demo"], "languages": ["vi", "en", "hi"],
        "corpus": "sentences"}  # fmt: skip


def config(run: tuple[str, ...] = (), **changes: Any) -> Any:
    """Return the smallest configuration with this experiment, and others of it."""
    usual = tiny()
    whole = merge(usual, {"experiments": {"mine": MINE | changes}})
    return whole | {"run": ["mine", *run]}


def refused(raw: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        load(raw)
    return str(caught.value)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"experiments": {"mine": {"corpus": "demo"}}}, "has chunks of articles"),
        ({"experiments": {"mine": {"languages": ["en"]}}}, "only en, which is the"),
        ({"experiments": {"mine": {"sentences": 900}}}, "900, but means are kept of"),
        ({"activations": {"chunk_means": 0}}, "the means of no sentences are kept"),
        (
            {"corpora": {"sentences": {"language_filter": {"minimum_percent": 80}}}},
            "drops other sentences in each language",
        ),
        (
            {"run": ["mine", "two"], "experiments": {"two": MINE | {"sentences": 3}}},
            "experiments.two: pivot, site and sentences are en, act_post, 3",
        ),
        ({"experiments": {"mine": {"languages": ["xx"]}}}, "no text for xx"),
    ],
)
def test_what_cannot_be_aligned_is_refused(changes: Any, said: str) -> None:
    assert said in refused(merge(config(), changes))


def spec_of(raw: Any, pair: str) -> str:
    names = Wildcards(corpus="sentences", model="demo", pair=pair)
    return Specs(load(raw)).measure_alignment(names)


def test_a_language_more_changes_nothing_of_the_others() -> None:
    few, more = config(languages=["vi"]), config(languages=["vi", "hi"])
    paths = [{x.path(load(raw)) for x in alignment.asked_for(load(raw))}
             for raw in (few, more)]  # fmt: skip
    assert len(paths[0]) == 1 and paths[1] > paths[0] and len(paths[1]) == 2
    assert spec_of(few, "en-vi") == spec_of(more, "en-vi")
    assert spec_of(few, "en-vi") != spec_of(config(site="gate_pre"), "en-vi")


def test_what_it_is_set_against_is_what_runs() -> None:
    alone = load(config())
    assert not aligned_with.scored(alone)
    kinds = {against: why for _, _, against, why in aligned_with.absent(alone)}
    assert set(kinds) == {"transfer", "bridge_gain"}
    assert "no experiment of run tests demo, tuned in en" in kinds["transfer"]
    both = load(config(run=("transfer",)))
    assert {x.against for x in aligned_with.scored(both)} == {"transfer"}
    assert {row.lang for x in aligned_with.scored(both) for row in x.rows} <= {
        "vi",
        "hi",
    }
    for name, metrics in ((x.task, x) for x in aligned_with.scored(both)):
        assert tasks.load(both.task(name).kind).METRICS and metrics.rows


# ------------------------------------------------------------------------ as similarity


def test_a_candidate_is_as_similar_as_its_alignment(tmp_path: Path) -> None:
    values = {"zh": ONE, "sw": ONE, "en": ONE * 2, "de": ONE[[1, 0, 2]]}
    read = {x: recorded(tmp_path, given, x) for x, given in values.items()}
    inputs = SimilarityInputs(Pair("zh", "sw"), ("en", "de"), activations=read)
    kind = similarities.load("alignment")
    for changes, wanted in (
        ({}, {"en": 1, "de": 1 / 3}),
        ({"measure": "retrieval", "states": "value"}, {"en": 1, "de": 1 / 3}),
        ({"ends": "target", "sentences": 2}, {"en": 1, "de": 0}),
    ):
        found = kind.compare(inputs, kind.PARAMETERS.model_validate(changes))
        assert found.scores == pytest.approx(wanted)
        assert set(found.layers["en"]) == {0}
    gap = kind.compare(inputs, kind.PARAMETERS.model_validate({"measure": "gap"}))
    assert similarities.best(gap.scores) == "en"


def test_the_similarity_says_what_it_lacks() -> None:
    kind = similarities.load("alignment")
    nothing = Planned({Pair("zh", "sw"): ("en",)}, ("zh", "sw", "en"), 9)
    plain = kind.PARAMETERS.model_validate({})
    assert "the means of 0 are kept" in kind.unmet(plain, nothing)[0]
    for changes, said in (
        ({"sentences": 50}, "aligns 100 sentences, and the means of 50"),
        ({"sentences": 500, "unparallel": "of chunks"}, "selection: of chunks"),
    ):
        known = Planned(**(vars(nothing) | changes))
        asked = kind.PARAMETERS.model_validate({"sentences": 100})
        assert said in kind.unmet(asked, known)[0]
    enough = Planned(**(vars(nothing) | {"sentences": 100}))
    assert kind.unmet(plain, enough) == []
