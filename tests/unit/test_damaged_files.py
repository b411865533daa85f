"""Whatever a file holds, its reader answers or says what is wrong with it.

Files are damaged at random, from fixed seeds. Jobs compare hashes before they read a
result, so the point is not to notice all damage, but to end in no traceback, and to
say which file it is.
"""

from __future__ import annotations

import gzip
import random
from pathlib import Path

import pytest

from file_readers import KINDS, Kind, quiet
from langneurons.config.errors import DataError, LangneuronsError
from langneurons.jobs.files import POINTER

CASES = 100
INSERTED = (
    b"\xff", b"\x00", b"\t", b"\n", b"\r", b'"', b"{", b"[]", b"\xef\xbb\xbf", b"null",
    b"-1", b"NaN", b"1e999", b"9" * 30, b"\\ud83d", b"true",
)  # fmt: skip


def damage(raw: bytes, rng: random.Random) -> bytes:
    """Change bytes of a file in one to five places, more often near its start."""
    found = bytearray(raw)
    for _ in range(rng.choice([1, 1, 2, 5])):
        if not found:
            break
        last = len(found) if rng.random() < 0.6 else min(len(found), 400)
        at, size = rng.randrange(last), rng.choice([1, 1, 4, 50, 2000])
        how = rng.choice(["flip", "delete", "insert", "cut", "repeat", "zero"])
        if how == "flip":
            found[at] ^= 1 << rng.randrange(8)
        elif how == "delete":
            del found[at : at + size]
        elif how == "insert":
            found[at:at] = rng.choice(INSERTED)
        elif how == "cut":
            del found[at:]
        elif how == "repeat":
            found[at:at] = found[at : at + size]
        else:
            found[at : at + size] = bytes(min(size, len(found) - at))
    return bytes(found)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_damage_ends_in_an_answer_or_a_clear_error(kind: Kind, tmp_path: Path) -> None:
    path = kind.make(tmp_path)
    good = path.read_bytes()
    with quiet():
        kind.read(path)  # the file itself is fine
    rng = random.Random(kind.name)
    refused = 0
    for _ in range(CASES // kind.cost):
        path.write_bytes(damage(good, rng))
        try:
            with quiet():
                kind.read(path)
        except LangneuronsError as error:
            refused += 1
            assert str(error)
    # The others say that they start over, and do.
    assert refused or kind.name in ("checkpoint", "micro-batch")


def pointer() -> bytes:
    return POINTER + b"v1\noid sha256:" + b"0" * 64 + b"\nsize 16060556376\n"


STRANGE = {
    "empty": (b"", "empty"),
    "pointer": (pointer(), "Git LFS pointer.*git lfs pull"),
    "gzip": (gzip.compress(b"hello\n" * 50), "gunzip"),
    "UTF-16": ("premise\thypothesis\tlabel\n".encode("utf-16"), "UTF-16.*iconv"),
    "UTF-16 without its mark": ("hello\n".encode("utf-16-le") * 9, "UTF-16.*iconv"),
    "zip": (b"PK\x03\x04" + bytes(60), "zip archive"),
}
READERS = [k for k in KINDS if k.name not in ("checkpoint", "micro-batch")]


@pytest.mark.parametrize("strange", STRANGE)
@pytest.mark.parametrize("kind", READERS, ids=lambda kind: kind.name)
def test_what_a_file_is_instead_is_said(
    kind: Kind, strange: str, tmp_path: Path
) -> None:
    content, message = STRANGE[strange]
    path = kind.make(tmp_path)
    path.write_bytes(content)
    if not kind.text and strange not in ("empty", "pointer"):
        message = path.name  # for a binary format these are any other bytes
    with quiet(), pytest.raises(DataError, match=message) as told:
        kind.read(path)
    assert path.name in str(told.value)
    # Nobody is told to delete a file that the workflow did not make.
    assert not (kind.users and "delete" in str(told.value).lower())


@pytest.mark.parametrize("kind", READERS, ids=lambda kind: kind.name)
def test_folders_and_forbidden_files(
    kind: Kind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = kind.make(tmp_path)
    path.unlink()
    path.mkdir()
    with pytest.raises(DataError, match=path.name):
        kind.read(path)
    path.rmdir()
    path.write_text("x")
    opened = Path.open

    def refuse(self: Path, *args: object, **options: object) -> object:
        if self == path:  # root may read all, so that modes cannot be tested
            raise PermissionError(13, "Permission denied", str(self))
        return opened(self, *args, **options)  # type: ignore[call-overload]

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(DataError, match=f"{path.name}.*permission to read"):
        kind.read(path)
