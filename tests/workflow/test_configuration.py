"""Snakemake names what is wrong with the files of a configuration when it starts."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from snakemake_runs import copy_project, snakemake


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return copy_project(tmp_path)


def test_a_key_that_stands_twice_is_named_with_its_line(project: Path) -> None:
    path = project / "tiny.yaml"
    written = path.read_text(encoding="utf-8")
    path.write_text(f"{written}tasks:\n  xnli: {{}}\n", encoding="utf-8")
    text = snakemake(project, "-n", check=False)
    line = len(written.splitlines()) + 1
    assert f"tiny.yaml, line {line}: the key 'tasks' stands twice" in text
    assert "Traceback" not in text


def test_a_broken_file_is_named_with_its_line(project: Path) -> None:
    path = project / "config" / "config.yaml"
    written = path.read_text(encoding="utf-8")
    path.write_text(f"{written}broken: [1\n", encoding="utf-8")
    command = [sys.executable, "-m", "snakemake", "-n", "--cores", "1"]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True)
    text = done.stdout + done.stderr
    line = len(written.splitlines()) + 1
    assert done.returncode != 0 and "Traceback" not in text
    assert "config/config.yaml, line" in text
    assert f"flow sequence that begins in line {line}" in text
