"""Scores of generated answers, worked out by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langneurons.tasks.common.answers import (
    mlqa_scores,
    mlqa_words,
    squad_scores,
    token_id_scores,
)

EOS = 2


@pytest.mark.parametrize(
    ("predicted", "gold", "exact", "f1"),
    [
        ([7, 8, EOS], [7, 8, EOS], True, 1.0),
        ([7, 8], [7, 8, EOS], False, 4 / 5),  # no EOS: never an exact match
        ([9, EOS], [7, 8, EOS], False, 2 / 5),  # all wrong, but it ends
        ([8, 7, EOS], [7, 8, EOS], False, 1.0),  # order does not count in F1
        ([7, 7, 7, 7], [7, 7, 8, EOS], False, 2 * 2 / 8),  # multisets, not sets
        ([EOS], [7, EOS], False, 2 / 3),
        ([9], [7, EOS], False, 0.0),
    ],
)
def test_token_ids_count_eos(predicted, gold, exact, f1) -> None:
    assert token_id_scores(predicted, gold) == (exact, pytest.approx(f1))


@pytest.mark.parametrize(
    ("prediction", "golds", "exact", "f1"),
    [
        ("The Broncos!", ["Denver Broncos", "broncos"], True, 1.0),
        ("Broncos", ["Denver Broncos"], False, 2 / 3),
        ("an  apple, a day", ["apple day"], True, 1.0),
        ("308分。", ["308分"], False, 0.0),  # not ASCII: SQuAD keeps it, one word
        ("£5", ["£5."], True, 1.0),
        ("theory", ["ory"], False, 0.0),  # articles are whole words
        ("", ["x"], False, 0.0),
        ("", ["the."], True, 1.0),  # nothing is left of either
        ("x", ["!", "y"], False, 0.0),
        ("b c", ["a b c d", "b", "c d e"], False, 4 / 5),  # "a" is an article
    ],
)
def test_squad_words(prediction, golds, exact, f1) -> None:
    assert squad_scores(prediction, golds) == (exact, pytest.approx(f1))


@pytest.mark.parametrize(
    ("language", "text", "words"),
    [
        ("en", "The cat—a “big” one", ["cata", "big", "one"]),  # the dash joins
        ("en", "€5 + $3", ["€5", "3"]),  # of the symbols, only ASCII's go
        ("es", "La casa de los Ríos", ["casa", "de", "ríos"]),
        ("de", "Der Rat des Königs, ein Bündnis", ["rat", "königs", "bündnis"]),
        ("de", "the dem", ["the"]),
        ("vi", "Những cái cây là của tôi", ["cây", "tôi"]),
        ("vi", "an", ["an"]),
        ("ar", "البيت الكبير؟", ["بيت", "كبير"]),
        ("ar", "مال", ["م"]),  # MLQA's rule takes the letters wherever they stand
        ("hi", "भारत का दिल्ली।", ["भारत", "का", "दिल्ली"]),
        ("zh", "在1990年，NFL 橄榄球", [*"在", "1990", "年", "nfl", *"橄榄球"]),
        ("zh", "第 24 次", ["第", "24", "次"]),
        ("zh", "かな漢", ["かな", "漢"]),  # kana are outside U+4E00-9FA5
        ("ur", "the لاہور، شہر۔", ["the", "لاہور", "شہر"]),  # no rule: all words stay
        ("ja", "東京", ["東京"]),
        ("", "the A", ["the", "a"]),
    ],
)
def test_mlqa_words(language, text, words) -> None:
    assert list(mlqa_words(text, language)) == words


@pytest.mark.parametrize(
    ("prediction", "golds", "language", "exact", "f1"),
    [
        ("肖特", ["卡万·肖特"], "zh", False, 2 * 2 / 6),
        ("肖特", ["卡万·肖特"], "ur", False, 0.0),  # one word each
        ("卡万 肖特。", ["卡万·肖特"], "zh", True, 1.0),
        ("24次", ["二十四次", "24 次"], "zh", True, 1.0),
        ("của là", [".", "x"], "vi", True, 1.0),
        ("của là", ["x"], "vi", False, 0.0),
        ("der Hund", ["ein Hund"], "de", True, 1.0),
        ("der Hund", ["ein Hund"], "en", False, 1 / 2),
    ],
)
def test_mlqa_scores(prediction, golds, language, exact, f1) -> None:
    assert mlqa_scores(prediction, golds, language) == (exact, pytest.approx(f1))


def test_no_gold_answer_is_an_error() -> None:
    for score in (squad_scores, lambda p, g: mlqa_scores(p, g, "en")):
        with pytest.raises(ValueError, match="no gold answer"):
            score("x", [])


texts = st.text(alphabet="ab the.,中文 1", max_size=12)


@given(texts, st.lists(texts, min_size=1, max_size=3))
def test_scores_are_consistent(prediction, golds) -> None:
    for exact, f1 in (
        squad_scores(prediction, golds),
        mlqa_scores(prediction, golds, "zh"),
    ):
        assert 0 <= f1 <= 1
        assert not exact or f1 == 1
    assert squad_scores(prediction, [*golds, prediction]) == (True, 1.0)


@given(*[st.lists(st.integers(0, 4), min_size=1, max_size=6)] * 2)
def test_token_f1_is_symmetric(a, b) -> None:
    assert token_id_scores(a, b) == token_id_scores(b, a)
    assert (token_id_scores(a, b)[1] == 1) == (sorted(a) == sorted(b))
