"""Published neuron files, in and out."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from configurations import tiny
from langneurons.config.errors import ConfigError, DataError
from langneurons.methods import MethodInputs, published
from langneurons.methods.published import Parameters, read_published, write_published
from langneurons.neurons.neuron_sets import NeuronSets, from_mask
from langneurons.study.configuration import load

torch = pytest.importorskip("torch")


@pytest.fixture
def sets() -> NeuronSets:
    neurons = {"en": {0: [1, 9], 2: [4]}, "zh": {1: [0]}, "hi": {}}
    return NeuronSets("lape", "three", "lape", "toy", "r1", 3, 10, "gate_pre", neurons)


def save(path: Path, value: object) -> Path:
    torch.save(value, path)
    return path


def test_round_trip_keeps_languages_without_neurons(sets, tmp_path: Path) -> None:
    path = tmp_path / "toy.neuron.pth"
    write_published(sets, path)
    raw = torch.load(path, weights_only=True)
    assert [len(x) for x in raw] == [3, 3, 3]
    assert raw[0][0].dtype == torch.int64 and raw[0][0].tolist() == [1, 9]
    found = read_published(path, ("en", "zh", "hi"), 3, 10)
    assert {k: from_mask(v) for k, v in found.items()} == sets.neurons


def test_written_bytes_do_not_depend_on_the_name(sets, tmp_path: Path) -> None:
    for name in ("a.pth", "b.pth"):
        write_published(sets, tmp_path / name)
    assert (tmp_path / "a.pth").read_bytes() == (tmp_path / "b.pth").read_bytes()


def test_select_takes_the_languages_of_the_set(sets, tmp_path: Path) -> None:
    path = tmp_path / "toy.neuron.pth"
    write_published(sets, path)
    parameters = Parameters(path=str(path), languages=("en", "zh", "hi"))
    languages = {"zh": None, "en": None}
    inputs = MethodInputs(languages, 3, 10, None, (), "gate_pre", "pooled")
    found = published.METHOD.select(inputs, parameters)
    assert {k: from_mask(v) for k, v in found.neurons.items()} == {
        "zh": sets.of("zh"),
        "en": sets.of("en"),
    }
    assert len(found.thresholds["file_sha256"]) == 64
    wrong = MethodInputs({"fr": None}, 3, 10, None, (), "gate_pre", "pooled")
    with pytest.raises(DataError, match="unknown language 'fr'"):
        published.METHOD.select(wrong, parameters)


def chosen(parameters: Parameters, *languages: str, layers: int = 3):
    """Import a file for some languages."""
    asked = dict.fromkeys(languages)
    inputs = MethodInputs(asked, layers, 10, None, (), "gate_pre", "pooled")
    return published.METHOD.select(inputs, parameters)


def test_our_own_files_come_back_by_either_format(sets, tmp_path: Path) -> None:
    """What was written and imported, or exported and imported, is the same."""
    ours, theirs = tmp_path / "lape.three.json", tmp_path / "lape.three.pth"
    sets.write(ours)
    write_published(NeuronSets.read(ours), theirs)
    as_json = Parameters(path=str(ours))
    as_pth = Parameters(path=str(theirs), languages=tuple(sets.languages))
    for parameters in (as_json, as_pth):
        found = chosen(parameters, "hi", "en", "zh").neurons
        assert {k: from_mask(v) for k, v in found.items()} == sets.neurons
    said = chosen(as_json, "en").thresholds
    assert said["file_method"] == "lape" and said["file_model_revision"] == "r1"
    with pytest.raises(DataError, match="unknown language 'fr'"):
        chosen(as_json, "fr")
    with pytest.raises(DataError, match="3 layers of 10 neurons"):
        chosen(as_json, "en", layers=4)


IMPORTED = """
run: [other_methods]
methods:
  theirs: {kind: published, parameters: {path: %s}}
experiments: {other_methods: {selections: [theirs.world]}}
"""


@pytest.mark.parametrize(
    ("layers", "languages", "said"),
    [
        (3, "en vi hi", "of a model with 3 layers of 48 neurons (toy), not 2 of 48"),
        (2, "en vi", "unknown language 'hi'"),
        (0, "", "not valid JSON"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_before_the_first_job(
    tmp_path: Path, layers: int, languages: str, said: str
) -> None:
    path = tmp_path / "theirs.json"
    neurons = {lang: {0: [1]} for lang in languages.split()}
    axes = ("lape", "s", "lape", "toy", "r", layers, 48, "gate_pre", neurons)
    NeuronSets(*axes).write(path) if layers else path.write_text("{")
    with pytest.raises(ConfigError) as caught:
        load(tiny(IMPORTED % path))
    assert "methods.theirs: " in str(caught.value) and said in str(caught.value)


def test_one_that_fits_is_planned(tmp_path: Path) -> None:
    path = tmp_path / "theirs.json"
    neurons = {lang: {0: [1]} for lang in ("en", "vi", "hi")}
    NeuronSets("a", "b", "lape", "toy", "r", 2, 48, "gate_pre", neurons).write(path)
    load(tiny(IMPORTED % path))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("x.json, languages: [en]", "x.json names itself; leave them out"),
        ("x.pth", "give 'languages', those of x.pth in its order"),
    ],
)
def test_languages_are_named_by_the_file_or_the_configuration(given, said) -> None:
    with pytest.raises(ConfigError, match=said):
        load(tiny(IMPORTED % given))


@pytest.mark.parametrize(
    "languages,layers,width,message",
    [
        (("en", "zh"), 3, 10, "holds 3 languages"),
        (("en", "zh", "hi", "ur"), 3, 10, "holds 3 languages"),
        (("en", "zh", "zh"), 3, 10, "each of them once"),
        (("en", "zh", "hi"), 4, 10, "3 layers, but the model has 4"),
        (("en", "zh", "hi"), 3, 9, "neuron 9, but the model has neurons 0 to 8"),
    ],
)
def test_files_of_other_models(
    sets, tmp_path: Path, languages, layers: int, width: int, message: str
) -> None:
    path = tmp_path / "toy.neuron.pth"
    write_published(sets, path)
    with pytest.raises(DataError, match=message):
        read_published(path, languages, layers, width)


def test_damaged_files(tmp_path: Path) -> None:
    text = tmp_path / "text.pth"
    text.write_text("not a model")
    page = tmp_path / "page.pth"
    page.write_text("<!DOCTYPE html>\n<title>Sign in</title>")
    code = save(tmp_path / "code.pth", [[Path("x")]])  # needs more than weights
    for path, message in (
        (tmp_path / "absent.pth", "does not exist"),
        (text, "cannot be read as a .pth file"),
        (page, "a web page; download the file itself"),
        (code, r"holds pathlib\S*, not lists of tensors.*loading it can run code"),
    ):
        with pytest.raises(DataError, match=f"{path.name}.*{message}") as told:
            read_published(path, ("en",), 1, 10)
        assert "weights_only" not in str(told.value)  # torch advises to run the code
    for wrong in ({"en": []}, [torch.zeros(2)]):
        with pytest.raises(DataError, match="not a list of languages"):
            read_published(save(tmp_path / "x.pth", wrong), ("en",), 1, 10)
    for ids in (torch.tensor([0.5]), torch.tensor([[1]])):
        with pytest.raises(DataError, match="not a list of neuron numbers"):
            read_published(save(tmp_path / "x.pth", [[ids]]), ("en",), 1, 10)
    with pytest.raises(DataError, match="neuron -1"):
        negative = save(tmp_path / "x.pth", [[torch.tensor([-1, 2])]])
        read_published(negative, ("en",), 1, 10)
    empty = save(tmp_path / "x.pth", [[torch.tensor([])]])  # float by default
    assert not read_published(empty, ("en",), 1, 10)["en"].any()


@pytest.mark.parametrize(
    "name,width",
    [
        ("LLaMA-2-7B", 11008),
        ("BLOOM-7B", 16384),
        ("OPT-6.7B", 16384),
        ("Phi-2-2.7B", 10240),
    ],
)
def test_published_files_hold_the_published_counts(
    shared_data: Path, tmp_path: Path, name: str, width: int
) -> None:
    path = shared_data / "neurons" / f"{name}.neuron.pth"
    figures = shared_data.parent / "spec" / "published_results.json"
    if not (path.is_file() and figures.is_file()):
        pytest.skip(f"{path} or {figures} is absent")
    want = json.loads(figures.read_text())["tang2024_neuron_sets"][name]
    languages = tuple(want["langs"])
    found = read_published(path, languages, want["layers"], width)
    assert {k: int(v.sum()) for k, v in found.items()} == want["counts"]
    assert np.any(list(found.values()), axis=0).sum() == want["unique"]
    assert want["unique"] == round(0.01 * want["layers"] * width)
    overlap = [[int((a & b).sum()) for b in found.values()] for a in found.values()]
    assert overlap == want["overlap"]
    for lang, mask in found.items():
        assert mask.sum(axis=1).tolist() == want["layer_hist"][lang]
    if name == "LLaMA-2-7B":
        assert np.flatnonzero(found["zh"][4]).tolist() == [6147, 9114, 9292]
    sets = NeuronSets(
        "tang", "all", "published", name, "", want["layers"], width, "gate_pre",
        {lang: from_mask(mask) for lang, mask in found.items()},
    )  # fmt: skip
    write_published(sets, tmp_path / "again.pth")
    again = read_published(tmp_path / "again.pth", languages, want["layers"], width)
    assert all(np.array_equal(found[lang], again[lang]) for lang in languages)
    with pytest.raises(DataError, match="another model"):
        read_published(path, languages, want["layers"], width // 2)
