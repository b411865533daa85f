"""Language Steering Shift (LSS) and what it is made of, fact by fact.

Rahmanisa et al. 2025 (arXiv 2507.22581) amplify the neurons of a target language t
while a fact is asked in a base language b. With l(x) the log-probability, in nats, of
the fact's object in language x after the prompt in b, ``D = l(t) - l(b)``; LSS is the
share of facts whose D is larger with the treatment than without. As
``change of D = change of l(t) - change of l(b)``, LSS also rises where a treatment
harms both objects, the likelier one more; hence the other measures here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from langneurons.config.errors import DataError, unknown_name

Floats = npt.NDArray[np.float64]
Facts = npt.NDArray[np.int64]
Ties = Literal["drop", "count_as_fail"]
TIES: tuple[Ties, ...] = ("drop", "count_as_fail")

LSS, LSS_PLUS, DELTA_T, DELTA_B, SPEC, LSS_NORM = MEASURES = (
    "lss", "lss_plus", "delta_t", "delta_b", "spec", "lss_norm",
)  # fmt: skip
"""LSS; the share whose D and l(t) both rise; the changes of l(t) and l(b); the share
whose t gains most of all languages but b; LSS of log-probabilities per token."""


@dataclass(frozen=True)
class Answers:
    """How likely each language's object is after prompts in one base language.

    Attributes:
        facts: int64 [n] numbers of the facts, each once.
        languages: codes, one per column of the others.
        logprob: [n, languages] nats; NaN: the fact has no object in that language, or
            it is not scored, as where it is the base language's word.
        tokens: [n, languages] tokens of each object; NaN likewise.
        objects: [n, languages] its text, scored or not; empty where there is none.
        where: file that they are from, for messages.
    """

    facts: Facts
    languages: tuple[str, ...]
    logprob: Floats
    tokens: Floats
    objects: npt.NDArray[Any]
    where: str = "these answers"


@dataclass(frozen=True)
class Shift:
    """What a treatment did to the facts of one ordered pair of languages.

    Attributes:
        facts: int64 [n] those that count.
        values: of each of :data:`MEASURES` [n]: 0 or 1, or nats; NaN in ``spec`` where
            no third language has an object of its own.
        ties: facts whose two objects are the same word.
    """

    facts: Facts
    values: Mapping[str, Floats]
    ties: int


def shift(
    before: Answers, after: Answers, base: str, target: str, *, ties: Ties = "drop"
) -> Shift:
    """Set the answers under a treatment against those without, fact by fact.

    Args:
        before: without the treatment.
        after: with it; the same facts in the same order.
        base: language of the prompts.
        target: another one, whose object the treatment should make likelier.
        ties: facts whose two objects are the same word, so that D is 0 whatever is
            done: ``drop`` leaves them out, ``count_as_fail`` counts them as facts that
            did not shift (released code).

    Raises:
        DataError: other facts or languages on the two sides, a language that the
            answers do not have, or a number on one side only.
    """
    if ties not in TIES:
        raise DataError(unknown_name("ties", ties, TIES, "steering"))
    _check(before, after, (base, target))
    b, t = (before.languages.index(lang) for lang in (base, target))
    gain, words = after.logprob - before.logprob, before.objects
    tie = np.isfinite(gain[:, b]) & (words[:, b] == words[:, t]) & (words[:, b] != "")
    # A word that two languages have in common may have been scored for one of them.
    once = tie & ~np.isfinite(gain[:, t])
    gain[once, t] = gain[once, b]
    used = np.isfinite(gain[:, b]) & np.isfinite(gain[:, t])
    kept = used & ~tie if ties == "drop" else used
    fails = tie[kept]
    delta_t, delta_b = gain[kept, t], gain[kept, b]
    lengths = before.tokens[kept]
    per_token = delta_t / lengths[:, t] - delta_b / lengths[:, b]
    found = {
        LSS: _share(delta_t - delta_b > 0, fails),
        LSS_PLUS: _share((delta_t - delta_b > 0) & (delta_t > 0), fails),
        DELTA_T: delta_t,
        DELTA_B: delta_b,
        SPEC: _gains_most(gain[kept], before.objects[kept], b, t),
        LSS_NORM: _share(per_token > 0, fails),
    }
    found[SPEC][fails & np.isfinite(found[SPEC])] = 0.0
    return Shift(before.facts[kept], found, int(tie.sum()))


def _check(before: Answers, after: Answers, languages: Sequence[str]) -> None:
    """Refuse two sets of answers that do not belong together."""
    sides = f"{after.where} and {before.where}"
    if before.languages != after.languages:
        raise DataError(f"{sides}: answers in other languages")
    if not np.array_equal(before.facts, after.facts):
        raise DataError(f"{sides}: other facts, or another order of them")
    for lang in languages:
        if lang not in before.languages:
            known = ", ".join(before.languages)
            raise DataError(f"{before.where}: no answers in {lang}, only in {known}")
    one_side = np.isfinite(before.logprob) != np.isfinite(after.logprob)
    if one_side.any():
        row, column = map(int, np.argwhere(one_side)[0])
        raise DataError(
            f"{sides}: the object of fact {before.facts[row]} in "
            f"{before.languages[column]} has a finite log-probability in one of the "
            "two only"
        )
    if (before.objects != after.objects).any():
        row, column = map(int, np.argwhere(before.objects != after.objects)[0])
        raise DataError(
            f"{sides}: another object of fact {before.facts[row]} in "
            f"{before.languages[column]}"
        )


def _share(holds: npt.NDArray[np.bool_], fails: npt.NDArray[np.bool_]) -> Floats:
    return (holds & ~fails).astype(np.float64)


def _gains_most(gain: Floats, objects: npt.NDArray[Any], b: int, t: int) -> Floats:
    """Tell where t's word gains more than that of every third language.

    A third language whose object is t's very word is no rival.
    """
    rivals = np.isfinite(gain) & (objects != objects[:, [t]])
    rivals[:, [b, t]] = False
    best = np.where(rivals, gain, -np.inf).max(axis=1, initial=-np.inf)
    found = (gain[:, t] > best).astype(np.float64)
    found[~rivals.any(axis=1)] = np.nan
    return found


def first_half(facts: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    """Tell which facts are of the first half, on which settings are chosen.

    A fact is of the first half if the first byte of the SHA-256 of its number, written
    in decimal digits, is even: the same in every model, language and study.

    Args:
        facts: [n] numbers of facts.
    """
    digests = (
        hashlib.sha256(str(int(fact)).encode()).digest() for fact in np.ravel(facts)
    )
    return np.array([digest[0] % 2 == 0 for digest in digests], np.bool_)
