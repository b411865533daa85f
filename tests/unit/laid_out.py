"""Made-up tables of every kind, laid out, for what holds of all of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import bridge_files
import steering_files
import test_open_tables
import test_profiles_table
import test_reproduction
import test_steering_tables
from evaluation_files import XQUAD, Study, right
from langneurons import tables
from langneurons.neurons.neuron_sets import NeuronSets
from langneurons.tables import activation_statistics, alignment, alignment_correlation
from langneurons.tables.common import columns, task_table
from langneurons.tables.common.document import Document
from langneurons.tables.common.inputs import Inputs
from langneurons.tables.common.task_means import with_means
from test_bridge_tables import rows_of_task
from test_perplexity_table import study as perplexities
from test_perplexity_table import table_of as perplexity_table

N = 40
TASK = {"task": "xquad", "source_language": "en"}


def documents(folder: Path) -> Iterator[tuple[str, Document]]:
    """Yield a kind of table and a layout, of every kind at least one."""
    for kind, table, spec in (*_of_tasks(folder), *_of_neurons(folder)):
        yield kind, tables.load(kind).layout(table, spec)
    for kind, spec, read in _of_files(folder):
        table = tables.load(kind).build(spec, read)
        yield kind, tables.load(kind).layout(table, spec)


Built = Iterator[tuple[str, pd.DataFrame, dict[str, Any]]]


def _scores(correct: int) -> dict[str, Any]:
    """Score answers by all metrics of XQuAD."""
    exact = right(N, correct)
    partly = np.where(exact, 1.0, 0.5)
    return {m: exact if x.kind == "binary" else partly for m, x in XQUAD.items()}


def _of_tasks(folder: Path) -> Built:
    """Two models under interventions in two experiments; tunings; profiles."""
    made = Study(folder / "interventions", XQUAD)
    statistics = (
        "zero",
        "p10",
        "p90",
        *(f"p{i}_consistent" for i in range(10, 90, 10)),
    )
    for model, experiment in (("m", "transfer"), ("n", "other")):
        for lang in ("vi", "hi"):
            none = {"model": model, "experiment": experiment}
            printed = none | {"published": {"em": 0.4, "f1": 0.7, "mlqa_em": 0.4}}
            made.add(lang, "none", printed, **_scores(30))
            for statistic in statistics:
                own = none | {"published": {}}
                correct = 5 if statistic == "p10" else 29
                made.add(lang, f"lape.set1.{statistic}", own, **_scores(correct))
            for draw in (1, 2):
                treatment = f"random_lape-{draw}.set1.zero"
                made.add(lang, treatment, none, **_scores(28 + draw))
    yield "interventions", _task_table(made, "interventions"), _spec("interventions")
    made = Study(folder / "tunings", XQUAD)
    for lang in ("vi", "hi"):
        correct = {"base": 8, "attention": 30, "all_mlp": 33, f"lape.set1.{lang}": 12}
        correct |= {f"random_lape-{i}.set1.{lang}": 30 + i for i in (1, 2)}
        for tuning, known in correct.items():
            same = {"tuning": tuning, "seed": 0 if tuning == "base" else 1}
            made.add(lang, "none", same, **_scores(known))
            if tuning.startswith("lape"):
                made.add(lang, "lape.set1.zero", same, **_scores(2))
    yield "finetuning", _task_table(made, "tunings"), _spec("tunings")
    yield "random_tuning", _task_table(made, "random"), _spec("random")
    pairs = test_profiles_table.Pairs(folder / "profiles")
    for lang in ("vi", "hi"):
        pairs.add("xnli", lang, "p10", None, 30, 8, 28)
        pairs.add("xnli", lang, "p10", 1, 30, 30, 30)
    pairs.add("xquad", "vi", "p10", None, 20, 4, 16)
    yield "profiles", pairs.table(), {}


def _spec(layout: str) -> dict[str, Any]:
    return TASK | {"layout": layout}


def _task_table(made: Study, layout: str) -> pd.DataFrame:
    given: dict[str, Any] = {"layout": layout, "title": "XQuAD", "resamples": 50}
    found = made.evaluations
    table = task_table.task_table(made.rows, found, made.metrics, **given)
    given |= {"source": "en"}
    return with_means(table, made.rows, found, made.metrics, **given)


def _of_neurons(folder: Path) -> Built:
    """What is of activations, of text and of published numbers."""
    yield "perplexity", perplexity_table(perplexities(("zero", "p90"))), {}
    rows: list[dict[str, Any]] = [
        {"model": model, "corpus": corpus, "lang": "vi", "site": site}
        | {"quantile": quantile, "statistic": statistic, "n_tokens": 9, "value": 0.5}
        | {"sd": 1.0, "published": 0.4 if corpus == "c" else None}
        for model in ("m", "n")
        for corpus in ("c", "d")
        for site in ("gate_pre", "act_post")
        for quantile in ("pooled", "batch_mean")
        for statistic in ("mean", "p5", "p90")
    ]
    table = columns.frame(rows, activation_statistics.COLUMNS)
    yield "activation_statistics", table, {}
    empty: dict[str, Any] = {"experiment": "a", "model": "m", "pivot": "en"}
    empty |= {"corpus": "made", "site": "act_post", "sentences": 9, "layers": 2}
    numbers = [c.name for c in alignment.COLUMNS if c.kind == "number"]
    rows = [
        empty
        | dict.fromkeys(numbers, 0.5)
        | {"lang": lang, "states": states, "peak_layer": 1}
        for states in ("value", "binary")
        for lang in ("vi", "hi")
    ]
    yield "alignment", columns.frame(rows, alignment.COLUMNS), {}
    names = alignment_correlation.COLUMNS
    numbers = [c.name for c in names if c.kind == "number"]
    rows = [
        {"experiment": "a", "model": model, "against": against, "task": "xnli"}
        | {"tuning": "all_mlp", "states": "value", "measure": "mutual", "n": 17}
        | {"groups": 6, "left_out": ""}
        | dict.fromkeys(numbers, 0.5)
        for model in ("m", "n")
        for against in alignment_correlation.ABOUT
    ]
    yield "alignment_correlation", columns.frame(rows, names), {}
    lape = NeuronSets(
        "lape", "mine", "lape", "llama31", "", 2, 10, "act_post",
        {"a": {0: [1, 2], 1: [3]}, "b": {1: [*range(10)]}},
    )  # fmt: skip
    figures = test_reproduction.small_figures()["sources"]
    table = test_reproduction.neuron_table(("llama31", "lape", lape))
    yield "reproduction", table, {"sources": list(figures.items())}
    every = test_reproduction.reproduction.table(
        test_reproduction.HELD, test_reproduction.EverythingIs(0.5)
    )
    sources = test_reproduction.HELD["sources"]
    yield "reproduction", every, {"sources": list(sources.items())}


def _of_files(folder: Path) -> Iterator[tuple[str, dict[str, Any], Inputs]]:
    """What is built from files of evaluations, similarities and neurons."""
    files = {
        "evaluations": bridge_files.evaluations(folder / "evaluations"),
        "similarities": bridge_files.similarities(folder / "similarities"),
        "tables": bridge_files.tables(folder / "tables"),
    }
    for kind in ("bridges", "bridge_candidates"):
        yield kind, bridge_files.spec(), Inputs(files)
    spec: dict[str, Any] = {"task": "words", "kind": "bli", "source_language": "en"}
    spec |= {"layout": "interventions", "rows": rows_of_task()}
    yield "interventions", spec, Inputs(files)
    yield "language_overlap", *_shared(folder)
    spec, paths = steering_files.study(folder / "steering")
    read = test_steering_tables.indexes_of(paths)
    yield "steering", {"rows": spec["rows"]["shifts"], "ties": spec["ties"]}, read
    yield "amplification", spec, read
    yield "open_text", *test_open_tables.steered(folder / "open")
    yield "fallback", *test_open_tables.switched(folder / "off")


def _shared(folder: Path) -> tuple[dict[str, Any], Inputs]:
    neurons = {"hi": {0: [1, 2, 3]}, "ur": {0: [2, 3, 5]}, "el": {1: [4, 5]}}
    sets = NeuronSets(
        "top", "all", "top_probability", "m", "r", 3, 8, "act_post", neurons
    )
    path = folder / "top.all.json"
    sets.write(path)
    families = {"hi": "Indo-European", "ur": "Indo-European", "el": "Hellenic"}
    rows = {"neurons": [["m", "top.all"]], "families": families}
    return {"rows": rows}, Inputs({"neurons": [path]})
