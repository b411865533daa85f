"""Which language a text is in."""

from __future__ import annotations

from pathlib import Path

import pytest

from langneurons.config.errors import DataError
from langneurons.text import language_identity
from langneurons.text.language_identity import Lexicon

SENTENCES = {
    "en": "The committee will meet again on Thursday to discuss the new proposal.",
    "fr": "Le comité se réunira de nouveau jeudi pour discuter de la proposition.",
    "hi": "समिति नए प्रस्ताव पर चर्चा करने के लिए गुरुवार को फिर से बैठक करेगी।",
    "ht": "Kay la gwo anpil, men pa gen moun ladan l, paske tout moun ale nan mache a.",
    "he": "הוועדה תיפגש שוב ביום חמישי כדי לדון בהצעה החדשה.",
    "ms": "Kerajaan Malaysia mengumumkan bahawa peruntukan itu akan diberikan segera.",
    "zh": "委員會將於星期四再次開會討論新的提案。",
}


@pytest.mark.parametrize("language", SENTENCES)
def test_sentences_are_of_their_languages(language: str) -> None:
    pytest.importorskip("pycld2")
    text = SENTENCES[language]
    assert language in language_identity.known()
    assert language_identity.identify(text) == language
    assert language_identity.identify(text + "\x07\ud800") == language
    assert language_identity.CLD2.shares(text)[language] > 0.9


@pytest.mark.parametrize("text", ["", " \n", "12 345, 6.7!", "???"])
def test_what_has_no_letter_has_no_language(text: str) -> None:
    pytest.importorskip("pycld2")
    assert language_identity.identify(text) is None
    assert language_identity.CLD2.shares(text) == {}


def test_known_are_the_languages_of_cld2_by_our_codes() -> None:
    pycld2 = pytest.importorskip("pycld2")
    named = set(pycld2.DETECTED_LANGUAGES)
    theirs = {code for name, code in pycld2.LANGUAGES if name in named}
    no_languages = {x for x in theirs if x.startswith(("xx-", "zz"))} | {"tlh"}
    ours = {"zh-Hant": "zh", "iw": "he", "jw": "jv"}
    found = {ours.get(code, code) for code in theirs - no_languages}
    assert found == language_identity.known()
    assert {"en", "zh", "he", "jv", "tl", "qu", "sw"} <= found


def test_a_lexicon_tells_by_owned_words(tmp_path: Path) -> None:
    for code, words in {"la": "Bo\nku\nni\n", "lb": "ri\n\nsa\nku\n"}.items():
        (tmp_path / f"{code}.txt").write_text(words, encoding="utf-8")
    lexicon = Lexicon.read({c: tmp_path / f"{c}.txt" for c in ("la", "lb")})
    assert lexicon.known() == {"la", "lb"}
    assert lexicon.identify("bo, BO ri. x") == "la"
    assert lexicon.shares("bo, BO ri. x") == {"la": 0.5, "lb": 0.25}
    assert lexicon.identify("bo ri") is None  # as many of each
    assert lexicon.identify("ku x") is None  # both have it
    assert lexicon.shares("") == {}


def test_lexica_that_tell_nothing_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="lb has 1 words, and none that no other"):
        Lexicon({"la": frozenset({"bo", "ku"}), "lb": frozenset({"Ku"})})
    path = tmp_path / "la.txt"
    path.write_text("bo\nku ni\n", encoding="utf-8")
    with pytest.raises(DataError, match="line 2 has 2 words"):
        Lexicon.read({"la": path})
