"""Random neurons, as many as another method selects."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from langneurons.config.errors import ConfigError, DataError
from langneurons.methods import MethodInputs, matched_random
from langneurons.methods.matched_random import Parameters
from langneurons.neurons.neuron_sets import NeuronSets, from_mask

LAYERS, WIDTH = 4, 50


def target(**languages: float) -> NeuronSets:
    rng = np.random.default_rng(0)
    masks = {
        lang: rng.random((LAYERS, WIDTH)) < share for lang, share in languages.items()
    }
    return NeuronSets(
        "lape", "set", "lape", "toy", "r1", LAYERS, WIDTH, "gate_pre",
        {lang: from_mask(mask) for lang, mask in masks.items()},
    )  # fmt: skip


def draw(
    matched: NeuronSets,
    languages: list[str],
    number: int | None = 1,
    *,
    outside: Sequence[NeuronSets] = (),
    **options,
) -> dict[str, np.ndarray]:
    inputs = MethodInputs(
        dict.fromkeys(languages),
        LAYERS,
        WIDTH,
        number,
        [matched],
        "gate_pre",
        "pooled",
        outside,
    )
    return dict(matched_random.METHOD.select(inputs, Parameters(**options)).neurons)


@pytest.fixture
def matched() -> NeuronSets:
    return target(en=0.2, hi=0.5, zh=0.0)


@pytest.mark.parametrize("avoids", [False, True])
def test_counts_match_in_each_layer(matched: NeuronSets, avoids: bool) -> None:
    found = draw(matched, ["en", "zh"], outside=[matched] if avoids else [])
    for lang, mask in found.items():
        assert mask.sum(axis=1).tolist() == matched.mask(lang).sum(axis=1).tolist()
    assert not found["zh"].any()


def test_global_matches_the_number_in_the_model(matched: NeuronSets) -> None:
    found = draw(matched, ["hi"], match="global")["hi"]
    assert found.sum() == matched.counts["hi"]
    assert found.sum(axis=1).tolist() != matched.mask("hi").sum(axis=1).tolist()


@pytest.mark.parametrize("match", ["per_layer", "global"])
def test_outside_avoids_the_neurons_of_every_language(
    matched: NeuronSets, match: str
) -> None:
    other = target(vi=0.3)
    taken = matched.mask("en") | matched.mask("hi") | other.mask("vi")
    found = draw(matched, ["en"], outside=[matched, other], match=match)["en"]
    assert found.any() and not (found & taken).any()
    assert (draw(matched, ["en"], match=match)["en"] & taken).any()


def test_draws_are_deterministic_and_differ(matched: NeuronSets) -> None:
    first = draw(matched, ["en", "hi"])
    again = draw(matched, ["en", "hi"])
    for lang in first:
        assert np.array_equal(first[lang], again[lang])
        for other in (draw(matched, [lang], 2), draw(matched, [lang], 1, seed=1)):
            assert not np.array_equal(first[lang], other[lang])


def test_draws_do_not_depend_on_the_other_languages(matched: NeuronSets) -> None:
    together = draw(matched, ["en", "hi", "zh"])
    turned = draw(matched, ["hi", "en"])
    alone = draw(target(en=0.2), ["en"])
    assert np.array_equal(together["en"], turned["en"])
    assert np.array_equal(together["en"], alone["en"])
    same_counts = target(en=0.2)
    both = NeuronSets(**(vars(same_counts) | {"neurons": {
        "en": same_counts.of("en"), "hi": same_counts.of("en")}}))  # fmt: skip
    found = draw(both, ["en", "hi"])
    assert not np.array_equal(found["en"], found["hi"])


def test_layers_are_drawn_independently() -> None:
    even = np.zeros((LAYERS, WIDTH), bool)
    even[:, :20] = True
    sets = NeuronSets(**(vars(target(en=0.2)) | {"neurons": {"en": from_mask(even)}}))
    rows = draw(sets, ["en"])["en"]
    assert len({row.tobytes() for row in rows}) == LAYERS
    even[0, 10:] = False
    fewer = NeuronSets(**(vars(sets) | {"neurons": {"en": from_mask(even)}}))
    assert np.array_equal(draw(fewer, ["en"])["en"][1:], rows[1:])


def test_draws_are_uniform() -> None:
    matched = target(en=0.2)
    times = sum(
        draw(matched, ["en"], number)["en"].astype(int) for number in range(1, 401)
    )
    share = times / 400
    expected = matched.mask("en").mean(axis=1, keepdims=True)
    # 200 cells: five standard deviations of a draw's frequency
    assert np.abs(share - expected).max() < 5 * np.sqrt(0.25 * 0.75 / 400)


def test_the_draw_is_recorded(matched: NeuronSets) -> None:
    inputs = MethodInputs(
        {"en": None}, LAYERS, WIDTH, 3, [matched], "gate_pre", "pooled"
    )
    found = matched_random.METHOD.select(inputs, Parameters())
    assert found.thresholds == {"draw": 3, "matched": "lape.set", "outside": []}


def test_bad_input(matched: NeuronSets) -> None:
    with pytest.raises(ConfigError, match="needs the number of the draw"):
        draw(matched, ["en"], None)
    with pytest.raises(DataError, match="unknown language 'de'"):
        draw(matched, ["de"])
    with pytest.raises(DataError, match="only .* are left; name less there"):
        draw(target(en=0.7), ["en"], outside=[target(en=0.7)])
