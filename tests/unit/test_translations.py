"""Answers to words, by hand (spec test 15): what counts, and what is right."""

import pytest

from langneurons.config.names import Pair
from langneurons.tasks.common import translations
from langneurons.tasks.common.translations import Translating

ZH_SW = Pair("zh", "sw")


def right(text, *gold, post="clean"):
    return translations.matches(translations.answer(text, post), gold, post)


def test_prompts_are_those_of_the_study():
    names = Translating().called()
    assert translations.prompt(names, ZH_SW, "水") == '中文:"水"→kiswahili:'
    bridged = translations.prompt(names, ZH_SW, "水", aid=("en", "water"))
    assert bridged == '中文:"水"→English:"water"→kiswahili:'


def test_names_of_ones_own_stand_beside_those_of_the_study():
    own = Translating(names={"en": "Inglese", "xx": "Xish"})
    assert own.called()["en"] == "Inglese" and own.called()["de"] == "Deutsch"
    assert own.nameless(["xx", "yy", "de", "yy"]) == ["yy"]


@pytest.mark.parametrize("post", ["paper", "clean"])
def test_a_right_and_a_wrong_answer(post):
    found = [right('"X."', "x", "y", post=post), right('"zz"', "z", post=post)]
    assert found == [True, False]


@pytest.mark.parametrize(
    ("text", "paper", "clean"),
    [
        ('"water"', "water", "water"),
        (' "Water".', "water", "Water"),
        ("water, sea", "water", "water"),
        ("water (a drink)", "water", "water"),
        ("water?", "water", "water"),
        ("New York", "new", "New York"),
        ('"water"→Deutsch:"Wasser"', "water", "water"),
        ('English:"water"', "water", "water"),
        ("「水」", "水", "水"),
        ("עִברִית", "עברית", "עִברִית"),
        ("water\nriver", "water", "water"),
        ("水，海", "水，海", "水"),
        ("“water”", "“water”", "water"),
        ("water; sea", "water;", "water"),
        ("water / sea", "water", "water"),
        ("water/sea", "water/sea", "water"),
        ("水；海", "水；海", "水"),
        ("ماء، بحر", "ماء،", "ماء"),
        ("ماء؛ بحر", "ماء؛", "ماء"),
        ("ماء؟", "ماء؟", "ماء"),
        ("", "", ""),
    ],
)
def test_what_counts_of_an_answer(text, paper, clean):
    assert translations.answer(text, "paper") == paper
    assert translations.answer(text, "clean") == clean


def test_the_aid_is_cut_where_a_second_word_begins():
    assert translations.aid('"New York (city), NY"', "paper") == "New York (city)"
    assert translations.aid("a; b", "paper") == "a; b"
    for text in ("a (x); b", "a (x)/b", "a (x)، b"):
        assert translations.aid(text, "clean") == "a (x)"
    assert translations.aid("Big. Apple", "clean") == "Big Apple"


def test_paper_never_meets_a_capital_or_a_blank():
    assert not right("New York", "New York", post="paper")
    assert not right("Paris", "Paris", post="paper")
    assert right("New York", "New York") and right("paris", "Paris")


def test_clean_cuts_at_a_blank_only_where_the_translation_has_none():
    assert right("water is wet", "water")
    assert not right("New Yorkers", "New York")
    assert right("new  york", "New York") and right("new york", "big", "New York")


def test_clean_compares_composed_signs_and_words_without_points():
    assert right("cafe\u0301", "café") and not right("cafe\u0301", "café", post="paper")
    assert right("שָׁלוֹם", "שלום") and right("שלום", "שָׁלוֹם")
    assert not right("שלום", "שָׁלוֹם", post="paper")
    assert right("l'eau", "l'eau")


def test_an_empty_answer_is_never_right():
    assert not right("", "") and not right('""', "'") and not right(".", "a")
    assert not right("", "a", post="paper")
