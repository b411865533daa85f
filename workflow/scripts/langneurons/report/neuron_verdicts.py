"""The paper's hypotheses on the neurons themselves, judged by fixed rules.

Whether they are language-specific (H3), and whether writing low percentiles into them
is something else than writing zero (H4). What the rules share is in ``verdicts``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd

from langneurons.tables.common import words
from langneurons.tables.common.metrics import Shown
from langneurons.tables.common.perplexity_summary import perplexity_summary

from . import effects
from .effects import LEVEL, Interval
from .verdicts import (
    CONTRADICTED,
    NEEDS,
    NOT_RUN,
    NOT_SUPPORTED,
    SUPPORTED,
    UNDECIDED,
    Sources,
    Tables,
    Verdict,
    combine,
    interval_columns,
    points,
)

SWITCHED_OFF = "zero"
FEWEST_LANGUAGES = 5
"""With fewer, an exact sign-flip test cannot reach p < 0.05 (1/16 with four)."""

HINT = 0.2
"""A p-value below it points somewhere; too few languages to say more."""


def h3(table: pd.DataFrame | None) -> Verdict:
    """Judge: the identified neurons are language-specific (section 3.1 of methods.md).

    Rule, for one model and selection, over its languages: switching a language's
    neurons off raises the negative log-likelihood of its own text by more (a) than that
    of other languages' text, and (b) than as many random neurons do. Exact sign-flip
    tests over languages, one-sided; both must hold, so no correction is needed.

    - not run: no perplexities of neurons that are switched off (statistic ``zero``).
    - undecided: fewer than five languages; or (a) holds and (b) was not run; or both
      have p < 0.2 but not p < 0.05, which a few languages can hardly reach.
    - supported: p < 0.05 for (a) and for (b).
    - contradicted: p < 0.05 for the opposite of (a) or of (b).
    - not supported: anything else.

    Other statistics do not count: what a mean changes, or an amplification, is another
    question. Several selections: see :func:`combine`.

    Args:
        table: the perplexity table, or None.
    """
    summary = None if table is None else perplexity_summary(table)
    if summary is not None:
        is_off = summary["statistic"] == SWITCHED_OFF
        summary = summary[is_off & (summary["n_neurons"] > 0)]
    if summary is None or summary.empty:
        return Verdict("H3", NOT_RUN, NEEDS["H3"], pd.DataFrame())
    verdicts, found = [], []
    keys = ["model", "method", "langset", "statistic"]
    for values, part in summary.groupby(keys, sort=False):
        part = part[part["own"].notna()]
        others = effects.sign_flip(list(part["own"] - part["others"]))
        random = effects.sign_flip(list(part["own"] - part["random_median"]))
        controlled = bool(part["random_median"].notna().all())
        verdict = NOT_SUPPORTED
        if len(part) < FEWEST_LANGUAGES:
            verdict = UNDECIDED
        elif others[1] < LEVEL or (controlled and random[1] < LEVEL):
            verdict = CONTRADICTED
        elif others[0] < LEVEL and not controlled:
            verdict = UNDECIDED
        elif others[0] < LEVEL and random[0] < LEVEL:
            verdict = SUPPORTED
        elif controlled and max(others[0], random[0]) < HINT:
            verdict = UNDECIDED
        verdicts.append((f"{values[0]} {values[1]}.{values[2]}", verdict))
        found.append(
            {
                "part": verdicts[-1][0],
                "verdict": verdict,
                "statistic": values[3],
                "languages": len(part),
                "own text": part["own"].mean(),
                "other texts": part["others"].mean(),
                "random neurons": part["random_median"].mean(),
                "p (own > others)": others[0],
                "p (own > random)": random[0] if controlled else math.nan,
            }
        )
    numbers = pd.DataFrame(found)
    # Like beside like: selections without random neurons would move the other means.
    beside_random = numbers[numbers["random neurons"].notna()]
    shown = numbers if beside_random.empty else beside_random
    mean = shown[["own text", "other texts", "random neurons"]].mean()
    beside = (
        "" if math.isnan(mean.iloc[2]) else f", random neurons by {mean.iloc[2]:+.3f}"
    )
    own = shown["own text"]
    apart = f" ({own.min():+.3f} to {own.max():+.3f} by selection)" * (len(own) > 1)
    sentence = (
        f"{_share([v for _, v in verdicts], 'selection')}: switched off, they change "
        f"their own language's text by {mean.iloc[0]:+.3f} nats per token{apart}, "
        f"other languages' by {mean.iloc[1]:+.3f}{beside} (mean over languages)."
    )
    if len(shown) < len(numbers):
        sentence += f" That is of {len(shown)} with random neurons, of {len(numbers)}."
    if (numbers["languages"] < FEWEST_LANGUAGES).all():
        sentence += f" A verdict takes {FEWEST_LANGUAGES} languages or more."
    return Verdict("H3", combine([v for _, v in verdicts]), sentence, numbers)


def h4(profiles: pd.DataFrame | None, by_task: Tables, sources: Sources) -> Verdict:
    """Judge: overwriting with low percentiles differs from overwriting with zero.

    The paper measures values before the activation function and writes them after it.
    A difference that is there only then is one of the sites, not of the neurons. Rule,
    for the primary metric on target languages, with percentiles up to the 25th minus
    ``zero`` (from the profiles table or else the task tables), over model-language
    pairs, once as in the paper and once measured and written at the same site:

    - not run: no low percentile and zero for the same neurons under both.
    - supported: clearly different from zero at the same site.
    - undecided: not clear at the same site, and the interval reaches beyond a
      difference that matters (2 points, unless the task declares another).
    - contradicted: clear as in the paper only, and at least one cell differs
      significantly between the two ways.
    - not supported: anything else.

    Means are over numbers of one unit: tasks whose primary metric has another one than
    the first task's are left out, and named.

    Args:
        profiles: the profiles table, or None.
        by_task: task tables by task.
        sources: language of the training data by task.
    """
    rows = _against_zero(profiles, by_task, sources)
    if rows.empty:
        return Verdict("H4", NOT_RUN, NEEDS["H4"], pd.DataFrame())
    metric = Shown.read(rows.iloc[0])
    other = rows["unit"] != rows["unit"].iloc[0]
    left = ", ".join(dict.fromkeys(rows.loc[other, "task"]))
    rows = rows[~other]
    paper = effects.over_pairs(rows["paper_delta"] - rows["zero_paper"], rows)
    same = effects.over_pairs(rows["consistent_delta"] - rows["zero_same"], rows)
    clear = int((rows["p_holm"] < LEVEL).sum())
    if same.sign:
        verdict = SUPPORTED
    elif same.holds(metric.matters):
        verdict = UNDECIDED
    elif paper.sign and clear:
        verdict = CONTRADICTED
    else:
        verdict = NOT_SUPPORTED
    sentence = (
        f"Low percentiles minus zero: {points(paper, metric)} with the paper's sites, "
        f"{points(same, metric)} with equal sites, over {same.n} model-language pairs; "
        f"{clear} of {int(rows['p_holm'].notna().sum())} low-percentile cells differ "
        "significantly between the two."
    )
    if left:
        sentence += f" Left out, measured in another unit: {left}."
    numbers = pd.DataFrame(
        [
            _interval_row("low percentiles - zero, paper's sites", paper),
            _interval_row("low percentiles - zero, equal sites", same),
            _interval_row(
                "low percentiles, equal - paper's sites",
                effects.over_pairs(rows["difference"], rows),
            ),
        ]
    )
    return Verdict("H4", verdict, sentence, numbers, (metric,) * len(numbers))


def _against_zero(
    profiles: pd.DataFrame | None, by_task: Tables, sources: Sources
) -> pd.DataFrame:
    """Return the low-percentile rows, with what zero did to the same neurons."""
    if profiles is None or profiles.empty:
        return pd.DataFrame()
    kept = [
        effects.chosen_rows(part, sources.get(str(task)))
        for task, part in profiles.groupby("task", sort=False)
    ]
    rows = pd.concat(kept)
    # Random neurons are a control; where there are no neurons there is no difference.
    rows = rows[rows["draw"].isna() & rows["difference"].notna()]
    keys = ["task", "model", "tuning", "seed", "lang", "method", "langset"]
    beside = rows[rows["value_name"] == SWITCHED_OFF]
    zero = beside.set_index(keys)[["paper_delta", "consistent_delta"]]
    more = []
    for task, table in by_task.items():
        found = effects.chosen_rows(table, sources.get(task)).assign(task=task)
        found = found[
            (found["statistic"] == SWITCHED_OFF) & (found["method"] != words.RANDOM)
        ]
        both = {"paper_delta": found["delta"], "consistent_delta": found["delta"]}
        more.append(found.assign(**both).set_index(keys)[[*both]])
    zero = pd.concat([zero, *more])
    zero = zero[~zero.index.duplicated()]
    zero.columns = pd.Index(["zero_paper", "zero_same"])
    is_low = rows["value_name"].map(_is_low_percentile).astype(bool)
    return rows[is_low].join(zero, on=keys, how="inner")


def _is_low_percentile(name: str) -> bool:
    return name.startswith("p") and name[1:].isdigit() and int(name[1:]) <= 25


def _interval_row(part: str, value: Interval) -> dict[str, object]:
    return {"part": part, "pairs": value.n} | interval_columns("change", value)


def _share(verdicts: Sequence[str], what: str) -> str:
    """Say how many parts support the hypothesis."""
    n = verdicts.count(SUPPORTED)
    plural = "" if len(verdicts) == 1 else "s"
    return f"Supported for {n} of {len(verdicts)} {what}{plural}"
