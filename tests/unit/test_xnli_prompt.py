"""XNLI without tuning: wording by hand, what is scored, languages without words."""

from __future__ import annotations

import numpy as np
import pytest

from langneurons import tasks
from langneurons.tasks.common.choices import Option, options
from langneurons.tasks.common.entailment import ALSO, HARNESS
from langneurons.tasks.xnli_prompt import TASK
from test_continuations import model, tokenizer
from test_language_model import reference
from tiny_models import opened

ITEM = {"id": 3, "premise": "It is so. ", "hypothesis": " A sun.", "label": 2}


def parameters(**given):
    return TASK.PARAMETERS.model_validate(given)


def test_the_harness_scores_all_of_the_text():
    said = TASK.wording(ITEM, parameters(wording="harness"), "de")
    assert said == options(
        "",
        " ",
        [f"It is so. , richtig? {x},  A sun." for x in ("Ja", "Auch", "Nein")],
    )


@pytest.mark.parametrize(
    ("lang", "given", "context", "join", "text"),
    [
        ("en", {}, "It is so, right?", " ", "Also, A sun."),
        ("vi", {}, "It is so, đúng?", " ", "Ngoài ra, A sun."),
        ("vi", {"vocabulary": "harness"}, "It is so, đúng?", " ", "Vì vậy, A sun."),
        ("zh", {}, "It is so，正确？", "", "另外，A sun."),
        ("zh", {"marks": "ascii"}, "It is so, 正确?", " ", "另外, A sun."),
        ("ur", {}, "It is so، صحیح؟", " ", "نیز، A sun."),
        ("en", {"scored": "hypothesis"}, "It is so, right? Also,", " ", "A sun."),
        ("zh", {"scored": "hypothesis"}, "It is so，正确？另外，", "", "A sun."),
    ],
)
def test_repaired_by_hand(lang, given, context, join, text):
    said = TASK.wording(ITEM, parameters(**given), lang)
    assert said[1] == Option(context, join, text)


def test_a_premise_without_a_full_stop_or_without_text_is_written():
    said = TASK.wording(ITEM | {"premise": "So"}, parameters(), "en")
    assert said[0].context == "So, right?"
    said = TASK.wording(ITEM | {"premise": ""}, parameters(), "en")
    assert said[0].context == ", right?"


def test_repaired_words_differ_where_the_harness_s_mean_something_else():
    harness, repaired = (
        parameters(vocabulary=x).known() for x in ("harness", "repaired")
    )
    assert set(harness) == set(repaired) == set(HARNESS)
    changed = {lang for lang in harness if harness[lang] != repaired[lang]}
    assert changed == set(ALSO) == set(HARNESS) - {"de", "en", "fr"}
    assert repaired["ar"].contradiction == "لا"
    own = {"right": "ná", "entailment": "a", "neutral": "b", "contradiction": "c"}
    given = parameters(words={"xx": own})
    assert TASK.wording(ITEM, given, "xx")[2].text == "c, A sun."
    (said,) = TASK.unmet(parameters(words={"xx": own}), ["xx", "en", "id"])
    assert "unknown language 'id'" in said and "parameters.words" in said


def test_what_counts_is_what_is_scored():
    """Everything differs from the answer by the premise, the same in all classes."""
    items = [ITEM | {"premise": "the sun", "hypothesis": "red. la", "id": 0}]
    whole, tokens = model("llama"), tokenizer()
    found = {}
    for scored in ("everything", "answer", "hypothesis"):
        given = parameters(scored=scored, trim="nothing", boundary="offsets")
        lm = opened(whole, tokens)
        made = tasks.checked(TASK, TASK.evaluate(lm, items, given, "en"))
        found[scored] = made.filter(regex="^logprob_").to_numpy()[0]
        said = TASK.wording(items[0], given, "en")
        for number, one in enumerate(said):
            coded = tokens(one.context + one.join + one.text, return_offsets_mapping=1)
            ends = np.array([end for _, end in coded["offset_mapping"]])
            start = max(int((ends <= len(one.context)).sum()), 1)
            ids = np.array(coded["input_ids"])
            wanted, _ = reference(whole, ids[:start], ids[start:], None)
            assert found[scored][number] == pytest.approx(wanted, abs=1e-4)
    # The blank before the text of `everything` makes it another text for a tokenizer.
    assert (found["hypothesis"] > found["answer"]).all()
    assert (found["answer"] > found["everything"]).all()
    assert len(set(found["hypothesis"].round(6))) == 3


def test_real_rows_of_each_language(shared_data):
    for lang in ("en", "vi", "zh", "ar", "ur"):
        items = list(TASK.read_file(shared_data / f"xnli/test-{lang}.tsv"))
        assert len(items) == 5010
        ends = {TASK.wording(x, parameters(), lang)[0].context[-1] for x in items[:99]}
        assert ends == {"？" if lang == "zh" else "؟" if lang in ("ar", "ur") else "?"}
