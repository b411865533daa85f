"""Neuron files."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from langneurons.config.errors import DataError
from langneurons.neurons.neuron_sets import NeuronSets, from_mask


@pytest.fixture
def sets() -> NeuronSets:
    return NeuronSets(
        method="lape",
        language_set="two",
        kind="lape",
        model="toy",
        model_revision="r1",
        layers=3,
        intermediate_size=10,
        site="gate_pre",
        neurons={"zh": {0: [1, 9], 2: [4]}, "en": {}},
        corpora={"zh": "aa", "en": "bb"},
        parameters={"top_rate": 0.1},
        thresholds={"filter": 0.5},
    )


def test_counts_masks_and_lookup(sets: NeuronSets) -> None:
    assert sets.languages == ["zh", "en"]
    assert sets.counts == {"zh": 3, "en": 0}
    mask = sets.mask("zh")
    assert mask.shape == (3, 10) and mask.sum() == 3 and mask[2, 4]
    assert from_mask(mask) == sets.of("zh") == {0: [1, 9], 2: [4]}
    with pytest.raises(DataError, match="unknown language 'de'"):
        sets.of("de")


def test_round_trip_and_equal_bytes(sets: NeuronSets, tmp_path: Path) -> None:
    sets.write(tmp_path / "a.json")
    assert NeuronSets.read(tmp_path / "a.json") == sets
    NeuronSets.read(tmp_path / "a.json").write(tmp_path / "b.json")
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
    raw = json.loads((tmp_path / "a.json").read_text())
    assert list(raw["neurons"]) == ["zh", "en"]
    assert raw["neurons"]["zh"] == {"0": [1, 9], "2": [4]}


def test_the_file_stays_small_enough_to_read(tmp_path: Path, sets: NeuronSets) -> None:
    many = replace(sets, intermediate_size=14336, neurons={"zh": {0: [*range(5000)]}})
    many.write(tmp_path / "many.json")
    assert NeuronSets.read(tmp_path / "many.json").counts == {"zh": 5000}
    assert (tmp_path / "many.json").stat().st_size < 100_000


@pytest.mark.parametrize(
    "change,message",
    [
        ({"format": "other"}, "not a neuron file"),
        ({"neurons": {"zh": {"0": [1, 10]}}}, "neuron 10, but the model has neurons 0"),
        ({"neurons": {"zh": {"3": [1]}}}, "layers 0 to 2"),
        ({"neurons": {"zh": {"0": [2, 1]}}}, "not sorted and unique"),
        ({"neurons": {"zh": {"0": [1, 1]}}}, "not sorted and unique"),
        ({"neurons": {"zh": {"0": ["x"]}}}, "layer '0': not a list of neuron numbers"),
        # Neither the neuron 1 nor the layer 0 may come of these.
        ({"neurons": {"zh": {"0": [1.5]}}}, "not a list of neuron numbers"),
        ({"neurons": {"zh": {"0": [True]}}}, "not a list of neuron numbers"),
        ({"neurons": {"zh": {"00": [1]}}}, "layer '00': not a list"),
        ({"neurons": {"zh": [1]}}, "zh: not an object of layers"),
        ({"neurons": None}, "neurons is None, but should be an object"),
        ({"layers": "3"}, "layers is '3', but should be a whole number"),
        ({"counts": {"zh": 1, "en": 0}}, "are not those of the neurons"),
    ],
)
def test_bad_files(
    sets: NeuronSets, tmp_path: Path, change: dict, message: str
) -> None:
    path = tmp_path / "a.json"
    sets.write(path)
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(DataError) as told:
        NeuronSets.read(path)
    # Without the path: pytest puts the name of the case into it.
    assert re.search(message, str(told.value).replace(str(path), "a.json"))


@pytest.mark.parametrize("key", ["counts", "layers", "thresholds"])
def test_missing_keys(sets: NeuronSets, tmp_path: Path, key: str) -> None:
    path = tmp_path / "a.json"
    sets.write(path)
    raw = json.loads(path.read_text())
    del raw[key]
    path.write_text(json.dumps(raw))
    with pytest.raises(DataError, match=f"it lacks '{key}'"):
        NeuronSets.read(path)


def test_another_model_is_refused(sets: NeuronSets) -> None:
    sets.require_model(3, 10, "r1", "here")
    sets.require_model(3, 10, None, "here")
    for layers, width in ((4, 10), (3, 11)):
        with pytest.raises(DataError, match="3 layers of 10 neurons"):
            sets.require_model(layers, width, "r1", "here")
    with pytest.raises(DataError, match="revision r1 of toy, not r2"):
        sets.require_model(3, 10, "r2", "here")


def test_from_mask_leaves_out_empty_layers() -> None:
    assert from_mask(np.zeros((2, 3), bool)) == {}
