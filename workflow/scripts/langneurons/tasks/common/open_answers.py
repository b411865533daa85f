"""Open answers: which language they are in, and what shows that they are damaged."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from langneurons.text import language_identity
from langneurons.text.language_identity import Identifier

if TYPE_CHECKING:
    import pandas as pd

WORDS, LINES = "words_", "lines_"
"""Beginnings of columns with shares of an answer, before a language's code."""
OTHER, NONE = "other", "none"
"""In place of a code: another language than those asked for, and none that is found."""
GRAM = 4
"""Tokens of a piece of text that counts as repeated."""
LOOP_TIMES, LOOP_TOKENS = 3, 12
"""A block ends an answer so often in a row, over so many tokens at least: a loop."""


def table(
    items: Sequence[Mapping[str, Any]],
    made: Sequence[Sequence[int]],
    texts: Sequence[str],
    *,
    told: Sequence[str],
    language: str,
    identifier: Identifier,
) -> pd.DataFrame:
    """Say of each answer which language it is in, and how it repeats itself.

    Args:
        items: prompts, with ``id`` and ``prompt``.
        made: tokens of each answer, without its end.
        texts: the answers.
        told: languages whose shares are kept.
        language: of the prompts, one of them.
        identifier: tells languages.

    Returns:
        DataFrame: item int32; words, lines, repetition and length float32; loops and
        empty bool; ``words_`` and ``lines_`` of each language, other and none float32;
        prompt and answer text.
    """
    import pandas as pd

    by_words = _kept(map(identifier.shares, texts), told)
    lines = (language_identity.of_lines(text, identifier) for text in texts)
    by_lines = _kept(lines, told)
    numbers: dict[str, Any] = {
        "words": by_words[language],
        "lines": by_lines[language],
        "repetition": [repetition(tokens) for tokens in made],
        "length": [len(tokens) for tokens in made],
        **{f"{WORDS}{name}": values for name, values in by_words.items()},
        **{f"{LINES}{name}": values for name, values in by_lines.items()},
    }
    found = pd.DataFrame({"item": np.asarray([x["id"] for x in items], np.int32)})
    return found.assign(
        **{name: np.asarray(values, np.float32) for name, values in numbers.items()},
        loops=[loops(tokens) for tokens in made],
        empty=[not any(map(str.isalpha, text)) for text in texts],
        prompt=[item["prompt"] for item in items],
        answer=list(texts),
    )


def _kept(
    given: Iterable[Mapping[str, float]], languages: Sequence[str]
) -> dict[str, list[float]]:
    """Take the shares of languages, of all others together, and what is left."""
    found: dict[str, list[float]] = {x: [] for x in (*languages, OTHER, NONE)}
    for shares in given:
        for lang in languages:
            found[lang].append(shares.get(lang, 0.0))
        other = sum(share for x, share in shares.items() if x not in languages)
        found[OTHER].append(other)
        found[NONE].append(max(0.0, 1 - sum(shares.values())))
    return found


def repetition(tokens: Sequence[int]) -> float:
    """Return the share of a text's 4-grams of tokens that stood there before."""
    grams = [tuple(tokens[i : i + GRAM]) for i in range(len(tokens) - GRAM + 1)]
    return 1 - len(set(grams)) / len(grams) if grams else 0.0


def loops(tokens: Sequence[int]) -> bool:
    """Tell whether a text ends in a block that stands there again and again."""
    for period in range(1, len(tokens) // LOOP_TIMES + 1):
        same = 0
        for now, before in zip(
            reversed(tokens), reversed(tokens[:-period]), strict=False
        ):
            if now != before:
                break
            same += 1
        if same + period >= max(LOOP_TIMES * period, LOOP_TOKENS):
            return True
    return False
