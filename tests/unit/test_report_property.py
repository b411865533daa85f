"""The page is made of whatever part of whatever small study there is."""

from __future__ import annotations

import tempfile
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from langneurons import report, tables, tasks
from langneurons.config.names import BASE, NO_TREATMENT
from langneurons.stats.steering import MEASURES, Shift
from langneurons.tables import activation_statistics, perplexity, profiles
from langneurons.tables.common import columns, reproduction_numbers, task_table
from langneurons.tables.common.amplification_numbers import amplification_table
from langneurons.tables.common.as_markdown import markdown
from langneurons.tables.common.evaluations import Evaluation
from langneurons.tables.common.steering_items import Changed, Shifted
from langneurons.tables.common.ways import Gathered
from langneurons.tables.steering import steering_table
from test_report import read_page

N = 12
METRICS = {kind: tasks.load(kind).METRICS for kind in ("xnli", "xquad")}
LAYOUTS = {
    "interventions": ("{}", "interventions"),
    "finetuning": ("finetune_{}", "tunings"),
    "random_tuning": ("random_{}", "random"),
}
OTHERS = (
    *("perplexity", "activation_statistics", "profiles", "reproduction"),
    *("steering", "amplification"),
)


def some(*of: str, least: int = 0, most: int = 2) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(of), min_size=least, max_size=most, unique=True)


STUDIES = st.fixed_dictionaries(
    {
        "task": st.sampled_from(sorted(METRICS)),
        "models": some("m", "n", least=1),
        "languages": some("vi", "hi", "en", least=1),
        "statistics": some("zero", "p10", most=1),
        "whose": st.sampled_from(["target", "all"]),
        "controls": st.booleans(),
        "seeds": st.sampled_from([(1,), (1, 2)]),
        "tunings": some(BASE, "attention", "lape.s.vi", "random_lape-1.s.vi", least=1),
        "empty": st.booleans(),
        "published": st.booleans(),
        "steered": some("prompt", "diffmean", "pick"),
        "shown": some(*LAYOUTS, *OTHERS, most=4),
        "known": st.booleans(),
        "random": st.integers(0, 99),
    }
)


class Made:
    """Made-up results of a study, and its tables."""

    def __init__(self, study: dict[str, Any]) -> None:
        self.study = study
        self.rng = np.random.default_rng(study["random"])
        self.metrics = METRICS[study["task"]]

    def evaluation(self, names: dict[str, Any]) -> Evaluation:
        scores: dict[str, Any] = {}
        for name, metric in self.metrics.items():
            values = self.rng.random(N)
            scores[name] = values < 0.6 if metric.kind == "binary" else values
        n_neurons = 0 if self.study["empty"] else 7
        return Evaluation(Path("x"), {"n_neurons": n_neurons}, np.arange(N), scores, {})

    def treated(self, lang: str) -> list[dict[str, Any]]:
        """Name the treatments of a language; ``none`` first."""
        nothing = dict.fromkeys(("method", "langset", "draw", "matched", "neuron_lang"))
        found = [nothing | {"statistic": NO_TREATMENT}]
        all_of_them = self.study["whose"] == "all"
        for whose in self.study["languages"] if all_of_them else [lang]:
            own = {"method": "lape", "langset": "s", "neuron_lang": whose}
            for statistic in self.study["statistics"]:
                found.append(nothing | own | {"statistic": statistic})
                for draw in (1, 2) if self.study["controls"] else ():
                    drawn = {"method": "random", "matched": "lape", "draw": draw}
                    found.append(nothing | own | drawn | {"statistic": statistic})
        return found

    def of_task(self, kind: str) -> pd.DataFrame:
        rows = []
        for model in self.study["models"]:
            for tuning in self.study["tunings"]:
                for seed in (0,) if tuning == BASE else self.study["seeds"]:
                    for lang in self.study["languages"]:
                        axes = {"model": model, "tuning": tuning, "seed": seed}
                        rows += [axes | {"lang": lang} | x for x in self.treated(lang)]
        values = dict.fromkeys(self.metrics, 0.5) if self.study["published"] else {}
        more = {"published": values}
        rows = [row | more | {"treatment": row["statistic"]} for row in rows]
        found = [self.evaluation(row) for row in rows]
        how = {"layout": LAYOUTS[kind][1], "title": "A task"}
        return task_table.task_table(rows, found, self.metrics, **how, resamples=20)

    def perplexity(self) -> pd.DataFrame:
        rows, measured = [], []
        for model in self.study["models"]:
            for lang in self.study["languages"]:
                for names in self.treated(lang):
                    rows.append(names | {"corpus": "c", "model": model, "lang": lang})
                    nll = [float(x) for x in 2 + self.rng.random(3)]
                    record = {"n_chunks": 3, "n_tokens": 9, "nll": sum(nll) / 3}
                    record |= {"chunk_nll": nll, "n_neurons": 7}
                    record |= {"chunk_tokens": [3, 3, 3]}
                    measured.append((record, Path("x")))
        return perplexity.perplexity_table(rows, measured)

    def profiles(self) -> pd.DataFrame:
        task = self.study["task"]
        pairs = [
            names
            | {"task": task, "kind": task, "model": model, "tuning": "attention"}
            | {"seed": 1, "lang": lang, "value_name": names["statistic"]}
            for model in self.study["models"]
            for lang in self.study["languages"]
            for names in self.treated(lang)[1:]
        ]
        triples = [tuple(self.evaluation(pair) for _ in range(3)) for pair in pairs]
        return profiles.profile_table(
            pairs, triples, METRICS, dict.fromkeys(METRICS, ""), resamples=20
        )

    def shifted(self) -> list[Shifted]:
        """Make up what every treatment does to the facts of every ordered pair."""
        found = []
        for model, lang, whose in product(
            self.study["models"], *[self.study["languages"]] * 2
        ):
            for names in self.ways(whose) if whose != lang else ():
                row = {"experiment": "a", "task": "facts", "model": model}
                values = {m: self.rng.random(N).round() for m in MEASURES}
                shift = Shift(np.arange(N), values, int(self.study["random"] % 3))
                n_neurons = 0 if self.study["empty"] else 7
                found.append(Shifted(row | names | {"lang": lang}, shift, n_neurons))
        return found

    def ways(self, whose: str) -> list[dict[str, Any]]:
        """Name the ways to steer to a language."""
        nothing = dict.fromkeys(("method", "langset", "draw", "matched"))
        nothing |= {"neuron_lang": whose}
        own = {"method": "lape", "langset": "s"}
        drawn = {"method": "random", "matched": "lape", "langset": "s"}
        found = []
        for statistic in self.study["statistics"]:
            found.append(nothing | own | {"statistic": statistic})
            for draw in (1, 2) if self.study["controls"] else ():
                found.append(nothing | drawn | {"draw": draw, "statistic": statistic})
        for method, settings_ in (("prompt", ["prompt"]), ("diffmean", ["l1", "l2"])):
            for statistic in settings_ if method in self.study["steered"] else ():
                found.append(nothing | {"method": method, "statistic": statistic})
        return found

    def steering(self) -> pd.DataFrame:
        return steering_table(self.shifted())

    def amplification(self) -> pd.DataFrame:
        gathered, shifted = Gathered(), self.shifted()
        gathered.add_shifts(shifted)
        if "pick" in self.study["steered"]:
            for task in ("pick", "perplexity"):
                changes = [
                    Changed(one.row | {"lang": lang}, np.arange(N), numbers, 7)
                    for one in shifted
                    for lang in self.study["languages"]
                    for numbers in [self.rng.normal(size=N)]
                    if one.row["lang"] == self.study["languages"][0]
                ]
                gathered.add_changes(task, changes)
        units = {"pick": "%", "perplexity": "nats per token"}
        return amplification_table(gathered, units, {}, resamples=20)

    def activation_statistics(self) -> pd.DataFrame:
        published = 0.1 if self.study["published"] else None
        rows = [
            {"model": model, "corpus": "c", "lang": lang, "site": "gate_pre",
             "quantile": "pooled", "statistic": statistic, "n_tokens": 9,
             "value": self.rng.random(), "sd": 1.0, "published": published}
            for model in self.study["models"]
            for lang in self.study["languages"]
            for statistic in ("mean", "p5")
        ]  # fmt: skip
        return columns.frame(rows, activation_statistics.COLUMNS)

    def reproduction(self) -> pd.DataFrame:
        empty = dict.fromkeys(reproduction_numbers.NAMES, "-")
        rows = [
            empty
            | {"source": "s", "item": "task", "model": model, "lang": lang}
            | {"published": 0.5, "within": "", "unit": "%"}
            | ({"ours": 0.4, "difference": -0.1, "within": "no"} if i else {})
            for model in self.study["models"]
            for i, lang in enumerate(self.study["languages"])
        ]
        return columns.frame(rows, reproduction_numbers.COLUMNS)


@pytest.mark.slow
@settings(max_examples=15, deadline=None)
@given(STUDIES)
def test_a_page_of_any_part_of_any_study(study: dict[str, Any]) -> None:
    made, task = Made(study), study["task"]
    known, found = [], {}
    for kind in (*LAYOUTS, *OTHERS):
        name, spec = kind, {"sources": [["s", "a source"]]}
        if kind in LAYOUTS:
            name = LAYOUTS[kind][0].format(task)
            spec |= {"task": task, "source_language": "en", "layout": LAYOUTS[kind][1]}
        about = {"name": name, "table": kind, "shows": "x", "spec": spec}
        known.append(about)
        if kind in study["shown"]:
            given_ = made.of_task(kind) if kind in LAYOUTS else getattr(made, kind)()
            found[name] = given_
            text = markdown(tables.load(kind).layout(given_, spec))
            assert text.startswith("# ") and "nan" not in text.replace("nant", "")
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for name, table in found.items():
            paths.append(Path(folder, f"{name}.tsv"))
            columns.write_tsv(paths[-1], table)
        config = {"profile": "paper", "tasks": {task: {}}} if study["known"] else {}
        listed = known if study["known"] else []
        page = report.build(paths, [], config, Path(folder, "none"), known=listed)
        read_page(page)
        assert page.count("<h3 id=") == len(found)
        assert ">nan" not in page and "&lt;NA&gt;" not in page
