"""Files of the configuration are checked as they are written, before any merge."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from configurations import ROOT
from langneurons.config import yaml_files
from langneurons.config.errors import ConfigError
from langneurons.study import configuration


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("mine:\n  seeds: [1]\n  tasks: [xnli]\n  seeds: [2]\n", ", line 4: the key "
         "'seeds' stands twice in one block (first in line 2)"),
        ("mine: {seeds: [1], seeds: [2]}\n", ", line 1: the key 'seeds' stands twice"),
        ("a:\n  - {b: 1, c: {d: 1, d: 2}}\n", "the key 'd' stands twice"),
        ("run: []\nrun: []\n", ", line 2: the key 'run' stands twice"),
        ("mine:\n  seeds: [1, 2\nmodels: {}\n", ", line 3, column 7: is not valid"),
        ("mine:\n\tseeds: [1]\n", ", line 2, column 1: is not valid YAML"),
        ("mine:\n\tseeds: [1]\n", "Indent with blanks, not with tabs"),
        ("mine: {a: *unknown}\n", ", line 1, column 11: is not valid YAML"),
        ("- a\n", "has no keys at the top level"),
        ("", "has nothing at the top level"),
        ("# only a remark\n", "has nothing at the top level"),
        ('{"mine": {"seeds": [1], "seeds": [2]}}', "the key 'seeds' stands twice"),
        ("a: \x07\n", "is not valid YAML"),
        ("a: 2024-13-01\n", "a value cannot be read"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_file_and_line(
    content: str, said: str, tmp_path: Path
) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        yaml_files.check([path])
    assert str(caught.value).startswith(str(path)) and said in str(caught.value)


def test_a_file_that_is_no_text_or_not_there(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    with pytest.raises(ConfigError, match="cannot be read"):
        yaml_files.check([path])
    path.write_bytes(b"mine: \xff\n")
    with pytest.raises(ConfigError, match="is not UTF-8"):
        yaml_files.check([path])


def test_a_block_that_is_used_again_repeats_no_key(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("a: &x {b: 1}\nc: *x\nd: {<<: *x, b: 2}\n")
    yaml_files.check([path])
    path.write_text("__use_yte__: true\n?if True:\n  a: 1\n?if True:\n  b: 1\n")
    yaml_files.check([path])  # Snakemake's templates


def test_files_are_checked_without_snakemake(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(ROOT / "config", tmp_path / "config")
    monkeypatch.chdir(tmp_path)
    assert configuration.main(["config/demo.yaml"]) == 0
    assert "valid: config/config.yaml, config/demo.yaml" in capsys.readouterr().out
    path = tmp_path / "mine.yaml"
    path.write_text("mine: {seeds: [1]\n")
    assert configuration.main(["config/demo.yaml", str(path)]) == 1
    assert f"{path}, line 2" in capsys.readouterr().err
    path.write_text("experiments: {transfer: {modles: [demo]}}\n")
    assert configuration.main(["config/demo.yaml", str(path)]) == 1
    said = "experiments.transfer.modles: unknown key - did you mean 'models'?"
    assert said in capsys.readouterr().err


def test_the_shipped_files_are_right() -> None:
    found = [*ROOT.glob("config/*.yaml"), *ROOT.glob("tests/workflow/*.yaml")]
    assert len(found) >= 5
    yaml_files.check(found)
