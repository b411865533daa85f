"""The programs that change configurations and damage files at random do find faults."""

from __future__ import annotations

import pytest

import file_readers
import fuzz_config
import fuzz_files
from langneurons.config.errors import ConfigError, DataError


@pytest.mark.case("A configuration changed anywhere is read, or refused clearly")
def test_configurations(capsys: pytest.CaptureFixture[str]) -> None:
    """A few; test_config_property.py does hundreds, fuzz_config.py any number."""
    assert fuzz_config.main(["12", "1"]) == 0, capsys.readouterr().out
    assert "12 cases" in capsys.readouterr().out


@pytest.mark.case("A file damaged anywhere is read, or refused clearly")
def test_files(capsys: pytest.CaptureFixture[str]) -> None:
    """A few; test_damaged_files.py does thousands, fuzz_files.py any number."""
    kinds = ["xnli.tsv", "xquad.json", "text.txt", "neurons.json", "neurons.pth"]
    kinds += ["activations", "xnli items"]
    assert fuzz_files.main(["60", "1", *kinds]) == 0, capsys.readouterr().out
    assert "60 cases" in capsys.readouterr().out
    assert fuzz_files.main(["1", "1", "xnli"]) == 2
    assert "unknown: xnli; known: xnli.tsv," in capsys.readouterr().out


@pytest.mark.case("What is no clear error is a fault: told once, with its place")
def test_faults_are_seen(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    turns = iter([ConfigError("no"), KeyError("a"), KeyError("b"), None])

    def load(raw: object) -> None:
        if (error := next(turns)) is not None:
            raise error

    monkeypatch.setattr(fuzz_config, "load", load)
    monkeypatch.setattr(fuzz_config, "everything", lambda config: None)
    assert fuzz_config.main(["4", "1"]) == 1
    told = capsys.readouterr().out
    assert told.count("FAULT KeyError") == 1 and "case 1.1" in told
    assert "'refused': 1" in told and "'read': 1" in told

    def read(path: object) -> object:
        raise next(turns)

    turns = iter([DataError("no"), IndexError("x"), IndexError("x")])
    kind = file_readers.Kind("broken", file_readers.KINDS[0].make, read)
    monkeypatch.setattr(fuzz_files, "KINDS", [kind])
    assert fuzz_files.main(["3", "1"]) == 1
    told = capsys.readouterr().out
    assert told.count("FAULT IndexError") == 1 and "case 1.1, broken: " in told
