"""Figures of the papers, to set results against (config/published_results.json).

They stand beside our numbers in the tables and are used in no computation.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from . import published_file
from .names import MASKED, NO_TREATMENT, TuningName

FIGURES = Path(__file__).parents[3] / "config" / "published_results.json"
BASELINE = "attention"
RANDOM = "random"
"""Published key of random neurons, whatever they match."""
Key = tuple[str | None, ...]
# Tables of fractions of items; Table 6 (activation values) is not one of them.
IN_PERCENT = frozenset({"accuracy", "em", "f1"})
# Methods that compare languages: another language set selects other neurons.
CONTRASTIVE = frozenset({"lape"})


def records(table: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the rows of a {"columns", "rows"} part of the file as mappings."""
    return [dict(zip(table["columns"], row, strict=True)) for row in table["rows"]]


@cache
def figures(path: Path = FIGURES) -> dict[str, Any]:
    """Return the file of published figures; it is read once."""
    return published_file.read(path)


def means_over_neurons(model: str, lang: str) -> dict[str, float]:
    """Return the published means over all neurons (Table 6), statistic -> value."""
    wanted = ("mean_over_neurons", model, lang)
    return {
        row["statistic"]: row["value"]
        for row in records(figures()["cells"])
        if (row["metric"], row["model"], row["lang"]) == wanted
    }


@cache
def _index(path: Path) -> tuple[dict[Key, float], dict[str, dict[str, str]]]:
    """Index the cells of the task tables by what they were measured on.

    Returns:
        (cells, language sets by method and language)
    """
    whole = figures(path)
    found: dict[Key, float] = {}
    for cell in records(whole["cells"]):
        if cell["metric"] not in IN_PERCENT:
            continue
        axes = [cell[k] for k in ("model", "tuning", "task", "lang", "metric")]
        # "No Int" is one run, printed once for each method.
        method = None if cell["statistic"] == NO_TREATMENT else cell["method"]
        found.setdefault((*axes, method, cell["statistic"]), cell["value"])
    return found, whole["language_sets_used"]


def tuning_key(
    tuning: str, method: str | None, lang: str, sets: dict[str, dict[str, str]]
) -> str | None:
    """Name a tuning as the file of figures does: ``lape:en+vi``, ``random:vi``.

    Args:
        tuning: ``attention``, or a selection and languages: ``lape.set1.en+vi``.
        method: published key of the method that selected the tuned neurons,
            ``random`` for random ones; None is a method of no paper.
        lang: evaluation language.
        sets: method -> language -> the language set that the paper used.

    Returns:
        The name, or None where the papers tuned nothing of the kind: other entries of
        ``tunings`` than masked LoRA, or neurons from another language set.
    """
    if tuning == BASELINE:
        return BASELINE
    parsed = TuningName.parse(tuning)
    if parsed.selection is None or parsed.entry != MASKED or method is None:
        return None
    if not fits(method, parsed.selection.languages, lang, sets):
        return None
    return f"{method}:{'+'.join(sorted(parsed.languages))}"


def fits(
    method: str, language_set: str | None, lang: str, sets: dict[str, dict[str, str]]
) -> bool:
    """Tell whether neurons from this set are the paper's; None is not compared."""
    used = sets.get(method, {}).get(lang)
    return (
        method not in CONTRASTIVE
        or None in (used, language_set)
        or (used == language_set)
    )


def lookup(
    model: str | None,
    method: str | None,
    task: str,
    lang: str,
    tuning: str,
    statistic: str,
    metric: str = "accuracy",
    path: Path = FIGURES,
    *,
    tuning_method: str | None = None,
    language_set: str | None = None,
) -> float | None:
    """Find the published value of a table's cell (Mondal et al. 2025, Tables 4 to 8).

    Args:
        model: ``published_as`` of the model; None is a model of no paper.
        method: ``published_as`` of the method; None for no intervention.
        task: name of the task, ``xnli`` or ``xquad``.
        lang: evaluation language.
        tuning: ``attention``, or a selection and languages, such as
            ``lape.set6.en+hi``.
        statistic: name of the statistic, ``none`` for no intervention.
        metric: ``accuracy`` for XNLI, ``em`` or ``f1`` for XQuAD.
        path: the file of figures.
        tuning_method: ``published_as`` of the method in the name of the tuning,
            ``random`` (:data:`RANDOM`) where it draws random neurons.
        language_set: name of the set from which the overwritten neurons come; it must
            be the paper's where the method compares languages. None is not compared.

    Returns:
        A fraction (0 to 1; the paper prints percent), or None where nothing comparable
        was published.
    """
    treated = statistic != NO_TREATMENT
    if model is None or (method is None and treated):
        return None
    cells, sets = _index(path)
    tuned = tuning_key(tuning, tuning_method, lang, sets)
    if tuned is None:
        return None
    if treated and method and not fits(method, language_set, lang, sets):
        return None
    key = (model, tuned, task, lang, metric, method if treated else None, statistic)
    value = cells.get(key)
    return None if value is None else round(value / 100, 6)
