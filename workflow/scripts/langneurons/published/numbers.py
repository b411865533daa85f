"""Figures of the papers, to set results against (config/published_results.json).

They stand beside our numbers in the tables and are used in no computation.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from langneurons.config.names import NO_TREATMENT

from . import numbers_file

FIGURES = Path(__file__).parents[4] / "config" / "published_results.json"
BASELINE = "attention"
"""Published name of tuning the attention projections alone."""
# Methods that compare languages: another language set selects other neurons.
CONTRASTIVE = frozenset({"lape"})


class Key(NamedTuple):
    """What a published cell of a task was measured on, in the file's names.

    Attributes:
        model: such as ``llama31``.
        tuning: ``attention``, or neurons that were tuned: ``lape:en+vi``.
        task: such as ``xnli``; a task of ours says its own as ``PUBLISHED``.
        lang: evaluation language.
        method: whose neurons were overwritten; None without intervention.
        statistic: what was written into them, ``none`` without intervention.
    """

    model: str
    tuning: str
    task: str
    lang: str
    method: str | None
    statistic: str


def records(table: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the rows of a {"columns", "rows"} part of the file as mappings."""
    return [dict(zip(table["columns"], row, strict=True)) for row in table["rows"]]


@cache
def figures(path: Path = FIGURES) -> dict[str, Any]:
    """Return the file of published figures; it is read once."""
    return numbers_file.read(path)


def printed_digits(whole: Mapping[str, Any]) -> dict[str, float]:
    """Return the metrics of the tables of tasks, and one unit of their last digit.

    Args:
        whole: content of the file.

    Returns:
        Metric -> a fraction; the paper prints percent.
    """
    rows = records(whole["percent_metrics"])
    return {row["metric"]: row["last_digit"] / 100 for row in rows}


def means_over_neurons(model: str, lang: str) -> dict[str, float]:
    """Return the published means over all neurons (Table 6), statistic -> value."""
    wanted = ("mean_over_neurons", model, lang)
    return {
        row["statistic"]: row["value"]
        for row in records(figures()["cells"])
        if (row["metric"], row["model"], row["lang"]) == wanted
    }


@cache
def _cells(path: Path) -> dict[Key, dict[str, float]]:
    """Return the metrics of each cell of the task tables, in percent."""
    found: dict[Key, dict[str, float]] = {}
    for cell in records(figures(path)["cells"]):
        if cell["task"] is None:  # activation values of Table 6
            continue
        # "No Int" is one run, printed once for each method.
        method = None if cell["statistic"] == NO_TREATMENT else cell["method"]
        axes = {k: cell[k] for k in ("model", "tuning", "task", "lang", "statistic")}
        key = Key(**axes, method=method)
        found.setdefault(key, {}).setdefault(cell["metric"], cell["value"])
    return found


def values(key: Key, path: Path = FIGURES) -> dict[str, float]:
    """Return the published value of each metric of a cell; empty if there is none.

    Args:
        key: of the cell.
        path: the file of figures.

    Returns:
        Metric, such as ``accuracy`` -> fraction, 0 to 1; the paper prints percent.
    """
    found = _cells(path).get(key, {})
    return {metric: round(value / 100, 6) for metric, value in found.items()}


def set_used(method: str, lang: str, path: Path = FIGURES) -> str | None:
    """Name the language set from which a language's neurons came in the tables."""
    used: dict[str, dict[str, str]] = figures(path)["language_sets_used"]
    return used.get(method, {}).get(lang)


def set_languages(
    model: str, method: str, language_set: str, path: Path = FIGURES
) -> tuple[str, ...]:
    """Return the languages of a published neuron set; empty if there is none."""
    wanted = {"model": model, "method": method, "language_set": language_set}
    for entry in figures(path)["neuron_sets"]:
        if wanted.items() <= entry.items():
            return tuple(entry["counts"])
    return ()
