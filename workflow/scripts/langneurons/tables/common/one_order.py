"""One order of languages for whatever shows them: that of the language set.

The rows of a table follow the configuration, but each language of prompts or test items
leaves some languages of neurons out: facts shift to another language, not to their own.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pandas as pd

from langneurons.config.names import target_of


def languages(rows: pd.DataFrame) -> tuple[list[str], list[str]]:
    """Order the languages of a matrix.

    Args:
        rows: with ``lang`` (tested, or a pair) and ``neuron_lang``, in the order of a
            table.

    Returns:
        The tested languages, those without neurons last, and the languages of neurons.
    """
    by_lang = rows.groupby("lang", sort=False)["neuron_lang"]
    whose = merged([list(dict.fromkeys(own)) for _, own in by_lang])
    place = {lang: i for i, lang in enumerate(whose)}
    tested = dict.fromkeys(rows["lang"])
    end = len(place)
    return sorted(tested, key=lambda lang: place.get(target_of(lang), end)), whose


def merged(lists: Iterable[Sequence[str]]) -> list[str]:
    """Merge lists that each leave out some of what stands in one common order.

    Where they have none, the first list decides.
    """
    left, found = [list(one) for one in lists], list[str]()
    while left := [one for one in left if one]:
        free = (x[0] for x in left if not any(x[0] in y[1:] for y in left))
        first = next(free, left[0][0])
        found.append(first)
        left = [[name for name in one if name != first] for one in left]
    return found
