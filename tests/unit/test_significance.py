"""Intervals, tests and power, against closed forms, scipy, statsmodels and by hand."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from langneurons.config.errors import DataError
from langneurons.stats import kept_draws
from langneurons.stats.significance import (
    bootstrap_mean,
    detectable,
    holm,
    holm_within,
    mcnemar_exact,
    paired_bootstrap,
    paired_permutation,
    pooled,
    wilson,
)


def pair(
    rng: np.random.Generator, n: int, discordant: float, difference: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """Draw right and wrong answers of two systems that disagree on a share of items."""
    base = rng.random(n) < 0.7
    kinds = [(discordant + difference) / 2, (discordant - difference) / 2]
    drawn = rng.random(n)
    gained, lost = drawn < kinds[0], (drawn >= kinds[0]) & (drawn < sum(kinds))
    return (base | gained) & ~lost, (base | lost) & ~gained


def scores(rng: np.random.Generator, n: int) -> np.ndarray:
    """Draw numbers like F1: many 0 and 1, the others between."""
    drawn = rng.beta(2, 2, n)
    return np.where(rng.random(n) < 0.5, rng.integers(0, 2, n), drawn)


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
    monkeypatch.setattr("langneurons.stats.bootstrap.FEW_VALUES", 0)
    monkeypatch.setattr("langneurons.stats.bootstrap.FEW_BESIDE_KEPT", 0)
    monkeypatch.setattr("langneurons.stats.bootstrap.DRAWS_AT_ONCE", 100_000)
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


PAIRED: list[Any] = [paired_bootstrap, mcnemar_exact, paired_permutation]
PAIRED.append(lambda a, b: detectable(a, b, "binary"))


@pytest.mark.parametrize("call", PAIRED)
def test_unpaired_items_are_refused(call: Any) -> None:
    with pytest.raises(DataError, match="3 items against 2"):
        call([1, 0, 1], [1, 0])


@pytest.mark.parametrize("call", [paired_bootstrap, paired_permutation])
def test_no_items_and_no_numbers_are_refused(call: Any) -> None:
    with pytest.raises(DataError, match="no items"):
        call([], [])
    with pytest.raises(DataError, match=r"item 1 \(from 0\) has no finite value"):
        call([1, math.nan, 0], [1, 0, 0])


def test_pooling_needs_seeds_and_items() -> None:
    with pytest.raises(DataError, match="1 axes; it needs"):
        pooled([0.1, 0.2])
    with pytest.raises(DataError, match="no items"):
        pooled(np.empty((2, 0)))
    with pytest.raises(DataError, match="no finite value"):
        pooled([[0.0, 1.0], [0.0, math.nan]])


def test_one_seed_is_the_bootstrap_over_items() -> None:
    values = scores(np.random.default_rng(0), 150)
    assert pooled(values[None], seed=3) == bootstrap_mean(values, seed=3)


@pytest.mark.parametrize("few", [True, False])
def test_seeds_and_items_are_crossed(few: bool) -> None:
    """The interval has the width that the variances of the model give."""
    rng = np.random.default_rng(4)
    seeds, n = 6, 400
    run = rng.normal(0, 0.05, (seeds, 1))
    item, rest = rng.normal(0, 0.3, n), rng.normal(0, 0.3, (seeds, n))
    values = 0.02 + run + item + rest
    if few:
        values = np.where(values > 0.2, 1.0, np.where(values < -0.2, -1.0, 0.0))
    delta, low, high = pooled(values, resamples=4000, seed=0)
    assert delta == pytest.approx(values.mean())
    # Resampling both gives the sum of the variances of the two means, and a term for
    # their pairs, with the plain (not n - 1) variances.
    of_seeds, of_items = values.mean(1).var(), values.mean(0).var()
    left = (values - values.mean(1, keepdims=True) - values.mean(0) + delta).var()
    se = math.sqrt(of_seeds / seeds + of_items / n + left / (seeds * n))
    assert high - low == pytest.approx(2 * 1.96 * se, rel=0.06)
    _, least, most = bootstrap_mean(values.mean(0))
    assert high - low > 1.05 * (most - least), "seeds add to the uncertainty"


def test_pooling_in_steps_is_pooling_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(0).normal(size=(3, 120))
    whole = pooled(values, resamples=500)
    monkeypatch.setattr("langneurons.stats.bootstrap.DRAWS_AT_ONCE", 1000)
    assert pooled(values, resamples=500) == whole


@pytest.mark.parametrize("kept", [True, False])
@pytest.mark.parametrize("call", [lambda x: bootstrap_mean(x[0]), pooled])
def test_only_so_many_draws_are_held_at_once(
    call: Any, kept: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    held, make = [], np.random.default_rng

    class Watched:
        def __init__(self, seed: int) -> None:
            self.multinomial, self._rng = make(seed).multinomial, make(seed)

        def integers(self, *given: Any) -> np.ndarray:
            held.append(self._rng.integers(*given))
            return held[-1]

    values = make(0).normal(size=(3, 120))  # all are distinct
    if kept:
        kept_draws.of_items.cache_clear()
    else:
        monkeypatch.setattr(kept_draws, "MOST_ITEMS", 0)
    monkeypatch.setattr(kept_draws, "AT_ONCE", 1000)
    monkeypatch.setattr("langneurons.stats.bootstrap.DRAWS_AT_ONCE", 1000)
    monkeypatch.setattr(np.random, "default_rng", Watched)
    call(values)
    assert sum(drawn.size for drawn in held) == 10_000 * 120
    assert max(drawn.size for drawn in held) <= 1000


def plain_percentiles(means: list[float]) -> list[float]:
    return [float(x) for x in np.quantile(means, [0.025, 0.975])]


@given(st.integers(66, 300), st.integers(1, 4), st.integers(0, 2**32))
@settings(max_examples=25, deadline=None)
def test_kept_draws_give_what_the_plain_definition_gives(
    n: int, seeds: int, seed: int
) -> None:
    """Each resample and choice of signs by itself, as the equations have it."""
    values = np.random.default_rng(seed).normal(size=(seeds, n))
    rng = np.random.default_rng(seed)
    weights = [np.ones(1)] * 40
    if seeds > 1:
        weights = list(rng.multinomial(seeds, [1 / seeds] * seeds, 40) / seeds)
    means = [float((w @ values)[rng.integers(0, n, n)].mean()) for w in weights]
    wanted = [float(values.mean()), *plain_percentiles(means)]
    assert pooled(values, 40, seed) == pytest.approx(wanted, abs=1e-12)

    sizes, rng = np.abs(values[0]), np.random.default_rng(seed)
    signs = 2 * rng.integers(0, 2, 40 * n, np.int8).reshape(40, n).astype(float) - 1
    reached = [abs(sum(row * sizes)) >= abs(values[0].sum()) - 1e-9 for row in signs]
    p = paired_permutation(values[0], np.zeros(n), 40, seed)
    assert p == pytest.approx((1 + sum(reached)) / 41, abs=1e-12)


@given(st.integers(66, 300), st.integers(1, 3), st.integers(0, 2**32))
@settings(max_examples=25, deadline=None)
def test_kept_draws_are_those_that_each_row_would_draw(
    n: int, seeds: int, seed: int
) -> None:
    values = np.random.default_rng(seed).normal(size=(seeds, n))
    zeros = np.zeros(n)
    kept = *pooled(values, 200, seed), paired_permutation(values[0], zeros, 200, seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kept_draws, "MOST_ITEMS", 0)
        patch.setattr(kept_draws, "MOST_SIGNS", 0)
        anew = (
            *pooled(values, 200, seed),
            paired_permutation(values[0], zeros, 200, seed),
        )
    assert kept == pytest.approx(anew, abs=1e-12)


@pytest.mark.parametrize("n,bytes_each", [(255, 1), (256, 2)])
def test_kept_counts_are_complete_small_and_safe(n: int, bytes_each: int) -> None:
    counts = kept_draws.of_items(n, 100, seed=0)
    assert counts.itemsize == bytes_each and (counts.sum(axis=1) == n).all()
    assert kept_draws.of_items(n, 100, seed=0) is counts
    with pytest.raises(ValueError, match="read-only"):
        counts[0, 0] = 1
    assert kept_draws.keeps_items(238, 10_000) and kept_draws.keeps_signs(238, 10_000)
    assert not kept_draws.keeps_items(5010, 10_000)


def test_equal_seeds_add_nothing() -> None:
    values = np.random.default_rng(0).integers(-1, 2, 300)
    _, low, high = pooled(np.stack([values] * 3))
    _, least, most = bootstrap_mean(values)
    assert (low, high) == pytest.approx((least, most), abs=0.006)


@pytest.mark.parametrize("right,n", [(0, 10), (3, 10), (10, 10), (3766, 5010)])
def test_wilson_agrees_with_scipy(right: int, n: int) -> None:
    theirs = stats.binomtest(right, n).proportion_ci(method="wilson")
    assert wilson(right, n) == pytest.approx((theirs.low, theirs.high), abs=1e-12)


@pytest.mark.parametrize("right,n", [(0, 238), (98, 238), (4037, 5008)])
def test_wilson_agrees_with_statsmodels(right: int, n: int) -> None:
    reason = "statsmodels is not installed"
    theirs = pytest.importorskip("statsmodels.stats.proportion", reason=reason)
    found = theirs.proportion_confint(right, n, method="wilson")
    assert wilson(right, n) == pytest.approx(found, abs=1e-12)


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


@pytest.mark.parametrize("discordant", [0.02, 0.3])
def test_mcnemar_agrees_with_statsmodels(discordant: float) -> None:
    reason = "statsmodels is not installed"
    theirs = pytest.importorskip("statsmodels.stats.contingency_tables", reason=reason)
    a, b = pair(np.random.default_rng(1), 300, discordant, discordant / 3)
    counts = [[(a & b).sum(), (a & ~b).sum()], [(~a & b).sum(), (~a & ~b).sum()]]
    assert mcnemar_exact(a, b) == pytest.approx(theirs.mcnemar(counts).pvalue)


def test_permutation_by_hand() -> None:
    # 5 items better, by different amounts: 2 of 32 choices of signs reach the sum.
    better = np.array([0.5, 0.1, 0.2, 0.4, 0.3])
    assert paired_permutation(better, np.zeros(5)) == 2 / 32
    # Items that do not differ say nothing; the order of the two does not matter.
    assert paired_permutation([*better, 1, 1], [0] * 5 + [1, 1]) == 2 / 32
    assert paired_permutation(np.zeros(5), better) == 2 / 32
    # The sums of +-1 +-2 +-3 are +-6, +-4, +-2 and twice 0; here 0 and 2 are observed.
    assert paired_permutation([1, 2, 0], [0, 0, 3]) == 1.0
    assert paired_permutation([1, 0, 3], [0, 2, 0]) == 6 / 8
    assert paired_permutation(better, better) == 1.0


@given(
    st.lists(st.sampled_from([-1.0, -0.5, 0.0, 0.1, 0.3, 1.0]), min_size=1, max_size=8)
)
def test_permutation_enumerates(values: list[float]) -> None:
    reached = abs(sum(values)) - 1e-9
    sums = [
        abs(sum(s * v for s, v in zip(signs, values, strict=True)))
        for signs in itertools.product([-1, 1], repeat=len(values))
    ]
    share = sum(s >= reached for s in sums) / len(sums)
    assert paired_permutation(values, [0.0] * len(values)) == pytest.approx(share)


@pytest.mark.parametrize("n", [10, 15])
def test_permutation_agrees_with_scipy(n: int) -> None:
    rng = np.random.default_rng(n)
    a, b = rng.random(n) + 0.15, rng.random(n)

    def mean(x: np.ndarray, y: np.ndarray, axis: int) -> np.ndarray:
        return np.mean(x - y, axis=axis)

    theirs = stats.permutation_test(
        (a, b), mean, permutation_type="samples", n_resamples=np.inf, vectorized=True
    )
    assert paired_permutation(a, b) == pytest.approx(theirs.pvalue)


@pytest.mark.parametrize("few", [True, False])
def test_random_signs_agree_with_all_signs(
    few: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(2)
    a, b = (rng.integers(0, 4, 16) / 3, np.zeros(16)) if few else rng.random((2, 16))
    a = a - 0.25 * few
    exact = paired_permutation(a, b)
    monkeypatch.setattr("langneurons.stats.significance.ENUMERATED", 0)
    monkeypatch.setattr("langneurons.stats.significance.DRAWS_AT_ONCE", 10_000)
    if not few:
        monkeypatch.setattr("langneurons.stats.bootstrap.FEW_VALUES", 0)
        monkeypatch.setattr("langneurons.stats.bootstrap.FEW_BESIDE_KEPT", 0)
    found = paired_permutation(a, b, resamples=20_000)
    assert 0.001 < exact < 0.9, "the case tells nothing"
    assert found == pytest.approx(exact, abs=4 * math.sqrt(exact / 20_000))


def test_permutation_never_reports_zero_and_is_seeded() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.random(500) + 1, rng.random(500)
    assert paired_permutation(a, b) == 1 / 10_001
    noisy = b + rng.normal(0, 0.1, 500)
    assert paired_permutation(noisy, b, seed=1) == paired_permutation(noisy, b, seed=1)
    assert paired_permutation(noisy, b, seed=1) != paired_permutation(noisy, b, seed=2)


def test_on_right_and_wrong_the_permutation_test_is_mcnemars() -> None:
    a, b = pair(np.random.default_rng(5), 60, 0.2, 0.1)
    assert 5 < (a != b).sum() <= 16
    assert paired_permutation(a, b) == pytest.approx(mcnemar_exact(a, b))


def test_tests_reject_no_effect_as_often_as_they_say() -> None:
    """1000 studies without an effect: p is below its level with that probability."""
    rng = np.random.default_rng(11)
    found: dict[str, list[float]] = {"permutation": [], "mcnemar": [], "pooled": []}
    for trial in range(1000):
        swap = rng.random(238) < 0.5
        first, second = scores(rng, 238), scores(rng, 238)
        a, b = np.where(swap, first, second), np.where(swap, second, first)
        found["permutation"].append(paired_permutation(a, b, 500, trial))
        found["mcnemar"].append(mcnemar_exact(*pair(rng, 1000, 0.1)))
        runs = rng.normal(0, 1, 60) + rng.normal(0, 1, (3, 60))
        found["pooled"].append(paired_permutation(runs.mean(0), np.zeros(60), 500))
    for name, values in found.items():
        below = np.mean(np.array(values) <= 0.05)
        # Three standard errors; McNemar's exact test keeps below its level.
        assert (0.02 if name == "mcnemar" else 0.03) <= below <= 0.071, name
    for name in ("permutation", "pooled"):
        assert stats.kstest(found[name], "uniform").pvalue > 0.001, name


@pytest.mark.parametrize("n,discordant", [(5008, 0.05), (5008, 0.2), (238, 0.3)])
def test_mcnemar_sees_the_detectable_difference(n: int, discordant: float) -> None:
    """Simulated studies with just that difference reject about 80 % of the time."""
    rng = np.random.default_rng(0)
    changed = round(n * discordant)
    found = detectable(np.arange(n) < changed, np.zeros(n), "binary")
    seen = []
    for _ in range(600):
        a, b = pair(rng, n, changed / n, found)
        seen.append(mcnemar_exact(a, b) <= 0.05)
    # The exact test falls short of its level, and so of the formula's power.
    assert 0.72 <= np.mean(seen) <= 0.86


def test_permutation_sees_the_detectable_difference() -> None:
    rng = np.random.default_rng(0)
    a, b = scores(rng, 238), scores(rng, 238)
    found = detectable(a, b, "score")
    seen = []
    for trial in range(500):
        first, second = scores(rng, 238), scores(rng, 238)
        seen.append(paired_permutation(first + found, second, 500, trial) <= 0.05)
    assert 0.74 <= np.mean(seen) <= 0.86


def test_detectable_by_hand() -> None:
    # 100 of 1000 items differ: x such that Connor's formula gives 1000 items.
    a = np.arange(1000) < 70
    b = (np.arange(1000) >= 70) & (np.arange(1000) < 100)
    x = detectable(a, b, "binary")
    root = 1.959964 * math.sqrt(0.1) + 0.841621 * math.sqrt(0.1 - x**2)
    assert (root / x) ** 2 == pytest.approx(1000, rel=1e-5)
    assert x == pytest.approx(2.8 * math.sqrt(0.1 / 1000), rel=0.01)
    difference = np.tile([0.3, -0.1, 0.2, 0.0], 50)
    sd = math.sqrt(((difference - 0.1) ** 2).sum() / 199)
    want = (1.959964 + 0.841621) * sd / math.sqrt(200)
    found = detectable(difference, np.zeros(200), "score")
    assert found == pytest.approx(want, rel=1e-5)


@pytest.mark.parametrize("n", [50, 238, 5008])
def test_what_is_detectable_where_nothing_changed(n: int) -> None:
    """So many changes all in one direction are rejected 80 % of the time."""
    same = np.ones(n)
    for kind in ("binary", "score"):
        x = detectable(same, same, kind)
        assert stats.binom.sf(5, n, x) == pytest.approx(0.8)
        assert x == pytest.approx(7.9 / n, rel=0.05)
    six = np.arange(n) < 6
    assert mcnemar_exact(six, np.zeros(n)) < 0.05
    one = same.copy()
    one[0] = 0.6  # the changes that were seen are small ones
    assert detectable(one, same, "score") == pytest.approx(0.4 * x)
    assert math.isnan(detectable(same[:5], same[:5], "binary"))


@given(st.integers(6, 400), st.floats(0, 1))
def test_more_disagreement_hides_more(n: int, share: float) -> None:
    changed = round(share * n)
    found = detectable(np.arange(n) < changed, np.zeros(n), "binary")
    assert 0 < found <= 1
    more = min(n, changed + 1)
    assert detectable(np.arange(n) < more, np.zeros(n), "binary") >= found


def test_kinds_of_metrics() -> None:
    with pytest.raises(DataError, match="kind 'text'; allowed: binary, score"):
        detectable([1], [0], "text")


@pytest.mark.parametrize("values", [[0.01, 0.04, 0.03, 0.5], [0.2] * 3, [1.0, 0.0]])
def test_holm_agrees_with_statsmodels(values: list[float]) -> None:
    reason = "statsmodels is not installed"
    theirs = pytest.importorskip("statsmodels.stats.multitest", reason=reason)
    assert holm(values) == pytest.approx(theirs.multipletests(values, method="holm")[1])


def test_holm_by_hand() -> None:
    # sorted .01 .02 .03 .04 times 4 3 2 1, made monotone
    assert holm([0.04, 0.01, 0.03, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm([]) == []
    assert holm([0.9, 0.8]) == [1.0, 1.0]


def test_holm_leaves_out_rows_without_a_test() -> None:
    found = holm([math.nan, 0.01, math.nan, 0.5])
    assert math.isnan(found[0]) and math.isnan(found[2])
    assert [found[1], found[3]] == pytest.approx([0.02, 0.5])


def test_holm_counts_within_families() -> None:
    found = holm_within([0.01, 0.02, math.nan, 0.04], ["a", "b", "a", "a"])
    assert found == pytest.approx([0.02, 0.02, math.nan, 0.04], nan_ok=True)


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
