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
