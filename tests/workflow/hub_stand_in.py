"""A hub on this machine that answers what we ask of the Hugging Face hub as it does.

``HF_ENDPOINT`` sends the real clients here: what lists, downloads and streams is
theirs. Each repository has one revision; asked for another, it says that there is none.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

Key = tuple[str, str]
"""``models`` or ``datasets``, and owner/name."""

API = re.compile(
    r"/api/(models|datasets)/([^/]+/[^/]+)"
    r"(?:/(revision|tree|paths-info)/([^/]+)(?:/(.*))?)?"
)
FILE = re.compile(r"/(datasets/)?([^/]+/[^/]+)/resolve/([^/]+)/(.+)")


@dataclass(frozen=True)
class Repository:
    """A repository: its only revision, and its files by their paths."""

    revision: str
    files: Mapping[str, bytes]

    def entries(self, below: str = "") -> list[dict[str, Any]]:
        """Describe all files and folders below a folder, as the hub's tree does."""
        inside = [name for name in self.files if name.startswith(below)]
        folders = {
            "/".join(name.split("/")[:depth])
            for name in inside
            for depth in range(1, name.count("/") + 1)
        }
        found = [self.entry(name) for name in sorted([*inside, *folders])]
        return [one for one in found if one["path"].startswith(below)]

    def entry(self, name: str) -> dict[str, Any]:
        """Describe a file, with the hash by which it is checked, or a folder."""
        if name not in self.files:
            return {"type": "directory", "path": name, "size": 0, "oid": "0" * 40}
        data = self.files[name]
        entry = {"type": "file", "path": name, "size": len(data), "oid": _blob(data)}
        if name.endswith((".safetensors", ".parquet")):
            digest = hashlib.sha256(data).hexdigest()
            entry["lfs"] = {"oid": digest, "size": len(data), "pointerSize": 134}
        return entry

    def info(self, repo: str) -> dict[str, Any]:
        """Describe the repository, as ``model_info`` and ``dataset_info`` read it."""
        siblings = []
        for name in sorted(self.files):
            entry = self.entry(name)
            one = {"rfilename": name, "size": entry["size"], "blobId": entry["oid"]}
            if lfs := entry.get("lfs"):
                one["lfs"] = {"sha256": lfs["oid"]} | lfs
            siblings.append(one)
        known = {"id": repo, "sha": self.revision, "siblings": siblings}
        return known | {"private": False, "gated": False, "disabled": False, "tags": []}


def _blob(data: bytes) -> str:
    start = f"blob {len(data)}\0".encode()
    return hashlib.sha1(start + data, usedforsecurity=False).hexdigest()


@dataclass
class Hub:
    """What the stand-in has, and what was asked of it.

    Attributes:
        repositories: by kind and name.
        asked: (kind, repository, revision) of every request that named a revision.
        address: for ``HF_ENDPOINT``.
    """

    repositories: Mapping[Key, Repository]
    asked: set[tuple[str, str, str]] = field(default_factory=set)
    address: str = ""

    def find(self, kind: str, repo: str, revision: str | None) -> Repository | None:
        """Return a repository, if it has the revision; main is its only one."""
        if revision:
            self.asked.add((kind, repo, revision))
        found = self.repositories.get((kind, repo))
        if found and (revision or "main") in ("main", found.revision):
            return found
        return None


class Answers(BaseHTTPRequestHandler):
    """Answers requests for ``hub``, which a subclass has."""

    hub: Hub
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        if match := FILE.fullmatch(path):
            return self._file(*match.groups())
        return self._described(path, [])

    do_HEAD = do_GET

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        if self.headers.get("Content-Type", "").startswith("application/json"):
            asked = json.loads(body)["paths"]
        else:
            asked = parse_qs(body).get("paths", [])
        return self._described(unquote(urlsplit(self.path).path), asked)

    def _described(self, path: str, asked: list[str]) -> None:
        match = API.fullmatch(path)
        if match is None:
            return self._send(404, {"error": "no such page"})
        kind, repo, what, revision, below = match.groups()
        found = self.hub.find(kind, repo, revision)
        if found is None:
            return self._missing(kind, repo)
        if what == "tree":
            return self._send(200, found.entries(f"{below}/" if below else ""))
        if what == "paths-info":
            known = {one["path"] for one in found.entries()}
            return self._send(200, [found.entry(x) for x in asked if x in known])
        return self._send(200, found.info(repo))

    def _file(self, dataset: str | None, repo: str, revision: str, name: str) -> None:
        kind = "datasets" if dataset else "models"
        found = self.hub.find(kind, repo, revision)
        if found is None:
            return self._missing(kind, repo)
        if name not in found.files:
            return self._send(404, {}, {"X-Error-Code": "EntryNotFound"})
        data, status = found.files[name], 200
        more = {"ETag": f'"{_blob(data)}"', "X-Repo-Commit": found.revision}
        if part := re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", "")):
            start, end = int(part[1]), int(part[2] or len(data) - 1)
            more["Content-Range"] = f"bytes {start}-{end}/{len(data)}"
            data, status = data[start : end + 1], 206
        return self._send(status, data, more)

    def _missing(self, kind: str, repo: str) -> None:
        there = (kind, repo) in self.hub.repositories
        code = "RevisionNotFound" if there else "RepoNotFound"
        self._send(404, {"error": code}, {"X-Error-Code": code})

    def _send(
        self, status: int, content: Any, more: Mapping[str, str] | None = None
    ) -> None:
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in (more or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@contextmanager
def serving(repositories: Mapping[Key, Repository]) -> Iterator[Hub]:
    """Serve repositories on a free port of this machine."""
    hub = Hub(repositories)
    handler = type("OfHub", (Answers,), {"hub": hub})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    hub.address = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
