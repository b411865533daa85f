"""Perplexity tables: paired differences, a block a statistic, random controls."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from evaluation_files import cells_of, row, run
from langneurons.config.errors import DataError
from langneurons.figures import perplexity as figure
from langneurons.jobs import files
from langneurons.report import neuron_verdicts
from langneurons.tables import perplexity
from langneurons.tables.common.as_markdown import markdown
from langneurons.tables.common.columns import names
from langneurons.tables.common.perplexities import Perplexities
from langneurons.tables.common.perplexity_summary import perplexity_summary
from langneurons.tables.common.signs import EMPTY

Study = tuple[list[dict[str, Any]], list[dict[str, Any]]]


def study(statistics: tuple[str, ...] = ("zero",)) -> Study:
    """Switching LAPE's neurons adds 0.5 nats on the diagonal and 0.1 off it.

    A second statistic adds ten times as much.
    """
    rows, records = [], []
    wanted: list[tuple[str, str | None, float]] = [("none", None, 0.0)]
    for factor, statistic in zip((1, 10), statistics, strict=False):
        for whose in ("vi", "hi"):
            wanted.append((f"lape.s.{whose}.{statistic}", whose, 0.5 * factor))
            wanted += [
                (f"random_lape-{i}.s.{whose}.{statistic}", whose, 0.2 * i * factor)
                for i in (1, 2, 4)
            ]
    for lang in ("vi", "hi"):
        for name, whose, change in wanted:
            parts = name.split(".")
            short = name if whose is None else f"{parts[0]}.{parts[1]}.{parts[3]}"
            entry = row(lang, short, neuron_lang=whose) | {
                "treatment": name,
                "corpus": "c",
            }
            for key in ("tuning", "seed", "published"):
                entry.pop(key)
            amount = change if whose in (None, lang) else 0.1
            chunks = [2.0 + amount, 3.0 + amount, 4.0 + amount + (0.3 if amount else 0)]
            nll = sum(chunks) / 3
            rows.append(entry)
            records.append(
                {"model": "m", "lang": lang, "treatment": name, "n_chunks": 3,
                 "n_tokens": 30, "nll": nll, "perplexity": math.exp(nll),
                 "chunk_nll": chunks, "chunk_tokens": [10, 10, 10],
                 "n_neurons": 0 if whose is None else 9}
            )  # fmt: skip
    return rows, records


def table_of(made: Study) -> pd.DataFrame:
    rows, records = made
    paths = [Path(f"{i}.json") for i in range(len(rows))]
    return perplexity.perplexity_table(rows, list(zip(records, paths, strict=True)))


def text_of(table: pd.DataFrame) -> str:
    return markdown(perplexity.layout(table))


def test_numbers_of_a_perplexity_table() -> None:
    rows, records = study()
    table = table_of((rows, records))
    assert tuple(table.columns) == tuple(names(perplexity.COLUMNS))
    own = table[(table["method"] == "lape") & (table["neuron_lang"] == table["lang"])]
    assert own["delta_nll"].tolist() == pytest.approx([0.6, 0.6])
    # Differences of the chunks are .5, .5 and .8: their standard error is .1.
    assert own["delta_se"].tolist() == pytest.approx([0.1, 0.1])
    # Student's t of two degrees of freedom: 4.3027.
    assert own["delta_ci_low"].tolist() == pytest.approx([0.6 - 0.43027] * 2, abs=1e-4)
    assert own["delta_ci_high"].tolist() == pytest.approx([0.6 + 0.43027] * 2, abs=1e-4)
    expected = math.exp(3.6) - math.exp(3)
    assert own["delta_perplexity"].tolist() == pytest.approx([expected] * 2)
    summary = perplexity_summary(table)
    assert summary["own"].tolist() == pytest.approx([0.6, 0.6])
    assert summary["others"].tolist() == pytest.approx([0.2, 0.2])
    assert summary["random_median"].tolist() == pytest.approx([0.5, 0.5])
    assert summary["draws"].tolist() == [3, 3]
    text = text_of(table)
    assert "**+0.600 ± 0.100**" in text and "median of 3 draws" in text
    assert [c for c in text.splitlines() if c.startswith("| mean")]
    short_text = "own text +0.600 nats per token on the mean, other texts +0.200"
    assert short_text in text and "more for 2 of 2 languages" in text
    # 0.6 is below the largest of the three draws, 0.9.
    assert "more than by every random draw for 0 of 2." in text
    for others in ([10, 10], [10, 9, 11]):
        short = [dict(r, chunk_tokens=others) for r in records[:1]]
        with pytest.raises(DataError, match="nothing measured without treatment"):
            table_of((rows, [*short, *records[1:]]))


def test_the_error_of_a_mean_over_tokens_of_unequal_texts() -> None:
    """As that of a ratio of sums; of equal texts to the last bit as ever."""
    rng = np.random.default_rng(0)
    change = rng.normal(size=50)
    plain = float(change.std(ddof=1)) / math.sqrt(50)
    assert perplexity.standard_error(change, np.full(50, 511)) == plain
    # By hand: mean (2 x 1 + 6 x 3) / 8 = 2.5; parts 2 (1 - 2.5), 6 (3 - 2.5) over 4.
    found = perplexity.standard_error(np.array([1.0, 3.0]), np.array([2, 6]))
    assert found == pytest.approx(np.std([-0.75, 0.75], ddof=1) / math.sqrt(2))
    assert perplexity.standard_error(change[:1], np.array([3])) is None
    # It covers the mean of a population of texts whose change goes with their length.
    tokens = rng.integers(3, 60, (2000, 80))
    changes = tokens / 60 + rng.normal(size=tokens.shape)
    means = (changes * tokens).sum(1) / tokens.sum(1)
    errors = [
        perplexity.standard_error(x, n) for x, n in zip(changes, tokens, strict=True)
    ]
    assert np.mean(errors) == pytest.approx(means.std(), rel=0.05)


def test_each_model_is_set_against_itself() -> None:
    rows, records = study()
    other = [dict(r, nll=r["nll"] + 1.0, model="n") for r in records]
    for record in other:
        record["chunk_nll"] = [x + 1.0 for x in record["chunk_nll"]]
    table = table_of((rows + [dict(r, model="n") for r in rows], records + other))
    first, second = (table[table["model"] == m].reset_index() for m in ("m", "n"))
    for same in ("delta_nll", "delta_se"):
        assert second[same].tolist() == pytest.approx(first[same].tolist(), nan_ok=True)
    own = second[(second["neuron_lang"] == "vi") & (second["lang"] == "vi")]
    # LAPE's change is 0.6, and e times as much in perplexity as where nll is 3.
    expected = math.e * (math.exp(3.6) - math.exp(3))
    assert own["delta_perplexity"].iloc[0] == pytest.approx(expected)


@pytest.mark.filterwarnings("error")
def test_one_chunk_has_no_standard_error_and_a_huge_loss_no_end() -> None:
    rows, records = study()
    for record in records:
        record["chunk_nll"] = record["chunk_nll"][:1]
        record["chunk_tokens"] = record["chunk_tokens"][:1]
        record["nll"] = record["chunk_nll"][0]
    worst = next(i for i, r in enumerate(rows) if r["method"] == "lape")
    records[worst]["nll"] = 800.0  # math.exp() would fail
    table = table_of((rows, records))
    assert table["delta_se"].isna().all()
    assert table["perplexity"][worst] == table["delta_perplexity"][worst] == math.inf
    none = table[table["statistic"] == "none"]
    assert none["perplexity"].tolist() == pytest.approx([math.exp(2)] * 2)
    assert none[["delta_nll", "delta_perplexity"]].isna().all(axis=None)


def test_each_statistic_has_its_own_block_summary_and_controls() -> None:
    table = table_of(study(("zero", "mean")))
    summary = perplexity_summary(table)
    assert summary["statistic"].tolist() == ["zero", "zero", "mean", "mean"]
    assert summary["own"].tolist() == pytest.approx([0.6, 0.6, 5.1, 5.1])
    assert summary["random_median"].tolist() == pytest.approx([0.5, 0.5, 4.1, 4.1])
    text = text_of(table)
    zero, mean = (text.index(f"statistic `{s}`") for s in ("zero", "mean"))
    assert (
        zero
        < text.index("**+0.600 ± 0.100**")
        < mean
        < text.index("**+5.100 ± 0.100**")
    )
    assert cells_of(text, "vi")[0] == ["vi", "**+0.600 ± 0.100**", "+0.200 ± 0.100"]
    assert len(cells_of(text, "m", "vi")) == 1  # without intervention: once


def test_a_table_without_controls_or_own_language_has_gaps() -> None:
    rows, records = study()
    kept = [
        i for i, r in enumerate(rows) if r["method"] != "random" and r["lang"] == "vi"
    ]
    table = table_of(([rows[i] for i in kept], [records[i] for i in kept]))
    summary = perplexity_summary(table).set_index("neuron_lang")
    assert math.isnan(summary.loc["hi", "own"]) and summary.loc["hi", "others"] > 0
    assert summary["draws"].eq(0).all() and summary["random_median"].isna().all()
    assert "–" in text_of(table)
    assert "random neurons" not in text_of(table)
    assert "on the mean, other texts +0.200.\n" in text_of(table)
    # One cell was not run: it is a gap, and not a number.
    missing = [i for i, r in enumerate(records) if r["treatment"] != "lape.s.hi.zero"]
    missing.append(next(i for i in range(len(records)) if i not in missing))
    table = table_of(([rows[i] for i in missing], [records[i] for i in missing]))
    assert "nan" not in text_of(table)
    vi_only = [i for i, r in enumerate(records) if r["treatment"] != "lape.s.vi.zero"]
    table = table_of(([rows[i] for i in vi_only], [records[i] for i in vi_only]))
    assert "changed more for 1 of 1 languages" in text_of(table)


def test_the_script_writes_both_files(tmp_path: Path) -> None:
    rows, records = study()
    indexes = write(tmp_path, records)
    out = tmp_path / "perplexity.tsv"
    run("perplexity", {"rows": rows}, "perplexities", indexes, out)
    assert len(out.read_text().splitlines()) == len(rows) + 1
    assert "**+0.600 ± 0.100**" in out.with_suffix(".md").read_text()
    read = Perplexities(indexes)
    record, path = read.of(rows[1])
    assert path.stem == records[1]["treatment"]
    assert record["chunk_nll"] == records[1]["chunk_nll"]
    assert record["chunk_tokens"] == [10, 10, 10]
    pd.DataFrame({"nll": [1.0], "tokens": [30]}).to_parquet(path)
    with pytest.raises(DataError, match="damaged, or changed by hand"):
        read.of(rows[1])
    listed = json.loads(indexes[0].read_text())
    listed["treatments"][path.stem]["sha256"] = files.sha256(path)
    indexes[0].write_text(json.dumps(listed))
    with pytest.raises(DataError, match="nll is not 3 finite numbers"):
        Perplexities(indexes).of(rows[1])
    pd.DataFrame({"nll": 3 * [1.0], "tokens": [10, 10, 11]}).to_parquet(path)
    listed["treatments"][path.stem]["sha256"] = files.sha256(path)
    indexes[0].write_text(json.dumps(listed))
    with pytest.raises(DataError, match="tokens are not whole numbers of sum 30"):
        Perplexities(indexes).of(rows[1])


def write(folder: Path, records: list[dict[str, Any]]) -> list[Path]:
    """Write measured perplexities as their rule does; return the indexes."""
    for lang in ("vi", "hi"):
        (folder / lang).mkdir()
        listed = {}
        for record in (r for r in records if r["lang"] == lang):
            path = folder / lang / f"{record['treatment']}.parquet"
            each = {"nll": record["chunk_nll"], "tokens": record["chunk_tokens"]}
            pd.DataFrame(each).to_parquet(path)
            apart = ("corpus", "model", "lang", "treatment")
            apart += ("chunk_nll", "chunk_tokens")
            result = {k: v for k, v in record.items() if k not in apart}
            listed[path.stem] = result | {"sha256": files.sha256(path)}
        made = {"corpus": "c", "model": "m", "lang": lang, "treatments": listed}
        (folder / lang / "part-1-of-1.json").write_text(json.dumps(made))
    return [folder / lang / "part-1-of-1.json" for lang in ("vi", "hi")]


def test_switching_no_neurons_changes_nothing_and_counts_nowhere() -> None:
    rows, records = study()
    for record in records:
        if ".hi." in record["treatment"]:
            record["n_neurons"] = 0
    table = table_of((rows, records))
    empty = table[table["neuron_lang"] == "hi"]
    assert len(empty) == 2 * 4 and empty["nll"].notna().all()
    changes = ["delta_nll", "delta_se", "delta_ci_low", "delta_perplexity"]
    assert empty[changes].isna().all(axis=None)
    summary = perplexity_summary(table).set_index("neuron_lang")
    assert summary.loc["hi", "draws"] == 0 and math.isnan(summary.loc["hi", "own"])
    assert summary.loc["vi", "own"] == pytest.approx(0.6)
    text = text_of(table)
    first = cells_of(text, "hi")[0]
    assert first[1:] == ["no neurons", "no neurons"]
    assert "more for 1 of 1 languages" in text and "draw for 0 of 1." in text
    assert EMPTY.bullet in text
    found = neuron_verdicts.h3(table)
    assert found.numbers["languages"].tolist() == [1]
    drawn = figure.changes(table, "nll", "m", "lape.s", "zero")
    assert drawn.loc[drawn["neuron_lang"] == "hi", "change"].isna().all()
    figure.draw_changes(drawn, "nll", "m, lape.s, zero")


def test_where_no_language_has_neurons_there_is_nothing_to_sum_up() -> None:
    rows, records = study()
    for record in records:
        record["n_neurons"] = 0
    table = table_of((rows, records))
    text = text_of(table)
    assert "- The table has no interventions on neurons." in text
    assert neuron_verdicts.h3(table).verdict == "not run"
    drawn = figure.changes(table, "nll", "m", "lape.s", "zero")
    figure.draw_changes(drawn, "nll", "m, lape.s, zero")


def test_a_control_without_neurons_is_no_selection_without_any() -> None:
    """DiffMean overwrites no neuron; that is not a method which found none."""
    rows, records = study()
    given = list(zip(rows, records, strict=True))
    for one, record in given:
        if one["method"] != "lape":
            continue
        changed = {"method": "diffmean", "langset": None, "statistic": "l1-s1"}
        name = {"treatment": f"diffmean-l1-s1.{one['neuron_lang']}"}
        rows.append(one | changed | name)
        records.append(record | name | {"n_neurons": 0})
    table = table_of((rows, records))
    added = table[table["method"] == "diffmean"]
    assert len(added) == 4 and added["delta_nll"].notna().all()
    text = text_of(table)
    assert "`diffmean`, statistic `l1-s1`" in text and "no neurons" not in text
    assert set(perplexity_summary(table)["method"]) == {"lape"}
    assert list(neuron_verdicts.h3(table).numbers["part"]) == ["m lape.s"]
