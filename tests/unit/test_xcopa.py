"""XCOPA: wording and its switches, the defects of the official files, bad rows."""

from __future__ import annotations

import json

import numpy as np
import pytest

from langneurons import tasks
from langneurons.config.errors import DataError
from langneurons.nn.evaluation.examples import Likelihood
from langneurons.tasks.common.choices import options, table
from langneurons.tasks.xcopa import ASKED, CONNECTORS, DEFECTIVE, TASK, Parameters
from test_continuations import model, tokenizer
from tiny_models import opened

ROW = {"premise": "Adam kızdı. ", "choice1": "Su içti.", "choice2": "Ev yandı.",
       "question": "effect", "label": 1, "idx": 0, "changed": False}  # fmt: skip
WRONG = {"th": 250, "tr": 51, "sw": 37, "id": 4, "it": 4}
OF_VALIDATION = {"th": 52, "tr": 52, "sw": 6, "id": 5, "it": 5}


def parameters(**given):
    return TASK.PARAMETERS.model_validate(given)


def write(path, *rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def context(item, given, lang):
    (found,) = {option.context for option in TASK.wording(item, given, lang)}
    return found


def official(folder, lang, split="test"):
    return list(TASK.read_file(folder / f"xcopa/{lang}/{split}.{lang}.jsonl"))


def test_a_wording_sets_the_switches_and_each_can_be_set_alone():
    said = {
        name: tuple(getattr(parameters(wording=name), key) for key in switches)
        for name, switches in Parameters.WORDINGS.items()
    }
    assert said == {
        "repaired": ("final_punct", "repaired", "by_language", "offsets", "exact"),
        "harness": ("last_char", "as_is", "space", "alone", "exact"),
        "paper": ("last_char", "as_is", "space", "separate", "paper_left"),
    }
    assert parameters() == parameters(wording="repaired", trim="final_punct")
    own = parameters(wording="paper", trim="final_punct", join=None)
    assert (own.trim, own.join, own.question) == ("final_punct", "space", "as_is")
    with pytest.raises(ValueError, match="'repaired', 'harness' or 'paper'"):
        parameters(wording="papr")


@pytest.mark.parametrize(
    ("lang", "premise", "asked", "given", "context", "join"),
    [
        ("tr", "Adam kızdı. ", "cause", {}, "Adam kızdı çünkü", " "),
        ("tr", "Adam kızdı. ", "effect", {}, "Adam kızdı bu yüzden", " "),
        ("zh", "男人生气了。", "cause", {}, "男人生气了因为", ""),
        ("zh", "男人生气了。", "cause", {"join": "space"}, "男人生气了 因为", " "),
        ("zh", "男人生气了。", "effect", {"trim": "last_char"}, "男人生气了所以", ""),
        ("th", "ปลวกกินบ้าน", "cause", {"join": "space"}, "ปลวกกินบ้าน เพราะ", " "),
        ("th", "ปลวกกินบ้าน", "cause", {}, "ปลวกกินบ้านเพราะ", ""),
        ("th", "ปลวกกินบ้าน", "cause", {"wording": "paper"}, "ปลวกกินบ้า เพราะ", " "),
        ("ta", "அவன் வந்தான்", "cause", {}, "அவன் வந்தான் காரணமாக", " "),
        ("ta", "அவன் வந்தான்", "effect", {"trim": "last_char"}, "அவன் வந்தான எனவே", " "),
    ],
)  # fmt: skip
def test_wording_by_hand(lang, premise, asked, given, context, join):
    item = {"id": 0, "premise": premise, "question": asked, "asked": asked, "label": 0}
    item |= {"choice1": "Su içti.", "choice2": "Ev yandı."}
    wanted = options(context, join, ["su içti.", "ev yandı."])
    assert TASK.wording(item, parameters(**given), lang) == wanted


def test_the_first_thai_premise_keeps_its_last_letter(shared_data):
    """Spec test 6: ``last_char`` drops a letter in Thai and a full stop in Chinese."""
    th, zh = (official(shared_data, lang)[0] for lang in ("th", "zh"))
    assert th["premise"].endswith("ก")
    for trim, kept in (
        ("last_char", th["premise"][:-1]),
        ("final_punct", th["premise"]),
    ):
        given = parameters(trim=trim)
        assert context(th, given, "th").startswith(kept + CONNECTORS["th"][1]) or (
            context(th, given, "th") == kept + CONNECTORS["th"][0]
        )
        assert "。" not in context(zh, given, "zh")


@pytest.mark.parametrize("lang", CONNECTORS)
def test_repaired_questions_are_those_of_the_other_languages(lang, shared_data):
    """Labels agree in all languages; the questions of five do not, and are repaired."""
    for split, wrong in (("test", WRONG), ("val", OF_VALIDATION)):
        items = official(shared_data, lang, split)
        right = official(shared_data, "et", split)
        assert [x["label"] for x in items] == [x["label"] for x in right]
        assert [x["asked"] for x in items] == [x["question"] for x in right]
        differ = sum(x["question"] != x["asked"] for x in items)
        assert differ == wrong.get(lang, 0)
        assert (lang in DEFECTIVE) == (differ > 0)
    items = official(shared_data, lang)
    contexts = {
        way: [context(x, parameters(question=way), lang) for x in items]
        for way in ("as_is", "repaired")
    }
    changed = np.array(contexts["as_is"]) != np.array(contexts["repaired"])
    assert changed.sum() == WRONG.get(lang, 0)
    causes = sum(text.endswith(CONNECTORS[lang][0]) for text in contexts["repaired"])
    assert causes == 250
    if lang == "th":
        assert not any(t.endswith(CONNECTORS["th"][0]) for t in contexts["as_is"])


def test_the_number_in_the_file_says_which_row_it_is(tmp_path):
    rows = [{**ROW, "idx": 99 - i} for i in range(100)]
    asked = [item["asked"] for item in TASK.read_file(write(tmp_path / "a", *rows))]
    in_order = [{key: ROW[key] for key in ROW if key != "idx"}] * 100
    wanted = [x["asked"] for x in TASK.read_file(write(tmp_path / "b", *in_order))]
    assert asked == wanted[::-1] and asked.count("cause") == 52
    assert [int(bits, 16).bit_count() for bits in ASKED.values()] == [250, 52]


def test_another_file_cannot_be_repaired_and_needs_it_in_five_languages(tmp_path):
    items = list(TASK.read_file(write(tmp_path / "few.jsonl", ROW, ROW)))
    assert [item["asked"] for item in items] == [None, None]
    with pytest.raises(DataError, match="item 0: question: repaired.*500 rows.*as_is"):
        TASK.wording(items[0], parameters(), "tr")
    assert context(items[0], parameters(question="as_is"), "tr").endswith("yüzden")
    assert context(items[0], parameters(), "vi").endswith("vì vậy")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"label": 2}, r"row 2 \(line 2\): label is 2.*Allowed: 0, 1"),
        ({"label": True}, "label is True.*Allowed: 0, 1"),
        ({"question": "reason"}, "question is 'reason'.*Allowed: cause, effect"),
        ({"choice2": "  "}, "choice2 is '  '; a text is expected"),
        ({"premise": None}, "premise is None"),
        ({"premise": ...}, "no column premise; has"),
    ],
)
def test_bad_rows_are_refused_with_place_and_what_is_allowed(change, said, tmp_path):
    row = {k: v for k, v in {**ROW, **change}.items() if v is not ...}
    path = write(tmp_path / "bad.jsonl", ROW, row)
    with pytest.raises(DataError, match=rf"bad\.jsonl: .*{said}"):
        list(TASK.read_file(path))


def test_a_line_that_is_no_object_is_refused(tmp_path):
    path = tmp_path / "bad.jsonl"
    path.write_text("[1]\n")
    with pytest.raises(DataError, match="row 1 .*list is given.*premise, choice1"):
        list(TASK.read_file(path))
    path.write_text("premise\n")
    with pytest.raises(DataError, match="row 1 .*not valid JSON"):
        list(TASK.read_file(path))


def test_a_row_beyond_the_official_ones_is_refused(tmp_path):
    path = write(tmp_path / "x.jsonl", *[{**ROW, "idx": i + 1} for i in range(100)])
    with pytest.raises(DataError, match=r"row 100 \(line 100\): idx is 100"):
        list(TASK.read_file(path))


def test_languages_without_a_connector_are_told_of_before_the_first_job():
    (said,) = TASK.unmet(parameters(), ["th", "en", "it"])
    assert "'en'" in said and "et, ht, id" in said


def test_choices_by_hand():
    """The sum, the mean per token and the mean per character choose differently."""
    found = [
        Likelihood(np.array([-6.0, -8.0]), np.array([2, 4]), np.zeros(2, bool)),
        Likelihood(np.array([-6.0, -6.0]), np.array([3, 2]), np.zeros(2, bool)),
    ]
    items = [{"id": 4, "label": 1}, {"id": 7, "label": 0}]
    made = table(items, found, [["abc", "abcd"], ["ab", "abcdef"]])
    assert made["item"].tolist() == [4, 7] and made["label"].tolist() == [1, 0]
    assert made["choice"].tolist() == [0, 0]  # of equal sums the first
    assert made["correct"].tolist() == [False, True]
    assert made["correct_token"].tolist() == [True, True]  # -3, -2; -2, -3
    assert made["correct_char"].tolist() == [False, False]  # -2, -2; -3, -1
    assert made["tokens_1"].tolist() == [4, 2]
    assert made["logprob_0"].tolist() == [-6.0, -6.0]


def test_it_is_evaluated_and_its_columns_are_explained():
    items = [
        {"id": i, "premise": f"the sun {i}.", "choice1": "A sun.",
         "choice2": "The red sun",
         "question": ("cause", "effect")[i % 2], "asked": None, "label": i % 2}
        for i in range(6)
    ]  # fmt: skip
    lm = opened(model("llama"), tokenizer("left"))
    made = tasks.checked(TASK, TASK.evaluate(lm, items, parameters(), "vi"))
    assert list(made) == ["item", *TASK.METRICS, *list(TASK.per_item())[3:]]
    assert set(tasks.metrics(TASK, made, parameters(), "vi")) == set(TASK.METRICS)
    paper = TASK.evaluate(lm, items, parameters(wording="paper"), "vi")
    shorter = made["tokens_0"] != made["tokens_1"]
    assert shorter.all()
    moved = (
        paper["logprob_0"] - made["logprob_0"] + paper["logprob_1"] - made["logprob_1"]
    )
    assert (moved < -1).all()  # one option counts words of the context too
    assert not tasks.is_trainable(TASK) and TASK.CONTINUES and not TASK.SHIFTS
