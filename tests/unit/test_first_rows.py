"""Files that lack a column are refused before the first job: one row is read."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from configurations import ROOT, merge, tiny
from langneurons import tasks
from langneurons.config.errors import ConfigError, DataError
from langneurons.jobs import files
from langneurons.study import configuration, local_files
from langneurons.study.configuration import load
from test_own_tasks import install, reviews  # noqa: F401 - a fixture
from test_sentences import local as sentences_of
from test_sentences import with_corpus
from test_translation_planned import mine as translating

PAIR = {"premise": "a", "hypothesis": "b"}
ROWS: dict[str, dict[str, Any]] = {
    "belebele": {"flores_passage": "a", "question": "b", "correct_answer_num": 1}
    | {f"mc_answer{n}": str(n) for n in range(1, 5)},
    "forcing": {"prompt": "a"},
    "include": {"question": "a", "answer": 1, "choices": list("abcd")},
    "mlama": {"relation": "P36", "sub": {"en": "a"}, "obj": {"en": "b"}},
    "reviews": {"text": "a", "label": "good"},
    "xcopa": {"premise": "a", "choice1": "b", "choice2": "c", "question": "cause"}
    | {"label": 1, "changed": False, "idx": 0},
    "xnli": PAIR | {"label": "neutral"},
    "xnli_prompt": PAIR | {"label": "neutral"},
    "xwinograd": {"sentence": "a _ b", "option1": "c", "option2": "d", "answer": "1"},
}
"""A row of each kind that is tested in one language, and of one that a user has."""
TABLES = ("reviews", "xnli", "xnli_prompt")
PARTS = ("recorded", "held_out")
OTHERS = {"bli", "xquad"}  # their files have no columns
PARAMETERS: dict[str, dict[str, Any]] = {
    "forcing": {"languages": ["vi", "en"]},
    "mlama": {"languages": ["en", "vi"]},
}


def one_task(kind: str, path: Path) -> dict[str, Any]:
    """Configure a task on a file of items, on the model as it is where it can be."""
    trained = bool(tasks.load(kind).LABELS)
    entry = {"kind": kind, "languages": ["vi"], "data": {"test": str(path)}}
    entry["parameters"] = PARAMETERS.get(kind, {})
    if trained:
        entry["data"]["train"] = str(path)
    axes = {"tasks": ["t"], "tunings": ["attention" if trained else "base"]}
    changes = {"tasks": {"t": entry}, "experiments": {"transfer": axes}}
    return merge(tiny(), changes | {"run": ["transfer"]})


def write(path: Path, *rows: dict[str, Any]) -> None:
    """Write a table whose header the first row gives, or JSON lines."""
    if path.suffix == ".tsv":
        lines = ["\t".join(rows[0])]
        lines += ["\t".join(map(str, row.values())) for row in rows]
    else:
        lines = [json.dumps(row) for row in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def refused(raw: dict[str, Any]) -> str:
    with pytest.raises(ConfigError) as caught:
        local_files.require(load(raw))
    return str(caught.value)


def test_every_kind_whose_files_have_columns_is_here() -> None:
    alone = {kind for kind in tasks.kinds() if not tasks.load(kind).PAIRS}
    assert alone - OTHERS == set(ROWS) - {"reviews"}


@pytest.mark.parametrize("kind", ROWS)
def test_a_file_without_a_column_is_refused(
    reviews: Any,  # noqa: F811
    tmp_path: Path,
    kind: str,
) -> None:
    path = tmp_path / f"items.{'tsv' if kind in TABLES else 'jsonl'}"
    (tmp_path / "templates.tsv").write_text("relation\tvi\nP36\t[X] [Y]\n")
    row = ROWS[kind]
    # Only the first row is looked at; what is wrong below is told by the job.
    write(path, row, dict.fromkeys(row, "?"))
    raw = one_task(kind, path)
    local_files.require(load(raw))
    lacking = next(iter(row))
    write(path, {("said" if name == lacking else name): row[name] for name in row})
    told = refused(raw)
    assert f"  - tasks.t.data.test: {path}: " in told
    assert lacking in told and "said" in told and f"tasks/{kind}.py says what" in told
    write(path, row)
    local_files.require(load(raw))


def test_files_of_both_languages_of_a_pair_are_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    data = "{data: {test: '{lang}.tsv'}, parameters: {lexicon: null}}"
    raw = translating(f"tasks: {{mt: {data}, open: {data}}}")
    raw["tasks"]["mt"]["parameters"] = raw["tasks"]["open"]["parameters"] = {}
    for lang in ("en", "vi", "hi"):
        write(tmp_path / f"{lang}.tsv", {"id": 1, "text": "a"})
    local_files.require(load(raw))
    write(tmp_path / "hi.tsv", {"id": 1, "words": "a"})
    told = refused(raw)
    assert "tasks.mt.data.test: hi.tsv: row 1 (line 2): no column sentence or" in told
    assert "has id, words" in told and told.count("hi.tsv") == 2


def test_training_items_are_looked_at_where_a_model_is_trained(tmp_path: Path) -> None:
    right, wrong = tmp_path / "right.tsv", tmp_path / "wrong.tsv"
    write(right, ROWS["xnli"])
    write(wrong, PAIR | {"gold": "neutral"})
    data = {"train": str(wrong), "test": str(right)}
    own = {"tasks": {"xnli": {"languages": ["vi"], "data": data}}}
    told = refused(merge(tiny(), own | {"run": ["transfer"]}))
    assert f"tasks.xnli.data.train: {wrong}: the first line must name" in told
    assert "missing: label; found: ['premise', 'hypothesis', 'gold']" in told
    untrained = {"experiments": {"transfer": {"tunings": ["base"]}}}
    raw = merge(one_task("xnli_prompt", right), untrained)
    local_files.require(load(raw))


def test_what_is_no_fault_of_the_file_is_left_to_its_job(
    reviews: Any,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A reader of the user's may need what only jobs have."""
    path = tmp_path / "items.tsv"
    write(path, {"said": "a"})

    def needs_more(path: Path) -> Any:
        raise ImportError("No module named 'other'")

    def is_away(path: Path) -> Any:
        with files.reading(path):
            raise OSError("Stale file handle")

    def reads_all(path: Path) -> Any:
        raise DataError("all of it was read")

    for reader in (needs_more, is_away):
        monkeypatch.setattr(reviews, "read_file", reader)
        local_files.require(load(one_task("reviews", path)))
    monkeypatch.setattr(reviews, "read_file", reads_all)
    assert "all of it was read" in refused(one_task("reviews", path))
    monkeypatch.setattr(local_files, "LARGE", 3)
    local_files.require(load(one_task("reviews", path)))


def test_columns_of_a_corpus_of_sentences(tmp_path: Path) -> None:
    entry = sentences_of(tmp_path)
    local_files.require(load(with_corpus(entry)))
    for changes, said in (
        ({"text_column": "sentence"}, "no column 'sentence'"),
        ({part: entry[part] | {"column": "id"} for part in PARTS}, "no column 'id'"),
    ):
        told = refused(with_corpus(entry | changes))
        for part in PARTS:
            assert f"corpora.said.{part}: {tmp_path}/eng_Latn/train.tsv" in told
        assert said in told and "there are: " in told and "Set " in told
    # A row that says its language may be one that is not read.
    for path in tmp_path.rglob("*.tsv"):
        path.write_text("language\tother\nxx\ta\n")
    local_files.require(load(with_corpus(entry)))


def test_a_check_without_snakemake_is_that_of_a_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(ROOT / "config", "config")
    mine = {"tasks": {"xnli": {"data": {"test": "mine/{lang}.tsv"}}}}
    Path("mine.yaml").write_text(json.dumps(mine))
    given = ["config/demo.yaml", "mine.yaml"]
    assert configuration.main(given) == 1
    told = capsys.readouterr().err
    absent = re.findall(r"mine/..\.tsv does not exist", told)
    assert len(absent) == 6 and "mine.yaml: in itself valid" in told
    Path("mine").mkdir()
    for said in absent:
        write(Path(said.partition(" ")[0]), PAIR | {"gold": "neutral"})
    assert configuration.main(given) == 1
    told = capsys.readouterr().err
    assert "does not exist" not in told and "missing: label; found" in told
