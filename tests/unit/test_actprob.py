"""Neurons by how often they exceed a threshold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from activation_files import build, family, heavy_tailed
from langneurons.config.errors import DataError
from langneurons.methods import MethodInputs, actprob, share_of
from langneurons.methods.actprob import Parameters
from langneurons.neurons.recorded_activations import Activations

LANGUAGES = ("en", "fr", "hi")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Activations]:
    return family(tmp_path_factory.mktemp("activations"), LANGUAGES)


@pytest.fixture(scope="module")
def raw() -> dict[str, np.ndarray]:
    """The pre-activations that those files are of."""
    return {lang: heavy_tailed(k, 600, 2, 60) for k, lang in enumerate(LANGUAGES)}


def inputs(files: dict[str, Activations], site: str = "gate_pre") -> MethodInputs:
    first = next(iter(files.values()))
    return MethodInputs(files, first.layers, first.width, None, (), site, "batch_mean")


def share_over(values: np.ndarray, threshold: np.ndarray) -> np.ndarray:
    return (values > threshold).mean(0)


@pytest.mark.parametrize("layers,wanted", [(32, 573), (40, 717)])
def test_selection_sizes_of_the_paper_models(layers: int, wanted: int) -> None:
    assert share_of(Parameters().frac, layers * 14336, "frac") == wanted


def test_paper_threshold_is_the_mean_of_batch_percentiles(files, raw) -> None:
    found = actprob.relevance(inputs(files), Parameters())
    for lang, values in raw.items():
        batches = values.reshape(6, 100, 2, 60).astype(np.float64)
        threshold = np.quantile(batches, 0.9, axis=1).mean(0)
        error = np.abs(found[lang] - share_over(values, threshold))
        assert error.mean() < 0.002 and error.max() < 0.012


def test_exact_pooled_percentile_is_degenerate(files) -> None:
    """With the pooled P90 of the same language R is 0.10 whatever the neuron."""
    parameters = Parameters(threshold_population="same_lang_pooled")
    for site in ("gate_pre", "act_post"):
        found = actprob.relevance(inputs(files, site), parameters)
        for relevance in found.values():
            assert np.abs(relevance - 0.1).max() < 0.002
    paper = actprob.relevance(inputs(files), Parameters())
    assert np.std(paper["en"]) > 3 * np.std(found["en"])


def test_other_threshold_populations(files, raw) -> None:
    def relevance(population: str) -> dict[str, np.ndarray]:
        parameters = Parameters(threshold_population=population, percentile=75)
        return actprob.relevance(inputs(files), parameters)

    english = np.quantile(raw["en"].reshape(6, 100, 2, 60), 0.75, axis=1).mean(0)
    everything = np.quantile(np.concatenate(list(raw.values())), 0.75, axis=0)
    for lang, values in raw.items():
        layer = np.quantile(values.transpose(1, 0, 2).reshape(2, -1), 0.75, axis=1)
        for population, threshold in (
            ("english", english),
            ("all_langs_pooled", everything),
            ("all_neurons_in_layer", layer[:, None]),
        ):
            error = relevance(population)[lang] - share_over(values, threshold)
            assert np.abs(error).mean() < 0.004, population
            assert np.abs(error).max() < 0.03, population


def test_english_uses_the_quantile_of_the_profile(files) -> None:
    given = inputs(files)
    pooled = MethodInputs(files, 2, 60, None, (), "gate_pre", "pooled")
    parameters = Parameters(threshold_population="english")
    assert not np.array_equal(
        actprob.relevance(given, parameters)["fr"],
        actprob.relevance(pooled, parameters)["fr"],
    )
    control = Parameters(threshold_population="same_lang_pooled")
    assert np.array_equal(
        actprob.relevance(pooled, parameters)["en"],
        actprob.relevance(pooled, control)["en"],
    )


def test_percentile_zero_counts_positive_activations(files, raw) -> None:
    found = actprob.relevance(inputs(files), Parameters(percentile=0))
    for lang, values in raw.items():
        assert np.array_equal(found[lang], (values > 0).mean(0))


@pytest.mark.parametrize("percentile", [0, 75, 90, 95])
def test_the_largest_are_selected(files, percentile: int) -> None:
    parameters = Parameters(percentile=percentile, frac=0.1)
    found = actprob.METHOD.select(inputs(files), parameters)
    scores = actprob.relevance(inputs(files), parameters)
    for lang, mask in found.neurons.items():
        assert mask.shape == (2, 60) and mask.sum() == 12
        assert scores[lang][mask].min() >= scores[lang][~mask].max()
        assert found.thresholds["score_cutoff"][lang] == scores[lang][mask].min()
    assert found.thresholds["wanted"] == 12


def flat(own: float, other: float, dead: float = 0.0) -> dict[str, np.ndarray]:
    return {
        "en": np.array([[own, 0.5, dead]]),
        "fr": np.array([[other, 0.5, 0.0]]),
        "hi": np.array([[other, 0.2, 0.0]]),
    }


def test_contrasts_by_hand(files) -> None:
    given = inputs(files)
    scores = flat(0.8, 0.2)
    wide = MethodInputs(files, 1, 3, None, (), given.site, given.quantile)
    minus = actprob.contrasted(scores, wide, Parameters(contrast="minus_mean_other"))
    assert minus["en"] == pytest.approx(np.array([[0.6, 0.15, 0.0]]))
    assert minus["hi"] == pytest.approx(np.array([[-0.3, -0.3, 0.0]]))
    ratio = actprob.contrasted(scores, wide, Parameters(contrast="ratio"))
    half = 0.5 / 600
    want = [[(0.8 + half) / (0.2 + half), (0.5 + half) / (0.35 + half), 1.0]]
    assert ratio["en"] == pytest.approx(np.array(want))
    only = actprob.contrasted(flat(0.8, 0.2, 0.1), wide, Parameters(contrast="ratio"))
    assert np.isfinite(only["en"]).all() and only["en"][0, 2] == only["en"].max()
    for same in ("none", "exclusive"):
        assert actprob.contrasted(scores, wide, Parameters(contrast=same)) is scores


def test_exclusive_drops_neurons_of_several_languages(files) -> None:
    parameters = {"percentile": 0, "frac": 0.3}
    plain = actprob.METHOD.select(inputs(files), Parameters(**parameters)).neurons
    alone = actprob.METHOD.select(
        inputs(files), Parameters(**parameters, contrast="exclusive")
    ).neurons
    total = sum(mask.astype(int) for mask in plain.values())
    assert (total > 1).any()
    for lang, mask in alone.items():
        assert np.array_equal(mask, plain[lang] & (total == 1))


def test_contrast_finds_a_planted_neuron(tmp_path: Path) -> None:
    planted = {}
    for seed, lang in enumerate(LANGUAGES):
        pre = heavy_tailed(9, 400, 2, 50) + heavy_tailed(seed, 400, 2, 50) / 10
        pre[:, 1, 7 + seed] += 2
        planted[lang] = build(tmp_path / f"{lang}.safetensors", pre, language=lang)
    parameters = Parameters(
        threshold_population="all_langs_pooled",
        contrast="minus_mean_other",
        frac=0.01,
    )
    found = actprob.METHOD.select(inputs(planted), parameters)
    for seed, mask in enumerate(found.neurons.values()):
        assert np.argwhere(mask).tolist() == [[1, 7 + seed]]


def test_bad_input(files) -> None:
    some = {lang: files[lang] for lang in ("fr", "hi")}
    with pytest.raises(DataError, match="needs 'en' in the language set; it has fr"):
        actprob.METHOD.select(
            inputs(some), Parameters(threshold_population="english", frac=0.1)
        )
    one = {"fr": files["fr"]}
    actprob.METHOD.select(inputs(one), Parameters(frac=0.1))
    with pytest.raises(DataError, match="at least two"):
        actprob.METHOD.select(inputs(one), Parameters(frac=0.1, contrast="ratio"))
    with pytest.raises(DataError, match="rounds to none"):
        actprob.METHOD.select(inputs(files), Parameters())
    bad = {"percentile": 0, "threshold_population": "english"}
    with pytest.raises(ValidationError, match="no effect"):
        Parameters.model_validate(bad)
    with pytest.raises(ValidationError, match="percentile"):
        Parameters.model_validate({"percentile": 80})
