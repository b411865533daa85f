"""Questions in one language about passages in another: by hand (spec test 16)."""

from __future__ import annotations

import json

import pytest
from pydantic import ValidationError

from langneurons import tasks
from langneurons.config.errors import DataError
from langneurons.tasks import belebele_bridged
from langneurons.tasks.belebele_bridged import TASK, Parameters, choice
from scripted_model import Scripted
from test_belebele import ROW, write
from test_continuations import model, tokenizer
from tiny_models import opened

SPEC = {
    "task": "t",
    "kind": "belebele_bridged",
    "data": {"hub": None},
    "language": "de-en",
    "split": "test",
    "test_items": None,
    "test_seed": 0,
}
SUN = {**ROW, "flores_passage": "Die Sonne ist rot.", "question": "Was?"}
SEA = {**SUN, "link": "y", "flores_passage": "Das Meer ist blau."}


@pytest.fixture
def paths(tmp_path):
    english = [{**ROW, "link": "y"}, ROW, {**ROW, "question_number": 2}]
    return [write(tmp_path / "de", SUN, SEA), write(tmp_path / "en", *english)]


def run(lm, items, treatment, **changes):
    asked = items, Parameters(**changes), "de-en"
    return tasks.evaluated(TASK, treatment, lm, asked)


def test_passages_of_one_language_stand_before_questions_of_the_other(paths):
    items = tasks.prepare(SPEC, paths)
    assert [item["id"] for item in items] == [0, 1, 2]
    assert [item["flores_passage"] for item in items] == [
        SEA["flores_passage"], SUN["flores_passage"], SUN["flores_passage"],
    ]  # fmt: skip
    assert {item["question"].strip() for item in items} == {"What is red?"}


@pytest.mark.parametrize(
    ("german", "english", "said"),
    [
        ([SEA], [ROW], "no passage in the source language has the link 'x' of ques"),
        ([SUN, {**SUN, "flores_passage": "B"}], [ROW], "two passages .* link 'x'"),
        ([SUN], [ROW, ROW], "question 1 about 'x' stands twice"),
        ([{**SUN, "link": " "}], [ROW], "link or question_number is empty"),
    ],
)
def test_files_that_do_not_fit_together_are_refused(tmp_path, german, english, said):
    paths = [write(tmp_path / "de", *german), write(tmp_path / "en", *english)]
    with pytest.raises(DataError, match=said):
        tasks.prepare(SPEC, paths)


@pytest.mark.parametrize(
    ("text", "paper", "case_sensitive"),
    [
        ("It is a cat: C", 0, 2),
        ("D", 3, 3),
        ("d.", 3, -1),
        ("Because", -1, -1),
        ("B or C", 1, 1),
        ("", -1, -1),
    ],
)
def test_which_letter_an_answer_gives(text, paper, case_sensitive):
    assert choice(text, "paper") == paper
    assert choice(text, "case_sensitive") == case_sensitive


def test_generated_answers_about_a_translated_passage(paths):
    items = tasks.prepare(SPEC, paths)
    asked = "Translate the following text from deu_Latn to fra_Latn:\n{}\nTranslation: "
    lm = Scripted({
        asked.format(SEA["flores_passage"]): " La mer est bleue.\nEnglish: x",
        asked.format(SUN["flores_passage"]): "Le soleil est rouge.",
        "Answer:": " C",
    })  # fmt: skip
    made = run(lm, items, "via_fr", answer="generate")
    assert made["correct"].all() and list(made["choice"]) == [2, 2, 2]
    sun = "Le soleil est rouge."
    assert list(made["aid"]) == ["La mer est bleue.", sun, sun]
    # Each passage is translated once.
    assert len(lm.asked) == 5 and lm.asked[3] == (
        f"{belebele_bridged.INSTRUCTION}\nPassage: {sun}\nQuestion: What is red?\n"
        "Choices:\nA: The sun\nB: A cat\nC: Nobody\nD: All\nAnswer:"
    )
    direct = run(lm, items, "none", answer="generate")
    assert set(direct["aid"]) == {""} and lm.asked[5].count("Das Meer ist blau.") == 1


def test_languages_may_be_called_by_name(paths):
    items = tasks.prepare(SPEC, paths)
    lm = Scripted({"Translation: ": "x", "Answer:": "none"})
    made = run(
        lm, items, "via_fr", answer="generate", called="name", names={"fr": "Gallic"}
    )
    assert "from German to Gallic:" in lm.asked[0] and list(made["choice"]) == [-1] * 3


@pytest.mark.parametrize("treatment", ["none", "via_fr"])
def test_a_tiny_model_scores_letters(paths, treatment):
    items = [{**item, "question": "the sun?"} for item in tasks.prepare(SPEC, paths)]
    lm = opened(model("llama"), tokenizer())
    made = run(lm, items, treatment, max_new_tokens=8)
    assert list(made)[:6] == ["item", "correct", "label", "choice", "aid", "raw"]
    assert (
        made["choice"] == made[[f"logprob_{i}" for i in range(4)]].to_numpy().argmax(1)
    ).all()
    assert made["aid"].map(bool).any() == (treatment != "none")


def test_only_the_first_items(paths):
    items, lm = tasks.prepare(SPEC, paths), Scripted({"Answer:": "C"})
    made = run(lm, items, "none", answer="generate", first=2)
    assert list(made["item"]) == [0, 1]
    with pytest.raises(DataError, match="none of 1 items is among the first 1"):
        run(lm, items[2:], "none", answer="generate", first=1)


def test_settings_of_text_are_refused_where_none_is_written():
    with pytest.raises(ValidationError, match="answer loglik writes no text"):
        Parameters(pattern="paper")
    written_out = Parameters(pattern="case_sensitive", answer_tokens=10)
    assert written_out == Parameters()


def test_languages_without_a_name_are_told():
    assert list(TASK.unmet(Parameters(), ["zh-sw", "fr"])) == []
    # Passages are never translated into the language of the questions.
    assert list(TASK.unmet(Parameters(), ["zh-xx"])) == []
    told = list(TASK.unmet(Parameters(), ["xx-sw", "yy"]))
    assert len(told) == 2 and "parameters.names: unknown language 'xx'" in told[0]


def test_what_a_bridge_generates():
    assert TASK.generates(Parameters()) == 0
    assert TASK.generates_via(Parameters()) == 512
    assert TASK.generates_via(Parameters(answer="generate")) == 522


def test_the_real_files_fit_together(shared_data):
    files = [
        shared_data / f"belebele/{code}.jsonl" for code in ("deu_Latn", "eng_Latn")
    ]
    items = tasks.prepare(SPEC, files)
    english = [json.loads(line) for line in files[1].read_text("utf-8").splitlines()]
    german = [json.loads(line) for line in files[0].read_text("utf-8").splitlines()]
    assert len(items) == 900
    for item, own, other in zip(items, english, german, strict=True):
        assert item["question"] == own["question"]
        assert item["flores_passage"] == other["flores_passage"]
