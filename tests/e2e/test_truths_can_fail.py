"""The truths of the demo hold for tables of a world that works, and fail for others."""

from __future__ import annotations

import math
from itertools import product
from pathlib import Path

import pandas as pd
import pytest

import translation_truth
from bridge_truth import BRIDGES
from demo_tables import TABLES
from demo_truth import TRUTHS
from truths import Truth

LANGUAGES = ["el", "en", "hi", "ur", "vi", "zh"]


def write(folder: Path, right: float, em: float, own: float, other: float) -> None:
    """Write the tables of a demo.

    Args:
        folder: of the demo.
        right: accuracy of inference in every language.
        em: exact matches in the language of training; others have a quarter.
        own: harm to a text when its own language's neurons are off.
        other: harm by other neurons, random ones included.
    """
    row = {"statistic": "none", "metric": "accuracy", "value": right}
    inference = [row | {"lang": x, "ci_low": right - 0.04} for x in LANGUAGES]
    questions = [
        {"statistic": "none", "metric": metric, "lang": lang, "value": value}
        for metric in ("em", "squad_f1")
        for lang, value in (("en", em), ("vi", em / 4), ("zh", em / 4))
    ]
    harm = [
        {"model": "demo", "method": method, "neuron_lang": a, "lang": b}
        | {"delta_nll": own if method == "lape" and a == b else other}
        | {"n_neurons": 80 if own > other else 1, "draw": draw, "statistic": "zero"}
        for a, b in product(LANGUAGES, LANGUAGES)
        for method, draw in (("lape", None), ("random", 1), ("random", 2))
    ]
    choices = {"model": "demo_control", "statistic": "none", "metric": "correct"}
    named = {
        "xnli": inference,
        "xquad": questions,
        "perplexity": harm,
        "xcopa": [choices | {"lang": x, "value": right} for x in ("en", "zh", "el")],
        "amplification": shifts(works=own > other),
        "bli": bridged(works=own > other),
        **translated(works=own > other),
        "bridges": choices_of_bridges(works=own > other),
    }
    for name, rows in named.items():
        path = folder / TABLES / f"{name}.tsv"
        path.parent.mkdir(parents=True, exist_ok=True)
        pd.DataFrame(rows).to_csv(path, sep="\t", index=False)


def shifts(works: bool) -> list[dict[str, str | float]]:
    """Write means over pairs: of a demo where neurons steer, or where nothing does."""
    model, own = "demo_control", "lape_sentences"
    values = [
        (model, own, "p_max", 0.92, 2.9, 0.91),
        (model, own, "zero", 0.86, 0.15, 0.63),
        (model, own, "eq_p10", 0.1, -0.2, 0.05),
        (model, "random", "p_max", 0.45, 0.1, 0.2),
        ("demo", own, "p_max", 0.6, 0.2, 0.3),
        ("demo", "diffmean", "l1", 0.97, 2.5, 1.0),
        ("demo", "diffmean", "l2", 0.99, 2.4, 1.0),
    ]
    if not works:
        values = [(*names, 0.35, 0.9, 0.2) for *names, _, _, _ in values]  # type: ignore[misc]
    same = {"task": "mlama", "facts": "all"}
    return [
        {"model": a, "method": b, "statistic": c, "metric": metric, "value": x}
        | {"against": "none" if (metric, b) == ("delta_t", own) else "-"}
        | same
        for a, b, c, *numbers in values
        for metric, x in zip(("lss_plus", "delta_t", "spec"), numbers, strict=True)
    ]


def translated(works: bool) -> dict[str, list[dict[str, str | float]]]:
    """Write shares of translations in the target's language, of both tasks.

    Args:
        works: own neurons choose the language, and so does a prompt that names it; or
            neither does, and all neurons do the same.
    """
    same = {"metric": "in_target", "statistic": "p_max"}
    ways = (("lape_sentences", 0.9), ("random", 0.15))
    found: list[dict[str, str | float]] = []
    for pair in ("en-vi", "en-el"):
        row: dict[str, str | float] = {**same, "lang": pair}
        plain = {"method": "-", "neuron_lang": "-", "statistic": "none"}
        found.append(row | plain | {"value": 0.15 if works else 0.3})
        for (method, own), lang in product(ways, ("vi", "el")):
            right = own if pair.endswith(lang) else 0.02
            value = {"value": right if works else 0.3}
            found.append(row | {"method": method, "neuron_lang": lang} | value)
    named = [{**x, "value": 1.0 if works else 0.2} for x in found[:1]]
    return {translation_truth.OPEN: found, translation_truth.TOLD: named}


PAIRS = ("en-ur", "vi-ur", "en-el", "zh-el")
HIGH = ("en", "vi", "hi", "zh")


def bridged(works: bool) -> list[dict[str, str | float]]:
    """Write accuracies of word translations: only the right bridge helps, or all."""
    found: list[dict[str, str | float]] = []
    for model, pair in product(BRIDGES, PAIRS):
        source, _, target = pair.partition("-")
        row = {"model": model, "lang": pair, "metric": "correct"}
        found.append(row | {"statistic": "none", "value": 0.0 if works else 0.3})
        for lang in HIGH:
            if lang != source:
                right = lang == BRIDGES[model][target]
                value = 0.95 * right if works else 0.3
                rows = [row | {"statistic": f"via_{lang}", "value": value}]
                found += rows * (1 + (source != "en"))  # also against English
    return found


def choices_of_bridges(works: bool) -> list[dict[str, str]]:
    """Write the bridges that a similarity chooses: all right, or always English."""
    return [
        {"model": model, "pair": pair, "similarity": "cosine_target", "beside": "-"}
        | {"chosen": BRIDGES[model][pair[3:]] if works else "en"}
        for model, pair in product(BRIDGES, PAIRS)
    ]


@pytest.mark.parametrize("name", TRUTHS)
def test_each_truth_holds_in_a_good_demo_and_fails_in_a_bad_one(
    tmp_path: Path, name: str
) -> None:
    truth = TRUTHS[name]
    write(tmp_path, right=0.77, em=0.55, own=0.05, other=0.005)
    assert truth.holds(truth.measure(tmp_path))
    write(tmp_path, right=1 / 3, em=0.1, own=0.005, other=0.005)
    assert not truth.holds(truth.measure(tmp_path))


def test_bounds_and_deviations() -> None:
    over = Truth("x", float, "over", 0.5)
    under = Truth("x", float, "under", 0.5)
    assert over.holds(0.6) and not over.holds(0.5) and not over.holds(0.4)
    assert under.holds(0.4) and not under.holds(0.5) and not under.holds(0.6)
    assert not over.holds(math.nan) and not under.holds(math.nan)
    values = [0.6, 0.7, 0.8]
    assert over.deviations(values) == pytest.approx(2)
    assert under.deviations(values) == pytest.approx(-2)
    assert over.deviations([1.0, 1.0]) == math.inf
    assert under.deviations([1.0, 1.0]) == -math.inf
