"""Hypotheses on bridges (Xu et al. 2025, BridgeX-ICL), judged by fixed rules.

Whether another language on the way helps (H8), and whether HSIC of shared neurons
chooses it better than what needs no kernels (H9). Numbers, intervals and tests are
those of the table of bridges: means over pairs with intervals over pairs and test
items, sign-flip tests over pairs. The tests of one hypothesis on one task and model are
corrected together (Holm).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from langneurons.stats import choices, significance
from langneurons.tables.common.bridge_choices import (
    ALWAYS_ENGLISH,
    DIRECT,
    RANDOM,
    VIA,
)
from langneurons.tables.common.bridge_numbers import ALL
from langneurons.tables.common.document import number
from langneurons.tables.common.metrics import TWO_POINTS, as_float
from langneurons.tables.common.words import NOTHING

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

HSIC, PLAIN = "hsic", "overlap"
"""Kinds of similarities: that of the study, and the plain count it is set against."""
KEYS = ["experiment", "task", "model"]
Row = Mapping[Any, Any]
Difference = tuple[str, float, float, float, float, int, float]
"""What differs: name, mean, low and high end, p, the pairs that it is over, and the
smallest p that those of them can give which differ."""


def h8(table: pd.DataFrame | None) -> Verdict:
    """Judge: another language on the way helps.

    Rule, for one task and model: two fixed ways to choose, English and the first
    similarity of kind hsic, each against the direct way, mean over pairs. A way is
    *clear* if its interval is on one side of zero and p < 0.05 after Holm's correction
    over the two.

    - not run: no table of bridges, or no pair with either.
    - supported: one is clear and above zero, and the other not clear and below.
    - contradicted: one is clear and below zero, and the other not clear and above.
    - undecided: neither is clear, and the pairs that differ are too few for p < 0.05,
      or an interval reaches beyond 2 points to either side.
    - not supported: anything else.

    Several tasks and models: see :func:`combine`.

    Args:
        table: of bridges, or None.
    """
    verdicts, found, sentences = [], [], []
    for name, rows in _places(table):
        first = next(iter(rows.loc[rows["kind"] == HSIC, "similarity"]), None)
        ways = {"English": ALWAYS_ENGLISH} | ({} if first is None else {first: first})
        given = [_gain(rows, own, DIRECT, title) for title, own in ways.items()]
        differences = _corrected([one for one in given if one is not None])
        if not differences:
            continue
        verdict = _of_either(differences)
        verdicts.append(verdict)
        found.append({"part": name, "verdict": verdict} | _numbers(differences))
        sentences.append(f"{name}: over the direct way {_said(differences)}")
    return _verdict("H8", verdicts, sentences, found)


def h9(table: pd.DataFrame | None) -> Verdict:
    """Judge: HSIC of shared neurons chooses better than English, chance and overlap.

    Rule, for one similarity of kind hsic on one task and model: the accuracy through
    its choice minus that (a) through English, (b) of a candidate at random and (c)
    through the choice of the first similarity of kind overlap. Clear is as in
    :func:`h8`, after Holm's correction over the three.

    - not run: no similarity of kind hsic chose.
    - supported: all three are clear and above zero.
    - contradicted: one is clear and below zero.
    - undecided: none of that, and one is missing, or is not clear where the pairs that
      differ are too few for p < 0.05 or its interval reaches beyond 2 points to either
      side.
    - not supported: anything else.

    Several similarities, tasks and models: see :func:`combine`.

    Args:
        table: of bridges, or None.
    """
    verdicts, found, sentences = [], [], []
    for name, rows in _places(table):
        plain = next(iter(rows.loc[rows["kind"] == PLAIN, "similarity"]), None)
        for own in dict.fromkeys(rows.loc[rows["kind"] == HSIC, "similarity"]):
            given = [
                _gain(rows, own, VIA, "English"),
                _gain(rows, own, RANDOM, "a random candidate"),
                _beside(table, rows, own, plain),
            ]
            differences = _corrected([one for one in given if one is not None])
            if not differences:
                continue
            verdict = _of_all(differences, missing=len(differences) < len(given))
            verdicts.append(verdict)
            part = f"{name}, {own}"
            found.append({"part": part, "verdict": verdict} | _numbers(differences))
            sentences.append(f"{part}: over {_said(differences)}")
    return _verdict("H9", verdicts, sentences, found)


def _places(table: pd.DataFrame | None) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield each task and model with the rows of means over pairs."""
    if table is None:
        return
    means = table[(table["pair"] == ALL) & (table["beside"] == NOTHING)]
    several = means["experiment"].nunique() > 1
    for (experiment, task, model), rows in means.groupby(KEYS, sort=False):
        yield f"{experiment}, " * several + f"{model} {task}", rows


def _gain(
    rows: pd.DataFrame, similarity: str, against: str, title: str
) -> Difference | None:
    """Return what a way to choose has over another one; None: no pair has both."""
    row = rows[rows["similarity"] == similarity].iloc[0].to_dict()
    pairs = row["pairs_english"] if against == VIA else row["pairs"]
    return _difference(row, against, title, int(pairs))


def _beside(
    table: pd.DataFrame | None, rows: pd.DataFrame, own: str, plain: str | None
) -> Difference | None:
    """Return what a similarity's choices have over those of the plain overlap."""
    if table is None or plain is None:
        return None
    place = rows.iloc[0]
    same = (table[KEYS] == place[KEYS]).all(axis=1)
    for first, second, sign in ((own, plain, 1), (plain, own, -1)):
        names = (table["similarity"] == first) & (table["beside"] == second)
        both = table[same & names]
        if len(both):
            row = both.iloc[0].to_dict()
            found = _difference(row, "beside", f"`{plain}`", int(row["pairs"]))
            if found is None or sign == 1:
                return found
            name, mean, low, high, p_value, pairs, least = found
            return name, -mean, -high, -low, p_value, pairs, least
    return None


def _difference(row: Row, against: str, title: str, pairs: int) -> Difference | None:
    mean = as_float(row[f"over_{against}"])
    if math.isnan(mean) or not pairs:
        return None
    low, high = (as_float(row[f"over_{against}_{end}"]) for end in ("low", "high"))
    # Without a test the two are the same on every pair.
    p_value = as_float(row[f"p_{against}"])
    p_value = 1.0 if math.isnan(p_value) else p_value
    least = as_float(row[f"p_least_{against}"])
    # No pair differs: that is certain if there are enough of them.
    least = choices.smallest(pairs) if math.isnan(least) else least
    return title, mean, low, high, p_value, pairs, least


def _corrected(given: Sequence[Difference]) -> list[Difference]:
    """Correct the p-values of a hypothesis for their number."""
    adjusted = significance.holm([one[4] for one in given])
    return [(*one[:4], p, *one[5:]) for one, p in zip(given, adjusted, strict=True)]


def _sign(one: Difference) -> int:
    """Return the side of zero that a difference is clearly on; 0: on neither."""
    _, _, low, high, p_value, *_ = one
    if not p_value < LEVEL:
        return 0
    return 1 if low > 0 else -1 if high < 0 else 0


def _is_blunt(one: Difference) -> bool:
    """Tell whether a difference that matters may be there all the same."""
    _, _, low, high, _, _, least = one
    return not least < LEVEL or low < -TWO_POINTS or high > TWO_POINTS


def _of_either(differences: Sequence[Difference]) -> str:
    """Apply the rule of :func:`h8`."""
    signs = {_sign(one) for one in differences}
    if signs in ({1}, {0, 1}):
        return SUPPORTED
    if signs in ({-1}, {0, -1}):
        return CONTRADICTED
    if signs == {0} and any(map(_is_blunt, differences)):
        return UNDECIDED
    return NOT_SUPPORTED


def _of_all(differences: Sequence[Difference], missing: bool) -> str:
    """Apply the rule of :func:`h9`."""
    signs = [_sign(one) for one in differences]
    if -1 in signs:
        return CONTRADICTED
    if set(signs) == {1} and not missing:
        return SUPPORTED
    blunt = [one for one in differences if not _sign(one) and _is_blunt(one)]
    return UNDECIDED if blunt or missing else NOT_SUPPORTED


def _said(differences: Sequence[Difference]) -> str:
    return ", ".join(
        f"{title} {_points(mean)} [{_points(low)}, {_points(high)}] points"
        f" (p {p_value:.2g}, {pairs} pairs)"
        for title, mean, low, high, p_value, pairs, _ in differences
    )


def _points(share: float) -> str:
    return number(100 * share, "+.1f")


def _numbers(differences: Sequence[Difference]) -> dict[str, float]:
    """Return the numbers behind a verdict, in percentage points."""
    found: dict[str, float] = {}
    for title, mean, low, high, _, pairs, _ in differences:
        name = f"{title.strip('`')}, points"
        ends = {name: mean, f"{name} low": low, f"{name} high": high}
        found |= {key: 100 * value for key, value in ends.items()}
        found["pairs"] = min(pairs, found.get("pairs", pairs))
    return found


def _verdict(
    key: str,
    verdicts: Sequence[str],
    sentences: Sequence[str],
    found: Sequence[Mapping[str, Any]],
) -> Verdict:
    if not verdicts:
        return Verdict(key, NOT_RUN, NEEDS[key], pd.DataFrame())
    shown = "; ".join(sentences[:MOST])
    if len(sentences) > MOST:
        shown += f"; and {len(sentences) - MOST} more, below"
    return Verdict(key, combine(verdicts), f"{shown}.", pd.DataFrame(found))


MOST = 4
"""Parts that the sentence of a verdict names; all are among its numbers."""
