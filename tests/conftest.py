"""Fixtures that every test may use."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder with real data; tests that need it are skipped where it is absent."""
    given = os.environ.get("LANGNEURONS_DATA")
    folder = Path(given) if given else ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(
            "real data is absent: set LANGNEURONS_DATA to its folder (XNLI and others "
            "may not be redistributed with this repository)"
        )
    return folder


@pytest.fixture(autouse=True)
def _same_gpus() -> Iterator[None]:
    """Undo what a job that runs inside a test does: it hides GPUs that are not its."""
    before = os.environ.get("CUDA_VISIBLE_DEVICES")
    yield
    os.environ.pop("CUDA_VISIBLE_DEVICES", None)
    if before is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = before


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put files first whose tests start Snakemake, whole files at a time.

    They take longest, and who works at one when all else is done works alone.
    """
    items.sort(key=lambda item: not _starts_snakemake(item))


def _starts_snakemake(item: pytest.Item) -> bool:
    if item.path.is_relative_to(ROOT / "tests/workflow"):
        return True
    known = vars(getattr(item, "module", None) or item)
    return any(name in known for name in ("warm_start", "snakemake", "dry_runs"))
