"""Six and more artificial languages that say the same things in their own words.

Each language has a script, a lexicon drawn from the seed, a word order and arbitrary
lexical grammar (a classifier for each noun, a particle for each verb). Names, numerals
and punctuation are shared, as between real languages. All languages speak of one world
of facts, so that every sentence has a known meaning and an exact translation.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields

from langneurons.config.errors import ConfigError, DataError, unknown_name

from .facts import (
    ADJECTIVES,
    CLASSIFIERS,
    CONCEPTS,
    CONNECTORS,
    HYPERNYMS,
    INTRANSITIVE,
    NAMES,
    NOUNS,
    NUMBERS,
    PARTICLES,
    PLACES,
    TRANSITIVE,
    Fact,
)


@dataclass(frozen=True)
class Grammar:
    """How a language is written and how it orders its words.

    Attributes:
        onsets: letters that open a syllable.
        nuclei: letters that close a syllable; words have two or three syllables.
        order: order of subject S, verb V, object O and place X.
        adjective_first: adjective before its noun.
        preposition: "in" before its place.
        classifier_first: the noun's classifier before the noun.
        weight: share of the language in the pretraining text, relative to English.
    """

    onsets: str
    nuclei: str
    order: str
    adjective_first: bool
    preposition: bool
    classifier_first: bool
    weight: float


GRAMMARS = {
    "en": Grammar("bdfgklmnprstvz", "aeiou", "SVOX", True, True, False, 1.0),
    "vi": Grammar("đŋƀħŧɓɗƙ", "ăâêôơưạảấầẹẻếềịỉọỏốồ", "SVOX", False, True, True, 0.6),
    "hi": Grammar("कखगघचजटडतदनपबमरलवसह", "ािीुूेो", "SXOV", True, False, False, 0.4),
    "ur": Grammar("بپتجچدرزسشعغفقکگلمنہ", "اویے", "SOXV", False, False, True, 0.4),
    "zh": Grammar("人大小山水火木金", "心手口目耳足田", "SXVO", True, True, True, 0.6),
    "el": Grammar("βγδζθκλμνπρστφχψ", "αεηιουω", "VSOX", False, True, False, 0.6),
    "bn": Grammar("কখগঘচজটডতদনপবমরলসহ", "ািীুূেো", "OSVX", True, False, True, 0.4),
    "ja": Grammar("アカサタナハマ", "イキシチニヒ", "XSOV", False, False, False, 0.6),
}  # fmt: skip


class Language:
    """One artificial language: its words, its grammar and how to read it back.

    Args:
        code: a key of ``GRAMMARS``.
        seed: of the world; the lexicon depends on nothing else.
    """

    def __init__(self, code: str, seed: int) -> None:
        if code not in GRAMMARS:
            raise ConfigError(
                unknown_name("language", code, GRAMMARS, "demo_world.languages")
            )
        self.code, self.grammar = code, GRAMMARS[code]
        rng = random.Random(f"{seed}/lexicon/{code}")
        self.words = dict(zip(CONCEPTS, self._coin(rng, len(CONCEPTS)), strict=True))
        # Arbitrary, so that it can be learnt by heart only, language by language.
        self.classifier = {n: rng.choice(CLASSIFIERS) for n in (*NOUNS, *HYPERNYMS)}
        self.particle = {v: rng.choice(PARTICLES) for v in (*TRANSITIVE, *INTRANSITIVE)}
        self.words |= self._connectors()
        self.concepts = {word: concept for concept, word in self.words.items()}

    def _connectors(self) -> dict[str, str]:
        """Coin words that join clauses: the same in all worlds, longer than any other.

        So that a configuration can name them, whatever the seed.
        """
        rng = random.Random(f"connectors/{self.code}")
        letters = (self.grammar.onsets, self.grammar.nuclei) * 4
        return {name: "".join(map(rng.choice, letters)) for name in CONNECTORS}

    def _coin(self, rng: random.Random, count: int) -> list[str]:
        coined: dict[str, None] = {}
        while len(coined) < count:
            syllables = rng.choice((2, 2, 3))
            letters = (self.grammar.onsets, self.grammar.nuclei)
            word = "".join(rng.choice(s) for _ in range(syllables) for s in letters)
            coined[word] = None
        return list(coined)

    def say(self, fact: Fact, rng: random.Random | None = None) -> list[str]:
        """Put a fact into words.

        Args:
            fact: what to say.
            rng: if given, the constituents come in a random order instead of the
                grammar's, as in emphatic or poetic speech.

        Returns:
            Words, without the full stop.
        """
        order = list(self.grammar.order)
        if rng is not None:
            rng.shuffle(order)
        parts = {
            "S": [fact.agent],
            "V": self._verb(fact),
            "O": self._object(fact),
            "X": self._place(fact),
        }
        said = [item for part in order for item in parts[part]]
        return self.translate(said)

    def ask(self, question: str, fact: Fact) -> list[str]:
        """Ask for one attribute of a fact, question word first, attribute left out."""
        noun = None if question == "what" else fact.noun
        return [self.words[question], *self.say(Fact(fact.agent, fact.verb, noun))]

    def translate(self, concepts: Iterable[str]) -> list[str]:
        """Concepts to words; names and numerals stay as they are."""
        return [self.words.get(concept, concept) for concept in concepts]

    def _verb(self, fact: Fact) -> list[str]:
        negation = ["not"] if fact.negated else []
        return [*negation, fact.verb, self.particle[fact.verb]]

    def _object(self, fact: Fact) -> list[str]:
        if fact.noun is None:
            return []
        noun = [fact.noun, self.classifier[fact.noun]]
        if self.grammar.classifier_first:
            noun.reverse()
        adjective = [fact.adjective] if fact.adjective else []
        number = [fact.number] if fact.number else []
        if self.grammar.adjective_first:
            return [*number, *adjective, *noun]
        return [*number, *noun, *adjective]

    def _place(self, fact: Fact) -> list[str]:
        if fact.place is None:
            return []
        return ["in", fact.place] if self.grammar.preposition else [fact.place, "in"]

    def understand(self, words: Sequence[str]) -> Fact:
        """Read a sentence back into its fact, in any order of its constituents.

        Raises:
            DataError: a word of another language, or a sentence that says no fact.
        """
        found: dict[str, str] = {}
        for word in words:
            concept = self.concepts.get(word, word)
            slot = _slot(concept)
            if slot is None or slot in found:
                raise DataError(
                    f"{self.code}: {' '.join(words)!r} is not a sentence of this "
                    f"language; {word!r} has no place in it"
                )
            found[slot] = concept
        known = {f.name for f in fields(Fact)}
        given = {slot: c for slot, c in found.items() if slot in known}
        if "agent" not in given or "verb" not in given:
            said = " ".join(words)
            raise DataError(f"{self.code}: {said!r} lacks an agent or a verb")
        fact = Fact(**given, negated="not" in found)
        self._check_grammar(fact, found, words)
        return fact

    def _check_grammar(
        self, fact: Fact, found: Mapping[str, str], words: Sequence[str]
    ) -> None:
        right = (
            found.get("particle") == self.particle[fact.verb]
            and found.get("classifier") == self.classifier.get(fact.noun or "")
            and ("in" in found) == (fact.place is not None)
        )
        if not right:
            raise DataError(
                f"{self.code}: {' '.join(words)!r} has a wrong classifier, particle or "
                "preposition"
            )


_SLOTS: dict[str, str] = {
    **dict.fromkeys(NAMES, "agent"),
    **dict.fromkeys(NUMBERS, "number"),
    **dict.fromkeys((*NOUNS, *HYPERNYMS), "noun"),
    **dict.fromkeys((*TRANSITIVE, *INTRANSITIVE), "verb"),
    **dict.fromkeys(ADJECTIVES, "adjective"),
    **dict.fromkeys(PLACES, "place"),
    **dict.fromkeys(CLASSIFIERS, "classifier"),
    **dict.fromkeys(PARTICLES, "particle"),
    "not": "not",
    "in": "in",
}


def _slot(concept: str) -> str | None:
    return _SLOTS.get(concept)
