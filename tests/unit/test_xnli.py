"""XNLI items: reading, refusing, cutting and parallel sampling."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pydantic import ValidationError

from langneurons import tasks
from langneurons.config.errors import ConfigError, DataError
from langneurons.tasks import xnli
from langneurons.tasks.common import columns
from langneurons.tasks.common import items as task_items
from langneurons.text import hub

HEADER = "premise\thypothesis\tlabel\n"
LABELS = ("entailment", "neutral", "contradiction")


def spec(**changes: Any) -> dict[str, Any]:
    """The slice of a test job, as specs.prepare_task makes it."""
    whole = {"task": "xnli", "kind": "xnli", "data": {"hub": None}, "language": "hi"}
    whole |= {"split": "test", "source_language": "en"}
    return whole | {"test_items": None, "test_seed": 0} | changes


def train_spec(fraction: float) -> dict[str, Any]:
    whole = spec(split="train", language="en", train_fraction=fraction)
    return {k: v for k, v in whole.items() if not k.startswith("test_")}


def write(path: Path, rows: int, word: str = "p") -> Path:
    lines = [f"{word}{i}\th{i}\t{LABELS[i % 3]}\n" for i in range(rows)]
    path.write_text(HEADER + "".join(lines), encoding="utf-8")
    return path


def test_words_and_numbers_are_labels() -> None:
    for number, word in enumerate(LABELS):
        for given in (word, number, str(number), f" {word} "):
            assert columns.label(given, LABELS, "here") == number


@pytest.mark.parametrize("bad", [3, -1, "3", "", None, True, "entails", "01", 1.0])
def test_other_labels_are_refused(bad: Any) -> None:
    with pytest.raises(DataError, match=r"here: label .* 1 or neutral"):
        columns.label(bad, LABELS, "here")


def test_file_and_row_of_a_bad_label(tmp_path: Path) -> None:
    path = tmp_path / "test-hi.tsv"
    path.write_text(HEADER + "a\tb\tneutral\na\tb\tnuetral\n")
    with pytest.raises(DataError, match=r"test-hi\.tsv: row 2 \(line 3\).*'neutral'"):
        list(xnli.TASK.read_file(path))


def test_columns_may_be_in_any_order_and_quotes_are_text(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    path.write_text('label\tid\thypothesis\tpremise\r\n2\tx\the said "no\t"yes\r\n\n')
    item = {"id": 0, "premise": '"yes', "hypothesis": 'he said "no', "label": 2}
    assert list(xnli.TASK.read_file(path)) == [item]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"a\.tsv is empty"),
        (b"\n", "must name the columns"),
        (b"sentence1\tsentence2\tgold_label\n", "missing: premise, hypothesis, label"),
        (HEADER.encode() + b"a\tb\n", r"row 1 \(line 2\): 2 cells"),
        (HEADER.encode() + b"a\tb\tc\t1\n", "4 cells"),
        (HEADER.encode() + b"a\t \tneutral\n", "hypothesis is ' '"),
        (HEADER.encode() + b"a\tb\xff\tneutral\n", r"not UTF-8 at byte 28 \(line 2\)"),
    ],
)
def test_malformed_files(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "a.tsv"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        list(xnli.TASK.read_file(path))


def test_training_takes_the_first_rows(tmp_path: Path) -> None:
    path = write(tmp_path / "train.tsv", 11)
    items = tasks.prepare(train_spec(0.25), [path])
    assert [i["premise"] for i in items] == ["p0", "p1"]
    assert len(tasks.prepare(train_spec(1.0), [path])) == 11
    with pytest.raises(DataError, match="no items are left"):
        tasks.prepare(train_spec(0.01), [path])


def test_a_quarter_of_xnli_is_what_the_paper_trains_on() -> None:
    assert int(0.25 * 392_702) == 98_175


def test_samples_are_parallel(tmp_path: Path) -> None:
    paths = [write(tmp_path / f"{w}.tsv", 50, w) for w in ("hi", "vi")]
    wanted = spec(test_items=20)
    hi, vi = (tasks.prepare(wanted, [p]) for p in paths)
    ids = [i["id"] for i in hi]
    assert ids == [i["id"] for i in vi]
    assert ids == sorted(ids)
    assert len(set(ids)) == 20
    assert ids != list(range(20))
    assert [i["premise"] for i in vi] == [f"vi{n}" for n in ids]
    assert [i["label"] for i in hi] == [n % 3 for n in ids]
    other = tasks.prepare(spec(test_items=20, test_seed=1), paths[:1])
    assert [i["id"] for i in other] != ids
    smaller = tasks.prepare(spec(test_items=5), paths[:1])
    assert {i["id"] for i in smaller} < set(ids)
    assert len(tasks.prepare(spec(), paths[:1])) == 50
    with pytest.raises(DataError, match="50 items, but test_items is 51"):
        tasks.prepare(spec(test_items=51), paths[:1])


def test_samples_do_not_favour_rows() -> None:
    counts = pd.Series(0, index=range(30))
    for seed in range(300):
        counts[task_items.sample(30, 10, seed)] += 1
    assert counts.between(70, 130).all()  # binomial(300, 1/3): 100 +- 8


def test_items_from_the_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    source = {"repo": "facebook/xnli", "revision": "0" * 40, "config": "{lang}"}
    asked = []

    def rows(given: Any, language: str, split: str) -> Any:
        asked.append((given, language, split))
        return iter(
            [
                {"premise": "p", "hypothesis": "h", "label": 1},
                {"premise": "p", "hypothesis": "h", "label": -1},
            ]
        )

    monkeypatch.setattr(hub, "rows", rows)
    with pytest.raises(DataError, match="facebook/xnli, hi test, row 2: label -1"):
        tasks.prepare(spec(data={"hub": source}), [])
    assert asked == [(source, "hi", "test")]
    monkeypatch.setattr(hub, "rows", lambda *a: iter([{"text": "p", "label": 1}]))
    with pytest.raises(DataError, match="row 1: no column premise, hypothesis"):
        tasks.prepare(spec(data={"hub": source}), [])
    with pytest.raises(DataError, match=r"tasks\.xnli\.data: no file"):
        tasks.prepare(spec(), [])


def test_prepared_items_are_read_back(tmp_path: Path) -> None:
    items = tasks.prepare(spec(), [write(tmp_path / "a.tsv", 4, "नमस्ते ")])
    path = tmp_path / "test.hi.jsonl"
    task_items.write_jsonl(path, items)
    assert xnli.TASK.read_items(path) == items
    first = path.read_bytes()
    task_items.write_jsonl(path, items)
    assert path.read_bytes() == first
    for bad in ('{"id": 1}', "{", "[]", "null"):
        path.write_bytes(first + bad.encode() + b"\n")
        with pytest.raises(DataError, match="line 5"):
            xnli.TASK.read_items(path)


def test_accuracy_counts_every_item() -> None:
    frame = pd.DataFrame({"accuracy": [True, True, True, False, False]})
    assert task_items.means(frame, xnli.TASK.METRICS) == {"accuracy": 0.6}
    assert list(xnli.TASK.METRICS) == ["accuracy"]


def test_the_last_part_tests(tmp_path: Path) -> None:
    path = write(tmp_path / "test.tsv", 11)
    items = tasks.prepare(spec(test_fraction=0.25), [path])
    assert [i["id"] for i in items] == [8, 9, 10]


def test_unknown_kind_and_parameter() -> None:
    assert tasks.load("xnli") is xnli.TASK
    with pytest.raises(ConfigError, match="did you mean 'xnli'"):
        tasks.load("xnl")
    assert xnli.Parameters().pool == "padded_last"
    for bad in ({"pool": "first"}, {"max_tokens": 5}, {"max_length": 0}):
        with pytest.raises(ValidationError, match=next(iter(bad))):
            xnli.Parameters.model_validate(bad)


def test_real_files_are_parallel(shared_data: Path) -> None:
    folder = shared_data / "xnli"
    english, hindi = (
        tasks.prepare(spec(test_items=500), [folder / f"test-{lang}.tsv"])
        for lang in ("en", "hi")
    )
    assert len(english) == 500
    assert [i["label"] for i in english] == [i["label"] for i in hindi]
    assert [i["id"] for i in english] == [i["id"] for i in hindi]
    assert len(tasks.prepare(train_spec(1.0), [folder / "dev-en.tsv"])) == 2490
