"""Pin a model: download it, copy it, or convert it from GGUF into one local folder.

The folder has the Hugging Face layout (config.json, *.safetensors, tokenizer files) and
a ``manifest.json`` with the revision and the hash of every file. Pickled weights are
never taken.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from langneurons.config.errors import DataError
from langneurons.config.user_paths import expand
from langneurons.jobs import files
from langneurons.text import hub

from . import checkpoints, folders, gguf_files

# Weights as safetensors, and what a tokenizer needs; no pickles, no code. Only files
# named model*: Mistral's repositories hold all weights a second time (consolidated*).
PATTERNS = (
    "model*.safetensors",
    "model.safetensors.index.json",
    "config.json",
    "generation_config.json",
    "tokenizer*",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "vocab.txt",
    "merges.txt",
)


def fetch(name: str, entry: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Make the pinned folder of a model.

    Args:
        name: the model's name in the catalogue.
        entry: ``family``, ``dtype`` and one source of ``model_entries.Model``: ``hub``,
            ``folder`` or ``gguf``.
        folder: folder to write; it appears only when complete.

    Returns:
        The manifest that was written to ``folder``.

    Raises:
        DataError: not there, gated, wrong revision or hash, another family, no space.
        ConfigError: a path with an unknown variable or user.
    """
    if entry.get("hub"):
        source, revision, part = _from_hub(entry["hub"], entry["family"], folder)
        try:
            checkpoints.check(part, _pinned(part), entry["family"], source)
            manifest = finish(name, entry, source, revision, part)
        except DataError:
            shutil.rmtree(part, ignore_errors=True)
            raise
        shutil.rmtree(folder, ignore_errors=True)
        part.replace(folder)
        return manifest
    with files.atomic_folder(folder) as part:
        if entry.get("folder"):
            place = Path(expand(entry["folder"]))
            source, revision = _from_folder(place, entry["family"], part)
        elif entry.get("gguf"):
            source, revision = gguf_files.convert(entry["gguf"], entry["dtype"], part)
            checkpoints.check(part, _pinned(part), entry["family"], source)
        else:
            raise DataError(f"models.{name}: no hub, folder or gguf source to fetch")
        return finish(name, entry, source, revision, part)


def finish(
    name: str, entry: Mapping[str, Any], source: str, revision: str, part: Path
) -> dict[str, Any]:
    """Check the family, hash the files and write the manifest."""
    folders.read_config(part, entry["family"])
    folders.share(part)
    hashes = {p.name: files.sha256(p) for p in sorted(part.iterdir()) if p.is_file()}
    hashes.pop(folders.MANIFEST, None)
    manifest = {
        "format": "langneurons/model/1",
        "model": name,
        "source": source,
        "revision": revision or _digest(hashes),
        "family": entry["family"],
        "dtype": entry["dtype"],
        **folders.describe(part),
        "files": hashes,
    }
    files.write_json(part / folders.MANIFEST, manifest)
    return manifest


def _digest(hashes: Mapping[str, str]) -> str:
    """One hash of a whole folder, the revision of a model that has no other."""
    return (
        "sha256:" + hashlib.sha256(files.canonical(dict(hashes)).encode()).hexdigest()
    )


def local_files(folder: Path | str) -> list[str]:
    """List the files of a model's folder that are copied."""
    inside = Path(folder).iterdir() if Path(folder).is_dir() else ()
    return sorted(str(p) for p in inside if p.is_file() and _wanted(p.name))


def _wanted(name: str) -> bool:
    return "/" not in name and any(fnmatch(name, pattern) for pattern in PATTERNS)


def _pinned(folder: Path) -> list[str]:
    """Name the files of a folder that are part of a pinned model, in order."""
    files_there = sorted(path.name for path in folder.iterdir() if path.is_file())
    return [name for name in files_there if _wanted(name)]


def _check_names(names: list[str], where: str) -> None:
    """Refuse a list of files that is no model, before any is read."""
    if "config.json" not in names and "adapter_config.json" in names:
        raise DataError(
            f"{where}: an adapter (adapter_config.json) without its model. Merge the "
            "two (peft: merge_and_unload), save the result with save_pretrained, and "
            "give that."
        )
    if "adapter_config.json" in names:
        # transformers would load it, but a pinned folder has no part of it.
        raise DataError(
            f"{where}: holds an adapter beside the model (adapter_config.json), which "
            "would be left out. Merge the two (peft: merge_and_unload) and save the "
            "result with save_pretrained, or remove the adapter."
        )
    checkpoints.require_names([name for name in names if _wanted(name)], where)


def _from_hub(
    source: Mapping[str, Any], family: str, folder: Path
) -> tuple[str, str, Path]:
    """Download into a folder beside ``folder`` that outlives a failure, to resume."""
    from huggingface_hub import HfApi, snapshot_download

    repo, revision = hub.pinned(source, "model")
    where = f"hub model {repo!r}"
    part = folder.with_name(f".{folder.name}.{revision[:12]}.download")
    with hub.explained("model", repo, revision):
        info = HfApi().model_info(repo, revision=revision, files_metadata=True)
        listed = info.siblings or []
        _check_names([f.rfilename for f in listed], where)
        wanted = [f for f in listed if _wanted(f.rfilename)]
        have = sum(p.stat().st_size for p in part.rglob("*") if p.is_file())
        needed = sum(f.size or 0 for f in wanted) - have
        hub.require_space(folder.parent, max(needed, 0), f"model {repo}")

        def download(names: list[str]) -> None:
            snapshot_download(
                repo, revision=revision, local_dir=part, allow_patterns=names
            )

        # The small files first: their faults should not cost the whole download.
        names = [f.rfilename for f in wanted]
        small = [name for name in names if not name.endswith(".safetensors")]
        download(["config.json"])
        config = folders.read_config(part, family)
        checkpoints.require_full_precision(config, where)
        download(small)
        checkpoints.shards(part, names, where)
        checkpoints.check_small(part, small, where)
        download(names)
    shutil.rmtree(part / ".cache", ignore_errors=True)
    for f in wanted:
        path = part / f.rfilename
        if f.lfs is not None:
            kind, hashed, expected = "sha256", files.sha256(path), f.lfs.sha256
        else:
            kind, hashed, expected = "git hash", _git_hash(path), f.blob_id
        if hashed != expected:
            path.unlink()
            raise DataError(
                f"{where}: {f.rfilename} arrived damaged (its {kind} is not "
                f"{expected}). Run again to download it anew."
            )
    return f"hub:{repo}", revision, part


def _git_hash(path: Path) -> str:
    """Hash a small file as git does, and the hub for files that git itself keeps."""
    content = path.read_bytes()
    start = f"blob {len(content)}\0".encode()
    return hashlib.sha1(start + content, usedforsecurity=False).hexdigest()


def _from_folder(source: Path, family: str, part: Path) -> tuple[str, str]:
    if not source.is_dir():
        raise DataError(f"model folder {source} does not exist")
    where = f"model folder {source}"
    found = sorted(path.name for path in source.iterdir() if path.is_file())
    names = _pinned(source)
    checkpoints.require_content(source, names, where)
    folders.read_config(source, family)
    _check_names(found, where)
    checkpoints.check(source, names, family, where)
    size = sum((source / name).stat().st_size for name in names)
    hub.require_space(part, size, f"a copy of {source}")
    for name in names:
        shutil.copyfile(source / name, part / name)
    return f"folder:{source}", ""
