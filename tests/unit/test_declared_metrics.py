"""What a task declares of its metrics is all that tables, figures and pages know.

A made-up task with a real metric (nats, of either sign) and metrics of all items
together goes through all of them; its numbers are worked out by hand.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

import draw_effects
import draw_profiles
import made_up_task
from configurations import paper, read
from evaluation_files import Study, cells_of, change, row
from langneurons import report
from langneurons.config.errors import DataError
from langneurons.costs import rates
from langneurons.figures import effects, profiles, sizes
from langneurons.jobs.cli import Job
from langneurons.published import numbers, numbers_file
from langneurons.report import neuron_verdicts, page, verdicts
from langneurons.stats import significance
from langneurons.study import targets
from langneurons.study.configuration import load
from langneurons.study.table_specs import TableSpecs
from langneurons.tables import profiles as profile_tables
from langneurons.tables.common import (
    columns,
    metrics,
    profiles_text,
    reproduction_numbers,
    reproduction_ours,
    task_columns,
    task_table,
    task_text,
)
from langneurons.tables.common.as_markdown import markdown
from langneurons.tasks import Metric
from made_up_task import CHRF, GAIN, TASK

NONE = np.array([1.0, -1.0, 2.0, -2.0, 0.5, -0.5, 1.0, -1.0])  # mean 0
LOWER = np.array([-1.0] * 4 + [-0.5] * 4)  # mean -0.75, all of one sign
DRAWN = np.array([0.5, -0.5] * 4)


@pytest.fixture
def study(tmp_path: Path) -> Study:
    """p90 lowers the gain of every item, zero changes nothing; two random draws."""
    made = Study(tmp_path, TASK.METRICS)

    def add(treatment: str, change: Any, chrf: float, **changed: Any) -> None:
        scores: dict[str, Any] = {"gain": NONE + change, "chrf": chrf, "worse": -1.5}
        made.add("vi", treatment, changed, **scores)

    add("none", 0.0, 41.5)
    add("lape.s.p90", LOWER, 39.0)
    add("lape.s.zero", 0.0, 42.0)
    add("random_lape-1.s.p90", DRAWN, 41.0)
    add("random_lape-2.s.p90", -DRAWN, 42.5)
    return made


def table_of(study: Study) -> pd.DataFrame:
    return task_table.task_table(
        study.rows,
        study.evaluations,
        study.metrics,
        title=TASK.TITLE,
        resamples=500,
    )


def test_a_real_metric_has_intervals_and_tests_of_any_numbers(study: Study) -> None:
    table = table_of(study).query("metric == 'gain'").set_index("statistic")
    none, zero = table.loc["none"], table.loc["zero"]
    assert none["value"] == 0 and none["ci_low"] < 0 < none["ci_high"]
    lower = table[table["method"] == "lape"].loc["p90"]
    assert lower["value"] == lower["delta"] == -0.75
    assert -1 <= lower["delta_ci_low"] < -0.75 < lower["delta_ci_high"] <= -0.5
    # All of 8 items fall: 2 of the 2 ** 8 choices of signs are as uneven.
    assert lower["p_value"] == 2 / 2**8
    assert lower["p_holm"] == 2 * 2 / 2**8  # of two tests; controls are none
    # s = sqrt(8 / 7) / 4 = 0.267261; (1.959964 + 0.841621) s / sqrt(8)
    assert lower["detectable"] == pytest.approx(0.264725, abs=1e-6)
    assert (zero["p_value"], zero["p_holm"]) == (1, 1)
    assert math.isnan(zero["detectable"])
    assert tuple(lower[[*metrics.COLUMNS]]) == (
        "gain of the ending", "", "real", "", "nats", 2, 0.3,
    )  # fmt: skip


def test_a_metric_of_all_items_has_a_value_and_no_test(study: Study) -> None:
    table = table_of(study)
    found = table[table["metric"] == "chrf"]
    assert found["value"].tolist() == [41.5, 39, 42, 41, 42.5]
    assert found["delta"].tolist()[1:] == [-2.5, 0.5, -0.5, 1]
    empty = ["ci_low", "ci_high", "delta_ci_low", "delta_ci_high", "p_value", "p_holm"]
    assert found[[*empty, "detectable"]].isna().all(axis=None)
    assert (found["n"] == 8).all() and found["published"].isna().all()


def test_seeds_of_both_are_pooled(tmp_path: Path) -> None:
    made = Study(tmp_path, TASK.METRICS)
    for seed, shift, chrf in ((1, 0.0, 40.0), (2, -1.0, 44.0)):
        none = {"gain": NONE + shift, "chrf": chrf, "worse": 1.0}
        made.add("vi", "none", {"seed": seed}, **none)
        lower = {"gain": NONE + shift + LOWER * seed, "chrf": chrf - seed, "worse": 1.0}
        made.add("vi", "lape.s.p90", {"seed": seed}, **lower)
    pooled = table_of(made).query("seed == 'pooled' and statistic == 'p90'")
    gain, chrf, _ = (r for _, r in pooled.iterrows())
    assert gain["value"] == -0.5 - 0.75 * 1.5 and gain["delta"] == -0.75 * 1.5
    assert gain["p_value"] == 2 / 2**8 and gain["delta_ci_low"] < gain["delta"]
    # The mean difference of an item is -1.5 or -0.75: 1.5 times that of one seed.
    assert gain["detectable"] == pytest.approx(1.5 * 0.264725, abs=1e-6)
    assert (chrf["value"], chrf["delta"]) == (40.5, -1.5)
    assert math.isnan(chrf["ci_low"]) and math.isnan(chrf["p_value"])


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_what_is_no_number_is_refused_by_name(study: Study, bad: float) -> None:
    path = study.paths[1]
    items = pd.read_parquet(path)
    change(path, items.assign(gain=[*items["gain"][:7], bad]))
    with pytest.raises(DataError, match=r"p90\.parquet: gain (has gaps|is not finite)"):
        table_of(study)
    change(path, items, metrics={"chrf": None})
    message = r"p90\.parquet: chrf of all items is None, not a finite number"
    with pytest.raises(DataError, match=message):
        table_of(study)
    change(path, metrics={"chrf": True})
    with pytest.raises(DataError, match="chrf of all items is True, not a finite"):
        table_of(study)


def test_a_real_metric_that_differs_on_few_items_needs_enough_of_them() -> None:
    some = np.r_[np.full(6, 3.0), np.zeros(94)]
    # As for scores: 7.9 % of items, times the mean size 3, or the noise if it is more.
    scores = significance.detectable(some / 3, 0 * some, "score")
    assert significance.detectable(some, 0 * some, "real") == pytest.approx(3 * scores)
    with pytest.raises(DataError, match="allowed: binary, score, real"):
        significance.detectable(some, some, "corpus")


def spec(name: str = "stories") -> dict[str, Any]:
    return {"task": name, "source_language": "en", "layout": "interventions"}


def text_of(study: Study, name: str = "stories") -> str:
    return markdown(task_text.layout(table_of(study), spec(name)))


def test_the_text_of_a_table_names_title_unit_and_what_is_not_tested(
    study: Study,
) -> None:
    text = text_of(study)
    title = "# stories (Made-up endings): gain of the ending under interventions, nats"
    assert text.startswith(f"{title}\n")
    own, beside = cells_of(text, "m", "lape.s")[:2]
    low, high = (table_of(study).iloc[0][k] for k in ("ci_low", "ci_high"))
    none = f"0.00 [{low:.2f}, {high:.2f}]"
    assert own == ["m", "lape.s", "vi", none, "-0.75 ▼", "0.00"]
    assert beside == ["m", "lape.s", "vi", "chrF", "41.5", "39.0", "42.0"]
    drawn = cells_of(text, "m", "random for lape.s")
    assert drawn[0][-2:] == ["0.00 [0.00, 0.00]", "–"]
    assert drawn[1][-2:] == ["41.8 [41.0, 42.5]", "–"]
    assert (
        "- Of 2 interventions 0 raise and 1 lower gain of the ending significantly "
        "(random neurons were run for 1 of these; for 0 at least one draw of them "
        "changes as much); the mean change is -0.38 nats." in text
    )
    assert (
        "- The mean change of chrF by 2 interventions is -1.0; it is of all items "
        "together and not tested." in text
    )
    assert "found (80 % power, before Holm's correction): 0.26 to 0.26 nats" in text
    assert "- chrF, chrF of the wrong ending: a number of all items together" in text
    assert "percent" not in text and "points" not in text
    # A task that is called as its title says needs no title beside its name.
    assert text_of(study, "made-up_endings").startswith("# made-up_endings: gain")


def test_a_primary_metric_of_all_items_is_shown_plainly(study: Study) -> None:
    study.metrics = {"chrf": TASK.METRICS["chrf"]}
    text = text_of(study)
    assert "# stories (Made-up endings): chrF under interventions\n" in text
    assert "- Strongest intervention: m lape.s.p90 on vi, -2.5 (7 neurons)\n" in text
    assert "nan" not in text and "Holm p =" not in text
    judged = verdicts.h1({"stories": table_of(study)}, {"stories": "en"})
    assert judged.verdict == "undecided" and judged.numbers["cells"].tolist() == [0]
    assert "chrf is of all items together and not tested" in judged.sentence


def written(study: Study, folder: Path, name: str = "stories") -> Path:
    path = folder / f"{name}.tsv"
    columns.write_tsv(path, table_of(study))
    return path


def test_metrics_are_read_back_from_the_file(study: Study, tmp_path: Path) -> None:
    back = columns.read_table(written(study, tmp_path), task_columns.COLUMNS)
    found = metrics.of_table(back)
    assert list(found) == ["gain", "chrf", "worse"]
    assert found["gain"] == GAIN
    assert found["chrf"].columns | {"matters": 0} == CHRF.columns | {"matters": 0}
    assert math.isnan(found["chrf"].matters) and metrics.task_title(back) == TASK.TITLE


def words(figure: Figure) -> str:
    (legend,) = figure.legends
    return str(legend.get_title().get_text()).replace("\n", " ")


def test_figures_have_the_unit_of_the_metric(study: Study) -> None:
    table = table_of(study)
    figure = effects.draw_forest(effects.effects(table, "gain"), GAIN, "stories")
    assert words(figure) == "change of gain of the ending, nats"
    spots = [x for x in figure.axes[0].lines if x.get_marker() == "o"]
    assert [float(x.get_xdata()[0]) for x in spots] == [-0.75, 0.0]  # type: ignore[index]
    figure = sizes.draw_size(sizes.sizes(table, "gain"), GAIN, "stories")
    assert figure.axes[0].get_ylabel() == "gain of the ending, nats"
    low, high = figure.axes[0].get_ylim()
    assert -1 < low < -0.75 and 0 < high < 0.3
    plain = effects.draw_forest(effects.effects(table, "chrf"), CHRF, "stories")
    assert words(plain) == "change of chrf"
    texts = [text.get_text() for text in plain.legends[0].get_texts()]
    assert texts == ["change", "random, a draw", "range of random"]
    plain = sizes.draw_size(sizes.sizes(table, "chrf"), CHRF, "stories")
    assert plain.axes[0].get_ylabel() == "chrf"


def test_scripts_draw_from_the_file_alone(study: Study, tmp_path: Path) -> None:
    path = written(study, tmp_path)
    for metric in ("gain", "chrf"):
        stems = [tmp_path / "stories" / f"{k}.{metric}" for k in draw_effects.DRAWN]
        outs = [Path(f"{stem}.{end}") for stem in stems for end in ("svg", "png")]
        spec = {"table": "stories", "metric": metric}
        job = Job(spec, "", {"table": path}, {"figures": outs}, 1, 1, 1)
        draw_effects.main(job)
    svg = (tmp_path / "stories" / "forest.gain.svg").read_text()
    assert "stories: every change of gain of the ending" in svg
    assert "percentage" not in svg


def pairs(study: Study) -> pd.DataFrame:
    """The two profiles: the paper's lowers the gain, the consistent one does not."""
    none, paper, same = study.evaluations[:3]
    for one, treatment in ((paper, "lape.s.p90"), (same, "lape.s.p90_consistent")):
        dict.__setitem__(one.record, "treatment", treatment)  # type: ignore[index]
    keys = ("model", "tuning", "seed", "lang", "method", "langset", "draw", "matched")
    keys = (*keys, "neuron_lang")
    pair = {"task": "stories", "kind": "stories", "value_name": "p90"}
    pair |= {key: row("vi", "lape.s.p90")[key] for key in keys}
    for one in (none, paper, same):
        dict.__setitem__(one.record, "task", "stories")  # type: ignore[index]
    return profile_tables.profile_table(
        [pair],
        [(none, paper, same)],
        {"stories": TASK.METRICS},
        {"stories": TASK.TITLE},
        resamples=500,
    )


def test_profiles_of_both_kinds(study: Study, tmp_path: Path) -> None:
    table = pairs(study).set_index("metric", drop=False)
    gain, chrf = table.loc["gain"], table.loc["chrf"]
    assert (gain["paper_delta"], gain["difference"]) == (-0.75, 0.75)
    assert gain["p_holm"] == 2 / 2**8
    assert (chrf["none"], chrf["paper_delta"], chrf["difference"]) == (41.5, -2.5, 3)
    assert math.isnan(chrf["p_value"]) and math.isnan(chrf["diff_ci_low"])
    text = markdown(profiles_text.layout(table.reset_index(drop=True)))
    assert "## stories (Made-up endings): gain of the ending, nats" in text
    assert cells_of(text, "m", "lape.s", "vi", "0.00")[0][-1] == "-0.75 → 0.00 ▲"
    assert cells_of(text, "m", "lape.s", "vi", "chrF")[0][-2:] == [
        "41.5", "39.0 → 42.0",
    ]  # fmt: skip
    assert "- stories, gain of the ending: of 1 pairs the consistent profile" in text
    assert (
        "- stories, chrF: 1 pairs, of all items together and not tested; mean" in text
    )
    data = profiles.sites(table.reset_index(drop=True), "stories", "gain")
    figure = profiles.draw_sites(data, GAIN, "stories")
    assert words(figure) == (
        "change of gain of the ending against no intervention, nats"
    )
    path = tmp_path / "profiles.tsv"
    columns.write_tsv(path, table)
    out = tmp_path / "profiles" / "sites.stories.chrf.svg"
    spec = {"task": "stories", "metric": "chrf"}
    draw_profiles.main(Job(spec, "", {"table": path}, {"figures": [out]}, 1, 1, 1))
    assert "stories, chrf: paper and consistent profile" in out.read_text()


def test_the_report_shows_units_and_titles(study: Study, tmp_path: Path) -> None:
    paths = [written(study, tmp_path), tmp_path / "profiles.tsv"]
    columns.write_tsv(paths[1], pairs(study))
    terms = [("gain", "Made-up endings: how much likelier.")]
    known = [
        {"name": "stories", "table": "interventions", "spec": spec()},
        {"name": "profiles", "table": "profiles", "spec": {}},
    ]
    text = report.build(paths, [], {}, tmp_path / "none", None, terms, known)
    assert (
        ">stories (Made-up endings): gain of the ending under interventions, nats</h3>"
    ) in text
    assert "<dt>gain</dt><dd>Made-up endings: how much likelier.</dd>" in text
    assert "unless a title or column says otherwise" in text and "<dt>unit</dt>" in text
    assert "Where a task declares another difference that matters" in text
    assert ">-0.75 ▼</td>" in text and ">39.0</td>" in text
    assert ">-75.0" not in text and ">3,900" not in text
    assert "of 2 interventions 0 rise and 1 fall significantly; mean change" in text
    assert "-0.38 nats over 1 model-language pairs, random neurons +0.00" in text
    assert "smallest detectable difference 0.26 nats (median)" in text
    assert ">change, nats</th>" in text and ">value</th>" in text


def test_a_declared_difference_decides_what_is_blunt(study: Study) -> None:
    study.rows, study.paths = study.rows[:1] + study.rows[2:], [
        *study.paths[:1], *study.paths[2:],
    ]  # fmt: skip
    table = table_of(study)  # zero alone: nothing is significant

    def verdict(detectable: float, matters: float) -> str:
        changed = table.assign(detectable=detectable, matters=matters)
        return verdicts.h1({"stories": changed}, {"stories": "en"}).verdict

    assert verdict(0.29, 0.3) == "not supported"
    assert verdict(0.31, 0.3) == "undecided"
    assert verdict(0.01, math.nan) == "undecided"  # no unit, no size that matters


def test_units_are_not_averaged_with_each_other(study: Study) -> None:
    own = pairs(study).query("metric == 'gain'").assign(value_name="p10")
    zero = own.assign(value_name="zero", paper_delta=0.0, consistent_delta=0.0)
    both = pd.concat([own, zero])
    percent = both.assign(task="percents", unit="%", decimals=1)
    found = neuron_verdicts.h4(pd.concat([both, percent]), {}, {})
    assert "zero: -0.75 nats with the paper's sites" in found.sentence
    assert found.sentence.endswith("Left out, measured in another unit: percents.")
    assert "of 1 low-percentile cells" in found.sentence


def test_numbers_of_several_units_name_each(study: Study) -> None:
    table = table_of(study)
    percent = table.assign(unit="%", decimals=1)
    judged = verdicts.h1({"stories": table, "percents": percent}, {})
    grid = page._numbers(judged)
    assert grid is not None and "change" in grid.columns
    spot = grid.columns.index("change")
    assert [line[spot].text for line in grid.rows] == ["-0.38 nats", "-37.5 points"]


def test_other_numbers_are_no_published_ones(study: Study, tmp_path: Path) -> None:
    """A task without published numbers stands beside none, and hinders none."""
    figures = numbers.figures()
    spec: dict[str, Any] = {"evaluations": [], "activations": [], "neurons": []}
    back = columns.read_table(written(study, tmp_path), task_columns.COLUMNS)
    ours = reproduction_ours.our_numbers(figures, {"stories": back}, {}, spec)
    table = reproduction_numbers.table(figures, *ours)
    assert ours.numbers == {} and (table["within"] == "").all()
    of_tasks = table["task"] != "-"
    assert (table["unit"] == of_tasks.map({True: "%", False: ""})).all()


def test_a_published_metric_must_be_said_to_be_percent(tmp_path: Path) -> None:
    whole = json.loads(numbers.FIGURES.read_text())
    assert numbers.printed_digits(whole) == {"accuracy": 0.001, "em": 0.01, "f1": 0.001}
    whole["percent_metrics"]["rows"].pop()
    path = tmp_path / "figures.json"
    path.write_text(json.dumps(whole))
    with pytest.raises(
        DataError, match="percent_metrics does not have its metric, 'f1'"
    ):
        numbers_file.read(path)


def test_costs_are_of_the_sizes_that_the_task_declares(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    made_up_task.add(monkeypatch)
    monkeypatch.chdir(tmp_path)  # where the demo was run its files have lines
    given = paper(**read("demo.yaml"))
    given["tasks"]["stories"] = given["tasks"]["xnli"] | {"kind": made_up_task.KIND}
    given["tasks"]["stories"] |= {"train_fraction": 0.25, "parameters": {}}
    given["experiments"]["transfer"]["tasks"] = ["xnli", "stories"]
    config = load(given)
    # The demo world has no such items: those of the data set that the task names.
    assert rates.items_of(config, "stories", "train") == 250
    assert rates.items_of(config, "stories", "test") == 100
    own = config.task("stories")
    assert (rates.tokens_of(own, "train"), rates.tokens_of(own, "test")) == (50, 60)
    assert rates.new_tokens(own) == 5 and rates.new_tokens(config.task("xnli")) == 0
    assert targets.metrics(config, "stories") == ["gain", "chrf"]
    assert targets.metrics(config, "xquad") == ["em", "f1"]
    spec = json.loads(TableSpecs(config).report({}, {}, ""))
    notes = "how much likelier the right ending is. chrF is of all items."
    assert ["gain of the ending", f"Made-up endings: {notes}"] in spec["terms"]


def test_a_name_yields_to_a_title_that_says_more() -> None:
    assert metrics.told("squad_em", "SQuAD EM") == "squad_em"
    assert metrics.told("gain", "") == "gain" and metrics.told("gain", "Gain") == "gain"
    assert metrics.told("gain", "gain of the ending") == "gain of the ending"
    assert metrics.named("pairs", "XNLI") == "pairs (XNLI)"
    plain = metrics.Shown.of("depth", Metric("real", "depth", unit="", decimals=0))
    assert plain.value(-3.4) == "-3" and plain.change(2) == "+2"
    assert (plain.label, plain.points, plain.steps) == ("depth", "", "")


def test_costs_are_of_the_lines_of_a_file_of_ones_own(tmp_path: Path) -> None:
    """What the task declares is the published data's size: 392,702 items of XNLI."""
    for name, lines in {
        "train-en.tsv": 40,
        "test-vi.tsv": 8,
        "test-hi.tsv": 12,
    }.items():
        (tmp_path / name).write_text("a\tb\t0\n" * lines)
    given = paper()
    data = {key: f"{tmp_path}/{key}-{{lang}}.tsv" for key in ("train", "test")}
    given["tasks"]["xnli"] |= {"train_fraction": 0.25, "data": {"hub": None} | data}
    config = load(given)
    assert rates.items_of(config, "xnli", "train") == 10
    assert rates.items_of(config, "xnli", "test") == 12
    whole = load(paper())
    assert rates.items_of(whole, "xnli", "train") == math.ceil(392702 / 4)
