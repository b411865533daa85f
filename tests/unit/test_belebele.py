"""Belebele: wording, real files, codes of the data set, bad rows."""

from __future__ import annotations

import json

import pytest

from langneurons import tasks
from langneurons.config.errors import DataError
from langneurons.tasks.belebele import TASK
from langneurons.tasks.common.choices import options
from test_continuations import model, tokenizer
from tiny_models import opened

ROW = {"link": "x", "question_number": 1, "flores_passage": "The sun is red.",
       "question": " What is red? ", "mc_answer1": "The sun", "mc_answer2": "A cat",
       "mc_answer3": "Nobody ", "mc_answer4": "All", "correct_answer_num": "3",
       "dialect": "eng_Latn"}  # fmt: skip


def write(path, *rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_wording_by_hand(tmp_path):
    (item,) = TASK.read_file(write(tmp_path / "en.jsonl", ROW))
    assert item["label"] == 2 and "language" not in item
    listed = (
        "P: The sun is red.\nQ: What is red?\n"
        "A: The sun\nB: A cat\nC: Nobody \nD: All\n"
        "Answer:"
    )
    wanted = options(listed, " ", ["A", "B", "C", "D"])
    assert TASK.wording(item, TASK.PARAMETERS(), "en") == wanted
    full = TASK.PARAMETERS(wording="answers")
    bare = "P: The sun is red.\nQ: What is red?\nAnswer:"
    wanted = options(bare, " ", ["The sun", "A cat", "Nobody", "All"])
    assert TASK.wording(item, full, "en") == wanted


def test_both_wordings_are_evaluated(tmp_path):
    rows = [{**ROW, "correct_answer_num": str(1 + i % 4)} for i in range(8)]
    items = list(TASK.read_file(write(tmp_path / "en.jsonl", *rows)))
    lm = opened(model("llama"), tokenizer())
    for wording, tokens in (("harness", 1), ("answers", 3)):
        given = TASK.PARAMETERS(wording=wording)
        made = tasks.checked(TASK, TASK.evaluate(lm, items, given, "en"))
        assert made["tokens_3"].min() >= tokens and made["correct"].mean() == 0.25
        assert list(made) == ["item", *TASK.METRICS, *list(TASK.per_item())[3:]]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"correct_answer_num": "5"}, "correct_answer_num is '5'.*Allowed: 1, 2, 3, 4"),
        ({"correct_answer_num": None}, "correct_answer_num is None"),
        ({"mc_answer4": ""}, "mc_answer4 is ''; a text is expected"),
        ({"flores_passage": ...}, "no column flores_passage"),
    ],
)
def test_bad_rows_are_refused(change, said, tmp_path):
    row = {k: v for k, v in {**ROW, **change}.items() if v is not ...}
    path = write(tmp_path / "bad.jsonl", ROW, row)
    with pytest.raises(DataError, match=rf"bad\.jsonl: row 2 \(line 2\): {said}"):
        list(TASK.read_file(path))


@pytest.mark.parametrize("code", ["eng_Latn", "deu_Latn"])
def test_the_real_files_are_read(code, shared_data):
    items = list(TASK.read_file(shared_data / f"belebele/{code}.jsonl"))
    assert len(items) == 900
    shares = [sum(x["label"] == i for x in items) / 900 for i in range(4)]
    assert max(shares) < 0.3 and min(shares) > 0.2
    assert len({x["flores_passage"] for x in items}) == 488
