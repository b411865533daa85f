"""Hypotheses on amplification (Rahmanisa et al. 2025), judged by fixed rules.

Whether amplified neurons steer a model to their language, more than three controls
(H5), and whether this helps their own language (H6) and harms others (H7). Of each
model and selection the factor with the largest LSS on the first half of the facts
counts. Numbers, intervals and tests are those of the table of amplification; what is
significant is so after Holm's correction, as in ``verdicts``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from langneurons.stats.steering import DELTA_T, LSS_PLUS
from langneurons.tables.common.amplification_numbers import NONE, PERPLEXITY, SECOND
from langneurons.tables.common.amplification_text import between, written
from langneurons.tables.common.metrics import PERCENT, TWO_POINTS, as_float
from langneurons.tables.common.ways import CONTROLS, OTHER, OWN
from langneurons.tables.common.words import RANDOM

from .effects import LEVEL
from .verdicts import (
    CONTRADICTED,
    NEEDS,
    NOT_RUN,
    NOT_SUPPORTED,
    SUPPORTED,
    UNDECIDED,
    Verdict,
    combine,
)

KEYS = ["experiment", "model", "method", "langset"]
Row = Mapping[Any, Any]


def h5(table: pd.DataFrame | None) -> Verdict:
    """Judge: amplified neurons steer to their language, more than three controls.

    Rule, for one model and selection, on the second half of the facts: (a) the target's
    object becomes likelier: the 95 % interval of its mean change lies above zero; and
    LSS+ is significantly higher than that of (b) random neurons, (c) the prompt and (d)
    DiffMean.

    - not run: no table of amplification.
    - supported: (a) to (d).
    - contradicted: the opposite of any of them: the interval of (a) lies below zero, or
      LSS+ is significantly lower than a control's.
    - undecided: none of that, but a control was not run, or one that is not clear could
      not have shown 2 points (or shows no item that differs at all).
    - not supported: anything else.

    Several selections: see :func:`combine`.

    Args:
        table: of amplification, or None.
    """
    verdicts, found, sentences = [], [], []
    for name, rows in _chosen(table):
        facts = rows[rows["facts"] == SECOND]
        steered = _one(facts, DELTA_T, NONE)
        if steered is None:
            continue
        against = {other: _one(facts, LSS_PLUS, other) for other in CONTROLS}
        verdict = _of_controls(steered, list(against.values()))
        verdicts.append(verdict)
        line = {"part": name, "verdict": verdict, "facts": steered["n"]}
        line |= _with_ends("target's object, nats", steered, "value", "ci_")
        for other, row in against.items():
            line |= _with_ends(f"LSS+ minus {other}", row, "delta", "delta_ci_")
        found.append(line)
        beside = ", ".join(f"{other} {_written(row)}" for other, row in against.items())
        ends = between(steered["ci_low"], steered["ci_high"], "nats", True)
        sentences.append(
            f"{name}: the target's object changes by "
            f"{written(steered['value'], 'nats', True)}{ends} nats; LSS+ minus that of "
            f"{beside}"
        )
    return _verdict("H5", verdicts, sentences, found)


def _of_controls(steered: Row, against: Sequence[Row | None]) -> str:
    """Apply the rule of :func:`h5`."""
    clear = [row for row in against if row is not None and _clear(row)]
    if steered["ci_high"] < 0 or any(row["delta"] < 0 for row in clear):
        return CONTRADICTED
    if steered["ci_low"] > 0 and len(clear) == len(CONTROLS):
        return SUPPORTED
    blunt = [row for row in against if row is None or not (_clear(row) or _sharp(row))]
    return UNDECIDED if blunt else NOT_SUPPORTED


def h6(table: pd.DataFrame | None) -> Verdict:
    """Judge: amplification helps where the amplified language is tested.

    Rule, for one model, selection and task: the mean change where the language whose
    neurons are amplified is tested.

    - not run: no task but the facts was tested under amplification, or none with the
      best factor, which is said.
    - supported: significantly above zero, and significantly above random neurons.
    - contradicted: significantly below zero.
    - undecided: above zero, but random neurons were not run; or not significant where
      2 points could not have been shown.
    - not supported: anything else.

    Several tasks and selections: see :func:`combine`. Text is shown, not judged: it
    becomes easier or harder for reasons that are no help to a reader.

    Args:
        table: of amplification, or None.
    """
    return _of_changes("H6", table, OWN, 1)


def h7(table: pd.DataFrame | None) -> Verdict:
    """Judge: amplification harms where other languages are tested.

    The rule is that of :func:`h6`, of the mean change over all other languages, with
    above and below exchanged.

    Args:
        table: of amplification, or None.
    """
    return _of_changes("H7", table, OTHER, -1)


def _of_changes(
    key: str, table: pd.DataFrame | None, metric: str, sign: int
) -> Verdict:
    verdicts, found, sentences = [], [], _with_other_factors(table, metric)
    for name, rows in _chosen(table):
        text = _one(rows[rows["task"] == PERPLEXITY], metric, NONE)
        judged = (rows["task"] != PERPLEXITY) & (rows["judged"] == "yes")
        for task, part in rows[judged].groupby("task", sort=False):
            change = _one(part, metric, NONE)
            if change is None:
                continue
            gain = _one(part, metric, RANDOM)
            verdict = _of_change(change, gain, sign)
            verdicts.append(verdict)
            unit = str(change["unit"])
            shown = "points" if unit == PERCENT else unit
            line = {"part": f"{name}, {task}", "verdict": verdict, "items": change["n"]}
            line |= _with_ends(f"change, {shown}", change, "value", "ci_")
            line |= _with_ends(f"minus {RANDOM}, {shown}", gain, "delta", "delta_ci_")
            line |= _with_ends("text, nats per token", text, "value", "ci_")
            found.append(line)
            value = written(change["value"], unit, True)
            value += between(change["ci_low"], change["ci_high"], unit, True)
            sentences.append(
                f"{name}, {task}: {value} {shown}, minus random neurons "
                f"{_written(gain)}"
            )
    return _verdict(key, verdicts, sentences, found)


def _with_other_factors(table: pd.DataFrame | None, metric: str) -> list[str]:
    """Say which tasks were tested with other factors only than the best one."""
    found: list[str] = []
    if table is None:
        return found
    judged = (table["task"] != PERPLEXITY) & (table["judged"] == "yes")
    changes = table[(table["metric"] == metric) & judged]
    for name, best in _chosen(table):
        first = best.iloc[0]
        same = changes[(changes[KEYS] == first[KEYS]).all(axis=1)]
        tested = best.loc[best["metric"] == metric, "task"]
        found += [
            f"{name}: the best factor, {first['statistic']}, was not run on {task}; "
            "name it under by_task"
            for task in dict.fromkeys(same["task"])
            if task not in set(tested)
        ]
    return found


def _of_change(change: Row, gain: Row | None, sign: int) -> str:
    """Apply the rule of :func:`h6`; ``sign`` is -1 for :func:`h7`."""
    if change["p_holm"] < LEVEL and change["value"] * sign < 0:
        return CONTRADICTED
    if change["p_holm"] < LEVEL and change["value"] * sign > 0:
        if gain is None:
            return UNDECIDED
        if _clear(gain) and gain["delta"] * sign > 0:
            return SUPPORTED
        return NOT_SUPPORTED if _clear(gain) or _sharp(gain) else UNDECIDED
    return NOT_SUPPORTED if _sharp(change) else UNDECIDED


def _chosen(table: pd.DataFrame | None) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield each model and selection, with the rows of its best factor."""
    if table is None:
        return
    best = table[(table["rank"] == 1) & ~table["method"].isin(CONTROLS)]
    several = best["experiment"].nunique() > 1
    for (experiment, model, method, langset), rows in best.groupby(KEYS, sort=False):
        front = f"{experiment}, " if several else ""
        factor = rows["statistic"].iloc[0]
        yield f"{front}{model} {method}.{langset}.{factor}", rows


def _one(rows: pd.DataFrame, metric: str, against: str) -> Row | None:
    """Return the row of a metric against something, if it is there with a number."""
    found = rows[(rows["metric"] == metric) & (rows["against"] == against)]
    column = "value" if against == NONE else "delta"
    found = found[found[column].notna()]
    return None if found.empty else found.iloc[0].to_dict()


def _clear(row: Row) -> bool:
    return bool(row["p_holm"] < LEVEL and row["delta"] != 0)


def _sharp(row: Row) -> bool:
    """Tell whether a test could have shown a difference that matters."""
    return str(row["unit"]) == PERCENT and as_float(row["detectable"]) <= TWO_POINTS


def _written(row: Row | None) -> str:
    if row is None:
        return "not run"
    unit = str(row["unit"])
    ends = between(row["delta_ci_low"], row["delta_ci_high"], unit, True)
    return f"{written(row['delta'], unit, True)}{ends}"


def _with_ends(name: str, row: Row | None, value: str, ends: str) -> dict[str, float]:
    """Return a mean and its interval, in percentage points where it is a share."""
    columns = {name: value, f"{name} low": f"{ends}low", f"{name} high": f"{ends}high"}
    if row is None:
        return dict.fromkeys(columns, math.nan)
    scale = 100.0 if str(row["unit"]) == PERCENT else 1.0
    return {key: scale * as_float(row[column]) for key, column in columns.items()}


def _verdict(
    key: str,
    verdicts: Sequence[str],
    sentences: Sequence[str],
    found: Sequence[Mapping[str, Any]],
) -> Verdict:
    if not verdicts:
        said = f"{'. '.join(sentences)}." if sentences else NEEDS[key]
        return Verdict(key, NOT_RUN, said, pd.DataFrame())
    shown = "; ".join(sentences[:MOST])
    if len(sentences) > MOST:
        shown += f"; and {len(sentences) - MOST} more, below"
    numbers = pd.DataFrame(found)
    return Verdict(key, combine(verdicts), f"{shown}.", numbers)


MOST = 4
"""Parts that the sentence of a verdict names; all are among its numbers."""
