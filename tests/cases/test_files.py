"""Files that people hand over: damaged, odd, or of another layout than expected."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from file_readers import quiet
from langneurons.config.errors import DataError, LangneuronsError
from langneurons.methods import published
from langneurons.tasks import xnli, xquad
from langneurons.text import corpora
from langneurons.text.language_identity import language_filter
from script_runs import POINTER, Bench, write_text
from test_damaged_files import damage
from test_models import save_model

SQUAD = {
    "data": [
        {
            "title": "t",
            "paragraphs": [
                {
                    "context": "The tower is red.",
                    "qas": [
                        {
                            "id": "1",
                            "question": "What colour?",
                            "answers": [{"text": "red", "answer_start": 13}],
                        }
                    ],
                }
            ],
        }
    ]
}
HALF = '"It cost \\ud83d 5 euros."'
"""A string of JSON with half of a surrogate pair, which UTF-8 cannot hold."""


@pytest.mark.case("A byte order mark is read over in JSON as in other files")
def test_json_with_a_byte_order_mark(bench: Bench) -> None:
    path = bench.folder / "bom.json"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(SQUAD).encode())
    told, items = bench.prepare("xquad", path)
    told.fine()
    assert [item["question"] for item in items] == ["What colour?"]


@pytest.mark.case("A damaged file of the user's own is named; nobody says to delete it")
@pytest.mark.parametrize(
    ("task", "name", "content", "said"),
    [
        ("xquad", "pointer.json", POINTER, "Git LFS pointer"),
        ("xquad", "cut.json", json.dumps(SQUAD)[:60], "not valid JSON"),
        ("xnli", "pointer.tsv", POINTER, "Git LFS pointer"),
    ],
)
def test_damaged_files(
    bench: Bench, task: str, name: str, content: str, said: str
) -> None:
    path = bench.folder / name
    path.write_text(content)
    told, _ = bench.prepare(task, path)
    assert "delete" not in told.refused(name, said).lower()


@pytest.mark.case("Half a surrogate pair in JSON is refused by file and place")
def test_lone_surrogate(bench: Bench) -> None:
    path = bench.folder / "half.json"
    answers = '"answers": [{"text": "5 euros", "answer_start": 10}]'
    asked = f'"qas": [{{"question": "How much?", {answers}}}]'
    path.write_text(f'{{"data": [{{"paragraphs": [{{"context": {HALF}, {asked}}}]}}]}}')
    told, _ = bench.prepare("xquad", path)
    told.refused("half.json", "surrogate")
    lines = bench.folder / "half.jsonl"
    lines.write_text(f'{{"text": {HALF}}}\n')
    with pytest.raises(DataError, match=r"half\.jsonl: line 1 .*surrogate"):
        corpora.Documents(lines)


@pytest.mark.case("A row without a label is refused with its number and the labels")
@pytest.mark.parametrize("label", ["-1", "-", "contradictory"])
def test_unlabelled_rows(bench: Bench, label: str) -> None:
    path = bench.folder / "rows.tsv"
    path.write_text(f"premise\thypothesis\tlabel\na b\tc\t0\nd e\tf\t{label}\n")
    told, _ = bench.prepare("xnli", path)
    told.refused("rows.tsv", "row 2", f"'{label}'", "contradiction")


@pytest.mark.case("XNLI's official header is refused with the names to write instead")
def test_official_header(bench: Bench) -> None:
    path = bench.folder / "official.tsv"
    path.write_text("language\tgold_label\tsentence1\tsentence2\nar\tneutral\ta\tb\n")
    told, _ = bench.prepare("xnli", path)
    told.refused("official.tsv", "premise", "gold_label")


@pytest.mark.case("Odd characters are part of a document; only line feeds end one")
def test_odd_text(tmp_path: Path) -> None:
    odd = ["first", "", "   ", "a\u2028b", "nul\x00here", "\u200fعربي\u200e"]
    odd += ["\ufeffmid", "last"]
    path = tmp_path / "odd.txt"
    path.write_bytes(b"\xef\xbb\xbf" + "\r\n".join(odd).encode() + b"\r\n")
    found = corpora.Documents(path)
    texts = [text for _, text in found.read(np.arange(len(found)))]
    assert texts == [text for text in odd if text.strip()]


@pytest.mark.case("A corpus of one long line is told that a document is a line")
def test_one_line(bench: Bench) -> None:
    path = write_text(bench.folder / "one.txt")
    path.write_text(path.read_text().replace("\n", " "))
    save_model(bench.folder / "model", "llama")
    _, manifest = bench.pin(bench.folder / "model")
    told, _ = bench.tokenise(manifest, path)
    told.refused("one.txt", "document is one line")


VI = (
    "Hà Nội là thủ đô của Việt Nam, nằm ở vùng đồng bằng sông Hồng. Thành phố có lịch "
    "sử lâu đời và nhiều di tích văn hóa quan trọng. "
)
EN = (
    "The city is the capital of the country and has a long history with many "
    "important monuments that people like to visit. "
)


@pytest.mark.case("The language filter takes no `<` for HTML, and so sees all the text")
@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (VI * 2, True),
        ("Nếu a < b thì " + VI * 2, True),
        (VI + "p <0.05 " + EN * 6, False),
        (VI + EN * 6, False),
    ],
)
def test_angle_brackets(text: str, kept: bool) -> None:
    pytest.importorskip("pycld2", reason="the language filter needs pycld2")
    assert language_filter("vi", 80)(text) == kept


@pytest.mark.case("A file of all languages gives a language its own rows only")
def test_all_languages_in_one_file(bench: Bench) -> None:
    path = bench.folder / "xnli.test.tsv"
    lines = ["language\tpremise\thypothesis\tlabel"]
    for lang in ("ar", "vi", "hi"):
        lines += [f"{lang}\tp{i} {lang}\th{i} {lang}\t{i % 3}" for i in range(4)]
    path.write_text("\n".join(lines) + "\n")
    told, items = bench.prepare("xnli", path)
    told.fine()
    assert [item["premise"] for item in items] == [f"p{i} vi" for i in range(4)]


LLAMA2 = ("en", "zh", "fr", "es", "vi", "id", "ja")
REAL: dict[str, tuple[str, Callable[[Path], object]]] = {
    "pairs": ("xnli/test-vi.tsv", lambda p: list(xnli.TASK.read_file(p))),
    "questions": ("xquad/xquad.vi.json", lambda p: list(xquad.TASK.read_file(p))),
    "text": ("corpus16/vi.txt", lambda p: corpora.Documents(p, "vi")),
    "neurons": (
        "neurons/LLaMA-2-7B.neuron.pth",
        lambda p: published.read_published(p, LLAMA2, 32, 11008),
    ),
}


@pytest.mark.case("A real file, damaged anywhere, ends in an answer or a clear error")
@pytest.mark.parametrize("kind", REAL)
def test_real_files_damaged(kind: str, shared_data: Path, tmp_path: Path) -> None:
    """Small made-up files of every kind are damaged in tests/unit."""
    name, read = REAL[kind]
    path = tmp_path / Path(name).name
    shutil.copyfile(shared_data / name, path)
    if path.suffix in (".tsv", ".txt"):
        lines = path.read_bytes().splitlines(keepends=True)[:40]
        path.write_bytes(b"".join(lines))
    good = path.read_bytes()
    rng = random.Random(kind)
    refused = 0
    with quiet():
        read(path)  # the file itself is fine
        for _ in range(25):
            path.write_bytes(damage(good, rng))
            try:
                read(path)
            except LangneuronsError:
                refused += 1
    assert refused
