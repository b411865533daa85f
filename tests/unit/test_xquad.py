"""XQuAD items: reading, refusing, the part that is used, and the prompt."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from langneurons import tasks
from langneurons.config.errors import DataError
from langneurons.tasks import xnli, xquad
from langneurons.tasks.common import items as task_items
from langneurons.text import hub

SOURCE = {"repo": "google/xquad", "revision": "0" * 40, "config": "xquad.{lang}"}
ITEM = {"id": 0, "context": " c d\ne ", "question": "q? ", "answers": ["c"]}


def spec(split: str = "test", **changes: Any) -> dict[str, Any]:
    """The slice of a job, as specs.prepare_task makes it."""
    whole = {"task": "xquad", "kind": "xquad", "data": {"hub": None}, "language": "hi"}
    whole |= {"split": split, "source_language": "en"}
    if split == "train":
        return whole | {"train_fraction": 0.8} | changes
    whole |= {"test_fraction": 0.2, "test_items": None, "test_seed": 0}
    return whole | changes


def squad(path: Path, questions: int, word: str = "q") -> Path:
    """Write questions, three to a paragraph."""
    paragraphs = []
    for start in range(0, questions, 3):
        qas = [
            {
                "id": f"x{i}",
                "question": f"{word}{i}?",
                "answers": [{"text": f"a{i}", "answer_start": 0}],
            }
            for i in range(start, min(start + 3, questions))
        ]
        paragraphs.append({"context": f"c{start // 3}", "qas": qas})
    half = len(paragraphs) // 2
    data = [{"paragraphs": paragraphs[:half]}, {"paragraphs": paragraphs[half:]}]
    path.write_text(json.dumps({"version": "1.1", "data": data}))
    return path


def test_rows_are_numbered_over_articles_and_paragraphs(tmp_path: Path) -> None:
    items = list(xquad.TASK.read_file(squad(tmp_path / "a.json", 7)))
    assert [i["id"] for i in items] == list(range(7))
    assert items[4] == {
        "id": 4, "context": "c1", "question": "q4?", "answers": ["a4"],
    }  # fmt: skip


def entry(**changes: Any) -> str:
    qa = {"question": "q", "answers": [{"text": "a"}]} | changes
    return json.dumps({"data": [{"paragraphs": [{"context": "c", "qas": [qa]}]}]})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "not valid JSON"),
        ("[]", "a.json: data is not a list.*layout of SQuAD 1.1"),
        ('{"data": [{"paragraphs": {}}]}', r"data\[0\].paragraphs is not a list"),
        ('{"data": [{"paragraphs": [[]]}]}', r"paragraphs\[0\].qas is not a list"),
        (entry(question=None), r"data\[0\].paragraphs\[0\].qas\[0\]: question is None"),
        (entry(answers=[]), "no answer.*1.1, not 2.0"),
        (entry(answers=[{"text": " "}]), "answer ' '"),
        (entry(answers="a"), "answers is not a list"),
        (entry().replace('"c"', "3"), "context is 3"),
    ],
)
def test_malformed_files(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(content)
    with pytest.raises(DataError, match=message):
        list(xquad.TASK.read_file(path))


def test_first_part_trains_and_last_part_tests(tmp_path: Path) -> None:
    path = squad(tmp_path / "a.json", 13)
    train = [i["id"] for i in tasks.prepare(spec("train"), [path])]
    assert train == list(range(10))
    test = [i["id"] for i in tasks.prepare(spec(), [path])]
    assert test == [10, 11, 12]  # round(2.6)
    chosen = tasks.prepare(spec(test_items=2), [path])
    assert [i["id"] for i in chosen] == [10 + i for i in task_items.sample(3, 2, 0)]
    assert len(tasks.prepare(spec(test_fraction=1.0), [path])) == 13
    without = spec()
    del without["test_fraction"]
    assert len(tasks.prepare(without, [path])) == 13
    with pytest.raises(DataError, match="3 items, but test_items is 4"):
        tasks.prepare(spec(test_items=4), [path])
    with pytest.raises(DataError, match="no items are left"):
        tasks.prepare(spec(test_fraction=0.01), [path])


def fake_hub(monkeypatch: pytest.MonkeyPatch, has: tuple[str, ...]) -> list[Any]:
    """Serve the splits; others raise as ``hub.rows`` does for a missing one."""
    asked = []

    def rows(source: Any, language: str, split: str) -> Any:
        asked.append((source["repo"], language, split))
        if split not in has:
            raise DataError(f"no {split}") from ValueError(f"Bad split: {split}")
        for i in range(10):
            answers = {"text": [f"{split}{i}", "other"], "answer_start": [0, 1]}
            yield {"id": "x", "context": "c", "question": "q", "answers": answers}

    monkeypatch.setattr(hub, "rows", rows)
    return asked


def test_hub_split_that_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = fake_hub(monkeypatch, ("validation",))
    items = tasks.prepare(spec(data={"hub": SOURCE}), [])
    assert [i["id"] for i in items] == [8, 9]
    assert items[0]["answers"] == ["validation8", "other"]
    tries = ("test", "validation")
    assert asked == [("google/xquad", "hi", split) for split in tries]
    train = tasks.prepare(spec("train", data={"hub": SOURCE}, language="en"), [])
    assert [i["id"] for i in train] == list(range(8))
    fake_hub(monkeypatch, ())
    with pytest.raises(DataError, match="no validation"):
        tasks.prepare(spec(data={"hub": SOURCE}), [])


def test_training_items_from_another_data_set(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = fake_hub(monkeypatch, ("train", "validation"))
    squad_v1 = SOURCE | {"repo": "rajpurkar/squad", "config": None}
    of_split = spec("train", data={"hub": squad_v1}, train_fraction=1.0)
    train = tasks.prepare(of_split, [])
    assert train[0]["answers"][0] == "train0" and len(train) == 10
    assert [repo for repo, _, _ in asked] == ["rajpurkar/squad"]


def test_other_hub_errors_are_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(*_: Any) -> Any:
        raise DataError("no network") from OSError()
        yield

    monkeypatch.setattr(hub, "rows", offline)
    with pytest.raises(DataError, match="no network"):
        list(xquad.TASK.read_hub(SOURCE, "hi", "train"))
    rows = iter([{"context": "c", "question": "q", "answers": ["a"]}])
    monkeypatch.setattr(hub, "rows", lambda *_: rows)
    with pytest.raises(DataError, match="google/xquad, hi test, row 1: no answer"):
        list(xquad.TASK.read_hub(SOURCE, "hi", "test"))
    monkeypatch.setattr(hub, "rows", lambda *_: iter([{"text": "c"}]))
    with pytest.raises(DataError, match="no column context, question, answers"):
        list(xquad.TASK.read_hub(SOURCE, "hi", "test"))
    monkeypatch.setattr(hub, "rows", lambda *_: iter([]))
    assert list(xquad.TASK.read_hub(SOURCE, "hi", "test")) == []


def test_prepared_items_are_read_back(tmp_path: Path) -> None:
    items = tasks.prepare(spec(), [squad(tmp_path / "a.json", 12, "नमस्ते ")])
    path = tmp_path / "test.hi.jsonl"
    task_items.write_jsonl(path, items)
    assert xquad.TASK.read_items(path) == items
    path.write_text('{"id": 1, "context": "c", "question": "q", "answers": []}\n')
    with pytest.raises(DataError, match="line 1: no answer"):
        xquad.TASK.read_items(path)


def test_the_prompt_of_the_paper() -> None:
    lines = xquad.Parameters().prompt(ITEM, "<eos>").split("\n")
    assert lines[0].startswith("Below is an instruction that describes a task, paired")
    blank = " " * 12
    assert lines[1:] == [
        "",
        f"{blank}### Instruction:",
        f"{blank}Answer the question based on the given context.",
        "",
        f"{blank}### Input:",
        f"{blank}Context: c d",
        "e ",  # the item's own line, and the blank of the template
        f"{blank}Question: q?",
        "",
        f"{blank}### Response:",
    ]
    dedented = xquad.Parameters(prompt_indent="dedent").prompt(ITEM, "<eos>")
    bare = [line.strip() for line in dedented.split("\n")]
    assert dedented.split("\n") == bare == [line.strip() for line in lines]


def test_the_plain_prompt_and_braces() -> None:
    plain = xquad.Parameters(template="plain")
    assert plain.prompt(ITEM, "<eos>") == "q? c d\ne <eos>"
    braces = ITEM | {"context": "{question} {x}"}
    assert "Context: {question} {x} \n" in xquad.Parameters().prompt(braces, "")


def test_the_defaults_are_the_papers() -> None:
    found = xquad.Parameters().model_dump()
    assert found == {
        "max_length": 512, "long_test": "skip", "max_new_tokens": 100, "window": 512,
        "loss": "full", "template": "alpaca", "prompt_indent": "paper",
    }  # fmt: skip
    for bad in ({"long_test": "drop"}, {"window": 0}, {"max_tokens": 5}):
        with pytest.raises(ValidationError, match=next(iter(bad))):
            xquad.Parameters.model_validate(bad)


def test_metrics_are_means_over_items() -> None:
    columns = {name: [0, 1, 1, 0] for name in xquad.TASK.METRICS}
    frame = pd.DataFrame(columns).astype(bool)
    # A mean in float32 would lose digits.
    frame["f1"] = np.asarray([0.1, 0.2, 0.3, 0.7], dtype=np.float32)
    found = task_items.means(frame, xquad.TASK.METRICS)
    assert list(found) == list(xquad.TASK.METRICS) and next(iter(found)) == "em"
    assert found["em"] == found["mlqa_f1"] == 0.5
    assert found["f1"] == pytest.approx(0.325, abs=1e-8)
    assert type(found["f1"]) is float


@pytest.mark.parametrize("module", [xnli, xquad])
def test_task_modules_say_what_they_measure(module: Any) -> None:
    kinds = {metric.kind for metric in module.TASK.METRICS.values()}
    assert kinds <= {"binary", "score"}
    assert module.__name__.endswith(f".{module.TASK.PUBLISHED}")


def test_real_files_are_parallel(shared_data: Path) -> None:
    folder = shared_data / "xquad"
    found = {
        lang: tasks.prepare(spec(), [folder / f"xquad.{lang}.json"])
        for lang in ("en", "vi", "zh")
    }
    for items in found.values():
        assert [i["id"] for i in items] == list(range(952, 1190))
    train = tasks.prepare(spec("train"), [folder / "xquad.en.json"])
    assert [i["id"] for i in train] == list(range(952))  # 80 %, as in the paper
    assert found["vi"][0]["context"] != found["zh"][0]["context"]
