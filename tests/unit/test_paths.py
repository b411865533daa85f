"""Paths are expanded in one place, for the configuration and for scripts alike."""

from __future__ import annotations

from pathlib import Path

import pytest

from langneurons.config import user_paths
from langneurons.config.errors import ConfigError, DataError
from langneurons.nn.models import fetching


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.setenv("SCRATCH_1", "/big disk")
    monkeypatch.setenv("EMPTY", "")
    monkeypatch.delenv("SCRATCH_2", raising=False)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("data/x", "data/x"),
        ("~", "/home/me"),
        ("~/x/~y", "/home/me/x/~y"),
        ("$SCRATCH_1/x", "/big disk/x"),
        ("a/${SCRATCH_1}b", "a//big diskb"),
        ("$HOME/{lang}.tsv", "/home/me/{lang}.tsv"),
        ("costs 5 $", "costs 5 $"),
        ("./~x", "./~x"),
    ],
)
def test_a_path_is_read_as_a_shell_does(written: str, read: str) -> None:
    assert user_paths.expand(written) == read


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("$SCRATCH_2/x", "variable 'SCRATCH_2' is not set, or empty - did you mean"),
        ("${NO SUCH}/x", "variable 'NO SUCH' is not set"),
        ("$EMPTY/x", "variable 'EMPTY' is not set, or empty"),
        ("~nobody-here/x", "no home directory is known for '~nobody-here'"),
    ],
)
def test_what_cannot_be_expanded_is_named(written: str, said: str) -> None:
    with pytest.raises(ConfigError, match="cannot be expanded") as caught:
        user_paths.expand(written)
    assert said in str(caught.value)


def test_scripts_expand_the_paths_that_they_are_called_with(tmp_path: Path) -> None:
    entry = {"family": "llama", "dtype": "float32"}
    with pytest.raises(ConfigError, match="'SCRATCH_2' is not set"):
        fetching.fetch("m", entry | {"folder": "$SCRATCH_2/x"}, tmp_path / "m")
    with pytest.raises(DataError, match="/home/me/tiny"):
        fetching.fetch("m", entry | {"folder": "~/tiny"}, tmp_path / "m")


@pytest.mark.parametrize(
    "text",
    ["{language}", "{}", "{0}", "{lang!s}", "{lang:5}", "{{lang}}", "{lang", "}"],
)
def test_nothing_but_the_language_is_filled_in(text: str) -> None:
    with pytest.raises(ConfigError, match="allowed: {lang}"):
        user_paths.check_placeholders(f"a/{text}.tsv")


def test_a_path_without_languages_has_no_placeholder() -> None:
    user_paths.check_placeholders("a/{lang}/b-{lang}.tsv")
    assert user_paths.has_placeholder("a/{lang}") and not user_paths.has_placeholder(
        "a/lang"
    )
    assert not user_paths.has_placeholder(None)
    with pytest.raises(ConfigError, match="none is filled here"):
        user_paths.check_placeholders("a/{lang}.tsv", ())
