"""The bf16 histogram: bins, quantiles, and the way through an activation function."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from langneurons.config.errors import DataError
from langneurons.neurons.histogram import (
    FUNCTIONS,
    Bins,
    activation_function,
    read_quantiles,
    read_share_above,
    scale_of,
)

FRACTIONS = [0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95]
finite = st.floats(-1e4, 1e4, width=32)


def histogram_of(values: np.ndarray, bins: Bins) -> np.ndarray:
    return np.bincount(bins.index(values), minlength=bins.count)[None]


def test_number_of_bins() -> None:
    # engineering.md A4: 481 bins for 4 mantissa bits in [2^-8, 2^6]
    assert Bins().count == 481
    assert Bins(mantissa=3, emin=-12, emax=6).count == 305
    assert len(Bins().edges()) == 482


def test_bins_are_those_of_the_recorder() -> None:
    torch = pytest.importorskip("torch")
    from langneurons.nn.recording import distributions

    bins = Bins(distributions.MANTISSA, distributions.EMIN, distributions.EMAX)
    rng = np.random.default_rng(0)
    values = (rng.standard_t(2, 20_000) * 10.0 ** rng.integers(-5, 4, 20_000)).astype(
        np.float32
    )
    values[:4] = [0.0, -0.0, 1e30, -1e30]
    theirs = distributions.histogram_bins(torch.from_numpy(values)).numpy()
    assert bins.count == distributions.BINS
    assert np.array_equal(bins.index(values), theirs)


@given(st.lists(finite, min_size=2, max_size=50))
def test_bins_grow_with_the_value_and_edges_enclose_it(values: list[float]) -> None:
    bins, ordered = Bins(), np.sort(np.array(values, np.float32))
    index = bins.index(ordered)
    assert (np.diff(index) >= 0).all()
    edges = bins.edges()
    assert (edges[index] <= ordered).all() and (ordered <= edges[index + 1]).all()


@pytest.mark.parametrize("mantissa", [-1, 8])
def test_impossible_bins_are_refused(mantissa: int) -> None:
    with pytest.raises(DataError, match="mantissa"):
        Bins(mantissa=mantissa)


@given(st.lists(finite, min_size=1, max_size=60))
def test_share_above_inverts_quantiles(values: list[float]) -> None:
    data = np.array(values, np.float32)
    scale = scale_of(Bins(), None)
    cumulative = scale.cumulative(histogram_of(data, Bins()))
    low, high = data.min(keepdims=True), data.max(keepdims=True)
    found = read_quantiles(cumulative, scale.edges, FRACTIONS, low, high)[:, 0]
    assert (np.diff(found) >= 0).all()
    assert ((found >= low) & (found <= high)).all()
    for fraction, threshold in zip(FRACTIONS, found, strict=True):
        above = read_share_above(
            cumulative, scale.edges, found[:1] * 0 + threshold, low, high
        )
        at = (data == np.float32(threshold)).mean()  # point masses are not split
        in_bin = (Bins().index(data) == Bins().index(threshold)).mean()
        assert abs(above[0] - (1 - fraction)) <= 1 / len(data) + at + in_bin


def test_ranks_are_those_of_numpy() -> None:
    """Of tokens in the middle of bins of their own, each is found at its rank."""
    edges = Bins().edges()
    data = (edges[300:305] + edges[301:306]) / 2
    scale = scale_of(Bins(), None)
    cumulative = scale.cumulative(histogram_of(data, Bins()))
    inner = [0.25, 0.5, 0.75]
    found = read_quantiles(cumulative, scale.edges, inner, data[:1], data[-1:])
    assert np.allclose(found[:, 0], np.quantile(data, inner), rtol=1e-12)


def test_quantiles_are_exact_where_tokens_lie_evenly() -> None:
    data = np.linspace(1, 3, 100_001)
    scale = scale_of(Bins(), None)
    cumulative = scale.cumulative(histogram_of(data, Bins()))
    found = read_quantiles(cumulative, scale.edges, FRACTIONS, data[:1], data[-1:])
    assert np.allclose(found[:, 0], np.quantile(data, FRACTIONS), atol=1e-4)
    above = read_share_above(
        cumulative, scale.edges, np.array([1.731]), data[:1], data[-1:]
    )
    assert above[0] == pytest.approx((3 - 1.731) / 2, abs=1e-4)


@pytest.mark.parametrize("threshold,share", [(-5.0, 1), (0.99, 1), (1.0, 0), (200, 0)])
def test_share_above_of_a_single_value(threshold: float, share: float) -> None:
    data = np.ones(10, np.float32)
    scale = scale_of(Bins(), None)
    cumulative = scale.cumulative(histogram_of(data, Bins()))
    one = np.ones(1)
    limit = np.array([threshold])
    assert read_share_above(cumulative, scale.edges, limit, one, one)[0] == share


def test_open_bins_are_bounded_by_the_extremes() -> None:
    data = np.linspace(200, 1000, 1001)
    scale = scale_of(Bins(), None)
    cumulative = scale.cumulative(histogram_of(data, Bins()))
    found = read_quantiles(cumulative, scale.edges, [0.5], data[:1], data[-1:])
    assert found[0, 0] == pytest.approx(600, rel=0.01)


@pytest.mark.parametrize("activation", sorted(FUNCTIONS))
@pytest.mark.parametrize("seed", [0, 1])
def test_quantiles_through_an_activation_function(activation: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    pre = (rng.standard_t(3, 200_000) * rng.uniform(0.3, 2) - 0.3).astype(np.float32)
    post = activation_function(activation)(pre.astype(np.float64))
    scale = scale_of(Bins(), activation)
    cumulative = scale.cumulative(histogram_of(pre, Bins()))
    assert cumulative[0, 0] == 0 and cumulative[0, -1] == len(pre)
    low, high = post.min(keepdims=True), post.max(keepdims=True)
    found = read_quantiles(cumulative, scale.edges, FRACTIONS, low, high)[:, 0]
    assert np.abs(found - np.quantile(post, FRACTIONS)).max() < 0.006
    above = read_share_above(cumulative, scale.edges, np.array([0.3]), low, high)
    assert above[0] == pytest.approx((post > 0.3).mean(), abs=0.003)


@pytest.mark.parametrize(
    "ours,theirs",
    [
        ("silu", "silu"),
        ("gelu", "gelu"),
        ("gelu_new", "gelu_new"),
        ("gelu_pytorch_tanh", "gelu_pytorch_tanh"),
        ("gelu_fast", "gelu_fast"),
        ("relu", "relu"),
    ],
)
def test_functions_are_those_of_the_models(ours: str, theirs: str) -> None:
    torch = pytest.importorskip("torch")
    activations = pytest.importorskip("transformers.activations")
    x = np.linspace(-130, 130, 5001)
    want = activations.ACT2FN[theirs](torch.from_numpy(x)).numpy()
    assert np.allclose(activation_function(ours)(x), want, atol=1e-6)


def test_cumulative_counts_do_not_depend_on_the_order_of_addition() -> None:
    rng = np.random.default_rng(0)
    counts = rng.integers(0, 2**24, (7, Bins().count))
    scale = scale_of(Bins(), "silu")
    assert scale.below is not None
    reverse = counts[:, ::-1].astype(float) @ scale.below[::-1]
    assert np.array_equal(scale.cumulative(counts), reverse)


def test_unknown_activation_function() -> None:
    with pytest.raises(DataError, match="did you mean 'silu'"):
        scale_of(Bins(), "sillu")
