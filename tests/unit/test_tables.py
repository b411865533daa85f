"""Tables hold the right numbers, refuse files that do not fit, and read well."""

from __future__ import annotations

import csv
import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest

from langneurons import table_text, tables
from langneurons.errors import DataError

SCRIPTS = Path(tables.__file__).parent.parent
N = 400
Study = tuple[list[dict[str, Any]], list[Path]]


def row(lang: str, treatment: str, **changed: Any) -> dict[str, Any]:
    """Describe a row as the workflow does; ``treatment``: method.set.statistic."""
    method, langset, statistic = [None, None, *treatment.split(".")][-3:]
    matched = draw = None
    if method and "-" in method:
        matched, draw, method = "lape", int(method.split("-")[1]), "random"
    filled = {
        "model": "m", "tuning": "attention", "seed": 1, "lang": lang, "method": method,
        "langset": langset, "draw": draw, "matched": matched, "statistic": statistic,
        "published": None,
    }  # fmt: skip
    return filled | changed


def write(folder: Path, row: dict[str, Any], treatment: str, correct: Any) -> Path:
    """Write an evaluation as its rule does, items numbered from 0."""
    right = np.asarray(correct, bool)
    path = (
        folder / row["model"] / f"seed{row['seed']}" / row["lang"] / f"{treatment}.json"
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    items = np.arange(len(right), dtype=np.int32)
    pd.DataFrame({"item": items, "correct": right}).to_parquet(
        path.with_suffix(".parquet")
    )
    record = {k: row[k] for k in ("model", "tuning", "seed", "lang")}
    record |= {"treatment": treatment, "n": len(right), "n_neurons": 7}
    path.write_text(json.dumps(record))
    return path


@pytest.fixture
def study(tmp_path: Path) -> Study:
    """Two languages; p90 of LAPE clearly hurts vi, everything else changes little."""
    rng = np.random.default_rng(0)
    treatments = ["none", "lape.s.p90", "lape.s.zero"]
    treatments += [f"random-{i}.s.p90" for i in (1, 2, 3)]
    rows, paths = [], []
    for lang in ("vi", "hi"):
        base = rng.random(N) < 0.7
        for treatment in treatments:
            correct = base.copy()
            flipped = 120 if (lang, treatment) == ("vi", "lape.s.p90") else 3
            flipped = 0 if treatment == "none" else flipped
            correct[np.flatnonzero(base)[:flipped]] = False
            published = 0.79 if treatment == "lape.s.zero" else None
            rows.append(row(lang, treatment, published=published))
            paths.append(write(tmp_path, rows[-1], treatment, correct))
    return rows, paths


def table_of(study: Study) -> pd.DataFrame:
    rows, paths = study
    return tables.task_table(rows, [tables.Evaluation.read(p) for p in paths], 500)


def test_numbers_of_a_task_table(study: Study) -> None:
    table = table_of(study)
    assert tuple(table.columns) == tables.TASK_COLUMNS
    assert len(table) == 12
    for lang in ("vi", "hi"):
        part = table[table["lang"] == lang].set_index(["method", "statistic"])
        assert part["n"].eq(N).all()
        none = part.loc[("-", "none")]
        assert none[["delta", "p_value", "p_holm"]].isna().all()
        assert none["ci_low"] < none["accuracy"] < none["ci_high"]
    hurt = table[(table["lang"] == "vi") & (table["statistic"] == "p90")].iloc[0]
    assert hurt["delta"] == pytest.approx(-120 / N)
    assert hurt["delta_ci_low"] < -120 / N < hurt["delta_ci_high"] < 0
    assert hurt["p_value"] == pytest.approx(2 * 0.5**120)
    weak = table[(table["method"] == "lape") & (table["lang"] == "hi")].iloc[0]
    assert weak["p_value"] == pytest.approx(binomtest(0, 3).pvalue)
    assert weak["delta"] == pytest.approx(-3 / N)
    assert weak["delta_ci_low"] < -3 / N < weak["delta_ci_high"] <= 0


def test_holm_counts_treatments_but_not_controls(study: Study) -> None:
    table = table_of(study)
    own = table[table["method"] == "lape"]
    control = table[table["method"] == "random"]
    assert control["p_holm"].isna().all() and control["p_value"].notna().all()
    assert control["draw"].tolist() == [1, 2, 3] * 2
    # Four tested treatments: the smallest p-value is multiplied by four.
    assert own["p_holm"].min() == pytest.approx(4 * own["p_value"].min())


def test_each_seed_and_model_has_its_own_baseline(tmp_path: Path) -> None:
    rows, paths = [], []
    for model, seed, right in (("a", 1, 10), ("a", 2, 20), ("b", 1, 30)):
        for treatment, extra in (("none", 0), ("lape.s.p90", 5)):
            rows.append(row("vi", treatment, model=model, seed=seed))
            correct = np.arange(40) < right + extra
            paths.append(write(tmp_path, rows[-1], treatment, correct))
    table = table_of((rows, paths))
    assert table["delta"].dropna().tolist() == pytest.approx([5 / 40] * 3)
    text = table_text.task(table, "xnli", "en")
    assert "seed 1" in text and "seed 2" in text


def test_files_that_do_not_fit_are_refused(study: Study, tmp_path: Path) -> None:
    rows, paths = study
    with pytest.raises(DataError, match="11 result files for a table of 12 rows"):
        table_of((rows, paths[:-1]))
    with pytest.raises(DataError, match="not the result of this row: lang is 'hi'"):
        table_of((rows, [*paths[6:], *paths[:6]]))
    with pytest.raises(DataError, match="statistic is 'zero', not 'p90'"):
        table_of((rows, [paths[0], paths[2], paths[1], *paths[3:]]))
    with pytest.raises(DataError, match="no evaluation without treatment"):
        table_of((rows[1:], paths[1:]))
    beside = paths[1].with_suffix(".parquet")
    items = pd.read_parquet(beside)
    items.assign(item=items["item"] + 1).to_parquet(beside)
    with pytest.raises(DataError, match="other test items"):
        table_of(study)
    items.iloc[:-1].to_parquet(beside)
    with pytest.raises(DataError, match="399 items, but"):
        table_of(study)
    beside.unlink()
    with pytest.raises(DataError, match="missing; delete"):
        table_of(study)


def cells_of(text: str, start: str) -> list[list[str]]:
    lines = [x for x in text.splitlines() if x.startswith("| ")]
    split = [[c.strip() for c in line.strip("|").split("|")] for line in lines]
    return [cells for cells in split if cells[1].startswith(start)]


def test_text_is_laid_out_like_the_paper(study: Study) -> None:
    table = table_of(study)
    text = table_text.task(table, "xnli", "en")
    header = next(x for x in text.splitlines() if x.startswith("| model"))
    titles = [cell.strip() for cell in header.strip("|").split("|")]
    assert titles == ["model", "neurons", "lang", "No Int", "p90", "zero"]
    vi, hi = cells_of(text, "lape.s")
    none = table[table["statistic"] == "none"]["accuracy"].iloc[0]
    assert vi[:3] == ["m", "lape.s", "vi"] and hi[2] == "hi"
    assert vi[3].startswith(f"{100 * none:.1f} [")
    assert vi[4] == f"{100 * none - 30:.1f} ▼"
    assert vi[5] == f"{100 * (none - 3 / N):.1f} (79.0)"
    assert "▼" not in " ".join(hi) and "▲" not in " ".join(hi + vi)
    controls = cells_of(text, "random for lape.s")
    control = 100 * (none - 3 / N)
    assert controls[0][4] == f"{control:.1f} [{control:.1f}, {control:.1f}]"
    assert controls[0][5] == table_text.ABSENT
    assert "Strongest intervention: m lape.s.p90 on vi, -30.0 points" in text
    assert "Of 4 interventions 0 raise and 1 lower" in text


def test_text_of_a_table_without_interventions(tmp_path: Path) -> None:
    only = row("vi", "none")
    path = write(tmp_path, only, "none", [True, False])
    text = table_text.task(table_of(([only], [path])), "xnli", "en")
    assert "50.0" in text and "no interventions" in text


def perplexity_study() -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Switching LAPE's neurons adds 0.5 nats on the diagonal and 0.1 off it."""
    rows, records = [], []
    wanted = [("none", None, 0.0)]
    for whose in ("vi", "hi"):
        wanted.append((f"lape.s.{whose}.zero", whose, 0.5))
        wanted += [(f"random-{i}.s.{whose}.zero", whose, 0.2 * i) for i in (1, 2, 4)]
    for lang in ("vi", "hi"):
        for name, whose, change in wanted:
            parts = name.split(".")
            short = name if whose is None else f"{parts[0]}.{parts[1]}.{parts[3]}"
            entry = row(lang, short, neuron_language=whose)
            for key in ("tuning", "seed", "published"):
                entry.pop(key)
            amount = change if whose in (None, lang) else 0.1
            chunks = [2.0 + amount, 3.0 + amount, 4.0 + amount + (0.3 if amount else 0)]
            nll = sum(chunks) / 3
            rows.append(entry)
            records.append(
                {"model": "m", "lang": lang, "treatment": name, "n_chunks": 3,
                 "n_tokens": 30, "nll": nll, "perplexity": math.exp(nll),
                 "chunk_nll": chunks, "n_neurons": 0 if whose is None else 9}
            )  # fmt: skip
    return rows, records


def test_numbers_of_a_perplexity_table() -> None:
    rows, records = perplexity_study()
    paths = [Path(f"{i}.json") for i in range(len(rows))]
    table = tables.perplexity_table(rows, records, paths)
    assert tuple(table.columns) == tables.PERPLEXITY_COLUMNS
    own = table[(table["method"] == "lape") & (table["neuron_lang"] == table["lang"])]
    assert own["delta_nll"].tolist() == pytest.approx([0.6, 0.6])
    # Differences of the chunks are .5, .5 and .8: their standard error is .1.
    assert own["delta_se"].tolist() == pytest.approx([0.1, 0.1])
    expected = math.exp(3.6) - math.exp(3)
    assert own["delta_perplexity"].tolist() == pytest.approx([expected] * 2)
    summary = tables.perplexity_summary(table)
    assert summary["own"].tolist() == pytest.approx([0.6, 0.6])
    assert summary["others"].tolist() == pytest.approx([0.2, 0.2])
    assert summary["random_median"].tolist() == pytest.approx([0.5, 0.5])
    assert summary["draws"].tolist() == [3, 3]
    text = table_text.perplexity(table)
    assert "**+0.600**" in text and "median of 3 draws" in text
    assert [c for c in text.splitlines() if c.startswith("| mean")]
    short = [dict(r, chunk_nll=r["chunk_nll"][:2]) for r in records[:1]]
    with pytest.raises(DataError, match="nothing measured without treatment"):
        tables.perplexity_table(rows, [*short, *records[1:]], paths)


def test_a_table_without_controls_or_own_language_has_gaps() -> None:
    rows, records = perplexity_study()
    kept = [
        i for i, r in enumerate(rows) if r["method"] != "random" and r["lang"] == "vi"
    ]
    paths = [Path("x.json")] * len(kept)
    table = tables.perplexity_table(
        [rows[i] for i in kept], [records[i] for i in kept], paths
    )
    summary = tables.perplexity_summary(table).set_index("neuron_lang")
    assert math.isnan(summary.loc["hi", "own"]) and summary.loc["hi", "others"] > 0
    assert summary["draws"].eq(0).all() and summary["random_median"].isna().all()
    assert table_text.ABSENT in table_text.perplexity(table)


def run(
    script: str, spec: dict[str, Any], role: str, paths: list[Path], out: Path
) -> None:
    subprocess.run(
        [sys.executable, SCRIPTS / f"{script}.py", "--spec", json.dumps(spec),
         f"--{role}", *paths, "--tsv", out, "--markdown", out.with_suffix(".md")],
        check=True,
    )  # fmt: skip


def test_scripts_write_the_same_bytes_twice(study: Study, tmp_path: Path) -> None:
    rows, paths = study
    spec = {"task": "xnli", "source_language": "en", "rows": rows}
    outs = [tmp_path / "one.tsv", tmp_path / "two.tsv"]
    for out in outs:
        run("build_task_table", spec, "evaluations", paths, out)
    assert outs[0].read_bytes() == outs[1].read_bytes()
    assert (
        outs[0].with_suffix(".md").read_bytes()
        == outs[1].with_suffix(".md").read_bytes()
    )
    with outs[0].open() as handle:
        lines = list(csv.DictReader(handle, delimiter="\t"))
    assert len(lines) == len(rows)
    assert lines[0]["method"] == "-" and lines[0]["delta"] == lines[0]["p_holm"] == ""
    assert lines[2]["published"] == "0.790000" and lines[1]["published"] == ""
    assert lines[3]["draw"] == "1" and lines[1]["draw"] == ""
    assert float(lines[1]["p_value"]) == pytest.approx(2 * 0.5**120, rel=1e-3)
    rows_, records = perplexity_study()
    files = []
    for i, record in enumerate(records):
        files.append(tmp_path / f"{i}.json")
        files[-1].write_text(json.dumps(record))
    out = tmp_path / "perplexity.tsv"
    run("build_perplexity_table", {"rows": rows_}, "perplexities", files, out)
    assert len(out.read_text().splitlines()) == len(rows_) + 1
    assert "**+0.600**" in out.with_suffix(".md").read_text()
