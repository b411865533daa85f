"""Neurons that are active most often in a language."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from activation_files import build
from langneurons import methods
from langneurons.config.catalogue import Activations as Recorded
from langneurons.methods import MethodInputs, Planned, top_probability
from langneurons.neurons.recorded_activations import Activations


def inputs_of(files: dict[str, Activations]) -> MethodInputs:
    first = next(iter(files.values()))
    return MethodInputs(
        files, first.layers, first.width, None, (), "act_post", "pooled"
    )


def with_counts(path: Path, counts: np.ndarray, tokens: int) -> Activations:
    """Write a file in which neurons are active on so many tokens: counts [L, F]."""
    pre = -np.ones((tokens, *counts.shape), np.float32)
    pre[np.arange(tokens)[:, None, None] < counts] = 1
    return build(path, pre, language=path.stem)


def test_three_of_two_hundred(tmp_path: Path) -> None:
    # Without ties: rank round(.99 * 200) = 198, so that three reach its value.
    counts = np.random.default_rng(0).permutation(200).reshape(2, 100)
    files = {"en": with_counts(tmp_path / "en", counts, 200)}
    found = top_probability.METHOD.select(
        inputs_of(files), top_probability.Parameters()
    )
    assert (
        np.argwhere(found.neurons["en"]).tolist() == np.argwhere(counts >= 197).tolist()
    )
    assert found.thresholds == {"rank": 198, "score_cutoff": {"en": 197 / 200}}


def test_of_the_size_of_llama_it_is_as_many_as_published() -> None:
    count = 32 * 14336
    assert count - round(0.99 * count) + 1 == 4589


def test_neurons_of_equal_value_come_along(tmp_path: Path) -> None:
    counts = np.array([[9, 9, 9, 9, 1, 0, 2, 3, 4, 5]])
    files = {"en": with_counts(tmp_path / "en", counts, 10)}
    parameters = top_probability.Parameters(top_rate=0.1)
    found = top_probability.METHOD.select(inputs_of(files), parameters)
    assert np.flatnonzero(found.neurons["en"]).tolist() == [0, 1, 2, 3]


def test_minus_the_mean_sets_languages_apart(tmp_path: Path) -> None:
    both = {"en": [[9, 1, 5, 0]], "sw": [[9, 5, 1, 0]]}
    files = {
        lang: with_counts(tmp_path / lang, np.array(x), 10) for lang, x in both.items()
    }
    for score, expected in (("prob", [0, 0]), ("prob_minus_mean", [2, 1])):
        parameters = top_probability.Parameters(top_rate=0.01, score=score)
        found = top_probability.METHOD.select(inputs_of(files), parameters)
        chosen = [int(np.flatnonzero(found.neurons[x])[0]) for x in files]
        assert chosen == expected


def test_one_language_has_no_mean_to_differ_from() -> None:
    planned = Planned(Recorded(), ["en"], "act_post", {})
    method = methods.load("top_probability")
    read = method.PARAMETERS.model_validate
    assert not method.unmet(read({}), planned)
    wrong = method.unmet(read({"score": "prob_minus_mean"}), planned)
    assert "at least two" in wrong[0]
    with pytest.raises(ValueError, match="top_rate"):
        read({"top_rate": 1})
