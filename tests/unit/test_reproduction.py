"""Every published number has a row; ours is found, compared and laid out."""

from __future__ import annotations

import json
import math
from itertools import combinations
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import build_table
from langneurons.config.errors import DataError
from langneurons.config.names import TuningName
from langneurons.jobs import cli
from langneurons.methods.published import read_published
from langneurons.neurons.neuron_sets import NeuronSets, from_mask
from langneurons.published.numbers import FIGURES
from langneurons.tables import activation_statistics
from langneurons.tables.common import reproduction_numbers as reproduction
from langneurons.tables.common import reproduction_text, task_columns
from langneurons.tables.common.as_markdown import markdown
from langneurons.tables.common.columns import names, read_table
from langneurons.tables.common.reproduction_numbers import NAMES, Number
from langneurons.tables.common.reproduction_ours import our_numbers

HELD: dict[str, Any] = json.loads(FIGURES.read_text(encoding="utf-8"))
# Numbers that say what was measured on.
NO_RESULTS = {"layers", "intermediate_size", "n", "last_digit"}


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
    row: dict[str, Any] = dict.fromkeys(names(task_columns.COLUMNS))
    row |= {"model": "llama31", "method": "lape", "langset": "set6", "matched": "-"}
    row |= {"tuning": "attention", "seed": "42", "lang": "hi", "statistic": "p90"}
    row |= {"metric": "accuracy", "n": 5010, "value": 0.75, "against": "none"}
    row |= changes
    return row | {"neuron_lang": changes.get("neuron_lang", row["lang"])}


def untreated(**changes: Any) -> dict[str, Any]:
    empty = dict.fromkeys(("method", "langset", "neuron_lang", "against"), "-")
    return task_row(**(empty | {"statistic": "none"} | changes))


def entry(row: dict[str, Any], task: str = "xnli", **more: Any) -> dict[str, Any]:
    """Say that a row stands for the published number with its own names."""
    parsed = TuningName.parse(row["tuning"])
    tuning = row["tuning"]
    if parsed.selection is not None:
        method = parsed.selection.method.partition("_")[0]
        tuning = f"{method}:{'+'.join(sorted(parsed.languages))}"
    method = None if row["method"] == "-" else row["method"]
    key = (row["model"], tuning, task, row["lang"], method, row["statistic"])
    names = ("model", "tuning", "lang", "method", "langset", "statistic")
    found = {name: None if row[name] == "-" else row[name] for name in names}
    return found | {"task": task, "key": key, "why": None} | more


def spec(*evaluations: dict[str, Any], **more: Any) -> dict[str, Any]:
    empty: dict[str, Any] = {"activations": [], "neurons": []}
    return {"evaluations": [*evaluations]} | empty | more


def compare(*rows: dict[str, Any], name: str = "xnli", **more: Any) -> pd.DataFrame:
    """Return the rows of the reproduction table that have a number of ours."""
    table = whole(*rows, name=name, **more)
    return table[table["within"] != ""]


def whole(
    *rows: dict[str, Any], name: str = "xnli", task: str = "xnli", **more: Any
) -> pd.DataFrame:
    """Return the reproduction table; each row stands for what its names say."""
    content = pd.DataFrame(rows).reindex(columns=names(task_columns.COLUMNS))
    given = more.pop("given", None) or spec(*(entry(row, task) for row in rows))
    return reproduction.table(HELD, *our_numbers(HELD, {name: content}, {}, given))


def test_every_published_number_has_one_row() -> None:
    table = reproduction.table(HELD, {})
    assert len(table) == leaves(HELD) == 4222
    assert table["published"].notna().all()
    assert not table.duplicated(subset=[*NAMES]).any()
    assert table[["ours", "difference", "tolerance", "n_ours"]].isna().all(axis=None)
    assert (table["within"] == "").all()
    assert list(table.columns) == names(reproduction.COLUMNS)
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
            tuning = f"{by}.{langset if cell['method'] else 'set1'}.{langs}"
        names = {k: cell[k] for k in ("model", "lang", "statistic", "metric", "task")}
        more = {"method": method, "langset": langset if method != "-" else "-"}
        value = {"tuning": tuning, "value": cell["value"] / 100}
        rows.append(task_row(**more, **value, neuron_lang="-") | names)
    frame = pd.DataFrame(rows)
    tables = {
        f"{front}{task}": part[part["tuning"].str.startswith(begin)]
        for task, part in frame.groupby("task")
        for front, begin in (
            ("", "attention"), ("finetune_", ("lape", "ap90")), ("random_", "random"),
        )
    }  # fmt: skip
    assert {k: len(v) for k, v in tables.items()} == {
        "xnli": 108, "finetune_xnli": 90, "random_xnli": 6,
        "xquad": 216, "finetune_xquad": 0, "random_xquad": 0,
    }  # fmt: skip
    given = spec(*(entry(row, row["task"]) for row in rows))
    table = reproduction.table(HELD, *our_numbers(HELD, tables, {}, given))
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
        (found,) = compare(row, name="xquad", task="xquad")["within"]
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
        {"model": "nemo"},
        {"method": "ap90"},
        {"langset": "set1"},
        {"statistic": "english_p90"},
        {"metric": "f1"},
        {"lang": "vi"},
        {"neuron_lang": "vi"},
        {"tuning": "all_mlp"},
        {"tuning": "lape.set6.hi"},
        {"value": math.nan},
    ],
)
def test_rows_that_stand_for_no_published_number_are_passed_over(
    changes: dict[str, Any],
) -> None:
    given = spec(entry(task_row()))
    assert len(compare(task_row(), given=given)) == 1
    assert compare(task_row(**changes), given=given).empty
    assert compare(task_row(), name="mlqa", given=given).empty


def test_values_of_recipes_are_not_averaged_with_the_papers() -> None:
    """.8 and .4 were .6: p90 and p90 with English values are not one number."""
    why = "statistics.english_p90.value_language: en (published: target)"
    real, recipe = task_row(value=0.8), task_row(statistic="english_p90", value=0.4)
    key = entry(real)["key"]
    given = spec(entry(real), entry(recipe, key=key, why=why))
    assert compare(real, recipe, given=given)["ours"].tolist() == [0.8]
    table = whole(real, recipe, given=given)
    assert (table["not_compared"] == "").all(), "the number has its partner"
    # Alone it is no partner, and the table says why.
    given = spec(entry(recipe, key=key, why=why))
    table = whole(recipe, given=given)
    assert (table["within"] == "").all()
    (row,) = table[table["not_compared"] != ""].to_dict("records")
    assert row["not_compared"] == why
    assert (row["lang"], row["statistic"], row["published"]) == ("hi", "p90", 0.749)
    text = text_of(table, HELD["sources"])
    assert cells_of(text, "mondal2025.table4", why) == ["1"]


def test_a_partner_that_was_not_run_yet_is_no_reason() -> None:
    recipe, key = task_row(statistic="late"), entry(task_row())["key"]
    given = [entry(recipe, key=key, why="x"), entry(task_row())]
    for order in (given, given[::-1]):
        table = whole(recipe, given=spec(*order))
        assert (table["within"] == "").all() and (table["not_compared"] == "").all()


def test_two_evaluations_for_one_number_are_refused() -> None:
    other = task_row(statistic="high", value=0.4)
    given = spec(entry(task_row()), entry(other, key=entry(task_row())["key"]))
    with pytest.raises(DataError) as caught:
        compare(task_row(), other, given=given)
    text = str(caught.value)
    assert "xnli llama31 attention hi lape set6 p90 and xnli llama31" in text
    assert "lape set6 high" in text and "published_as" in text


def test_the_same_evaluation_in_two_tables_is_one() -> None:
    content = pd.DataFrame([untreated(value=0.7)]).reindex(
        columns=names(task_columns.COLUMNS)
    )
    tables = {"xnli": content, "finetune_xnli": content}
    given = spec(entry(untreated()))
    ours = our_numbers(HELD, tables, {}, given)
    assert {number.value for number in ours.numbers.values()} == {0.7}


def test_tables_of_other_kinds_are_passed_over() -> None:
    other = pd.DataFrame({"model": ["llama31"], "nll": [2.0]})
    given = spec(entry(task_row()))
    assert our_numbers(HELD, {"perplexity": other}, {}, given).numbers == {}


def test_seeds_are_averaged_unless_pooled() -> None:
    seeds = [task_row(seed=str(i), value=0.7 + i / 100) for i in range(3)]
    given = spec(entry(task_row()))
    assert compare(*seeds, given=given)["ours"].tolist() == pytest.approx([0.71])
    pooled = task_row(seed="pooled", value=0.715)
    assert compare(*seeds, pooled, given=given)["ours"].tolist() == [0.715]


def test_names_of_statistics_and_tasks_may_differ() -> None:
    row = task_row(statistic="high", value=0.74)
    key = entry(task_row())["key"]
    given = spec(entry(row, "pairs", key=key), entry(untreated(), "pairs"))
    given["evaluations"][1]["key"] = entry(untreated())["key"]
    found = compare(row, untreated(), name="finetune_pairs", given=given)
    assert found["statistic"].tolist() == ["none", "p90", "none", "none"]
    assert found["ours"].tolist() == [0.75, 0.74, 0.75, 0.75]


def activation(**changes: Any) -> dict[str, Any]:
    row = {"model": "llama31", "corpus": "wikipedia", "lang": "en", "site": "gate_pre"}
    row |= {"quantile": "batch_mean", "statistic": "p5", "n_tokens": 1000, "sd": 1.0}
    return (
        dict.fromkeys(names(activation_statistics.COLUMNS))
        | row
        | {"value": -0.79}
        | changes
    )


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
    same = {"model": "llama31", "corpus": "wikipedia", "key": "llama31"}
    given = spec(activations=[same | {"why": None}])
    table = reproduction.table(HELD, *our_numbers(HELD, tables, {}, given))
    found = table[table["within"] != ""].set_index("statistic")
    assert found["source"].unique().tolist() == ["mondal2025.table6"]
    assert found["ours"].to_dict() == {"p5": -0.79, "mean": -0.28}
    assert found["within"].to_dict() == {"p5": "yes", "mean": "no"}
    assert found.loc["p5", "difference"] == pytest.approx(0.0043)
    assert (found["tolerance"] == 0.01).all() and (found["n_ours"] == 1000).all()
    why = "corpora.wikipedia.tokens: 1000 (published: 100000000)"
    given = spec(activations=[same | {"why": why}])
    table = reproduction.table(HELD, *our_numbers(HELD, tables, {}, given))
    assert (table["within"] == "").all()
    assert (table["not_compared"] == why).sum() == 35, (
        "seven statistics, five languages"
    )


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
        "percent_metrics": {"columns": ["metric", "last_digit"], "rows": []},
        "language_sets_used": {},
        "neuron_sets": [head | lape, head | ap90],
        "lape_ap90_overlaps": both
        | {"source": "files", "rows": [["llama31", "a", "set1", 2]]},
    }


def neuron_table(*neurons: tuple[str, str, NeuronSets], **more: Any) -> pd.DataFrame:
    """Set neurons (model, method, sets) beside those of the small figures."""
    figures = small_figures()
    entries = []
    for model, method, sets in neurons:
        langset = {"lape": "set1", "ap90": "focus"}[method]
        names = {"model": model, "selection": f"{method}.{sets.language_set}"}
        key = (model, method, langset)
        entries.append(names | {"key": key, "why": None} | more)
    files = {f"{m} {name}.{sets.language_set}": sets for m, name, sets in neurons}
    ours = our_numbers(figures, {}, files, spec(neurons=entries))
    return reproduction.table(figures, *ours)


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


def test_ap90_of_other_languages_is_compared_where_these_are_shared() -> None:
    ap90 = neuron_sets({"a": {0: [1, 2]}, "c": {0: [2]}, "d": {1: [1]}}, "ap90")
    table = neuron_table(("llama31", "ap90", ap90))
    run = table[table["within"] != ""]
    assert set(run["lang"]) == {"-", "a", "c", "a+c"}
    assert set(run["metric"]) == {"selected", "count", "overlap", "per_layer"}
    assert (neuron_table(("nemo", "ap90", ap90))["within"] == "").all()


def test_neurons_of_another_procedure_are_not_compared() -> None:
    lape = neuron_sets({"a": {0: [1]}, "b": {0: [2]}}, "lape")
    why = "methods.lape.parameters.thresholds: kth (published: interpolated)"
    table = neuron_table(("llama31", "lape", lape), why=why)
    assert (table["within"] == "").all()
    same = table["method"] == "lape"
    assert (table.loc[same, "not_compared"] == why).all() and same.sum() == 9
    assert (table.loc[~same, "not_compared"] == "").all()


def test_published_neuron_files_reproduce_themselves(shared_data: Path) -> None:
    path = shared_data / "neurons" / "LLaMA-2-7B.neuron.pth"
    if not path.is_file():
        pytest.skip(f"{path} is absent")
    languages = ("en", "zh", "fr", "es", "vi", "id", "ja")
    masks = read_published(path, languages, 32, 11008)
    neurons = {lang: from_mask(mask) for lang, mask in masks.items()}
    sets = NeuronSets("tang", "any", "published", "", "", 32, 11008, "", neurons)
    key = ("llama2-7b", "lape", "tang2024")
    one = {"model": "base", "selection": "tang.any", "key": key, "why": None}
    ours = our_numbers(HELD, {}, {"base tang.any": sets}, spec(neurons=[one]))
    table = reproduction.table(HELD, *ours)
    found = table[table["model"] == "llama2-7b"]
    assert (found["difference"] == 0).all() and (found["within"] == "yes").all()
    assert (table.loc[table["model"] != "llama2-7b", "within"] == "").all()


def text_of(table: pd.DataFrame, sources: dict[str, str]) -> str:
    return markdown(reproduction_text.layout(table, list(sources.items())))


def job(folder: Path, **more: Any) -> cli.Job:
    """Ask the script for a table of small inputs."""
    tables = [folder / "xnli.tsv", folder / "activation_statistics.tsv"]
    content = pd.DataFrame([task_row(value=0.75), untreated(value=0.7)])
    content.to_csv(tables[0], sep="\t", index=False)
    pd.DataFrame([activation()]).to_csv(tables[1], sep="\t", index=False)
    sets = neuron_sets({lang: {0: [1]} for lang in ("en", "vi", "zh")}, "ap90")
    sets.write(folder / "ap90.focus.json")
    one = {"model": "llama31", "selection": "ap90.focus", "why": None}
    text = {"model": "llama31", "corpus": "wikipedia", "key": "llama31", "why": None}
    given = spec(
        entry(task_row()),
        entry(untreated()),
        neurons=[one | {"key": ("llama31", "ap90", "focus")}],
        activations=[text],
        files=["llama31 ap90.focus"],
    )
    inputs = {"published": [FIGURES], "tables": tables}
    inputs |= {"neurons": [folder / "ap90.focus.json"]}
    inputs |= {role: [] for role in build_table.ROLES if role not in inputs}
    outputs = {k: folder / f"reproduction.{k}" for k in ("tsv", "markdown", "latex")}
    whole = {"table": "reproduction", "rows": given | more}
    whole["sources"] = list(HELD["sources"].items())
    return cli.Job(whole, "", inputs, outputs, 1, 1, 1)


def cells_of(text: str, *names: str) -> list[str]:
    """Return what stands behind these names, in the first line that has them."""
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if cells[: len(names)] == [*names]:
            return cells[len(names) :]
    raise AssertionError(f"no line {names}")


def test_the_script_writes_both_files(tmp_path: Path) -> None:
    build_table.main(job(tmp_path))
    table = read_table(tmp_path / "reproduction.tsv", reproduction.COLUMNS)
    assert list(table.columns) == names(reproduction.COLUMNS)
    assert len(table) == leaves(HELD)
    raw = (tmp_path / "reproduction.tsv").read_text().splitlines()
    none, treated = raw[10].split("\t"), raw[13].split("\t")
    assert none == [
        "mondal2025.table4", "task", "llama31", "lape", "set6", "attention", "xnli",
        "hi", "none", "accuracy", "0.750000", "0.700000", "-0.050000", none[13], "no",
        "5008",
        "5010", "", "%",
    ]  # fmt: skip
    assert treated[8:12] == ["p90", "accuracy", "0.749000", "0.750000"]
    assert raw[1].endswith("0.805000\t\t\t\t\t5008\t\t\t%")
    run = table[table["within"] != ""]
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
        ran = (run["source"] == source).any()
        assert (f"\n## {source}\n" in text) == ran
        assert ran or len(cells_of(text, source)) == 1, "how many there are"
    # |differences|: 5.0 points twice (no intervention), 0.1
    summary = cells_of(text, "mondal2025.table4")
    assert summary == ["108", "3", "1", "5.00 points"]


def test_two_runs_write_the_same_bytes(tmp_path: Path) -> None:
    asked = job(tmp_path)
    build_table.main(asked)
    first = [path.read_bytes() for path in asked.outputs.values()]
    build_table.main(asked)
    assert [path.read_bytes() for path in asked.outputs.values()] == first


def test_neuron_files_must_be_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="1 files of neurons for 0 rows"):
        build_table.main(job(tmp_path, files=[]))


def test_neuron_sets_are_summed_up_not_listed() -> None:
    lape = neuron_sets({"a": {0: [1, 2], 1: [3]}, "b": {1: [*range(10)]}}, "lape")
    table = neuron_table(("llama31", "lape", lape))
    text = text_of(table, small_figures()["sources"])
    assert "layer_" not in text
    # a: 3 of 40, b: 10 of 30; overlap 1 of 10; layers 2, 1, 0, 10 of 3, 37, 0, 30
    cells = cells_of(text, "llama31", "lape", "set1")
    assert cells == ["12 ✗ (60)", "12 ✗ (60)", "0 of 2", "0 of 1", "2 of 4"]
    cells = cells_of(text, "llama31", "ap90", "focus")
    assert cells == ["– (5)", "– (9)", "– (3)", "– (3)", "– (6)"]
    assert cells_of(text, "llama31", "set1", "a") == ["– (2)"]
