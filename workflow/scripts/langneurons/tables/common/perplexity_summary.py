"""Whether switching a language's neurons hurts text of that language most."""

from __future__ import annotations

import pandas as pd

from langneurons.config.names import NO_TREATMENT

from .words import DIFFMEAN, PROMPT, RANDOM


def perplexity_summary(table: pd.DataFrame) -> pd.DataFrame:
    """Sum up whether switching a language's neurons hurts that language most.

    Args:
        table: of perplexities.

    Returns:
        One row for each selection and language whose neurons are switched:
        ``own``, the change of nats per token of that language's own text; ``others``,
        the mean over texts of other languages; ``random_median``, ``random_low``,
        ``random_high`` and ``draws``, the change of the own text when as many random
        neurons are switched instead (NaN without such controls). A language without
        neurons has changes of NaN, and no draws.
    """
    keys = ["model", "method", "langset", "statistic", "neuron_lang"]
    of_neurons = ~table["method"].isin((PROMPT, DIFFMEAN))
    treated = table[(table["statistic"] != NO_TREATMENT) & of_neurons]
    control = treated[treated["method"] == RANDOM]
    found = []
    for values, part in treated[treated["method"] != RANDOM].groupby(keys, sort=False):
        named = dict(zip(keys, values, strict=True))
        lang = named["neuron_lang"]
        same = control["matched"] == named["method"]
        for key in ("model", "langset", "statistic", "neuron_lang"):
            same &= control[key] == named[key]
        drawn = control.loc[same & (control["lang"] == lang), "delta_nll"].dropna()
        is_own = part["lang"] == lang
        found.append(
            named
            | {
                "n_neurons": int(part["n_neurons"].iloc[0]),
                "own": part.loc[is_own, "delta_nll"].mean(),
                "others": part.loc[~is_own, "delta_nll"].mean(),
                "random_median": drawn.median(),
                "random_low": drawn.min(),
                "random_high": drawn.max(),
                "draws": len(drawn),
            }
        )
    more = ["n_neurons", "own", "others"]
    more += ["random_median", "random_low", "random_high", "draws"]
    return pd.DataFrame(found, columns=[*keys, *more])
