"""Files are whole or absent."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from langneurons.config.errors import DataError
from langneurons.jobs.files import (
    atomic,
    atomic_folder,
    canonical,
    read_json,
    read_object,
    sha256,
    write_json,
)


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    write_json(path, {"a": 1})
    with pytest.raises(RuntimeError, match="killed"), atomic(path) as part:
        part.write_text("half")
        raise RuntimeError("killed")
    assert read_json(path) == {"a": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["x.json"]


def test_a_folder_is_replaced_as_a_whole(tmp_path: Path) -> None:
    target = tmp_path / "model"
    for text in ("one", "two"):
        with atomic_folder(target) as part:
            (part / text).write_text(text)
    assert [p.name for p in target.iterdir()] == ["two"]
    with pytest.raises(RuntimeError), atomic_folder(target):
        raise RuntimeError
    assert [p.name for p in tmp_path.iterdir()] == ["model"]


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with (
        pytest.raises(DataError, match="cannot be written"),
        atomic(tmp_path / "a") as part,
    ):
        raise OSError(28, "No space left on device", str(part))


def test_canonical_json_has_one_form() -> None:
    assert canonical({"b": 1, "a": [1.0, "ü"]}) == canonical({"a": [1.0, "ü"], "b": 1})
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical(float("nan"))


def test_damaged_json_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text('{"a": ')
    with pytest.raises(DataError, match=r"x\.json"):
        read_json(tmp_path / "x.json")


def test_json_with_a_byte_order_mark_is_read_over(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(b'\xef\xbb\xbf{"a": 1}')
    assert read_json(path) == {"a": 1}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (r'{"a": [{"b": "\ud83d"}]}', r"\['a'\]\[0\]\['b'\]: half of a surrogate"),
        (r'{"\udc00": 1}', r"\['\\udc00'\]: half of a surrogate"),
        (r'"\ude00\ud83d"', "half of a surrogate"),
        ("9" * 5000, "digits"),
        ("[" * 100_000, "too deeply"),
    ],
)
def test_json_that_python_reads_and_nobody_can_use(
    tmp_path: Path, text: str, message: str
) -> None:
    path = tmp_path / "x.json"
    path.write_text(text)
    with pytest.raises(DataError, match=rf"x\.json: not valid JSON .*{message}"):
        read_json(path)
    path.write_text(r'"\ud83d\ude00 \\ud83d"')  # a whole pair, and a backslash
    assert read_json(path) == "😀 \\ud83d"


def test_only_what_the_workflow_made_is_to_be_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    disk = tmp_path / "disk"  # results/ may be a link to a larger one
    disk.mkdir()
    Path("results").symlink_to(disk)
    for path in (Path("results/x.json"), tmp_path / "results/x.json"):
        path.write_text('{"a": ')
        with pytest.raises(DataError, match="Delete it to redo it"):
            read_json(path)
    for path in (tmp_path / "x.json", Path("x.json"), Path("data/results/x.json")):
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text('{"a": ')
        with pytest.raises(DataError) as told:
            read_json(path)
        assert "elete" not in str(told.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"n": true}', "n is True, but should be a whole number"),
        ('{"n": "1"}', "n is '1', but should be a whole number"),
        ('{"n": 1, "x": NaN}', "x is nan, but should be a number"),
        ('{"n": 1, "x": null}', "x is None, but should be a number"),
        ('{"n": 1}', "it lacks 'x'"),
        ("[1]", "not a result, but of type list"),
    ],
)
def test_keys_and_their_types(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "x.json"
    path.write_text(content)
    with pytest.raises(DataError, match=message):
        read_object(path, "a result", {"n": int, "x": float})
    path.write_text('{"n": 1, "x": 2}')  # a float may lack its point
    assert read_object(path, "a result", {"n": int, "x": float})["x"] == 2


def test_sha256_is_that_of_the_content(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"abc")
    assert sha256(tmp_path / "x") == hashlib.sha256(b"abc").hexdigest()
