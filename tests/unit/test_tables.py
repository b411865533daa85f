"""Task tables hold the right numbers and refuse files that do not fit."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest

import evaluation_files
from evaluation_files import (
    XNLI,
    XQUAD,
    Study,
    cells_of,
    right,
    row,
    run,
    text_of,
    write,
)
from langneurons import tables
from langneurons.config.errors import DataError
from langneurons.figures import effects, sizes
from langneurons.nn.evaluation import treatments
from langneurons.stats import significance
from langneurons.tables.common import (
    columns,
    evaluations,
    signs,
    task_columns,
    task_summary,
    task_table,
    task_text,
)
from langneurons.tables.common.columns import names
from langneurons.tables.common.inputs import Inputs, read_evaluations

N = 400
EM_AND_F1 = {name: XQUAD[name] for name in ("em", "f1")}


@pytest.fixture
def study(tmp_path: Path) -> Study:
    """Two languages; p90 of LAPE clearly hurts vi, everything else changes little."""
    made = Study(tmp_path, XNLI)
    rng = np.random.default_rng(0)
    treatments = ["none", "lape.s.p90", "lape.s.zero"]
    treatments += [f"random_lape-{i}.s.p90" for i in (1, 2, 3)]
    for lang in ("vi", "hi"):
        base = rng.random(N) < 0.7
        for treatment in treatments:
            correct = base.copy()
            flipped = 120 if (lang, treatment) == ("vi", "lape.s.p90") else 3
            flipped = 0 if treatment == "none" else flipped
            correct[np.flatnonzero(base)[:flipped]] = False
            published = {"accuracy": 0.79} if treatment == "lape.s.zero" else {}
            made.add(lang, treatment, {"published": published}, accuracy=correct)
    return made


def table_of(study: Study, layout: str = "interventions") -> pd.DataFrame:
    return task_table.task_table(
        study.rows, study.evaluations, study.metrics, layout=layout, resamples=500
    )


def test_numbers_of_a_task_table(study: Study) -> None:
    table = table_of(study)
    assert tuple(table.columns) == tuple(names(task_columns.COLUMNS))
    assert len(table) == 12
    for lang in ("vi", "hi"):
        part = table[table["lang"] == lang].set_index(["method", "statistic"])
        assert part["n"].eq(N).all() and part["metric"].eq("accuracy").all()
        none = part.loc[("-", "none")]
        assert none["against"] == "-"
        assert none[["delta", "p_value", "p_holm", "detectable"]].isna().all()
        assert none["ci_low"] < none["value"] < none["ci_high"]
        assert part.drop(index=("-", "none"))["against"].eq("none").all()
    hurt = table[(table["lang"] == "vi") & (table["statistic"] == "p90")].iloc[0]
    assert hurt["delta"] == pytest.approx(-120 / N)
    assert hurt["delta_ci_low"] < -120 / N < hurt["delta_ci_high"] < 0
    assert hurt["p_value"] == pytest.approx(2 * 0.5**120)
    weak = table[(table["method"] == "lape") & (table["lang"] == "hi")].iloc[0]
    assert weak["p_value"] == pytest.approx(binomtest(0, 3).pvalue)
    assert weak["delta"] == pytest.approx(-3 / N)
    assert weak["delta_ci_low"] < -3 / N < weak["delta_ci_high"] <= 0
    # The difference that was found is far above what could just be seen.
    assert 0 < weak["detectable"] < hurt["detectable"] < 120 / N


def test_holm_counts_treatments_but_not_controls(study: Study) -> None:
    table = table_of(study)
    own = table[table["method"] == "lape"]
    control = table[table["method"] == "random"]
    assert control["p_holm"].isna().all() and control["p_value"].notna().all()
    assert control["draw"].tolist() == [1, 2, 3] * 2
    assert control["matched"].eq("lape").all()
    # Four tested treatments: the smallest p-value is multiplied by four.
    assert own["p_holm"].min() == pytest.approx(4 * own["p_value"].min())


def test_every_metric_has_its_own_rows_test_and_holm_family(tmp_path: Path) -> None:
    made = Study(tmp_path, EM_AND_F1)
    n = 12
    base = {"em": right(n, 8), "f1": np.r_[np.ones(8), np.full(4, 0.25)]}
    made.add("vi", "none", {}, **base)
    # Eight items fall from 1 to 0.5, all others stay.
    worse = np.r_[np.full(8, 0.5), np.full(4, 0.25)]
    made.add("vi", "lape.s.p5", {}, em=right(n, 0), f1=worse)
    made.add("vi", "lape.s.p10", {}, **base)
    table = table_of(made).set_index(["statistic", "metric"])
    assert table.index.tolist() == [
        (s, m) for s in ("none", "p5", "p10") for m in ("em", "f1")
    ]
    none = table.loc["none"]
    assert none["value"].tolist() == pytest.approx([8 / 12, 9 / 12])
    assert none.loc["em", ["ci_low", "ci_high"]].tolist() == pytest.approx(
        significance.wilson(8, 12)
    )
    low, high = none.loc["f1", ["ci_low", "ci_high"]]
    middle = significance.bootstrap_mean(base["f1"], 500)
    assert (low, high) == middle[1:]
    hurt = table.loc["p5"]
    assert hurt["delta"].tolist() == pytest.approx([-8 / 12, -4 / 12])
    # Of 2 ** 8 choices of signs two are as uneven, for either metric.
    assert hurt["p_value"].tolist() == pytest.approx([2 / 2**8] * 2)
    assert hurt["p_holm"].tolist() == pytest.approx([4 / 2**8] * 2)
    assert table.loc["p10", "p_value"].tolist() == [1.0, 1.0]
    for metric, declared in made.metrics.items():
        expected = significance.detectable(
            made.evaluations[1].scores[metric], base[metric], declared.kind
        )
        assert hurt.loc[metric, "detectable"] == pytest.approx(expected)


def test_each_seed_and_model_has_its_own_baseline(tmp_path: Path) -> None:
    made = Study(tmp_path, XNLI)
    for model, seed, correct in (("a", 1, 10), ("a", 2, 20), ("b", 1, 30)):
        for treatment, extra in (("none", 0), ("lape.s.p90", 5)):
            changed = {"model": model, "seed": seed}
            made.add("vi", treatment, changed, accuracy=right(40, correct + extra))
    table = table_of(made)
    assert table["delta"].dropna().tolist() == pytest.approx([5 / 40] * 4)
    assert table["seed"].tolist() == ["1", "1", "2", "2", "1", "1", "pooled", "pooled"]
    text = text_of(table, "xnli")
    assert "seed 1" in text and "seeds pooled" in text
    assert "seed 2" not in text  # its rows are pooled


def test_seeds_are_pooled_item_by_item(tmp_path: Path) -> None:
    made = Study(tmp_path, XNLI)
    n, gained = 20, {1: 4, 2: 8}
    for seed, more in gained.items():
        for treatment, correct in (("none", 10), ("lape.s.p90", 10 + more)):
            changed = {"seed": seed, "published": {"accuracy": 0.5}}
            made.add("vi", treatment, changed, accuracy=right(n, correct))
    made.add("hi", "none", {"seed": 1}, accuracy=right(n, 3))
    table = table_of(made)
    pooled = table[table["seed"] == "pooled"].set_index("statistic")
    assert len(pooled) == 2  # hi has one seed only
    assert pooled["n"].eq(n).all() and pooled["n_neurons"].eq(7).all()
    assert pooled["published"].eq(0.5).all()
    assert pooled.loc["none", "value"] == 0.5 and pooled.loc["none", "against"] == "-"
    row = pooled.loc["p90"]
    assert row["value"] == pytest.approx(16 / 20) and row["against"] == "none"
    assert row["delta"] == pytest.approx(6 / 20)
    # Items 10 to 13 gain in both seeds, 14 to 17 in one: eight of one sign.
    assert row["p_value"] == pytest.approx(2 / 2**8)
    differences = [right(n, 10 + k).astype(float) - right(n, 10) for k in (4, 8)]
    expected = significance.pooled(differences, 500)
    assert tuple(row[["delta", "delta_ci_low", "delta_ci_high"]]) == expected
    scored = np.stack([right(n, 10 + k).astype(float) for k in (4, 8)])
    interval = significance.pooled(scored, 500)
    assert tuple(row[["value", "ci_low", "ci_high"]]) == interval
    seen = significance.detectable(scored.mean(0), right(n, 10).astype(float), "score")
    assert row["detectable"] == pytest.approx(seen)
    # Both seeds and the pooled row are tests of this table.
    single = table[(table["statistic"] == "p90") & (table["seed"] != "pooled")]
    assert single["p_value"].tolist() == pytest.approx([2 / 2**4, 2 / 2**8])
    # The pooled test is a family of its own; the single seeds are another.
    assert row["p_holm"] == pytest.approx(2 / 2**8)
    assert single["p_holm"].tolist() == pytest.approx([2 / 2**4, 2 * 2 / 2**8])


AXES = {
    "model": "n", "tuning": "all_mlp", "lang": "hi", "method": "ap90", "langset": "t",
    "draw": 2, "matched": "ap90", "statistic": "zero",
}  # fmt: skip


@pytest.mark.parametrize("axis", [*AXES, None])
def test_only_what_differs_in_the_seed_alone_is_pooled(axis: str | None) -> None:
    """Otherwise a mean over two treatments would stand there as one of them."""
    first = row("vi", "random_lape-1.s.p90")
    second = first | {"seed": 2} | ({axis: AXES[axis]} if axis else {})
    found = evaluations.Evaluation(Path("x.json"), {}, np.arange(9), {}, {})
    groups = task_table.seed_groups([(r, found, "", None) for r in (first, second)])
    assert [len(group) for group in groups] == ([] if axis else [2])


def test_seeds_of_two_experiments_are_pooled() -> None:
    """What both ask for is of the first; the others are of the second."""
    asked = {"experiment": "first", "seed": 1}, {"experiment": "second", "seed": 2}
    rows = [row("vi", "lape.s.p90") | names for names in asked]
    found = evaluations.Evaluation(Path("x.json"), {}, np.arange(9), {}, {})
    groups = task_table.seed_groups([(r, found, "", None) for r in rows])
    assert [len(group) for group in groups] == [2]
    lines = [x | {"published": None} for x in (*rows, rows[0] | {"seed": "pooled"})]
    table = columns.frame(lines, task_columns.COLUMNS)
    shown = task_text.without_pooled_seeds(table)
    assert shown["seed"].tolist() == ["pooled"]


def test_the_number_of_neurons_of_pooled_seeds_is_told_if_there_is_one(
    tmp_path: Path,
) -> None:
    made = Study(tmp_path, XNLI)
    for seed in (1, 2):
        for treatment in ("none", "lape.s.p90"):
            made.add("vi", treatment, {"seed": seed}, accuracy=right(9, 3))
    evaluation_files.change(made.paths[-1], n_neurons=8)
    pooled = table_of(made).query("seed == 'pooled'").set_index("statistic")
    assert pooled.loc["none", "n_neurons"] == 7
    assert pd.isna(pooled.loc["p90", "n_neurons"])


def test_seeds_of_other_items_are_not_pooled(tmp_path: Path) -> None:
    made = Study(tmp_path, XNLI)
    for seed, n in ((1, 10), (2, 11)):
        made.add("vi", "none", {"seed": seed}, accuracy=right(n, 5))
    with pytest.raises(DataError, match="other test items"):
        table_of(made)


def test_files_that_do_not_fit_are_refused(study: Study) -> None:
    rows, paths = study.rows, study.paths
    vi, hi = study.indexes

    def read(rows: list, *indexes: Path) -> pd.DataFrame:
        read = Inputs({"evaluations": indexes})
        found = read_evaluations(read, rows, {"xnli": XNLI})
        return task_table.task_table(rows, found, XNLI, resamples=10)

    assert len(read(rows, vi, hi)) == len(read(rows, hi, vi)) == 12
    with pytest.raises(DataError, match="none of task xnli, model m, .* lang hi, tr"):
        read(rows, vi)
    with pytest.raises(DataError, match="lists .*, which .* does"):
        read(rows, vi, hi, vi)
    other = dict(rows[1], model="n", treatment="ap90.t.p90")
    with pytest.raises(DataError, match="none of .* model n, .* treatment ap90.t.p90"):
        read([rows[0], other, *rows[2:]], vi, hi)
    with pytest.raises(DataError, match="no evaluation without treatment"):
        read(rows[1:], vi, hi)
    with pytest.raises(DataError, match="task table.*'tuning'.*tunings"):
        table_of(study, "tuning")
    items = pd.read_parquet(paths[1])
    evaluation_files.change(paths[1], items.assign(item=items["item"] + 1))
    with pytest.raises(DataError, match="other test items"):
        table_of(study)
    evaluation_files.change(paths[1], items.iloc[:-1])
    with pytest.raises(DataError, match="399 items, but"):
        table_of(study)
    evaluation_files.change(paths[1], items.rename(columns={"accuracy": "correct"}))
    with pytest.raises(DataError, match="lacks one of the columns item, accuracy"):
        table_of(study)
    paths[1].unlink()
    with pytest.raises(DataError, match="missing, but .* lists it; delete .*part-1-"):
        table_of(study)


def test_text_is_laid_out_like_the_paper(study: Study) -> None:
    table = table_of(study)
    text = text_of(table, "xnli")
    header = next(x for x in text.splitlines() if x.startswith("| model"))
    titles = [cell.strip() for cell in header.strip("|").split("|")]
    assert titles == ["model", "neurons", "lang", "No Int", "p90", "zero"]
    vi, hi = cells_of(text, "m", "lape.s")
    none = table[table["statistic"] == "none"]["value"].iloc[0]
    assert vi[:3] == ["m", "lape.s", "vi"] and hi[2] == "hi"
    assert vi[3].startswith(f"{100 * none:.1f} [")
    assert vi[4] == f"{100 * none - 30:.1f} ▼"
    assert vi[5] == f"{100 * (none - 3 / N):.1f} (79.0)"
    assert "▼" not in " ".join(hi) and "▲" not in " ".join(hi + vi)
    controls = cells_of(text, "m", "random for lape.s")
    control = 100 * (none - 3 / N)
    assert controls[0][4] == f"{control:.1f} [{control:.1f}, {control:.1f}]"
    assert controls[0][3] == "" and controls[0][5] == "–"


def test_texts_are_laid_out_from_the_digits_of_the_file(tmp_path: Path) -> None:
    """0.00450004 is 0.005 to three digits, and 0.0045, as the file has it, 0.004."""
    table = pd.DataFrame({"own": [0.00450004, math.nan], "p_value": [0.0123456, 1.0]})
    columns.write_tsv(tmp_path / "x.tsv", table)
    back = pd.read_csv(tmp_path / "x.tsv", sep="\t")
    pd.testing.assert_frame_equal(columns.as_written(table), back, check_exact=True)
    assert back["own"][0] == 0.0045


def test_in_short(study: Study) -> None:
    text = task_summary.in_short(table_of(study))
    assert "Strongest intervention: m lape.s.p90 on vi, -30.0 points" in text
    assert "Of 4 interventions 0 raise and 1 lower accuracy significantly" in text
    assert "the mean change is -8.1 points" in text  # (-30 - 3 * 0.75) / 4
    assert "Random neurons: mean change -0.8 points over 6 results" in text
    tested = table_of(study).query("method == 'lape'")["detectable"]
    low, high = (f"{100 * x:.1f}" for x in (tested.min(), tested.max()))
    assert f"{low} to {high} points" in text


def test_in_short_says_what_random_neurons_do_as_well(study: Study) -> None:
    table = table_of(study)
    vi = (table["lang"] == "vi") & (table["statistic"] == "p90")
    own = table[vi & (table["method"] == "lape")]
    draw = table[vi & (table["method"] == "random")].index[0]
    for delta, alike in ((-0.3, 1), (-0.29, 0), (0.3, 0)):
        table.loc[draw, "delta"] = delta
        text = task_summary.in_short(table)
        said = f"(random neurons were run for 1 of these; for {alike} at least one draw"
        assert f"1 lower accuracy significantly {said}" in text
    pooled = table.assign(seed=table["seed"].where(~vi | (table.index == draw), "all"))
    assert "(random neurons were run for 1 of these" in task_summary.in_short(pooled)
    other = table.assign(matched="another")
    assert "(random neurons were run for none of these)" in task_summary.in_short(other)
    alone = table[table["method"] != "random"]
    assert "1 lower accuracy significantly; the" in task_summary.in_short(alone)
    mean = own.assign(lang="vi+hi", delta=0.3)
    text = task_summary.in_short(pd.concat([table, mean], ignore_index=True))
    assert "1 means of interventions over languages 1 raise and 0 lower" in text
    assert "Of 4 interventions" in text


def test_text_of_a_table_without_interventions(tmp_path: Path) -> None:
    made = Study(tmp_path, XNLI)
    made.add("vi", "none", {}, accuracy=[True, False])
    text = text_of(table_of(made), "xnli")
    assert "50.0" in text and "compares nothing" in text


def test_script_writes_the_same_bytes_twice(study: Study, tmp_path: Path) -> None:
    spec = {"task": "xnli", "kind": "xnli", "source_language": "en"}
    spec |= {"layout": "interventions", "rows": study.rows}
    outs = [tmp_path / "one.tsv", tmp_path / "two.tsv"]
    for out in outs:
        run("interventions", spec, "evaluations", study.indexes, out)
    assert outs[0].read_bytes() == outs[1].read_bytes()
    texts = [out.with_suffix(".md").read_bytes() for out in outs]
    assert texts[0] == texts[1]
    with outs[0].open() as handle:
        lines = list(csv.DictReader(handle, delimiter="\t"))
    single = [line for line in lines if "+" not in line["lang"]]
    assert len(single) == len(study.rows) and lines[: len(single)] == single
    assert lines[0]["method"] == "-" and lines[0]["delta"] == lines[0]["p_holm"] == ""
    assert lines[2]["published"] == "0.790000" and lines[1]["published"] == ""
    assert lines[3]["draw"] == "1" and lines[1]["draw"] == ""
    assert float(lines[1]["p_value"]) == pytest.approx(2 * 0.5**120, rel=1e-3)
    assert {line["seed"] for line in lines} == {"1"}


def test_a_number_that_does_not_exist_is_an_empty_field(tmp_path: Path) -> None:
    path = tmp_path / "t.tsv"
    table = pd.DataFrame({"a": ["x", "y"], "p_value": [math.nan, 1.23456e-9]})
    columns.write_tsv(path, table.assign(value=[0.5, math.nan]))
    assert path.read_text() == "a\tp_value\tvalue\nx\t\t0.500000\ny\t1.235e-09\t\n"


def test_one_evaluation_is_read_with_its_metrics(tmp_path: Path) -> None:
    scores = {name: [1.0, 0.5] for name in XQUAD} | {"em": [True, False]}
    path = write(tmp_path, row("vi"), **scores)
    found = evaluation_files.read(path, EM_AND_F1)
    assert found.scores["em"].dtype == bool and list(found.scores) == ["em", "f1"]
    assert found.scores["f1"].tolist() == [1.0, 0.5]
    assert found.items.tolist() == [0, 1]


def emptied(study: Study, *treatments: str) -> Study:
    """Say of some evaluations that their method selected no neuron."""
    for path in study.paths:
        if path.stem in treatments:
            evaluation_files.change(path, n_neurons=0)
    return study


def test_an_intervention_on_no_neurons_is_no_test(study: Study) -> None:
    before = table_of(study)
    treatments = ("lape.s.zero", *(f"random_lape-{i}.s.p90" for i in (1, 2, 3)))
    table = table_of(emptied(study, *treatments))
    touched = table["statistic"].eq("zero") | table["method"].eq("random")
    empty = table[touched]
    assert len(empty) == 2 * 4 and empty["n_neurons"].eq(0).all()
    assert empty["against"].eq("-").all()
    changes = ["delta", "delta_ci_low", "delta_ci_high", "p_value", "p_holm"]
    assert empty[[*changes, "detectable"]].isna().all(axis=None)
    assert empty["value"].notna().all()
    # Two tests are left of four: the smallest p-value is multiplied by two.
    own = table[table["statistic"].eq("p90") & table["method"].eq("lape")]
    assert own["p_holm"].min() == pytest.approx(2 * own["p_value"].min())
    assert before["p_holm"].min() == pytest.approx(4 * own["p_value"].min())
    text = text_of(table, "xnli")
    (line,) = cells_of(text, "m", "lape.s", "vi")
    header = cells_of(text, "model", "neurons", "lang")[0]
    assert line[header.index("zero")] == "no neurons"
    (drawn,) = cells_of(text, "m", "random for lape.s", "vi")
    assert drawn[header.index("p90")] == "no neurons"
    assert "Of 2 interventions 0 raise and 1 lower" in text
    assert "Of 4 interventions" in text_of(before, "xnli")
    assert "Random neurons:" not in text
    assert signs.EMPTY.bullet in text
    assert signs.EMPTY.bullet not in text_of(before, "xnli")


def test_no_neurons_are_in_no_figure(study: Study) -> None:
    table = table_of(emptied(study, "lape.s.zero"))
    assert set(effects.effects(table, "accuracy")["row"]) == {"p90"}
    drawn = sizes.sizes(table, "accuracy")
    assert set(drawn["series"]) == {"none", "lape", "random"}
    assert (drawn["series"] == "none").sum() == 2, "the two without intervention only"


def test_seeds_of_an_empty_set_are_pooled_without_a_test(tmp_path: Path) -> None:
    made = Study(tmp_path, XNLI)
    for seed in (1, 2):
        for treatment in ("none", "lape.s.zero", "lape.s.p90"):
            made.add("vi", treatment, {"seed": seed}, accuracy=right(20, 10 + seed))
    table = table_of(emptied(made, "lape.s.zero"))
    pooled = table[table["seed"] == "pooled"].set_index("statistic")
    assert pooled.loc["zero", "against"] == "-"
    assert pooled.loc["p90", "against"] == "none"
    assert math.isnan(pooled.loc["zero", "p_value"])
    assert pooled.loc["zero", "n_neurons"] == 0
    assert pooled.loc["zero", "value"] == pytest.approx(11.5 / 20)


def test_two_rows_with_the_same_names_are_refused(study: Study) -> None:
    study.rows.append(study.rows[1])
    study.paths.append(study.paths[1])
    with pytest.raises(DataError, match="method lape.*lang vi, statistic p90"):
        table_of(study)


WITHOUT_RANDOM = {
    "activation_statistics", "reproduction",
    "bridges", "bridge_candidates", "language_overlap",
    "alignment", "alignment_correlation",
}  # fmt: skip
"""Tables without rows of random neurons, which a draw tells apart."""


@pytest.mark.parametrize("kind", tables.kinds())
def test_the_names_of_a_row_come_before_its_numbers(kind: str) -> None:
    found = tables.load(kind).COLUMNS
    key = columns.key(found)
    assert names(found)[: len(key)] == key
    if kind not in WITHOUT_RANDOM:
        assert {"draw", "matched"} <= set(key)


@pytest.mark.parametrize("damage", ["flip", "cut", "gone"])
def test_a_damaged_table_of_items_is_no_result(tmp_path: Path, damage: str) -> None:
    shared = {"task": "xnli", "model": "m", "tuning": "attention", "seed": 1}
    axes = {**shared, "lang": "vi"}
    scores = pd.DataFrame({"item": [1, 2, 3], "accuracy": [True, False, True]})
    name, index = "lape.set1.mean", tmp_path / "part-2-of-3.json"
    one = treatments.Run(name, {}, tmp_path / f"{name}.parquet", {})
    result = {"n": 3, "n_neurons": 2, "metrics": {}}
    treatments.write(one, axes, result, scores)
    treatments.write_index(index, "langneurons/evaluations/1", axes, [one])

    def read() -> evaluations.Evaluation:
        found = evaluations.Evaluations([index], {"xnli": XNLI})
        return found.of(axes, treatment=name)

    assert read().scores["accuracy"].tolist() == [True, False, True]
    assert read().record["n_neurons"] == 2
    if damage == "flip":  # as many bytes, and still a table
        scores.assign(accuracy=[True, True, True]).to_parquet(one.path, index=False)
    elif damage == "cut":
        one.path.write_bytes(one.path.read_bytes()[:-40])
    else:
        one.path.unlink()
    expected = f"missing, but {index} lists it; delete {index} to evaluate again"
    if damage != "gone":
        expected = "damaged, or changed by hand.*part-2-of-3.json beside it"
    with pytest.raises(DataError, match=f"lape.set1.mean.parquet: {expected}"):
        read()


def test_an_evaluation_that_no_index_lists_is_named(study: Study) -> None:
    metrics = {"xnli": XNLI}
    found = evaluations.Evaluations(study.indexes, metrics)
    assert found.of(study.rows[1], task="xnli").record["treatment"] == "lape.s.p90"
    wanted = dict(study.rows[1], treatment="lape.s.p91")
    with pytest.raises(
        DataError, match="none of task xnli,.*lang vi, treatment lape.s"
    ):
        found.of(wanted, task="xnli")
    with pytest.raises(DataError, match="lists none, which .*part-1-of-1.json does"):
        evaluations.Evaluations([*study.indexes, study.indexes[0]], metrics)
