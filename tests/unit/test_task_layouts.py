"""Each layout of a task table has the paper's lines, columns and comparisons."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from evaluation_files import XNLI, XQUAD, Study, cells_of, right, text_of
from langneurons.tables.common import document, metrics, task_columns, task_table
from langneurons.tables.common.metrics import Shown
from langneurons.tables.common.task_layouts import matched
from langneurons.tasks import Metric

GOLDEN = Path(__file__).parent / "golden"
N = 40


def table_of(study: Study, layout: str) -> pd.DataFrame:
    return task_table.task_table(
        study.rows, study.evaluations, study.metrics, layout=layout, resamples=500
    )


def check_golden(name: str, text: str) -> None:
    """Compare with a text that was read through by eye."""
    assert text == (GOLDEN / f"{name}.md").read_text(encoding="utf-8")


def answers(correct: int, partly: float) -> dict[str, Any]:
    """Score ``correct`` of N answers as right, the others with a partial F1."""
    em = right(N, correct)
    f1 = np.where(em, 1.0, partly)
    same = {"em": em, "f1": f1, "mlqa_em": em, "mlqa_f1": f1}
    return same | {"squad_em": right(N, correct + 2), "squad_f1": f1}


@pytest.fixture
def questions(tmp_path: Path) -> Study:
    """XQuAD in one language; p10 destroys most answers."""
    made = Study(tmp_path, XQUAD)
    made.add("vi", "none", {"published": {"em": 0.41, "f1": 0.735}}, **answers(20, 0.5))
    shown = {"published": {"em": 0.40, "f1": 0.729}}
    made.add("vi", "lape.set1.mean", shown, **answers(18, 0.5))
    made.add("vi", "lape.set1.p10", {}, **answers(4, 0.3))
    for draw, correct in ((1, 20), (2, 22)):
        made.add("vi", f"random_lape-{draw}.set1.mean", {}, **answers(correct, 0.5))
    return made


def test_exact_match_and_f1_share_a_cell(questions: Study) -> None:
    table = table_of(questions, "interventions")
    assert len(table) == 5 * 6
    text = text_of(table, "xquad")
    first, squad, mlqa = cells_of(text, "m", "lape.set1", "vi")
    # 18 right and 22 half right: EM 45 %, F1 (18 + 11) / 40; 4 and 36 * 0.3: 10, 37.
    assert first[4:] == ["45.0 (72.5)", "10.0 ▼ (37.0 ▼)"]
    assert first[3].startswith("50.0 [") and " (75.0 [" in first[3]
    (published,) = cells_of(text, "", "", "published")
    assert published[3:] == ["41.0 (73.5)", "40.0 (72.9)", "–"]
    assert squad[3] == "SQuAD EM (F1)" and mlqa[3] == "MLQA EM (F1)"
    assert squad[5:] == ["50.0 (72.5)", "15.0 ▼ (37.0 ▼)"]
    control = cells_of(text, "m", "random for lape.set1")[0]
    assert control[3:] == ["", "52.5 [50.0, 55.0] (76.2 [75.0, 77.5])", "–"]
    check_golden("interventions", text)


def tuned(folder: Path, seeds: tuple[int, ...] = (1,)) -> Study:
    """XNLI after tuning neurons: those of both languages make it much worse."""
    made = Study(folder, XNLI)
    for seed in seeds:
        for lang in ("vi", "hi"):
            for name, correct in {
                "attention": 30,
                "all_mlp": 33,
                "lape.set1.en": 29,
                f"lape.set1.{lang}": 28,
                f"lape.set1.en+{lang}": 12,
                f"rows.lape.set1.{lang}": 31,
            }.items():
                same = {"tuning": name, "seed": seed}
                published = {"accuracy": 0.801} if name == "lape.set1.vi" else {}
                none = same | {"published": published}
                made.add(lang, "none", none, accuracy=right(N, correct))
                if "." in name:
                    zero = right(N, correct - 10)
                    made.add(lang, "lape.set1.zero", same, accuracy=zero)
    return made


def test_a_neuron_tuning_is_set_against_attention(tmp_path: Path) -> None:
    study = tuned(tmp_path)
    table = table_of(study, "tunings")
    rows = table[table["lang"] == "vi"].set_index(["tuning", "statistic"])
    assert rows.loc[("attention", "none"), "against"] == "-"
    assert rows.loc[("all_mlp", "none"), "against"] == "attention"
    assert rows.loc[("all_mlp", "none"), "delta"] == pytest.approx(3 / N)
    both = rows.loc[("lape.set1.en+vi", "none")]
    assert both["against"] == "attention" and both["delta"] == pytest.approx(-18 / N)
    assert both["p_value"] == pytest.approx(2 / 2**18)
    # An intervention is set against the same tuning, not against attention.
    zero = rows.loc[("lape.set1.en", "zero")]
    assert zero["against"] == "none" and zero["delta"] == pytest.approx(-10 / N)
    # In the table of interventions a tuning is set against nothing.
    plain = table_of(study, "interventions")
    assert set(plain.loc[plain["statistic"] == "none", "against"]) == {"-"}


def test_tunings_are_laid_out_by_method_language_and_tuned_neurons(
    tmp_path: Path,
) -> None:
    text = text_of(table_of(tuned(tmp_path), "tunings"), "xnli", "tunings")
    references = cells_of(text, "m", "-")
    assert [cells[2:4] for cells in references] == [
        [tuning, lang] for lang in ("vi", "hi") for tuning in ("attention", "all_mlp")
    ]
    lines = cells_of(text, "m", "lape.set1")
    masked, rows = lines[:6], lines[6:]
    assert [cells[2:4] for cells in masked] == [
        [which, lang] for lang in ("vi", "hi") for which in ("en", lang, f"en+{lang}")
    ]
    assert [cells[2:4] for cells in rows] == [["vi", "vi"], ["hi", "hi"]]
    en, vi, both = (cells[4] for cells in masked[:3])
    assert en.startswith("72.5 [") and both.startswith("30.0 ▼ [")
    assert vi.startswith("70.0 [") and vi.endswith("] (80.1)")
    assert masked[2][5] == "5.0 ▼"  # 2 of 40 against the 12 of its own No Int
    assert text.index("## Tuning `masked`") < text.index("## Tuning `rows`")
    assert "Strongest tuning against `attention`: m lape.set1.en+vi on vi" in text
    assert "Of 10 tunings 0 raise and 2 lower accuracy significantly" in text
    check_golden("tunings", text)


def test_several_seeds_are_shown_pooled(tmp_path: Path) -> None:
    table = table_of(tuned(tmp_path, (1, 2, 3)), "tunings")
    text = text_of(table, "xnli", "tunings")
    assert "seeds pooled" in text and "seed 2" not in text
    assert len(cells_of(text, "m", "lape.set1", "en", "vi")) == 1
    pooled = table[(table["seed"] == "pooled") & (table["against"] == "attention")]
    assert len(pooled) == 10 and pooled["delta"].notna().all()


def test_without_an_attention_tuning_nothing_is_compared(tmp_path: Path) -> None:
    made = Study(tmp_path, XNLI)
    for seed in (1, 2):
        changed = {"tuning": "lape.set1.vi", "seed": seed}
        made.add("vi", "none", changed, accuracy=right(N, 20))
    made.add("vi", "none", {"seed": 1}, accuracy=right(N, 25))
    table = table_of(made, "tunings").set_index(["tuning", "seed"])
    assert table["against"].to_dict() == {
        ("lape.set1.vi", "1"): "attention",
        ("lape.set1.vi", "2"): "-",
        ("attention", "1"): "-",
        ("lape.set1.vi", "pooled"): "-",
    }
    assert table["delta"].notna().sum() == 1


def with_base(folder: Path, seeds: tuple[int, ...] = (1,)) -> Study:
    """The same with the model as it is, which answers like a coin."""
    made = tuned(folder, seeds)
    for lang in ("vi", "hi"):
        same = {"tuning": "base", "seed": 0}
        made.add(lang, "none", same, accuracy=right(N, 15))
    return made


def test_the_attention_tuning_is_set_against_the_model_as_it_is(tmp_path: Path) -> None:
    table = table_of(with_base(tmp_path, (1, 2)), "tunings")
    rows = table[table["lang"] == "vi"].set_index(["tuning", "statistic", "seed"])
    assert rows.loc[("base", "none", "0"), "against"] == "-"
    for seed in ("1", "2", "pooled"):
        tuned = rows.loc[("attention", "none", seed)]
        assert tuned["against"] == "base"
        assert tuned["delta"] == pytest.approx(15 / N) and tuned["p_holm"] < 0.05
        assert rows.loc[("all_mlp", "none", seed), "against"] == "attention"
    assert ("base", "none", "pooled") not in rows.index
    for layout in ("interventions", "random"):
        plain = table_of(with_base(tmp_path, (1, 2)), layout)
        attention = plain[plain["tuning"].isin(["base", "attention"])]
        assert set(attention["against"]) == {"-"}


@pytest.mark.parametrize("seeds", [(1,), (1, 2)])
def test_the_model_as_it_is_stands_beside_every_seed(
    tmp_path: Path, seeds: tuple[int, ...]
) -> None:
    table = table_of(with_base(tmp_path, seeds), "tunings")
    text = text_of(table, "xnli", "tunings")
    references = [cells[2:5] for cells in cells_of(text, "m", "-")]
    shown = {name: value for name, lang, value in references if lang == "vi"}
    assert len(references) == 6 and set(shown) == {"attention", "all_mlp", "base"}
    assert shown["attention"].startswith("75.0 ▲ [")
    assert shown["base"].startswith("37.5 [")
    assert "seed 0" not in text
    assert "as they are (`base`: not fine-tuned), tested zero-shot on 40" in text
    assert "Strongest tuning against `base`: m attention on vi, +37.5 points" in text
    if len(seeds) == 1:
        check_golden("base", text)


def without_attention(made: Study) -> Study:
    kept = [i for i, row in enumerate(made.rows) if row["tuning"] != "attention"]
    made.rows, made.paths = ([x[i] for i in kept] for x in (made.rows, made.paths))
    return made


def test_without_attention_tunings_are_set_against_the_model_as_it_is(
    tmp_path: Path,
) -> None:
    table = table_of(without_attention(with_base(tmp_path)), "tunings")
    rows = table[table["statistic"] == "none"].groupby("tuning")["against"].unique()
    against = {tuning: list(names) for tuning, names in rows.items()}
    assert against.pop("base") == ["-"]
    assert len(against) == 8 and all(names == ["base"] for names in against.values())
    text = text_of(table, "xnli", "tunings")
    said = "higher or lower than `base` without intervention on the same items;"
    assert said in " ".join(text.split())


def test_random_tunings_beside_the_model_as_it_is(tmp_path: Path) -> None:
    made = drawn(tmp_path)
    for lang in ("vi", "hi"):
        base = {"tuning": "base", "seed": 0}
        made.add(lang, "none", base, accuracy=right(N, 15))
    both = text_of(table_of(made, "random"), "xnli", "random")
    (header,) = cells_of(both, "model")
    assert header[4:6] == ["base", "attention"]
    lines = cells_of(both, "m")
    assert len(lines) == 4 and lines[0][4].startswith("37.5 [")
    assert lines[0][5].startswith("75.0 [") and "than *attention*" in both
    alone = table_of(without_attention(made), "random")
    text = text_of(alone, "xnli", "random")
    (header,) = cells_of(text, "model")
    assert header[4:] == ["base", "language neurons", "random neurons"]
    assert cells_of(text, "m")[0][5].startswith("70.0 ▲ [")
    assert "than *base* on the same items, p" in text and "*attention*" not in text


def test_a_table_of_models_as_they_are_says_so(tmp_path: Path) -> None:
    made = Study(tmp_path, XQUAD)
    for tuning, seed in (("base", 0), ("attention", 1), ("attention", 2)):
        names = {"tuning": tuning, "seed": seed}
        made.add("vi", "none", names, **answers(20, 0.5))
        made.add("vi", "lape.set1.p10", names, **answers(4, 0.3))
    table = table_of(made, "interventions")
    untuned = table[table["tuning"] == "base"]
    assert set(untuned["seed"]) == {"0"} and set(untuned["against"]) == {"-", "none"}
    text = text_of(untuned, "xquad")
    assert "Models as they are, not fine-tuned, tested on 40 items per language" in text
    assert "## Not fine-tuned (`base`)" in text and "Tuning" not in text
    assert "Strongest intervention: m not fine-tuned, lape.set1.p10 on vi" in text
    text = text_of(table, "xquad")
    assert text.index("## Not fine-tuned") < text.index(
        "## Tuning `attention`, seeds pooled"
    )


def drawn(folder: Path, matched: str | None = None) -> Study:
    """XNLI after tuning the neurons of a language, and random ones in three draws."""
    made = Study(folder, XNLI)
    for lang in ("vi", "hi"):
        made.add(lang, "none", {}, accuracy=right(N, 30))
        for method, langset, correct in (("lape", "set1", 28), ("ap90", "focus", 12)):
            name = f"{method}.{langset}.{lang}"
            made.add(lang, "none", {"tuning": name}, accuracy=right(N, correct))
            for draw in (1, 2, 3):
                name = f"random_{method}-{draw}.{langset}.{lang}"
                changed = {"tuning": name, "matched": matched and method}
                changed["published"] = {"accuracy": 0.801} if lang == "vi" else {}
                made.add(lang, "none", changed, accuracy=right(N, 30 - draw))
    return made


def test_random_tunings_stand_beside_those_they_match(tmp_path: Path) -> None:
    table = table_of(drawn(tmp_path), "random")
    random = table["tuning"].map(task_columns.is_random_tuning)
    assert random.sum() == 12
    # Controls are compared but not tested; four tunings are.
    assert table.loc[random, "against"].eq("attention").all()
    assert table.loc[random, "p_holm"].isna().all()
    worst = table[table["tuning"] == "ap90.focus.vi"].iloc[0]
    assert worst["p_value"] == pytest.approx(2 / 2**18)
    assert worst["p_holm"] == pytest.approx(4 * 2 / 2**18)
    text = text_of(table, "xnli", "random")
    lines = cells_of(text, "m")
    assert [cells[1:4] for cells in lines] == [
        [family, lang, lang]
        for family in ("lape.set1", "ap90.focus")
        for lang in ("vi", "hi")
    ]
    assert lines[0][6] == "70.0 [67.5, 72.5] (80.1)"  # 29, 28 and 27 of 40
    assert lines[1][6] == "70.0 [67.5, 72.5]"
    assert lines[0][4].startswith("75.0 [") and lines[2][5].startswith("30.0 ▼ [")
    assert "Tuning of random neurons: mean change -5.0 points over 12 results" in text
    check_golden("random", text)


def test_what_a_random_tuning_matches() -> None:
    def frame(*names: str, given: str = "-") -> pd.DataFrame:
        return pd.DataFrame({"tuning": names, "matched": given})

    both = ("lape.s.vi", "ap90.s.vi")
    found = matched(frame(*both, "random_ap90-1.s.vi", "random_lape-1.s.vi"))
    assert {k: str(v) for k, v in found.items()} == {
        "random_ap90.s.vi": "ap90.s", "random_lape.s.vi": "lape.s"
    }  # fmt: skip
    assert str(matched(frame("lape.s.vi", "chance-1.s.vi"))["chance.s.vi"]) == "lape.s"
    # Two candidates and no hint: it stands alone, unless the row says.
    assert str(matched(frame(*both, "chance-1.s.vi"))["chance.s.vi"]) == "chance.s"
    told = matched(frame(*both, "chance-1.s.vi", given="lape"))
    assert str(told["chance.s.vi"]) == "lape.s"


def test_metrics_that_share_a_cell() -> None:
    shown = {name: Shown.of(name, metric) for name, metric in XQUAD.items()}
    groups = metrics.grouped(shown)
    names = [tuple(one.name for one in group) for group in groups]
    assert names == [("em", "f1"), ("squad_em", "squad_f1"), ("mlqa_em", "mlqa_f1")]
    titles = [metrics.group_title(group) for group in groups]
    assert titles == ["EM (F1)", "SQuAD EM (F1)", "MLQA EM (F1)"]
    # Without a group each stands alone, even under one title.
    alone = {name: Shown.of(name, Metric("real", "gain")) for name in ("a", "b")}
    assert [len(group) for group in metrics.grouped(alone)] == [1, 1]
    assert metrics.group_title([*alone.values()]) == "gain (gain)"
    assert document.count([5, 5]) == "5" and document.count([1000, 5]) == "5 to 1,000"
