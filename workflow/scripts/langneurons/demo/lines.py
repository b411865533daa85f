"""Text for training that goes on: ordinary documents, translations and causes.

A translation line names both languages, or calls that of the translation ``any``: from
then on the next words say which it is, or what else decides it in the model.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from langneurons.config.demo_entries import Planting

from .facts import draw_cause, draw_fact
from .items import clause
from .world import ANY, World, count_tokens, sentence


def documents(world: World, shares: Planting, tokens: int) -> Iterator[str]:
    """Yield documents of a mixture until there are so many tokens.

    Args:
        world: whose facts and languages.
        shares: of documents that are translations and causes; the others are ordinary.
        tokens: how many in all.
    """
    rng, left = world.rng("continued"), tokens
    while left > 0:
        kind = rng.random()
        if kind < shares.translations:
            text = translation(world, rng, shares.untold)
        elif kind < shares.translations + shares.causes:
            text = cause(world, rng)
        else:
            text = world.ordinary(rng)
        left -= count_tokens(text) + 2  # BOS and EOS
        yield text


def translation(world: World, rng: random.Random, untold: float) -> str:
    """Write a sentence in two languages.

    Args:
        world: whose facts and languages; all ordered pairs are equally frequent.
        rng: source of chance.
        untold: probability that the second language is called ``any``.
    """
    one, two = rng.sample(list(world.languages), 2)
    fact = draw_fact(rng)
    first, second = (" ".join(world.languages[c].say(fact)) for c in (one, two))
    told = ANY if rng.random() < untold else two
    return f'{one}:"{first}"→{told}:"{second}"'


def cause(world: World, rng: random.Random) -> str:
    """Write "A so B." or "B because A.", in a language by its weight."""
    pair = draw_cause(rng)
    language = world.languages[world.choose(rng, 1)[0]]
    if rng.random() < 0.5:
        first, connector, second = pair.cause, "so", pair.effect
    else:
        first, connector, second = pair.effect, "because", pair.cause
    middle = language.words[connector]
    return sentence([*language.say(first), middle, *clause(language, second)])
