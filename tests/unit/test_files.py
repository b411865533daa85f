"""Files are whole or absent."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from langneurons.errors import DataError
from langneurons.files import (
    atomic,
    atomic_folder,
    canonical,
    read_json,
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


def test_sha256_is_that_of_the_content(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"abc")
    assert sha256(tmp_path / "x") == hashlib.sha256(b"abc").hexdigest()
