"""The papers' figures are found, in our unit, and only for what they belong to."""

from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from langneurons.published.numbers import FIGURES, Key, records, set_languages, set_used
from langneurons.published.numbers import values as values_of

FIGURES_HELD: dict[str, Any] = json.loads(FIGURES.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("key", "metrics"),
    [
        (("llama31", "attention", "xnli", "vi", None, "none"), {"accuracy": 0.805}),
        (("llama31", "attention", "xnli", "vi", "lape", "p5"), {"accuracy": 0.736}),
        (("llama31", "attention", "xnli", "ur", "ap90", "p95"), {"accuracy": 0.687}),
        (("nemo", "attention", "xnli", "hi", "lape", "p95"), {"accuracy": 0.666}),
        (("nemo", "attention", "xnli", "vi", "ap90", "p5"), {"accuracy": 0.374}),
        (("nemo", "attention", "xnli", "ur", None, "none"), {"accuracy": 0.668}),
        (
            ("llama31", "attention", "xquad", "zh", "lape", "mean"),
            {"em": 0.1, "f1": 0.628},
        ),
        (("llama31", "ap90:en+hi", "xnli", "hi", "ap90", "p10"), {"accuracy": 0.746}),
        (("llama31", "lape:en+ur", "xnli", "ur", None, "none"), {"accuracy": 0.7}),
        (("nemo", "random:hi", "xnli", "hi", None, "none"), {"accuracy": 0.756}),
        # Nothing is made up.
        (("gemma", "attention", "xnli", "vi", "lape", "p5"), {}),
        (("llama31", "attention", "xnli", "sw", "lape", "p5"), {}),
        (("llama31", "attention", "xnli", "vi", "lape", "p99"), {}),
        (("llama31", "lape:fr", "xnli", "vi", None, "none"), {}),
    ],
)
def test_values_are_fractions(key: tuple, metrics: dict[str, float]) -> None:
    assert values_of(Key(*key)) == metrics


def test_sets_behind_the_tables() -> None:
    assert (set_used("lape", "hi"), set_used("lape", "zh")) == ("set6", "set1")
    assert set_used("random", "hi") is None
    assert set_languages("nemo", "lape", "set1") == (
        "en", "fr", "es", "vi", "id", "ja", "zh",
    )  # fmt: skip
    assert set_languages("nemo", "lape", "set9") == ()


def test_the_file_is_consistent() -> None:
    for part in ("cells", "raw_files"):
        rows = records(FIGURES_HELD[part])
        assert {row["source"] for row in rows} <= set(FIGURES_HELD["sources"])
        names = [{k: v for k, v in row.items() if k != "value"} for row in rows]
        assert len(rows) == len({tuple(n.values()) for n in names}), "a cell twice"
    for entry in FIGURES_HELD["neuron_sets"]:
        assert entry["source"] in FIGURES_HELD["sources"]
        pairs = [tuple(row[:2]) for row in entry["overlaps"]]
        assert pairs == [*combinations(entry["counts"], 2)]
        for lang, per_layer in entry["neurons_per_layer"].items():
            assert len(per_layer) == entry["layers"]
            assert sum(per_layer) == entry["counts"][lang]
        if entry["method"] == "lape" and "selected" in entry:
            neurons = entry["layers"] * entry["intermediate_size"]
            assert entry["selected"] == entry["unique"] == round(0.01 * neurons)


# Every number of the collection that the project was given is in the file.
MODELS = {
    "Meta-Llama-3.1-8B": "llama31", "Mistral-Nemo-Base-2407": "nemo",
    "Llama 3.1": "llama31", "Mistral Nemo": "nemo", "LLaMA-2-7B": "llama2-7b",
    "LLaMA-2-13B": "llama2-13b", "LLaMA-2-70B": "llama2-70b", "BLOOM-7B": "bloom-7b",
    "Mistral-7B": "mistral-7b", "OPT-6.7B": "opt-6.7b", "Phi-2-2.7B": "phi-2",
}  # fmt: skip
METHODS = {"act_prob_90p": ("ap90", "focus")}
METHODS |= {f"lape-{name}": ("lape", name) for name in ("set1", "set6")}


@pytest.fixture(scope="module")
def given(shared_data: Path) -> dict[str, Any]:
    path = shared_data.parent / "spec" / "published_results.json"
    if not path.is_file():
        pytest.skip(f"{path} is absent; its numbers are compared with our file")
    return json.loads(path.read_text(encoding="utf-8"))


def held_cells(source: str) -> dict[tuple[str | None, ...], float]:
    part = "raw_files" if source.endswith("raw_files") else "cells"
    keys = ("model", "tuning", "method", "task", "metric", "lang", "statistic")
    return {
        tuple(row[k] for k in keys): row["value"]
        for row in records(FIGURES_HELD[part])
        if row["source"] == f"mondal2025.{source}"
    }


def test_tables_4_and_5_are_whole(given: dict[str, Any]) -> None:
    want: dict[str, dict[tuple[str | None, ...], float]] = {"table4": {}, "table5": {}}
    for name, langs in given["mondal2025_table4_xnli_acc"].items():
        for lang, cells in langs.items():
            for statistic, value in cells.items():
                model, method = name.split("/")
                key = (model, "attention", method, "xnli", "accuracy", lang, statistic)
                want["table4"][key] = value
    for name, langs in given["mondal2025_table5_xquad_em_f1"].items():
        for lang, cells in langs.items():
            for statistic, metrics in cells.items():
                for metric, value in metrics.items():
                    model, method = name.split("/")
                    key = (model, "attention", method, "xquad", metric, lang, statistic)
                    want["table5"][key] = value
    assert len(want["table4"]) == 108 and len(want["table5"]) == 216
    assert want == {source: held_cells(source) for source in want}


def test_table_6_is_whole(given: dict[str, Any]) -> None:
    axes = (None, None, None, "mean_over_neurons")
    want = {
        (MODELS[model], *axes, lang, statistic): value
        for model, langs in given["mondal2025_table6_mean_over_neurons_of_stat"].items()
        for lang, cells in langs.items()
        for statistic, value in cells.items()
    }
    assert len(want) == 70
    assert want == held_cells("table6")


def test_tables_7_and_8_are_whole(given: dict[str, Any]) -> None:
    want = {}
    for name, cells in given["mondal2025_table7_ft_xnli_acc"].items():
        model, method = name.split("/")
        for which, values in cells.items():
            tuned, lang = which.split("->")
            axes = (model, f"{method}:{tuned}", method, "xnli", "accuracy", lang)
            want |= {(*axes, statistic): value for statistic, value in values.items()}
    assert len(want) == 90
    assert want == held_cells("table7")
    want = {}
    for model, values in given["mondal2025_table8_random_ft"].items():
        for lang, value in values.items():
            lang = lang[:2]  # "hi(row printed as vi)"
            axes = (model, f"random:{lang}", None, "xnli", "accuracy", lang, "none")
            want[axes] = value
    assert len(want) == 6
    assert want == held_cells("table8")


def test_raw_files_are_whole(given: dict[str, Any]) -> None:
    want, items = {}, {}
    for name, values in given["mondal2025_raw_result_files"].items():
        task, model, method, lang = name.split("/")
        method = method.removesuffix("-set1")
        for statistic in ("none", "mean"):
            value = values[statistic]
            metrics = value if isinstance(value, dict) else {"accuracy": value}
            for metric, number in metrics.items():
                key = (model, "attention", method, task, metric, lang, statistic)
                want[key], items[key] = number, values["n"]
    assert len(want) == 20
    assert want == held_cells("raw_files")
    for row in records(FIGURES_HELD["raw_files"]):
        keys = ("model", "tuning", "method", "task", "metric", "lang", "statistic")
        assert row["n"] == items[tuple(row[k] for k in keys)]


def held_set(model: str, method: str, language_set: str) -> dict[str, Any]:
    names = {"model": model, "method": method, "language_set": language_set}
    (entry,) = (e for e in FIGURES_HELD["neuron_sets"] if names.items() <= e.items())
    return entry


def test_neuron_sets_are_whole(given: dict[str, Any]) -> None:
    wanted = {}
    for name, entry in given["mondal2025_neuron_sets"].items():
        model, method = name.split("/")
        wanted[MODELS[model], *METHODS[method]] = entry
    for model, entry in given["tang2024_neuron_sets"].items():
        wanted[MODELS[model], "lape", "tang2024"] = entry
    assert len(wanted) == len(FIGURES_HELD["neuron_sets"]) == 13
    for names, entry in wanted.items():
        held = held_set(*names)
        assert held["counts"] == entry["counts"]
        assert [*held["counts"]] == entry["langs"]
        assert held["unique"] == entry["unique"]
        assert held["layers"] == entry.get("L", entry.get("layers"))
        assert held.get("selected") == entry.get("m")
        assert held.get("intermediate_size") == entry.get("d_int")
        assert held["neurons_per_layer"] == entry["layer_hist"]
        found = {(a, b): n for a, b, n in held["overlaps"]}
        for i, a in enumerate(entry["langs"]):
            for j, b in enumerate(entry["langs"]):
                n = (
                    held["counts"][a]
                    if a == b
                    else found.get((a, b), found.get((b, a)))
                )
                assert n == entry["overlap"][i][j]


def test_overlaps_of_lape_and_ap90_are_whole(given: dict[str, Any]) -> None:
    want = {}
    for name, value in given["mondal2025_lape_vs_ap90_overlap"].items():
        model, lang, selection = name.split("/")
        want[MODELS[model], lang, selection.removeprefix("lape-")] = value
    rows = records(FIGURES_HELD["lape_ap90_overlaps"])
    keys = ("model", "lang", "lape_language_set")
    assert {tuple(r[k] for k in keys): r["neurons"] for r in rows} == want


def test_no_part_of_the_collection_is_left_out(given: dict[str, Any]) -> None:
    """A part that is added to it needs a test here."""
    assert set(given) == {
        "_note", "mondal2025_neuron_sets", "mondal2025_lape_vs_ap90_overlap",
        "tang2024_neuron_sets", "mondal2025_table4_xnli_acc",
        "mondal2025_table5_xquad_em_f1", "mondal2025_table6_mean_over_neurons_of_stat",
        "mondal2025_table7_ft_xnli_acc", "mondal2025_table8_random_ft",
        "mondal2025_raw_result_files",
    }  # fmt: skip
