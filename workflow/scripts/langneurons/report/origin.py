"""Where the page's numbers come from: the provenance of its files, summed up.

Each output has ``<file>.provenance.json`` beside it, which names the files that its job
read. They are followed back from the tables and figures as far as they are there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import inputs


@dataclass(frozen=True)
class Origin:
    """What made the files of this page, and from what.

    Attributes:
        facts: (what, values), such as ("git commit", "abc (12 files)").
        packages: (package, versions).
        sources: (file, SHA-256) of what no job made: data, and models' manifests.
        pinned: (name, repository or folder, revision) of the entries that are used.
        files: number of files with provenance.
        without: files of the page that have none.
    """

    facts: tuple[tuple[str, str], ...]
    packages: tuple[tuple[str, str], ...]
    sources: tuple[tuple[str, str], ...]
    pinned: tuple[tuple[str, str, str], ...]
    files: int
    without: tuple[str, ...]


def trace(
    paths: Sequence[Path],
    config: Mapping[str, Any],
    used: Mapping[str, Sequence[str]],
) -> Origin:
    """Follow the provenance of files back to what was there before the first job.

    Args:
        paths: tables and figures of the page.
        config: the merged configuration, for pinned revisions.
        used: names of its models, corpora, tasks and other people's tunings that have
            a part in the study.
    """
    records: dict[str, dict[str, Any]] = {}
    leaves: dict[str, str] = {}
    left = [str(p) for p in paths]
    seen = set(left)
    while left:
        name = left.pop()
        found = inputs.record(Path(name))
        if not found:
            continue
        records[name] = found
        for files in found.get("inputs", {}).values():
            for path, digest in files.items():
                leaves.setdefault(path, digest)
                if path not in seen:
                    seen.add(path)
                    left.append(path)
    made = [records[name] for name in sorted(records)]
    finished = sorted(str(r["finished"]) for r in made if r.get("finished"))
    facts = [
        ("git commit", _counted(r.get("git") for r in made)),
        ("langneurons", _counted(r.get("langneurons") for r in made)),
        ("Python", _counted(r.get("python") for r in made)),
        ("machine", _counted(r.get("machine") for r in made)),
        ("GPU", _counted(r.get("gpu") for r in made)),
        ("first finished", finished[0] if finished else ""),
        ("last finished", finished[-1] if finished else ""),
    ]
    packages = sorted({name for r in made for name in r.get("packages", {})})
    return Origin(
        facts=tuple((what, text) for what, text in facts if text),
        packages=tuple(
            (name, _counted(r.get("packages", {}).get(name) for r in made))
            for name in packages
        ),
        sources=tuple(
            (path, leaves[path]) for path in sorted(leaves) if path not in records
        ),
        pinned=tuple(_pinned(config, used)),
        files=len(records),
        without=tuple(str(p) for p in paths if str(p) not in records),
    )


def _counted(values: Iterable[Any]) -> str:
    """List distinct values, with the number of files if there are several."""
    counts = Counter(str(v) for v in values if v)
    if len(counts) == 1:
        return next(iter(counts))
    return ", ".join(f"{value} ({counts[value]} files)" for value in sorted(counts))


def _pinned(
    config: Mapping[str, Any], used: Mapping[str, Sequence[str]]
) -> Iterable[tuple[str, str, str]]:
    """List what is used and was not made here, with pinned revisions."""
    for kind, named in used.items():
        for name in named:
            entry = config[kind][name]
            source = (entry.get("data") or {}) if kind == "tasks" else entry
            for key in ("hub", "train_hub"):
                if hub := source.get(key):
                    text = f"{hub['repo']} {hub.get('config') or ''}".strip()
                    yield f"{kind}.{name}", text, hub["revision"] or "not pinned"
            if gguf := source.get("gguf"):
                where = gguf.get("package") or gguf.get("path")
                yield f"{kind}.{name}", str(where), str(gguf.get("sha256") or "")
            if source.get("id"):
                where = str(source["id"])
                yield f"{kind}.{name}", where, source["revision"] or "not pinned"
            for key in ("folder", "path", "train", "test"):
                if source.get(key):
                    yield f"{kind}.{name}", str(source[key]), ""
            if source.get("builder"):
                yield f"{kind}.{name}", f"built here: {source['builder']}", ""
