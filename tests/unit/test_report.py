"""The report: verdicts by hand, costs, layouts, and a page that loads nothing."""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import build_report
from evaluation_files import declared
from langneurons import report, tables
from langneurons.config.errors import DataError
from langneurons.costs import spending
from langneurons.jobs import cli
from langneurons.jobs.files import read_json
from langneurons.report import (
    effects,
    gallery,
    inputs,
    origin,
    verdicts,
)
from langneurons.report import neuron_verdicts as neurons
from langneurons.report.inputs import Table
from langneurons.study.configuration import load
from langneurons.tables.common import as_html, task_columns
from langneurons.tables.common.columns import names
from langneurons.tables.common.document import Cell, grid

ROOT = Path(__file__).parents[2]
CONFIG: dict[str, Any] = {
    "profile": "paper",
    "grid": {"models": ["big", "tiny"], "corpus": "wiki", "tasks": ["xnli"]},
    "models": {
        "big": {"family": "llama", "folder": "weights", "parameters": 8e9},
        "tiny": {"family": "llama", "folder": "weights", "parameters": 4e5},
    },
    "tasks": {"xnli": {"kind": "xnli", "source_language": "en"}},
}


OF_TASK = {"task": "xnli", "source_language": "en"}
KNOWN: list[dict[str, Any]] = [
    {"name": name, "table": kind, "shows": "results", "spec": spec}
    for name, kind, spec in (
        ("xnli", "interventions", OF_TASK | {"layout": "interventions"}),
        ("finetune_xnli", "finetuning", OF_TASK | {"layout": "tunings"}),
        ("random_xnli", "random_tuning", OF_TASK | {"layout": "random"}),
        ("perplexity", "perplexity", {}),
        ("activation_statistics", "activation_statistics", {}),
        ("profiles", "profiles", {}),
        ("reproduction", "reproduction", {"sources": [["Table 4", "accuracies"]]}),
    )
]  # fmt: skip
ASKED: dict[str, Any] = {
    "figures": {"forest": "results/figures/xnli/forest.accuracy.svg"},
    "used": {"models": ["big"]},
    "options": " --configfile my.yaml",
}
COLUMNS = {kind: names(tables.load(kind).COLUMNS) for kind in tables.kinds()}
TASK = names(task_columns.COLUMNS)
SPEC = {"sources": [["Table 4", "accuracies"]]}


def shown(name: str, frame: pd.DataFrame) -> str:
    """Lay out a table for the page."""
    (about,) = (one for one in KNOWN if one["name"] == name)
    given = Table(name, about["table"], Path("t"), frame, about["spec"])
    return as_html.html(given.document)


def row(lang: str, delta: float = math.nan, **more: Any) -> dict[str, Any]:
    """One row of a task table: ``lape.set1`` overwritten with ``zero`` in ``big``."""
    usual: dict[str, Any] = dict.fromkeys(TASK, math.nan)
    usual |= {"model": "big", "method": "lape", "langset": "set1", "matched": "-"}
    usual |= {"neuron_lang": "-", "experiment": "transfer"}
    usual |= {"tuning": "attention", "seed": "42", "lang": lang, "statistic": "zero"}
    usual |= {"metric": "accuracy", "n": 1000, "value": 0.7 + delta, "against": "none"}
    usual |= {"delta": delta, "p_holm": 1.0, "detectable": 0.01, "n_neurons": 10}
    return usual | more | declared(more.get("metric", "accuracy"))


def table(*rows: dict[str, Any]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=TASK)


def random(lang: str, delta: float, draw: int = 1) -> dict[str, Any]:
    return row(lang, delta, method="random", matched="lape", draw=draw, p_holm=math.nan)


RISES = [row("vi", 0.04, p_holm=0.01), row("hi", 0.05, p_holm=0.01), row("ur", 0.06)]
FALLS = [r | {"delta": -r["delta"], "value": 0.7 - r["delta"]} for r in RISES]
FLAT = [row("vi", 0.001), row("hi", -0.001), row("ur", 0.0)]
NO_CONTROL_EFFECT = [
    random(x, d, draw)
    for x in ("vi", "hi", "ur")
    for draw, d in ((1, -0.01), (2, 0.01))
]


def h1(*rows: dict[str, Any]) -> verdicts.Verdict:
    return verdicts.h1({"xnli": table(*rows)}, {"xnli": "en"})


def test_interval_over_pairs_is_students() -> None:
    # Mean 0.05, sd 0.01, n 3: 0.05 ± 4.302653 * 0.01 / sqrt(3)
    found = effects.Interval.of([0.04, 0.05, 0.06, math.nan])
    assert found.n == 3 and found.mean == pytest.approx(0.05)
    assert (found.low, found.high) == pytest.approx((0.0251587, 0.0748413), abs=1e-6)
    assert found.sign == 1
    assert effects.Interval.of([0.3]).sign == 0
    assert math.isnan(effects.Interval.of([]).mean)


def test_cells_of_a_pair_are_averaged_first() -> None:
    rows = table(row("vi", 0.1), row("vi", 0.3, statistic="p90"), row("hi", 0.0))
    found = effects.over_pairs(rows["delta"], rows)
    assert (found.mean, found.n) == (pytest.approx(0.1), 2)


def test_h1_supported_needs_rises_and_more_than_random_neurons_do() -> None:
    found = h1(*RISES, *NO_CONTROL_EFFECT)
    assert found.verdict == "supported"
    assert "of 3 interventions 2 rise and 0 fall" in found.sentence
    assert "+5.0 points [+2.5, +7.5] over 3 model-language pairs" in found.sentence
    assert "1.0 points (median)" in found.sentence
    numbers = found.numbers.iloc[0]
    assert numbers["random"] == pytest.approx(0)
    assert numbers["gain over random"] == pytest.approx(0.05)
    # Random neurons do the same: nothing of the language.
    same = [random(x["lang"], x["delta"]) for x in RISES]
    assert h1(*RISES, *same).verdict == "not supported"
    assert h1(*RISES).verdict == "undecided"  # no control was run


def test_h1_contradicted_undecided_not_supported_and_not_run() -> None:
    assert h1(*FALLS, *NO_CONTROL_EFFECT).verdict == "contradicted"
    assert h1(*FLAT, *NO_CONTROL_EFFECT).verdict == "not supported"
    blunt = [r | {"detectable": 0.03} for r in FLAT]
    assert h1(*blunt).verdict == "undecided"
    assert h1(*(r | {"detectable": math.nan} for r in FLAT)).verdict == "undecided"
    assert h1(row("vi", 0.05, p_holm=0.01), random("vi", 0)).verdict == "undecided"
    reference = row("vi", against="-", statistic="none", method="-", langset="-")
    assert h1(reference).verdict == "not run"
    # One clear rise, but the mean of the pairs may as well be zero.
    assert h1(row("vi", 0.05, p_holm=0.01), row("hi", -0.04)).verdict == "not supported"


def test_h1_leaves_out_the_source_language_other_metrics_and_single_seeds() -> None:
    other = [r | {"metric": "f1"} for r in FALLS]
    source = [row("en", -0.5, p_holm=0.001)]
    assert h1(*RISES, *NO_CONTROL_EFFECT, *other, *source).verdict == "supported"
    pooled = [r | {"seed": "pooled"} for r in RISES]
    control = [r | {"seed": "pooled"} for r in NO_CONTROL_EFFECT]
    found = h1(*FALLS, *pooled, *control)
    assert found.verdict == "supported" and found.numbers["cells"].tolist() == [3]


def test_h1_is_about_neurons_of_the_tested_language() -> None:
    matrix = [
        r | {"neuron_lang": whose, "delta": r["delta"] if whose == r["lang"] else -0.5}
        for r in [*RISES, *NO_CONTROL_EFFECT]
        for whose in ("vi", "hi", "ur")
    ]
    found = h1(*(r | {"experiment": "b"} for r in matrix))
    assert found.verdict == "supported" and found.numbers["cells"].tolist() == [3]
    # What another experiment has too counts once.
    own = [r | {"experiment": "a", "neuron_lang": r["lang"]} for r in RISES]
    both = h1(*own, *(r | {"experiment": "b"} for r in matrix))
    assert both.sentence == found.sentence


def test_h1_is_about_fine_tuned_models() -> None:
    untuned = [r | {"tuning": "base", "seed": "0"} for r in FALLS]
    assert h1(*RISES, *NO_CONTROL_EFFECT, *untuned).verdict == "supported"
    found = h1(*untuned)
    assert found.verdict == "not run" and "fine-tuned models" in found.sentence


def test_the_layout_names_the_model_as_it_is() -> None:
    untuned = {"tuning": "base", "seed": "0"}
    none = {"method": "-", "langset": "-", "statistic": "none", "against": "-"}
    frame = table(row("vi", **untuned, **none), row("vi", 0.01, **untuned), row("vi"))
    found = shown("xnli", frame)
    assert "<h4>Not fine-tuned (<code>base</code>)</h4>" in found
    assert "<h4>Tuning <code>attention</code>, seed 42</h4>" in found


@pytest.mark.parametrize(
    ("given", "verdict"),
    [
        ([], "not run"),
        (["not run", "not run"], "not run"),
        (["undecided", "not run"], "undecided"),
        (["undecided", "supported"], "supported"),
        (["contradicted", "contradicted"], "contradicted"),
        (["supported", "not supported"], "not supported"),
        (["contradicted", "not supported"], "not supported"),
    ],
)
def test_verdicts_of_several_parts(given: list[str], verdict: str) -> None:
    assert verdicts.combine(given) == verdict


def tuned(lang: str, tuning: str, delta: float, p_holm: float = 1) -> dict[str, Any]:
    nothing = {"method": "-", "langset": "-", "statistic": "none"}
    more = {"tuning": tuning, "against": "attention", "p_holm": p_holm}
    return row(lang, delta, **nothing, **more)


def h2(gain: float, random_gain: float | None) -> verdicts.Verdict:
    finetune, control = [], []
    for lang, extra in (("vi", -0.01), ("hi", 0.0), ("ur", 0.01)):
        finetune += [
            tuned(lang, f"lape.set1.en+{lang}", gain + extra, 0.01),
            tuned(lang, "all_mlp", 0.5, 0.001),  # neither selected nor random
            # An intervention on a tuned model is no tuning.
            row(lang, -0.9, tuning=f"lape.set1.{lang}", p_holm=0.001),
        ]
        if random_gain is not None:
            name = f"random_lape-1.set1.{lang}"
            control.append(tuned(lang, name, random_gain + extra, math.nan))
    by_task = {"xnli": table(*control)} if control else {}
    return verdicts.h2({"xnli": table(*finetune)}, by_task, {"xnli": "en"})


def test_h2_by_its_rule() -> None:
    assert h2(0.05, 0.0).verdict == "supported"
    assert h2(0.05, 0.05).verdict == "not supported"
    assert h2(0.05, None).verdict == "undecided"
    assert h2(-0.05, 0.0).verdict == "contradicted"
    assert h2(0.05, 0.0).numbers["cells"].tolist() == [3]
    assert verdicts.h2({}, {}, {}).verdict == "not run"


def test_h2_needs_the_attention_tuning() -> None:
    gain = [tuned(x, "lape.set1.en", 0.05, 0.01) for x in ("vi", "hi", "ur")]
    against_base = [r | {"against": "base"} for r in gain]
    found = verdicts.h2({"xnli": table(*against_base)}, {}, {"xnli": "en"})
    assert found.verdict == "not run" and "attention" in found.sentence
    roles = ["attention", "all_mlp", "lape.set1.vi", "rows.lape.set1.vi"]
    found = [verdicts.tuning_role(x) for x in (*roles, "random_lape-3.set1.vi")]
    assert found == ["other", "other", "selected", "selected", "random"]


def perplexity(
    own: float, others: float, drawn: float | None, languages: int = 6
) -> pd.DataFrame:
    names = list("abcdefgh")[:languages]
    rows = []

    def add(method: str, whose: str, text: str, change: float) -> None:
        is_random = method == "random"
        rows.append(
            dict.fromkeys(COLUMNS["perplexity"], math.nan)
            | {"model": "big", "method": method, "langset": "set1"}
            | {"draw": 1 if is_random else math.nan}
            | {"matched": "lape" if is_random else "-", "neuron_lang": whose}
            | {"lang": text, "statistic": "zero", "delta_nll": change, "n_neurons": 9}
        )

    for whose in names:
        for text in names:
            add("lape", whose, text, own if whose == text else others)
            if drawn is not None:
                add("random", whose, text, drawn)
    return pd.DataFrame(rows)


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        (perplexity(0.5, 0.1, 0.1), "supported"),
        (perplexity(0.5, 0.1, 0.5), "not supported"),  # random neurons do as much
        (perplexity(0.5, 0.1, 0.9), "contradicted"),
        (perplexity(0.1, 0.5, 0.1), "contradicted"),
        (perplexity(0.5, 0.1, None), "undecided"),  # no random neurons
        (perplexity(0.5, 0.1, 0.1, languages=4), "undecided"),
        (None, "not run"),
    ],
)
def test_h3_by_its_rule(found: pd.DataFrame | None, verdict: str) -> None:
    assert neurons.h3(found).verdict == verdict


def test_h3_is_of_neurons_that_are_switched_off() -> None:
    """What an amplification does to text is another question; see H5 to H7."""
    found = perplexity(0.1, 0.5, 0.1)
    louder = found.assign(statistic="p_max")
    assert neurons.h3(louder).verdict == "not run"
    both = pd.concat([louder, perplexity(0.5, 0.1, 0.1)])
    assert neurons.h3(both).numbers["statistic"].tolist() == ["zero"]


def test_h3_gives_its_numbers() -> None:
    found = neurons.h3(perplexity(0.5, 0.1, 0.2))
    line = found.numbers.iloc[0]
    assert line[["own text", "other texts", "random neurons"]].tolist() == (
        pytest.approx([0.5, 0.1, 0.2])
    )
    assert line["p (own > others)"] == pytest.approx(1 / 2**6)
    assert "Supported for 1 of 1 selection:" in found.sentence
    assert "+0.500 nats per token, other languages' by +0.100" in found.sentence
    weak = perplexity(0.1, 0.05, 0.02).assign(langset="set2")
    both = neurons.h3(pd.concat([perplexity(0.5, 0.1, 0.2), weak]))
    assert "by +0.300 nats per token (+0.100 to +0.500 by selection)" in both.sentence
    alone = perplexity(2.0, 1.0, None).assign(langset="set2")
    mixed = neurons.h3(pd.concat([perplexity(0.5, 0.1, 0.2), alone])).sentence
    assert "by +0.500 nats per token, other languages' by +0.100, random" in mixed
    assert mixed.endswith("That is of 1 with random neurons, of 2.")
    few = neurons.h3(perplexity(0.5, 0.1, 0.1, languages=4)).sentence
    assert few.endswith("A verdict takes 5 languages or more.")


def test_h3_is_undecided_where_few_languages_point_its_way() -> None:
    found = perplexity(0.5, 0.1, 0.1)
    # One of six languages points as far the other way: p = 7/64 for both.
    own = (found["neuron_lang"] == "a") & (found["lang"] == "a")
    found.loc[own & (found["method"] == "lape"), "delta_nll"] = -0.3
    verdict = neurons.h3(found)
    line = verdict.numbers.iloc[0]
    assert line["p (own > others)"] == line["p (own > random)"] == 7 / 64
    assert verdict.verdict == "undecided"


def test_sign_flips_by_hand() -> None:
    # Sums of ±1 ±2 ±3: 6 of 8 are below 4, two (6 and 4) at least 4.
    assert effects.sign_flip([-1, 2, 3]) == (2 / 8, 7 / 8)
    assert effects.sign_flip([0.1] * 5 + [math.nan]) == (1 / 32, 1.0)
    assert effects.sign_flip([]) == (1.0, 1.0)
    assert effects.sign_flip([0.0, 0.0]) == (1.0, 1.0)
    many, _ = effects.sign_flip([1.0] * 25)
    assert many == pytest.approx(1 / 20_000)


def profiles(paper: float, same: float, p_holm: float, spread: float) -> pd.DataFrame:
    rows = []
    for lang, extra in (("vi", -spread), ("hi", 0.0), ("ur", spread)):
        rows.append(
            dict.fromkeys(COLUMNS["profiles"], math.nan)
            | {"task": "xnli", "model": "big", "tuning": "attention", "seed": "42"}
            | {"lang": lang, "method": "lape", "langset": "set1", "value_name": "p10"}
            | {"neuron_lang": lang}
            | {"metric": "accuracy", "none": 0.7, "paper_delta": paper + extra}
            | {"consistent_delta": same + extra, "difference": same - paper}
            | {"p_holm": p_holm, "matched": "-", "n_neurons": 20}
            | declared("accuracy")
        )
    return pd.DataFrame(rows)


ZERO = {"xnli": table(*(row(x, -0.01) for x in ("vi", "hi", "ur")))}


@pytest.mark.parametrize(
    ("found", "zero", "verdict"),
    [
        (profiles(-0.1, -0.1, 0.5, 0.001), ZERO, "supported"),
        (profiles(-0.1, -0.01, 0.01, 0.001), ZERO, "contradicted"),
        (profiles(-0.1, -0.01, 0.5, 0.001), ZERO, "not supported"),
        (profiles(-0.01, -0.01, 0.5, 0.001), ZERO, "not supported"),
        (profiles(-0.1, -0.01, 0.01, 0.05), ZERO, "undecided"),  # interval too wide
        (profiles(-0.1, -0.1, 0.5, 0.001), {}, "not run"),  # zero is not there
        (None, ZERO, "not run"),
    ],
)
def test_h4_by_its_rule(
    found: pd.DataFrame | None, zero: dict[str, pd.DataFrame], verdict: str
) -> None:
    assert neurons.h4(found, zero, {"xnli": "en"}).verdict == verdict


def test_h4_takes_zero_from_the_profiles_table_first() -> None:
    low = profiles(-0.1, -0.1, 0.5, 0.001)
    beside = low.assign(value_name="zero", paper_delta=-0.1, consistent_delta=-0.1)
    high = low.assign(value_name="p90", paper_delta=0.9, consistent_delta=0.9)
    found = neurons.h4(pd.concat([low, beside, high]), ZERO, {"xnli": "en"})
    assert found.verdict == "not supported"
    assert "0 of 3 low-percentile cells" in found.sentence


def benchmark(path: Path, seconds: str, cpu: str, memory: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    head = "s\th:m:s\tmax_rss\tmax_vms\tmean_load\tcpu_time\n"
    path.write_text(f"{head}{seconds}\t1:00:00\t{memory}\t9\t50\t{cpu}\n")


def test_costs_by_stage(tmp_path: Path) -> None:
    folder = tmp_path / "benchmarks"
    base = folder / "results"
    benchmark(
        base / "evaluations/xnli/big/a/s/vi/part-1-of-1.tsv", "7200", "3600", "10"
    )
    benchmark(
        base / "evaluations/xnli/tiny/a/s/vi/part-1-of-1.tsv", "3600", "1800", "30"
    )
    benchmark(base / "activations/wiki/big/vi/shard-0-of-1.tsv", "3600", "NA", "-")
    benchmark(base / "activations/wiki/big/vi.tsv", "1800", "900", "20")
    benchmark(base / "models/big/pinned.tsv", "1800", "0", "1")
    benchmark(base / "perplexity/wiki/gone/vi/part-1-of-1.tsv", "3600", "0", "1")
    benchmark(base / "report.tsv", "360", "0", "1")
    found = {c.stage: c for c in spending.sum_up(folder, spending.gpus_of(CONFIG))}
    order = ["models", "activations", "evaluations", "perplexity", "other", "total"]
    assert list(found) == order
    evaluations = found["evaluations"]
    assert (evaluations.jobs, evaluations.wall, evaluations.cpu) == (2, 3.0, 1.5)
    assert evaluations.gpu == 2.0  # the small model runs on the CPU
    assert evaluations.memory == 30
    assert found["activations"].gpu == 1.0  # merging shards needs none
    assert found["models"].gpu == 0
    assert math.isnan(found["perplexity"].gpu)  # a model of another configuration
    assert found["total"].jobs == 7 and found["total"].wall == pytest.approx(6.1)
    assert spending.sum_up(tmp_path / "nothing", spending.gpus_of({})) == []
    (base / "tables.tsv").write_text("no benchmark\n")
    with pytest.raises(DataError, match="not a benchmark file"):
        spending.sum_up(folder, spending.gpus_of(CONFIG))


def test_gpus_are_those_of_the_rules_also_from_a_full_configuration() -> None:
    import yaml

    raw = yaml.safe_load((ROOT / "config" / "config.yaml").read_text("utf-8"))
    dumped = load(raw).model_dump(mode="json")
    gpus = spending.gpus_of(dumped)
    assert gpus("llama31") == 1 and math.isnan(gpus("unknown"))
    assert spending.gpus_of({"models": {"m": CONFIG["models"]["tiny"]}})("m") == 0


def write(path: Path, frame: pd.DataFrame) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    frame.to_csv(path, sep="\t", index=False)
    return path


def task_file(folder: Path, name: str = "xnli") -> Path:
    nothing = {"against": "-", "statistic": "none", "method": "-", "langset": "-"}
    none = [row(x, 0, **nothing) | {"delta": math.nan} for x in ("vi", "hi", "ur")]
    rows = [*none, *FALLS, *NO_CONTROL_EFFECT]
    return write(folder / f"{name}.tsv", table(*rows))


def test_tables_are_read_by_what_is_known_of_them(tmp_path: Path) -> None:
    found = inputs.read_table(task_file(tmp_path), KNOWN)
    assert found.kind == "interventions" and found.task == "xnli"
    assert found.frame["statistic"].tolist()[:4] == ["none", "none", "none", "zero"]
    assert math.isnan(found.frame["delta"][0]) and found.frame["value"][0] == 0.7
    assert found.frame["draw"].dtype == "Int64"
    tuned_table = inputs.read_table(task_file(tmp_path, "finetune_xnli"), KNOWN)
    assert (tuned_table.kind, tuned_table.task) == ("finetuning", "xnli")
    other = write(tmp_path / "mine.tsv", pd.DataFrame({"a": ["x"], "b": [1]}))
    assert inputs.read_table(other, KNOWN).kind == "other"
    broken = write(tmp_path / "perplexity.tsv", pd.DataFrame({"model": ["x"]}))
    with pytest.raises(DataError, match=r"has no column .*neuron_lang"):
        inputs.read_table(broken, KNOWN)


EMPTY = {"against": "-", "n_neurons": 0, "p_holm": math.nan, "detectable": math.nan}


def test_no_neurons_count_in_no_verdict() -> None:
    found = h1(*RISES, row("zh", **EMPTY), *NO_CONTROL_EFFECT)
    assert "of 3 interventions 2 rise and 0 fall" in found.sentence
    assert found.verdict == h1(*RISES, *NO_CONTROL_EFFECT).verdict
    low = profiles(-0.1, -0.1, 0.5, 0.001)
    empty = low.iloc[:1].assign(lang="zh", n_neurons=0)
    empty[["paper_delta", "consistent_delta", "difference", "p_holm"]] = math.nan
    both = pd.concat([low, empty], ignore_index=True)
    zero = {"xnli": table(*(row(x, -0.01) for x in ("vi", "hi", "ur", "zh")))}
    assert "of 3 low-percentile cells" in neurons.h4(both, zero, {}).sentence


def test_no_neurons_are_named_in_every_layout(tmp_path: Path) -> None:
    reference = row("vi", against="-", statistic="none", method="-", langset="-")
    frame = table(
        reference | {"n_neurons": 0, "value": 0.7},
        row("vi", **EMPTY) | {"value": 0.7},
        random("vi", 0) | EMPTY | {"draw": 1},
    )
    found = shown("xnli", frame)
    assert found.count(">no neurons</td>") == 2
    assert ">70.0</td>" in found, "without intervention it is a number"
    pair = profiles(-0.1, -0.1, 0.5, 0).iloc[:1].assign(n_neurons=0)
    assert ">no neurons</td>" in shown("profiles", pair)


def test_profiles_of_random_neurons_are_told_apart(tmp_path: Path) -> None:
    """Controls of two methods, and every row of a table read from a file."""
    own = profiles(-0.1, -0.01, 0.01, 0).iloc[:1]
    drawn = [
        own.assign(method="random", matched=matched, draw=draw, p_holm=math.nan)
        for matched in ("lape", "actprob")
        for draw in (1, 2)
    ]
    path = write(tmp_path / "profiles.tsv", pd.concat([own, *drawn]))
    found = inputs.read_table(path, KNOWN)
    text = as_html.html(found.document)
    for whose in ("lape.set1", "random for lape.set1", "random for actprob.set1"):
        assert len(re.findall(f"<t[dh][^>]*>{whose}</t[dh]>", text)) == 1
    assert len(found.rows.rows) == 5


def test_a_page_of_any_one_table_is_made(tmp_path: Path) -> None:
    """Tables are optional: each alone gives a page, and so do none."""
    made = {
        "xnli": task_file(tmp_path),
        "profiles": write(
            tmp_path / "profiles.tsv", profiles(-0.1, -0.01, 0.01, 0.001)
        ),
    }
    for kind in ("perplexity", "activation_statistics", "reproduction"):
        empty = pd.DataFrame(columns=COLUMNS[kind])
        made[kind] = write(tmp_path / f"{kind}.tsv", empty)
    for paths in ([], *([path] for path in made.values())):
        page = tmp_path / "page.html"
        spec = {"config": CONFIG, "benchmarks": "none", "left_out": {}, "terms": []}
        spec |= {"estimates": None, "tables": KNOWN} | ASKED
        build_report.main(
            cli.Job(spec, "", {"tables": paths, "figures": []}, {"out": page}, 1, 1, 1)
        )
        assert "<html" in page.read_text(encoding="utf-8")


def test_interventions_are_laid_out_like_the_paper(tmp_path: Path) -> None:
    found = as_html.html(inputs.read_table(task_file(tmp_path), KNOWN).document)
    assert '<p class="small soft">All rows: model big</p>' in found
    for title in ("neurons", "lang"):
        assert f'<th scope="col">{title}</th>' in found
    assert '<th scope="col" class="num">No Int</th>' in found
    lines = re.findall(r'<tr[^>]*><th scope="row">(.*?)</td></tr>', found)
    assert re.sub("<[^>]*>", "|", lines[0]).split("||") == [
        "lape.set1", "vi", "70.0", "66.0 ▼",
    ]  # fmt: skip
    assert '<td class="random num">70.0 [69.0, 71.0]</td>' in found
    clear = '<td class="down num" title="-4.0 points against none [–, –], Holm p 0.01">'
    assert f"{clear}66.0 ▼</td>" in found
    assert ">64.0</td>" in found  # not significant: no mark


def test_what_is_long_in_a_layout_is_folded() -> None:
    frame = perplexity(0.5, 0.1, 0.2, languages=2)
    more = [frame.assign(model=model) for model in "abc"]
    found = shown("perplexity", pd.concat(more))
    assert '<td class="own num">+0.500</td>' in found
    first, last = (
        f"{model}, <code>lape.set1</code>, statistic <code>zero</code>"
        for model in "ac"
    )
    assert f"<h4>{first}</h4>" in found
    assert f"<details><summary>{last}</summary>" in found
    frame = profiles(-0.1, -0.01, 0.01, 0).assign(n=9, paper=0.6, consistent=0.7)
    found = shown("profiles", frame)
    assert "<details><summary>How to read it</summary><ul>" in found
    assert 'title="changes of accuracy: -10.0 and -1.0">60.0 → 70.0 ▲</td>' in found


def test_blocks_are_set_apart_where_the_first_column_seldom_changes() -> None:
    def starts(names: str) -> int:
        made = grid(["x", "y"], [[n, "1"] for n in names], 1)
        return as_html.grid(made, "a").count('<tr class="start">')

    assert starts("aaaabbbb") == 1 and starts("abab") == 0


def test_texts_have_emphasis_and_nothing_else() -> None:
    written = as_html.inline("**Bold**, *soft* and `a_*b*` of 2 * 3 <i>")
    assert written == (
        "<strong>Bold</strong>, <em>soft</em> and <code>a_*b*</code> of 2 * 3 &lt;i&gt;"
    )
    cells = [["name", Cell("<b>", "own", 'a "b"')]]
    cell = as_html.grid(grid(["<x>", "y"], cells, 2), "`a` <b>")
    assert '<td class="own" title="a &quot;b&quot;">&lt;b&gt;</td>' in cell
    assert '<caption class="unseen">a &lt;b&gt;</caption>' in cell


class Loaded(HTMLParser):
    """Collects what a page would load, its identifiers, and unclosed elements."""

    VOID = frozenset({"meta", "img", "br", "hr", "link", "input"})

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.open: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        given = dict(attrs)
        self.tags.add(tag)
        self.addresses += [given[k] for k in ("src", "srcset", "data") if k in given]
        self.links += [given["href"]] if "href" in given else []
        self.ids += [given["id"]] if "id" in given else []
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, tag


def read_page(text: str) -> Loaded:
    page = Loaded()
    page.feed(text)
    assert page.open == []
    return page


SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="{width}pt" id="same">{body}</svg>'


def svg(path: Path, width: int = 240, body: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(SVG.format(width=width, body=body))
    return path


def everything(folder: Path) -> tuple[list[Path], list[Path]]:
    """Write one file of each kind."""
    tables = [task_file(folder / "tables", n) for n in ("xnli", "finetune_xnli")]
    tables.append(write(folder / "tables/random_xnli.tsv", table(tuned("vi", "a", 0))))
    numbers = perplexity(0.5, 0.1, 0.1)
    tables.append(write(folder / "tables/perplexity.tsv", numbers))
    tables.append(
        write(folder / "tables/profiles.tsv", profiles(-0.1, -0.01, 0.01, 0.001))
    )
    mine = pd.DataFrame({"a": ["<script>alert(1)</script>"], "b": [1.5]})
    tables.append(write(folder / "tables/mine.tsv", mine))
    figures = folder / "figures"
    pictures = [
        svg(figures / "big/lape.set1/counts.svg"),
        svg(figures / "big/nll.lape.set1.zero.svg", 500),
        svg(figures / "xnli/forest.accuracy.svg"),
        svg(figures / "profiles/sites.xnli.accuracy.svg"),
        svg(figures / "published/llama31.lape.set1/counts.svg"),
        svg(figures / "xnli/unknown.svg"),
    ]
    return tables, pictures


def test_the_page_is_whole_loads_nothing_and_escapes(tmp_path: Path) -> None:
    tables, figures = everything(tmp_path)
    benchmark(tmp_path / "b/results/adapters/xnli/big/a/s.tsv", "3600", "60", "5")
    config = CONFIG | {"note": "<b>&"}
    text = report.build(tables, figures, config, tmp_path / "b", known=KNOWN)
    page = read_page(text)
    assert len(page.addresses) == len(figures)
    assert all(a.startswith("data:image/svg+xml;base64,") for a in page.addresses)
    assert not page.tags & {"script", "link", "iframe", "object", "base"}
    assert "<script" not in text and "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert "&lt;b&gt;&amp;" in text and "url(" not in text and "@import" not in text
    assert len(page.ids) == len(set(page.ids))
    assert all(link.removeprefix("#") in page.ids for link in page.links)
    verdicts_shown = re.findall(r'class="badge ([a-z-]+)"', text)
    judged = ["contradicted", "supported", "supported"]
    # Neither amplified nor bridged: what was not run is folded, below the others.
    assert verdicts_shown == [*judged, *["not-run"] * 6]
    assert "<summary>Not run: H2, H5, H6, H7, H8, H9</summary>" in text
    for words in ("GPU hours", "1.00", "prefers-color-scheme", "Terms", "Every row"):
        assert words in text
    assert 'class="page"' in text  # the wide figure
    assert "Neurons: big, lape.set1" in text and "xnli/unknown" in text
    assert text == report.build(tables, figures, config, tmp_path / "b", known=KNOWN)


def test_the_page_says_what_is_absent_and_what_makes_it(tmp_path: Path) -> None:
    given = {"known": KNOWN, "asked": ASKED}
    text = report.build([], [], CONFIG, tmp_path / "none", **given)
    read_page(text)
    assert re.findall(r'class="badge ([a-z-]+)"', text) == ["not-run"] * 9
    commands = re.findall(r"<code>(snakemake .*?)</code>", text)
    end = " --configfile my.yaml"
    tables = [f"results/tables/{one['name']}.tsv" for one in KNOWN]
    made = [*tables, "results/figures/xnli/forest.accuracy.svg"]
    expected = [f"snakemake --cores all {path}{end}" for path in made]
    assert commands == [*expected, f"snakemake --cores all{end}"]
    said = "config/config.yaml, and on top of it --configfile my.yaml</td>"
    assert said in text and '<th scope="row">results</th>' in text
    assert "<summary>Not there yet, and what makes it (7)</summary>" in text
    assert not re.search(r"{\w+}", text)
    assert "No benchmark files" in text and "No provenance files" in text
    text = report.build([], [], {}, tmp_path)
    read_page(text)
    assert "No configuration was given" in text and "Default procedure" not in text


def running(*kinds: str) -> dict[str, Any]:
    """Return a configuration that runs an experiment of each kind."""
    found = {kind: {"kind": kind, "models": ["big"]} for kind in kinds}
    return CONFIG | {"run": [*kinds], "experiments": found}


@pytest.mark.parametrize(
    ("kinds", "title", "judged", "others"),
    [
        (("amplification",), "steer a model", "H5 H6 H7", "H1 to H4, H8 and H9"),
        (("bridges",), "go through", "H8 H9", "H1 to H4 and H5 to H7"),
        (("perplexity",), "transfer?", "H1 H2 H3 H4", "H5 to H7, H8 and H9"),
        (
            ("bridges", "amplification"),
            "Language-specific neurons",
            "H5 H6 H7 H8 H9",
            "H1 to H4",
        ),
        ((), "Language-specific neurons", "", "H1 to H4, H5 to H7, H8 and H9"),
    ],
)
def test_the_page_is_of_the_studies_that_run(
    tmp_path: Path, kinds: tuple[str, ...], title: str, judged: str, others: str
) -> None:
    config = running(*kinds)
    text = report.build([], [], config, tmp_path / "none", known=[])
    read_page(text)
    head = re.search(r"<h1[^>]*>(.*?)</h1>", text)
    assert head and title in head[1] and f"<title>{head[1]}</title>" in text
    assert re.findall(r"<strong>(H\d)\.", text) == judged.split()
    said = f"{others} are of kinds of experiments that this configuration does not run."
    assert said in " ".join(text.split())
    for term, kind in (("LSS, LSS+", "amplification"), ("HSIC", "bridges")):
        assert (f"<dt>{term}</dt>" in text) == (kind in kinds)
    assert ("Mondal et al. 2025" in text) == ("perplexity" in kinds)


def test_costs_claim_no_processor(tmp_path: Path) -> None:
    """A job may be given GPUs that its model does not ask for."""
    benchmark(tmp_path / "b/results/evaluations/xnli/tiny/a/s.tsv", "360", "60", "5")
    text = report.build([], [], CONFIG, tmp_path / "b", known=[])
    cost = " ".join(text.split('id="cost"')[1].split("</p>")[0].split())
    assert "GPU hours asked for</th>" in cost and ">none</td>" in cost
    assert "what a job was given instead" in cost and "CPU only" not in cost


def test_a_figure_says_itself_what_it_shows(tmp_path: Path) -> None:
    body = "<dc:description>Rows &lt; columns.</dc:description>"
    path = svg(tmp_path / "figures/m/change.xcopa.svg", body=body)
    assert gallery.read(path).caption == "xcopa: Rows < columns."


def test_published_numbers_without_ours_are_one_sentence() -> None:
    row = dict.fromkeys(COLUMNS["reproduction"], "")
    row |= {"source": "Table 4", "item": "task", "published": 0.5}
    given = Table("reproduction", "reproduction", Path("t"), pd.DataFrame([row]), SPEC)
    assert (
        as_html.html(given.document) == "<p>Of 1 published numbers none was run.</p>\n"
    )
    assert not given.document.whole


def test_what_has_many_rows_scrolls_in_its_frame() -> None:
    for rows, frame in ((as_html.TALL, "box"), (as_html.TALL + 1, "box tall")):
        made = as_html.grid(grid(["x"], [["1"]] * rows, 1, fold=False), "a")
        assert f'<div class="{frame}"' in made


def test_each_table_alone_makes_a_page(tmp_path: Path) -> None:
    tables, _ = everything(tmp_path)
    for path in tables:
        text = report.build([path], [], CONFIG, tmp_path / "none", known=KNOWN)
        read_page(text)
        assert f"<code>{path}</code>" in text


def test_a_large_figure_is_named_not_embedded(tmp_path: Path) -> None:
    path = svg(tmp_path / "figures/m/s/overlap.svg", body=" " * (gallery.LARGEST + 1))
    assert gallery.read(path).address == ""
    text = report.build([], [path], {}, tmp_path / "b")
    assert "Too large to embed" in text and "(2.0 MB)" in text and len(text) < 100_000


def record(path: Path, **more: Any) -> None:
    usual = {"git": "abc", "packages": {"torch": "2.13"}, "inputs": {}}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("content")
    beside = path.with_name(path.name + ".provenance.json")
    beside.write_text(json.dumps(usual | more))


def test_provenance_is_followed_back_to_the_data(tmp_path: Path) -> None:
    data, middle, last = (tmp_path / x for x in ("data.tsv", "eval.json", "table.tsv"))
    both = {"items": {str(data): "f00d"}, "again": {str(last): "loop"}}
    record(middle, inputs=both, finished="2026-01-01", gpu="H200")
    record(last, inputs={"evaluations": {str(middle): "e"}}, finished="2026-01-02")
    record(last.with_suffix(".svg"), packages={"torch": "2.12"})
    bare = tmp_path / "bare.svg"
    paths = [last, last.with_suffix(".svg"), bare]
    hub = {"repo": "a/b", "revision": "0" * 40}
    config = {"corpora": {name: {"hub": hub} for name in ("wiki", "other")}}
    found = origin.trace(paths, config, {"corpora": ["wiki"]})
    assert found.files == 3 and found.without == (str(bare),)
    assert found.sources == ((str(data), "f00d"),)
    assert dict(found.packages) == {"torch": "2.12 (1 files), 2.13 (2 files)"}
    facts = dict(found.facts)
    assert facts["git commit"] == "abc" and facts["GPU"] == "H200"
    assert facts["first finished"] == "2026-01-01"
    assert found.pinned == (("corpora.wiki", "a/b", "0" * 40),)


def test_other_peoples_adapters_are_named() -> None:
    given: dict[str, Any] = {
        "theirs": {"id": None, "revision": None, "path": "/data/theirs"},
        "found": {"id": "owner/name", "revision": "1" * 40, "path": None},
        "attention": {"id": None, "revision": None, "path": None},
    }
    used = {"tunings": ["theirs", "found"]}
    found = origin.trace([], {"tunings": given}, used)
    assert found.pinned == (
        ("tunings.theirs", "/data/theirs", ""),
        ("tunings.found", "owner/name", "1" * 40),
    )


def test_the_script_writes_the_page(tmp_path: Path) -> None:
    tables, figures = everything(tmp_path)
    script = ROOT / "workflow" / "scripts" / "build_report.py"
    left_out = {"results/tables/old.tsv": "seed: 1 then, 2 now"}
    benchmarks = str(tmp_path / "none")
    given = {"config": CONFIG, "benchmarks": benchmarks, "left_out": left_out}
    more = {"terms": [], "tables": KNOWN, "estimates": None}
    spec = json.dumps(given | more | ASKED)
    out = tmp_path / "report.html"
    command = [sys.executable, script, "--spec", spec, "--out", out]
    command += ["--tables", *tables, "--figures", *figures]
    subprocess.run([str(x) for x in command], check=True, cwd=tmp_path)
    text = out.read_text("utf-8")
    read_page(text)
    assert "Left out: 1 file of other settings" in " ".join(text.split())
    assert "<code>results/tables/old.tsv</code>: seed: 1 then, 2 now" in text
    assert read_json(tmp_path / "report.html.provenance.json")["rule"] == "build_report"


def test_captions_are_valid_and_belong_to_something() -> None:
    from docutils.core import publish_parts
    from jinja2 import Environment

    class Snakemake:
        config = CONFIG

        class wildcards:
            table = "finetune_xnli"
            model = method = langset = statistic = metric = task = published = "name"

    used = set()
    for path in (ROOT / "workflow" / "rules").glob("*.smk"):
        used |= set(re.findall(r'caption="\.\./report/(\w+)\.rst"', path.read_text()))
    files = {p.stem: p for p in (ROOT / "workflow" / "report").glob("*.rst")}
    assert used <= set(files)
    environment = Environment(trim_blocks=True, lstrip_blocks=True)
    for path in files.values():
        text = environment.from_string(path.read_text("utf-8")).render(
            snakemake=Snakemake
        )
        strict = {"halt_level": 2, "report_level": 2}
        html = publish_parts(text, writer="html", settings_overrides=strict)
        assert len(html["body"]) > 80, path
    caption = environment.from_string(files["table"].read_text("utf-8"))
    assert "finetune_xnli" in caption.render(snakemake=Snakemake)
