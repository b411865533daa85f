"""The demo world: languages that differ, labels that follow, a model that learns."""

from __future__ import annotations

import itertools
import random
import tempfile
import unicodedata
from pathlib import Path
from typing import Any

import pytest

from langneurons.config.catalogue import DemoModel, DemoWorld
from langneurons.config.errors import ConfigError, DataError
from langneurons.demo import world_files
from langneurons.demo.facts import (
    HYPERNYMS,
    LABELS,
    NAMES,
    NOUNS,
    NUMBERS,
    Fact,
    draw_fact,
    draw_inference,
    draw_story,
    judge,
)
from langneurons.demo.languages import GRAMMARS, Language
from langneurons.demo.world import EOS, MARKS, World, count_tokens
from langneurons.jobs import files
from truths import Truth

SMALL = DemoWorld(
    pretraining_tokens=20_000,
    corpus_tokens=2_000,
    nli_train=60,
    nli_test=90,
    qa_train=30,
    qa_test=30,
)


@pytest.fixture(scope="module")
def world() -> World:
    return World(SMALL)


def letters(language: Language) -> set[str]:
    return set("".join(language.words.values()))


def facts_of(text: str, language: Language) -> list[Fact]:
    sentences = text.removesuffix(".").split(". ")
    return [language.understand(sentence.split()) for sentence in sentences]


def test_scripts_and_lexicons_are_disjoint() -> None:
    languages = [Language(code, seed=7) for code in GRAMMARS]
    for one, two in itertools.combinations(languages, 2):
        shared = letters(one) & letters(two)
        assert not shared, f"{one.code} and {two.code} share {shared}"
    shared_tokens = {*NAMES, *NUMBERS}
    for language in languages:
        assert not shared_tokens & set(language.words.values())


def test_no_word_holds_punctuation_or_space(world: World) -> None:
    for word in world.vocabulary()[4:]:
        if word not in MARKS:
            assert not any(unicodedata.category(c)[0] in "PZ" for c in word), word


def test_vocabulary_has_each_token_once(world: World) -> None:
    vocabulary = world.vocabulary()
    assert len(vocabulary) == len(set(vocabulary))


def test_word_orders_differ() -> None:
    languages = [g for code, g in GRAMMARS.items() if code in SMALL.languages]
    kinds = {
        (g.order, g.adjective_first, g.preposition, g.classifier_first)
        for g in languages
    }
    assert len(kinds) == len(languages)
    assert len({g.order for g in languages}) >= 4


@pytest.mark.parametrize("code", GRAMMARS)
@pytest.mark.parametrize("scrambled", [False, True])
def test_every_sentence_reads_back_to_its_fact(code: str, scrambled: bool) -> None:
    language, rng = Language(code, seed=3), random.Random(code)
    for _ in range(50):
        for fact in draw_story(rng):
            words = language.say(fact, rng if scrambled else None)
            assert language.understand(words) == fact


def test_grammar_orders_the_constituents() -> None:
    fact = Fact(
        "Anna", "verb-0", "noun-0-0", "2", "quality-0+", "place-1", negated=True
    )
    expected = {
        "en": "Anna not verb-0 PART 2 quality-0+ noun-0-0 CL in place-1",
        "vi": "Anna not verb-0 PART 2 CL noun-0-0 quality-0+ in place-1",
        "hi": "Anna place-1 in 2 quality-0+ noun-0-0 CL not verb-0 PART",
        "el": "not verb-0 PART Anna 2 noun-0-0 CL quality-0+ in place-1",
    }
    for code, order in expected.items():
        language = Language(code, seed=7)
        concepts = [language.concepts.get(w, w) for w in language.say(fact)]
        known = {
            language.classifier["noun-0-0"]: "CL",
            language.particle["verb-0"]: "PART",
        }
        assert " ".join(known.get(c, c) for c in concepts) == order


def test_a_wrong_sentence_is_refused() -> None:
    language, other = Language("hi", seed=7), Language("ur", seed=7)
    fact = Fact("Anna", "verb-0", "noun-0-0")
    words = language.say(fact)
    right = language.classifier["noun-0-0"]
    wrong = "classifier-0" if right != "classifier-0" else "classifier-1"
    swapped = [
        language.words[wrong] if w == language.words[right] else w for w in words
    ]
    with pytest.raises(DataError, match="wrong classifier"):
        language.understand(swapped)
    with pytest.raises(DataError, match="lacks an agent"):
        language.understand(words[:1])
    with pytest.raises(DataError, match="not a sentence"):
        other.understand(words)


def test_classifiers_are_arbitrary_in_each_language() -> None:
    languages = [Language(code, seed=7) for code in SMALL.languages]
    assert len({tuple(lang.classifier.values()) for lang in languages}) == len(
        languages
    )
    for language in languages:
        assert len(set(language.classifier.values())) > 1


def test_unknown_language_is_a_config_error() -> None:
    with pytest.raises(ConfigError, match="unknown language 'hh'.*Known: bn, el, en"):
        World(DemoWorld(languages=("en", "hh")))


def test_judge() -> None:
    premise = Fact("Anna", "verb-0", "noun-1-2", "2", "quality-0+")
    lifted = HYPERNYMS[1]
    cases = {
        "entailment": [
            Fact("Anna", "verb-0", noun="noun-1-2"),
            Fact("Anna", "verb-0", noun=lifted, number="2"),
        ],
        "neutral": [
            Fact("Anna", "verb-0", noun="noun-1-2", place="place-0"),
            Fact("Anna", "verb-0", noun="noun-1-2", number="3"),
            Fact("Anna", "verb-0", noun="noun-1-3"),
        ],
        "contradiction": [
            Fact("Anna", "verb-0", noun="noun-1-2", negated=True),
            Fact("Anna", "verb-0", noun=lifted, adjective="quality-0-"),
        ],
    }
    for label, hypotheses in cases.items():
        for hypothesis in hypotheses:
            assert judge(premise, hypothesis) == label, hypothesis


def test_labels_are_decided_by_the_facts() -> None:
    rng = random.Random(0)
    for label in LABELS * 200:
        pair = draw_inference(rng, label)
        assert judge(pair.premise, pair.hypothesis) == label == pair.label


def test_an_adjective_on_both_sides_does_not_give_the_label_away() -> None:
    rng = random.Random(0)
    counts = dict.fromkeys(LABELS, 0)
    for label in LABELS * 2000:
        pair = draw_inference(rng, label)
        both = pair.premise.adjective and pair.hypothesis.adjective
        counts[label] += bool(both) and not pair.hypothesis.negated
    # Negated hypotheses are left out: their label is known without the adjective.
    assert counts["contradiction"] / counts["entailment"] == pytest.approx(1, abs=0.35)


@pytest.mark.parametrize("split", ["train", "test"])
def test_nli_is_balanced_and_decidable_from_the_text(world: World, split: str) -> None:
    rows = {code: list(world.nli(split, code)) for code in SMALL.languages}
    labels = [label for *_, label in rows["en"]]
    assert {labels.count(label) for label in LABELS} == {len(labels) // 3}
    for code, language in world.languages.items():
        for row, english in zip(rows[code], rows["en"], strict=True):
            facts = [facts_of(text, language)[0] for text in row[:2]]
            assert judge(*facts) == row[2]
            # Parallel: the same facts in every language.
            assert facts == [facts_of(t, world.languages["en"])[0] for t in english[:2]]


def test_train_and_test_differ(world: World) -> None:
    train, test = (set(world.nli(split, "en")) for split in ("train", "test"))
    assert not train & test


@pytest.mark.parametrize("code", SMALL.languages)
def test_answers_are_spans_that_occur_once(world: World, code: str) -> None:
    paragraphs = world.qa("test", code)["data"][0]["paragraphs"]
    english = world.qa("test", "en")["data"][0]["paragraphs"]
    assert len(paragraphs) == SMALL.qa_test
    for paragraph, parallel in zip(paragraphs, english, strict=True):
        item = paragraph["qas"][0]
        answer = item["answers"][0]
        start, text = answer["answer_start"], answer["text"]
        context = paragraph["context"]
        assert context[start : start + len(text)] == text
        assert context.replace(".", "").split().count(text) == 1
        assert item["question"].endswith("?") and text not in item["question"]
        assert item["id"] == parallel["qas"][0]["id"]


def test_corpus_is_monolingual_and_large_enough(world: World) -> None:
    for code, language in world.languages.items():
        lines = list(world.corpus(code))
        assert sum(map(count_tokens, lines)) >= 2 * SMALL.corpus_tokens
        for line in lines:
            facts_of(line, language)  # raises when a word is not of this language


def test_pretraining_shares_follow_the_weights(world: World) -> None:
    documents = list(World(DemoWorld(pretraining_tokens=200_000)).pretraining())
    tokens = dict.fromkeys(SMALL.languages, 0)
    owners = {w: c for c, lang in world.languages.items() for w in lang.words.values()}
    for word in " ".join(documents).replace(".", "").replace("?", "").split():
        if word in owners:
            tokens[owners[word]] += 1
    assert tokens["ur"] < tokens["hi"] < tokens["zh"] < tokens["en"]
    assert tokens["ur"] / tokens["en"] == pytest.approx(0.15, abs=0.05)
    mixed = [len({owners[w] for w in d.split() if w in owners}) > 1 for d in documents]
    assert 0.05 < sum(mixed) / len(mixed) < 0.25
    inference = sum(1 for d in documents if EOS in d and "?" not in d)
    assert inference / len(documents) == pytest.approx(0.4, abs=0.05)


def test_everything_is_decided_by_the_seed() -> None:
    def content(seed: int) -> tuple[object, ...]:
        world = World(SMALL.model_copy(update={"seed": seed}))
        return (
            world.vocabulary(),
            list(world.corpus("hi")),
            list(world.pretraining()),
            list(world.nli("train", "en")),
            world.qa("test", "zh"),
        )

    assert content(7) == content(7)
    assert all(a != b for a, b in zip(content(7), content(8), strict=True))


def test_a_language_does_not_depend_on_the_others() -> None:
    alone = World(SMALL.model_copy(update={"languages": ("hi",)}))
    assert list(alone.corpus("hi")) == list(World(SMALL).corpus("hi"))


def test_facts_have_the_shared_preferences() -> None:
    rng = random.Random(0)
    facts = [draw_fact(rng) for _ in range(2000)]
    kinds: dict[str, set[str]] = {f.verb: set() for f in facts}
    for fact in facts:
        assert fact.noun is not None and fact.noun in NOUNS
        kinds[fact.verb].add(fact.noun.split("-")[1])
    assert {len(k) for k in kinds.values()} == {2}


def test_files(tmp_path: Path) -> None:
    pytest.importorskip("tokenizers")
    hashes = []
    for folder in (tmp_path / "a", tmp_path / "b"):
        world_files.write(SMALL, folder / "world.json")
        paths = [p for p in sorted(folder.rglob("*")) if p.is_file()]
        hashes.append({str(p.relative_to(folder)): files.sha256(p) for p in paths})
    assert hashes[0] == hashes[1]
    assert set(hashes[0]) == {
        "tokenizer.json",
        "world.json",
        "pretraining.txt",
        "nli/train-en.tsv",
        "qa/train-en.json",
        "facts/facts.jsonl",
        "facts/templates.tsv",
        *(f"sentences/{code}.txt" for code in SMALL.languages),
        *(f"translation/{code}.txt" for code in SMALL.languages),
        *(f"lexicon/{code}.txt" for code in SMALL.languages),
        *(f"choices/{code}.jsonl" for code in SMALL.languages),
        *(f"corpus/{code}.txt" for code in SMALL.languages),
        *(f"nli/test-{code}.tsv" for code in SMALL.languages),
        *(f"qa/test-{code}.json" for code in SMALL.languages),
        *(
            f"dictionary/{part}-{one}-{two}.txt"
            for part in ("probe", "test")
            for one, two in itertools.permutations(SMALL.languages, 2)
        ),
    }
    rows = (tmp_path / "a/nli/test-zh.tsv").read_text(encoding="utf-8").splitlines()
    assert rows[0] == "premise\thypothesis\tlabel"
    assert len(rows) == SMALL.nli_test + 1
    assert {row.split("\t")[2] for row in rows[1:]} == set(LABELS)
    truth = files.read_json(tmp_path / "a/world.json")
    assert truth["languages"]["hi"]["words"] == World(SMALL).languages["hi"].words


@pytest.fixture(scope="module")
def tokenizer(world: World) -> Any:
    pytest.importorskip("torch")
    return words_of(world)


def words_of(world: World) -> Any:
    """Make the tokenizer of a world."""
    from langneurons.demo import pretraining

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tokenizer.json"
        world_files.word_tokenizer(world.vocabulary()).save(str(path))
        return pretraining.fast_tokenizer(path)


def pretrained(
    world: World, tokenizer: Any, architecture: str, seed: int
) -> tuple[list[float], Any]:
    """Take 60 steps; return their losses, and the weights."""
    from langneurons.demo import pretraining

    spec = DemoModel(
        architecture=architecture,
        hidden_size=16,
        intermediate_size=32,
        layers=1,
        heads=2,
        steps=60,
        tokens_per_step=256,
        learning_rate=1e-2,
        seed=seed,
    )
    rows = pretraining.pack(tokenizer, world.pretraining(), length=32)
    model = pretraining.new_model(tokenizer, spec)
    losses = pretraining.train(model, rows, spec)
    assert len(losses) == 60
    return losses, model.state_dict()


def fall(losses: list[float]) -> float:
    return losses[0] - sum(losses[-5:]) / 5


def fall_with(seed: int) -> float:
    world = World(SMALL)
    return fall(pretrained(world, words_of(world), "llama", seed)[0])


TRUTHS = {
    "fall": Truth(
        "pretraining of 60 steps: how much the loss falls (nats)",
        fall_with,
        "over",
        0.5,
    )
}


class TestPretraining:
    """Needs torch; a model of a few thousand weights."""

    def test_one_word_is_one_token(self, world: World, tokenizer: Any) -> None:
        for text in itertools.islice(world.pretraining(), 200):
            ids = tokenizer(text, add_special_tokens=False)["input_ids"]
            assert tokenizer.unk_token_id not in ids
            plain = text.replace(EOS, "")
            assert len(ids) == count_tokens(plain) + text.count(EOS)

    def test_special_tokens(self, tokenizer: Any) -> None:
        ids = tokenizer("Anna 2.")["input_ids"]
        assert tokenizer.convert_ids_to_tokens(ids) == ["<s>", "Anna", "2", "."]
        names = (
            tokenizer.pad_token,
            tokenizer.eos_token,
            tokenizer.bos_token,
            tokenizer.unk_token,
        )
        assert names == ("<pad>", "</s>", "<s>", "<unk>")

    def test_offsets_find_the_answer(self, world: World, tokenizer: Any) -> None:
        paragraph = world.qa("test", "hi")["data"][0]["paragraphs"][0]
        answer = paragraph["qas"][0]["answers"][0]
        encoded = tokenizer(paragraph["context"], return_offsets_mapping=True)
        start = answer["answer_start"]
        assert (start, start + len(answer["text"])) in encoded["offset_mapping"]

    @pytest.mark.parametrize("architecture", ["llama", "mistral"])
    def test_a_few_steps_lower_the_loss(
        self, world: World, tokenizer: Any, architecture: str
    ) -> None:
        import torch

        runs = [pretrained(world, tokenizer, architecture, 1) for _ in range(2)]
        assert TRUTHS["fall"].holds(fall(runs[0][0]))
        assert runs[0][0] == runs[1][0]
        for name, weight in runs[0][1].items():
            assert torch.equal(weight, runs[1][1][name]), name

    def test_build_writes_a_pinned_folder(self, tmp_path: Path) -> None:
        from langneurons.demo import pretraining
        from langneurons.nn.models import loading

        world_files.write(SMALL, tmp_path / "world/world.json")
        spec = DemoModel(
            hidden_size=16, intermediate_size=32, layers=2, heads=2, steps=2
        )
        with pytest.raises(ConfigError, match="demo.architecture"):
            world = tmp_path / "world"
            pretraining.build("m", "gpt2", spec, world, tmp_path, device="cpu")
        for run in ("one", "two"):
            pretraining.build("m", "llama", spec, world, tmp_path / run, device="cpu")
        manifest = files.read_json(tmp_path / "one/manifest.json")
        assert manifest == files.read_json(tmp_path / "two/manifest.json")
        assert manifest["layers"] == 2 and manifest["intermediate_size"] == 32
        assert manifest["source"] == "demo_world"
        assert manifest["revision"].startswith("sha256:")
        for name, digest in manifest["files"].items():
            assert files.sha256(tmp_path / "one" / name) == digest
        tokenizer = loading.load_tokenizer(tmp_path / "one")
        assert tokenizer.pad_token == "<pad>" and tokenizer.bos_token_id is not None
        model = loading.load_classifier(tmp_path / "one", num_labels=3)
        assert model.config.pad_token_id == tokenizer.pad_token_id
        assert loading.load_causal(tmp_path / "one").lm_head.weight.shape[1] == 16
