"""Files that are either whole or absent: atomic writes, hashes, canonical JSON."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .errors import DataError


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


def read_json(path: Path | str) -> Any:
    """Read a JSON file; a damaged one is a DataError that names it."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise DataError(
            f"{path}: not valid JSON ({error}). Delete it to redo it."
        ) from error


def sha256(path: Path | str) -> str:
    """Hash a file's content."""
    with Path(path).open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
