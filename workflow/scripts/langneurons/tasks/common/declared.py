"""What is wrong with what a task declares: its title, metrics, labels and the like."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, get_args, get_type_hints

import numpy as np

from langneurons.config import plugins
from langneurons.config.fields import Frozen

from .. import Metric, Size, Task
from .classifier import Classifier

KINDS = get_args(get_type_hints(Metric)["kind"])
TRUTHS = (
    "CONTINUES",
    "SHIFTS",
    "OPEN",
    "ALL_LANGUAGES",
    "NAMED_ROWS",
    "PAIRS",
    "WORDS",
)
# The wildcard {metric} of figures has the same pattern.
METRIC_NAME = re.compile("[a-z0-9_]+")


def problems(task: Any) -> Iterator[str]:
    """Find what is wrong with the attributes of a task, ``PARAMETERS`` apart."""
    if not plugins.is_text(given := getattr(task, "TITLE", None)):
        yield f"TITLE: {given!r} - must be a text, its name in tables"
    yield from _metrics(getattr(task, "METRICS", None))
    classifier = isinstance(task, Classifier)
    if classifier or task.LABELS != ():
        yield from plugins.texts(task, "LABELS", 2)
    if classifier:
        yield from plugins.texts(task, "COLUMNS", 1)
        taken = {"id", "label"} & {*getattr(task, "COLUMNS", ())}
        if taken:
            yield f"COLUMNS: {', '.join(sorted(taken))} - stands beside the texts"
    yield from _test_only(task)
    yield from plugins.texts(task, "NOTES", 0)
    yield from plugins.texts(task, "BESIDE", 0)
    yield from plugins.truth_values(task, *TRUTHS)
    yield from _pairs(task)
    for name in ("PUBLISHED", "DEMO"):
        given = getattr(task, name)
        if given is not None and not plugins.is_text(given):
            yield f"{name}: {given!r} - must be a text or None"
    if not isinstance(task.SIZE, Size):
        yield f"SIZE: {task.SIZE!r} - must be a Size"


def _metrics(given: Any) -> Iterator[str]:
    if not isinstance(given, Mapping) or not given:
        yield f"METRICS: {given!r} - must be a mapping of names to one Metric or more"
        return
    for name, metric in given.items():
        where = f"METRICS[{name!r}]"
        if not isinstance(name, str) or not METRIC_NAME.fullmatch(name):
            yield f"{where}: a name has only small letters a-z, digits and _"
        elif name == "item":
            yield f"{where}: this column has the numbers of the items"
        if not isinstance(metric, Metric):
            yield f"{where}: {metric!r} - must be a Metric"
            continue
        if metric.kind not in KINDS:
            known = ", ".join(KINDS)
            yield f"{where}: unknown kind {metric.kind!r}. Known: {known}"
        if not plugins.is_text(metric.title):
            yield f"{where}: title {metric.title!r} - must be a text"
        yield from _resummed(metric, where)


def _resummed(metric: Metric, where: str) -> Iterator[str]:
    """Find what a metric of sums lacks, or what another has of it."""
    has = {"statistics": bool(metric.statistics), "score": metric.score is not None}
    for name, there in has.items():
        if metric.kind == "resummed" and not there:
            yield f"{where}: {name} - is missing, which kind resummed has"
        elif metric.kind != "resummed" and there:
            yield f"{where}: {name} - is of kind resummed only"
    if metric.kind == "resummed" and has["statistics"] and metric.score is not None:
        found = metric.score(np.zeros((2, len(metric.statistics))))
        if np.shape(found) != (2,) or not np.isfinite(found).all():
            yield (
                f"{where}: score - must turn sums [..., {len(metric.statistics)}] into "
                "finite numbers [...], zeros too"
            )


def _pairs(task: Any) -> Iterator[str]:
    """Find what a task on pairs lacks, or what another has of it."""
    own = {
        name
        for name in ("evaluate_via", "generates_via", "join")
        if getattr(type(task), name) is not getattr(Task, name)
    }
    if task.PAIRS is not True:
        for name in [*sorted(own), *(["WORDS"] if task.WORDS is True else [])]:
            yield f"{name}: is of tasks with PAIRS = True only"
        return
    wanted = {"evaluate_via", "generates_via"} | (set() if task.WORDS else {"join"})
    for name in sorted(wanted - own):
        yield f"{name}(): is missing; a task with PAIRS = True has it, see Task.{name}"
    if task.WORDS is True and "join" in own:
        yield "join(): nothing calls it of a task with WORDS = True"
    if task.LABELS or type(task).examples is not Task.examples:
        yield "PAIRS: a task on pairs is not trained; leave out LABELS and examples()"
    for name in ("SHIFTS", "OPEN", "ALL_LANGUAGES"):
        if getattr(task, name) is True:
            yield f"{name}: does not go with PAIRS = True"


def _test_only(task: Any) -> Iterator[str]:
    wrong = list(plugins.texts(task, "TEST_ONLY", 0))
    yield from wrong
    parameters = getattr(task, "PARAMETERS", None)
    if wrong or not (isinstance(parameters, type) and issubclass(parameters, Frozen)):
        return
    fields = parameters.model_fields
    for name in task.TEST_ONLY:
        if name not in fields:
            known = ", ".join(fields) or "(none)"
            yield f"TEST_ONLY: {name!r} is none of the parameters: {known}"
        elif fields[name].is_required():
            yield (
                f"TEST_ONLY: {name!r} needs a default, since training is not told of it"
            )
