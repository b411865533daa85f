"""Verdicts on amplification: each outcome of each rule, from tables as built."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from langneurons.report import steering_verdicts
from langneurons.report.verdicts import Verdict
from langneurons.stats.steering import MEASURES, Shift
from langneurons.tables.common.amplification_numbers import (
    COLUMNS,
    amplification_table,
)
from langneurons.tables.common.columns import frame
from langneurons.tables.common.steering_items import Changed, Shifted
from langneurons.tables.common.ways import Gathered

N, LANGUAGES = 120, ("en", "vi", "hi")
UNITS = {"pick": "%", "perplexity": "nats per token"}
Noise = np.random.default_rng(0)


def names(method: str, lang: str, whose: str, draw: int | None = None) -> Any:
    of_neurons = method in ("lape", "random")
    return {
        "experiment": "a", "task": "facts", "model": "m", "method": method,
        "langset": "s" if of_neurons else None, "draw": draw,
        "matched": "lape" if method == "random" else None,
        "statistic": "p_max" if of_neurons else method,
        "lang": lang, "neuron_lang": whose,
    }  # fmt: skip


def shifted(method: str, share: float, nats: float, draw: int | None = None) -> Any:
    """Make every pair shift for about a share of the facts."""
    for lang in LANGUAGES:
        for whose in LANGUAGES:
            if whose == lang:
                continue
            hit = (Noise.random(N) < share).astype(float)
            values = dict.fromkeys(MEASURES, hit)
            noise = Noise.normal(size=N)
            values |= {"delta_t": nats + 0.1 * (noise - noise.mean())}
            shift = Shift(np.arange(N), values, 0)
            yield Shifted(names(method, lang, whose, draw), shift, 7)


def table(lape: tuple[float, float] = (0.9, 2.0), **controls: float) -> pd.DataFrame:
    """Make a table; controls by their LSS+."""
    gathered = Gathered()
    gathered.add_shifts(shifted("lape", *lape))
    for method, share in controls.items():
        for draw in (1, 2) if method == "random" else (None,):
            gathered.add_shifts(shifted(method, share, 0.1, draw))
    return amplification_table(gathered, UNITS, {}, resamples=200)


ALL = {"random": 0.4, "prompt": 0.6, "diffmean": 0.5}


@pytest.mark.parametrize(
    ("made", "verdict"),
    [
        (lambda: table(**ALL), "supported"),
        (lambda: table(**ALL | {"diffmean": 1.0}), "contradicted"),
        (lambda: table((0.9, -1.0), **ALL), "contradicted"),
        (lambda: table(random=0.4, prompt=0.6), "undecided"),
        (lambda: table((0.9, 0.0), **ALL), "not supported"),
        # Both at the top: no fact differs, which shows nothing.
        (lambda: table((1.0, 2.0), **ALL | {"diffmean": 1.0}), "undecided"),
    ],
)
def test_h5_compares_with_three_controls(
    made: Callable[[], pd.DataFrame], verdict: str
) -> None:
    found = steering_verdicts.h5(made())
    assert found.verdict == verdict and found.key == "H5"
    assert "m lape.s.p_max: the target's object changes by" in found.sentence
    assert set(found.numbers["verdict"]) == {verdict}


def changed(method: str, share: float, sign: int, draw: int | None = None) -> Any:
    """Make a share of the items better (or worse) where a language is tested."""
    for lang in LANGUAGES:
        for whose in LANGUAGES:
            change = sign * (Noise.random(N) < share).astype(float)
            yield Changed(names(method, lang, whose, draw), np.arange(N), change, 7)


def with_task(
    share: float, sign: int, random: float | None = 0.0, steered: tuple[str, ...] = ()
) -> pd.DataFrame:
    gathered = Gathered()
    gathered.add_shifts(shifted("lape", 0.9, 2.0))
    gathered.add_changes("pick", changed("lape", share, sign))
    gathered.add_changes("perplexity", changed("lape", 0.5, 1))
    for draw in (1, 2) if random is not None else ():
        gathered.add_shifts(shifted("random", 0.4, 0.1, draw))
        gathered.add_changes("pick", changed("random", random or 0.0, sign, draw))
    return amplification_table(gathered, UNITS, {}, steered=steered, resamples=200)


@pytest.mark.parametrize(
    ("share", "sign", "random", "own", "other"),
    [
        (0.3, 1, 0.0, "supported", "contradicted"),
        (0.3, -1, 0.0, "contradicted", "supported"),
        (0.3, -1, None, "contradicted", "undecided"),
        (0.3, 1, 0.6, "not supported", "contradicted"),
        (0.0, 1, 0.0, "undecided", "undecided"),
    ],
)
def test_h6_and_h7_compare_with_random_neurons(
    share: float, sign: int, random: float | None, own: str, other: str
) -> None:
    made = with_task(share, sign, random)
    sixth, seventh = steering_verdicts.h6(made), steering_verdicts.h7(made)
    assert (sixth.verdict, seventh.verdict) == (own, other)
    assert sixth.numbers["text, nats per token"].notna().all()
    assert "m lape.s.p_max, pick: " in sixth.sentence


def test_where_one_steers_to_is_neither_help_nor_harm() -> None:
    made = with_task(0.3, 1, steered=("pick",))
    assert steering_verdicts.h6(made).verdict == "not run"
    assert steering_verdicts.h7(made).verdict == "not run"
    assert (made.loc[made["task"] == "pick", "judged"] == "no").all()


def test_the_best_factor_was_not_run_on_a_task() -> None:
    gathered = Gathered()
    gathered.add_shifts(shifted("lape", 0.9, 2.0))
    louder = [
        Shifted(one.row | {"statistic": "p_low"}, one.shift, 7)
        for one in shifted("lape", 0.2, 2.0)
    ]
    gathered.add_shifts(louder)
    weaker = [
        one._replace(row=one.row | {"statistic": "p_low"})
        for one in changed("lape", 0.3, 1)
    ]
    gathered.add_changes("pick", weaker)
    found = steering_verdicts.h6(amplification_table(gathered, UNITS, {}, resamples=50))
    assert found.verdict == "not run" and found.sentence == (
        "m lape.s.p_max: the best factor, p_max, was not run on pick; name it under "
        "by_task."
    )


def test_nothing_was_run() -> None:
    empty = frame([], COLUMNS)
    judges: tuple[Callable[[Any], Verdict], ...] = (
        steering_verdicts.h5, steering_verdicts.h6, steering_verdicts.h7,
    )  # fmt: skip
    for judge in judges:
        for given in (None, empty):
            found = judge(given)
            assert found.verdict == "not run" and "amplification.tsv" in found.sentence
    # Facts alone say nothing on other tasks.
    assert steering_verdicts.h6(table(**ALL)).verdict == "not run"
