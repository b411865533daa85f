"""LAPE against an independent implementation with exact integers and fractions."""

from __future__ import annotations

import math
from decimal import Decimal, getcontext
from fractions import Fraction
from math import lcm
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from activation_files import build
from langneurons.config.errors import DataError
from langneurons.methods import MethodInputs, lape
from langneurons.methods.lape import Parameters, choose

Counts = list[list[int]]  # neurons x languages


def exact_entropy(counts: list[int], totals: list[int]) -> Decimal:
    """Entropy of exact shares, to 50 digits; equal for proportional counts."""
    getcontext().prec = 50
    common = lcm(*totals)
    scaled = [c * (common // n) for c, n in zip(counts, totals, strict=True)]
    shares = sorted(Fraction(s, sum(scaled)) for s in scaled)
    terms = [Decimal(s.numerator) / Decimal(s.denominator) for s in shares if s]
    return -sum((t * t.ln() for t in terms), Decimal(0))


def by_hand(neurons: Counts, totals: list[int], rates: Parameters) -> list[set[int]]:
    """Methods.md 1.4, step by step, for ``thresholds: kth``."""
    probability = [
        [Fraction(c, n) for c, n in zip(counts, totals, strict=True)]
        for counts in neurons
    ]
    ordered = sorted(p for row in probability for p in row)

    def kth(rate: float) -> Fraction:
        return ordered[max(1, round(rate * len(ordered))) - 1]

    limit, bar = kth(rates.filter_rate), kth(rates.bar_ratio)
    ranked = []
    for number, row in enumerate(probability):
        if any(p > limit for p in row):
            ranked.append((exact_entropy(neurons[number], totals), number))
    ranked.sort()
    wanted = round(rates.top_rate * len(neurons))
    members: list[set[int]] = [set() for _ in totals]
    for _, number in ranked[:wanted]:
        for lang, p in enumerate(probability[number]):
            if p > bar:
                members[lang].add(number)
    return members


def ours(neurons: Counts, totals: list[int], rates: Parameters) -> list[set[int]]:
    mask, _ = choose(np.array(neurons).T, np.array(totals), rates)
    return [set(np.flatnonzero(row).tolist()) for row in mask]


@st.composite
def problems(draw: st.DrawFn) -> tuple[Counts, list[int]]:
    """Counts with many ties, proportional rows and never-active neurons."""
    languages = draw(st.integers(2, 5))
    if draw(st.booleans()):
        totals = [draw(st.integers(1, 60))] * languages
    else:
        totals = draw(
            st.lists(st.integers(1, 60), min_size=languages, max_size=languages)
        )
    most = draw(st.sampled_from([1, 3, 60]))
    row = st.tuples(*(st.integers(0, min(n, most)) for n in totals)).map(list)
    dead = st.just([0] * languages)
    neurons = draw(st.lists(st.one_of(row, row, dead), min_size=3, max_size=60))
    return neurons, totals


rates = st.builds(
    Parameters,
    top_rate=st.sampled_from([0.2, 0.34, 0.5, 1.0]),
    filter_rate=st.sampled_from([0.05, 0.5, 0.8, 0.95]),
    bar_ratio=st.sampled_from([0.3, 0.8, 0.95]),
)


@settings(max_examples=400, deadline=None)
@given(problems(), rates)
@example(([[0, 0]] * 5, [10, 10]), Parameters(top_rate=0.4))
@example(
    ([[1, 2, 4], [4, 1, 2], [2, 4, 8], [8, 2, 4]], [9, 9, 9]),
    Parameters(top_rate=0.5, filter_rate=0.3),
)
def test_agrees_neuron_for_neuron(
    problem: tuple[Counts, list[int]], parameters: Parameters
) -> None:
    neurons, totals = problem
    if round(parameters.top_rate * len(neurons)) == 0:
        return
    assert ours(neurons, totals, parameters) == by_hand(neurons, totals, parameters)


@pytest.mark.parametrize("seed", range(3))
def test_agrees_on_many_neurons_at_the_paper_rates(seed: int) -> None:
    rng = np.random.default_rng(seed)
    totals = [5000, 5000, 5000, 5000] if seed else [5000, 4999, 4000, 6000]
    chance = rng.beta(0.3, 2, (3000, 1)) * rng.choice([1, 0.05], (3000, 4))
    neurons = rng.binomial(totals, chance).tolist()
    neurons[7:20] = [[0, 0, 0, 0]] * 13
    neurons[30:60] = [[1000, 50, 0, 0]] * 30
    found = ours(neurons, totals, Parameters())
    assert found == by_hand(neurons, totals, Parameters())
    assert sum(map(len, found)) >= 30


@pytest.mark.parametrize("layers,wanted", [(32, 4588), (40, 5734)])
def test_selection_sizes_of_the_paper_models(layers: int, wanted: int) -> None:
    """Llama-3.1-8B and Mistral-Nemo (methods.md 7)."""
    rng = np.random.default_rng(0)
    counts = rng.integers(0, 1000, (2, layers * 14336))
    mask, thresholds = choose(counts, np.array([1000, 1000]), Parameters())
    assert thresholds["selected"] == thresholds["wanted"] == wanted
    assert mask.any(axis=0).sum() == wanted  # equal rates: each has a language


def test_ties_at_the_cutoff_go_to_the_first_neurons() -> None:
    counts = np.array([[0] * 40 + [9] * 10, [0] * 50])
    totals = np.array([10, 10])
    kth = Parameters(top_rate=0.08, filter_rate=0.5, bar_ratio=0.5)
    mask, _ = choose(counts, totals, kth)
    assert np.flatnonzero(mask[0]).tolist() == [40, 41, 42, 43]
    every = kth.model_copy(update={"thresholds": "interpolated"})
    mask, thresholds = choose(counts, totals, every)
    assert np.flatnonzero(mask[0]).tolist() == list(range(40, 50))
    assert (thresholds["wanted"], thresholds["selected"]) == (4, 10)


@pytest.mark.parametrize("thresholds", ["kth", "interpolated"])
def test_never_active_neurons_are_not_selected(thresholds: str) -> None:
    """Their entropy is 0 by the reference's convention, the lowest there is."""
    counts = np.array([[0] * 90 + [9] * 10, [0] * 90 + [5] * 10])
    parameters = Parameters(
        top_rate=0.5, filter_rate=0.5, bar_ratio=0.5, thresholds=thresholds
    )
    mask, found = choose(counts, np.array([10, 10]), parameters)
    assert np.flatnonzero(mask.any(0)).tolist() == list(range(90, 100))
    assert found["passed"] == found["selected"] == 10


@pytest.mark.parametrize("seed", range(5))
def test_interpolated_thresholds(seed: int) -> None:
    """The released code's variant, written as a loop."""
    rng = np.random.default_rng(seed)
    counts = rng.binomial(400, rng.beta(0.3, 2, (3, 500)))
    parameters = Parameters(top_rate=0.03, thresholds="interpolated", bar_ratio=0.9)
    p = counts / 400
    limit, bar = np.quantile(p.ravel(), 0.95), np.quantile(p.ravel(), 0.9)
    entropy = np.full(500, np.inf)
    for j in range(500):
        if max(p[:, j]) > limit:
            shares = [x / (p[:, j].sum() + 1e-10) for x in p[:, j]]
            entropy[j] = -sum(s * np.log(s + 1e-10) for s in shares)
    cutoff = np.sort(entropy)[14]
    mask, thresholds = choose(counts, np.array([400] * 3), parameters)
    clear = np.abs(entropy - cutoff) > 1e-12
    want = (entropy <= cutoff) & (p > bar)
    assert np.array_equal(mask[:, clear], want[:, clear])
    assert thresholds["filter"] == limit and thresholds["bar"] == bar
    assert thresholds["entropy_cutoff"] == pytest.approx(cutoff)


def test_the_order_of_languages_does_not_matter() -> None:
    rng = np.random.default_rng(0)
    counts, totals = rng.integers(0, 12, (4, 800)), np.array([12, 13, 14, 12])
    parameters = Parameters(top_rate=0.05, filter_rate=0.8)
    mask, _ = choose(counts, totals, parameters)
    order = [2, 0, 3, 1]
    permuted, _ = choose(counts[order], totals[order], parameters)
    assert np.array_equal(permuted, mask[order])


def test_ties_are_bit_equal() -> None:
    """Proportional counts, and the same counts in other languages, tie exactly."""
    rng = np.random.default_rng(0)
    totals = np.array([70, 90, 110, 130])
    counts = rng.integers(1, 30, (4, 500))
    shares = lape._shares(counts, totals)
    for factor in (2, 3):
        assert np.array_equal(lape._shares(counts * factor, totals), shares)
    entropy = lape._entropy(shares)
    for _ in range(5):
        assert np.array_equal(lape._entropy(rng.permutation(shares)), entropy)


def test_totals_without_a_small_common_multiple() -> None:
    """Beyond exact integers the shares come from float64 probabilities."""
    totals = np.array([99_999_989, 99_999_971, 99_999_959])  # primes
    rng = np.random.default_rng(0)
    counts = (rng.beta(0.3, 2, (3, 400)) * totals[:, None]).astype(np.int64)
    counts[2] = 0
    parameters = Parameters(top_rate=0.1, filter_rate=0.6)
    found = ours(counts.T.tolist(), totals.tolist(), parameters)
    assert found == by_hand(counts.T.tolist(), totals.tolist(), parameters)


def test_a_language_that_is_silent_in_what_passes() -> None:
    totals = np.array([10**8 - k for k in (11, 29, 41, 59, 69, 153)])
    counts = np.zeros((6, 30), np.int64)
    counts[0, :3] = 10**7
    mask, _ = choose(counts, totals, Parameters(top_rate=0.1, filter_rate=0.5))
    assert np.flatnonzero(mask[0]).tolist() == [0, 1, 2] and not mask[1:].any()


def planted(path: Path, lang: str, own: list[int]) -> dict:
    """A language in which neurons ``own`` fire often, and others now and then."""
    pre = np.full((100, 2, 20), -1.0, np.float32)
    pre[:3] = 1.0
    pre[:90, 1, own] = 1.0
    return {lang: build(path / f"{lang}.safetensors", pre, language=lang)}


def test_select_finds_planted_neurons(tmp_path: Path) -> None:
    files = planted(tmp_path, "en", [3, 4]) | planted(tmp_path, "hi", [17])
    inputs = MethodInputs(files, 2, 20, None, (), "gate_pre", "batch_mean")
    found = lape.METHOD.select(
        inputs, Parameters(top_rate=0.075, filter_rate=0.9, bar_ratio=0.9)
    )
    assert np.argwhere(found.neurons["en"]).tolist() == [[1, 3], [1, 4]]
    assert np.argwhere(found.neurons["hi"]).tolist() == [[1, 17]]
    assert found.thresholds["filter"] == 0.03


def test_bad_input(tmp_path: Path) -> None:
    inputs = MethodInputs(planted(tmp_path, "en", [3]), 2, 20, None, None, "", "")
    with pytest.raises(DataError, match="at least two"):
        lape.METHOD.select(inputs, Parameters())
    with pytest.raises(DataError, match=r"lape\.top_rate: 0\.01 of 40 neurons"):
        choose(np.ones((2, 40), np.int64), np.array([2, 2]), Parameters())
    for bad in ({"top_rate": 0}, {"filter_rate": 1}, {"thresholds": "x"}, {"rate": 1}):
        with pytest.raises(ValidationError, match=next(iter(bad))):
            Parameters.model_validate(bad)


def test_entropy_by_hand() -> None:
    shares = np.array([[1.0, 1 / 3, 0.5, 0.9], [0, 1 / 3, 0, 0.1], [0, 1 / 3, 0.5, 0]])
    found = lape._entropy(shares).tolist()
    mixed = -0.9 * math.log(0.9) - 0.1 * math.log(0.1)
    assert found == pytest.approx([0, math.log(3), math.log(2), mixed], abs=1e-15)
    assert str(found[0]) == "0.0"  # and not -0.0, which would be shown


def test_a_rank_below_the_first_is_the_first() -> None:
    values = np.arange(10, 0, -1, dtype=np.float64)
    assert lape._kth_values(values, (0.01, 0.5, 0.95)) == [1, 5, 10]
