"""Tasks scored by likelihood equal lm-evaluation-harness, item by item.

It needs that package: make test-harness. The files are written here, in the layout of
the official ones.
"""

from __future__ import annotations

import importlib.util
import json
import os

import numpy as np
import pytest

from harness_runs import ours_of, requests, scores
from langneurons import tasks
from langneurons.tasks.common.entailment import HARNESS
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


def xwinograd(path, lang):
    """Options with a blank at the end, sentences that end in the pronoun."""
    before, behind = PRONOUNS[lang]
    rows = []
    for i in range(8):
        rest = ("", f"{behind}  {i}", f" {i}{behind}")[min(i, 2)]
        cells = {"sentence": f"{i} {before}_{rest}", "answer": str(1 + i % 2)}
        cells |= {"option1": f"sun {i}" + " " * (i == 3), "option2": f"the red {i}{i}"}
        rows.append(cells)
    return write(path, rows)


PRONOUNS = {
    "en": ("because ", " is too large."),
    "fr": ("car ", " est trop grande."),
    "jp": ("なぜなら", "は大きい。"),
    "pt": ("porque ", " é muito grande."),
    "ru": ("потому что ", " большой."),
    "zh": ("因为", "太大。"),
}


def include(path, lang):
    """All of one domain: the harness has a task for each."""
    rows = []
    for i in range(8):
        cells = {"language": lang, "question": f" What is red in {i}?\n"}
        cells |= {f"option_{x}": f"{x} sun {i} " * n for n, x in enumerate("abcd", 1)}
        domain = DOMAINS[lang][0]
        rows.append(cells | {"answer": i % 4, "domain": domain, "country": "x"})
    return write(path, rows)


DOMAINS = {
    "vietnamese": ("STEM", "stem"),
    "indonesian": ("Arts & Humanities", "arts_humanities"),
    "chinese": ("Health oriented education", "health_oriented_education"),
    "tamil": ("General knowledge", "general_knowledge"),
}


def xnli_prompt(path, lang):
    rows = []
    for i in range(8):
        cells = {"premise": f"{i} the sun is red. ", "hypothesis": "la sun " * (i + 1)}
        rows.append(cells | {"label": i % 3})
    return write(path, rows)


CASES = [(f"xcopa_{x}", "xcopa", x, xcopa) for x in CONNECTORS]
CASES += [(f"belebele_{x}", "belebele", x, belebele) for x in ("eng_Latn", "deu_Latn")]
CASES += [(f"xwinograd_{x}", "xwinograd", x, xwinograd) for x in PRONOUNS]
CASES += [
    (f"include_base_44_{x}_{y}", "include", x, include) for x, (_, y) in DOMAINS.items()
]
CASES += [(f"xnli_{x}", "xnli_prompt", x, xnli_prompt) for x in HARNESS]
OPTIONS = {"xcopa": 2, "xwinograd": 2, "xnli_prompt": 3}


@pytest.mark.parametrize(
    ("name", "kind", "lang", "make", "bos"),
    [(*case, number % 2 == 0) for number, case in enumerate(CASES)],
)
def test_every_item_is_scored_as_the_harness_scores_it(
    name, kind, lang, make, bos, tmp_path, monkeypatch
):
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path))
    path = make(tmp_path / "items.jsonl", lang)
    whole, tokens = model("llama"), tokenizer("left", bos)
    theirs, right = scores(whole, tokens, requests(name, path))
    task = tasks.load(kind)
    given = task.PARAMETERS.model_validate({"wording": "harness"})
    lm = opened(whole, tokens)
    table = task.evaluate(lm, list(ours_of(kind, path)), given, lang)
    ours = table.filter(regex="^logprob_").to_numpy()
    assert ours.shape == theirs.shape == (8, OPTIONS.get(kind, 4))
    assert np.allclose(ours, theirs, atol=1e-4)
    assert table["correct"].tolist() == [bool(x) for x in right]
    assert np.abs(np.diff(ours, axis=1)).min() > 1e-3  # so that a swap would show
