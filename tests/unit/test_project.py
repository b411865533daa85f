"""The files around the code agree with each other and with the code."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

import langneurons

ROOT = Path(__file__).parents[2]


def requirements(name: str) -> list[Requirement]:
    lines = (ROOT / "envs" / name).read_text(encoding="utf-8").splitlines()
    return [Requirement(x) for x in lines if x and not x.startswith(("#", "-r"))]


@pytest.mark.parametrize("name", ["", "-dev", "-small", "-harness"])
def test_pins_are_exact_and_bring_no_gpu_packages(name: str) -> None:
    pinned = requirements(f"requirements{name}.txt")
    assert pinned
    for entry in pinned:
        assert not re.match("nvidia|cuda|triton", entry.name), entry
        if entry.name == "torch":
            assert str(entry.specifier) == "<2.14,>=2.11"  # takes the CPU build
        else:
            assert [s.operator for s in entry.specifier] == ["=="], entry


def test_the_lock_has_the_pins_and_hashes_of_their_files() -> None:
    text = (ROOT / "envs/requirements.lock").read_text(encoding="utf-8")
    entry = r"^([^\s#]+==[^\s;]+)[^\n]*((?:\\\n +--hash=\S+[^\n]*)+)"
    entries = re.findall(entry, text, re.MULTILINE)
    locked = {
        Requirement(pin).name.lower().replace("_", "-"): pin for pin, _ in entries
    }
    wanted = {
        entry.name.lower().replace("_", "-"): str(entry.specifier)
        for entry in requirements("requirements.txt")
        if entry.name != "torch"
    }
    assert locked.keys() == wanted.keys()
    for name, pin in locked.items():
        assert pin.endswith(wanted[name]), pin
    for pin, hashes in entries:
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", hashes), pin


def test_only_the_tests_of_gpu_kernels_install_triton() -> None:
    (entry,) = requirements("requirements-kernels.txt")
    assert (entry.name, [s.operator for s in entry.specifier]) == ("triton", ["=="])


def test_what_tests_are_skipped_without_is_installed_for_them() -> None:
    """A package that `make test` does not install skips its tests for good."""
    of_others = {"triton"}  # make test-kernels
    asked = {
        name.partition(".")[0].replace("_", "-")
        for path in ROOT.glob("tests/**/*.py")
        for name in re.findall(r'importorskip\(\s*"([\w.]+)"', path.read_text())
    }
    assert len(asked) > 5
    pinned = {
        entry.name.lower().replace("_", "-")
        for name in ("requirements.txt", "requirements-dev.txt")
        for entry in requirements(name)
    }
    assert asked - of_others - pinned == set()


def test_pins_and_declared_ranges_agree() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = [*project["dependencies"]]
    for extra in project["optional-dependencies"].values():
        declared += extra
    versions = {}
    for name in ("requirements.txt", "requirements-small.txt"):
        for entry in requirements(name):
            versions[entry.name.lower()] = next(iter(entry.specifier)).version
    for text in declared:
        entry = Requirement(text)
        if entry.name != "torch":
            assert entry.specifier.contains(versions[entry.name.lower()]), entry


def test_conda_environments_have_the_versions_of_the_pins() -> None:
    other = {"snakemake-minimal": "snakemake", "huggingface_hub": "huggingface_hub"}
    pinned = {
        r.name.lower(): str(r.specifier) for r in requirements("requirements.txt")
    }
    compared = 0
    for path in (ROOT / "envs").glob("*.yaml"):
        for line in yaml.safe_load(path.read_text())["dependencies"]:
            if isinstance(line, str):
                name, version = line.split(" =")
                name = other.get(name, name)
                if name in pinned:
                    exact = pinned[name].removeprefix("==")
                    assert exact.startswith(version), (path.name, line)
                    compared += 1
    assert compared > 15


def test_versions_agree() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == langneurons.__version__
    licence = (ROOT / "LICENSE").read_text()
    assert "Apache License" in licence and "END OF TERMS AND CONDITIONS" in licence


def test_each_entry_of_the_changelog_says_what_reruns() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    entries = re.split(r"^- ", text, flags=re.MULTILINE)[1:]
    assert entries
    assert [e for e in entries if "*reruns:*" not in e] == []


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_make_shows_its_targets_and_sets_up_before_each() -> None:
    shown = subprocess.run(
        ["make"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    names = re.findall(r"^ +make ([a-z-]+) ", shown, re.MULTILINE)
    assert {"demo", "small", "test", "lint", "clean"} <= set(names)
    for name in ("demo", "test", "lint"):
        command = ["make", "-n", name, "VENV=.venv-that-is-not-there"]
        plan = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout
        assert "envs/requirements.txt" in plan, name
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
