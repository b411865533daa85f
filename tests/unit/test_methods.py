"""From activations files to a neuron file, by any method."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from activation_files import build, family, heavy_tailed
from langneurons import methods
from langneurons.config.errors import ConfigError, DataError
from langneurons.neurons.neuron_sets import NeuronSets
from langneurons.neurons.recorded_activations import Activations

SCRIPTS = Path(methods.__file__).parents[2]


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Activations]:
    return family(tmp_path, ("en", "hi"))


def spec(**changes: object) -> dict:
    return {
        "model": "toy",
        "method": "lape",
        "kind": "lape",
        "parameters": {"top_rate": 0.1, "filter_rate": 0.7, "bar_ratio": 0.7},
        "language_set": "two",
        "languages": ["en", "hi"],
        "site": "gate_pre",
        "quantile": "batch_mean",
        "draw": None,
        "reads": [],
        "outside": [],
    } | changes


def test_lape_then_its_control(files: dict[str, Activations]) -> None:
    found = methods.identify(spec(), list(files.values()))
    assert found.corpora == {"en": "hash of en", "hi": "hash of hi"}
    assert (found.layers, found.intermediate_size) == (2, 60)
    assert found.model_revision == "r1"
    assert found.parameters["thresholds"] == "kth"  # defaults are written out
    assert sum(found.counts.values()) >= found.thresholds["selected"] > 0
    random = methods.identify(
        spec(
            method="random-2",
            kind="matched_random",
            parameters={},
            draw=2,
            reads=["lape.two"],
        ),
        list(files.values()),
        [found],
    )
    assert random.counts == found.counts
    assert random.neurons != found.neurons
    assert random.thresholds["draw"] == 2


def test_script_writes_the_same_bytes_twice(files, tmp_path: Path) -> None:
    def run(out: Path, given: dict, *reads: Path) -> subprocess.CompletedProcess[str]:
        arguments = ["--spec", json.dumps(given), "--out", str(out), "--activations"]
        arguments += [str(one.path) for one in files.values()]
        arguments += ["--reads", *map(str, reads)]
        script = str(SCRIPTS / "identify_neurons.py")
        return subprocess.run(
            [sys.executable, script, *arguments], capture_output=True, text=True
        )

    for name in ("a", "b"):
        done = run(tmp_path / f"{name}.json", spec())
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
    assert "lape.two: en " in done.stderr
    random = spec(method="random-1", kind="matched_random", parameters={}, draw=1)
    random["reads"] = ["lape.two"]
    done = run(tmp_path / "random.json", random, tmp_path / "a.json")
    assert done.returncode == 0, done.stderr
    lape = NeuronSets.read(tmp_path / "a.json")
    assert NeuronSets.read(tmp_path / "random.json").counts == lape.counts
    done = run(tmp_path / "bad.json", random)
    assert done.returncode == 1 and "neurons are of []" in done.stderr
    assert not (tmp_path / "bad.json").exists() and "Traceback" not in done.stderr


def test_wrong_files(files: dict[str, Activations], tmp_path: Path) -> None:
    both = list(files.values())
    with pytest.raises(DataError, match=r"activations are of \['hi', 'en'\]"):
        methods.identify(spec(), both[::-1])
    with pytest.raises(DataError, match="activations are of model"):
        methods.identify(spec(model="other"), both)
    pre = heavy_tailed(0, 50, 2, 60)
    later = build(tmp_path / "x.safetensors", pre, language="hi", revision="r2")
    with pytest.raises(DataError, match="model_revision"):
        methods.identify(spec(), [both[0], later])
    good = methods.identify(spec(), both)
    random = spec(kind="matched_random", parameters={}, draw=1, reads=["lape.two"])
    for change, message in (
        ({"model": "other"}, "neurons of other, not toy"),
        ({"model_revision": "r0"}, "revision r0"),
        ({"layers": 3}, "3 layers"),
        ({"language_set": "six"}, r"neurons are of \['lape.six'\], but wanted"),
    ):
        wrong = NeuronSets(**(vars(good) | change))
        with pytest.raises(DataError, match=message):
            methods.identify(random, both, [wrong])


def test_a_selection_without_any_neuron_is_an_error(tmp_path: Path) -> None:
    silent = -np.ones((20, 2, 60), np.float32)
    files = [
        build(tmp_path / f"{lang}.safetensors", silent, language=lang)
        for lang in ("en", "hi")
    ]
    with pytest.raises(DataError, match="method lape selects no neuron for any"):
        methods.identify(spec(), files)


def test_unknown_kind() -> None:
    with pytest.raises(ConfigError, match="did you mean 'lape'"):
        methods.load("lap")


def test_no_method_imports_torch() -> None:
    kinds = ["act_prob_zero", "actprob", "always_active", "average_precision"]
    kinds += ["entropy_lambda", "intersection"]
    kinds += ["kojima_ap", "lape", "matched_random", "plnd", "published"]
    kinds += ["top_probability"]
    assert methods.kinds() == kinds
    assert [methods.load(kind).PARAMETERS.__name__ for kind in kinds]
    code = (
        "import sys; from langneurons import methods;"
        "from langneurons.neurons import recorded_activations;"
        f"[methods.load(k) for k in {kinds}]; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=SCRIPTS)


@given(st.lists(st.integers(0, 6), max_size=40), st.integers(-1, 45))
def test_lowest_takes_the_first_of_equal_scores(scores: list[int], count: int) -> None:
    found = methods.lowest(np.array(scores, float), count).tolist()
    ranked = sorted(range(len(scores)), key=lambda i: (scores[i], i))
    assert found == sorted(ranked[: max(count, 0)])
