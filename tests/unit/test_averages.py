"""Means over languages: of scores, of their differences, and in the tables of tasks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from evaluation_files import XNLI, Study, cells_of, right, row, text_of, write
from langneurons.config.errors import DataError
from langneurons.figures import sweep
from langneurons.stats import averages, bootstrap, resummed, significance
from langneurons.stats.averages import Part
from langneurons.stats.resummed import Resummed
from langneurons.tables.common import task_columns, task_means, task_table


def part(first: int, *runs: list[float]) -> Part:
    scores = np.array(runs, np.float64)
    return Part(np.arange(first, first + scores.shape[1]), scores)


def test_each_language_counts_alike_however_many_items_it_has() -> None:
    some = [part(0, [1.0] * 30), part(100, [0.0] * 15)]
    assert averages.interval(some, 200) == pytest.approx((0.5, 0.5, 0.5))


def test_items_of_all_languages_are_drawn_together() -> None:
    """Two languages that mirror each other: no resample of parallel items differs."""
    scores = np.random.default_rng(0).random(40)
    mirrored = [part(0, [*scores]), part(0, [*(1 - scores)])]
    assert averages.interval(mirrored, 300) == pytest.approx((0.5, 0.5, 0.5))
    apart = [part(0, [*scores]), part(40, [*(1 - scores)])]
    value, low, high = averages.interval(apart, 2000)
    # Independent ones: half of the sum of both variances of the mean.
    assert value == pytest.approx(0.5)
    assert (high - low) / 2 == pytest.approx(
        1.96 * float(np.std(scores)) / np.sqrt(2 * 40), rel=0.15
    )


def test_one_language_is_the_bootstrap_of_its_items() -> None:
    scores = np.random.default_rng(1).random(25)
    assert averages.interval([part(3, [*scores])], 400) == (
        bootstrap.bootstrap_mean(scores, 400)
    )


def test_runs_are_drawn_too_whether_or_not_items_are_shared() -> None:
    rng = np.random.default_rng(2)
    runs = np.array([[0.0], [0.4], [0.8]]) + 0.01 * rng.random((3, 50))
    same = [Part(np.arange(50), runs), Part(np.arange(50), runs)]
    assert averages.interval(same, 500) == significance.pooled(runs, 500)
    other = [Part(np.arange(50), runs), Part(np.arange(50, 100), runs)]
    value, low, high = averages.interval(other, 3000)
    # All the spread is between the runs, which are the same ones in both languages.
    expected = significance.pooled(runs, 3000)
    assert (value, low, high) == pytest.approx(expected, abs=0.02)
    with pytest.raises(DataError, match=r"\[1, 3\] runs of 2 languages"):
        averages.interval([same[0], part(0, [0.5] * 50)])


def test_an_item_is_flipped_in_all_languages_at_once() -> None:
    # Five items gain in both languages: 2 of 2 ** 5 choices of signs, not of 2 ** 10.
    gain = [1.0] * 5 + [0.0] * 15
    assert averages.test([part(0, gain), part(0, gain)])[0] == pytest.approx(2 / 2**5)
    apart = averages.test([part(0, gain), part(20, gain)])[0]
    assert apart == pytest.approx(2 / 2**10)
    assert averages.test([part(0, gain, gain)])[0] == pytest.approx(2 / 2**5)


def test_scores_of_all_items_together_are_averaged_resample_by_resample() -> None:
    def summed(numbers: list[float]) -> Resummed:
        return Resummed(np.array(numbers)[:, None], lambda sums: sums[..., 0])

    a, b = summed([1, 2, 3, 4, 5, 6, 7]), summed([0, 0, 1, 1, 2, 2, 3])
    alone = averages.of_sums([[a]], resamples=300)
    assert tuple(alone.values()) == resummed.interval(a, 300)
    assert averages.of_sums([[a]], [[b]], 300) == resummed.compare(a, b, 300)
    both = averages.of_sums([[a], [b]], [[b], [b]], 300)
    assert both["delta"] == pytest.approx(19 / 2)
    assert averages.of_sums([[a, b]], resamples=300) == resummed.pooled(
        [a, b], None, 300
    )


def means_of(
    made: Study, layout: str = "interventions", source: str = "en"
) -> pd.DataFrame:
    given = {"layout": layout, "resamples": 300}
    table = task_table.task_table(made.rows, made.evaluations, made.metrics, **given)
    given["source"] = source
    found = task_means.with_means(
        table, made.rows, made.evaluations, made.metrics, **given
    )
    pd.testing.assert_frame_equal(task_columns.of_languages(found), table)
    return found


def test_means_in_the_table_of_a_task(tmp_path: Path) -> None:
    made = Study(tmp_path, XNLI)
    for lang, correct in (("vi", 10), ("hi", 16), ("ur", 20)):
        made.add(lang, "none", {}, accuracy=right(40, correct))
        if lang != "ur":  # whose neurons no set has
            made.add(lang, "lape.s.p90", {}, accuracy=right(40, correct + 6))
            for draw in (1, 2):
                made.add(lang, f"random_lape-{draw}.s.p90", {}, accuracy=right(40, 7))
    table = means_of(made)
    means = table[table["lang"].map(task_columns.is_mean)]
    named = means.assign(draw=means["draw"].fillna(0))
    assert [*named[["lang", "method", "draw"]].itertuples(index=False, name=None)] == [
        ("vi+hi+ur", "-", 0),
        ("vi+hi", "-", 0),
        ("vi+hi", "lape", 0),
        ("vi+hi", "random", 1),
        ("vi+hi", "random", 2),
    ]
    assert means["value"].tolist() == pytest.approx(
        [46 / 120, 26 / 80, 38 / 80, 7 / 40, 7 / 40]
    )
    treated = means[means["method"] == "lape"].iloc[0]
    assert treated["delta"] == pytest.approx(6 / 40) and treated["against"] == "none"
    # Items 10 to 15 gain in vi, 16 to 21 in hi, of the same items: twelve.
    assert treated["p_value"] == pytest.approx(2 / 2**12)
    assert treated["p_holm"] == pytest.approx(2 / 2**12)  # the only test of a mean
    assert treated["n"] == 80 and treated["neuron_lang"] == "own"
    changes = (
        (right(40, 16).astype(float) - right(40, 10)) + right(40, 22) - right(40, 16)
    )
    assert tuple(treated[["delta", "delta_ci_low", "delta_ci_high"]]) == pytest.approx(
        bootstrap.bootstrap_mean(changes / 2, 300)
    )
    text = text_of(table, "xnli")
    ((*_, none, cell),) = cells_of(text, "m", "lape.s", "mean of vi, hi")
    assert none.startswith("32.5 [") and cell.startswith("47.5 ▲ [")
    assert "on 40 items per language" in text and "Of 2 interventions" in text


def test_means_over_pairs_of_languages(tmp_path: Path) -> None:
    """Two translations: whose neurons are a mean's own is a pair's target's."""
    made = Study(tmp_path, XNLI)
    for pair, correct in (("en-vi", 10), ("en-hi", 16)):
        made.add(pair, "none", {}, accuracy=right(40, correct))
        for whose in ("vi", "hi"):
            gain = 6 if pair.endswith(whose) else 1
            names = {"method": "lape", "langset": "s", "neuron_lang": whose}
            scores = right(40, correct + gain)
            made.add(pair, f"lape.s.{whose}.p90", names, accuracy=scores)
    table = means_of(made)
    mean = table[table["lang"] == "en-vi+en-hi"].set_index("method")
    assert mean.loc["lape", "neuron_lang"] == "own"
    assert mean.loc["lape", "delta"] == pytest.approx(6 / 40)
    assert mean.loc["lape", "p_holm"] == pytest.approx(2 / 2**12)
    drawn = sweep.sweep(table, "accuracy", {"lape": 1.0}, "method")
    assert set(drawn["lang"]) == {"en-vi", "en-hi", "en-vi+en-hi"}


def test_a_tuning_of_each_language_is_one_of_the_target(tmp_path: Path) -> None:
    made = Study(tmp_path, XNLI)
    for lang, more in (("en", 0), ("vi", 4), ("hi", 8)):
        for tuning, correct in (("attention", 10), (f"lape.s.en+{lang}", 10 + more)):
            tuning = "lape.s.en" if tuning == "lape.s.en+en" else tuning
            made.add(lang, "none", {"tuning": tuning}, accuracy=right(40, correct))
    table = means_of(made, "tunings")
    means = table[table["lang"].map(task_columns.is_mean)].set_index(["tuning", "lang"])
    assert [*means.index] == [
        ("attention", "en+vi+hi"),
        ("attention", "vi+hi"),
        ("lape.s.en+target", "vi+hi"),
    ]  # fmt: skip
    last = means.loc[("lape.s.en+target", "vi+hi")]
    assert last["against"] == "attention" and last["delta"] == pytest.approx(6 / 40)
    text = text_of(table, "xnli", "tunings")
    assert cells_of(text, "m", "lape.s", "en+target", "mean of vi, hi")
    assert "`target` is its own tuning" in " ".join(text.split())


def test_only_seeds_that_all_languages_have_are_averaged(tmp_path: Path) -> None:
    made = Study(tmp_path, XNLI)
    for lang, seeds in (("vi", (1, 2)), ("hi", (1, 2)), ("ur", (1, 2, 3))):
        for seed in seeds:
            made.add(lang, "none", {"seed": seed}, accuracy=right(10, 2 * seed))
    means = means_of(made)
    means = means[means["lang"].map(task_columns.is_mean)]
    assert [*zip(means["seed"], means["lang"], strict=True)] == [
        ("1", "vi+hi+ur"), ("2", "vi+hi+ur"), ("pooled", "vi+hi"),
    ]  # fmt: skip
    assert means["value"].tolist() == pytest.approx([0.2, 0.4, 0.3])


def test_of_a_matrix_the_mean_is_over_own_neurons(
    tmp_path: Path,
) -> None:
    made = Study(tmp_path, XNLI)
    for lang in ("vi", "hi"):
        made.add(lang, "none", {}, accuracy=right(40, 10))
        for whose, correct in (("vi", 20), ("hi", 30)):
            named = {"neuron_lang": whose, "treatment": f"lape.s.{whose}.p90"}
            made.rows.append(row(lang, "lape.s.p90") | named)
            path = write(
                tmp_path, made.rows[-1], named["treatment"], accuracy=right(40, correct)
            )
            made.paths.append(path)
    means = means_of(made)
    own = means[(means["lang"] == "vi+hi") & (means["method"] == "lape")]
    assert own["value"].tolist() == [25 / 40] and own["neuron_lang"].tolist() == ["own"]
