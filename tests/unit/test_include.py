"""INCLUDE: three layouts of files, wordings by hand, what is left out, bad rows."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from langneurons import tasks
from langneurons.config.errors import DataError
from langneurons.tasks.common.choices import options
from langneurons.tasks.include import TASK
from langneurons.text.row_languages import Own
from test_continuations import model, tokenizer
from tiny_models import opened

ANSWERS = ["Hue", "Hanoi ", "Saigon", "Vinh"]
LITE = {
    "language": "Vietnamese",
    "country": "Viet Nam",
    "domain": "STEM",
    "question": " Capital? ",
    "choices": ANSWERS,
    "answer": 1,
}
BASE = {k: v for k, v in LITE.items() if k != "choices"} | {
    f"option_{x}": text for x, text in zip("abcd", ANSWERS, strict=True)
}
EXAMS = {
    "id": "x",
    "question": {
        "stem": " Capital? ",
        "choices": [
            {"text": t, "label": x} for x, t in zip("ABCD", ANSWERS, strict=True)
        ],
    },
    "answerKey": "B",
    "info": {"grade": 12, "subject": "Geography", "language": "Vietnamese"},
}


def parameters(**given):
    return TASK.PARAMETERS.model_validate(given)


def write(path, *rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_three_layouts_are_one(tmp_path):
    lite, base, exams = TASK.read_file(write(tmp_path / "x", LITE, BASE, EXAMS))
    wanted = {k: LITE[k] for k in ("question", "choices", "domain")}
    assert lite == {"id": 0, "label": 1, "language": "vi", **wanted}
    assert base == lite | {"id": 1} and exams == lite | {"id": 2, "domain": None}
    bare = {k: v for k, v in LITE.items() if k != "language"}
    (item,) = TASK.read_file(write(tmp_path / "bare", bare))
    assert "language" not in item


@pytest.mark.parametrize(
    ("wording", "context", "join", "texts"),
    [
        ("repaired", "Capital?\nA. Hue\nB. Hanoi\nC. Saigon\nD. Vinh\nAnswer:", " ",
         "ABCD"),
        ("harness", "The following is multiple-choice question about STEM.Capital?\n"
         "A. Hue\nB. Hanoi \nC. Saigon\n D. Vinh\nAnswer:", " ", "ABCD"),
        ("paper", "Capital?\nA) Hue\nB) Hanoi \nC) Saigon\nD) Vinh\nAnswer:", "",
         "ABCD"),
        ("answers", "Capital?\nAnswer:", " ", ["Hue", "Hanoi", "Saigon", "Vinh"]),
    ],
)  # fmt: skip
def test_wording_by_hand(tmp_path, wording, context, join, texts):
    (item,) = TASK.read_file(write(tmp_path / "x", LITE))
    given = parameters(wording=wording)
    assert TASK.wording(item, given, "vi") == options(context, join, list(texts))
    # EXAMS names no domain, so that nothing is said of it.
    made = TASK.wording(item | {"domain": None}, given, "vi")
    assert made[0].context == context.removeprefix(
        "The following is multiple-choice question about STEM."
    )


def test_the_paper_s_letters_have_the_tokens_that_they_have_alone(tmp_path):
    """Whatever the tokenizer would make of a colon with a letter behind it."""
    items = list(TASK.read_file(write(tmp_path / "x", LITE, EXAMS)))
    lm = opened(model("llama"), tokenizer())
    made = tasks.checked(
        TASK, TASK.evaluate(lm, items, parameters(wording="paper"), "vi")
    )
    for item, row in zip(items, made.itertuples(), strict=True):
        context = TASK.wording(item, parameters(wording="paper"), "vi")[0].context
        begun = lm.encode([context], beginning=True)
        letters = [lm.encode([x])[0][0] for x in "ABCD"]
        wanted = lm.next_tokens(begun, letters)[0]
        found = [getattr(row, f"logprob_{i}") for i in range(4)]
        assert found == pytest.approx(wanted.tolist(), abs=1e-4)


def test_other_numbers_of_answers_are_left_out_and_counted(tmp_path, capsys):
    three = EXAMS | {
        "question": {"stem": "x", "choices": EXAMS["question"]["choices"][:3]}
    }
    french = three | {"info": {"language": "French"}}
    unknown = EXAMS | {"answerKey": "@"}
    path = write(tmp_path / "x", three, EXAMS, french, unknown, french)
    assert [item["id"] for item in TASK.read_file(path)] == [1]
    assert capsys.readouterr().err == (
        f"{path}: left out: fr, 3 answers: 2; vi, 3 answers: 1; "
        "vi, no right answer: 1\n"
    )


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"answer": 4}, "label 4 is not allowed"),
        ({"answer": None}, "label None is not allowed"),
        ({"choices": ["a", " ", "b", "c"]}, "an answer is ' '; a text is expected"),
        ({"choices": "abcd"}, "choices are 'abcd'; a list of texts"),
        ({"question": ""}, "question is ''"),
        ({"choices": ...}, "no column option_a"),
        ({"answer": ...}, "no column answer"),
        ({"question": {"stem": "x"}}, "no column answerKey, info"),
    ],
)
def test_bad_rows_are_refused(change, said, tmp_path):
    row = {k: v for k, v in {**LITE, **change}.items() if v is not ...}
    path = write(tmp_path / "bad.jsonl", LITE, row)
    with pytest.raises(DataError, match=rf"bad\.jsonl: row 2 \(line 2\): {said}"):
        list(TASK.read_file(path))


def test_exams_is_read(shared_data, capsys):
    path = shared_data / "exams/test.jsonl"
    items = list(TASK.read_file(path))
    counts = Counter(item["language"] for item in items)
    assert counts["vi"] == 1222 and counts["fr"] == 128 and counts["mk"] == 1032
    assert counts["tr"] == 650 and len(counts) == 16
    assert "left out: de, 3 answers: 327; " in capsys.readouterr().err
    own = Own("vi", str(path)).of_items(items)
    shares = Counter(item["label"] for item in own)
    assert set(shares) == {0, 1, 2, 3} and max(shares.values()) < 0.35 * len(own)


@pytest.mark.parametrize("wording", TASK.PARAMETERS.WORDINGS)
def test_each_wording_is_evaluated(wording, tmp_path):
    rows = [LITE | {"answer": i % 4, "question": f"{i}?"} for i in range(4)]
    items = list(TASK.read_file(write(tmp_path / "x", *rows)))
    lm = opened(model("llama"), tokenizer())
    given = parameters(wording=wording)
    made = tasks.checked(TASK, TASK.evaluate(lm, items, given, "vi"))
    assert list(made) == ["item", *TASK.METRICS, *list(TASK.per_item())[3:]]
    assert set(made["label"]) == {0, 1, 2, 3} and made["choice"].between(0, 3).all()
