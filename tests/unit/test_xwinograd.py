"""XWinograd: wording by hand (spec test 7), both layouts of files, bad rows."""

from __future__ import annotations

import json
from collections import Counter

import numpy as np
import pytest

from langneurons import tasks
from langneurons.config.errors import DataError
from langneurons.tasks.common.choices import Option
from langneurons.tasks.common.continuations import Continued, encode
from langneurons.tasks.xwinograd import TASK
from langneurons.text.row_languages import Own
from test_continuations import model, tokenizer
from test_language_model import reference
from tiny_models import opened

BEGUN = "The trophy does not fit into the suitcase because "
TROPHY = {
    "sentence": f"{BEGUN}_ is too large.",
    "option1": "the trophy",
    "option2": "the suitcase",
    "answer": "1",
}
SEEN = {"en": 2325, "ja": 959, "ru": 315, "pt": 263, "fr": 83, "zh": 16}


def parameters(**given):
    return TASK.PARAMETERS.model_validate(given)


def write(path, *rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def read(tmp_path, **changes):
    (item,) = TASK.read_file(write(tmp_path / "x.jsonl", TROPHY | changes))
    return item


def official(path, *changes):
    """Write rows of the official file, whose pronoun stands twice in the sentence."""
    text = 'It said "no", so it left.'
    tokens = ["It", "said", "``", "no", "''", ",", "so", "it", "left", "."]
    options = [["Tom", [0, 1], ["Tom"], False], ["a cat", [0, 1], ["a", "cat"], True]]
    cells = {
        "language": "jp",
        "set": "x",
        "origin": "?",
        "sentence": text,
        "tokens": tokens,
        "pronoun": ["it", [7, 8], ["it"]],
        "options": options,
    }
    lines = []
    for change in changes or ({},):
        given = (cells | change).values()
        shown = [x if isinstance(x, str) else json.dumps(x) for x in given]
        lines.append("\t".join(shown) + "\n")
    path.write_text("".join(lines), encoding="utf-8")
    return path


def test_the_trophy(tmp_path):
    """Spec test 7: contexts end in the option, what follows is scored behind both."""
    item = read(tmp_path)
    assert item["label"] == 0
    wanted = [
        Option(f"{BEGUN}the trophy", " ", "is too large."),
        Option(f"{BEGUN}the suitcase", " ", "is too large."),
    ]
    for wording in ("repaired", "harness", "paper"):
        assert TASK.wording(item, parameters(wording=wording), "en") == wanted
    # By hand, with plain forward passes over each of the two sentences.
    whole, tokens = model("llama"), tokenizer(bos=True)
    made = tasks.checked(
        TASK, TASK.evaluate(opened(whole, tokens), [item], parameters(), "en")
    )
    for number, option in enumerate(wanted):
        text = option.context + option.join + option.text
        coded = tokens(text, return_offsets_mapping=True)
        ends = [end for _, end in coded["offset_mapping"]]
        start = sum(end <= len(option.context) for end in ends)
        ids = np.array(coded["input_ids"])
        sums, _ = reference(whole, ids[:start], ids[start:], None)
        assert made[f"logprob_{number}"][0] == pytest.approx(sums, abs=1e-4)
        assert made[f"tokens_{number}"][0] == len(ids) - start
    assert made["correct"][0] == (made["logprob_0"][0] > made["logprob_1"][0])


@pytest.mark.parametrize(
    ("sentence", "repaired", "harness"),
    [
        ("彼は_を見た。", "を見た。", " を見た。"),
        ("He saw _.", ".", " ."),
        ("He took _'s hat ", "'s hat", " 's hat"),
        ("He saw _  twice", "  twice", " twice"),
        ("Он видел _", None, " "),
    ],
)
def test_what_follows_the_pronoun(tmp_path, sentence, repaired, harness):
    item = read(tmp_path, sentence=sentence)
    for wording, wanted in (("repaired", repaired), ("harness", harness)):
        made = TASK.wording(item, parameters(wording=wording), "xx")
        assert {x.join + x.text for x in made} == ({wanted} if wanted else set())


def test_a_pronoun_that_ends_its_sentence_is_not_asked(tmp_path):
    rows = [TROPHY, TROPHY | {"sentence": "the sun is _"}]
    items = list(TASK.read_file(write(tmp_path / "x.jsonl", *rows)))
    lm = opened(model("llama"), tokenizer())
    assert TASK.evaluate(lm, items, parameters(), "ru")["item"].tolist() == [0]
    spaced = TASK.evaluate(lm, items, parameters(join="space"), "ru")
    assert spaced["item"].tolist() == [0, 1] and spaced["tokens_0"][1] == 1
    with pytest.raises(DataError, match="ru: none of 1 items can be asked"):
        TASK.evaluate(lm, items[1:], parameters(), "ru")


def test_the_paper_counts_more_of_the_shorter_option(tmp_path):
    lm = opened(model("llama"), tokenizer("left"))
    items = [read(tmp_path, option1="sun", option2="the red sun là")]
    exact = TASK.evaluate(lm, items, parameters(boundary="separate"), "en")
    paper = TASK.evaluate(lm, items, parameters(wording="paper"), "en")
    assert paper["logprob_0"][0] < exact["logprob_0"][0] - 1
    assert paper["logprob_1"][0] == pytest.approx(exact["logprob_1"][0], abs=1e-4)


@pytest.mark.parametrize("bos", [True, False])
def test_blanks_at_the_end_of_a_context_are_scored_as_the_harness_does(bos):
    lm = opened(model("llama"), tokenizer(bos=bos))
    moved, kept = (
        encode(lm, [Continued.of(0, context, [text])], "alone")[0][0]
        for context, text in (("the sun  ", "is"), ("the sun", "  is"))
    )
    assert [a.tolist() for a in moved] == [b.tolist() for b in kept]


def test_a_context_without_text_is_what_begins_texts():
    for bos in (True, False):
        lm = opened(model("llama"), tokenizer(bos=bos))
        begun, rest = encode(lm, [Continued.of(0, "", ["the sun"])], "alone")[0][0]
        assert begun.tolist() == [1]
        assert tokenizer().decode(rest) == "the sun"


def test_a_continuation_may_have_the_tokens_that_it_has_by_itself():
    """``apart`` cannot be joined to its context, whatever the tokenizer would merge."""
    lm = opened(model("llama"), tokenizer())
    one = Continued.of(0, "the sun is ", ["red. la"])
    with pytest.raises(DataError, match="no tokens"):
        encode(lm, [one], "separate")
    begun, rest = encode(lm, [one], "apart")[0][0]
    assert rest.tolist() == lm.encode(["red. la"])[0]
    assert begun.tolist() == lm.encode(["the sun is "], beginning=True)[0]


def test_the_official_file_becomes_the_hub_s_layout(tmp_path):
    (item,) = TASK.read_file(official(tmp_path / "dataset.tsv"))
    assert item == {
        "id": 0,
        "sentence": 'It said "no", so _ left.',
        "option1": "Tom",
        "option2": "a cat",
        "label": 1,
        "language": "ja",
    }


def test_every_official_row_is_read(shared_data):
    path = shared_data / "xwinograd/dataset.tsv"
    items = list(TASK.read_file(path))
    assert Counter(item["language"] for item in items) == SEEN
    assert items[0]["sentence"].endswith("a permit because _ feared violence.")
    ends = [x["language"] for x in items if not x["sentence"].partition("_")[2].strip()]
    assert Counter(ends) == {"ru": 10}
    for code, count in SEEN.items():
        own = Own(code, str(path)).of_items(items)
        assert len(own) == count
        share = sum(x["label"] == 0 for x in own) / count
        assert 0.4 < share < 0.6
    # A blank follows the pronoun nearly everywhere but in ja and zh, where none does.
    joins = Counter(
        (x["language"] in ("ja", "zh"), TASK.wording(x, parameters(), "")[0].join)
        for x in items
        if x["sentence"].partition("_")[2].strip()
    )
    assert joins[True, " "] == 0 and joins[False, " "] > 40 * joins[False, ""] > 0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"sentence": "No blank."}, "sentence has 0 '_', 'No blank.'; exactly one"),
        ({"sentence": "_ saw _."}, "sentence has 2 '_'"),
        ({"option2": " "}, "option2 is ' '; a text is expected"),
        ({"answer": "3"}, "answer is '3'.*Allowed: 1, 2"),
        ({"answer": None}, "answer is None"),
        ({"option1": ...}, "no column option1; has"),
    ],
)
def test_bad_rows_are_refused_with_place_and_what_is_allowed(change, said, tmp_path):
    row = {k: v for k, v in {**TROPHY, **change}.items() if v is not ...}
    path = write(tmp_path / "bad.jsonl", TROPHY, row)
    with pytest.raises(DataError, match=rf"bad\.jsonl: row 2 \(line 2\): {said}"):
        list(TASK.read_file(path))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"tokens": ["It", "says"]}, "'says' is not at character 3"),
        ({"pronoun": ["he", [7, 8], ["he"]]}, "7 to 8 are 'it', the pronoun 'he'"),
        ({"pronoun": ["it", [17, 18], ["it"]]}, "list index out of range"),
        ({"options": [["a", [0, 1], ["a"], True]]}, "two options, as in the official"),
        ({"options": [["a", [], [], True], ["b", [], [], True]]}, "True and True"),
        ({"tokens": "[1"}, "tokens, pronoun, options are to be JSON"),
        ({"origin": "a\tb"}, "8 cells separated by tabs; 7 are expected"),
        ({"sentence": 'It_ said "no", so it left.'}, "'said' is not at"),
    ],
)
def test_bad_official_rows_are_refused(change, said, tmp_path):
    path = official(tmp_path / "dataset.tsv", {}, change)
    with pytest.raises(DataError, match=rf"dataset\.tsv: line 2: .*{said}"):
        list(TASK.read_file(path))


def test_a_wording_sets_the_switches():
    assert parameters() == parameters(
        wording="paper", join="as_written", boundary="offsets", padding="exact"
    ).model_copy(update={"wording": "repaired"})
    assert parameters(wording="paper").padding == "paper_left"
    with pytest.raises(ValueError, match="'repaired', 'harness' or 'paper'"):
        parameters(wording=None)
