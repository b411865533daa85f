"""Open prompts: how they are read and asked, and what is counted of the answers."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from langneurons import tasks
from langneurons.config.errors import DataError
from langneurons.tasks import forcing
from langneurons.tasks.common import open_answers
from langneurons.text import hub, language_identity
from scripted_model import Scripted

SOURCE = {"repo": "a/b", "revision": "0" * 40, "config": None}
FRENCH = "Le comité se réunira de nouveau jeudi pour discuter de la proposition."
ENGLISH = "The committee will meet again on Thursday to discuss the new proposal."
CHINESE = "委員會將於星期四再次開會討論新的提案。"


class Said(Scripted):
    """Ends an answer with a token of its own, as a model does."""

    eos = 0

    def decode(self, tokens: Sequence[int], stop: Sequence[str] = ()) -> str:
        assert self.eos not in tokens
        return super().decode(tokens, stop)


def evaluated(says: dict[str, str], **parameters: Any) -> Any:
    pytest.importorskip("pycld2")
    given = {"languages": ["en", "fr"], "max_new_tokens": 200} | parameters
    items = [{"id": i, "prompt": f" {text}\n"} for i, text in enumerate(says)]
    own = forcing.Parameters.model_validate(given)
    lm = Said({f"{text}?": answer for text, answer in says.items()})
    own = own.model_copy(update={"template": "Q: {prompt}?"})
    found = tasks.checked(forcing.TASK, forcing.TASK.evaluate(lm, items, own, "en"))
    assert lm.asked == [f"Q: {text}?" for text in says]
    return found.set_index("item")


def test_answers_are_told_by_words_and_lines() -> None:
    found = evaluated(
        {
            "a": f"{ENGLISH}\n\n{FRENCH}\n1.",
            "b": CHINESE + "\x00",
            "c": "12 !\x00",
            "d": "",
        }
    )
    letters = [sum(map(str.isalpha, text)) for text in (ENGLISH, FRENCH)]
    share = letters[0] / sum(letters)
    assert found.loc[0, "words"] == pytest.approx(share, abs=0.02)
    assert found.loc[0, "words_fr"] == pytest.approx(1 - share, abs=0.02)
    assert found.loc[0, ["lines", "lines_en", "lines_fr"]].tolist() == [0.5] * 3
    assert found.loc[1, ["words_other", "lines_other"]].tolist() == [1, 1]
    assert found["empty"].tolist() == [False, False, True, True]
    assert (found.loc[[2, 3], ["words_none", "lines_none"]] == 1).all(axis=None)
    assert found["stopped"].tolist() == [False, True, True, False]
    assert found.loc[2, "length"] == 4 and found.loc[2, "answer"] == "12 !"
    for front in ("words_", "lines_"):
        own = [f"{front}{x}" for x in ("en", "fr", "other", "none")]
        np.testing.assert_allclose(found[own].sum(axis=1), 1, atol=1e-6)
    explained = set(forcing.TASK.per_item())
    assert set(found) - explained == {
        f"{front}{x}" for front in ("words_", "lines_")
        for x in ("en", "fr")
    }  # fmt: skip


def test_repetition_by_hand() -> None:
    # abcd bcda cdab dabc abcd: 4 of 5 are new.
    assert open_answers.repetition([1, 2, 3, 4, 1, 2, 3, 4]) == pytest.approx(1 / 5)
    assert open_answers.repetition([1] * 9) == pytest.approx(5 / 6)
    assert open_answers.repetition([1, 2, 3, 4]) == 0 == open_answers.repetition([1])


def test_loops_by_hand() -> None:
    assert open_answers.loops([7, 8] + [1, 2, 3, 4] * 3)
    assert open_answers.loops([7, 8] + [1, 2, 3, 4, 5] * 3 + [1, 2])  # cut inside
    assert open_answers.loops([1] * 12) and not open_answers.loops([1] * 11)
    assert not open_answers.loops([1, 2, 3, 4] * 3 + [9])  # it got out
    assert not open_answers.loops([1, 2, 3, 4, 5, 6, 7] * 2)
    assert not open_answers.loops([])


@given(st.lists(st.integers(0, 5), max_size=40), st.integers(1, 9), st.integers(3, 5))
def test_what_is_repeated_loops(start: list[int], period: int, times: int) -> None:
    block = list(range(10, 10 + period))
    found = open_answers.loops(start + block * times)
    assert found == (period * times >= open_answers.LOOP_TOKENS)
    assert 0 <= open_answers.repetition(start) < 1


@given(st.text(max_size=80))
def test_any_text_has_shares(text: str) -> None:
    pytest.importorskip("pycld2")
    cld2 = language_identity.CLD2
    for found in (cld2.shares(text), language_identity.of_lines(text, cld2)):
        assert sum(found.values()) <= 1 + 1e-9 and all(x > 0 for x in found.values())


def test_letters_of_names_are_not_of_the_language_around() -> None:
    pytest.importorskip("pycld2")
    found = language_identity.CLD2.shares("東京は日本の首都です Microsoft Windows")
    assert found == {"ja": pytest.approx(10 / 26)}


def test_what_tells_languages_is_opened_before_the_model_writes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "pycld2", None)
    own = forcing.Parameters.model_validate({"languages": ["en", "fr"]})
    lm: Any = Said({"a": ENGLISH})
    with pytest.raises(DataError, match="Python package 'pycld2'"):
        forcing.TASK.evaluate(lm, [{"id": 0, "prompt": "a"}], own, "en")
    assert lm.asked == []


def test_every_format_is_read(tmp_path: Path) -> None:
    files = {
        "a.txt": "Why?\n  How? \n\n",
        "a.tsv": "n\tquestion\n1\tWhy?\n2\t  How? \n",
        "a.jsonl": '{"inputs": "Why?"}\n{"inputs": "  How? "}\n',
        "a.json": json.dumps(
            {"data": [{"paragraphs": [{"context": "c", "qas": [
                {"question": q, "answers": [{"text": "x"}]}
                for q in ("Why?", "  How? ")]}]}]}
        ),
    }  # fmt: skip
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
        found = list(forcing.TASK.read_file(tmp_path / name))
        assert [x["prompt"].strip() for x in found] == ["Why?", "How?"], name
        assert [x["id"] for x in found] == [0, 1]
    tsv = "language_code\tlanguage\tprompt\nen\tEnglish\tWhy?\n"
    (tmp_path / "b.tsv").write_text(tsv)
    assert [x["language"] for x in forcing.TASK.read_file(tmp_path / "b.tsv")] == ["en"]


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.txt", "Why?\n\nHow?\n", "line 2 is empty; lines of two languages belong"),
        ("a.csv", "Why?", ".csv is no format of prompts; allowed: .txt, .tsv, .jsonl"),
        ("a.tsv", "text\nWhy?\n", "no column with a prompt; allowed: prompt, question"),
        ("a.jsonl", '{"prompt": 3}', "prompt is 3; a text is expected"),
    ],
)
def test_what_is_no_prompt_is_refused(
    tmp_path: Path, name: str, text: str, said: str
) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match=said.replace(".", r"\.")):
        list(forcing.TASK.read_file(tmp_path / name))


def test_one_hub_table_of_all_languages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "rows", lambda *_: iter(given))
    given = [{"question": "Why?", "language_code": "en", "language": "English"}]
    found = list(forcing.TASK.read_hub(SOURCE, "en", "train"))
    assert found == [{"id": 0, "prompt": "Why?", "language": "en"}]
    given = [{"question": "Why?"}]
    assert list(forcing.TASK.read_hub(SOURCE | {"config": "{lang}"}, "en", "test"))
    with pytest.raises(DataError, match="row 1: it names no language"):
        list(forcing.TASK.read_hub(SOURCE, "en", "train"))


def test_a_lexicon_tells_the_languages_of_a_world(tmp_path: Path) -> None:
    for code, words in {"la": "bo\nku\n", "lb": "ri\nku\n"}.items():
        (tmp_path / f"{code}.txt").write_text(words)
    own = {"lexicon": str(tmp_path / "{lang}.txt"), "lexicon_languages": ["la", "lb"]}
    parameters = forcing.Parameters.model_validate(own | {"languages": ["la", "lb"]})
    assert not list(forcing.TASK.unmet(parameters, ["la"]))
    files = forcing.TASK.files(parameters)
    assert list(files.values()) == [str(tmp_path / f"{x}.txt") for x in ("la", "lb")]
    lm = Said({"bo?": "bo bo ri ku\nri\nku"})
    items = [{"id": 0, "prompt": "bo?"}]
    found = forcing.TASK.evaluate(lm, items, parameters, "la").iloc[0]
    # Both have "ku".
    assert [found[f"words_{x}"] for x in ("la", "lb", "none")] == pytest.approx(
        [2 / 6, 2 / 6, 2 / 6]
    )
    assert [found[f"lines_{x}"] for x in ("la", "lb", "none")] == pytest.approx(
        [1 / 3, 1 / 3, 1 / 3]
    )
    other = parameters.model_copy(update={"languages": ("en",)})
    assert "unknown language 'en'" in next(iter(forcing.TASK.unmet(other, [])))


def test_bad_parameters_and_languages() -> None:
    for template in ("{prompt} {prompt}", "no place", "{prompt!r}", "{other}", "{"):
        with pytest.raises(ValidationError, match="template|must stand in it once"):
            forcing.Parameters(languages=("en",), template=template)
    own = forcing.Parameters(languages=("en", "qq"))
    said = list(forcing.TASK.unmet(own, ["en", "fr"]))
    assert len(said) == 2
    assert "unknown language 'qq'" in said[0] and "unknown language 'fr'" in said[1]


def test_a_batch_changes_no_answer() -> None:
    pytest.importorskip("pycld2")
    from test_classification import word_tokenizer
    from tiny_models import build, opened

    items = [
        {"id": i, "prompt": " ".join(f"w{3 + (i + j) % 20}" for j in range(2 + 3 * i))}
        for i in range(4)
    ]
    own = forcing.Parameters(languages=("en",), max_new_tokens=12)
    model, tokenizer = build("llama"), word_tokenizer()
    one, three = (
        forcing.TASK.evaluate(opened(model, tokenizer, size), items, own, "en")
        for size in (1, 3)
    )
    assert one.equals(three)
    assert one["answer"].nunique() > 1 and (one["length"] > 1).any()
