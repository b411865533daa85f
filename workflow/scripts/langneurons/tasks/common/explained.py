"""What the columns of a per-item table hold, in words, from what its task declares."""

from __future__ import annotations

from .. import Metric, load

ITEM = (
    "whole number: the item, numbered from 0 as in its file; the same in the tables of "
    "all treatments, tunings and seeds"
)
VALUES = {
    "binary": "true or false",
    "score": "number from 0 to 1",
    "real": "number",
}


def item_columns(kind: str) -> dict[str, str]:
    """Explain the columns of the per-item tables of a task.

    Args:
        kind: of the task, for example ``xnli``.

    Returns:
        Column of ``{treatment}.parquet`` -> what it holds, in words: ``item``, the
        metrics of single items, and what else the task shows (its ``per_item``), such
        as the statistics of what is of all items together.

    Raises:
        ConfigError: there is no such kind.
    """
    task = load(kind)
    found = {"item": ITEM}
    for name, metric in task.METRICS.items():
        if metric.kind in VALUES:
            found[name] = _metric(metric)
    return found | dict(task.per_item())


def _metric(metric: Metric) -> str:
    about = f" ({metric.about})" if metric.about else ""
    unit = f", in {metric.unit}" if metric.kind == "real" and metric.unit else ""
    return f"{VALUES[metric.kind]}{unit}: {metric.title}{about}"
