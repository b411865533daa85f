"""Hashes of code that were worked out before, by the bytes of all files of the code.

To work them out takes longer than all else at the start of Snakemake, and every job on
a cluster starts it twice. They are kept in one file, for one state of the code: after
an edit, whatever it is, all are worked out again.
"""

from __future__ import annotations

import atexit
import contextlib
import hashlib
import json
import sys
from pathlib import Path
from typing import Any

from langneurons.config.errors import DataError

from . import files


class KnownHashes:
    """Hashes by what they are of, read from a file and written there at the end.

    Args:
        path: the file; one that is damaged or of other code counts for nothing.
        root: folder of the code.
        writes: whether what is new is kept, when this process ends.
    """

    def __init__(self, path: Path, root: Path, writes: bool) -> None:
        self.path, self.root = path, root
        self._state = state(root)
        self._hashes = self._read()
        self._new, self._sound = False, True
        if writes:
            atexit.register(self.write)

    def get(self, what: str) -> str | None:
        return self._hashes.get(what)

    def add(self, what: str, digest: str) -> None:
        """Keep a hash in mind that was worked out just now.

        Where the code is not, or no longer, what it was at the start, nothing of this
        process is ever written: what was worked out while another version was there
        would be taken for this one's, were this one put back before the end.
        """
        self._hashes[what] = digest
        self._new = True
        self._sound = self._sound and state(self.root) == self._state

    def write(self) -> None:
        """Write the file, if there is something new; where that fails, it is left."""
        # A hash that was asked for after an edit is not one of what was read before it.
        if not (self._new and self._sound) or state(self.root) != self._state:
            return
        kept: dict[str, Any] = {"state": self._state, "hashes": self._hashes}
        with contextlib.suppress(DataError, OSError), files.atomic(self.path) as part:
            part.write_text(files.canonical(kept), encoding="utf-8")

    def _read(self) -> dict[str, str]:
        try:
            kept = json.loads(self.path.read_text(encoding="utf-8"))
            if kept["state"] == self._state:
                return {str(k): str(v) for k, v in kept["hashes"].items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            pass
        return {}


def state(root: Path) -> str:
    """Hash the names and the bytes of all Python files below a folder.

    And the version of Python: each writes its own syntax trees.
    """
    digest = hashlib.sha256(repr(sys.version_info[:3]).encode())
    for path in sorted(root.rglob("*.py")):
        text = path.read_bytes()
        digest.update(f"\n{path.relative_to(root).as_posix()} {len(text)}\n".encode())
        digest.update(text)
    return digest.hexdigest()
