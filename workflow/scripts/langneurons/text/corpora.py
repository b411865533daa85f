"""Text of one language: fetching, reading and checking documents.

Works on files larger than memory: only offsets and a hash a document are held.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from langneurons.config.errors import DataError
from langneurons.jobs import files, json_text
from langneurons.jobs.progress import Progress

from . import hub, row_languages


def read_lines(path: Path | str) -> Iterator[tuple[int, int, str]]:
    """Read UTF-8 text line by line, split at line feeds only.

    Yields:
        Line number from 1, byte offset of the line, text without the line end.

    Raises:
        DataError: the file cannot be read or is no text (``files.require``), a line is
            not UTF-8 (line and byte offset), or lines end as on old Macs.
    """
    files.require(path, text=True)
    offset = 0
    with files.reading(path), Path(path).open("rb") as handle:
        for number, raw in enumerate(handle, start=1):
            if offset == 0 and b"\r" in raw.rstrip(b"\r\n") and raw[-1:] != b"\n":
                raise DataError(
                    f"{path}: one single line, with carriage returns in it, as lines "
                    "end on old Macs; convert it with tr '\\r' '\\n'"
                )
            yield number, offset, _decode(raw, path, number, offset)
            offset += len(raw)


def _decode(raw: bytes, path: Path | str, number: int, offset: int) -> str:
    try:
        # A byte order mark can only start the file; some editors write one.
        text = raw.decode("utf-8-sig" if offset == 0 else "utf-8")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path}: not UTF-8 at byte {offset + error.start:,} (line {number:,}): "
            f"{error.reason}, byte 0x{raw[error.start]:02x}. "
            f"Convert it, for example with iconv -f LATIN1 -t UTF-8{files.redo(path)}"
        ) from error
    return text.rstrip("\r\n")


class Documents:
    """Random access to the documents of a file.

    ``.txt`` holds one document per line; ``.jsonl`` one object
    per line with key ``text``. Blank documents are left out, and so are
    objects that name another language (``row_languages``). The whole file is read
    and checked once.

    Args:
        path: the file.
        language: whose documents these are; None takes all of them.

    Attributes:
        path: the file.
        hashes: uint64 [documents], a hash of each document's text.
        sha256: hash of the file.
    """

    def __init__(self, path: Path | str, language: str | None = None) -> None:
        self.path = Path(path)
        if self.path.suffix not in (".txt", ".jsonl"):
            raise DataError(f"{path}: a text file is named .txt or .jsonl")
        numbers, offsets, hashes = array("q"), array("q"), array("Q")
        own = row_languages.Own(language, str(path)) if language else None
        for number, offset, line in read_lines(path):
            text, said = self._document(line, number)
            if not text or text.isspace() or (own and not own.take(said)):
                continue
            digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
            numbers.append(number)
            offsets.append(offset)
            hashes.append(int.from_bytes(digest, "little"))
        if own:
            own.close()
        self.hashes: NDArray[np.uint64] = np.array(hashes)
        self._numbers: NDArray[np.int64] = np.array(numbers)
        self._offsets: NDArray[np.int64] = np.array(offsets)
        self.sha256 = files.sha256(path)

    def __len__(self) -> int:
        return len(self.hashes)

    def read(self, order: NDArray[np.int64]) -> Iterator[tuple[int, str]]:
        """Yield (index, text) of the documents in the order given."""
        with files.reading(self.path), self.path.open("rb") as handle:
            for index in order:
                number, offset = int(self._numbers[index]), int(self._offsets[index])
                handle.seek(offset)
                line = _decode(handle.readline(), self.path, number, offset)
                yield int(index), self._document(line, number)[0]

    def _document(self, line: str, number: int) -> tuple[str, str | None]:
        """Return the text of a line, and the language that it names, if any."""
        if self.path.suffix == ".txt" or not line.strip():
            return line, None
        where = f"{self.path}: line {number:,}"
        try:
            found = json_text.loads(line)
        except ValueError as error:
            raise DataError(
                f"{where} is not a JSON object with key 'text' ({error})"
            ) from error
        if not isinstance(found, dict) or "text" not in found:
            raise DataError(f"{where} is not a JSON object with key 'text'")
        if not isinstance(found["text"], str):
            raise DataError(f"{where}: 'text' is not a string")
        return found["text"], row_languages.of(found, where)


def fetch_text(spec: dict[str, Any], out: Path) -> int:
    """Write the first documents of a shuffled hub stream, one JSON object per line.

    Args:
        spec: ``hub`` (a ``HubSource``), ``text_column``, ``bytes`` (UTF-8 text wanted),
            ``shuffle_seed``, ``language``, and ``code`` where the data set calls it
            otherwise.
        out: a .jsonl file.

    Returns:
        Bytes of text written: at least ``bytes``, unless the source has less.

    Raises:
        DataError: the hub cannot be read, the column is not there, no disk space, or
            no row is of the language.
    """
    source, column, wanted = spec["hub"], spec["text_column"], spec["bytes"]
    where = f"hub dataset {source['repo']!r}, language {spec['language']!r}"
    code, seed = spec.get("code", spec["language"]), spec["shuffle_seed"]
    own = row_languages.Own(code, where)
    hub.require_space(out.parent, wanted, f"the text of {where}")
    have = 0
    progress = Progress(wanted, "bytes", f"fetch {spec['language']}")
    with files.atomic(out) as part, part.open("w", encoding="utf-8") as handle:
        for row in hub.rows(source, spec["language"], "train", seed, code):
            if not isinstance(row.get(column), str):
                raise DataError(
                    f"{where}: no text in column {column!r}; columns: {sorted(row)}. "
                    "Set text_column of the corpus."
                )
            text = row[column].strip()
            if not text or not own.take(row_languages.of(row, where)):
                continue
            if not json_text.is_text(text):
                raise DataError(f"{where}: {json_text.HALF_OF_A_PAIR}")
            handle.write(files.canonical({"text": text}) + "\n")
            size = len(text.encode())
            have += size
            progress.update(size)
            if have >= wanted:
                break
        own.close()
        if not have:
            raise DataError(f"{where}: no text at all")
    progress.close()
    return have
