"""Words with translations: columns, a third language, what is kept, and faults."""

from __future__ import annotations

import json

import pytest
from pydantic import ValidationError

from langneurons.config.dictionary_entries import Dictionary
from langneurons.config.errors import DataError
from langneurons.config.names import Pair
from langneurons.text import dictionaries

MUSE = {"probe": "{source}-{target}.a", "test": "{source}-{target}.b"}
SWAHILI = {"probe": "{source}-{target}.all", "test": "{source}-{target}.small"}


def entry(**changes):
    return Dictionary.model_validate({**MUSE, **changes})


def read(folder, pair, identical="keep", **changes):
    """Read a pair as the job does."""
    legs = entry(**changes).legs(Pair.parse(pair))
    given = [{"pair": str(leg.pair), "swapped": leg.swapped} for leg in legs]
    paths = [folder / path for leg in legs for path in leg.files]
    return dictionaries.read(given, paths, identical)


def words(part):
    return {one["word"]: one["gold"] for one in part}


@pytest.fixture
def folder(tmp_path):
    """Chinese to English as MUSE has it, Swahili to English as Wiktionary does."""
    texts = {
        "zh-en.a": "水\twater\n水\twaters\n年\tyear\n狗\tdog\n空\tnothing\n",
        "zh-en.b": "火 fire\n火 blaze\n猫 cat\n",
        "sw-en.all": "maji\twater\nmwaka\tyear\nmoto\tfire\njoto\tfire\npaka\tcat\n"
        "mbwa\tdog\nneno\t\n\ncat\tcat\n",
        "sw-en.small": "moto\tfire\n",
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def test_a_pair_with_files_of_its_own(folder):
    found = read(folder, "zh-en")
    assert words(found["probe"]) == {
        "水": ["water", "waters"],
        "年": ["year"],
        "狗": ["dog"],
        "空": ["nothing"],
    }
    assert words(found["test"]) == {"火": ["fire", "blaze"], "猫": ["cat"]}
    assert found["counts"] == {
        "legs": {"zh-en": {"rows": 8, "blank": 0, "words": 6}},
        "probe": 4,
        "test": 2,
        "translations": 8,
        "identical": 0,
        "only_identical": 0,
        "untranslated": 0,
    }


def test_a_pair_through_english_with_files_read_the_other_way_round(folder):
    found = read(folder, "zh-sw", pivot="en", by_language={"sw": SWAHILI})
    assert [one["word"] for one in found["probe"]] == ["水", "年", "狗"]
    assert words(found["test"]) == {"火": ["moto", "joto"], "猫": ["paka", "cat"]}
    counts = found["counts"]
    assert counts["untranslated"] == 1 and counts["translations"] == 7
    assert counts["legs"]["en-sw"] == {"rows": 9, "blank": 1, "words": 5}


def test_words_of_a_test_file_that_is_a_part_are_none_of_probes(folder):
    found = read(folder, "en-sw", pivot="en", by_language={"sw": SWAHILI})
    assert words(found["test"]) == {"fire": ["moto", "joto"]}
    assert words(found["probe"])["cat"] == ["paka", "cat"]
    assert "fire" not in words(found["probe"]) and found["counts"]["identical"] == 1
    assert found["counts"]["only_identical"] == 0


def test_the_very_word_can_be_left_out(folder):
    given = {"pivot": "en", "by_language": {"sw": SWAHILI}}
    found = read(folder, "en-sw", identical="drop", **given)
    assert words(found["probe"])["cat"] == ["paka"]
    (folder / "en-fr.a").write_text("a\tb\ntaxi\ttaxi\n")
    (folder / "en-fr.b").write_text("c\td\n")
    kept, left = (read(folder, "en-fr", identical=x) for x in ("keep", "drop"))
    assert list(words(kept["probe"])) == ["a", "taxi"]
    assert list(words(left["probe"])) == ["a"]
    for found in (kept, left):
        assert found["counts"]["only_identical"] == 1


def test_a_word_of_the_third_language_is_no_translation_of_itself(tmp_path):
    (tmp_path / "zh-en.a").write_text("二 two\n二 pair\n停 stop\n", encoding="utf-8")
    (tmp_path / "en-tl.a").write_text("two dalawa\ntwo two\npair two\nstop stop\n")
    (tmp_path / "zh-en.b").write_text("三 three\n", encoding="utf-8")
    (tmp_path / "en-tl.b").write_text("three tatlo\nthree three\n")
    kept, left = (
        read(tmp_path, "zh-tl", identical=x, pivot="en") for x in ("keep", "drop")
    )
    assert words(kept["probe"]) == {"二": ["dalawa", "two"], "停": ["stop"]}
    assert words(kept["test"]) == {"三": ["tatlo", "three"]}
    assert words(left["probe"]) == {"二": ["dalawa", "two"]}  # it is that of pair
    assert words(left["test"]) == {"三": ["tatlo"]}
    for found in (kept, left):
        counts = found["counts"]
        assert (counts["identical"], counts["only_identical"]) == (2, 1)
    assert left["counts"]["untranslated"] == 1


def test_a_word_in_other_letters_is_the_same_word(tmp_path):
    (tmp_path / "a-b.a").write_text("Fire\tx\nsun\ty\n")
    (tmp_path / "a-b.b").write_text("fire\tz\n")
    found = read(tmp_path, "a-b")
    assert list(words(found["probe"])) == ["sun"]
    assert list(words(found["test"])) == ["Fire", "fire"]


def test_signs_are_composed(tmp_path):
    (tmp_path / "a-b.a").write_text("cafe\u0301\tx\n", encoding="utf-8")
    (tmp_path / "a-b.b").write_text("y\tcafe\u0301\n", encoding="utf-8")
    found = read(tmp_path, "a-b")
    assert list(words(found["probe"])) == ["café"]
    assert words(found["test"]) == {"y": ["café"]}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"fire @ feu\n", "line 1 has 3 columns: 'fire @ feu'. Two are read"),
        (b"x\ty\n\nfire\n", "line 3 has 1 columns: 'fire'"),
        (b"New York New\n", "3 columns.*words with a blank in them need the tab"),
        (b"a\tb\tc\n", "3 columns"),
        ("é\tb\n".encode("latin1"), "not UTF-8 at byte 0.*iconv"),
        ("é\tb\n".encode("utf-16"), "UTF-16|not UTF-8"),
        (b"\n \n", "has no words"),
        (b"", "empty"),
    ],
)
def test_another_layout_is_refused(tmp_path, content, said):
    (tmp_path / "a-b.a").write_bytes(content)
    (tmp_path / "a-b.b").write_text("fire\tfeu\n")
    with pytest.raises(DataError, match=rf"a-b\.a.*({said})"):
        read(tmp_path, "a-b")


def test_a_pair_without_words_is_refused_with_its_counts(folder):
    (folder / "en-sw.a").write_text("nowhere\tx\n")
    (folder / "en-sw.b").write_text("there\ty\n")
    with pytest.raises(DataError, match=r"zh-en and en-sw: no probe word.*rows.*order"):
        read(folder, "zh-sw", pivot="en")
    (folder / "en-fr.a").write_text("a\tb\n")
    (folder / "en-fr.b").write_text("a\tc\n")
    with pytest.raises(DataError, match="en-fr: no probe word is left"):
        read(folder, "en-fr")


def test_which_files_a_pair_is_read_from():
    ours = entry(
        pivot="en",
        codes={"zh": "cmn"},
        by_language={"sw": SWAHILI, "te": SWAHILI | {"column": "second"}},
        probe="{source_code}-{target_code}.a",
    )

    def told(pair):
        legs = ours.legs(Pair.parse(pair))
        return [(str(leg.pair), leg.probe, leg.swapped) for leg in legs]

    assert told("zh-en") == [("zh-en", "cmn-en.a", False)]
    assert told("sw-en") == [("sw-en", "sw-en.all", False)]
    assert told("en-sw") == [("en-sw", "sw-en.all", True)]
    assert told("en-te") == [("en-te", "en-te.all", False)]
    assert told("te-en") == [("te-en", "en-te.all", True)]
    assert [leg[0] for leg in told("zh-sw")] == ["zh-en", "en-sw"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"test": MUSE["probe"]}, "one file"),
        ({"probe": "{lang}.txt"}, "unknown placeholder {lang}.*{source}, {target}"),
        ({"codes": {"a": "x", "b": "x"}}, "two languages the same code"),
        ({"identical": "no"}, "identical"),
    ],
)
def test_entries_that_cannot_be_meant_are_refused(changes, said):
    with pytest.raises(ValidationError, match=said):
        entry(**changes)


def test_what_is_written_is_read_again(folder, tmp_path):
    path = tmp_path / "out.json"
    dictionaries.write(path, "muse", "zh-en", read(folder, "zh-en"))
    said = json.loads(path.read_text(encoding="utf-8"))
    assert said["format"] == "langneurons/dictionary/1" and said["pair"] == "zh-en"
    back = dictionaries.PairDictionary.read(path)
    assert back.pair == Pair("zh", "en") and back.test[0].gold == ("fire", "blaze")
    path.write_text(json.dumps(said | {"test": [{"word": "x"}]}), encoding="utf-8")
    with pytest.raises(DataError, match="damaged, or not the words of a pair"):
        dictionaries.PairDictionary.read(path)


def real(shared_data):
    """Return an entry for the real files: MUSE, and Swahili from Wiktionary."""
    swahili = f"{shared_data}/wiktionary_bli/{{source}}-{{target}}"
    return {
        "pivot": "en",
        "probe": f"{shared_data}/muse/{{source}}-{{target}}.0-5000.txt",
        "test": f"{shared_data}/muse/{{source}}-{{target}}.5000-6500.txt",
        "by_language": {
            "sw": {
                "probe": f"{swahili}.all.tsv",
                "test": f"{swahili}.testsmall.tsv",
            }
        },
    }


@pytest.mark.parametrize(
    ("pair", "translations", "of_words"),
    # Counted apart from this code, in the same files.
    [("zh-sw", 6172, 3447), ("zh-he", 11960, 4246), ("ja-sw", 4595, None)],
)
def test_the_real_files_through_english(shared_data, pair, translations, of_words):
    found = read(shared_data, pair, **real(shared_data))
    counts = found["counts"]
    assert counts["translations"] == translations
    if of_words is not None:
        assert counts["probe"] + counts["test"] == of_words
    probes, tests = words(found["probe"]), words(found["test"])
    assert not {x.lower() for x in probes} & {x.lower() for x in tests}


def test_english_words_of_the_swahili_list(shared_data):
    found = read(shared_data, "en-sw", **real(shared_data))
    assert found["counts"]["legs"]["en-sw"]["rows"] == 7324 + 735
    # The small list has 242 Swahili words; all other words are left to probes.
    assert found["counts"]["test"] == 666 and found["counts"]["probe"] == 5203 - 666
    assert found["counts"]["identical"] == 89


def test_english_words_among_the_filipino_ones_are_left_out(shared_data):
    # Counted apart from this code, in the same files.
    given = real(shared_data)
    kept, left = (
        read(shared_data, "zh-tl", identical=x, **given) for x in ("keep", "drop")
    )
    assert kept["counts"]["translations"] == 8998
    assert left["counts"]["translations"] == 5803
    assert left["counts"]["only_identical"] == 946
