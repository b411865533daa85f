"""The published procedure, field by field, and where ours differs from it.

``config/published_procedure.json`` has for each study and part (a model, a corpus, a
method, a statistic, ...) the value of each field with which the published numbers were
made, and the fields that may differ; ``docs/deviations.md`` says why. Here: the rules,
and the fields of an entry of the configuration as the file names them.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from langneurons import methods, tasks
from langneurons.config.catalogue import Frozen, Method, Model
from langneurons.config.schema import Config
from langneurons.config.task_entries import Task
from langneurons.jobs.files import read_json

PROCEDURE = Path(__file__).parents[4] / "config" / "published_procedure.json"
STUDY = "mondal2025"
RANDOM = "random"
"""Published key of random neurons, whatever they match."""
Fields = dict[str, Any]


@cache
def procedure() -> dict[str, Any]:
    """Return the file of published procedures; it is read once."""
    whole: dict[str, Any] = read_json(PROCEDURE)
    return whole


def difference(
    part: str,
    given: Mapping[str, Any],
    where: str,
    model: str | None = None,
    study: str = STUDY,
) -> str | None:
    """Name the first field that is not as published.

    Args:
        part: key of the study in the file, such as ``model`` or ``training.xnli``. A
            part that the study does not have decides nothing.
        given: the fields of ours, from a function below.
        where: of the entry in the configuration, for the message.
        model: published key of the model, for values that differ between models.
        study: key of the file, the beginning of a published source.

    Returns:
        Such as ``statistics.late_zero.layers: [20, 31] (published: null)``; None where
        all fields that decide are as published.
    """
    rules = procedure()[study].get(part, {}).get("decides", {})
    for field, rule in rules.items():
        if field in given and not _fits(rule, given[field], model):
            found = f"{where}.{field}: {_shown(given[field])}"
            if isinstance(rule, dict) and "unknown" in rule:
                return f"{found} (published: not known: {rule['unknown']})"
            return f"{found} (published: {_wanted(rule, model)})"
    return None


def _fits(rule: Any, value: Any, model: str | None) -> bool:
    match rule:
        case {"by_model": values}:
            return model in values and bool(value == values[model])
        case {"any_of": values}:
            return value in values
        case {"items": values}:
            return sorted(value) == sorted(values)
        case {"not_null": True}:
            return value is not None
        case {"unknown": _}:
            return False
    return bool(value == rule)


def _wanted(rule: Any, model: str | None) -> str:
    match rule:
        case {"by_model": values}:
            return _shown(values.get(model))
        case {"any_of": values}:
            return " or ".join(map(_shown, values))
        case {"items": values}:
            return _shown(values)
        case {"not_null": True}:
            return "a number"
    return _shown(rule)


def _shown(value: Any) -> str:
    """Write a value as in YAML."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_shown, value))}]"
    if isinstance(value, dict):
        inside = (f"{k}: {_shown(v)}" for k, v in value.items() if v is not None)
        return f"{{{', '.join(inside)}}}"
    return f"{value:g}" if isinstance(value, float) else str(value)


def fields(entry: Frozen, *blocks: str) -> Fields:
    """Return the fields of an entry; those of a block are named ``block.field``.

    Args:
        entry: of a catalogue.
        blocks: keys of mappings that are laid open, outer ones first, where given.
    """
    found: Fields = entry.model_dump(mode="json")
    for block in blocks:
        inside = found.get(block)
        if isinstance(inside, dict):
            del found[block]
            found |= {f"{block}.{key}": value for key, value in inside.items()}
    return found


def of_model(entry: Model) -> Fields:
    """Return the fields of a model; a local folder has no ``hub.repo`` to compare."""
    return fields(entry, "hub")


def of_task(entry: Task) -> Fields:
    """Return the fields of a task, defaults of its kind's parameters filled in."""
    found = fields(entry, "data", "data.hub")
    parameters = tasks.load(entry.kind).PARAMETERS.model_validate(entry.parameters)
    del found["parameters"]
    return found | {f"parameters.{k}": v for k, v in fields(parameters).items()}


def of_method(config: Config, name: str) -> Fields:
    """Return the fields of a method, defaults of its kind's parameters filled in."""
    entry: Method = config.method(name)
    found = fields(entry) | {"profile": config.method_profile(name)}
    del found["parameters"]
    kind = methods.load(entry.kind)
    if kind.IMPORTED:  # ``published_as`` says whose neurons these are
        return {"kind": entry.kind}
    parameters = kind.PARAMETERS.model_validate(entry.parameters)
    return found | {f"parameters.{k}": v for k, v in fields(parameters).items()}


def of_statistic(config: Config, name: str) -> Fields:
    """Return the fields of a statistic; measure, write, quantile of its profile."""
    return fields(config.statistic(name))
