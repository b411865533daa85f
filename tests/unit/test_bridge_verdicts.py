"""Verdicts on bridges: each outcome of each rule, from tables as built."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import pytest

from langneurons.report import bridge_verdicts
from langneurons.tables.common.bridge_choices import Place, Scored
from langneurons.tables.common.bridge_numbers import COLUMNS, bridge_table
from langneurons.tables.common.columns import frame
from langneurons.tables.common.similarity_files import Similar

WORDS = 200
KINDS = {"hsic": "hsic", "plain": "overlap"}


def chose(kind: str, bridge: str | None, names: list[str]) -> Similar:
    scores = {k: float(k == bridge) for k in names}
    return Similar(kind, scores, {}, {}, {}, 0, 5, 30, bridge, "" if bridge else "few",
                   1)  # fmt: skip


def table(
    shares: Mapping[str, float],
    hsic: str | None = "hi",
    plain: str | None = "zh",
    pairs: int = 9,
    noise: float = 0.05,
    order: tuple[str, ...] = ("hsic", "plain"),
) -> pd.DataFrame:
    """Make a table where each way of every pair is right on about such a share."""
    rng = np.random.default_rng(0)
    tested, similar = {}, {}
    for number in range(pairs):
        ways = {
            way: (rng.random(WORDS) < share + noise * rng.normal()).astype(float)
            for way, share in shares.items()
        }
        pair = f"s{chr(97 + number)}-t"
        direct = ways.pop("direct")
        tested[Place("b", "words", "m", pair)] = Scored("binary", direct, ways)
        chosen = {"hsic": hsic, "plain": plain}
        for name in order:
            one = chose(KINDS[name], chosen[name], list(ways))
            similar["m", name, pair] = one
    return bridge_table(tested, similar, resamples=500)


USUAL = {"direct": 0.1, "en": 0.3, "hi": 0.8, "zh": 0.3}


@pytest.mark.parametrize(
    ("shares", "options", "verdict"),
    [
        (USUAL, {}, "supported"),
        (USUAL | {"direct": 0.95}, {}, "contradicted"),
        # English helps and the choice harms.
        (USUAL | {"direct": 0.5, "en": 0.8}, {"hsic": "zh"}, "not supported"),
        (USUAL, {"pairs": 4}, "undecided"),
        ({"direct": 0.5, "en": 0.5, "hi": 0.5, "zh": 0.5}, {}, "undecided"),
        (dict.fromkeys(USUAL, 1.0), {"noise": 0.0}, "not supported"),
    ],
)
def test_h8_sets_two_fixed_ways_against_none(
    shares: dict[str, float], options: dict[str, int], verdict: str
) -> None:
    found = bridge_verdicts.h8(table(shares, **options))  # type: ignore[arg-type]
    assert found.verdict == verdict and found.key == "H8"
    assert "m words: over the direct way English " in found.sentence
    assert (
        len(found.numbers) == 1 and found.numbers["English, points low"].notna().all()
    )


@pytest.mark.parametrize("order", [("hsic", "plain"), ("plain", "hsic")])
@pytest.mark.parametrize(
    ("shares", "options", "verdict"),
    [
        (USUAL, {}, "supported"),
        (USUAL | {"en": 0.95}, {}, "contradicted"),
        (USUAL | {"zh": 0.97}, {}, "contradicted"),
        (USUAL, {"pairs": 5}, "undecided"),
        # Without the plain overlap one comparison is missing.
        (USUAL, {"plain": None}, "undecided"),
        # The same choice on every pair is no better, and that is certain.
        (USUAL, {"plain": "hi"}, "not supported"),
        (USUAL, {"hsic": None}, "not run"),
    ],
)
def test_h9_sets_hsic_against_three_ways(
    order: tuple[str, str], shares: dict[str, float], options: dict[str, int],
    verdict: str,
) -> None:  # fmt: skip
    made = table(shares, order=order, **options)  # type: ignore[arg-type]
    found = bridge_verdicts.h9(made)
    assert found.verdict == verdict and found.key == "H9"
    if verdict != "not run":
        assert found.sentence.startswith("m words, hsic: over English ")


@pytest.mark.parametrize(("other", "verdict"), [(9, "not supported"), (4, "undecided")])
def test_pairs_that_cannot_differ_are_not_counted(other: int, verdict: str) -> None:
    """Where the choice is English it cannot differ from it, whatever it is worth."""
    en = np.arange(WORDS) % 2.0
    ways = {"en": en, "hi": en.copy()}
    tested, similar = {}, {}
    for number in range(9):
        # Of 200 words one is right through hi alone, or through English alone.
        own = ways | {
            "hi": np.where(np.arange(WORDS) == number % 2, number % 2 == 0, en)
        }
        pair = f"s{chr(97 + number)}-t"
        tested[Place("b", "words", "m", pair)] = Scored("binary", en, own)
        chosen = "hi" if number < other else "en"
        similar["m", "hsic", pair] = chose("hsic", chosen, list(ways))
        similar["m", "plain", pair] = chose("overlap", "en", list(ways))
    made = bridge_table(tested, similar, resamples=500)
    row = made[(made["similarity"] == "hsic") & (made["pair"] == "all")].iloc[0]
    assert row["pairs_english"] == 9
    assert row["p_least_english"] == pytest.approx(2.0 ** (1 - other))
    found = bridge_verdicts.h9(made)
    assert found.verdict == verdict and "9 pairs" in found.sentence


def test_nothing_was_run() -> None:
    for judge in (bridge_verdicts.h8, bridge_verdicts.h9):
        for given in (None, frame([], COLUMNS)):
            found = judge(given)
            assert found.verdict == "not run" and "bridges.tsv" in found.sentence
