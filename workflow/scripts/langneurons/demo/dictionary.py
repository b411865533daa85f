"""A dictionary with gaps: lines to learn it from, and files of its words.

A line is `en:"word"→hi:"word"`. Into a low-resource language only the words of its
bridge are translated; for those of the others the line ends in `?`. A model that has
learnt the dictionary thus knows the word of such a language from its bridge alone.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from langneurons.config.demo_entries import Bridging

from .facts import ADJECTIVES, HYPERNYMS, INTRANSITIVE, NOUNS, PLACES, TRANSITIVE
from .world import World

ARROW, GAP = "→", "?"
TAUGHT = (*NOUNS[:12], *ADJECTIVES, *PLACES)
"""Concepts whose words are in the lines."""
TESTED = tuple(concept for i, concept in enumerate(TAUGHT) if i % 5 < 3)
"""Those of them that are tests, 16 of 26; the others are probes."""
OTHERS = (*NOUNS[12:], *HYPERNYMS, *TRANSITIVE, *INTRANSITIVE)
"""Concepts whose words are in ordinary text only, and probes as well."""


@dataclass(frozen=True)
class Document:
    """A text, and whether it is a line of the dictionary."""

    text: str
    line: bool


def documents(world: World, plan: Bridging, seed: int) -> Iterator[Document]:
    """Yield lines and ordinary documents without end.

    Args:
        world: whose words and languages.
        plan: the bridges, and the shares of the kinds of lines.
        seed: of the choice.
    """
    rng = world.rng("bridging", seed)
    while True:
        if rng.random() < plan.ordinary:
            yield Document(_ordinary(world, plan, rng), line=False)
        else:
            yield Document(_line(world, plan, rng), line=True)


def _line(world: World, plan: Bridging, rng: random.Random) -> str:
    *known, last = _route(world, plan, rng)
    concept = rng.choice(TAUGHT)
    words = [world.languages[code].words[concept] for code in (*known, last)]
    if last in plan.through and plan.through[last] != known[-1]:
        words[-1] = GAP
    pairs = zip((*known, last), words, strict=True)
    return ARROW.join(f'{code}:"{word}"' for code, word in pairs)


def _route(world: World, plan: Bridging, rng: random.Random) -> list[str]:
    """Draw the languages of a line."""
    others = high_resource(world, plan)
    if rng.random() < plan.low:
        low = rng.choice(list(plan.through))
        bridge = plan.through[low]
        if rng.random() < plan.gaps:
            wrong = [code for code in others if code != bridge]
            # Another's bridge is the likeliest to be taken for this one's.
            often = [1 + (code in plan.through.values()) for code in wrong]
            return [*rng.choices(wrong, often), low]
        return [low, bridge] if rng.random() < plan.back else [bridge, low]
    chain = rng.random() < plan.chains and len(others) > 2
    return rng.sample(others, 3 if chain else 2)


def high_resource(world: World, plan: Bridging) -> list[str]:
    """List the languages between which all words are translated."""
    return [code for code in world.languages if code not in plan.through]


def _ordinary(world: World, plan: Bridging, rng: random.Random) -> str:
    """Write ordinary text where low-resource languages meet their bridges only."""
    first, second = world.choose(rng, 2)
    if rng.random() >= plan.mixed:
        second = first
    elif first in plan.through:
        second = plan.through[first]
    elif plan.through.get(second, first) != first:
        second = first
    return world.document(rng, first, second)


def rows(world: World, part: str, pair: tuple[str, str]) -> Iterator[str]:
    """Yield words with their translations, as in the files of MUSE.

    Args:
        world: whose words.
        part: ``test`` or ``probe``.
        pair: language of the first column and of the second.
    """
    one, two = (world.languages[code] for code in pair)
    for concept in _concepts(part):
        yield f"{one.words[concept]}\t{two.words[concept]}"


def _concepts(part: str) -> tuple[str, ...]:
    if part == "test":
        return TESTED
    return (*(concept for concept in TAUGHT if concept not in TESTED), *OTHERS)
