"""Files that name the language of each row serve a language with its own rows only."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from langneurons import tasks
from langneurons.config.errors import DataError
from langneurons.tasks import xnli
from langneurons.tasks.common import questions
from langneurons.text import corpora, hub, row_languages

LANGUAGES = ("ar", "vi", "hi")


def spec(kind: str, language: str, **changes: Any) -> dict[str, Any]:
    whole = {"task": kind, "kind": kind, "data": {}, "language": language}
    whole |= {"split": "test", "test_fraction": 1.0, "test_items": None, "test_seed": 0}
    return whole | changes


def nli(path: Path, column: str = "language", values: dict[str, str] | None = None):
    """Write XNLI's own layout: all languages one after the other."""
    named = {lang: lang for lang in LANGUAGES} | (values or {})
    rows = [f"{column}\tpremise\thypothesis\tlabel"]
    rows += [
        f"{named[k]}\tp{i} {k}\th{i}\t{i % 3}" for k in LANGUAGES for i in range(4)
    ]
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("column", ["language", "lang", "locale", "Language", "LANG"])
def test_a_file_of_all_languages_gives_those_of_one(
    tmp_path: Path, column: str
) -> None:
    path = nli(tmp_path / "test.tsv", column)
    items = tasks.prepare(spec("xnli", "vi"), [path])
    assert [item["premise"] for item in items] == [f"p{i} vi" for i in range(4)]
    # Numbered anew: items of two languages stay parallel.
    assert [item["id"] for item in items] == [0, 1, 2, 3]
    assert all(set(item) == {"id", "premise", "hypothesis", "label"} for item in items)
    assert len(list(xnli.TASK.read_file(path))) == 12  # without a language: all


def test_a_sample_is_of_the_languages_own_rows(tmp_path: Path) -> None:
    path = nli(tmp_path / "test.tsv")
    chosen = {
        lang: tasks.prepare(spec("xnli", lang, test_items=2), [path])
        for lang in LANGUAGES
    }
    assert {len(items) for items in chosen.values()} == {2}
    assert len({tuple(i["id"] for i in items) for items in chosen.values()}) == 1
    with pytest.raises(DataError, match="4 items, but test_items is 5"):
        tasks.prepare(spec("xnli", "vi", test_items=5), [path])


def test_a_language_that_is_not_named_is_refused(tmp_path: Path) -> None:
    path = nli(tmp_path / "test.tsv")
    with pytest.raises(DataError) as told:
        tasks.prepare(spec("xnli", "ur"), [path])
    message = str(told.value)
    assert "'ur'" in message and "ar (4), vi (4), hi (4)" in message
    assert "test.tsv" in message


def test_codes_with_a_region_or_in_capitals_count(tmp_path: Path) -> None:
    path = nli(tmp_path / "test.tsv", "locale", {"vi": "VI_vn", "hi": "hi-IN"})
    for lang in ("vi", "hi"):
        assert len(tasks.prepare(spec("xnli", lang), [path])) == 4
    both = nli(tmp_path / "two.tsv", "locale", {"vi": "zh-CN", "hi": "zh-TW"})
    with pytest.raises(DataError, match="'zh-CN' and of 'zh-TW' would both"):
        tasks.prepare(spec("xnli", "zh"), [both])
    assert not row_languages.same("v", "vi") and not row_languages.same("id", "is")


@pytest.mark.parametrize(
    ("header", "rows", "message"),
    [
        ("language", [["vi"], [" "]], r"row 2 \(line 3\): language is ' '"),
        ("lang", [[""], ["vi"]], "row 1 .*lang is ''"),
        (
            "lang\tlanguage",
            [["vi", "ar"]],
            "languages differ: lang 'vi', language 'ar'",
        ),
        ("lang\tlang", [["vi", "ar"]], "names lang twice"),
    ],
)
def test_blank_and_contradicting_cells_are_refused(
    tmp_path: Path, header: str, rows: list[list[str]], message: str
) -> None:
    path = tmp_path / "a.tsv"
    lines = [f"{header}\tpremise\thypothesis\tlabel"]
    lines += ["\t".join([*row, "a", "b", "0"]) for row in rows]
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(DataError, match=message):
        tasks.prepare(spec("xnli", "vi"), [path])


def squad(**named: Any) -> dict[str, Any]:
    """A question in ar and one in vi; ``named`` puts keys at a level of the second."""
    data = []
    for lang in ("ar", "vi"):
        answers = [{"text": "a", "answer_start": 0}]
        asked = {"question": f"q {lang}", "answers": answers}
        passage = {"context": "a b", "qas": [asked]}
        data.append({"paragraphs": [passage], **named.get("article", {})})
        passage |= named.get("passage", {})
        asked |= named.get("question", {}).get(lang, {})
    return {"data": data, **named.get("whole", {})}


def test_squad_files_may_name_languages_at_any_level(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    each = {"ar": {"language": "ar"}, "vi": {"language": "vi"}}
    path.write_text(json.dumps(squad(question=each)))
    items = tasks.prepare(spec("xquad", "vi"), [path])
    assert [item["question"] for item in items] == ["q vi"]
    assert set(items[0]) == {"id", *questions.COLUMNS} and items[0]["id"] == 0
    path.write_text(json.dumps(squad(whole={"lang": "vi"})))
    assert len(tasks.prepare(spec("xquad", "vi"), [path])) == 2
    with pytest.raises(DataError, match=r"no row is of language 'ar'.*vi \(2\)"):
        tasks.prepare(spec("xquad", "ar"), [path])
    path.write_text(json.dumps(squad(question={"vi": {"language": "vi"}})))
    with pytest.raises(DataError, match="some rows name their language and others"):
        tasks.prepare(spec("xquad", "vi"), [path])
    path.write_text(json.dumps(squad(whole={"lang": "vi"}, question=each)))
    with pytest.raises(DataError, match=r"qas\[0\]: the languages around it differ"):
        tasks.prepare(spec("xquad", "vi"), [path])


def serve(monkeypatch: pytest.MonkeyPatch, rows: list[dict[str, Any]]) -> None:
    def stream(*_: Any, **__: Any) -> Iterator[dict[str, Any]]:
        return iter([dict(row) for row in rows])

    monkeypatch.setattr(hub, "rows", stream)


def test_hub_rows_of_other_languages(monkeypatch: pytest.MonkeyPatch) -> None:
    pair = {"premise": "a", "hypothesis": "b", "label": 0}
    serve(monkeypatch, [pair | {"language": lang} for lang in (*LANGUAGES, "vi")])
    source = {"hub": {"repo": "x/y", "revision": "r"}}
    assert len(tasks.prepare(spec("xnli", "vi", data=source), [])) == 2
    with pytest.raises(DataError, match="x/y: no row is of language 'ur'"):
        tasks.prepare(spec("xnli", "ur", data=source), [])
    # A column without content says nothing.
    serve(monkeypatch, [pair | {"language": None}] * 3)
    assert len(tasks.prepare(spec("xnli", "vi", data=source), [])) == 3


def test_text_of_other_languages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "vi.jsonl"
    lines = [json.dumps({"text": f"t {k}", "lang": k}) for k in (*LANGUAGES, "vi")]
    path.write_text("\n".join(lines) + "\n")
    own = corpora.Documents(path, "vi")
    assert [text for _, text in own.read(np.arange(len(own)))] == ["t vi", "t vi"]
    with pytest.raises(DataError, match=r"no row is of language 'ur'"):
        corpora.Documents(path, "ur")
    serve(monkeypatch, [json.loads(line) for line in lines])
    wanted = {"hub": {"repo": "x/y", "revision": "r"}, "text_column": "text"}
    wanted |= {"bytes": 100, "shuffle_seed": None, "language": "vi"}
    out = tmp_path / "out.jsonl"
    corpora.fetch_text(wanted, out)
    assert out.read_text() == '{"text":"t vi"}\n' * 2
    with pytest.raises(DataError, match=r"'x/y', language 'ur': no row"):
        corpora.fetch_text(wanted | {"language": "ur"}, tmp_path / "none.jsonl")
    assert not (tmp_path / "none.jsonl").exists()


def test_a_stream_without_the_language_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(row_languages, "PATIENCE", 50)
    own = row_languages.Own("vi", "stream")
    for _ in range(49):
        assert not own.take("ar")
    with pytest.raises(DataError, match=r"ar \(50\)"):
        own.take("ar")
