"""Exact match and F1 of a generated answer (methods.md 2.4).

Three readings of "the same answer": token ids (Mondal et al. 2025), the words of SQuAD
1.1 (Rajpurkar et al. 2016), and those of MLQA (Lewis et al. 2020), whose rules depend
on the language.
"""

from __future__ import annotations

import re
import string
import sys
import unicodedata
from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from functools import cache, lru_cache

ARTICLES = {
    "en": r"\b(?:a|an|the)\b",
    "es": r"\b(?:un|una|unos|unas|el|la|los|las)\b",
    "de": r"\b(?:ein|eine|einen|einem|eines|einer|der|die|das|den|dem|des)\b",
    "vi": r"\b(?:của|là|cái|chiếc|những)\b",
    # As MLQA's script has it: the article is part of its word, and the two letters go
    # wherever they stand.
    "ar": "ال",
}
"""MLQA's articles and particles. Other languages, hi and zh among them, have none."""

_HAN = re.compile("([\u4e00-\u9fa5])")


def token_id_scores(
    predicted: Sequence[int], gold: Sequence[int]
) -> tuple[bool, float]:
    """Compare token ids as they are, without any normalisation (the paper's metric).

    Args:
        predicted: ids that the model produced, with EOS if it stopped.
        gold: ids of a blank and the first gold answer, then EOS.

    Returns:
        Whether the ids are the same, and F1 over the two multisets of ids. EOS is a
        token like any other: an answer that is all wrong but ends has F1 above 0.
    """
    return list(predicted) == list(gold), _f1(predicted, gold)


def squad_scores(prediction: str, golds: Sequence[str]) -> tuple[bool, float]:
    """Compare words as SQuAD 1.1 does, whatever the language.

    Lower case, without ASCII punctuation and English articles. Text without blanks, as
    in Chinese, is one word, so that its F1 is close to the exact match.

    Returns:
        Exact match and F1, each the best over the gold answers.
    """
    return _best(prediction, golds, _squad_words)


def mlqa_scores(
    prediction: str, golds: Sequence[str], language: str
) -> tuple[bool, float]:
    """Compare words as MLQA does, by the rules of the language.

    Lower case, without the punctuation of any script and without the language's
    articles. In zh each Chinese character is a word of its own. A language for which
    MLQA has no rule is read as words between blanks and keeps all of them.

    Args:
        prediction: text that the model produced.
        golds: all right answers.
        language: code such as ``vi``.

    Returns:
        Exact match and F1, each the best over the gold answers.
    """
    return _best(prediction, golds, lambda text: mlqa_words(text, language))


def _best(
    prediction: str, golds: Sequence[str], words: Callable[[str], Sequence[str]]
) -> tuple[bool, float]:
    if not golds:
        raise ValueError("there is no gold answer to compare with")
    found = words(prediction)
    wanted = [words(gold) for gold in golds]
    return found in wanted, max(_f1(found, gold) for gold in wanted)


def _f1(predicted: Sequence[Hashable], gold: Sequence[Hashable]) -> float:
    if not predicted or not gold:
        # SQuAD 1.1's script says 0 where both are empty, against its own exact match.
        return float(not predicted and not gold)
    common = sum((Counter(predicted) & Counter(gold)).values())
    return 2 * common / (len(predicted) + len(gold))


def _squad_words(text: str) -> Sequence[str]:
    bare = text.lower().translate(_ASCII_PUNCTUATION)
    return re.sub(ARTICLES["en"], " ", bare).split()


_ASCII_PUNCTUATION = dict.fromkeys(map(ord, string.punctuation))


@cache
def _punctuation() -> dict[int, None]:
    """Map every punctuation character to nothing: Unicode's P*, and all of ASCII's.

    ASCII's include signs that Unicode calls symbols, such as ``$`` and ``+``.
    """
    found = [
        code
        for code in range(sys.maxunicode + 1)
        if unicodedata.category(chr(code)).startswith("P")
    ]
    return dict.fromkeys(found) | _ASCII_PUNCTUATION


@lru_cache(maxsize=4096)
def mlqa_words(text: str, language: str) -> tuple[str, ...]:
    """Split text into the words that MLQA compares; see ``mlqa_scores``."""
    bare = text.lower().translate(_punctuation())
    if language in ARTICLES:
        bare = re.sub(ARTICLES[language], " ", bare)
    if language == "zh":
        bare = _HAN.sub(r" \1 ", bare)
    return tuple(bare.split())
