"""Activation probability, average precision, contributions, entropy with a bonus."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from activation_files import build
from langneurons import methods
from langneurons.config.catalogue import Activations as Recorded
from langneurons.config.errors import DataError
from langneurons.jobs import tensors
from langneurons.methods import (
    MethodInputs,
    act_prob_zero,
    always_active,
    average_precision,
    entropy_lambda,
    kojima_ap,
    plnd,
)
from langneurons.neurons.neuron_sets import NeuronSets
from langneurons.neurons.recorded_activations import Activations
from test_planted_neurons import (
    ALWAYS,
    LANGUAGES,
    LAYERS,
    PLANTED,
    SHARED,
    WIDTH,
    text,
)
from test_planted_neurons import model as planted_model  # noqa: F401

Places = dict[str, set[tuple[int, ...]]]


def inputs_of(
    files: dict[str, Activations], site: str = "gate_pre", quantile: str = "pooled"
) -> MethodInputs:
    first = next(iter(files.values()))
    return MethodInputs(files, first.layers, first.width, None, (), site, quantile)


def places(selected: methods.Selected) -> Places:
    return {
        lang: {tuple(place) for place in np.argwhere(mask).tolist()}
        for lang, mask in selected.neurons.items()
    }


# ---------------------------------------------------------------------- act_prob_zero


def test_act_prob_zero_by_hand(tmp_path: Path) -> None:
    # Active on 4, 2, 2 and 0 of the four tokens in en; in hi the other way round.
    pre = -np.ones((4, 2, 2), np.float32)
    pre[:, 0, 0] = pre[:2, 0, 1] = pre[2:, 1, 0] = 1
    files = {
        "en": build(tmp_path / "en.safetensors", pre),
        "hi": build(tmp_path / "hi.safetensors", -pre, language="hi"),
    }
    selected = act_prob_zero.METHOD.select(
        inputs_of(files), act_prob_zero.Parameters(frac=0.5)
    )
    assert places(selected) == {"en": {(0, 0), (0, 1)}, "hi": {(1, 1), (0, 1)}}
    assert selected.thresholds == {
        "wanted": 2,
        "probability_cutoff": {"en": 0.5, "hi": 0.5},
    }


def test_act_prob_zero_defaults_and_errors(tmp_path: Path) -> None:
    assert act_prob_zero.Parameters().frac == 0.00125
    files = {"en": build(tmp_path / "x.safetensors", np.ones((2, 2, 3), np.float32))}
    with pytest.raises(DataError, match=r"act_prob_zero\.frac: 0\.00125 of 6 neurons"):
        act_prob_zero.METHOD.select(inputs_of(files), act_prob_zero.Parameters())


# -------------------------------------------------------------------------- kojima_ap


def plain_average_precision(scores: list[float], labels: list[bool]) -> float:
    """Sum (R_n - R_{n-1}) P_n over the distinct scores, largest first."""
    total, before = Fraction(0), Fraction(0)
    for limit in sorted(set(scores), reverse=True):
        hits = [label for s, label in zip(scores, labels, strict=True) if s >= limit]
        recall = Fraction(sum(hits), sum(labels))
        total += (recall - before) * Fraction(sum(hits), len(hits))
        before = recall
    return float(total)


def test_average_precision_by_hand() -> None:
    # Ranked + - + -: the positives are found at precisions 1 and 2/3.
    responses = np.array([[4.0, 0.0], [3, 0], [2, 0], [1, 0]])
    labels = np.array([[True, False, True, False]])
    found = kojima_ap.average_precision(responses, labels, ~labels)
    assert found[0] == pytest.approx([5 / 6, 0.5])  # all equal: the share of positives
    found = kojima_ap.average_precision(-responses, labels, ~labels)
    assert found[0, 0] == pytest.approx((1 / 2 + 2 / 4) / 2)


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_average_precision_equals_the_definition(data: st.DataObject) -> None:
    texts = data.draw(st.integers(2, 12))
    value = st.sampled_from([-1.5, -0.0, 0.0, 1e-7, 0.25, 3.0, 65504.0, -65504.0])
    column = st.lists(value, min_size=texts, max_size=texts)
    neurons = data.draw(st.lists(column, min_size=1, max_size=4))
    # 0: positive, 1: negative, 2: left out; at least one positive.
    kinds = st.lists(st.integers(0, 2), min_size=texts - 1, max_size=texts - 1)
    languages = np.array([[0, *data.draw(kinds)] for _ in range(2)])
    responses = np.array(neurons).T.astype(np.float16)
    found = kojima_ap.average_precision(responses, languages == 0, languages == 1)
    for k, kind in enumerate(languages):
        for neuron in range(responses.shape[1]):
            used = kind < 2
            scores = responses[used, neuron].astype(float).tolist()
            wanted = plain_average_precision(scores, (kind[used] == 0).tolist())
            assert found[k, neuron] == pytest.approx(wanted, abs=1e-12)


def test_neurons_in_blocks_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    responses = rng.normal(size=(30, 50)).round(1).astype(np.float16)
    kind = rng.integers(0, 3, (3, 30))
    whole = kojima_ap.average_precision(responses, kind == 0, kind == 1)
    monkeypatch.setattr(kojima_ap, "BLOCK", 7)
    parts = kojima_ap.average_precision(responses, kind == 0, kind == 1)
    np.testing.assert_array_equal(whole, parts)


def responding(folder: Path, means: dict[str, np.ndarray], **changes: int) -> dict:
    """Write files whose chunks, of one token each, respond as given: [chunks, F]."""
    return {
        lang: build(
            folder / f"{lang}.safetensors",
            values[:, None].astype(np.float32),
            language=lang,
            **({"chunk_means": len(values)} | changes),
        )
        for lang, values in means.items()
    }


def test_kojima_ap_by_hand(tmp_path: Path) -> None:
    # Neuron 0 is high in en, 1 is low in en, 2 responds alike, 3 is mixed.
    means = {
        "en": np.array([[3, -3, 0, 1], [2, -2, 0, -1]]),
        "hi": np.array([[1, -1, 0, 0], [0, 0, 0, 0.5]]),
        "zh": np.array([[-1, 1, 0, 2], [-2, 2, 0, -2]]),
    }
    files = responding(tmp_path, means)
    given_ = kojima_ap.Parameters(positives=2, negatives=4, top=1, bottom=1)
    found = kojima_ap.precisions(inputs_of(files), given_)
    assert found["en"][0].tolist() == pytest.approx(
        [1, (1 / 5 + 2 / 6) / 2, 1 / 3, (1 / 2 + 2 / 5) / 2]
    )
    selected = kojima_ap.METHOD.select(inputs_of(files), given_)
    assert places(selected)["en"] == {(0, 0), (0, 1)}
    assert places(selected)["zh"] == {(0, 1), (0, 0)}
    assert selected.thresholds["ap_by_chance"] == 1 / 3
    assert selected.thresholds["ap_cutoff"]["en"]["top"] == 1
    # Negatives do not go round: hi, the first other language, gives one more of three.
    fewer = kojima_ap.Parameters(positives=2, negatives=3, top=1, bottom=0)
    rows, positive, negative = kojima_ap._choose_chunks(inputs_of(files), fewer)
    assert [len(rows[lang]) for lang in means] == [2, 2, 2]
    assert positive.sum(1).tolist() == [2, 2, 2]
    assert negative.sum(1).tolist() == [3, 3, 3]
    assert negative[0].tolist() == [False, False, True, True, False, True]
    assert not (positive & negative).any()


def test_chunks_are_chosen_evenly_and_unused_ones_not_read(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    means = {lang: rng.normal(size=(10, 3)) for lang in ("en", "hi")}
    inputs = inputs_of(responding(tmp_path, means), site="act_post")
    given_ = kojima_ap.Parameters(positives=2, negatives=5, top=1, bottom=0)
    rows, positive, negative = kojima_ap._choose_chunks(inputs, given_)
    assert rows["en"].tolist() == [1, 2, 3, 5, 7, 9]
    assert np.array([*rows["en"], *rows["hi"]])[positive[0]].tolist() == [2, 7]
    assert np.array([*rows["en"], *rows["hi"]])[negative[0]].tolist() == [1, 3, 5, 7, 9]
    found = kojima_ap.precisions(inputs, given_)
    post = {lang: one.chunk_means("act_post", 0) for lang, one in
            inputs.activations.items()}  # fmt: skip
    for neuron in range(3):
        scores = [*post["en"][[2, 7], neuron], *post["hi"][[1, 3, 5, 7, 9], neuron]]
        wanted = plain_average_precision(scores, [True] * 2 + [False] * 5)
        assert found["en"][0, neuron] == pytest.approx(wanted)


def test_kojima_ap_defaults_and_errors(tmp_path: Path) -> None:
    default = kojima_ap.Parameters()
    assert (default.positives, default.negatives) == (500, 2500)
    assert (default.top, default.bottom) == (1000, 1000)
    assert [default.chunks_needed(k) for k in (2, 5, 6, 7)] == [2500, 625, 500, 500]
    with pytest.raises(ValidationError, match="cannot both be 0"):
        kojima_ap.Parameters(top=0, bottom=0)
    means = {lang: np.ones((4, 3)) for lang in ("en", "hi")}
    files = responding(tmp_path, means)
    few = kojima_ap.Parameters(top=1, bottom=1, positives=4, negatives=5)
    with pytest.raises(DataError, match="set activations.chunk_means to 5"):
        kojima_ap.METHOD.select(inputs_of(files), few)
    with pytest.raises(DataError, match="top 1000 and bottom 1000 are more than the 3"):
        kojima_ap.METHOD.select(inputs_of(files), default)
    with pytest.raises(DataError, match="kojima_ap compares languages"):
        kojima_ap.METHOD.select(inputs_of({"en": files["en"]}), few)
    without = responding(tmp_path, means, chunk_means=0)
    with pytest.raises(DataError, match="recorded are 0; set activations.chunk_means"):
        kojima_ap.METHOD.select(inputs_of(without), few)


# ---------------------------------------------------------------------- always_active


def test_always_active_by_hand(tmp_path: Path) -> None:
    # Neuron 1 is not above zero in one text of en, 2 is zero in one, 3 in the third.
    means = {
        "en": np.array([[3, 3, 0, 1], [2, -2, 1, 1], [1, 1, 1, -1]]),
        "hi": np.array([[-1, 1, 1, 1], [-1, 1, 1, 1], [-1, 1, 1, 1]]),
    }
    inputs = inputs_of(responding(tmp_path, means))
    found = always_active.METHOD.select(inputs, always_active.Parameters(texts=3))
    assert places(found) == {"en": {(0, 0)}, "hi": {(0, 1), (0, 2), (0, 3)}}
    # Only the first texts count.
    found = always_active.METHOD.select(inputs, always_active.Parameters(texts=2))
    assert places(found)["en"] == {(0, 0), (0, 3)}
    assert found.thresholds == {"texts": 2}
    with pytest.raises(DataError, match=r"en\.safetensors.*4 texts.*recorded are 3"):
        always_active.METHOD.select(inputs, always_active.Parameters(texts=4))
    assert always_active.Parameters().texts == 100
    planned = methods.Planned(Recorded(chunk_means=99), ["en"], "act_post", {})
    (problem,) = always_active.METHOD.unmet(always_active.Parameters(), planned)
    assert "set activations.chunk_means to 100" in problem
    enough = methods.Planned(Recorded(chunk_means=100), ["en"], "act_post", {})
    assert always_active.METHOD.unmet(always_active.Parameters(), enough) == []


# ------------------------------------------------------------------ average_precision


def test_average_precision_takes_as_many_as_the_largest_set(tmp_path: Path) -> None:
    # Neuron 0 detects en perfectly, 1 detects hi, 2 nothing, 3 en but for one text.
    means = {
        "en": np.array([[3, -3, 0, 3], [2, -2, 0, 0]]),
        "hi": np.array([[1, -1, 0, 1], [0, 0, 0, -1]]),
        "zh": np.array([[-1, -2.5, 0, -2], [-2, -4, 0, -3]]),
    }
    files = responding(tmp_path, means)
    sizes = {"en": {0: [0, 2]}, "hi": {0: [3]}, "zh": {}}
    read = NeuronSets("lape", "three", "lape", "toy", "1", 1, 4, "gate_pre", sizes)
    inputs = replace(inputs_of(files), reads=(read,))
    found = average_precision.METHOD.select(inputs, average_precision.Parameters())
    assert places(found)["en"] == {(0, 0), (0, 3)}
    assert places(found)["hi"] >= {(0, 1)}
    assert found.thresholds["top"] == 2
    assert found.thresholds["texts"] == {"en": 2, "hi": 2, "zh": 2}
    # AP of neuron 3 for en: first of one, then second of three.
    assert found.thresholds["ap_cutoff"]["en"] == pytest.approx((1 + 2 / 3) / 2)
    one = average_precision.METHOD.select(
        inputs_of(files), average_precision.Parameters(top=1)
    )
    assert places(one)["en"] == {(0, 0)}
    assert one.thresholds["ap_cutoff"]["en"] == 1


def test_average_precision_agrees_with_the_plain_sum(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    means = {lang: rng.integers(-2, 3, (5, 6)) for lang in ("en", "hi", "ta")}
    inputs = inputs_of(responding(tmp_path, means))
    scores = average_precision._precisions(inputs, [5, 5, 5])
    for k, lang in enumerate(means):
        labels = [other == lang for other in means for _ in range(5)]
        for neuron in range(6):
            given_ = np.concatenate(list(means.values()))[:, neuron].tolist()
            wanted = plain_average_precision(given_, labels)
            assert scores[k, 0, neuron] == pytest.approx(wanted)


def test_average_precision_says_what_it_lacks(tmp_path: Path) -> None:
    means = {lang: np.ones((2, 3)) for lang in ("en", "hi")}
    files = responding(tmp_path, means)
    select, given_ = average_precision.METHOD.select, average_precision.Parameters
    with pytest.raises(DataError, match=r"not told how many.*parameters\.top"):
        select(inputs_of(files), given_())
    with pytest.raises(DataError, match="top 4 are more than the 3 neurons"):
        select(inputs_of(files), given_(top=4))
    with pytest.raises(DataError, match="recorded are none.*activations.chunk_means"):
        select(inputs_of(responding(tmp_path, means, chunk_means=0)), given_(top=1))
    with pytest.raises(DataError, match="average_precision compares languages"):
        select(inputs_of({"en": files["en"]}), given_(top=1))
    recorded, two = Recorded(chunk_means=2), ["en", "hi"]
    unmet = average_precision.METHOD.unmet
    nothing = methods.Planned(Recorded(), two, "act_post", {})
    assert len(unmet(given_(), nothing)) == 2
    both = methods.Planned(recorded, two, "act_post", {"lape.x": two})
    assert "give one of them" in unmet(given_(top=3), both)[0]
    assert unmet(given_(), both) == []
    alone = methods.Planned(recorded, ["en"], "act_post", {})
    assert "compares languages" in unmet(given_(top=3), alone)[0]


# ------------------------------------------------------------------------------- plnd


@pytest.fixture
def contributing(tmp_path: Path) -> Callable[..., dict[str, Activations]]:
    def make(top: float = 0.5, **chunks: list[list[float]]) -> dict[str, Activations]:
        return {
            lang: build(
                tmp_path / f"{lang}.safetensors",
                np.ones((2, 1, len(values[0])), np.float32),
                language=lang,
                contribution_top=top,
                contributions=np.array(values)[:, None],
            )
            for lang, values in chunks.items()
        }

    return make


THREE = {
    # The top half of a chunk: {0, 1}, {0, 2}, {0, 1}
    "en": [[9, 8, 1, 0], [9, 1, 8, 0], [9, 8, 0, 1]],
    # {1, 3}, {1, 3}
    "hi": [[0, 9, 1, 8], [1, 8, 0, 9]],
    # {0, 3}, {2, 3}
    "zh": [[9, 0, 1, 8], [0, 1, 9, 8]],
}


@pytest.mark.parametrize(
    "given_,en,hi,zh",
    [
        ({"minus": "none"}, {0}, {1, 3}, {3}),
        ({}, {0}, {1}, set()),
        ({"minus": "zh"}, {0}, {1}, {3}),
        ({"min_share": 0.6}, {0}, set(), set()),
        ({"min_share": 0.5, "minus": "none"}, {0, 1}, {1, 3}, {0, 2, 3}),
        # Sums over the corpus: 27 17 9 1, 1 17 1 17 and 9 1 10 16.
        ({"importance": "total", "minus": "none"}, {0, 1}, {1, 3}, {2, 3}),
    ],
)
def test_plnd_by_hand(
    contributing: Callable[..., dict[str, Activations]],
    given_: dict,
    en: set[int],
    hi: set[int],
    zh: set[int],
) -> None:
    selected = plnd.METHOD.select(
        inputs_of(contributing(**THREE)), plnd.Parameters.model_validate(given_)
    )
    found = {lang: {j for _, j in of} for lang, of in places(selected).items()}
    assert found == {"en": en, "hi": hi, "zh": zh}
    assert selected.thresholds["contribution_top"] == 0.5
    assert selected.thresholds["chunks"] == {"en": 3, "hi": 2, "zh": 2}


def test_a_share_of_the_chunks_is_not_spoilt_by_rounding(
    contributing: Callable[..., dict[str, Activations]],
) -> None:
    # 0.07 * 100 is a little over 7 in floating point.
    rows = [[1.0, 0.0]] * 7 + [[0.0, 1.0]] * 93
    files = contributing(en=rows, hi=[[0.0, 1.0]])
    selected = plnd.METHOD.select(
        inputs_of(files), plnd.Parameters(min_share=0.07, minus="none")
    )
    assert places(selected)["en"] == {(0, 0), (0, 1)}


def test_a_neuron_that_never_contributes_is_not_important(
    contributing: Callable[..., dict[str, Activations]],
) -> None:
    """Two of four are wanted, but only one has any sum."""
    files = contributing(en=[[0, 0, 5, 0]], hi=[[1, 1, 0, 0]])
    by_sum = plnd.Parameters(importance="total", minus="none")
    found = places(plnd.METHOD.select(inputs_of(files), by_sum))
    assert found == {"en": {(0, 2)}, "hi": {(0, 0), (0, 1)}}


def test_plnd_errors(
    contributing: Callable[..., dict[str, Activations]], tmp_path: Path
) -> None:
    with pytest.raises(ValidationError, match="'min_share' would have no effect"):
        plnd.Parameters(importance="total", min_share=0.5)
    files = contributing(**THREE)
    with pytest.raises(DataError, match="unknown language 'zz'"):
        plnd.METHOD.select(inputs_of(files), plnd.Parameters(minus="zz"))
    alone = {"en": files["en"]}
    with pytest.raises(DataError, match="plnd with minus: others compares languages"):
        plnd.METHOD.select(inputs_of(alone), plnd.Parameters())
    kept = plnd.METHOD.select(inputs_of(alone), plnd.Parameters(minus="none"))
    assert places(kept) == {"en": {(0, 0)}}
    other = contributing(top=0.25, hi=THREE["hi"])
    with pytest.raises(DataError, match="contribution_top differs"):
        plnd.METHOD.select(inputs_of(files | other), plnd.Parameters())
    without = build(tmp_path / "w.safetensors", np.ones((2, 1, 4), np.float32))
    with pytest.raises(DataError, match=r"set activations\.contribution_top"):
        plnd.METHOD.select(inputs_of({"en": without}), plnd.Parameters(minus="none"))


# --------------------------------------------------------------------- entropy_lambda


def test_entropy_is_between_zero_and_one() -> None:
    probability = np.array([[0.5, 0.3, 0.0, 0.2], [0.0, 0.3, 0.0, 0.6]])
    found = entropy_lambda.normalised_entropy(probability)
    shares = -(0.25 * math.log(0.25) + 0.75 * math.log(0.75)) / math.log(2)
    assert found.tolist() == pytest.approx([0, 1, 1, shares])


@pytest.mark.parametrize(
    "lambda_,expected",
    # With K = 2, c = 0.75. Entropies 0, 0.8113, 1 and 1; largest p 0.1, 0.6, 0.9, 0.2.
    [(0.0, {0, 1}), (0.4, {0, 1}), (0.5, {0, 2})],
)
def test_entropy_lambda_scores_by_hand(lambda_: float, expected: set[int]) -> None:
    probability = np.array([[0.1, 0.2, 0.9, 0.2], [0.0, 0.6, 0.9, 0.2]])
    given_ = entropy_lambda.Parameters(
        top_rate=0.5,
        bar_ratio=1 / 8,  # the smallest of eight: 0
        fixed_lambda=lambda_,
        classes=("specific", "related", "agnostic"),
    )
    mask, thresholds = entropy_lambda.choose(probability, given_)
    assert set(np.flatnonzero(mask.any(0)).tolist()) == expected
    assert thresholds["bar"] == 0
    scores = [0, 0.8112781, 1, 1] - lambda_ * np.array([0.1, 0.6, 0.9, 0.2]) / 0.75
    assert thresholds["score_cutoff"] == pytest.approx(np.sort(scores)[1])


def test_classes_by_hand() -> None:
    # Of one, two, all three and no language; bar 0.25.
    probability = np.array(
        [
            [0.5, 0.5, 0.5, 0.2, 0.25],
            [0.1, 0.5, 0.5, 0.2, 0.25],
            [0.1, 0.1, 0.5, 0.1, 0.25],
        ]
    )
    counted = {"specific": 1, "related": 1, "agnostic": 1, "none": 2}
    for classes, neurons in (
        (("specific",), [0]),
        (("related",), [1]),
        (("agnostic",), [2]),
        (("specific", "related"), [0, 1]),
    ):
        given_ = entropy_lambda.Parameters(
            top_rate=1, bar_ratio=0.6, fixed_lambda=0.1, classes=classes
        )
        mask, thresholds = entropy_lambda.choose(probability, given_)
        wanted = np.zeros_like(mask)
        wanted[:, neurons] = probability[:, neurons] > 0.25
        np.testing.assert_array_equal(mask, wanted)
        assert thresholds["bar"] == 0.25 and thresholds["lambda"] == 0.1
        assert thresholds["classes"] == counted
        assert thresholds["selected"] == len(neurons)


def many(seed: int, neurons: int = 400) -> np.ndarray:
    """Probabilities in three languages, some of them high in all."""
    rng = np.random.default_rng(seed)
    probability = rng.beta(0.6, 3, (3, neurons))
    common = rng.random(neurons) < 0.1
    probability[:, common] = rng.uniform(0.4, 1, common.sum())
    probability[:, ~common] *= rng.dirichlet([1, 1, 1], neurons).T[:, ~common]
    return probability


@pytest.mark.parametrize("seed", range(6))
def test_the_largest_lambda_without_agnostic_neurons(seed: int) -> None:
    probability = many(seed)
    rate = {"top_rate": 0.3, "largest_lambda": 0.9}

    def agnostic(value: float) -> int:
        given_ = entropy_lambda.Parameters(top_rate=0.3, fixed_lambda=value)
        return entropy_lambda.choose(probability, given_)[1]["classes"]["agnostic"]

    found = entropy_lambda.choose(probability, entropy_lambda.Parameters(**rate))[1]
    assert found["classes"]["agnostic"] == agnostic(found["lambda"]) == 0
    clean = [value for value in np.arange(0, 0.9, 1e-3) if agnostic(value) == 0]
    assert 0 < found["lambda"] < 0.9
    assert abs(found["lambda"] - max(clean)) <= 2e-3


def test_lambda_at_the_ends_of_its_range() -> None:
    default = entropy_lambda.Parameters()
    assert (default.top_rate, default.bar_ratio) == (0.01, 0.95)
    assert (default.largest_lambda, default.tolerance) == (0.2, 1e-3)
    assert default.classes == ("specific", "related") and default.fixed_lambda is None
    probability = many(0)
    found = entropy_lambda.choose(probability, default)[1]
    assert (found["lambda"], found["wanted"]) == (0.2, 4)
    everywhere = np.full((2, 4), 0.2)
    everywhere[:, 0] = 0.9
    with pytest.raises(DataError, match="with lambda 0, 1 of the neurons"):
        entropy_lambda.choose(
            everywhere, entropy_lambda.Parameters(top_rate=1, bar_ratio=0.5)
        )
    with pytest.raises(ValidationError, match="'agnostic'"):
        entropy_lambda.Parameters(classes=("all",))  # type: ignore[arg-type]


@given(st.permutations(range(3)), st.integers(0, 5))
def test_entropy_lambda_does_not_depend_on_the_order_of_languages(
    order: list[int], seed: int
) -> None:
    probability, given_ = many(seed, 60), entropy_lambda.Parameters(top_rate=0.2)
    mask, thresholds = entropy_lambda.choose(probability, given_)
    other, again = entropy_lambda.choose(probability[order], given_)
    np.testing.assert_array_equal(mask[order], other)
    assert thresholds == again


def test_one_language_cannot_be_contrasted(tmp_path: Path) -> None:
    one = {"en": build(tmp_path / "en.safetensors", np.ones((2, 1, 4), np.float32))}
    with pytest.raises(DataError, match="entropy_lambda compares languages.*two"):
        entropy_lambda.METHOD.select(inputs_of(one), entropy_lambda.Parameters())
    # Known before the first job, too.
    recorded = Recorded(chunk_means=2500, contribution_top=0.1)
    for kind in ("entropy_lambda", "kojima_ap", "lape", "plnd"):
        method = methods.load(kind)
        alone = methods.Planned(recorded, ["en"], "gate_pre", {})
        (problem,) = method.unmet(method.PARAMETERS(), alone)
        assert "compares languages; give a set of at least two" in problem
        two = methods.Planned(recorded, ["en", "vi"], "gate_pre", {})
        assert method.unmet(method.PARAMETERS(), two) == []


def test_a_class_that_nothing_is_in_is_the_usual_error(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    files = []
    for lang in ("en", "hi"):
        pre = rng.normal(size=(50, 2, 30)).astype(np.float32)
        path = tmp_path / f"{lang}.safetensors"
        files.append(build(path, pre, language=lang))
    given_ = {
        "model": "toy", "method": "nju", "kind": "entropy_lambda",
        "parameters": {"top_rate": 0.1, "classes": ["agnostic"]},
        "language_set": "two", "languages": ["en", "hi"], "site": "gate_pre",
        "quantile": "pooled", "draw": None, "reads": [], "outside": [],
    }  # fmt: skip
    with pytest.raises(DataError, match="method nju selects no neuron for any"):
        methods.identify(given_, files)


# --------------------------------------------------------------------- planted neurons


@pytest.fixture(scope="module")
def planted(
    planted_model: Any,  # noqa: F811
    tmp_path_factory: pytest.TempPathFactory,
) -> MethodInputs:
    from langneurons.nn.recording.measuring import record

    folder = tmp_path_factory.mktemp("more")
    # The first layer writes so little that the second one's norm does not see it.
    model = copy.deepcopy(planted_model)
    for layer in model.layers:
        layer.mlp.down_proj.weight.data *= 1e-3
    for lang in LANGUAGES:
        state, metadata = record(
            model, text(lang), 0, batch_chunks=4, histogram_every=4,
            batch_quantiles=(), micro_batch=7, label=lang, chunk_means=20,
            contribution_top=0.1,
        )  # fmt: skip
        metadata |= {"language": lang, "model": "planted"}
        tensors.write(folder / f"{lang}.safetensors", state, metadata)
    return inputs_of(
        {lang: Activations.open(folder / f"{lang}.safetensors") for lang in LANGUAGES}
    )


def test_most_active_neurons_are_those_always_on_and_the_planted(
    planted: MethodInputs,
) -> None:
    frac = act_prob_zero.Parameters(frac=6 / (LAYERS * WIDTH))
    found = places(act_prob_zero.METHOD.select(planted, frac))
    for lang in ("vi", "hi"):
        assert found[lang] == {*ALWAYS, *PLANTED[lang], SHARED}
    assert found["en"] > {*ALWAYS, *PLANTED["en"]}


def test_average_precision_finds_the_planted_neurons(planted: MethodInputs) -> None:
    given_ = kojima_ap.Parameters(positives=20, negatives=40, top=2, bottom=0)
    selected = kojima_ap.METHOD.select(planted, given_)
    assert places(selected) == PLANTED
    # Each planted neuron responds more to every chunk of its language than to others.
    cutoffs = selected.thresholds["ap_cutoff"]
    assert {lang: cutoffs[lang]["top"] for lang in LANGUAGES} == dict.fromkeys(
        LANGUAGES, 1
    )
    # The neuron of the two others is the most silent one in English.
    lowest = kojima_ap.Parameters(positives=20, negatives=40, top=0, bottom=1)
    assert places(kojima_ap.METHOD.select(planted, lowest))["en"] == {SHARED}


def test_contributions_find_the_planted_neurons(planted: MethodInputs) -> None:
    important = places(plnd.METHOD.select(planted, plnd.Parameters(minus="none")))
    assert important["en"] == {*ALWAYS, *PLANTED["en"]}
    for lang in ("vi", "hi"):
        assert important[lang] == {*ALWAYS, *PLANTED[lang], SHARED}
    # What is important for another language too is gone: SHARED and ALWAYS.
    assert places(plnd.METHOD.select(planted, plnd.Parameters())) == PLANTED
    against_hindi = places(plnd.METHOD.select(planted, plnd.Parameters(minus="hi")))
    assert against_hindi == {
        "en": PLANTED["en"],
        "vi": PLANTED["vi"],
        "hi": important["hi"],
    }


def test_entropy_lambda_finds_the_planted_neurons(planted: MethodInputs) -> None:
    given_ = entropy_lambda.Parameters(top_rate=7 / 80, bar_ratio=0.9)
    selected = entropy_lambda.METHOD.select(planted, given_)
    assert places(selected) == {
        "en": PLANTED["en"],
        "vi": PLANTED["vi"] | {SHARED},
        "hi": PLANTED["hi"] | {SHARED},
    }
    assert selected.thresholds["classes"] == {
        "specific": 6,
        "related": 1,
        "agnostic": 0,
        "none": 0,
    }
    specific = given_.model_copy(update={"classes": ("specific",)})
    assert places(entropy_lambda.METHOD.select(planted, specific)) == PLANTED
