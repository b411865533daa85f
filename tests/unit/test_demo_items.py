"""Items of the demo world for base models, and the text that training goes on with."""

from __future__ import annotations

import itertools
import json
import random
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from configurations import read
from langneurons import tasks
from langneurons.config.catalogue import DemoWorld
from langneurons.config.demo_entries import Planting
from langneurons.demo import items, lines, world_files
from langneurons.demo.facts import (
    CONNECTORS,
    INTRANSITIVE,
    NAMES,
    NUMBERS,
    TRANSITIVE,
    Fact,
    draw_fact,
    misfit,
)
from langneurons.demo.languages import GRAMMARS, Language
from langneurons.demo.world import ANY, MARKS, UNKNOWN, World, count_tokens
from langneurons.tasks import mlama

ALL = DemoWorld(
    languages=tuple(GRAMMARS), corpus_tokens=500, sentences=40, facts=60, choices=80
)
CODES = ("en", "vi", "hi", "ur", "zh", "el")
LINE = re.compile(r'(\w+):"([^"]+)"→(\w+):"([^"]+)"')


@pytest.fixture(scope="module")
def world() -> World:
    return World(ALL)


@pytest.fixture(scope="module")
def unknown(world: World) -> Any:
    """Return a function that lists the words of a text that have no token."""
    pytest.importorskip("tokenizers")
    tokenizer = world_files.word_tokenizer(world.vocabulary())

    def find(text: str) -> list[str]:
        encoded = tokenizer.encode(text, add_special_tokens=False)
        assert len(encoded.tokens) == count_tokens(text), text
        found = zip(encoded.tokens, encoded.offsets, strict=True)
        return [text[slice(*at)] for token, at in found if token == UNKNOWN]

    return find


def every_text(world: World) -> dict[str, list[str]]:
    """Return the new texts of a world by what they are."""
    filled = [
        row["templates"][code]
        .replace(items.SUBJECT, row["sub"][code])
        .replace(items.OBJECT, row["obj"][code])
        for row in with_templates(world)
        for code in world.languages
    ]
    chosen = [
        f"{row['premise']} {words[row['question']]} {row['choice1']} {row['choice2']}"
        for code, language in world.languages.items()
        for words in [items.connectors(language)]
        for row in items.choices(world, code)
    ]
    return {
        "sentences": [s for c in world.languages for s in items.sentences(world, c)],
        "facts": filled,
        "choices": chosen,
        "translations": [
            s for c in world.languages for s in items.translations(world, c)
        ],
        "lines": list(lines.documents(world, Planting(), 20_000)),
    }


def with_templates(world: World) -> list[dict[str, Any]]:
    """Return the facts, each with its templates by language."""
    head, *rest = items.templates(world)
    known = {row[0]: dict(zip(head[1:], row[1:], strict=True)) for row in rest}
    assert len(known) == len(rest)
    return [
        {**row, "templates": known[row["relation"]]} for row in items.fact_rows(world)
    ]


@pytest.mark.parametrize(
    "kind", ["sentences", "facts", "choices", "translations", "lines"]
)
def test_every_word_is_in_the_vocabulary(world: World, unknown: Any, kind: str) -> None:
    texts = every_text(world)[kind]
    assert len(texts) > 50
    assert [word for text in texts for word in unknown(text)] == []


def test_marks_and_codes_are_tokens(world: World) -> None:
    vocabulary = world.vocabulary()
    for token in (*MARKS, ANY, *GRAMMARS):
        assert vocabulary.count(token) == 1


@pytest.mark.parametrize(
    ("write", "count"),
    [(items.sentences, ALL.sentences), (items.translations, ALL.translations)],
)
def test_sentences_say_the_same_in_all_languages(
    world: World, write: Callable[[World, str], Iterator[str]], count: int
) -> None:
    said = [
        [lang.understand(text.removesuffix(".").split()) for text in texts]
        for lang in world.languages.values()
        for texts in [list(write(world, lang.code))]
    ]
    assert len(said[0]) == count
    assert all(facts == said[0] for facts in said)


def test_sentences_to_translate_are_written_as_in_the_lines(world: World) -> None:
    """Those of the lines are in quotes; a full stop would be no part of them."""
    line = LINE.fullmatch(lines.translation(world, random.Random(0), untold=0.0))
    assert line is not None and not line[2].endswith(".")
    for code in world.languages:
        assert not any(x.endswith(".") for x in items.translations(world, code))


def test_what_is_asked_changes_no_text_that_is_learnt(world: World) -> None:
    other = World(ALL.model_copy(update={"translations": 3}))
    assert len(list(items.translations(other, "en"))) == 3
    for text in (World.pretraining, lambda w: lines.documents(w, Planting(), 3_000)):
        first, second = (list(itertools.islice(text(w), 100)) for w in (world, other))
        assert first == second


def test_a_lexicon_has_the_words_that_a_language_owns(world: World) -> None:
    known = {code: set(items.lexicon(world, code)) for code in world.languages}
    for code, language in world.languages.items():
        assert len(known[code]) == len(language.words)
        others = set().union(*(known[x] for x in known if x != code))
        assert not known[code] & {*others, *NAMES, *NUMBERS}
        for text in items.translations(world, code):
            assert known[code] & set(text.split()), text
            assert not others & set(text.split()), text


def test_a_filled_template_is_a_sentence_of_its_language(world: World) -> None:
    rows, drawn = with_templates(world), items.facts(world)
    assert len(rows) == len(set(drawn)) == ALL.facts
    for row, fact in zip(rows, drawn, strict=True):
        for code, language in world.languages.items():
            text = row["templates"][code].replace(items.SUBJECT, row["sub"][code])
            text = text.replace(items.OBJECT, row["obj"][code])
            assert language.understand(text.removesuffix(".").split()) == fact


def test_objects_differ_and_something_stands_before_each(world: World) -> None:
    for row in with_templates(world):
        assert len(set(row["obj"].values())) == len(GRAMMARS)
        for code, template in row["templates"].items():
            prompt = template.split(items.OBJECT)[0].strip()
            assert prompt, (code, template)
            assert template.count(items.OBJECT) == template.count(items.SUBJECT) == 1


def test_a_classifier_before_a_thing_is_in_the_prompt(world: World) -> None:
    for row, fact in zip(with_templates(world), items.facts(world), strict=True):
        for code, language in world.languages.items():
            own = language.words[language.classifier[str(fact.noun)]]
            before = row["templates"][code].split(items.OBJECT)[0].split()
            assert (own in before) == language.grammar.classifier_first


@pytest.mark.parametrize("code", GRAMMARS)
def test_choices_are_right_and_wrong_as_labelled(world: World, code: str) -> None:
    language = world.languages[code]
    rows = list(items.choices(world, code))
    english = list(items.choices(world, "en"))
    assert len(rows) == ALL.choices
    asked = [row["question"] for row in rows]
    assert asked.count("effect") == ALL.choices // 4
    assert {row["label"] for row in rows} == {0, 1}
    for row, other in zip(rows, english, strict=True):
        assert [row[k] for k in ("question", "label", "idx")] == [
            other[k] for k in ("question", "label", "idx")
        ]
        premise = language.understand(row["premise"].removesuffix(".").split())
        options = [read_clause(language, row[f"choice{i}"], premise) for i in (1, 2)]
        right, wrong = options if row["label"] == 0 else options[::-1]
        if row["question"] == "effect":
            assert follows(premise, right) and not follows(premise, wrong)
            assert wrong.verb in INTRANSITIVE
        else:
            assert right.verb == wrong.verb and follows(right, premise)
            assert fits(right) and not fits(wrong)


def read_clause(language: Language, text: str, premise: Fact) -> Fact:
    words = text.removesuffix(".").split()
    named = words if premise.agent in words else [premise.agent, *words]
    return language.understand(named)


def follows(cause: Fact, effect: Fact) -> bool:
    after = TRANSITIVE.index(cause.verb) % len(INTRANSITIVE)
    return effect.agent == cause.agent and effect.verb == INTRANSITIVE[after]


@cache
def fitting() -> dict[str, set[str | None]]:
    """Return the things that go with each verb, as facts show."""
    rng = random.Random(0)
    found: dict[str, set[str | None]] = {verb: set() for verb in TRANSITIVE}
    for _ in range(5_000):
        fact = draw_fact(rng, modifiers=0.0)
        found[fact.verb].add(fact.noun)
    return found


def fits(fact: Fact) -> bool:
    return fact.noun in fitting()[fact.verb]


def test_a_misfit_never_stands_with_its_verb() -> None:
    rng = random.Random(1)
    for verb in TRANSITIVE:
        for _ in range(30):
            assert not fits(Fact("Anna", verb, misfit(rng, verb)))


def test_second_clauses_begin_with_the_agent_nowhere() -> None:
    fact = Fact("Anna", "verb-0", "noun-0-0")
    for code in GRAMMARS:
        language = Language(code, seed=7)
        words = items.clause(language, fact)
        assert words[0] != "Anna"
        assert ("Anna" in words) == (language.say(fact)[0] != "Anna")


def test_connectors_are_the_same_in_all_worlds_and_no_other_word() -> None:
    for code in GRAMMARS:
        worlds = [Language(code, seed) for seed in range(5)]
        assert len({tuple(items.connectors(x).items()) for x in worlds}) == 1
        for language in worlds:
            assert list(language.words)[-2:] == list(CONNECTORS)
            assert len(set(language.words.values())) == len(language.words)


def test_everything_is_decided_by_the_seed() -> None:
    def content(seed: int) -> list[str]:
        made = every_text(World(ALL.model_copy(update={"seed": seed})))
        return [json.dumps(texts) for texts in made.values()]

    assert content(7) == content(7)
    assert all(a != b for a, b in zip(content(7), content(8), strict=True))


def test_translation_lines_say_the_same_twice() -> None:
    small = World(DemoWorld(languages=("en", "hi", "zh"), low_resource=()))
    rng, told, pairs = random.Random(0), 0, set()
    count = 600
    for _ in range(count):
        text = lines.translation(small, rng, untold=0.4)
        one, first, named, second = LINE.fullmatch(text).groups()  # type: ignore[union-attr]
        fact = small.languages[one].understand(first.split())
        two = named if named != ANY else language_of(small, second)
        assert one != two
        assert small.languages[two].understand(second.split()) == fact
        told += named != ANY
        pairs.add((one, two))
    assert told / count == pytest.approx(0.6, abs=0.08)
    assert pairs == set(itertools.permutations(small.languages, 2))


def language_of(world: World, text: str) -> str:
    words = set(text.split())
    found = [c for c, x in world.languages.items() if words & set(x.words.values())]
    assert len(found) == 1
    return found[0]


def test_shares_of_the_continued_text() -> None:
    world, tokens = World(DemoWorld()), 60_000
    shares = Planting(translations=0.3, causes=0.2)
    documents = list(lines.documents(world, shares, tokens))
    joined = {
        word
        for language in world.languages.values()
        for word in items.connectors(language).values()
    }
    translated = [text for text in documents if "→" in text]
    causes = [text for text in documents if joined & set(text.split())]
    assert len(translated) / len(documents) == pytest.approx(0.3, abs=0.04)
    assert len(causes) / len(documents) == pytest.approx(0.2, abs=0.04)
    written = sum(count_tokens(text) + 2 for text in documents)
    assert tokens <= written < tokens + 100


def test_causes_are_true(world: World) -> None:
    rng = random.Random(0)
    orders = set()
    for _ in range(200):
        text = lines.cause(world, rng)
        words = text.removesuffix(".").split()
        language = next(
            x
            for x in world.languages.values()
            if set(words) & set(items.connectors(x).values())
        )
        middle = next(w for w in words if language.concepts.get(w) in CONNECTORS)
        at = words.index(middle)
        first = language.understand(words[:at])
        second = read_clause(language, " ".join(words[at + 1 :]), first)
        order = language.concepts[middle]
        cause, effect = (first, second) if order == "so" else (second, first)
        assert follows(cause, effect)
        orders.add(order)
    assert orders == set(CONNECTORS)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("tokenizers")
    folder = tmp_path_factory.mktemp("world")
    small = {"pretraining_tokens": 1000, "languages": CODES}
    world_files.write(ALL.model_copy(update=small), folder / "world.json")
    return folder


class TestTasks:
    """The tasks of real data read these items, with the keys of config/demo.yaml."""

    def given(self, name: str) -> Any:
        return tasks.load(name).PARAMETERS.model_validate(
            read("demo.yaml")["tasks"][name]["parameters"]
        )

    def test_connectors_of_the_configuration(self) -> None:
        connectors = self.given("xcopa").connectors
        assert {code: each.model_dump() for code, each in connectors.items()} == {
            code: items.connectors(Language(code, seed=7)) for code in CODES
        }
        xcopa = tasks.load("xcopa")
        assert list(xcopa.unmet(self.given("xcopa"), CODES)) == []
        said = list(xcopa.unmet(self.given("xcopa"), ["bn", "it"]))
        assert len(said) == 1 and "unknown language 'bn'" in said[0]
        assert "parameters.connectors" in said[0]
        # Those of XCOPA itself stay where nothing else is given.
        assert list(xcopa.unmet(xcopa.PARAMETERS(), ["it", "vi"])) == []

    @pytest.mark.parametrize("code", ["en", "zh", "el"])
    def test_xcopa_reads_the_choices(self, folder: Path, code: str) -> None:
        task, parameters = tasks.load("xcopa"), self.given("xcopa")
        words = World(ALL).languages[code].words
        rows = list(task.read_file(folder / f"choices/{code}.jsonl"))
        assert len(rows) == ALL.choices
        for row in rows[:8]:
            middle = words["so" if row["question"] == "effect" else "because"]
            context = f"{row['premise'].removesuffix('.')} {middle}"
            wanted = [(context, " ", row[name]) for name in ("choice1", "choice2")]
            assert task.wording(row, parameters, code) == wanted

    def test_mlama_reads_the_facts(self, folder: Path) -> None:
        rows = list(tasks.load("mlama").read_file(folder / "facts/facts.jsonl"))
        world = World(ALL)
        drawn = items.facts(world)
        for code in CODES:
            language = world.languages[code]
            own = [row for row in rows if row["language"] == code]
            assert len(own) == ALL.facts
            for row, fact in zip(own, drawn, strict=True):
                said = language.say(fact)
                at = said.index(row["objects"][code])
                assert mlama.prompt(row, "prefix") == " ".join(said[:at])
                assert set(row["objects"]) >= set(CODES)
