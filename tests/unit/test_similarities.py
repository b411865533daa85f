"""Ways to choose a bridge language, by hand and on bridges that were built."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

import compare_languages
from langneurons import similarities
from langneurons.config.errors import ConfigError, DataError
from langneurons.config.names import Pair
from langneurons.jobs.cli import Job
from langneurons.neurons.asked_words import AskedWords
from langneurons.neurons.neuron_sets import NeuronSets, from_mask
from langneurons.neurons.recorded_probes import RecordedProbes
from langneurons.similarities import Planned, Similar, SimilarityInputs, hsic
from langneurons.similarities._bridge_sets import Sets, find
from langneurons.text import dictionaries
from test_top_probability import with_counts

PAIR = Pair("zh", "sw")
Ids = Mapping[str, Mapping[int, list[int]]]


def neurons_of(neurons: Ids, layers: int = 32, width: int = 64) -> NeuronSets:
    return NeuronSets(
        "top", "all", "top_probability", "toy", "r1", layers, width, "act_post", neurons
    )


def recorded(sets: NeuronSets, values: Any) -> RecordedProbes:
    """Record the union of all languages; values: function of layer and neuron."""
    union = sum(sets.mask(lang).astype(int) for lang in sets.languages) > 0
    places = np.argwhere(union)
    rows = np.array([values(*place) for place in places.tolist()], np.float32)
    layers, ids = places.T.astype(np.int32)
    words = tuple(f"w{i}" for i in range(rows.shape[1]))
    return RecordedProbes(
        rows, layers, ids, "toy", "top.all", str(PAIR), "prompt", words
    )


def compared(kind: str, inputs: SimilarityInputs, **parameters: Any) -> Similar:
    similarity = similarities.load(kind)
    return similarity.compare(inputs, similarity.PARAMETERS.model_validate(parameters))


def planned(**changes: Any) -> Planned:
    given: dict[str, Any] = {
        "pairs": {PAIR: ("en", "de")},
        "languages": ("zh", "sw", "en", "de"),
        "asked": 1500,
    }
    return Planned(**given | changes)


def unmet(kind: str, known: Planned, **parameters: Any) -> list[str]:
    similarity = similarities.load(kind)
    return similarity.unmet(similarity.PARAMETERS.model_validate(parameters), known)


# ------------------------------------------------------------ overlap, cosine, family


SETS: Ids = {
    "zh": {0: [1, 2, 3], 5: [7]},
    "sw": {0: [3, 4], 5: [7, 8]},
    "en": {0: [3, 4, 9], 5: [8]},
    "de": {0: [1, 2, 3], 5: [7]},
}


def test_overlap_counts_shared_neurons() -> None:
    inputs = SimilarityInputs(PAIR, ("en", "de"), neurons_of(SETS))
    found = compared("overlap", inputs)
    assert found.scores == {"en": 4, "de": 6}  # 1 + 3, 4 + 2
    assert {k: {i: n for i, n in x.items() if n} for k, x in found.layers.items()} == {
        "en": {0: 3, 5: 1},
        "de": {0: 4, 5: 2},
    }
    assert found.sizes == {"en": 4, "de": 4}
    target = compared("overlap_target", inputs)
    assert target.scores == {"en": 3, "de": 2}
    assert similarities.best(found.scores) == "de"
    assert similarities.best(target.scores) == "en"


def test_cosine_by_hand(tmp_path: Path) -> None:
    counts = {"zh": [8, 0, 2], "sw": [0, 8, 2], "en": [2, 6, 4], "de": [6, 2, 4]}
    files = {
        lang: with_counts(tmp_path / lang, np.array([x]), 10)
        for lang, x in counts.items()
    }
    inputs = SimilarityInputs(
        PAIR,
        ("en", "de"),
        neurons_of({key: {0: [0, 1]} for key in counts}, 1, 3),
        files,
    )
    plain = compared("cosine_target", inputs, centred=False)
    expected = 56 / np.sqrt(68 * 56)
    assert plain.scores["en"] == pytest.approx(expected)
    assert plain.scores["de"] == pytest.approx(24 / np.sqrt(68 * 56))
    # Means are 4, 4, 3: zh 4 -4 -1, sw -4 4 -1, en -2 2 1, de 2 -2 1.
    centred = compared("cosine_target", inputs)
    assert centred.scores["en"] == pytest.approx(15 / np.sqrt(33 * 9))
    both = compared("cosine", inputs)
    assert both.scores["en"] == pytest.approx((15 - 17) / 2 / np.sqrt(33 * 9))
    shared = compared("cosine_target", inputs, neurons="shared", centred=False)
    assert shared.scores["en"] == pytest.approx(48 / np.sqrt(64 * 40))
    assert shared.sizes == {"en": 2, "de": 2}


def test_cosine_of_nothing_is_no_score(tmp_path: Path) -> None:
    names = ("zh", "sw", "en", "de")
    files = {x: with_counts(tmp_path / x, np.array([[3, 5]]), 10) for x in names}
    sets = neurons_of({"zh": {0: [0]}, "sw": {0: [0]}, "en": {0: [1]}, "de": {}}, 1, 2)
    inputs = SimilarityInputs(PAIR, ("en", "de"), sets, files)
    found = compared("cosine", inputs, neurons="shared", centred=False)
    assert found.scores == {"en": None, "de": None}
    assert similarities.best(found.scores) is None


def test_cosine_of_two_languages_cannot_be_centred() -> None:
    known = planned(languages=("zh", "sw"))
    assert "three languages" in unmet("cosine", known)[0]
    assert not unmet("cosine", known, centred=False)
    assert not unmet("cosine_target", planned())


def test_family_prefers_that_of_the_target() -> None:
    inputs = SimilarityInputs(Pair("ar", "id"), ("en", "he", "tl"))
    found = compared("family", inputs)
    assert found.scores == {"en": 0, "he": 0.5, "tl": 1}
    nobody = compared("family", SimilarityInputs(PAIR, ("en", "de")))
    assert set(nobody.scores.values()) == {0}
    assert similarities.best(nobody.scores) is None  # it says nothing of this pair
    moved = compared("family", inputs, families={"en": "Austronesian"})
    assert similarities.best(moved.scores) == "en"


def test_family_must_know_every_language() -> None:
    known = planned(pairs={Pair("hi", "ur"): ("en", "vi")})
    assert unmet("family", known) == ["families: no family of hi, ur, vi; add it"]
    given = {"hi": "Indic", "ur": "Indic", "vi": "Austroasiatic"}
    assert not unmet("family", known, families=given)


# ------------------------------------------------------------------------- measured


def asked(pair: str, right: Sequence[bool | None]) -> AskedWords:
    words = [
        {"word": f"w{i}", "gold": ["g"], "answer": "a", "correct": x}
        for i, x in enumerate(right)
    ]
    return AskedWords("toy", pair, "muse", "correct", words, [])


def test_measured_multiplies_both_steps() -> None:
    words = {
        Pair.parse(name): asked(name, right)
        for name, right in {
            "zh-en": [True] * 10 + [False] * 90,
            "en-sw": [True, False] * 50,
            "zh-de": [True] * 100,
            "de-sw": [False] * 100,
        }.items()
    }
    inputs = SimilarityInputs(PAIR, ("de", "en"), asked=words)
    found = compared("measured", inputs, answers=10)
    assert found.scores == {"de": 0, "en": 0.5}
    assert found.probes == 10
    assert found.share["en"] > 0.99
    whole = compared("measured", inputs, answers=100, draws=0)
    assert whole.scores["en"] == pytest.approx(0.05)
    assert whole.share == {}
    untold = {pair: asked(str(pair), [None] * 5) for pair in words}
    with pytest.raises(DataError, match="was not asked"):
        compared("measured", SimilarityInputs(PAIR, ("de",), asked=untold))


def test_words_that_the_pair_is_tested_on_choose_nothing(tmp_path: Path) -> None:
    """All right answers of zh-en, and all but one of zh-de, are test words of zh-sw."""
    right = {"zh-en": [True] * 4 + [False] * 6, "en-sw": [True] * 5 + [False] * 5,
             "zh-de": [True] * 5 + [False] * 5, "de-sw": [True] * 10}  # fmt: skip
    paths = []
    for pair, found in right.items():
        paths.append(tmp_path / f"{pair}.json")
        asked(pair, found).write(paths[-1])
    tests = [{"word": f"W{i}", "gold": ["g"]} for i in range(4)]
    made = {"probe": [{"word": "other", "gold": ["g"]}], "test": tests}
    words = tmp_path / "words.json"
    dictionaries.write(words, "muse", str(PAIR), made)
    given = spec("measured", ("en", "de")) | {"parameters": {"answers": 8}}
    inputs = {key: [] for key in compare_languages.READ} | {
        "asked": paths, "dictionary": [words],
    }  # fmt: skip
    outputs = {"out": tmp_path / "out.json"}
    compare_languages.main(Job(given, "", inputs, outputs, 1, 1, 1))
    found = json.loads(outputs["out"].read_text())
    # zh-de keeps one right answer of six; en-sw and de-sw keep all their words.
    assert found["scores"] == {"en": 0, "de": pytest.approx(1 / 6)}
    assert found["chosen"] == "de" and found["probes"] == 8


def test_measured_without_any_word_chooses_nothing() -> None:
    names = ("zh-en", "en-sw")
    given = {Pair.parse(x): asked(x, [True, False]) for x in names}
    given[Pair("zh", "en")] = given[Pair("zh", "en")].without(["w0", "W1"])
    found = compared("measured", SimilarityInputs(PAIR, ("en",), asked=given), draws=9)
    assert found.scores == {"en": None} and not found.share
    assert "raise answers" in str(found.left_out)


def test_words_that_are_left_out_move_the_places_of_probes() -> None:
    given = replace(asked("zh-en", [True, False, True, True]), kept=[0, 2, 3])
    found = given.without(["W2"])
    assert [x["word"] for x in found.words] == ["w0", "w1", "w3"]
    assert found.kept == [0, 2]


def test_measured_needs_answers() -> None:
    assert "probes.asked is 20" in unmet("measured", planned(asked=20))[0]
    assert not unmet("measured", planned(asked=20), answers=20)


def test_pairs_to_ask_for_lead_over_the_candidate() -> None:
    found = similarities.wanted_pairs(PAIR, ("en", "de"))
    assert [str(x) for x in found] == ["zh-en", "zh-de", "en-sw", "de-sw"]


# ------------------------------------------------------------------------------ HSIC


def places(sets: Sets, probes: RecordedProbes) -> dict[str, set[tuple[int, int]]]:
    def of(by_layer: Mapping[int, np.ndarray]) -> set[tuple[int, int]]:
        rows = [row for x in by_layer.values() for row in x.tolist()]
        return {(int(probes.layers[i]), int(probes.neurons[i])) for i in rows}

    return {"A": of(sets.anchor)} | {k: of(x) for k, x in sets.candidates.items()}


def test_sets_by_hand() -> None:
    sets = neurons_of(SETS)
    signs = {(0, 3): -1.0, (0, 9): 5.0, (0, 4): -7.0}
    probes = recorded(sets, lambda *place: [signs.get(place, 1.0)] * 4)

    def found(kind: Any, least: float = 0) -> dict[str, set[tuple[int, int]]]:
        names, ends = ("en", "de"), ("zh", "sw")
        return places(
            find(sets, probes, ends, names, kind=kind, min_active=least), probes
        )

    shared = {(0, 3), (5, 7)}
    assert found("specific") == {"A": shared, "en": {(0, 9)}, "de": set()}
    assert found("all")["de"] == {(0, 1), (0, 2), (0, 3), (5, 7)}
    assert found("shared") == {"A": shared, "en": {(0, 3)}, "de": shared}
    # |A| = 2: the largest mean |activation|, then the first.
    top = found("top_active")
    assert (top["en"], top["de"]) == ({(0, 4), (0, 9)}, {(0, 1), (0, 2)})
    assert found("specific", 0.5)["A"] == {(5, 7)}
    assert found("shared", 0.5)["en"] == set()


def test_default_layers_of_32_are_those_of_the_study() -> None:
    assert hsic.Parameters().of(32) == range(10, 22)
    assert hsic.Parameters(layer_ids=(10, 21)).of(32) == range(10, 22)
    assert hsic.Parameters().of(4) == range(1, 4)
    assert hsic.Parameters(layers=(1, 1)).of(4) == range(3, 4)


def test_layers_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    # Layers 3 and 11 have both sets and score .5 and .9.
    own = {layer: [layer] for layer in (3, 11)}
    sets = neurons_of({"zh": own, "sw": own, "en": {x: [40] for x in own}})
    probes = recorded(sets, lambda layer, i: np.arange(8) * i)
    scores = {3: 0.5, 11: 0.9}
    monkeypatch.setattr(
        hsic.Layer,
        "of",
        lambda found, layer, names, values, **rest: Fixed(scores[layer], names),
    )
    inputs = SimilarityInputs(PAIR, ("en",), sets, probes=probes)

    def score(**parameters: Any) -> Any:
        found = compared("hsic", inputs, layer_ids=(10, 21), draws=2, **parameters)
        return found.scores["en"]

    assert score(missing_layers="zero") == pytest.approx(0.075)
    assert score() == pytest.approx(0.9)
    assert score(missing_layers="zero", numbering="position") is None
    shifted = compared("hsic", inputs, layer_ids=(1, 5), draws=0, numbering="position")
    assert shifted.layers == {"en": {11: 0.9}}


class Fixed:
    """A layer whose scores are known."""

    def __init__(self, score: float, names: Sequence[str]) -> None:
        self.score, self.names = score, names

    def point(self) -> dict[str, float]:
        return dict.fromkeys(self.names, self.score)

    def draw(self, row: int, times: np.ndarray) -> dict[str, float]:
        return self.point()


def built(size: int = 40, mixed: float = 0.7, neurons: int = 12) -> SimilarityInputs:
    """Build a pair for which only `es` has neurons that mix those of both languages."""
    rng = np.random.default_rng(0)
    names = ("en", "de", "es")
    shared = list(range(neurons))
    ids: dict[str, dict[int, list[int]]] = {"zh": {}, "sw": {}}
    latent = rng.standard_normal((4, neurons, size))
    rows: dict[tuple[int, int], np.ndarray] = {}
    for layer in range(4):
        for i in shared:
            rows[layer, i] = latent[layer, i]
        ids["zh"][layer] = ids["sw"][layer] = shared
    for number, name in enumerate(names, start=1):
        ids[name] = {}
        for layer in range(4):
            own = [number * 100 + i for i in range(neurons + 3 * number)]
            ids[name][layer] = own
            for i in own:
                noise = rng.standard_normal(size)
                if name == "es":
                    of = latent[layer, i % neurons]
                    noise = mixed * of + (1 - mixed) * noise
                rows[layer, i] = noise
    sets = neurons_of({k: ids[k] for k in ("zh", "sw", *names)}, 4, 600)
    probes = recorded(sets, lambda layer, i: rows[layer, i])
    return SimilarityInputs(PAIR, names, sets, probes=probes)


@pytest.mark.parametrize("variant", ["cka", "unbiased", "biased"])
def test_a_bridge_that_was_built_wins_nearly_every_draw(variant: str) -> None:
    found = compared("hsic", built(), variant=variant)
    assert similarities.best(found.scores) == "es"
    assert found.draws == 200
    assert found.share["es"] >= 0.95
    assert sum(found.share.values()) == pytest.approx(1)
    assert sorted(found.layers["es"]) == [1, 2, 3]
    assert found.sizes == {"en": 45, "de": 54, "es": 63}
    assert (found.anchor, found.probes) == (36, 40)


def test_without_a_bridge_no_candidate_wins_every_draw() -> None:
    found = compared("hsic", built(mixed=0))
    assert max(found.share.values()) < 0.95


def test_larger_sets_win_unless_sizes_are_matched() -> None:
    rng = np.random.default_rng(1)
    counts = {"en": 5, "de": 50}
    ids = {"zh": {1: [0, 1, 2]}, "sw": {1: [0, 1, 2]}}
    ids |= {
        k: {1: [10 + 100 * len(k) * n, *range(200 * n, 200 * n + c - 1)]}
        for n, (k, c) in enumerate(counts.items(), start=1)
    }
    ids = {k: {1: sorted(set(x[1]))} for k, x in ids.items()}
    sets = neurons_of(ids, 2, 1000)
    drawn: dict[tuple[int, int], np.ndarray] = {}
    for layer, i in np.argwhere(sum(sets.mask(k).astype(int) for k in ids)).tolist():
        drawn[layer, i] = rng.standard_normal(30)
    inputs = SimilarityInputs(
        PAIR, tuple(counts), sets, probes=recorded(sets, lambda *x: drawn[x])
    )
    free = compared("hsic", inputs, match_size=False, draws=0).scores
    matched = compared("hsic", inputs, draws=0).scores
    gap = {k: abs(x["de"] - x["en"]) for k, x in (("free", free), ("same", matched))}
    assert free["de"] > free["en"]
    assert gap["same"] < gap["free"] / 2
    assert matched == compared("hsic", inputs, draws=0).scores


def test_collapse_decides_under_code_and_not_by_default() -> None:
    # de has two neurons in layer 1, as the anchor has: there the code scores S - 1.
    rng = np.random.default_rng(2)
    ids = {
        "zh": {1: [0, 1], 2: list(range(9))},
        "sw": {1: [0, 1], 2: list(range(9))},
        "en": {1: list(range(20, 29)), 2: list(range(20, 29))},
        "de": {1: [40, 41], 2: list(range(40, 49))},
    }
    sets = neurons_of(ids, 3)
    drawn: dict[tuple[int, int], np.ndarray] = {}
    for layer, i in np.argwhere(sum(sets.mask(k).astype(int) for k in ids)).tolist():
        near = 20 <= i < 40  # en follows the anchor
        noise = rng.standard_normal(30)
        of = drawn.get((layer, (i - 20) % (2 if layer == 1 else 9)))
        drawn[layer, i] = of + 0.3 * noise if near and of is not None else noise
    inputs = SimilarityInputs(
        PAIR, ("en", "de"), sets, probes=recorded(sets, lambda *x: drawn[x])
    )
    code = compared("hsic", inputs, variant="code", sigma="code", match_size=False)
    assert code.layers["de"][1] == pytest.approx(29, rel=1e-3)
    assert similarities.best(code.scores) == "de"
    assert code.layers["en"][1] < 10
    plain = compared("hsic", inputs)
    assert similarities.best(plain.scores) == "en"
    for sigma in ("nonzero_median_shared", "per_row_median"):
        same = compared("hsic", inputs, variant="code", sigma=sigma)
        assert same.layers["de"][1] < same.layers["en"][1]
        assert similarities.best(same.scores) == "en"


def test_equal_candidates_go_in_their_order() -> None:
    given = built()
    names = ("es", "en")
    same = {k: x for k, x in given.neurons.neurons.items() if k != "de"}
    same["en"] = same["es"]
    sets = neurons_of(same, 4, 600)
    found = compared(
        "hsic", SimilarityInputs(PAIR, names, sets, probes=given.probes), draws=20
    )
    assert found.scores["en"] == pytest.approx(found.scores["es"])
    assert found.share == {"es": 0.5, "en": 0.5}
    assert similarities.best(found.scores) is None
    assert similarities.best({"de": 0.0, **found.scores}) == "es"


def test_a_pair_with_too_few_probes_is_left_out() -> None:
    given = built()
    none = RecordedProbes(
        np.empty((len(given.probes.layers), 0), np.float32),
        given.probes.layers,
        given.probes.neurons,
        "toy",
        "top.all",
        "zh-sw",
        "prompt",
        (),
        "3 of 1500 words are right",
    )
    found = compared(
        "hsic", SimilarityInputs(PAIR, given.candidates, given.neurons, probes=none)
    )
    assert found.scores == {"en": None, "de": None, "es": None}
    assert found.left_out == "3 of 1500 words are right"
    assert (found.probes, found.share) == (0, {})


def test_languages_that_share_nothing_are_left_out() -> None:
    sets = neurons_of({"zh": {1: [1]}, "sw": {1: [2]}, "en": {1: [3]}}, 4)
    probes = recorded(sets, lambda layer, i: np.arange(30.0) * i)
    given = SimilarityInputs(PAIR, ("en",), sets, probes=probes)
    for missing in ("skip", "zero"):
        found = compared("hsic", given, missing_layers=missing)
        assert "no neuron is shared by zh and sw" in found.left_out
        assert found.scores == {"en": None} and found.share == {}


def test_layers_that_are_too_few_to_be_counted_choose_nothing() -> None:
    # Of 4 layers with all neurons none is the eleventh: not the first candidate wins.
    whole = {layer: [1, 2] for layer in range(4)}
    sets = neurons_of({"zh": whole, "sw": whole, "en": whole, "de": whole}, 24)
    probes = recorded(sets, lambda layer, i: np.arange(30.0) * i)
    given = SimilarityInputs(PAIR, ("en", "de"), sets, probes=probes)
    code = {"layer_ids": (10, 21), "numbering": "position", "missing_layers": "zero"}
    found = compared("hsic", given, set="all", match_size=False, **code)
    assert found.scores == {"en": None, "de": None} and found.draws == 0
    assert "layers 10 to 21 counted by position" in found.left_out


@pytest.mark.parametrize("missing", ["skip", "zero"])
def test_a_pair_is_left_out_where_the_model_lacks_a_layer(missing: str) -> None:
    whole = {layer: [1, 2] for layer in range(4)}
    sets = neurons_of({"zh": whole, "sw": whole, "en": whole, "de": whole}, 4)
    probes = recorded(sets, lambda layer, i: np.arange(30.0) * i)
    given = SimilarityInputs(PAIR, ("en", "de"), sets, probes=probes)
    more = {"set": "all", "draws": 0, "missing_layers": missing}
    found = compared("hsic", given, layer_ids=(1, 4), **more)
    assert found.scores == {"en": None, "de": None}
    assert "layer_ids go up to 4, but it has layers 0 to 3" in found.left_out
    assert not compared("hsic", given, layer_ids=(1, 3), **more).left_out


def test_neurons_that_were_not_recorded_are_named() -> None:
    given = built()
    fewer = RecordedProbes(
        given.probes.values[:50],
        given.probes.layers[:50],
        given.probes.neurons[:50],
        "toy", "top.all", "zh-sw", "prompt", given.probes.words,
    )  # fmt: skip
    inputs = SimilarityInputs(PAIR, given.candidates, given.neurons, probes=fewer)
    with pytest.raises(DataError, match="are not recorded"):
        compared("hsic", inputs)


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"variant": "hsic"}, "variant"),
        ({"layers": (10, 21)}, "layer_ids"),
        ({"layers": (0.5, 0.2)}, "first not above"),
        ({"layer_ids": (5, 2)}, "layer_ids"),
        ({"layers": (0.2, 0.5), "layer_ids": (2, 5)}, "layers: is not read beside"),
        ({"match_size": False, "subsets": 5}, "subsets: is not read beside match_size"),
        ({"set": "most"}, "set"),
        ({"draws": -1}, "draws"),
    ],
)
def test_parameters_are_checked(parameters: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        hsic.Parameters.model_validate(parameters)


def test_layers_must_exist() -> None:
    known = planned(layers={"tiny": 4, "llama": 32})
    wrong = unmet("hsic", known, layer_ids=(10, 21))
    assert len(wrong) == 1
    assert "tiny: layer_ids go up to 21, but it has layers 0 to 3" in wrong[0]
    assert not unmet("hsic", known)


def test_the_unbiased_estimator_needs_four_probes() -> None:
    for least in (2, 3):
        (wrong,) = unmet("hsic", planned(least=least), variant="unbiased")
        assert (
            f"unbiased needs 4 probes, but least of the experiment's probes is {least}"
            in wrong
        )
        assert not unmet("hsic", planned(least=least))
    assert not unmet("hsic", planned(least=4), variant="unbiased")


# -------------------------------------------------------------------------- the room


def spec(kind: str, candidates: Sequence[str], **parameters: Any) -> dict[str, Any]:
    return {
        "model": "toy",
        "pair": "zh-sw",
        "similarity": f"my_{kind}",
        "kind": kind,
        "parameters": parameters,
        "candidates": list(candidates),
    }


def test_output_says_all_that_tables_need() -> None:
    inputs = SimilarityInputs(PAIR, ("en", "de"), neurons_of(SETS))
    found = similarities.describe(spec("overlap", ("en", "de")), inputs)
    assert list(found) == [
        "format", "model", "pair", "similarity", "kind", "candidates", "scores",
        "layers", "sizes", "anchor", "chosen", "tied", "draws", "share", "probes",
        "left_out",
    ]  # fmt: skip
    assert found["format"] == "langneurons/similarity/1"
    assert (found["chosen"], found["draws"], found["probes"]) == ("de", 0, None)
    assert found["layers"]["de"]["5"] == 2


def test_of_nothing_but_equals_none_is_chosen() -> None:
    given = spec("family", ("en", "de"))
    found = similarities.describe(given, SimilarityInputs(PAIR, ("en", "de")))
    assert (found["chosen"], found["tied"]) == (None, 2)
    assert found["left_out"] == (
        "candidates have one and the same score, 0: nothing to choose by"
    )
    alone = similarities.describe(
        spec("family", ("en",)), SimilarityInputs(PAIR, ("en",))
    )
    assert (alone["chosen"], alone["tied"], alone["left_out"]) == ("en", 1, None)


def test_of_some_equals_the_first_is_chosen_and_their_number_told() -> None:
    some = ("en", "tl", "id")
    inputs = SimilarityInputs(Pair("zh", "sw"), some)
    given = spec("family", some)
    given["parameters"] = {"families": {"sw": "Austronesian"}}
    found = similarities.describe(given, inputs)
    assert (found["chosen"], found["tied"], found["left_out"]) == ("tl", 2, None)
    # Products that rounding alone sets apart.
    assert similarities.tied({"en": 0.1 * 0.6, "de": 0.2 * 0.3, "fr": 0.01}) == [
        "en", "de",
    ]  # fmt: skip
    assert similarities.tied({"en": -1.0, "de": None}) == ["en"]
    assert similarities.tied({"en": None}) == []


def test_a_draw_that_several_win_counts_for_each_in_part() -> None:
    nan = float("nan")
    drawn = np.array([[2.0, 2.0, 1.0], [1.0, 0.0, nan], [0.0, 0.0, 0.0], [nan] * 3])
    found = similarities.shares(("en", "de", "fr"), drawn)
    assert found == pytest.approx(
        {"en": (1 / 2 + 1 + 1 / 3) / 4, "de": (1 / 2 + 1 / 3) / 4, "fr": 1 / 12}
    )


def test_scores_must_be_of_the_candidates(monkeypatch: pytest.MonkeyPatch) -> None:
    inputs = SimilarityInputs(PAIR, ("en", "de"), neurons_of(SETS))
    overlap = similarities.load("overlap")
    for scores, said in (
        ({"en": 1.0}, "the candidates are"),
        ({"en": 1.0, "de": float("nan")}, "score of de is nan"),
    ):
        monkeypatch.setattr(type(overlap), "compare", lambda *x, s=scores: Similar(s))
        with pytest.raises(DataError, match=said):
            similarities.describe(spec("overlap", ("en", "de")), inputs)


def test_every_kind_loads_and_an_unknown_one_is_refused() -> None:
    found = similarities.kinds()
    assert {"hsic", "overlap_target", "cosine", "family", "measured"} <= set(found)
    for kind in found:
        assert set(similarities.load(kind).READS) <= set(similarities.READABLE)
    with pytest.raises(ConfigError, match="hsic"):
        similarities.load("hsicc")


@pytest.mark.parametrize(
    ("reads", "asks", "said"),
    [
        (("neuron",), False, "READS: 'neuron'; allowed: neurons, activations"),
        (("asked",), False, "words(): is needed"),
        (("neurons",), True, "words(): is needed"),
        ("neurons", False, "a tuple of texts is needed"),
    ],
)
def test_authors_are_told_what_is_wrong(reads: Any, asks: bool, said: str) -> None:
    class Mine(similarities.Similarity[hsic.Parameters]):
        PARAMETERS = hsic.Parameters
        READS = reads

    if asks:
        Mine.words = lambda self, parameters: 5  # type: ignore[method-assign]
    assert said in " ".join(similarities._problems(Mine()))


def test_files_of_probes_and_words_come_back(tmp_path: Path) -> None:
    given = built().probes
    assert given is not None
    given.write(tmp_path / "probes.safetensors")
    again = RecordedProbes.read(tmp_path / "probes.safetensors")
    assert (again.values == given.values).all()
    assert (again.words, again.pair, again.left_out) == (given.words, "zh-sw", "")
    words = asked("zh-en", [True, False])
    words.write(tmp_path / "words.json")
    assert AskedWords.read(tmp_path / "words.json") == words
    assert from_mask(np.eye(2, dtype=bool)) == {0: [0], 1: [1]}
    with pytest.raises(DataError, match="safetensors"):
        RecordedProbes.read(tmp_path / "words.json")
    (tmp_path / "words.json").write_text('{"format": "x"}')
    with pytest.raises(DataError, match="lacks"):
        AskedWords.read(tmp_path / "words.json")
