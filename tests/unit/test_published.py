"""The papers' figures are found, in our unit, and only for what they belong to."""

from __future__ import annotations

import json

import pytest

from langneurons.published import FIGURES, lookup


@pytest.mark.parametrize(
    ("model", "method", "lang", "statistic", "value"),
    [
        ("llama31", None, "vi", "none", 0.805),
        ("llama31", "lape", "vi", "p5", 0.736),
        ("llama31", "ap90", "ur", "p95", 0.687),
        ("nemo", "lape", "hi", "p95", 0.666),
        ("nemo", "ap90", "vi", "p5", 0.374),
        ("nemo", None, "ur", "none", 0.668),
    ],
)
def test_cells_of_table_4(
    model: str, method: str | None, lang: str, statistic: str, value: float
) -> None:
    found = lookup(model, method, "xnli", lang, "attention", statistic)
    assert found == pytest.approx(value, abs=1e-9)


def test_cells_of_other_tables() -> None:
    assert lookup("llama31", "lape", "xquad", "zh", "attention", "mean", "em") == 0.1
    assert lookup("llama31", "lape", "xquad", "zh", "attention", "mean", "f1") == 0.628
    assert lookup("llama31", "ap90", "xnli", "hi", "ap90.focus.en+hi", "p10") == 0.746
    assert lookup("llama31", None, "xnli", "ur", "lape.set6.en+ur", "none") == 0.7
    assert lookup("nemo", None, "xnli", "hi", "random.focus.hi", "none") == 0.756


@pytest.mark.parametrize(
    "arguments",
    [
        (None, "lape", "xnli", "vi", "attention", "p5"),  # a model of no paper
        ("llama31", None, "xnli", "vi", "attention", "p5"),  # random neurons
        ("llama31", "lape", "xnli", "sw", "attention", "p5"),
        ("llama31", "lape", "xnli", "vi", "attention", "p99"),
        ("llama31", "lape", "xnli", "vi", "lape.set1.fr", "p90"),
        ("llama31", "lape", "xquad", "zh", "attention", "mean"),  # no accuracy there
    ],
)
def test_nothing_is_made_up(arguments: tuple[str | None, ...]) -> None:
    assert lookup(*arguments) is None


def test_the_file_is_consistent() -> None:
    figures = json.loads(FIGURES.read_text(encoding="utf-8"))
    rows = figures["cells"]["rows"]
    assert {row[0] for row in rows} <= set(figures["sources"])
    assert len(rows) == len({tuple(row[:-1]) for row in rows}), "a cell twice"
    for entry in figures["neuron_sets"]:
        assert entry["source"] in figures["sources"]
        for lang, per_layer in entry["neurons_per_layer"].items():
            assert len(per_layer) == entry["layers"]
            assert sum(per_layer) == entry["counts"][lang]
        if entry["method"] == "lape" and "selected" in entry:
            neurons = entry["layers"] * entry["intermediate_size"]
            assert entry["selected"] == entry["unique"] == round(0.01 * neurons)
