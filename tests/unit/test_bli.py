"""Words to translate: by hand (spec test 15), and as Hugging Face generates them."""

from __future__ import annotations

import json

import pytest
import torch

from langneurons import tasks
from langneurons.config.errors import DataError
from langneurons.config.names import Pair
from langneurons.tasks.bli import TASK, Parameters
from langneurons.tasks.common import translations
from langneurons.text import dictionaries
from scripted_model import Scripted
from test_continuations import model, tokenizer
from tiny_models import opened

GIVEN = {
    "probe": [{"word": "c", "gold": ["w"]}],
    "test": [{"word": "a", "gold": ["x", "y"]}, {"word": "b", "gold": ["z"]}],
}
PARAMETERS = Parameters(names={"s": "S", "t": "T", "k": "K"})
SPEC = {
    "task": "bli",
    "kind": "bli",
    "data": {"hub": None, "dictionary": "d"},
    "language": "s-t",
    "split": "test",
    "test_items": None,
    "test_seed": 0,
}


@pytest.fixture
def items(tmp_path):
    path = tmp_path / "s-t.json"
    dictionaries.write(path, "d", "s-t", GIVEN)
    return tasks.prepare(SPEC, [path])


def run(lm, items, treatment, parameters=PARAMETERS, language="s-t"):
    return tasks.evaluated(TASK, treatment, lm, (items, parameters, language))


def test_items_are_the_test_words_of_a_dictionary(items, tmp_path):
    assert items == [
        {"id": 0, "word": "a", "gold": ["x", "y"]},
        {"id": 1, "word": "b", "gold": ["z"]},
    ]
    path = tmp_path / "s-t.json"
    assert tasks.prepare({**SPEC, "test_items": 1}, [path])[0] in items
    with pytest.raises(DataError, match="2 items, but test_items is 3"):
        tasks.prepare({**SPEC, "test_items": 3}, [path])
    path.write_text(json.dumps({"format": "x"}))
    with pytest.raises(DataError, match="lacks 'pair'"):
        tasks.prepare(SPEC, [path])


@pytest.mark.parametrize("post", ["paper", "clean"])
def test_directly_one_of_two_is_right(items, post):
    lm = Scripted({'S:"a"→T:': '"X."', 'S:"b"→T:': '"zz"\nS:"q"'})
    parameters = PARAMETERS.model_copy(update={"post": post})
    made = run(lm, items, "none", parameters)
    assert list(made["correct"]) == [True, False]
    assert list(made["answer"]) == ["x" if post == "paper" else "X", "zz"]
    assert list(made["raw"]) == ['"X."', '"zz"'] and list(made["aid"]) == ["", ""]
    assert list(made["gold"]) == ["x | y", "z"] and list(made) == list(TASK.per_item())
    scores = tasks.metrics(TASK, made, parameters, "s-t")
    assert scores == {"correct": 0.5}


def test_through_a_bridge_the_models_own_word_is_in_the_second_prompt(items):
    lm = Scripted({
        'S:"a"→K:': ' "kay", or kai', 'S:"b"→K:': "bee",
        'S:"a"→K:"kay"→T:': "y (rare)", 'S:"b"→K:"bee"→T:': "z",
    })  # fmt: skip
    made = run(lm, items, "via_k")
    assert lm.asked == [
        'S:"a"→K:', 'S:"b"→K:', 'S:"a"→K:"kay"→T:', 'S:"b"→K:"bee"→T:',
    ]  # fmt: skip
    assert list(made["aid"]) == ["kay", "bee"] and list(made["answer"]) == ["y", "z"]
    assert made["correct"].all()


def test_what_is_generated_is_what_hugging_face_generates(tmp_path):
    """Greedy, 30 tokens at most, up to the end of the line; batches change nothing."""
    lm, words = opened(model("llama"), tokenizer()), ["sun", "trời", "太阳", "là red"]
    pair, names = Pair("zh", "sw"), PARAMETERS.called()
    prompts = [translations.prompt(names, pair, word) for word in words]
    wanted = []
    for text in prompts:
        ids = tokenizer()(text, return_tensors="pt").input_ids
        with torch.no_grad():
            whole = model("llama").generate(
                ids,
                attention_mask=torch.ones_like(ids),
                do_sample=False,
                max_new_tokens=30,
                eos_token_id=tokenizer().eos_token_id,
                pad_token_id=tokenizer().pad_token_id,
            )
        made = tokenizer().decode(whole[0, ids.shape[1] :], skip_special_tokens=True)
        wanted.append(made.partition("\n")[0])
    assert translations.ask(lm, prompts, 30) == wanted
    assert len(set(wanted)) > 1


def test_a_tiny_model_passes_through_its_own_answer():
    lm = opened(model("llama"), tokenizer())
    words = ["sun", "trời", "太阳"]
    items = [{"id": i, "word": word, "gold": ["x"]} for i, word in enumerate(words)]
    direct = run(lm, items, "none", language="s-k")
    via = run(lm, items, "via_k")
    wanted = [translations.aid(text, "clean") for text in direct["raw"]]
    assert list(via["aid"]) == wanted and any(wanted)
    names = PARAMETERS.called()
    second = [
        translations.prompt(names, Pair("s", "t"), word, aid=("k", aid))
        for word, aid in zip(words, wanted, strict=True)
    ]
    assert list(via["raw"]) == translations.ask(lm, second, 30)


def test_languages_without_a_name_are_told_before_anything_runs():
    assert list(TASK.unmet(Parameters(), ["zh-sw", "en-sw", "de", "fr"])) == []
    told = list(TASK.unmet(Parameters(), ["zh-xx", "yy"]))
    assert len(told) == 2 and "parameters.names: unknown language 'xx'" in told[0]


def test_a_bridge_costs_two_generations():
    assert TASK.generates(PARAMETERS) == 30 and TASK.generates_via(PARAMETERS) == 60
