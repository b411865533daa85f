"""Figures of the papers, to set results against (config/published_results.json).

They stand beside our numbers in the tables and are used in no computation.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

from .names import NO_TREATMENT

FIGURES = Path(__file__).parents[3] / "config" / "published_results.json"
BASELINE = "attention"
Key = tuple[str | None, ...]
# Tables of fractions of items; Table 6 (activation values) is not one of them.
IN_PERCENT = frozenset({"accuracy", "em", "f1"})


@cache
def _cells(path: Path) -> dict[Key, float]:
    """Index the cells of the task tables by what they were measured on."""
    table = json.loads(path.read_text(encoding="utf-8"))["cells"]
    found: dict[Key, float] = {}
    for values in table["rows"]:
        cell = dict(zip(table["columns"], values, strict=True))
        if cell["metric"] not in IN_PERCENT:
            continue
        axes = [cell[k] for k in ("model", "tuning", "task", "lang", "metric")]
        # "No Int" is one run, printed once for each method.
        method = None if cell["statistic"] == NO_TREATMENT else cell["method"]
        found.setdefault((*axes, method, cell["statistic"]), cell["value"])
    return found


def lookup(
    model: str | None,
    method: str | None,
    task: str,
    lang: str,
    tuning: str,
    statistic: str,
    metric: str = "accuracy",
    path: Path = FIGURES,
) -> float | None:
    """Find the published value of a table's cell (Mondal et al. 2025, Tables 4 to 8).

    Args:
        model: ``published_as`` of the model; None is a model of no paper.
        method: ``published_as`` of the method; None for no intervention.
        task: name of the task, ``xnli`` or ``xquad``.
        lang: evaluation language.
        tuning: ``attention``, or a selection and languages, such as
            ``lape.set6.en+hi``, whose method is named as in the paper.
        statistic: name of the statistic, ``none`` for no intervention.
        metric: ``accuracy`` for XNLI, ``em`` or ``f1`` for XQuAD.
        path: the file of figures.

    Returns:
        A fraction (0 to 1; the paper prints percent), or None where nothing comparable
        was published.
    """
    if model is None or (method is None and statistic != NO_TREATMENT):
        return None
    if tuning != BASELINE:
        method_of_tuning, _, rest = tuning.partition(".")
        tuning = f"{method_of_tuning}:{rest.rpartition('.')[2]}"
    key_method = None if statistic == NO_TREATMENT else method
    key = (model, tuning, task, lang, metric, key_method, statistic)
    value = _cells(path).get(key)
    return None if value is None else round(value / 100, 6)
