"""XCOPA and Belebele equal lm-evaluation-harness, item by item.

It needs that package: make test-harness. The files are written here, in the layout of
the official ones.
"""

from __future__ import annotations

import importlib.util
import json
import os

import numpy as np
import pytest

from harness_runs import requests, scores
from langneurons import tasks
from langneurons.tasks.xcopa import CONNECTORS
from test_continuations import model, tokenizer
from tiny_models import opened

# `make test-harness` has just installed it: there its absence is a failure.
pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("lm_eval") is None
    and "LANGNEURONS_COMPLETE" not in os.environ,
    reason="lm-evaluation-harness is absent: make test-harness installs it aside and "
    "runs these",
)

SENTENCES = {
    "th": ("ฟ้าใส", "แดดออก", "ฝนตกหนักมาก"),
    "zh": ("天很红。", "太阳下山了。", "他很冷。"),
    "ta": ("வானம் சிவப்பு", "சூரியன்", "அவன் வந்தான்"),
    "tr": ("Gök kızıl. ", "Işık söndü.", "İyi oldu."),
}
OTHERS = ("The sky is red.", "The sun went down.", "He closed the door slowly.")


def write(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def xcopa(path, lang):
    premise, one, two = SENTENCES.get(lang, OTHERS)
    rows = []
    for i in range(8):
        first, second = (one, two) if i % 3 else (two, one)
        cells = {"premise": f"{i} {premise}", "choice1": first, "choice2": second}
        cells |= {"question": "cause" if i % 2 else "effect", "label": i % 2}
        rows.append(cells | {"idx": i, "changed": False})
    return write(path, rows)


def belebele(path, lang):
    rows = []
    for i in range(8):
        cells = {"link": "x", "question_number": 1 + i % 2, "dialect": lang}
        cells |= {"flores_passage": "The sun is red. " * (1 + i % 3) + f"{i}"}
        cells |= {"question": f" What is red in {i}? "}
        cells |= {f"mc_answer{n}": f"{'the ' * n}sun {i}" for n in range(1, 5)}
        rows.append(cells | {"correct_answer_num": str(1 + i % 4)})
    return write(path, rows)


CASES = [("xcopa", lang, xcopa, i % 2 == 0) for i, lang in enumerate(CONNECTORS)]
CASES += [("belebele", "eng_Latn", belebele, True)]
CASES += [("belebele", "deu_Latn", belebele, False)]


@pytest.mark.parametrize(("kind", "lang", "make", "bos"), CASES)
def test_every_item_is_scored_as_the_harness_scores_it(
    kind, lang, make, bos, tmp_path, monkeypatch
):
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path))
    path = make(tmp_path / "items.jsonl", lang)
    whole, tokens = model("llama"), tokenizer("left", bos)
    theirs, right = scores(whole, tokens, requests(kind, lang, path))
    task = tasks.load(kind)
    given = task.PARAMETERS.model_validate({"wording": "harness"})
    lm = opened(whole, tokens)
    table = task.evaluate(lm, list(task.read_file(path)), given, lang)
    ours = table.filter(regex="^logprob_").to_numpy()
    assert ours.shape == theirs.shape == (8, 2 if kind == "xcopa" else 4)
    assert np.allclose(ours, theirs, atol=1e-4)
    assert table["correct"].tolist() == [bool(x) for x in right]
    assert np.abs(np.diff(ours, axis=1)).min() > 1e-3  # so that a swap would show
