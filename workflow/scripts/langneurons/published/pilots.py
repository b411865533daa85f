"""The pilot of the amplification study, and which of our LSS it stands beside.

The final tables of Rahmanisa et al. 2025 could not be read; the history of their
release has result files of a pilot: LSS by factor, of small models, over three base
languages and the neurons of seven. It stands beside ours where every field that decides
is the pilot's (``config/published_procedure.json``, study ``rahmanisa2025``).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from langneurons.config.catalogue import UNMEASURED
from langneurons.config.names import Overwritten, Selection
from langneurons.config.schema import Config
from langneurons.grid.axes import Row
from langneurons.jobs.files import read_json

from . import numbers, procedure

PILOTS = Path(__file__).parents[4] / "config" / "published_pilots.json"
STUDY = "rahmanisa2025"
Shown = tuple[tuple[str, ...], float]
"""Experiment, task, model, method, language set and statistic; and LSS, a fraction."""


@cache
def published() -> dict[tuple[str, str, str], float]:
    """Return LSS, a fraction, by repository, value and op of the factor."""
    rows = numbers.records(read_json(PILOTS))
    return {(r["repo"], r["writes"], r["op"]): round(r["lss"] / 100, 6) for r in rows}


def beside(config: Config, rows: Sequence[tuple[str, Row]]) -> list[Shown]:
    """List the results of ours that a number of the pilot stands beside.

    Args:
        config: the configuration.
        rows: tasks and rows of what is steered, of all experiments.
    """
    pairs: dict[tuple[Any, ...], set[tuple[str, str]]] = {}
    for task, row in rows:
        done = row.treatment
        if isinstance(done, Overwritten) and done.language:
            key = (row.experiment, task, row.model, done.selection, done.statistic)
            pairs.setdefault(key, set()).add((row.lang, done.language))
    found: list[Shown] = []
    for (experiment, task, model, selection, statistic), cells in pairs.items():
        value = _value(config, model, statistic)
        given = (task, model, selection, statistic)
        if value is None or why_not(config, *given, cells):
            continue
        names = (experiment, task, model, selection.method, selection.languages)
        found.append(((*names, statistic), value))
    return found


def _value(config: Config, model: str, statistic: str) -> float | None:
    """Return the pilot's LSS of a model and factor, as a fraction."""
    hub, entry = config.model(model).hub, config.statistic(statistic)
    return published().get((hub.repo, entry.value, entry.op)) if hub else None


def why_not(
    config: Config,
    task: str,
    model: str,
    selection: Selection,
    statistic: str,
    cells: set[tuple[str, str]],
) -> str | None:
    """Name the first field in which a result of ours is not the pilot's procedure.

    Args:
        config: the configuration.
        task: of the facts.
        model: its name.
        selection: whose neurons are amplified.
        statistic: the factor.
        cells: ordered pairs of base and target language that its mean is over.
    """
    for part, given, where in _fields(config, task, model, selection, statistic):
        if found := procedure.difference(part, given, where, study=STUDY):
            return found
    bases, targets = (sorted({cell[i] for cell in cells}) for i in (0, 1))
    given = {"bases": bases, "targets": targets}
    found = procedure.difference("experiment", given, "languages", study=STUDY)
    pairs = {(b, t) for b in bases for t in targets if b != t}
    return found or (None if cells == pairs else "languages: some pairs are left out")


def _fields(
    config: Config, task: str, model: str, selection: Selection, statistic: str
) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Yield the parts of the procedure, ours of each, and where it stands."""
    method = selection.method
    corpus = config.method_corpus(method)
    yield "model", procedure.of_model(config.model(model)), f"models.{model}"
    entry = config.corpus(corpus)
    text = procedure.fields(entry, "hub", "recorded")
    yield "corpus", text, f"corpora.{corpus}"
    yield "activations", procedure.fields(config.recorded(corpus)), "activations"
    own = procedure.of_method(config, method)
    reads = [Selection.beside(name, selection).method for name in own.get("reads", ())]
    own["read_kinds"] = [config.method(name).kind for name in reads]
    yield "method.lape_and_ap", own, f"methods.{method}"
    set_ = config.language_set(selection.languages)
    languages = {"languages": list(set_.languages)}
    yield "language_set", languages, f"language_sets.{selection.languages}"
    of_statistic = procedure.of_statistic(config, statistic)
    if of_statistic["value"] in UNMEASURED:
        del of_statistic["measure"]  # of which nothing is read
    yield "statistic", of_statistic, f"statistics.{statistic}"
    yield "task", procedure.of_task(config.task(task)), f"tasks.{task}"
