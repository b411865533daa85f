"""Bootstraps of sums equal scoring every resample anew, by plain loops."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from langneurons.config.errors import DataError
from langneurons.stats import kept_draws, resummed
from langneurons.stats.resummed import Resummed
from langneurons.stats.score_cells import RESAMPLES, Change, ScoreCells
from langneurons.tasks.common import translation_scores as scores

ROWS = st.lists(st.lists(st.integers(0, 9), min_size=24, max_size=24), min_size=1)


def drawn(n, seed, score=scores.chrf_score, size=24):
    rng = np.random.default_rng(seed)
    match = rng.integers(0, 5, (n, size // 3))
    more = rng.integers(0, 3, (2, n, size // 3))
    parts = np.stack([match + more[0], match + more[1], match], axis=-1)
    return Resummed(parts.reshape(n, size).astype(np.uint8), score)


@given(ROWS, st.integers(0, 3), st.integers(0, 2**32 - 1))
@settings(max_examples=40, deadline=None)
def test_each_resample_has_the_score_of_its_own_sums(rows, decimals, number):
    """Counts, and halves of counts, which are no whole numbers."""
    statistics = np.array(rows) / (1 if decimals == 0 else 2)
    seed = number % 100
    found = Resummed(statistics, scores.chrf_score).resampled(7, seed)
    counts = kept_draws.of_items(len(rows), 7, seed)
    for each, times in zip(found, counts, strict=True):
        again = [
            row for row, n in zip(statistics, times, strict=True) for _ in range(n)
        ]
        assert each == pytest.approx(float(scores.chrf_score(np.sum(again, axis=0))))


def test_many_items_are_drawn_piece_by_piece(monkeypatch):
    items = drawn(30, 1)
    monkeypatch.setattr(kept_draws, "MOST_ITEMS", 10)
    monkeypatch.setattr(resummed, "AT_ONCE", 4)
    found = items.resampled(10)
    rng = np.random.default_rng(0)
    counts = np.concatenate([rng.multinomial(30, [1 / 30] * 30, n) for n in (4, 4, 2)])
    wanted = [items.score((c @ items.statistics).astype(float)) for c in counts]
    np.testing.assert_allclose(found, wanted)


def test_a_pair_is_resampled_together_and_tested():
    a, b = drawn(40, 1), drawn(40, 2)
    found = resummed.compare(a, b, 500)
    both = a.resampled(500) - b.resampled(500)
    assert found["delta"] == a.value - b.value
    ends = np.quantile(both, [0.025, 0.975])
    assert [found["delta_ci_low"], found["delta_ci_high"]] == pytest.approx(list(ends))
    extreme = sum(abs(x - both.mean()) >= abs(found["delta"]) for x in both)
    assert found["p_value"] == (1 + extreme) / 501
    assert found["detectable"] == pytest.approx(2.8016 * both.std(ddof=1), rel=1e-4)
    same = resummed.compare(a, a, 500)
    assert same["delta"] == 0 and same["p_value"] == 1
    assert np.isnan(same["detectable"])
    assert np.isnan(resummed.compare(drawn(5, 1), drawn(5, 2), 50)["p_value"])
    with pytest.raises(DataError, match="40 items against 39"):
        resummed.compare(a, drawn(39, 1))


def test_a_shift_is_found_and_noise_is_not():
    """The share of 40 pairs of equals that p < 0.05 calls different is small."""
    rng, found = np.random.default_rng(5), 0
    for seed in range(40):
        one, other = drawn(80, 2 * seed), drawn(80, 2 * seed + 1)
        swap = rng.integers(0, 2, 80).astype(bool)[:, None]
        a = Resummed(np.where(swap, one.statistics, other.statistics), one.score)
        b = Resummed(np.where(swap, other.statistics, one.statistics), one.score)
        found += resummed.compare(a, b, 300)["p_value"] < 0.05
    assert found <= 8  # 2 expected; 9 or more have probability 2e-4
    better = one.statistics.copy()
    better[:, 2::3] = np.minimum(better[:, 0::3], better[:, 1::3])
    assert resummed.compare(Resummed(better, one.score), one, 300)["p_value"] < 0.01


def test_one_run_pools_to_itself():
    a, b = drawn(20, 1), drawn(20, 2)
    one = resummed.pooled([a], [b], 200)
    assert one == pytest.approx(resummed.compare(a, b, 200))
    value, low, high = resummed.interval(a, 200)
    alone = resummed.pooled([a], resamples=200)
    assert list(alone.values()) == pytest.approx([value, low, high])
    two = resummed.pooled([a, drawn(20, 3)], [b, b], 200)
    wanted = (a.value + drawn(20, 3).value) / 2 - b.value
    assert two["delta"] == pytest.approx(wanted)
    assert two["delta_ci_low"] < wanted < two["delta_ci_high"]


def test_cells_of_a_matrix_share_their_draws_of_items():
    items = np.arange(30)
    none = [drawn(30, s) for s in (1, 2)]
    ways = [[drawn(30, s) for s in pair] for pair in ((3, 4), (5, 6))]
    cells = [
        ScoreCells.of({
            name: (items, Change.of(after, before))
            for name, after, before in zip("xy", way, none, strict=True)
        })
        for way in ways
    ]  # fmt: skip
    difference = cells[0].minus(cells[1])
    value, low, high = difference.interval()
    wanted = np.mean([a.value - b.value for a, b in zip(*ways, strict=True)])
    assert value == pytest.approx(wanted)
    each = [a.resampled(RESAMPLES) - b.resampled(RESAMPLES)
            for a, b in zip(*ways, strict=True)]  # fmt: skip
    ends = np.quantile(np.mean(each, axis=0), [0.025, 0.975])
    assert [low, high] == pytest.approx(list(ends), abs=1e-6)
    p_value, detectable = difference.test()
    assert 0 < p_value <= 1 and detectable > 0
    mean = ScoreCells.average(cells)
    assert mean.interval()[0] == pytest.approx(
        (cells[0].interval()[0] + cells[1].interval()[0]) / 2
    )
    one = cells[0].only(["y"])
    assert cells[0].minus(one).names == ("y",)


def test_cells_with_other_items_are_resampled_by_themselves():
    """Two pairs of languages whose files have other numbers of sentences."""
    sizes = {"en-vi": 40, "de-fr": 30}
    parts = {
        name: (np.arange(n), Change.of(drawn(n, n + 1), drawn(n, n)))
        for name, n in sizes.items()
    }
    cells = ScoreCells.of(parts)
    changes = [change for _, change in parts.values()]
    value, low, high = cells.interval()
    assert value == pytest.approx(np.mean([one.value for one in changes]))
    means = np.mean([one.drawn for one in changes], axis=0)
    assert [low, high] == pytest.approx(list(np.quantile(means, [0.025, 0.975])))
    assert len(cells.items) == 40 and len(cells.only(["de-fr"]).items) == 30
    zero = cells.minus(ScoreCells.average([cells, cells]))
    assert zero.interval() == (0, 0, 0) and len(zero.items) == 40
    assert 0 < cells.test()[0] <= 1
    few = parts | {"en-fr": (np.arange(2), Change.of(drawn(2, 1), drawn(2, 2)))}
    assert np.isnan(ScoreCells.of(few).test()).all()
    with pytest.raises(DataError, match="en-vi: 40 items are set against 40 others"):
        cells.minus(ScoreCells.of(parts | {"en-vi": (np.arange(1, 41), changes[0])}))
