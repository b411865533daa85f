"""What can be said in the demo world: concepts, facts, and what follows from facts.

Nothing here knows any language. Which verb goes with which things and places is fixed,
and so the same in all languages: the shared world is what a model can transfer from one
language to another.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import Any

NAMES = [
    "Anna",
    "Bela",
    "Carlo",
    "Dina",
    "Enzo",
    "Fara",
    "Goro",
    "Hana",
    "Ivo",
    "Juna",
    "Karim",
    "Lena",
    "Milo",
    "Nora",
    "Omar",
    "Pia",
]
NUMBERS = ("2", "3", "4", "5")
CATEGORIES, MEMBERS = 4, 6
NOUNS = tuple(f"noun-{c}-{m}" for c in range(CATEGORIES) for m in range(MEMBERS))
HYPERNYMS = tuple(f"kind-{c}" for c in range(CATEGORIES))
TRANSITIVE = tuple(f"verb-{i}" for i in range(10))
INTRANSITIVE = tuple(f"stay-{i}" for i in range(4))
ADJECTIVES = tuple(f"quality-{i}{sign}" for i in range(4) for sign in "+-")
PLACES = tuple(f"place-{i}" for i in range(6))
CLASSIFIERS = tuple(f"classifier-{i}" for i in range(5))
PARTICLES = tuple(f"particle-{i}" for i in range(5))
MODIFIERS = ("number", "adjective", "place")
LABELS = ("entailment", "neutral", "contradiction")
QUESTIONS = ("what", "where", "how-many")
CONNECTORS = ("so", "because")  # not in CONCEPTS: ordinary text has none
FUNCTION_WORDS = ("not", "in", *QUESTIONS, *LABELS)
CONCEPTS = (
    *NOUNS, *HYPERNYMS, *TRANSITIVE, *INTRANSITIVE, *ADJECTIVES, *PLACES,
    *CLASSIFIERS, *PARTICLES, *FUNCTION_WORDS,
)  # fmt: skip


@dataclass(frozen=True)
class Fact:
    """What a sentence says; every attribute is a concept, a name or a numeral."""

    agent: str
    verb: str
    noun: str | None = None
    number: str | None = None
    adjective: str | None = None
    place: str | None = None
    negated: bool = False


@dataclass(frozen=True)
class Inference:
    """A premise, a hypothesis and the label that follows from them."""

    premise: Fact
    hypothesis: Fact
    label: str


@dataclass(frozen=True)
class Question:
    """A passage of facts and a question on one of them."""

    facts: tuple[Fact, ...]
    about: int
    kind: str

    @property
    def answer(self) -> str:
        """The concept or numeral asked for."""
        fact = self.facts[self.about]
        found = {"what": fact.noun, "where": fact.place, "how-many": fact.number}
        return str(found[self.kind])


@dataclass(frozen=True)
class Cause:
    """Somebody does something, and so stays somewhere: one fact is why the other is."""

    cause: Fact
    effect: Fact


def judge(premise: Fact, hypothesis: Fact) -> str:
    """Decide the label of two facts of the same agent and verb.

    Contradiction: one is negated, or the adjectives are antonyms. Entailment: the
    hypothesis says nothing that the premise does not say, a kind of thing standing for
    any of its members. Neutral: it adds something.
    """
    mine, other = premise.adjective, hypothesis.adjective
    if premise.negated != hypothesis.negated or (mine and other and mine != other):
        return "contradiction"
    for slot in MODIFIERS:
        said = getattr(hypothesis, slot)
        if said is not None and said != getattr(premise, slot):
            return "neutral"
    known = {premise.noun, _hypernym(premise.noun)}
    return "entailment" if hypothesis.noun in known else "neutral"


def _hypernym(noun: str | None) -> str | None:
    return HYPERNYMS[NOUNS.index(noun) // MEMBERS] if noun in NOUNS else noun


def draw_fact(rng: random.Random, modifiers: float = 0.5) -> Fact:
    """Draw a fact in which somebody does something to a thing.

    Args:
        rng: source of chance.
        modifiers: probability of each of number, adjective and place.
    """
    verb = rng.randrange(len(TRANSITIVE))
    # A verb takes things of two kinds and happens at two places mostly, everywhere.
    category = rng.choice(_categories(verb))
    place = PLACES[(verb + rng.choice((0, 0, 1, rng.randrange(6)))) % len(PLACES)]
    return Fact(
        agent=rng.choice(NAMES),
        verb=TRANSITIVE[verb],
        noun=NOUNS[category * MEMBERS + rng.randrange(MEMBERS)],
        number=rng.choice(NUMBERS) if rng.random() < modifiers else None,
        adjective=rng.choice(ADJECTIVES) if rng.random() < modifiers else None,
        place=place if rng.random() < modifiers else None,
    )


def _categories(verb: int) -> tuple[int, int]:
    """Return the kinds of things that go with a verb."""
    return verb % CATEGORIES, (verb + 1) % CATEGORIES


def misfit(rng: random.Random, verb: str) -> str:
    """Draw a thing that never goes with a verb."""
    fitting = _categories(TRANSITIVE.index(verb))
    return rng.choice([n for i, n in enumerate(NOUNS) if i // MEMBERS not in fitting])


def effect_of(verb: str) -> str:
    """Return what somebody does next who has done something to a thing."""
    return INTRANSITIVE[TRANSITIVE.index(verb) % len(INTRANSITIVE)]


def draw_cause(rng: random.Random) -> Cause:
    """Draw what somebody does, to a thing named or not, and what comes of it."""
    cause = draw_fact(rng, modifiers=0.0)
    if rng.random() < 0.5:
        cause = replace(cause, noun=None)
    return Cause(cause, Fact(cause.agent, effect_of(cause.verb)))


def draw_inference(rng: random.Random, label: str) -> Inference:
    """Draw a pair with the given label; its premise has two modifiers.

    Half of the entailments keep the adjective that half of the contradictions turn into
    its antonym, so that an adjective on both sides says nothing about the label.
    """
    full = draw_fact(rng, modifiers=1.0)
    compares = label != "neutral" and rng.random() < 0.5
    left_out = rng.choice(("number", "place") if compares else MODIFIERS)
    nothing: dict[str, Any] = {left_out: None}
    premise = replace(full, **nothing)
    if label == "neutral":
        hypothesis = _shorten(rng, full, left_out)
    elif compares:
        said = str(full.adjective)
        if label == "contradiction":
            said = ADJECTIVES[ADJECTIVES.index(said) ^ 1]
        hypothesis = _shorten(rng, replace(premise, adjective=said), "adjective")
    else:
        denied = label == "contradiction"
        hypothesis = replace(_shorten(rng, premise, None), negated=denied)
    return Inference(premise, hypothesis, label)


def _shorten(rng: random.Random, fact: Fact, keep: str | None) -> Fact:
    """Leave out one modifier or more, and perhaps say the kind instead of the thing."""
    there = [slot for slot in MODIFIERS if getattr(fact, slot) and slot != keep]
    gone: dict[str, Any] = dict.fromkeys(rng.sample(there, rng.randint(1, len(there))))
    noun = _hypernym(fact.noun) if rng.random() < 0.3 else fact.noun
    return replace(fact, noun=noun, **gone)


def draw_question(rng: random.Random) -> Question:
    """Draw three facts; one only has a thing and a number, one only a place."""
    thing = replace(draw_fact(rng), number=rng.choice(NUMBERS), place=None)
    staying = rng.sample(INTRANSITIVE, 2)
    agents = rng.sample([name for name in NAMES if name != thing.agent], 2)
    placed = Fact(agents[0], staying[0], place=rng.choice(PLACES))
    facts = [thing, placed, Fact(agents[1], staying[1])]
    rng.shuffle(facts)
    kind = rng.choice(QUESTIONS)
    about = facts.index(placed if kind == "where" else thing)
    return Question(tuple(facts), about, kind)


def draw_story(rng: random.Random) -> list[Fact]:
    """A few facts about one or two people, some only staying somewhere."""
    people = rng.sample(NAMES, 2)
    facts = []
    for _ in range(rng.randint(2, 4)):
        fact = draw_fact(rng)
        if rng.random() < 0.2:
            fact = Fact(fact.agent, rng.choice(INTRANSITIVE), place=rng.choice(PLACES))
        denied = rng.random() < 0.15
        facts.append(replace(fact, agent=rng.choice(people), negated=denied))
    return facts
