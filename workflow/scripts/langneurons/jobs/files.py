"""Files that are either whole or absent: atomic writes, hashes, JSON.

And what a file is that is not what was asked for: a Git LFS pointer, an archive, a
folder. Every reader of this project says so by :func:`require` and :func:`nature`.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from langneurons.config.errors import DataError

from . import json_text


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Turn what the system says of a failed write into a clear error."""
    try:
        yield
    except OSError as error:
        raise DataError(
            f"{path}: cannot be written ({error.strerror or error}). "
            "Is the disk full or read-only?"
        ) from error


@contextmanager
def atomic(path: Path | str) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; rename it there when the block succeeds.

    The file is flushed to disk before the rename, so that ``path`` never holds half of
    the content, even after a crash. The temporary file is removed on failure.
    """
    final = Path(path)
    final.parent.mkdir(parents=True, exist_ok=True)
    # The suffix is kept last: some writers choose the format by it.
    part = final.with_name(f".{final.stem}.{os.getpid()}.part{final.suffix}")
    try:
        with _writing(final):
            yield part
            with part.open("rb+") as handle:
                os.fsync(handle.fileno())
            part.chmod(0o666 & ~_umask())  # some writers make private files
            part.replace(final)
    finally:
        part.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


@contextmanager
def atomic_folder(path: Path | str) -> Iterator[Path]:
    """Yield a temporary folder beside ``path`` that replaces it on success."""
    final = Path(path)
    part = final.with_name(f".{final.name}.{os.getpid()}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        with _writing(final):
            yield part
            if final.exists():
                shutil.rmtree(final)
            part.replace(final)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def canonical(value: Any) -> str:
    """Serialise to JSON with sorted keys and built-in types only."""
    return json.dumps(
        value,
        sort_keys=True,
        ensure_ascii=False,
        separators=(",", ":"),
        allow_nan=False,
    )


def write_json(path: Path | str, value: Any) -> None:
    """Write readable JSON atomically, keys in the order given."""
    with atomic(path) as part:
        text = json.dumps(value, ensure_ascii=False, indent=1, allow_nan=False)
        part.write_text(text + "\n", encoding="utf-8")


# How some files begin that are often handed over instead of what is in them.
POINTER = b"version https://git-lfs.github.com/spec/"
UTF16 = (b"\xff\xfe", b"\xfe\xff")
PACKED = {
    b"\x1f\x8b": "compressed with gzip; unpack it with gunzip",
    b"BZh": "compressed with bzip2; unpack it with bunzip2",
    b"\xfd7zXZ\0": "compressed with xz; unpack it with unxz",
    b"\x28\xb5\x2f\xfd": "compressed with zstd; unpack it with unzstd",
    b"PK\x03\x04": "a zip archive (.zip, .xlsx or .pth); unpack it, or export text",
    b"PAR1": "a Parquet file; export it as text",
    b"%PDF": "a PDF; export it as text",
}


IS_POINTER = (
    "a Git LFS pointer, not the file itself; run 'git lfs install && git lfs pull' in "
    "the clone that it comes from, or download the file"
)


def pointer(head: bytes) -> str:
    """Say so where a file begins as a Git LFS pointer does; else return ``""``."""
    return IS_POINTER if head.startswith(POINTER) else ""


def nature(path: Path | str, text: bool = False) -> str:
    """Tell from a file's first bytes what it is instead of what was asked for.

    Args:
        path: a file that can be read.
        text: UTF-8 text was asked for, else some binary format.

    Returns:
        What follows "it is": a phrase with a remedy. ``""`` where nothing is known
        against the file.
    """
    with reading(path), Path(path).open("rb") as handle:
        head = handle.read(4096)
    if not head:
        return "empty"
    if found := pointer(head):
        return found
    if not text:
        page = head.lstrip().lower().startswith((b"<!doctype html", b"<html"))
        return "a web page; download the file itself" if page else ""
    for magic, found in PACKED.items():
        if head.startswith(magic):
            return found
    # English in UTF-16 is half zeros; text with a stray zero stays text.
    if head.startswith(UTF16) or head.count(0) > len(head) // 4:
        return "UTF-16 or binary, not UTF-8; convert text with iconv -f UTF-16 -t UTF-8"
    return ""


def require(path: Path | str, text: bool = False) -> None:
    """Refuse a file that cannot be what was asked for, before it is read.

    Args:
        path: the file.
        text: UTF-8 text is asked for, else some binary format.

    Raises:
        DataError: absent, a folder, no permission, empty, a Git LFS pointer; where text
            is asked for also an archive or UTF-16.
    """
    if found := nature(path, text):
        raise DataError(f"{path} is {found}{redo(path)}")


@contextmanager
def reading(path: Path | str) -> Iterator[None]:
    """Turn what the system says of a failed read into a DataError with the path."""
    try:
        yield
    except FileNotFoundError as error:
        raise DataError(f"{path} does not exist") from error
    except IsADirectoryError as error:
        raise DataError(f"{path} is a folder, but a file is expected") from error
    except PermissionError as error:
        raise DataError(
            f"{path}: no permission to read it; see its owner and mode with ls -l"
        ) from error
    except OSError as error:
        raise DataError(
            f"{path}: cannot be read ({error.strerror or error})"
        ) from error


def redo(path: Path | str) -> str:
    """Return the advice to delete a file, if the workflow made it; else ``""``.

    What the workflow makes lies in ``results/`` of the working directory. Files of the
    user's own are never to be deleted.
    """
    try:
        inside = Path(path).absolute().relative_to(Path.cwd())
    except ValueError:
        return ""
    return ". Delete it to redo it" if inside.parts[:1] == ("results",) else ""


def read_text(path: Path | str) -> str:
    """Read a whole UTF-8 text; a byte order mark at its start is no part of it.

    Raises:
        DataError: see :func:`require`; or a byte that is not UTF-8.
    """
    require(path, text=True)
    with reading(path):
        raw = Path(path).read_bytes()
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path}: not UTF-8 at byte {error.start:,}: {error.reason}, byte "
            f"0x{raw[error.start]:02x}{redo(path)}"
        ) from error


def read_json(path: Path | str) -> Any:
    """Read a JSON file.

    Raises:
        DataError: not UTF-8, not valid JSON, or see :func:`require`; names the file.
    """
    text = read_text(path)
    try:
        return json_text.loads(text)
    except ValueError as error:
        raise DataError(f"{path}: not valid JSON ({error}){redo(path)}") from error


def read_object(
    path: Path | str,
    what: str = "a JSON object",
    keys: Mapping[str, type] | None = None,
) -> dict[str, Any]:
    """Read a JSON file that holds one object with certain keys.

    Args:
        path: the file.
        what: what it should be, for the message.
        keys: keys that it must have, and the type of their values.

    Raises:
        DataError: see :func:`read_json`; or it is something else.
    """
    found = read_json(path)
    if not isinstance(found, dict):
        name = type(found).__name__
        raise DataError(f"{path}: not {what}, but of type {name}{redo(path)}")
    check_keys(path, found, what, keys or {})
    return found


def check_keys(
    path: Path | str, found: Mapping[str, Any], what: str, keys: Mapping[str, type]
) -> None:
    """Check that an object has certain keys with values of their types.

    Raises:
        DataError: a key is missing, or its value is of another type or not finite.
    """
    for key, kind in keys.items():
        if key not in found:
            raise DataError(f"{path}: not {what}: it lacks {key!r}{redo(path)}")
        value = found[key]
        # Of these very types: a bool would pass as an int. A float may lack its point.
        right = type(value) is kind or (kind is float and type(value) is int)
        if not right or (kind is float and not math.isfinite(value)):
            raise DataError(
                f"{path}: not {what}: {key} is {value!r}, but should be "
                f"{TYPES[kind]}{redo(path)}"
            )


TYPES: dict[type, str] = {
    int: "a whole number",
    float: "a number",
    str: "text in quotes",
    list: "a list",
    dict: "an object",
}


def sha256(path: Path | str) -> str:
    """Hash a file's content.

    Raises:
        DataError: the file cannot be read.
    """
    with reading(path), Path(path).open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
