"""What the rows of tables are called, from the configuration; part of their spec."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langneurons.config.names import (
    NO_TREATMENT,
    UNTREATED,
    Bridged,
    Overwritten,
    Prompted,
    Selection,
    Steered,
    Treatment,
    split_draw,
)
from langneurons.grid import result_paths, steering
from langneurons.grid.axes import Row
from langneurons.grid.kept import kept
from langneurons.published import numbers
from langneurons.published.partners import Evaluated, Partners

from .words import BRIDGE, DIFFMEAN, PROMPT, RANDOM

if TYPE_CHECKING:
    from langneurons.config.schema import Config


AXES = ("model", "tuning", "seed", "lang")
"""Axes of a row that its evaluation has too."""


def axes_of(row: Row) -> dict[str, Any]:
    """Return the axes of a row as they stand in tables."""
    return {k: getattr(row, k) for k in AXES} | {"tuning": str(row.tuning)}


@kept
def treated(config: Config, treatment: Treatment) -> dict[str, Any]:
    """Name what a treatment does: method, set, draw, matched and statistic."""
    named: dict[str, Any] = {"treatment": str(treatment)}
    if not isinstance(treatment, Overwritten):
        empty = dict.fromkeys(("method", "langset", "draw", "matched"))
        return named | empty | _without_neurons(treatment)
    parsed = treatment
    base, number = split_draw(parsed.selection.method)
    entry = config.method(base)
    return named | {
        "method": RANDOM if entry.control_of else base,
        "langset": parsed.selection.languages,
        "draw": number,
        "matched": entry.control_of,
        "statistic": parsed.statistic,
    }


def _without_neurons(treatment: Treatment) -> dict[str, Any]:
    """Name a treatment that overwrites no neurons."""
    if isinstance(treatment, Prompted):
        return {"method": PROMPT, "statistic": PROMPT}
    if isinstance(treatment, Steered):
        return {"method": DIFFMEAN, "statistic": steering.shown(treatment)}
    if isinstance(treatment, Bridged):
        return {"method": BRIDGE, "statistic": str(treatment)}
    return {"statistic": NO_TREATMENT}


def towards(config: Config, treatment: Treatment, lang: str, source: str) -> str | None:
    """Name the language whose neurons are overwritten, or that is steered towards.

    Args:
        config: the configuration.
        treatment: what is done.
        lang: the tested language.
        source: the language of the training data.

    Returns:
        None: of the untreated model.
    """
    if isinstance(treatment, Overwritten):
        return result_paths.languages_of(config, treatment, lang, source)[0]
    if isinstance(treatment, (Prompted, Steered)):
        return treatment.language or lang
    return None


def evaluated(
    config: Config, partners: Partners, task: str, row: Row
) -> dict[str, Any]:
    """Name an evaluation: its axes, its treatment, whose neurons, what is published."""
    columns = dict(treated(config, row.treatment))
    tuned = row.tuning.selection
    source = config.task(task).source_language
    columns["neuron_lang"] = towards(config, row.treatment, row.lang, source)
    if row.treatment == UNTREATED and tuned is not None:
        # Whose counts a tuning of random neurons has.
        base, number = split_draw(tuned.method)
        columns |= {"draw": number, "matched": config.method(base).control_of}
    axes = {"experiment": row.experiment, "task": task} | axes_of(row)
    return axes | columns | {"published": partners.values(task, row)}


def identity(config: Config, one: Evaluated) -> tuple[str, ...]:
    """Return what tells an evaluation from others of the same published number.

    Seeds are left out, and language sets of methods that do not compare languages:
    their neurons of a language are the same in any set.
    """
    row = one.row
    tuned, tuning, treatment = row.tuning, str(row.tuning), str(row.treatment)
    if tuned.selection is not None:
        tuning = f"{tuned.entry} {_selected(config, tuned.selection)}"
    if isinstance(row.treatment, Overwritten):
        parsed = row.treatment
        treatment = f"{_selected(config, parsed.selection)} {parsed.statistic}"
    return one.task, row.model, tuning, treatment


def _selected(config: Config, selection: Selection) -> str:
    """Name neurons without their language set where it does not matter."""
    method = config.method(selection.method).published_as
    return str(selection) if method in numbers.CONTRASTIVE else selection.method
