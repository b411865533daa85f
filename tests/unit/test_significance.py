"""Intervals and tests, against closed forms, scipy and hand-made values."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from langneurons.errors import DataError
from langneurons.significance import (
    bootstrap_mean,
    holm,
    mcnemar_exact,
    paired_bootstrap,
    wilson,
)


def test_bootstrap_of_accuracies_matches_the_normal_interval() -> None:
    rng = np.random.default_rng(0)
    base = rng.random(5000) < 0.75
    treated = np.where(rng.random(5000) < 0.1, ~base, base)
    delta, low, high = paired_bootstrap(treated, base, seed=1)
    difference = treated.astype(float) - base
    half = 1.96 * difference.std() / math.sqrt(5000)
    assert delta == pytest.approx(difference.mean())
    assert low == pytest.approx(delta - half, abs=0.1 * half)
    assert high == pytest.approx(delta + half, abs=0.1 * half)


def test_bootstrap_of_many_values_agrees_with_scipy() -> None:
    values = np.random.default_rng(0).gamma(2, 1, 300)
    mean, low, high = bootstrap_mean(values, seed=5)
    theirs = stats.bootstrap(
        (values,), np.mean, n_resamples=10_000, method="percentile", rng=1
    ).confidence_interval
    width = theirs.high - theirs.low
    assert mean == pytest.approx(values.mean())
    assert low == pytest.approx(theirs.low, abs=0.05 * width)
    assert high == pytest.approx(theirs.high, abs=0.05 * width)


def test_both_ways_of_resampling_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(0).integers(-1, 2, 400)
    few = bootstrap_mean(values, seed=0)
    monkeypatch.setattr("langneurons.significance.FEW_VALUES", 0)
    monkeypatch.setattr("langneurons.significance.DRAWS_AT_ONCE", 100_000)
    many = bootstrap_mean(values, seed=0)
    assert few[0] == many[0]
    assert np.allclose(few, many, atol=0.006)


def test_bootstrap_is_deterministic_and_seeded() -> None:
    values = np.random.default_rng(0).normal(size=200)
    assert bootstrap_mean(values, seed=1) == bootstrap_mean(values, seed=1)
    assert bootstrap_mean(values, seed=1) != bootstrap_mean(values, seed=2)


def test_bootstrap_of_equal_systems_and_levels() -> None:
    ones = np.ones(50)
    assert paired_bootstrap(ones, ones) == (0, 0, 0)
    values = np.random.default_rng(0).normal(size=200)
    _, low, high = bootstrap_mean(values, level=0.5)
    _, lower, higher = bootstrap_mean(values, level=0.99)
    assert lower < low < high < higher


def test_bootstrap_covers_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(7)
    hits = 0
    for trial in range(200):
        drawn = (rng.random(300) < 0.3).astype(float)
        _, low, high = bootstrap_mean(drawn, resamples=1000, seed=trial)
        hits += low <= 0.3 <= high
    assert 180 <= hits <= 199


@pytest.mark.parametrize("call", [paired_bootstrap, mcnemar_exact])
def test_unpaired_items_are_refused(call) -> None:
    with pytest.raises(DataError, match="3 items against 2"):
        call([1, 0, 1], [1, 0])
    with pytest.raises(DataError, match="no items"):
        bootstrap_mean([])


@pytest.mark.parametrize("right,n", [(0, 10), (3, 10), (10, 10), (3766, 5010)])
def test_wilson_agrees_with_scipy(right: int, n: int) -> None:
    theirs = stats.binomtest(right, n).proportion_ci(method="wilson")
    assert wilson(right, n) == pytest.approx((theirs.low, theirs.high), abs=1e-12)


@pytest.mark.parametrize("right,n", [(1, 0), (0, 0), (-1, 5), (6, 5)])
def test_wilson_refuses_impossible_counts(right: int, n: int) -> None:
    with pytest.raises(DataError, match="Wilson"):
        wilson(right, n)


def test_mcnemar_by_hand() -> None:
    # 1 item gained, 5 lost: p = 2 * (C(6,0) + C(6,1)) / 2^6
    a = [True] * 10 + [True] + [False] * 5 + [False] * 3
    b = [True] * 10 + [False] + [True] * 5 + [False] * 3
    assert mcnemar_exact(a, b) == pytest.approx(2 * (1 + 6) / 64)
    assert mcnemar_exact(b, a) == mcnemar_exact(a, b)
    assert mcnemar_exact(a, a) == 1.0


def test_holm_by_hand() -> None:
    # sorted .01 .02 .03 .04 times 4 3 2 1, made monotone
    assert holm([0.04, 0.01, 0.03, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm([]) == []
    assert holm([0.9, 0.8]) == [1.0, 1.0]


def test_holm_leaves_out_rows_without_a_test() -> None:
    found = holm([math.nan, 0.01, math.nan, 0.5])
    assert math.isnan(found[0]) and math.isnan(found[2])
    assert [found[1], found[3]] == pytest.approx([0.02, 0.5])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_holm_rejects_what_the_step_down_procedure_rejects(values: list[float]) -> None:
    level, rejected = 0.05, set()
    for rank, i in enumerate(sorted(range(len(values)), key=values.__getitem__)):
        if (len(values) - rank) * values[i] > level:
            break
        rejected.add(i)
    adjusted = holm(values)
    assert {i for i, p in enumerate(adjusted) if p <= level} == rejected
    assert all(a >= p for a, p in zip(adjusted, values, strict=True))
