"""What a recorder computes on the cores of a processor equals plain torch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from langneurons.nn.recording import cores
from langneurons.nn.recording.distributions import BINS, add_histogram
from langneurons.nn.recording.moments import Moments

CPU = torch.device("cpu")
ODD = [float("nan"), float("inf"), -float("inf"), 0.0, -0.0, 1e-40, -1e-40, 1e18, 2**-8]


@pytest.fixture
def small_blocks(monkeypatch):
    """Many blocks and parts, the last ones shorter, of little data."""
    monkeypatch.setattr(cores, "VALUES", 40)
    monkeypatch.setattr(cores, "BYTE", 3)
    monkeypatch.setattr(cores, "ALONE", 60)


@pytest.fixture
def threads():
    """Set the number of threads; put back afterwards."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


def activations(rows, width, seed, odd, dtype):
    """Draw two tensors, a row of them every other row of a wider one."""
    rng = np.random.default_rng(seed)
    scale = 10.0 ** rng.integers(-4, 3)
    values = scale * rng.standard_normal((2, 2 * rows, width + 2))
    if odd:
        chosen = rng.random(values.shape) < 0.2
        values[chosen] = rng.choice(ODD, chosen.sum())
    whole = torch.from_numpy(values).to(dtype)
    return whole[0, ::2, 1:-1], whole[1, ::2, 1:-1]


def moments_of(kernels, pairs, width):
    found = Moments(1, width, CPU, kernels)
    for pre, post in pairs:
        found.add(0, pre, post)
    return found.sums[0].numpy(), found.low[0].numpy(), found.high[0].numpy()


def histogram_of(kernels, pairs, width):
    found = torch.zeros(width * BINS, dtype=torch.int32)
    for pre, _ in pairs:
        add_histogram(pre, found, kernels)
    return found.view(width, BINS).numpy()


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],  # same for all
)
@given(
    st.integers(1, 40), st.integers(1, 50), st.integers(0, 2**32), st.booleans(),
    st.sampled_from([torch.float32, torch.bfloat16, torch.float16]),
    st.integers(1, 3),
)  # fmt: skip
@example(1, 1, 0, True, torch.float32, 3)
def test_counts_extremes_and_histograms_are_those_of_plain_torch(
    small_blocks, threads, rows, width, seed, odd, dtype, count
):
    threads(count)
    pairs = [activations(rows, width, seed + i, odd, dtype) for i in range(2)]
    ours, low, high = moments_of(cores, pairs, width)
    theirs, least, most = moments_of(None, pairs, width)
    assert np.array_equal(ours[0], theirs[0])
    assert np.array_equal(low, least, equal_nan=True)
    assert np.array_equal(high, most, equal_nan=True)
    # A sum that is not finite is refused, whichever it is.
    finite = np.isfinite(theirs).all(0)
    assert np.array_equal(np.isfinite(ours).all(0), finite)
    size = np.repeat(theirs[[3, 6]], 3, axis=0)
    size[[1, 4]] = theirs[[2, 5]]
    error = np.abs(ours[1:, finite] - theirs[1:, finite])
    assert (error <= 1e-5 * size[:, finite]).all()
    histogram = histogram_of(cores, pairs, width)
    # Torch rounds NaN to another bin where it is vectorised; a sum of them is refused.
    known = ~np.isnan(low[0])
    wanted = histogram_of(None, pairs, width)
    assert np.array_equal(histogram[known], wanted[known])
    assert (histogram.sum(1) == 2 * rows).all()


def test_the_number_of_threads_changes_nothing(small_blocks, threads):
    pairs = [activations(700, 33, i, False, torch.float32) for i in range(3)]
    threads(1)
    alone = moments_of(cores, pairs, 33)
    for count in (2, 5):
        threads(count)
        for ours, theirs in zip(moments_of(cores, pairs, 33), alone, strict=True):
            assert np.array_equal(ours, theirs)


def test_an_error_in_another_thread_is_raised(small_blocks, threads):
    threads(3)

    def work(number):
        if number == 7:
            raise ValueError("seventh")

    with pytest.raises(ValueError, match="seventh"):
        cores._share(work, 20)
