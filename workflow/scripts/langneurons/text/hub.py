"""The Hugging Face hub: streaming rows of a data set, and errors that say what to do.

Used by the few local jobs that may touch the network. ``huggingface_hub`` and
``datasets`` are imported inside the functions.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from langneurons.config.errors import DataError

from . import network

SHUFFLE_BUFFER = 10_000
"""Rows held while shuffling a stream; the order of shards is shuffled as well."""

SERVES = {
    "cis-lmu/m_lama": "inayarhmns/MLAMA-dod-185 (a part of it)",
    "m_lama": "inayarhmns/MLAMA-dod-185 (a part of it)",
    "Muennighoff/flores200": "facebook/flores or openlanguagedata/flores_plus",
}
"""Data sets that only a loading script of theirs reads -> which do without one."""


def needs_script(repo: str) -> str | None:
    """Say why a data set is not read, if it is known to need a loading script."""
    if repo not in SERVES:
        return None
    return (
        f"hub dataset {repo!r} needs a loading script, which no current version of "
        f"'datasets' runs; use {SERVES[repo]}, or its items as local files"
    )


def pinned(source: Mapping[str, Any], kind: str) -> tuple[str, str]:
    """Return the repository and the commit that a source names.

    Args:
        source: ``repo`` and ``revision`` of a ``HubSource``.
        kind: ``model`` or ``dataset``.

    Raises:
        DataError: its revision is null.
    """
    repo, revision = source["repo"], source["revision"]
    if revision is None:
        raise DataError(
            f"hub {kind} {repo!r}: its revision is null in the configuration, and what "
            "is not pinned is not fetched. `snakemake pin_models` prints the newest "
            "commit of every such source, to be written there"
        )
    return repo, revision


def newest(kind: str, repo: str) -> str:
    """Ask the hub for the newest commit of a repository.

    Args:
        kind: ``model`` or ``dataset``.
        repo: owner/name.

    Raises:
        DataError: gated, missing, or no network.
    """
    with explained(kind, repo, "main"):
        from huggingface_hub import HfApi

        found = HfApi().repo_info(repo, repo_type=kind).sha
    if not found:
        raise DataError(f"hub {kind} {repo!r}: the hub names no commit of it")
    return found


@contextmanager
def explained(kind: str, repo: str, revision: str) -> Iterator[None]:
    """Turn the hub's exceptions into a DataError with a way out.

    Args:
        kind: ``model`` or ``dataset``.
        repo: owner/name.
        revision: commit hash.

    Raises:
        DataError: what the hub or the network says, or network settings that no request
            can be made with (``network.check``), before one is made.
    """
    network.check()
    from huggingface_hub import errors

    what = f"hub {kind} {repo!r} at revision {revision}"
    page = f"https://huggingface.co/{'datasets/' if kind == 'dataset' else ''}{repo}"
    try:
        yield
    except DataError:
        raise
    except OSError as error:
        # Most specific first: a gated repository is a kind of missing one.
        for cause in _causes(error):
            if isinstance(cause, errors.GatedRepoError):
                message = (
                    f"{what} is gated. Accept its licence on {page} and set HF_TOKEN "
                    "to a token of that account."
                )
            elif isinstance(cause, errors.RevisionNotFoundError):
                message = (
                    f"{what}: there is no such revision. Give the full commit hash "
                    f"listed on {page}/commits/main"
                )
            elif isinstance(cause, errors.RepositoryNotFoundError):
                message = (
                    f"{what} does not exist, or is private. Check the spelling of "
                    "'repo'; for a private one set HF_TOKEN."
                )
            else:
                continue
            raise DataError(message) from error
        # What is left: no network, offline mode, a time-out, a fault of the server,
        # or a data set that the library ``datasets`` does not find.
        raise DataError(
            f"{what} cannot be fetched ({type(error).__name__}: {_first_line(error)}). "
            "Is there a network, is HF_HUB_OFFLINE unset, and is the name right? Fetch "
            f"on a machine with a network; later jobs work offline.{network.hints()}"
        ) from error
    except Exception as error:
        # Errors of the HTTP client are of another library in each release of the hub's.
        library = type(error).__module__.split(".")[0].rstrip("2")
        said = f"{type(error).__name__}: {_first_line(error)}"
        if library in ("httpx", "httpcore"):
            raise DataError(
                f"{what} cannot be reached ({said}). Is there a network?"
                f"{network.hints()}"
            ) from error
        # Damaged files, and text that is not UTF-8.
        if library in ("datasets", "pyarrow") or isinstance(error, UnicodeError):
            raise DataError(f"{what} cannot be read ({said})") from error
        raise


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Walk from an exception to what it came from; ``datasets`` wraps the hub's."""
    while error is not None:
        yield error
        error = error.__cause__


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or ["no message"])[0]


def require_space(folder: Path | str, size: int, what: str) -> None:
    """Refuse before a download that would fill the disk.

    Args:
        folder: where the files will be; a parent is asked where it does not exist yet.
        size: bytes needed; 5 % are added for the file system.
        what: named in the message.
    """
    place = Path(folder).absolute()
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    if free < 1.05 * size:
        raise DataError(
            f"no disk space for {what}: {size / 1e9:,.1f} GB are needed in {place}, "
            f"{free / 1e9:,.1f} GB are free. results/ may be a link to a larger disk."
        )


def rows(
    source: Mapping[str, Any],
    language: str,
    split: str,
    shuffle_seed: int | None = None,
    code: str | None = None,
) -> Iterator[dict[str, Any]]:
    """Stream the rows of a pinned data set.

    Args:
        source: ``repo``, ``revision`` and ``config`` of a ``HubSource``; ``{lang}`` in
            the configuration is replaced.
        language: the language code.
        split: ``train``, ``validation``, ``test``, or another that it has.
        shuffle_seed: None keeps the order of the source.
        code: what the data set calls the language, for ``{code}`` in the
            configuration; None: the same.

    Raises:
        DataError: gated, missing, wrong revision, no network, or no such configuration.
    """
    repo, revision = pinned(source, "dataset")
    filled = {"lang": language, "code": code or language}
    config = (source.get("config") or "").format(**filled) or None
    with explained("dataset", repo, revision):
        stream = _open(repo, revision, config, split)
        if shuffle_seed is not None:
            stream = stream.shuffle(seed=shuffle_seed, buffer_size=SHUFFLE_BUFFER)
        yield from stream


def _open(repo: str, revision: str, config: str | None, split: str) -> Any:
    try:
        import datasets
    except ImportError as error:
        raise DataError(
            f"hub dataset {repo!r}: the Python package 'datasets' is not installed; "
            "try: pip install datasets"
        ) from error
    where = f"hub dataset {repo!r}, configuration {config!r}, split {split!r}"
    try:
        return datasets.load_dataset(
            repo, config, revision=revision, split=split, streaming=True
        )
    except ValueError as error:  # unknown configuration or split; lists what there is
        raise DataError(f"{where}: {error}") from error
    except RuntimeError as error:
        if "scripts are no longer supported" not in str(error):
            raise
    # Such a repository has a loading script beside files that do without it.
    form, found = _own_files(repo, revision, config, split)
    if not found:
        raise DataError(
            needs_script(repo)
            or f"{where}: the data set needs a loading script, which no current "
            "version of 'datasets' runs, and has no Parquet or JSONL files of that "
            "name; use a copy in Parquet"
        )
    urls = [f"hf://datasets/{repo}@{revision}/{name}" for name in found]
    return datasets.load_dataset(
        form, data_files={split: urls}, split=split, streaming=True
    )


def _own_files(
    repo: str, revision: str, config: str | None, split: str
) -> tuple[str, list[str]]:
    """List the files of a configuration and split, in order, and say what they are.

    In graelo/wikipedia data/20230901/en/train-0000-of-0101.parquet is of the
    configuration 20230901.en; in Muennighoff/xwinograd test/en.jsonl is of en.
    """
    from huggingface_hub import HfApi

    listed = HfApi().list_repo_files(repo, revision=revision, repo_type="dataset")
    if found := _parquet_files(listed, config, split):
        return "parquet", found
    ends = {f"/{split}/{config}.jsonl", f"/{config}/{split}.jsonl"}
    return "json", [n for n in listed if f"/{n}".endswith(tuple(ends))][:1]


def _parquet_files(listed: list[str], config: str | None, split: str) -> list[str]:
    folders = {config, config.replace(".", "/")} if config else {""}
    return sorted(
        name
        for name in listed
        if name.endswith(".parquet")
        and re.match(rf"{re.escape(split)}(?![A-Za-z])", name.rpartition("/")[2])
        and any(f"/{f}/" in f"/{name.rpartition('/')[0]}/" or not f for f in folders)
    )
