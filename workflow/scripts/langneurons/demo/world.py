"""A synthetic multilingual world with known ground truth, from one latent grammar.

Facts (who does what, to how many of which things, where) are drawn once and put into
artificial languages: monolingual text, natural-language inference pairs and extractive
questions, all with exact translations and labels that follow from the facts. Which verb
goes with which things and places is the same in all languages: the shared world is what
a model can transfer from one language to another.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from langneurons.config.catalogue import DemoWorld

from .facts import (
    CONNECTORS,
    LABELS,
    NAMES,
    NUMBERS,
    Fact,
    Inference,
    Question,
    draw_inference,
    draw_question,
    draw_story,
)
from .languages import GRAMMARS, Language

PAD, UNKNOWN, BOS, EOS = "<pad>", "<unk>", "<s>", "</s>"
MARKS = '.?:"→'
"""Signs that are tokens of their own, wherever they stand."""
ANY = "any"  # in the place of a code: a language that is not told
TOKEN = re.compile(rf"[{re.escape(MARKS)}]|[^\s{re.escape(MARKS)}]+")
LOW_RESOURCE_WEIGHT = 0.15  # share of a low-resource language relative to English
SCRAMBLE = 0.3  # sentences in a random order; without, order replaces understanding
MIXED = 0.2  # documents that are parallel or code-switched
INFERENCE, QUESTION = 0.4, 0.2  # documents of that kind; the others are stories
SWITCHED_WORDS = 0.3  # words of a code-switched sentence said in the other language


def sentence(words: Sequence[str], end: str = ".") -> str:
    """Join words and close the sentence."""
    return " ".join(words) + end


class World:
    """The languages of a world and the text in them, all decided by its seed."""

    def __init__(self, spec: DemoWorld) -> None:
        self.spec = spec
        self.languages = {code: Language(code, spec.seed) for code in spec.languages}

    def rng(self, *purpose: object) -> random.Random:
        """A stream of chance for one purpose, independent of all the others."""
        return random.Random("/".join(map(str, (self.spec.seed, *purpose))))

    def ordinary_tokens(self) -> list[str]:
        """Every token of ordinary text, special tokens first."""
        shared = [PAD, UNKNOWN, BOS, EOS, *MARKS[:2], *NUMBERS, *NAMES]
        own = [
            word
            for lang in self.languages.values()
            for concept, word in lang.words.items()
            if concept not in CONNECTORS
        ]
        return [*shared, *own]

    def vocabulary(self) -> list[str]:
        """Every token: those of ordinary text, then what only lines and items have."""
        joining = [
            lang.words[name] for lang in self.languages.values() for name in CONNECTORS
        ]
        return [*self.ordinary_tokens(), *MARKS[2:], ANY, *self.languages, *joining]

    def corpus(self, code: str) -> Iterator[str]:
        """Yield stories in one language until there is twice ``corpus_tokens``."""
        rng = self.rng("corpus", code)
        # A tenth more: packing into chunks and leaving out repeats loses some.
        left = 2.2 * self.spec.corpus_tokens
        while left > 0:
            text = self._story(rng, self.languages[code])
            left -= count_tokens(text)
            yield text

    def pretraining(self) -> Iterator[str]:
        """Yield documents in all languages, ``pretraining_tokens`` tokens in all."""
        rng = self.rng("pretraining")
        left = self.spec.pretraining_tokens
        while left > 0:
            text = self.ordinary(rng)
            left -= count_tokens(text) + 1  # the EOS between documents
            yield text

    def ordinary(self, rng: random.Random) -> str:
        """Write one document of pretraining text, its languages by their weights."""
        first, second = self.choose(rng, 2)
        return self.document(rng, first, second if rng.random() < MIXED else first)

    def choose(self, rng: random.Random, count: int) -> list[str]:
        """Draw languages by their weights, with repeats."""
        codes = list(self.languages)
        return rng.choices(codes, [self._weight(code) for code in codes], k=count)

    def _weight(self, code: str) -> float:
        low = code in self.spec.low_resource
        return LOW_RESOURCE_WEIGHT if low else GRAMMARS[code].weight

    def document(self, rng: random.Random, first: str, second: str) -> str:
        """Write one document of pretraining text.

        Args:
            rng: source of chance.
            first: language of the document.
            second: the other language of a parallel or code-switched document; equal
                to ``first`` for a document in one language.
        """
        one, two = self.languages[first], self.languages[second]
        kind = rng.random()
        if kind < INFERENCE:
            pair = draw_inference(rng, rng.choice(LABELS))
            label = one.words[pair.label]
            return f"{self._inference(rng, pair, one, two)} {label}"
        if kind < INFERENCE + QUESTION:
            question = draw_question(rng)
            asked, passage = self._question(rng, question, one, two)
            answer = one.translate([question.answer])[0]
            return f"{asked} {passage} {EOS} {answer}"
        if one is two:
            return self._story(rng, one)
        if rng.random() < 0.5:
            return self._parallel(rng, one, two)
        return self._switched(rng, one, two)

    def _say(self, rng: random.Random, language: Language, fact: Fact) -> str:
        return sentence(language.say(fact, rng if rng.random() < SCRAMBLE else None))

    def _story(self, rng: random.Random, language: Language) -> str:
        facts = draw_story(rng)
        return " ".join(self._say(rng, language, fact) for fact in facts)

    def _parallel(self, rng: random.Random, one: Language, two: Language) -> str:
        facts = draw_story(rng)[:2]
        return " ".join(self._say(rng, lang, f) for f in facts for lang in (one, two))

    def _switched(self, rng: random.Random, one: Language, two: Language) -> str:
        return " ".join(
            sentence(
                [
                    two.words.get(one.concepts.get(word, ""), word)
                    if rng.random() < SWITCHED_WORDS
                    else word
                    for word in one.say(fact)
                ]
            )
            for fact in draw_story(rng)
        )

    def _inference(
        self, rng: random.Random, pair: Inference, one: Language, two: Language
    ) -> str:
        premise = self._say(rng, one, pair.premise)
        return f"{premise} {EOS} {self._say(rng, two, pair.hypothesis)}"

    def _question(
        self, rng: random.Random, question: Question, one: Language, two: Language
    ) -> tuple[str, str]:
        asked = two.ask(question.kind, question.facts[question.about])
        passage = " ".join(self._say(rng, one, fact) for fact in question.facts)
        return sentence(asked, "?"), passage

    def nli(self, split: str, code: str) -> Iterator[tuple[str, str, str]]:
        """Yield premise, hypothesis and label; row i says the same in all languages."""
        count = self.spec.nli_train if split == "train" else self.spec.nli_test
        rng = self.rng("nli", split)
        labels = [LABELS[i % len(LABELS)] for i in range(count)]
        rng.shuffle(labels)
        language = self.languages[code]
        for label in labels:
            pair = draw_inference(rng, label)
            facts = (pair.premise, pair.hypothesis)
            premise, hypothesis = (sentence(language.say(fact)) for fact in facts)
            yield premise, hypothesis, label

    def qa(self, split: str, code: str) -> dict[str, Any]:
        """Return questions in the layout of SQuAD 1.1, parallel across languages."""
        count = self.spec.qa_train if split == "train" else self.spec.qa_test
        rng = self.rng("qa", split)
        language = self.languages[code]
        paragraphs = []
        for number in range(count):
            question = draw_question(rng)
            context, start, answer = _locate(question, language.say, language.translate)
            asked = language.ask(question.kind, question.facts[question.about])
            item = {
                "id": f"{split}-{number}",
                "question": sentence(asked, "?"),
                "answers": [{"text": answer, "answer_start": start}],
            }
            paragraphs.append({"context": context, "qas": [item]})
        return {"version": "1.1", "data": [{"title": code, "paragraphs": paragraphs}]}


def _locate(
    question: Question,
    say: Callable[[Fact], list[str]],
    translate: Callable[[Sequence[str]], list[str]],
) -> tuple[str, int, str]:
    """Return the passage, the answer's offset in characters, and the answer."""
    answer = translate([question.answer])[0]
    context, start = "", -1
    for i, fact in enumerate(question.facts):
        words = say(fact)
        context += " " if context else ""
        if i == question.about:
            at = words.index(answer)
            start = len(context) + sum(len(word) + 1 for word in words[:at])
        context += sentence(words)
    return context, start, answer


def count_tokens(text: str) -> int:
    """Count the tokens of a text: words and marks, each one token."""
    return len(TOKEN.findall(text))
