"""A task is a short file: classes of one text, and metrics that are its own."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from types import MappingProxyType, ModuleType

import numpy as np
import pandas as pd
import pytest

import test_treatments as scripts
from configurations import paper
from langneurons import tasks
from langneurons.config.catalogue import Frozen
from langneurons.config.errors import ConfigError, DataError
from langneurons.jobs import files
from langneurons.study.configuration import load
from langneurons.tasks import Metric, Task
from langneurons.tasks.common import items as task_items
from test_classification import word_tokenizer
from test_treatments import neurons, study  # noqa: F401 - fixtures
from tiny_models import build as tiny
from tiny_models import opened

ROOT = Path(__file__).parents[2]


def recipe() -> str:
    """Return the classifier of one text that docs/recipes.md shows."""
    text = (ROOT / "docs" / "recipes.md").read_text(encoding="utf-8")
    shown = re.search(r"## A task of your own\n.*?```python\n(.*?)```", text, re.DOTALL)
    assert shown
    return shown[1]


def install(monkeypatch, kind, task):
    """Put a task where files of tasks are."""
    module = ModuleType(f"{tasks.__name__}.{kind}")
    module.TASK = task
    monkeypatch.setitem(sys.modules, module.__name__, module)
    known = tasks.kinds()
    monkeypatch.setattr(tasks, "kinds", lambda: sorted([*known, kind]))


@pytest.fixture
def reviews(monkeypatch):
    space = {"__name__": f"{tasks.__name__}.reviews", "__package__": tasks.__name__}
    exec(recipe(), space)
    install(monkeypatch, "reviews", space["TASK"])
    return space["TASK"]


@pytest.fixture
def table(tmp_path):
    """Items of one text, in a tab-separated file."""
    rows = [f"{'good' if i % 2 else 'bad'}\tw{5 + i} w{9 + i}" for i in range(12)]
    path = tmp_path / "reviews.tsv"
    path.write_text("label\ttext\n" + "\n".join(rows) + "\n")
    return path


def test_the_recipe_is_a_task_without_torch(reviews, tmp_path):
    assert len(recipe().splitlines()) < 20
    assert tasks.is_trainable(reviews) and list(reviews.METRICS) == ["accuracy"]
    path = tmp_path / "reviews.py"
    path.write_text(recipe())
    code = (
        "import sys, importlib.util as u\n"
        f"s = u.spec_from_file_location('langneurons.tasks.reviews', {str(path)!r})\n"
        "m = u.module_from_spec(s); s.loader.exec_module(m)\n"
        "assert 'torch' not in sys.modules, 'torch'\n"
        "print(m.TASK.TITLE)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT / "workflow/scripts",
        capture_output=True,
        text=True,
    )
    assert ran.stdout.strip() == "Sentiment", ran.stderr


def test_a_text_of_one_column_is_read_and_encoded(reviews, table):
    items = list(reviews.read_file(table))
    assert items[1] == {"id": 1, "text": "w6 w10", "label": 1}
    lm = opened(tiny("llama", "classifier", num_labels=2), word_tokenizer())
    given = reviews.PARAMETERS(max_length=8)
    found = reviews.examples(lm, items, given)
    assert found.tokens[1].tolist() == [1, 6, 10] and found.labels[:3].tolist() == [
        0,
        1,
        0,
    ]
    made = reviews.evaluate(lm, items, given, "hi")
    assert made["item"].tolist() == list(range(12)) and "logit_1" in made
    with pytest.raises(DataError, match=r"row 1 \(line 2\): label 'ugly'.*1 or good"):
        table.write_text("text\tlabel\nw5\tugly\n")
        list(reviews.read_file(table))


def test_it_is_tuned_and_evaluated(reviews, table, study, monkeypatch):  # noqa: F811
    folder = study[0]
    monkeypatch.setitem(scripts.PARAMETERS, "reviews", {"max_length": 9})
    for split in ("train", "test"):
        items = list(reviews.read_file(table))
        task_items.write_jsonl(folder / f"reviews.{split}.jsonl", items)
    made = scripts.tune(study, "one", "reviews")
    job, _ = scripts.evaluation(study, made["adapter"], {"none": {}}, "reviews")
    scripts.evaluate_task.main(job)
    record = files.read_json(job.outputs["out"])["treatments"]["none"]
    assert record["n"] == 12 and 0 <= record["metrics"]["accuracy"] <= 1


class Nothing(Frozen):
    """Nothing is to be set."""


class Ending(Task[Nothing]):
    """Which of two endings a model finds likelier; nothing to train on."""

    PARAMETERS = Nothing
    TITLE = "Endings"
    METRICS = MappingProxyType(
        {
            "spread": Metric("corpus", "spread", unit=""),
            "right": Metric("binary", "right"),
        }
    )

    def read_file(self, path):
        return iter(())

    def read_hub(self, source, language, split):
        return iter(())

    def read_items(self, path):
        return []

    def evaluate(self, lm, items, parameters, language):
        begun = lm.encode([item["story"] for item in items], beginning=True)
        ends = [lm.encode(item["endings"]) for item in items]
        found = lm.loglikelihood(begun, ends)
        gains = np.array([one.logprob[0] - one.logprob[1] for one in found])
        numbers = [item["id"] for item in items]
        return pd.DataFrame({"item": numbers, "right": gains > 0, "gain": gains})

    def corpus(self, predictions, parameters, language):
        return {"spread": float(predictions["gain"].std()) * len(language)}


STORIES = [
    {"id": 4 + i, "story": f"w{5 + i} w9", "endings": ["w7", f"w{8 + i} w6"]}
    for i in range(5)
]


def test_metrics_of_items_and_of_all_of_them():
    task = Ending()
    lm = opened(tiny("llama"), word_tokenizer())
    table = task.evaluate(lm, STORIES, Nothing(), "en")
    found = tasks.metrics(task, table, Nothing(), "en")
    assert list(found) == ["spread", "right"]
    assert found["spread"] == 2 * float(table["gain"].std()) > 0
    assert found["right"] == table["right"].mean()
    with pytest.raises(DataError, match=r"corpus\(\) returned \[\], but METRICS has"):
        bad = type("Bad", (Ending,), {"corpus": Task.corpus})
        tasks.metrics(bad(), table, Nothing(), "en")
    for value in (np.float32(1), float("nan"), True, "1"):
        bad = type("Bad", (Ending,), {"corpus": lambda *_, v=value: {"spread": v}})
        with pytest.raises(DataError, match="for 'spread', .*a finite Python number"):
            tasks.metrics(bad(), table, Nothing(), "en")


def test_a_task_without_training_items_is_evaluated_as_the_model_is(monkeypatch):
    task = Ending()
    assert not tasks.is_trainable(task)
    with pytest.raises(ConfigError, match="Endings has no training items"):
        task.examples(opened(tiny("llama")), STORIES, Nothing())
    install(monkeypatch, "endings", task)
    given = paper()
    kept = {key: given["tasks"]["xnli"][key] for key in ("data", "languages")}
    given["tasks"]["endings"] = kept | {"kind": "endings"}
    axes = given["experiments"]
    axes["transfer"] |= {"tasks": ["endings"], "tunings": ["base", "attention"]}
    axes["finetuning"] |= {"tasks": ["endings"]}
    with pytest.raises(ConfigError) as raised:
        load(given)
    said = str(raised.value)
    cannot = "attention cannot be trained on tasks.endings: kind end"
    assert f"experiments.transfer.tunings: {cannot}" in said
    assert "experiments.finetuning.baselines" not in said
    nothing = "nothing can be trained on tasks.endings"
    assert f"experiments.finetuning.tasks: {nothing}" in said
