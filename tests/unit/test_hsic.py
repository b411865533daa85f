"""HSIC between neurons: by hand, and against loops over whole kernels."""

from __future__ import annotations

import itertools
import math
import time
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from langneurons.stats import hsic, kernels
from langneurons.stats.hsic import Kernels

VARIANTS: tuple[hsic.Variant, ...] = ("code", "biased", "unbiased", "cka")


def kernel(row: np.ndarray, width: float) -> np.ndarray:
    size = len(row)
    found = np.empty((size, size))
    for a, b in itertools.product(range(size), range(size)):
        found[a, b] = math.exp(-((float(row[a]) - float(row[b])) ** 2) / 2 / width**2)
    return found


def plain(
    x: np.ndarray, y: np.ndarray, variant: str, widths: tuple[float, float]
) -> float:
    """Say what two neurons score, from the definitions alone."""
    k, m = kernel(x, widths[0]), kernel(y, widths[1])
    size = len(x)
    h = np.eye(size) - np.ones((size, size)) / size
    if variant == "code":
        return float(np.trace(k @ h @ (h @ m)))
    if variant == "biased":
        return float(np.trace(k @ h @ m @ h)) / (size - 1) ** 2
    if variant == "cka":
        own = np.trace(k @ h @ k @ h) * np.trace(m @ h @ m @ h)
        return float(np.trace(k @ h @ m @ h)) / math.sqrt(own)
    total = 0.0
    # Song et al. 2012 as an average over four probes that differ (for few of them).
    for a, b, c, d in itertools.permutations(range(size), 4):
        total += k[a, b] * (m[a, b] + m[c, d] - 2 * m[a, c])
    return total / math.perm(size, 4)


def score(
    x: Any, y: Any, variant: hsic.Variant, width: float = 1.0, times: Any = None
) -> np.ndarray:
    first, second = (Kernels.of(np.asarray(z, np.float32), width) for z in (x, y))
    return hsic.scores(hsic.sampled(first, times), hsic.sampled(second, times), variant)


@pytest.mark.parametrize(
    ("y", "code", "trace", "biased", "cka"),
    [
        ((-1, 0, 1), 0.8529, 0.8035, 0.2009, 1.0),
        ((-1, 1, 0), 0.4828, 0.5075, 0.1269, 0.6316),
    ],
)
def test_three_probes_by_hand(
    y: tuple[int, ...], code: float, trace: float, biased: float, cka: float
) -> None:
    x = [(-1, 0, 1)]
    assert score(x, [y], "code")[0, 0] == pytest.approx(code, abs=5e-5)
    assert score(x, [y], "biased")[0, 0] == pytest.approx(biased, abs=5e-5)
    assert score(x, [y], "biased")[0, 0] * 4 == pytest.approx(trace, abs=5e-5)
    assert score(x, [y], "cka")[0, 0] == pytest.approx(cka, abs=5e-5)


def test_one_neuron_on_each_side_collapses_the_width_of_the_code_only() -> None:
    rows = kernels.z_scores(np.array([[0.3, 1.0, 2.5], [2.0, -1.0, 0.4]]))
    x, y = rows[:1], rows[1:]
    assert kernels.width_of_code(x, y) == kernels.EPSILON
    code = score(x, y, "code", kernels.width_of_code(x, y))
    assert code[0, 0] == pytest.approx(2)  # S - 1
    assert kernels.shared_width(rows) > 0.1
    assert score(x, y, "code", kernels.shared_width(rows))[0, 0] < 2


@pytest.mark.parametrize("counts", [(1, 1), (1, 2), (2, 1), (2, 2)])
def test_up_to_two_neurons_a_side_score_as_high_as_can_be(
    counts: tuple[int, int],
) -> None:
    rng = np.random.default_rng(0)
    x, y = (kernels.z_scores(rng.standard_normal((n, 40))) for n in counts)
    assert kernels.width_of_code(x, y) == kernels.EPSILON
    assert score(x, y, "code", kernels.EPSILON) == pytest.approx(39, rel=1e-4)
    third = kernels.z_scores(rng.standard_normal((3, 40)))
    assert kernels.width_of_code(x, third) > 5


def test_large_width_makes_the_code_a_squared_correlation() -> None:
    rng = np.random.default_rng(1)
    size, width = 40, 30.0
    x = rng.standard_normal(size)
    rows = np.stack([x, 0.6 * x + 0.8 * rng.standard_normal(size)])
    x, y = kernels.z_scores(rows).astype(float)
    u, v = x**2 - (x**2).mean(), y**2 - (y**2).mean()
    expected = (size * (u @ v) + 4 * (x @ y) ** 2) / 4 / width**4
    assert score([x], [y], "code", width)[0, 0] == pytest.approx(expected, rel=0.02)
    assert score([x], [y], "biased", width)[0, 0] * (size - 1) ** 2 == pytest.approx(
        (x @ y) ** 2 / width**4, rel=0.02
    )


def test_similarity_of_a_layer_by_hand() -> None:
    pairs = np.array([[0.2, 0.8], [0.4, 0.6], [0.1, 0.3]])
    assert hsic.of_layer(pairs) == pytest.approx((1.7 / 3 + 0.6) / 2)


@st.composite
def two_sets(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    size = draw(st.integers(5, 9))
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    tails = draw(st.sampled_from([1.2, 3.0, 1000.0]))
    rows = rng.standard_t(tails, (draw(st.integers(2, 5)), size))
    if draw(st.booleans()):
        rows[0, : size // 2] = rows[0, 0]  # equal values, as of a neuron that is off
    rows = kernels.z_scores(rows)
    return rows[:2], rows[1:], rng.multinomial(size, [1 / size] * size)


@settings(max_examples=30, deadline=None)
@given(two_sets(), st.sampled_from(VARIANTS), st.booleans())
def test_variants_equal_plain_loops(
    sets: tuple[np.ndarray, np.ndarray, np.ndarray],
    variant: hsic.Variant,
    resampled: bool,
) -> None:
    x, y, times = sets
    widths = kernels.row_widths(x), kernels.row_widths(y)
    each = np.repeat(np.arange(len(times)), times) if resampled else slice(None)
    first, second = (
        hsic.sampled(Kernels.of(z, w), times if resampled else None)
        for z, w in zip((x, y), widths, strict=True)
    )
    found = hsic.scores(first, second, variant)
    for i, j in np.ndindex(found.shape):
        both = float(widths[0][i]), float(widths[1][j])
        a, b = x[i][each], y[j][each]
        if variant == "cka" and min(np.ptp(a), np.ptp(b)) == 0:
            assert found[i, j] == pytest.approx(0, abs=1e-3)
            continue
        expected = plain(a, b, variant, both)
        assert found[i, j] == pytest.approx(expected, rel=2e-3, abs=2e-3)


@pytest.mark.parametrize("tails", [2.0, 1000.0])
@pytest.mark.parametrize("resampled", [False, True])
def test_factors_say_what_whole_kernels_say(tails: float, resampled: bool) -> None:
    rng = np.random.default_rng(2)
    shared = rng.standard_normal((3, 200))
    x, y = (
        kernels.z_scores(
            rng.standard_t(tails, (n, 200)) + rng.standard_normal((n, 3)) @ shared
        )
        for n in (20, 150)
    )
    width = kernels.shared_width(np.concatenate([x, y]))
    times = rng.multinomial(200, [1 / 200] * 200) if resampled else None
    first, second = (hsic.sampled(Kernels.of(z, width), times) for z in (x, y))
    whole = hsic._of_wholes(first, np.arange(20), second, np.arange(150))
    # Traces of a kernel are at most S, of a product of two S squared.
    assert np.abs(hsic.traces(first, second) - whole).max() < 1e-3 * 200**2
    lack = hsic.ROUGH if resampled else hsic.EXACT
    assert hsic.of_layer(hsic.traces(first, second)) == pytest.approx(
        hsic.of_layer(whole), rel=lack
    )


def test_only_some_neurons_of_a_sample() -> None:
    rng = np.random.default_rng(3)
    rows = Kernels.of(kernels.z_scores(rng.standard_normal((300, 30))), 1.0)
    only = np.array([0, 7, 299])
    every, some = hsic.sampled(rows), hsic.sampled(rows, only=only)
    assert sum(len(part.places) for part in some.parts) == 3
    for variant in VARIANTS:
        whole = hsic.scores(every, every, variant)[:, only]
        assert hsic.scores(every, some, variant)[:, only] == pytest.approx(
            whole, rel=1e-2, abs=1e-4
        )


def test_constant_neurons_depend_on_nothing() -> None:
    rng = np.random.default_rng(4)
    constant = kernels.z_scores(np.full((1, 50), 0.1, np.float32))
    assert not constant.any()
    other = kernels.z_scores(rng.standard_normal((2, 50)))
    assert score(constant, other, "cka") == pytest.approx(0, abs=1e-6)
    assert score(constant, other, "biased") == pytest.approx(0, abs=1e-6)


def test_widths_by_hand() -> None:
    rows = np.array([[0, 1, 3], [5, 5, 5]], np.float32)
    # Distances 1, 2, 3; those of the second neuron are all zero.
    assert kernels.shared_width(rows) == 2
    assert kernels.row_widths(rows).tolist() == [2, 1]
    assert kernels.shared_width(np.array([[0, 1, 3, 7]], np.float32)) == 3  # of 1..7
    # Between whole neurons: 0 0 0 0 within and sqrt(34), twice; the lower of two.
    assert kernels.width_of_code(rows, rows[:1]) == kernels.EPSILON


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.integers(2, 900), st.integers(1, 4))
def test_shared_width_is_the_lower_median(seed: int, size: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    rows = rng.standard_t(2, (count, size)).astype(np.float32)
    rows = np.round(rows, int(rng.integers(0, 3)))
    pairs = np.triu_indices(size, 1)
    apart = np.abs(rows[:, pairs[0]].astype(float) - rows[:, pairs[1]]).ravel()
    apart = np.sort(apart[apart > 0])
    expected = apart[(len(apart) - 1) // 2] if len(apart) else 1.0
    assert kernels.shared_width(rows) == expected


def test_point_estimate_takes_little_processor_time() -> None:
    rng = np.random.default_rng(5)
    rows = kernels.z_scores(rng.standard_normal((300, 500)))
    start = time.process_time()
    own = hsic.sampled(Kernels.of(rows, kernels.shared_width(rows)))
    hsic.scores(own, own, "cka")
    # 0.4 s here; whole kernels, one pair at a time, take over an hour.
    assert time.process_time() - start < 20
