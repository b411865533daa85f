"""The two profiles are compared on the same items, pair by pair."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from evaluation_files import (
    XNLI,
    XQUAD,
    cells_of,
    change,
    index_of,
    read,
    right,
    row,
    run,
    write,
)
from langneurons.config.errors import DataError
from langneurons.figures import profiles as figure
from langneurons.stats import significance
from langneurons.tables import profiles
from langneurons.tables.common import profiles_text
from langneurons.tables.common.as_markdown import markdown
from langneurons.tables.common.columns import names as names_of
from langneurons.tables.common.signs import EMPTY

GOLDEN = Path(__file__).parent / "golden" / "profiles.md"
N = 40
METRICS = {"xnli": XNLI, "xquad": XQUAD}
TITLES = {"xnli": "XNLI", "xquad": "XQuAD"}


class Pairs:
    """Pairs with their three evaluations each."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.pairs: list[dict[str, Any]] = []
        self.paths: list[Path] = []

    def add(self, task: str, lang: str, value: str, draw: int | None, *n: int) -> None:
        """Add a pair with so many right answers: none, paper, consistent."""
        method = f"random_lape-{draw}" if draw else "lape"
        names = ["none", f"{method}.s.{value}", f"{method}.s.{value}_consistent"]
        axes = row(lang, names[1])
        for name, correct in zip(names, n, strict=True):
            em = right(N, correct)
            scores: dict[str, Any] = {"accuracy": em}
            if task == "xquad":
                f1 = np.where(em, 1.0, 0.5)
                scores = {m: em if x.kind == "binary" else f1 for m, x in XQUAD.items()}
            self.paths.append(
                write(self.folder / task, axes, name, task=task, **scores)
            )
        keys = (
            "model",
            "tuning",
            "seed",
            "lang",
            "method",
            "langset",
            "draw",
            "matched",
            "neuron_lang",
        )
        pair = {"task": task, "kind": task, "value_name": value, "treatments": names}
        self.pairs.append(pair | {key: axes[key] for key in keys})

    def table(self) -> pd.DataFrame:
        found = [
            read(path, METRICS[self.pairs[i // 3]["kind"]])
            for i, path in enumerate(self.paths)
        ]
        triples = list(zip(found[::3], found[1::3], found[2::3], strict=True))
        return profiles.profile_table(
            self.pairs, triples, METRICS, TITLES, resamples=500
        )


def text_of(table: pd.DataFrame) -> str:
    return markdown(profiles_text.layout(table))


@pytest.fixture
def pairs(tmp_path: Path) -> Pairs:
    """At p10 the consistent profile is clearly better, at the mean alike."""
    made = Pairs(tmp_path)
    for lang in ("vi", "hi"):
        made.add("xnli", lang, "mean", None, 30, 29, 30)
        made.add("xnli", lang, "p10", None, 30, 8, 28)
        for draw, paper in ((1, 30), (2, 28)):
            made.add("xnli", lang, "mean", draw, 30, paper, 30)
    made.add("xquad", "vi", "p10", None, 20, 4, 16)
    return made


def test_numbers(pairs: Pairs) -> None:
    table = pairs.table()
    assert tuple(table.columns) == tuple(names_of(profiles.COLUMNS))
    assert len(table) == 8 + 6
    p10 = table[table["value_name"].eq("p10") & table["task"].eq("xnli")].iloc[0]
    assert p10[["none", "paper", "consistent"]].tolist() == [0.75, 0.2, 0.7]
    assert p10["paper_delta"] == pytest.approx(-22 / N)
    assert p10["consistent_delta"] == pytest.approx(-2 / N)
    assert p10["difference"] == pytest.approx(20 / N)
    expected = significance.paired_bootstrap(right(N, 28), right(N, 8), 500)
    assert (p10["diff_ci_low"], p10["diff_ci_high"]) == expected[1:]
    assert p10["p_value"] == pytest.approx(2 / 2**20)
    # Four pairs with this metric are tested, the four random ones are not.
    assert p10["p_holm"] == pytest.approx(4 * 2 / 2**20)
    control = table["method"] == "random"
    assert control.sum() == 4 and table.loc[control, "p_holm"].isna().all()
    answers = table[table["task"] == "xquad"].set_index("metric")
    assert answers.loc["em", "difference"] == pytest.approx(12 / N)
    assert answers.loc["f1", "difference"] == pytest.approx(6 / N)
    # Each metric of XQuAD is tested once: nothing to adjust for. Twelve items differ.
    assert answers["p_value"].tolist() == pytest.approx([2 / 2**12] * 6)
    assert answers["p_holm"].tolist() == answers["p_value"].tolist()


def test_cells_are_paper_and_consistent(pairs: Pairs) -> None:
    text = text_of(pairs.table())
    vi, hi = cells_of(text, "m", "lape.s")[:2]
    assert vi[2:] == ["vi", "75.0", "72.5 → 75.0", "20.0 → 70.0 ▲"] and hi[2] == "hi"
    control = cells_of(text, "m", "random for lape.s", "vi")[0]
    assert control[3:] == ["75.0", "72.5 → 75.0", "–"]  # paper: mean of 30 and 28
    answers = cells_of(text, "m", "lape.s", "vi")[1:]
    cell = "10.0 → 40.0 ▲ (55.0 → 70.0 ▲)"
    assert answers[0][3:] == ["50.0 (75.0)", cell]
    assert [cells[3] for cells in answers[1:]] == ["SQuAD EM (F1)", "MLQA EM (F1)"]
    assert answers[1][5] == cell
    short = text[text.index("## In short") :]
    assert "- xnli, accuracy: of 4 pairs the consistent profile is" in short
    assert "significantly higher in 2 and lower in 0; mean difference +26.2" in short
    assert text == GOLDEN.read_text(encoding="utf-8")


def test_tunings_and_seeds_have_their_own_grids(pairs: Pairs) -> None:
    table = pairs.table()
    again = table.assign(seed=2)
    text = text_of(pd.concat([table, again], ignore_index=True))
    assert "Tuning `attention`, seed 1" in text and "seed 2" in text


def test_without_pairs_there_is_a_header_and_a_sentence(tmp_path: Path) -> None:
    table = profiles.profile_table([], [], {}, {})
    assert table.empty and tuple(table.columns) == tuple(names_of(profiles.COLUMNS))
    out = tmp_path / "profiles.tsv"
    run("profiles", {"rows": []}, "evaluations", [], out)
    assert out.read_text() == "\t".join(names_of(profiles.COLUMNS)) + "\n"
    assert profiles_text.NO_PAIRS in out.with_suffix(".md").read_text()


def test_files_that_do_not_fit_are_refused(pairs: Pairs) -> None:
    paths = pairs.paths
    items = pd.read_parquet(paths[1])
    change(paths[1], items.assign(item=items["item"] + 1))
    with pytest.raises(DataError, match="other test items"):
        pairs.table()
    with pytest.raises(DataError, match="1 triples for 9 pairs"):
        profiles.profile_table(pairs.pairs, [()], METRICS, TITLES)
    with pytest.raises(DataError, match="0 evaluations for a pair, not 3"):
        profiles.profile_table(pairs.pairs[:1], [()], METRICS, TITLES)


def test_the_script_writes_the_table(pairs: Pairs, tmp_path: Path) -> None:
    out = tmp_path / "profiles.tsv"
    spec = {"rows": pairs.pairs}
    indexes = list(dict.fromkeys(map(index_of, pairs.paths)))
    run("profiles", spec, "evaluations", indexes, out)
    found = pd.read_csv(out, sep="\t")
    assert len(found) == 14 and found["difference"].notna().all()
    assert "20.0 → 70.0 ▲" in out.with_suffix(".md").read_text()
    failed = run("profiles", spec, "evaluations", indexes[:-1], out, check=False)
    assert failed.returncode == 1
    assert "evaluations: none of task xquad, model m" in failed.stderr


def test_controls_of_two_methods_are_no_one_row(pairs: Pairs) -> None:
    """Both draw as "random", number 1; what they match tells them apart."""
    pairs.add("xnli", "vi", "mean", 3, 30, 20, 24)
    other = pairs.pairs[-1] | {"matched": "actprob", "draw": 1}
    pairs.pairs[-1] = other
    table = pairs.table()
    text = text_of(table)
    (lape,) = cells_of(text, "m", "random for lape.s", "vi")
    (actprob,) = cells_of(text, "m", "random for actprob.s", "vi")
    assert lape[4] == "72.5 → 75.0", "the mean of its own two draws: 30 and 28 of 40"
    assert actprob[4] == "50.0 → 60.0"
    drawn = figure.sites(table, "xnli", "accuracy")
    groups = set(drawn.loc[drawn["method"] == "random", "group"])
    assert groups == {"m, random for lape (s)", "m, random for actprob (s)"}
    pairs.pairs[-1] = other | {"matched": "lape"}
    with pytest.raises(DataError, match="1 rows whose names another row has too"):
        pairs.table()


def test_pairs_without_neurons_are_no_test(pairs: Pairs) -> None:
    before = pairs.table()
    pairs.add("xnli", "ur", "p10", None, 30, 30, 30)
    for path in pairs.paths[-2:]:
        change(path, n_neurons=0)
    table = pairs.table()
    empty = table[table["lang"] == "ur"].iloc[0]
    assert (empty["n_neurons"], empty["none"], empty["paper"]) == (0, 0.75, 0.75)
    numbers = ["paper_delta", "consistent_delta", "difference", "p_value", "p_holm"]
    assert empty[numbers].isna().all()
    # The family of tests is as large as before: four of accuracy.
    assert table["p_holm"].dropna().tolist() == before["p_holm"].dropna().tolist()
    text = text_of(table)
    assert cells_of(text, "m", "lape.s", "ur")[0][-1] == "no neurons"
    assert "xnli, accuracy: of 4 pairs" in text
    assert text.count(EMPTY.bullet) == 1
    assert EMPTY.bullet not in text_of(before)
    assert "ur" not in set(figure.sites(table, "xnli", "accuracy")["lang"])
