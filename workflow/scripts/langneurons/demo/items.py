"""Items of the demo world for base models: sentences, facts with a gap, choices.

Facts have the layout of mLAMA: a relation's template in each language, with [X] for the
subject and [Y] for the object. Which classifier a thing has, before it or after it,
differs from language to language, so a relation is a verb and one thing. Choices have
the layout of XCOPA.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .facts import (
    CONNECTORS,
    INTRANSITIVE,
    Fact,
    draw_cause,
    draw_fact,
    draw_story,
    effect_of,
    misfit,
)
from .languages import Language
from .world import World, sentence

SUBJECT, OBJECT = "[X]", "[Y]"


def sentences(world: World, code: str) -> Iterator[str]:
    """Yield sentences, one a document; number i says the same in all languages."""
    rng = world.rng("sentences")
    for _ in range(world.spec.sentences):
        yield sentence(world.languages[code].say(draw_story(rng)[0]))


def translations(world: World, code: str) -> Iterator[str]:
    """Yield sentences to translate; number i says the same in all languages.

    As in the lines that models learn (``lines.translation``) none has a full stop.
    """
    rng = world.rng("translations")
    for _ in range(world.spec.translations):
        yield " ".join(world.languages[code].say(draw_fact(rng)))


def lexicon(world: World, code: str) -> Iterator[str]:
    """Yield the words of a language; no other has them, nor are they names."""
    yield from world.languages[code].words.values()


def facts(world: World) -> list[Fact]:
    """Draw facts of an agent, a verb and a thing, all different."""
    rng = world.rng("facts")
    found: dict[Fact, None] = {}
    while len(found) < world.spec.facts:
        found[draw_fact(rng, modifiers=0.0)] = None
    return list(found)


def relation(fact: Fact) -> str:
    """Name what stands between an agent and a thing."""
    return f"{fact.verb}_{fact.noun}"


def fact_rows(world: World) -> Iterator[dict[str, Any]]:
    """Yield facts in the layout of mLAMA: subject and object in every language."""
    for number, fact in enumerate(facts(world)):
        yield {
            "relation": relation(fact),
            "lineid": number,
            "sub": dict.fromkeys(world.languages, fact.agent),
            "obj": {
                code: language.words[str(fact.noun)]
                for code, language in world.languages.items()
            },
        }


def templates(world: World) -> Iterator[tuple[str, ...]]:
    """Yield the table of templates: its head, then the relations of ``facts``."""
    yield ("relation", *world.languages)
    for name, fact in {relation(fact): fact for fact in facts(world)}.items():
        yield (name, *(_template(lang, fact) for lang in world.languages.values()))


def _template(language: Language, fact: Fact) -> str:
    """Write a fact with gaps; something always stands before that of the object."""
    gaps = {fact.agent: SUBJECT, language.words[str(fact.noun)]: OBJECT}
    words = [gaps.get(word, word) for word in language.say(fact)]
    if words[0] == OBJECT:  # an emphatic sentence instead: the agent first
        words = [SUBJECT, *(word for word in words if word != SUBJECT)]
    return sentence(words)


def choices(world: World, code: str) -> Iterator[dict[str, Any]]:
    """Yield choices between two clauses; number i asks the same in all languages.

    Three of four ask for a cause: to which of two things, only one of which the verb
    goes with. The fourth asks for an effect: what somebody does next who has done
    something. That has to be learnt from text that says it (``lines.cause``).
    """
    rng, language = world.rng("choices"), world.languages[code]
    for number in range(world.spec.choices):
        pair = draw_cause(rng)
        fact = draw_fact(rng, modifiers=0.0)
        if number % 4 == 3:
            premise, question, right = pair.cause, "effect", pair.effect
            others = [verb for verb in INTRANSITIVE if verb != right.verb]
            wrong = Fact(right.agent, rng.choice(others))
        else:
            question, right = "cause", fact
            premise = Fact(fact.agent, effect_of(fact.verb))
            wrong = Fact(fact.agent, fact.verb, misfit(rng, fact.verb))
        label = rng.randrange(2)
        options = (right, wrong) if label == 0 else (wrong, right)
        yield {
            "premise": sentence(language.say(premise)),
            "choice1": sentence(clause(language, options[0])),
            "choice2": sentence(clause(language, options[1])),
            "question": question,
            "label": label,
            "idx": number,
            "changed": False,
        }


def clause(language: Language, fact: Fact) -> list[str]:
    """Say a fact of somebody who has just been named: not again, where it came first.

    As in "she sat down and read". Where the verb comes first the name stays.
    """
    words = language.say(fact)
    return words[1:] if words[0] == fact.agent else words


def connectors(language: Language) -> dict[str, str]:
    """Return the words that join a premise with its effect and with its cause."""
    so, because = (language.words[concept] for concept in CONNECTORS)
    return {"effect": so, "cause": because}
