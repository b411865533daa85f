"""The direction of a language: its mean, minus the mean of the others' means."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import find_directions
from langneurons.config.errors import DataError
from langneurons.jobs import cli, files, tensors
from langneurons.neurons import directions
from langneurons.neurons.directions import Directions

MEANS = {
    "en": np.array([[1.0, 0.0], [2.0, 2.0]]),
    "hi": np.array([[4.0, 0.0], [0.0, 2.0]]),
    "vi": np.array([[0.0, 6.0], [0.0, 2.0]]),
}
SPEC = {"model": "tiny", "language_set": "set1", "languages": ["en", "hi", "vi"],
        "corpus": "wiki"}  # fmt: skip


class Recorded:
    """What is read of an activations file here."""

    def __init__(self, language: str, **changes: Any) -> None:
        self.path = Path(f"{language}.safetensors")
        self.metadata = {"language": language, "model": "tiny", "model_revision": "abc"}
        self.metadata |= changes
        self.layers, self.width = 2, 24
        self.activation, self.bins = "silu", None

    def residual_mean(self) -> Any:
        return MEANS[self.metadata["language"]]


def recorded(*languages: str) -> Any:
    return [Recorded(language) for language in languages]


def test_by_hand() -> None:
    found = directions.differences(MEANS)
    assert {k: v.tolist() for k, v in found.items()} == {
        "en": [[-1, -3], [2, 0]],
        "hi": [[3.5, -3], [-1, 0]],
        "vi": [[-2.5, 6], [-1, 0]],
    }
    assert all(v.dtype == np.float32 for v in found.values())
    two = directions.differences({"en": MEANS["en"], "hi": MEANS["hi"]})
    assert np.array_equal(two["en"], -two["hi"])


def test_what_is_no_difference_is_refused() -> None:
    with pytest.raises(DataError, match="two languages or more, given: en"):
        directions.differences({"en": MEANS["en"]})
    with pytest.raises(DataError, match="different sizes"):
        directions.differences({"en": MEANS["en"], "hi": MEANS["hi"][:1]})
    with pytest.raises(DataError, match="of hi are not finite"):
        directions.differences({"en": MEANS["en"], "hi": MEANS["hi"] * np.nan})


def test_each_language_of_the_set_has_one_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "diffmean.set1.safetensors"
    given = recorded("vi", "en", "hi")  # in whatever order
    directions.find(SPEC, given).write(path)
    arrays, metadata = tensors.read(path)
    assert arrays.keys() == set(SPEC["languages"])
    assert metadata == {"model": "tiny", "model_revision": "abc", "corpus": "wiki",
                        "language_set": "set1"}  # fmt: skip
    read = directions.read(path, "hi", (2, None))
    assert read.tolist() == [[3.5, -3], [-1, 0]] and read.dtype == np.float32
    first = files.sha256(path)
    directions.find(SPEC, recorded("en", "hi", "vi")).write(path)
    assert files.sha256(path) == first


def test_files_that_are_not_those_of_the_set() -> None:
    for given in (recorded("en", "hi"), recorded("en", "hi", "vi", "vi")):
        with pytest.raises(DataError, match="one activations file for each is needed"):
            directions.find(SPEC, given)
    given = [*recorded("en", "hi"), Recorded("vi", model_revision="def")]
    with pytest.raises(DataError, match="all languages need the same model"):
        directions.find(SPEC, given)


def test_directions_of_something_else(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    Directions({"hi": np.zeros((2, 3), np.float32)}, {}).write(path)
    with pytest.raises(DataError, match="unknown language 'hj'. Known: hi"):
        directions.read(path, "hj", (2, 3))
    with pytest.raises(DataError, match="hi has shape"):
        directions.read(path, "hi", (2, 4))
    tensors.write(path, {"hi": np.zeros((2, 3), np.int32)})
    with pytest.raises(DataError, match="numbers of type I32"):
        directions.read(path, "hi", (2, 3))
    path.write_bytes(b"no such file")
    with pytest.raises(DataError, match="cannot be read as safetensors"):
        directions.read(path, "hi", (2, 3))


def test_the_script_reads_and_writes_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        find_directions.Activations, "open", lambda path: Recorded(Path(path).stem)
    )
    out = tmp_path / "diffmean.set1.safetensors"
    inputs = {"activations": [Path(f"{x}.safetensors") for x in MEANS]}
    find_directions.main(cli.Job(SPEC, "c0de", inputs, {"out": out}, 1, 1, 1))
    assert directions.read(out, "vi", (2, 2)).tolist() == [[-2.5, 6], [-1, 0]]
