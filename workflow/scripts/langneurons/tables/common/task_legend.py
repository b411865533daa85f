"""How task tables are to be read: what is seen in cells, and what the columns are."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from langneurons.config.names import BASE

from . import bridged_text
from . import metrics as declared
from .document import Cell, Sign, bullet
from .metrics import RESUMMED, Shown
from .signs import (
    EMPTY,
    HOW_TESTED,
    MARKS,
    NOT_RUN,
    OF_ITEMS,
    SIGNIFICANT,
    has_parentheses,
    is_drawn,
    is_marked,
)
from .task_columns import is_control, of_languages
from .task_columns import is_marked as may_be_marked
from .words import ATTENTION, DIFFMEAN, NO_INT, POOLED, PROMPT, is_empty

WITHOUT = Sign(f"*{NO_INT}*", "no intervention", lambda title, _: title == NO_INT)
MARKED = Sign(
    MARKS,
    f"higher or lower than *{NO_INT}* on the same items, {SIGNIFICANT}",
    lambda title, cell: title != NO_INT and is_marked(title, cell),
    " over all comparisons of the same model and metric that may be marked here; "
    f"{HOW_TESTED}. Random neurons are a control and are not tested",
)
DRAWN = Sign(
    "*random*",
    "as many random neurons in each layer; mean [lowest, highest] draw",
    is_drawn,
)
PUBLISHED = Sign(
    "(in parentheses)",
    "the value published for the same cell, where there is one",
    has_parentheses,
)

WRITTEN = (
    "The other columns: the named statistic of the language is written into its "
    "neurons."
)
TUNED = (
    "*fine-tuned*: the languages whose neurons were tuned. The lines without "
    "languages are tunings without selected neurons, to compare with; `attention` is "
    "tuned everywhere, unless the configuration says otherwise."
)
BESIDE = {
    ATTENTION: "*attention*, *language neurons*: tuning of the attention alone, and "
    "of the neurons of the named languages too.",
    BASE: "*base*, *language neurons*: the model as it is, and after tuning of the "
    "neurons of the named languages.",
}
AS_IT_IS = "`base`: the model as it is, not fine-tuned; it has no seed."
PAIR = "{title}: {about}; *published*: the values of the line above it in the paper."
CORPUS = "{titles}: a number of all items together; without intervals, tests and marks."
SUMMED = (
    "{titles}: a number of all items together, made of statistics of single items; "
    "interval and test are those of a bootstrap that sums them up anew."
)
SEEDS = (
    "*pooled*: mean over seeds; the interval is for other seeds and other items, and "
    "the test is that of each item's mean over the seeds."
)
MATRIX = (
    "*of* a language: its neurons are overwritten. Where there are several, those of "
    "other languages than the items' are not tested; values have their 95 % interval "
    "instead."
)
MEANS = (
    "*mean of* languages, which are taken as given: each counts alike, with its own "
    "neurons; {target}the interval is a bootstrap over items, an item with all the "
    "languages that have it, and the test flips signs of items; Holm's correction is "
    "over means alone."
)
STEERING = {
    DIFFMEAN: "*diffmean*: no neurons; the mean difference of the named language "
    "from the others is added to the output of a decoder layer, `l12-s2`: twice, at "
    "layer 12 (from 0).",
    PROMPT: "*prompt*: nothing is written; an instruction that names the language "
    "stands before every item.",
}
LAST = (
    "The `.tsv` file beside this one has every seed, draw, interval and p-value, and "
    "the smallest difference that each test could have found."
)


def signs(table: pd.DataFrame, layout: str) -> list[Sign]:
    """List what may stand in cells of a table laid out; for its captions.

    Args:
        table: of a task, without bridges set against English.
        layout: interventions, tunings or random.
    """
    against = [x for x in (ATTENTION, BASE) if (table["against"] == x).any()]
    found = [EMPTY, NOT_RUN]
    if layout == "random":
        return [OF_ITEMS, *_of_random(against), *found]
    if bridged_text.is_bridged(table):
        return [*bridged_text.SIGNS, *found]
    tuned = [_of_tunings(against)] if layout == "tunings" else []
    return [WITHOUT, OF_ITEMS, MARKED, *tuned, DRAWN, *found]


def legend(
    table: pd.DataFrame, layout: str, groups: Sequence[Sequence[Shown]]
) -> list[str]:
    """Say how a table is to be read, for ``Bullets.of``.

    Args:
        table: of a task, without bridges set against English.
        layout: interventions, tunings or random.
        groups: metrics that share a cell; the primary group first.
    """
    against = [x for x in (ATTENTION, BASE) if (table["against"] == x).any()]
    if layout == "random":
        beside = _of_random(against)
        parts = [bullet(BESIDE[_reference(against)]), OF_ITEMS.bullet]
        parts += [sign.bullet for sign in beside]
    elif bridged_text.is_bridged(table):
        parts = bridged_text.legend()
    else:
        parts = [WITHOUT.bullet, OF_ITEMS.bullet, bullet(WRITTEN), MARKED.bullet]
    if layout == "tunings":
        parts += [bullet(TUNED), _of_tunings(against).bullet]
    if (table["tuning"] == BASE).any():
        parts.append(bullet(AS_IT_IS))
    marked = may_be_marked(table)
    controls = table.apply(is_control, axis=1).astype(bool)
    if layout != "random" and controls.any():
        parts.append(DRAWN.bullet)
    if (~marked[~controls & table["p_value"].notna()]).any():
        parts.append(bullet(MATRIX))
    if len(of_languages(table)) < len(table):
        tuned = "" if layout == "interventions" else "`target` is its own tuning; "
        parts.append(bullet(MEANS.format(target=tuned)))
    parts += [bullet(x) for m, x in STEERING.items() if m in set(table["method"])]
    if table.apply(is_empty, axis=1).any():
        parts.append(EMPTY.bullet)
    if len(groups[0]) > 1:
        about = declared.group_about(groups[0])
        parts.append(
            bullet(PAIR.format(title=declared.group_title(groups[0]), about=about))
        )
    elif table["published"].notna().any():
        parts.append(PUBLISHED.bullet)
    if (table["seed"] == POOLED).any():
        parts.append(bullet(SEEDS))
    untested = [x.metric_title for g in groups for x in g if not x.is_tested]
    if untested:
        parts.append(bullet(CORPUS.format(titles=", ".join(untested))))
    summed = [x.metric_title for g in groups for x in g if x.metric_kind == RESUMMED]
    if summed:
        parts.append(bullet(SUMMED.format(titles=", ".join(summed))))
    return [*parts, NOT_RUN.bullet, bullet(LAST)]


def _reference(against: Sequence[str]) -> str:
    """Name what tunings of random and selected neurons are set against."""
    return BASE if list(against) == [BASE] else ATTENTION


def _of_random(against: Sequence[str]) -> list[Sign]:
    """Explain marks and random neurons where both tunings stand side by side."""
    reference = _reference(against)
    seed = "" if reference == BASE else " and seed"
    marked = Sign(
        MARKS,
        f"higher or lower than *{reference}* on the same items{seed}, {SIGNIFICANT}",
        is_marked,
        " over all comparisons of the same model and metric that the table of selected "
        f"neurons alone may mark, so that both mark the same; {HOW_TESTED}",
    )
    drawn = Sign(
        "*random neurons*",
        "as many random neurons in each layer are tuned instead; mean [lowest, "
        "highest] draw",
        is_drawn,
        ". They are a control and are not tested",
    )
    return [marked, drawn]


def _of_tunings(against: Sequence[str]) -> Sign:
    """Say what tunings are set against: attention, base or both."""
    seed = "" if list(against) == [BASE] else " and seed"
    means = (
        f"higher or lower than `{_reference(against)}` without intervention on the "
        f"same items{seed}"
    )
    if BASE in against and seed:
        means += f"; at `{ATTENTION}` itself, than `{BASE}` on the same items"
    means += f"; {SIGNIFICANT}"
    return Sign(f"{MARKS} at *{NO_INT}*", means, _is_marked_without)


def _is_marked_without(title: str, cell: Cell) -> bool:
    return title == NO_INT and is_marked(title, cell)
