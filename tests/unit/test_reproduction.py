"""Every published number has a row; ours is found, compared and laid out."""

from __future__ import annotations

import json
import math
from itertools import combinations
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import build_reproduction_table
from langneurons import cli, reproduction, reproduction_text, table_files
from langneurons.errors import DataError
from langneurons.methods.published import read_published
from langneurons.neuron_sets import NeuronSets, from_mask
from langneurons.published import FIGURES
from langneurons.reproduction import NAMES, Number
from langneurons.reproduction_ours import our_numbers
from langneurons.tables import ACTIVATION_COLUMNS, TASK_COLUMNS

HELD: dict[str, Any] = json.loads(FIGURES.read_text(encoding="utf-8"))
MODELS = {"llama31": "llama31", "nemo": "nemo", "tiny": None}
METHODS = {"lape": "lape", "ap90": "ap90", "other": None}
# Numbers that say what was measured on.
NO_RESULTS = {"layers", "intermediate_size", "n"}


def leaves(part: Any, name: str = "") -> int:
    """Count the results among the numbers of the file."""
    if isinstance(part, dict):
        if {"columns", "rows"} <= set(part):
            rows = [dict(zip(part["columns"], r, strict=True)) for r in part["rows"]]
            return leaves(rows)
        return sum(leaves(value, key) for key, value in part.items())
    if isinstance(part, list):
        return sum(leaves(value, name) for value in part)
    return int(isinstance(part, int | float) and name not in NO_RESULTS)


def task_row(**changes: Any) -> dict[str, Any]:
    """A row of a task table: LAPE, p90, XNLI in Hindi, 74.9 % published."""
    row: dict[str, Any] = dict.fromkeys(TASK_COLUMNS)
    row |= {"model": "llama31", "method": "lape", "langset": "set6", "matched": "-"}
    row |= {"tuning": "attention", "seed": "42", "lang": "hi", "statistic": "p90"}
    row |= {"metric": "accuracy", "n": 5010, "value": 0.75, "against": "none"}
    return row | changes


def untreated(**changes: Any) -> dict[str, Any]:
    empty = dict.fromkeys(("method", "langset", "against"), "-")
    return task_row(**(empty | {"statistic": "none"} | changes))


def compare(*rows: dict[str, Any], name: str = "xnli", **more: Any) -> pd.DataFrame:
    """Return the rows of the reproduction table that have a number of ours."""
    content = pd.DataFrame(rows).reindex(columns=[*TASK_COLUMNS])
    models, methods = more.pop("models", MODELS), more.pop("methods", METHODS)
    ours = our_numbers(HELD, {name: content}, [], models, methods, **more)
    table = reproduction.table(HELD, ours)
    return table[table["within"] != ""]


def test_every_published_number_has_one_row() -> None:
    table = reproduction.table(HELD, {})
    assert len(table) == leaves(HELD) == 4222
    assert table["published"].notna().all()
    assert not table.duplicated(subset=[*NAMES]).any()
    assert table[["ours", "difference", "tolerance", "n_ours"]].isna().all(axis=None)
    assert (table["within"] == "").all()
    assert tuple(table.columns) == reproduction.COLUMNS
    assert [*dict.fromkeys(table["source"])] == [
        *(f"mondal2025.table{i}" for i in range(4, 9)),
        "mondal2025.raw_files", "mondal2025.released_sets", "tang2024.released_sets",
    ]  # fmt: skip


def test_items_behind_the_published_cells() -> None:
    table = reproduction.table(HELD, {})
    tasks = table[table["task"] != "-"]
    found = {
        (model, task, lang): set(part["n_published"])
        for (model, task, lang), part in tasks.groupby(["model", "task", "lang"])
    }
    assert found.pop(("llama31", "xquad", "hi")) == {173}
    for (_, task, _), items in found.items():
        assert items == {{"xnli": 5008, "xquad": 238}[task]}
    assert table.loc[table["task"] == "-", "n_published"].isna().all()


def test_a_table_of_the_published_numbers_is_within() -> None:
    """Every printed and raw cell finds the row of a task table that belongs to it."""
    rows, sets = [], HELD["language_sets_used"]
    columns = HELD["cells"]["columns"]
    for values in HELD["cells"]["rows"]:
        cell = dict(zip(columns, values, strict=True))
        if cell["task"] is None:
            continue
        langset = sets.get(cell["method"], {}).get(cell["lang"], "-")
        method, tuning = cell["method"] or "-", cell["tuning"]
        if cell["statistic"] == "none":
            method = "-"
        if ":" in tuning:
            by, langs = tuning.split(":")
            by = {"random": "random_lape-3"}.get(by, by)
            tuning = f"{by}.{langset if cell['method'] else 'set1'}.{langs}"
        names = {k: cell[k] for k in ("model", "lang", "statistic", "metric", "task")}
        more = {"method": method, "langset": langset if method != "-" else "-"}
        value = {"tuning": tuning, "value": cell["value"] / 100}
        rows.append(task_row(**more, **value) | names)
    whole = pd.DataFrame(rows)
    tables = {
        f"{front}{task}": part[part["tuning"].str.startswith(begin)]
        for task, part in whole.groupby("task")
        for front, begin in (
            ("", "attention"), ("finetune_", ("lape", "ap90")), ("random_", "random"),
        )
    }  # fmt: skip
    assert {k: len(v) for k, v in tables.items()} == {
        "xnli": 108, "finetune_xnli": 90, "random_xnli": 6,
        "xquad": 216, "finetune_xquad": 0, "random_xquad": 0,
    }  # fmt: skip
    table = reproduction.table(HELD, our_numbers(HELD, tables, [], MODELS, METHODS))
    cells = table[table["item"] == "task"]
    assert len(cells) == 420 and (cells["within"] == "yes").all()
    # "No Int" of Llama on XQuAD in vi is printed as 73.5 and as 73.6; ours is one run.
    differing = cells.loc[cells["difference"].abs() > 1e-9, "difference"]
    assert sorted(differing) == pytest.approx([-0.0005, 0.0005])
    assert len(table[(table["item"] == "raw_file") & (table["within"] != "")]) == 20


def test_no_intervention_is_one_run_for_every_method() -> None:
    found = compare(untreated(value=0.75))
    assert [*found["source"]] == ["mondal2025.table4"] * 2 + ["mondal2025.raw_files"]
    assert [*found["method"]] == ["lape", "ap90", "ap90"]
    assert (found["published"] == 0.75).all() and (found["difference"] == 0).all()


def test_the_sampling_error_by_hand() -> None:
    found = compare(task_row(value=0.72)).iloc[0]
    p = (5008 * 0.749 + 5010 * 0.72) / 10018
    want = 1.959964 * math.sqrt(p * (1 - p) * (1 / 5008 + 1 / 5010)) + 0.0005
    assert found["tolerance"] == pytest.approx(want)
    assert found["tolerance"] == pytest.approx(0.0177, abs=2e-4)
    assert found["difference"] == pytest.approx(-0.029)
    assert (found["within"], found["n_ours"]) == ("no", 5010)
    assert compare(task_row(value=0.733)).iloc[0]["within"] == "yes"


def test_a_published_zero_is_no_certainty() -> None:
    """Nemo, AP90, P5, XQuAD vi: EM 0 of 238; half a printed unit is 0.005."""
    names = {"model": "nemo", "method": "ap90", "langset": "focus", "lang": "vi"}
    names |= {"statistic": "p5", "metric": "em", "n": 238}
    for right, within in ((0, "yes"), (3, "yes"), (12, "no")):
        row = task_row(**names, value=right / 238)
        (found,) = compare(row, name="xquad")["within"]
        assert found == within


def test_raw_results_have_no_printed_digits() -> None:
    mean = task_row(statistic="mean", langset="set1", lang="vi", value=0.79)
    found = compare(mean).set_index("item")
    printed, raw = found.loc["task"], found.loc["raw_file"]
    assert printed["published"] == 0.795
    assert raw["published"] == 0.7945287823677063
    assert printed["tolerance"] - raw["tolerance"] == pytest.approx(0.0005, abs=1e-5)


@pytest.mark.parametrize(
    "changes",
    [
        {"model": "tiny"},
        {"model": "unknown"},
        {"method": "other"},
        {"method": "random", "matched": "lape", "draw": 1},
        {"langset": "set1"},  # other LAPE neurons than the paper's
        {"statistic": "p99"},
        {"metric": "f1"},
        {"lang": "sw"},
        {"tuning": "all_mlp"},
        {"tuning": "rows.lape.set6.hi"},
        {"tuning": "other.set6.hi"},
        {"tuning": "lape.set1.hi"},
        {"value": math.nan},
    ],
)
def test_what_the_paper_does_not_have_is_not_compared(changes: dict[str, Any]) -> None:
    assert len(compare(task_row())) == 1
    assert compare(task_row(**changes)).empty


def test_tables_of_other_kinds_and_tasks_are_passed_over() -> None:
    assert compare(task_row(), name="mlqa").empty
    other = pd.DataFrame({"model": ["llama31"], "nll": [2.0]})
    assert our_numbers(HELD, {"perplexity": other}, [], MODELS, METHODS) == {}


def test_seeds_are_averaged_unless_pooled() -> None:
    seeds = [task_row(seed=str(i), value=0.7 + i / 100) for i in range(3)]
    assert compare(*seeds)["ours"].tolist() == pytest.approx([0.71])
    pooled = task_row(seed="pooled", value=0.715)
    assert compare(*seeds, pooled)["ours"].tolist() == [0.715]


def test_random_draws_are_averaged_whatever_they_match() -> None:
    drawn = [
        untreated(tuning=f"random_{name}.vi", lang="vi", value=value, n=n)
        for name, value, n in (
            ("lape-1.set1", 0.79, 5010), ("lape-2.set1", 0.80, 5010),
            ("ap90-1.focus", 0.81, 5008),
        )
    ]  # fmt: skip
    (row,) = compare(*drawn, name="random_xnli").to_dict("records")
    assert (row["source"], row["tuning"]) == ("mondal2025.table8", "random:vi")
    assert row["ours"] == pytest.approx(0.80)
    assert row["n_ours"] == 5008


def test_the_first_model_and_method_that_stand_for_the_papers_count() -> None:
    models = {"full": "llama31", "small": "llama31"}
    methods = {"lape_kth": "lape", "lape_interp": "lape"}
    rows = [
        task_row(model=model, method=method, value=value)
        for model, method, value in (
            ("small", "lape_kth", 0.71), ("full", "lape_interp", 0.72),
            ("full", "lape_kth", 0.73),
        )
    ]  # fmt: skip
    names: dict[str, Any] = {"models": models, "methods": methods}
    assert compare(*rows, **names)["ours"].tolist() == [0.73]
    assert compare(*rows[:2], **names)["ours"].tolist() == [0.72]
    assert compare(*rows[:1], **names)["ours"].tolist() == [0.71]
    tuned = [
        untreated(model="full", tuning=f"{method}.set6.hi", value=value)
        for method, value in (("lape_interp", 0.7), ("lape_kth", 0.71))
    ]
    assert compare(*tuned, name="finetune_xnli", **names)["ours"].tolist() == [0.71]


def test_names_of_statistics_and_tasks_may_differ() -> None:
    row = task_row(statistic="high", value=0.74)
    more: dict[str, Any] = {"name": "finetune_pairs", "tasks": {"pairs": "xnli"}}
    found = compare(row, untreated(), statistics={"high": "p90"}, **more)
    assert found["statistic"].tolist() == ["none", "p90", "none", "none"]
    assert found["ours"].tolist() == [0.75, 0.74, 0.75, 0.75]
    found = compare(task_row(), statistics={"p90": None}, tasks={"xnli": "xnli"})
    assert found.empty, "p90 of another procedure than the paper's"


def activation(**changes: Any) -> dict[str, Any]:
    row = {"model": "llama31", "corpus": "wikipedia", "lang": "en", "site": "gate_pre"}
    row |= {"quantile": "batch_mean", "statistic": "p5", "n_tokens": 1000, "sd": 1.0}
    return dict.fromkeys(ACTIVATION_COLUMNS) | row | {"value": -0.79} | changes


def test_activation_statistics() -> None:
    rows = [
        activation(),
        activation(quantile="pooled", value=-0.9),
        activation(statistic="mean", quantile="pooled", value=-0.28),
        activation(statistic="p95", site="act_post", value=0.3),
        activation(statistic="p95", quantile="pooled", value=0.3),
        activation(model="tiny", statistic="p90", value=0.1693),
        activation(statistic="p25", lang="te"),
    ]
    tables = {"activation_statistics": pd.DataFrame(rows)}
    table = reproduction.table(HELD, our_numbers(HELD, tables, [], MODELS, METHODS))
    found = table[table["within"] != ""].set_index("statistic")
    assert found["source"].unique().tolist() == ["mondal2025.table6"]
    assert found["ours"].to_dict() == {"p5": -0.79, "mean": -0.28}
    assert found["within"].to_dict() == {"p5": "yes", "mean": "no"}
    assert found.loc["p5", "difference"] == pytest.approx(0.0043)
    assert (found["tolerance"] == 0.01).all() and (found["n_ours"] == 1000).all()


def neuron_sets(neurons: dict[str, dict[int, list[int]]], method: str) -> NeuronSets:
    return NeuronSets(method, "mine", method, "llama31", "", 2, 10, "act_post", neurons)


def small_figures() -> dict[str, Any]:
    """Two sets: LAPE of a, b with 60 neurons, AP90 of a, b, c with 20 a language."""
    lape = {"counts": {"a": 40, "b": 30}, "overlaps": [["a", "b", 10]]}
    lape |= {"neurons_per_layer": {"a": [3, 37], "b": [0, 30]}}
    lape |= {"method": "lape", "language_set": "set1", "unique": 60, "selected": 60}
    langs = ("a", "b", "c")
    ap90: dict[str, Any] = {"counts": dict.fromkeys(langs, 5)}
    ap90 |= {"overlaps": [[*pair, 4] for pair in combinations(langs, 2)]}
    ap90 |= {"neurons_per_layer": {lang: [5, 0] for lang in langs}}
    ap90 |= {"method": "ap90", "language_set": "focus", "unique": 9, "selected": 5}
    head = {"source": "files", "model": "llama31", "layers": 2, "intermediate_size": 40}
    both = {"columns": ["model", "lang", "lape_language_set", "neurons"]}
    empty: dict[str, Any] = {"columns": [], "rows": []}
    return {
        "sources": {"files": "released files"},
        "cells": empty,
        "raw_files": empty,
        "language_sets_used": {},
        "neuron_sets": [head | lape, head | ap90],
        "lape_ap90_overlaps": both
        | {"source": "files", "rows": [["llama31", "a", "set1", 2]]},
    }


def neuron_table(*neurons: tuple[str, str, NeuronSets]) -> pd.DataFrame:
    figures = small_figures()
    ours = our_numbers(figures, {}, neurons, MODELS, METHODS)
    return reproduction.table(figures, ours)


def test_neurons_are_counted_by_hand() -> None:
    lape = neuron_sets({"b": {1: [*range(10)]}, "a": {0: [1, 2], 1: [8, 9]}}, "lape")
    focus = {"a": {0: [2, 3], 1: [9]}, "b": {0: [1, 2, 3]}, "c": {0: [4, 5, 6]}}
    ap90 = neuron_sets(focus, "ap90")
    table = neuron_table(("llama31", "lape", lape), ("llama31", "ap90", ap90))
    assert table["ours"].notna().all()
    keys = ["method", "lang", "statistic", "metric"]
    found = table.set_index(keys)["ours"].to_dict()
    assert {k[1:]: v for k, v in found.items() if k[0] == "lape"} == {
        ("-", "-", "selected"): 12, ("-", "-", "unique"): 12,
        ("a", "-", "count"): 4, ("b", "-", "count"): 10, ("a+b", "-", "overlap"): 2,
        ("a", "layer_0", "per_layer"): 2, ("a", "layer_1", "per_layer"): 2,
        ("b", "layer_0", "per_layer"): 0, ("b", "layer_1", "per_layer"): 10,
    }  # fmt: skip
    assert found["ap90", "-", "-", "selected"] == 3
    assert found["ap90", "-", "-", "unique"] == 7
    assert found["ap90", "a+b", "-", "overlap"] == 2
    assert found["ap90", "a+c", "-", "overlap"] == 0
    assert found["lape+ap90", "a", "-", "overlap"] == 2
    within = table.set_index(keys)["within"]
    assert within["lape+ap90", "a", "-", "overlap"] == "yes"
    assert within["lape", "-", "-", "selected"] == "no"


def test_what_counts_of_neurons_may_differ() -> None:
    table = reproduction.table(small_figures(), EverythingIs(4.0))
    keys = ["method", "lang", "statistic", "metric"]
    found = table.set_index(keys)["tolerance"]
    exact = {("lape", "selected"), ("lape", "unique")}
    exact |= {("ap90", "selected"), ("ap90", "count")}
    for (method, lang, statistic, metric), tolerance in found.items():
        assert (tolerance == 0) == ((method, metric) in exact), (lang, statistic)
    assert found["lape", "a", "-", "count"] == 4.0
    assert found["lape", "b", "-", "count"] == 3.0
    assert found["lape", "a", "layer_1", "per_layer"] == pytest.approx(3.7)
    assert found["lape", "b", "layer_0", "per_layer"] == 3.0


class EverythingIs(dict[Any, Any]):
    """Numbers of ours that are all the same."""

    def __init__(self, value: float) -> None:
        self.value = value

    def get(self, key: Any, default: Any = None) -> Number:
        return Number(self.value)


def test_lape_needs_the_same_languages_and_ap90_does_not() -> None:
    lape = neuron_sets({"a": {0: [1]}, "c": {0: [2]}}, "lape")
    assert (neuron_table(("llama31", "lape", lape))["within"] == "").all()
    ap90 = neuron_sets({"a": {0: [1, 2]}, "c": {0: [2]}, "d": {1: [1]}}, "ap90")
    table = neuron_table(("llama31", "ap90", ap90))
    run = table[table["within"] != ""]
    assert set(run["lang"]) == {"-", "a", "c", "a+c"}
    assert set(run["metric"]) == {"selected", "count", "overlap", "per_layer"}
    for names in (("tiny", "ap90"), ("llama31", "other"), ("nemo", "ap90")):
        assert (neuron_table((*names, ap90))["within"] == "").all()


def test_published_neuron_files_reproduce_themselves(shared_data: Path) -> None:
    path = shared_data / "neurons" / "LLaMA-2-7B.neuron.pth"
    if not path.is_file():
        pytest.skip(f"{path} is absent")
    languages = ("en", "zh", "fr", "es", "vi", "id", "ja")
    masks = read_published(path, languages, 32, 11008)
    neurons = {lang: from_mask(mask) for lang, mask in masks.items()}
    sets = NeuronSets("tang", "any", "published", "", "", 32, 11008, "", neurons)
    models, methods = {"base": "llama2-7b"}, {"tang": "lape"}
    ours = our_numbers(HELD, {}, [("base", "tang", sets)], models, methods)
    table = reproduction.table(HELD, ours)
    found = table[table["model"] == "llama2-7b"]
    assert (found["difference"] == 0).all() and (found["within"] == "yes").all()
    assert (table.loc[table["model"] != "llama2-7b", "within"] == "").all()


def job(folder: Path, **spec: Any) -> cli.Job:
    """Ask the script for a table of small inputs."""
    tables = [folder / "xnli.tsv", folder / "activation_statistics.tsv"]
    content = pd.DataFrame([task_row(value=0.75), untreated(value=0.7)])
    content.to_csv(tables[0], sep="\t", index=False)
    pd.DataFrame([activation()]).to_csv(tables[1], sep="\t", index=False)
    sets = neuron_sets({lang: {0: [1]} for lang in ("en", "vi", "zh")}, "ap90")
    sets.write(folder / "ap90.focus.json")
    entry = {"model": "llama31", "method": "ap90", "langset": "focus"}
    spec = {"models": MODELS, "methods": METHODS, "neurons": [entry]} | spec
    inputs = {"published": FIGURES, "tables": tables}
    inputs["neurons"] = [folder / "ap90.focus.json"]
    outputs = {k: folder / f"reproduction.{k}" for k in ("tsv", "markdown")}
    return cli.Job(spec, "", inputs, outputs, 1, 1, 1)


def cells_of(text: str, *names: str) -> list[str]:
    """Return what stands behind these names, in the first line that has them."""
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if cells[: len(names)] == [*names]:
            return cells[len(names) :]
    raise AssertionError(f"no line {names}")


def test_the_script_writes_both_files(tmp_path: Path) -> None:
    build_reproduction_table.main(job(tmp_path))
    table = table_files.read(tmp_path / "reproduction.tsv")
    assert tuple(table.columns) == reproduction.COLUMNS
    assert len(table) == leaves(HELD)
    raw = (tmp_path / "reproduction.tsv").read_text().splitlines()
    none, treated = raw[10].split("\t"), raw[13].split("\t")
    assert none == [
        "mondal2025.table4", "task", "llama31", "lape", "set6", "attention", "xnli",
        "hi", "none", "accuracy", "0.75", "0.7", "-0.05", none[13], "no", "5008",
        "5010",
    ]  # fmt: skip
    assert treated[8:12] == ["p90", "accuracy", "0.749", "0.75"]
    assert raw[1].endswith("0.805\t\t\t\t\t5008\t")
    run = table[table["within"].notna()]
    assert run.groupby("item", sort=False).size().to_dict() == {
        # of 3 languages: counts, overlaps, 2 layers each; and the size selected
        "task": 3, "activation": 1, "raw_file": 1, "neurons": 3 + 3 + 6 + 1,
    }  # fmt: skip
    text = (tmp_path / "reproduction.markdown").read_text()
    cells = cells_of(text, "llama31", "lape", "hi")
    assert cells[:4] == ["70.0 ✗ (75.0)", "– (75.2)", "– (74.9)", "75.0 (74.9)"]
    assert "-0.7900 (-0.7943)" in text
    assert f"Of {leaves(HELD):,} published numbers {len(run)} were run" in text
    for source in HELD["sources"]:
        assert f"\n## {source}\n" in text
    # |differences|: 5.0 points twice (no intervention), 0.1
    summary = cells_of(text, "mondal2025.table4")
    assert summary == ["108", "3", "1", "5.00 points"]


def test_two_runs_write_the_same_bytes(tmp_path: Path) -> None:
    asked = job(tmp_path)
    build_reproduction_table.main(asked)
    first = [path.read_bytes() for path in asked.outputs.values()]
    build_reproduction_table.main(asked)
    assert [path.read_bytes() for path in asked.outputs.values()] == first


def test_neuron_files_must_be_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="1 neuron files for 0 selections"):
        build_reproduction_table.main(job(tmp_path, neurons=[]))


def test_neuron_sets_are_summed_up_not_listed() -> None:
    lape = neuron_sets({"a": {0: [1, 2], 1: [3]}, "b": {1: [*range(10)]}}, "lape")
    table = neuron_table(("llama31", "lape", lape))
    text = reproduction_text.render(table, small_figures()["sources"])
    assert "layer_" not in text
    # a: 3 of 40, b: 10 of 30; overlap 1 of 10; layers 2, 1, 0, 10 of 3, 37, 0, 30
    cells = cells_of(text, "llama31", "lape", "set1")
    assert cells == ["12 ✗ (60)", "12 ✗ (60)", "0 of 2", "0 of 1", "2 of 4"]
    cells = cells_of(text, "llama31", "ap90", "focus")
    assert cells == ["– (5)", "– (9)", "– (3)", "– (3)", "– (6)"]
    assert cells_of(text, "llama31", "set1", "a") == ["– (2)"]
