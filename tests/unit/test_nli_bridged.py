"""Sentence pairs of two languages, directly and through a third, by hand."""

from __future__ import annotations

import pytest

from langneurons import tasks
from langneurons.config.errors import DataError
from langneurons.tasks.common.choices import Option
from langneurons.tasks.nli_bridged import TASK, Parameters
from test_continuations import model, tokenizer
from test_xnli_prompt import TASK as PROMPT
from tiny_models import opened

SPEC = {
    "task": "t",
    "kind": "nli_bridged",
    "data": {"hub": None},
    "language": "vi-en",
    "split": "test",
    "test_items": None,
    "test_seed": 0,
}
HEAD = "premise\thypothesis\tlabel\n"
VI = ["trời là\tđỏ\tneutral", "trời là\tlà\t0", "mặt\tlà\tcontradiction"]
EN = ["the sun is\tred\t1", "the sun is\tla\t0", "a\tthe sun\t2"]


def write(path, rows):
    path.write_text(HEAD + "".join(f"{row}\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture
def items(tmp_path):
    return tasks.prepare(SPEC, [write(tmp_path / "vi", VI), write(tmp_path / "en", EN)])


def run(lm, items, treatment, **changes):
    asked = items, Parameters.model_validate(changes), "vi-en"
    return tasks.evaluated(TASK, treatment, lm, asked)


def test_a_premise_of_one_language_and_a_hypothesis_of_the_other(items):
    assert [(x["premise"], x["hypothesis"], x["label"]) for x in items] == [
        ("trời là", "red", 1), ("trời là", "la", 0), ("mặt", "the sun", 2),
    ]  # fmt: skip
    said = TASK.wording(items[0], Parameters(), "vi-en")
    assert said[0] == Option("trời là, right?", " ", "Yes, red")
    assert said == PROMPT.wording(items[0], PROMPT.PARAMETERS(), "en")


@pytest.mark.parametrize(
    ("vietnamese", "said"),
    [
        (VI[:2], "2 items in the source language and 3 in the target language"),
        ([*VI[:2], "a\tb\t1"], "item 3 is neutral and contradiction; both languages"),
    ],
)
def test_files_that_are_not_parallel_are_refused(tmp_path, vietnamese, said):
    paths = [write(tmp_path / "vi", vietnamese), write(tmp_path / "en", EN)]
    with pytest.raises(DataError, match=said):
        tasks.prepare(SPEC, paths)


def test_through_a_bridge_the_translation_is_the_premise(items, monkeypatch):
    """It equals the direct way on an item whose premise is the translation."""
    lm, asked = opened(model("llama"), tokenizer()), []
    made = {"trời là": " the red sun ", "mặt": ""}

    def ask(_, prompts, most):
        asked.extend(prompts)
        assert most == 128
        return [made[prompt.split("\n")[1]] for prompt in prompts]

    monkeypatch.setattr("langneurons.tasks.common.translations.ask", ask)
    found = run(lm, items, "via_fr")
    assert asked[0] == (
        "Translate the following text from Vietnamese to French:\n"
        "trời là\nTranslation: "
    )
    assert len(asked) == 2  # the same premise is translated once
    assert list(found["aid"]) == ["the red sun", "the red sun", ""]
    other = [x | {"premise": aid} for x, aid in zip(items, found["aid"], strict=True)]
    direct = run(lm, other, "none")
    assert set(direct["aid"]) == {""}
    assert found.drop(columns="aid").equals(direct.drop(columns="aid"))
    assert not direct.equals(run(lm, items, "none"))


def test_a_tiny_model_translates_for_itself(items):
    lm = opened(model("llama"), tokenizer())
    found = run(lm, items, "via_zh", max_new_tokens=6, called="code")
    assert found["aid"].map(bool).any()
    assert set(found) == {*TASK.METRICS, *TASK.per_item(), "item"}
    assert TASK.generates(Parameters()) == 0
    assert TASK.generates_via(Parameters(max_new_tokens=6)) == 6


def test_languages_without_words_or_a_name_are_told():
    assert list(TASK.unmet(Parameters(), ["vi-en", "zh"])) == []
    # Premises are translated from xx into zz; hypotheses are written in yy.
    told = list(TASK.unmet(Parameters(), ["xx-yy", "zz"]))
    assert len(told) == 3
    assert "'yy'" in told[0] and "parameters.words" in told[0]
    assert "'xx'" in told[1] and "'zz'" in told[2]
    assert all("parameters.names" in x for x in told[1:])
    assert TASK.PAIRS and not tasks.is_trainable(TASK) and TASK.CONTINUES


def test_the_real_files_are_parallel(shared_data):
    files = [shared_data / f"xnli/test-{lang}.tsv" for lang in ("vi", "en")]
    items = tasks.prepare(SPEC, files)
    assert len(items) == 5010
    english = [line.split("\t") for line in files[1].read_text("utf-8").splitlines()]
    assert [x["hypothesis"] for x in items] == [cells[1] for cells in english[1:]]
    assert items[0]["premise"] != english[1][0]
