"""Steering statistics: cases by hand, and the same as plain loops over the facts."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from langneurons.config.errors import DataError
from langneurons.stats import steering
from langneurons.stats.cells import Cells
from langneurons.stats.steering import MEASURES, Answers, shift

LANGUAGES = ("en", "vi", "hi", "zh")


def answers(
    logprob: Any,
    objects: Any = None,
    languages: tuple[str, ...] = ("t", "b"),
    **more: Any,
) -> Answers:
    numbers = np.array(logprob, float)
    n, width = numbers.shape
    if objects is None:
        objects = [[f"{lang}{i}" for lang in languages] for i in range(n)]
    given = {"facts": np.arange(n), "tokens": np.ones((n, width))} | more
    return Answers(
        languages=languages, logprob=numbers, objects=np.array(objects, object), **given
    )


def test_the_case_by_hand() -> None:
    """Item 1 shifts by damage alone, item 2 has one word in both languages."""
    words = [["t0", "b0"], ["same", "same"]]
    before = answers([[-10, -4], [-5, -5]], words)
    after = answers([[-12, -9], [-6, -6]], words)
    dropped = shift(before, after, "b", "t")
    assert dropped.facts.tolist() == [0] and dropped.ties == 1
    assert dropped.values["lss"].tolist() == [1.0]
    assert dropped.values["lss_plus"].tolist() == [0.0]
    assert dropped.values["delta_t"].tolist() == [-2.0]
    assert dropped.values["delta_b"].tolist() == [-5.0]
    assert np.isnan(dropped.values["spec"]).all()  # there is no third language
    failed = shift(before, after, "b", "t", ties="count_as_fail")
    assert failed.values["lss"].tolist() == [1.0, 0.0] and failed.ties == 1
    assert failed.values["lss_plus"].tolist() == [0.0, 0.0]


def test_a_tie_is_one_whether_its_word_was_scored_twice_or_once() -> None:
    """A task leaves out what is the base language's word (``distinct_pair``)."""
    words = [["t0", "b0", "c0"], ["same", "same", "c1"], ["", "", "c2"]]
    nan, langs = math.nan, ("t", "b", "c")
    before = answers([[-10, -4, -9], [nan, -5, -9], [nan, nan, -9]], words, langs)
    after = answers([[-8, -4, -9], [nan, -6, -9], [nan, nan, -9]], words, langs)
    twice = [
        answers(
            [one.logprob[0], one.logprob[1][[1, 1, 2]], one.logprob[2]], words, langs
        )
        for one in (before, after)
    ]
    for ties, facts in (("drop", [0]), ("count_as_fail", [0, 1])):
        once, both = (
            shift(*each, "b", "t", ties=ties)  # type: ignore[arg-type]
            for each in ((before, after), twice)
        )
        assert once.facts.tolist() == both.facts.tolist() == facts
        assert once.ties == both.ties == 1
        for name in MEASURES:
            assert once.values[name].tolist() == both.values[name].tolist(), name
    assert once.values["lss"].tolist() == [1.0, 0.0]
    assert once.values["delta_t"].tolist() == [2.0, -1.0]


def test_nothing_changed_is_no_shift() -> None:
    same = answers([[-10, -4, -7]], languages=("t", "b", "c"))
    found = shift(same, same, "b", "t").values
    assert {k: float(v[0]) for k, v in found.items()} == dict.fromkeys(MEASURES, 0.0)


def test_length_normalised_lss_divides_by_tokens() -> None:
    more = {"tokens": np.array([[4.0, 1.0]])}
    before, after = answers([[-10, -4]], **more), answers([[-8, -3]], **more)
    found = shift(before, after, "b", "t").values
    # 2 nats more against 1, but half a nat per token against 1.
    assert (found["lss"][0], found["lss_norm"][0]) == (1.0, 0.0)


def test_a_language_with_the_same_word_is_no_rival() -> None:
    words = [["air", "water", "air", "luft"]]
    langs = ("t", "b", "c", "d")
    before = answers([[-9, -4, -9, -9]], words, langs)
    after = answers([[-7, -4, -7, -8]], words, langs)
    assert shift(before, after, "b", "t").values["spec"][0] == 1.0
    assert shift(before, after, "b", "d").values["spec"][0] == 0.0


def test_what_does_not_belong_together_is_refused() -> None:
    one = answers([[-1, -2]])
    for other, said in (
        (answers([[-1, -2]], facts=np.array([7])), "other facts"),
        (answers([[-1, -2]], languages=("t", "c")), "other languages"),
        (answers([[math.nan, -2]]), "fact 0 in t has a finite .* one of the two"),
        (answers([[-1, -2]], [["x", "b0"]]), "another object of fact 0 in t"),
    ):
        with pytest.raises(DataError, match=said):
            shift(one, other, "b", "t")
    with pytest.raises(DataError, match="no answers in x, only in t, b"):
        shift(one, one, "b", "x")
    with pytest.raises(DataError, match="ties 'keep'"):
        shift(one, one, "b", "t", ties="keep")  # type: ignore[arg-type]


def plain(
    before: Answers, after: Answers, b: int, t: int, ties: str
) -> list[dict[str, float]]:
    """Compute the measures in a loop over facts and languages."""
    found = []
    for i in range(len(before.facts)):
        old, new, words = [*before.logprob[i]], [*after.logprob[i]], before.objects[i]
        is_tie = words[b] == words[t]
        if is_tie and math.isnan(old[t]):
            old[t], new[t] = old[b], new[b]
        if math.isnan(old[b]) or math.isnan(old[t]):
            continue
        if is_tie and ties == "drop":
            continue
        gained = [n - o for n, o in zip(new, old, strict=True)]
        changed = (new[t] - old[t]) - (new[b] - old[b])
        short = (new[t] - old[t]) / before.tokens[i, t]
        short -= (new[b] - old[b]) / before.tokens[i, b]
        rivals = [
            gained[k] for k in range(len(old))
            if k not in (b, t) and not math.isnan(old[k]) and words[k] != words[t]
        ]  # fmt: skip
        spec = float(gained[t] > max(rivals) and not is_tie) if rivals else math.nan
        found.append(
            {
                "fact": before.facts[i],
                "lss": float(changed > 0 and not is_tie),
                "lss_plus": float(changed > 0 and gained[t] > 0 and not is_tie),
                "delta_t": gained[t],
                "delta_b": gained[b],
                "spec": spec,
                "lss_norm": float(short > 0 and not is_tie),
            }
        )
    return found


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 12), st.sampled_from(steering.TIES))
def test_measures_are_those_of_a_plain_loop(seed: int, n: int, ties: Any) -> None:
    rng = np.random.default_rng(seed)
    words = rng.choice(["a", "b", "c", "d", "e"], (n, 4))
    old = np.round(rng.normal(-6, 2, (n, 4)), 1)
    old[rng.random((n, 4)) < 0.15] = np.nan
    new = old + np.round(rng.normal(0, 1, (n, 4)), 1)
    facts = rng.permutation(50)[:n].astype(np.int64)
    more = {"facts": facts, "tokens": rng.integers(1, 4, (n, 4)).astype(float)}
    before, after = (answers(x, words, LANGUAGES, **more) for x in (old, new))
    b, t = rng.permutation(4)[:2]
    found = shift(before, after, LANGUAGES[b], LANGUAGES[t], ties=ties)
    wanted = plain(before, after, b, t, ties)
    assert found.facts.tolist() == [one["fact"] for one in wanted]
    for measure in MEASURES:
        expected = [one[measure] for one in wanted]
        np.testing.assert_array_equal(found.values[measure], expected)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 9), st.integers(1, 5), st.booleans())
def test_the_bootstrap_draws_a_fact_with_all_its_pairs(
    seed: int, n: int, width: int, whole: bool
) -> None:
    from langneurons.stats import kept_draws

    rng = np.random.default_rng(seed)
    values = rng.normal(size=(n, width))
    if not whole:
        values[rng.random((n, width)) < 0.3] = np.nan
    parts = {
        c: (np.flatnonzero(~np.isnan(v)), v[~np.isnan(v)])
        for c, v in enumerate(values.T)
    }
    cells = Cells.of(parts)
    if cells.is_empty:
        assert all(map(math.isnan, cells.interval(50)))
        return
    rows = cells.values
    mean, low, high = cells.interval(50)
    assert mean == pytest.approx(np.mean([np.nanmean(c) for c in rows.T]))
    assert cells.shares().mean() == pytest.approx(mean)
    if np.isnan(rows).any():
        drawn = []
        for counts in kept_draws.of_items(len(rows), 50, 0):
            again = np.repeat(rows, counts, axis=0)
            own = [np.nanmean(c) for c in again.T if not np.isnan(c).all()]
            drawn.append(np.mean(own))
        assert (low, high) == pytest.approx(tuple(np.quantile(drawn, [0.025, 0.975])))


def test_differences_are_of_the_same_facts_and_pairs() -> None:
    a = Cells.of({"x": (np.array([1, 2, 3]), np.array([1.0, 0, 1])),
                  "y": (np.array([2, 3]), np.array([1.0, 1]))})  # fmt: skip
    b = Cells.of({"x": (np.array([3, 2]), np.array([0.0, 0.5])),
                  "z": (np.array([1]), np.array([9.0]))})  # fmt: skip
    change = a.minus(b)
    assert change.names == ("x",) and change.items.tolist() == [2, 3]
    assert change.values.ravel().tolist() == [-0.5, 1.0]
    assert Cells.average([a, a, a]).values == pytest.approx(a.values, nan_ok=True)
    both = Cells.average([a, Cells(b.items, b.names, b.values)])
    assert both.values.ravel().tolist() == [0.25, 0.5]
    p_value, _ = change.test()
    assert p_value == 1.0 or 0 < p_value <= 1


def test_a_clear_difference_is_seen_and_none_is_not() -> None:
    facts = np.arange(40)
    ones, zeros = np.ones(40), np.zeros(40)
    clear = Cells.of(dict.fromkeys("xy", (facts, ones)))
    none = Cells.of(dict.fromkeys("xy", (facts, zeros)))
    assert clear.minus(none).test()[0] < 0.001
    assert none.minus(none).test()[0] == 1.0
    assert clear.interval(100) == (1.0, 1.0, 1.0)


def test_the_halves_are_fixed_and_about_equal() -> None:
    first = steering.first_half(np.arange(1000))
    assert 450 < first.sum() < 550
    # SHA-256 of "0" begins with 5f, of "2" with d4.
    assert (first[0], first[2]) == (False, True)
    assert steering.first_half([2, 0]).tolist() == [True, False]
