"""A dictionary with gaps: its lines and files, and a demo model that learns it."""

from __future__ import annotations

import itertools
import re
import tempfile
from pathlib import Path
from typing import Any

import pytest

from configurations import merge, paper, read
from langneurons.config.catalogue import DemoModel, DemoWorld
from langneurons.config.demo_entries import Bridging
from langneurons.config.errors import ConfigError
from langneurons.config.names import Pair
from langneurons.config.schema import Config
from langneurons.demo import dictionary, world_files
from langneurons.demo.dictionary import GAP, TAUGHT, TESTED, Document
from langneurons.demo.world import World
from langneurons.grid.experiments import of_kind
from langneurons.grid.experiments.bridges import Bridges
from langneurons.jobs import files
from langneurons.study.configuration import load
from truths import Truth

WORLD = DemoWorld(
    languages=("en", "vi", "hi", "zh", "ur"),
    low_resource=("ur",),
    pretraining_tokens=20_000,
    corpus_tokens=500,
    nli_train=6,
    nli_test=6,
    qa_train=2,
    qa_test=2,
    sentences=60,
    facts=5,
    choices=4,
)
PLAN = Bridging(into=("hi-ur", "vi-el"), ordinary=0.2)
WORDS = re.compile(r'(\w+):"([^"]+)"')


@pytest.fixture(scope="module")
def world() -> World:
    return World(DemoWorld())


@pytest.fixture(scope="module")
def documents(world: World) -> list[Document]:
    return list(itertools.islice(dictionary.documents(world, PLAN, seed=1), 6000))


def lines(documents: list[Document]) -> list[list[tuple[str, str]]]:
    """Return the languages and words of each line."""
    found = [WORDS.findall(one.text) for one in documents if one.line]
    texts = [one.text for one in documents if one.line]
    for text, parts in zip(texts, found, strict=True):
        assert text == "→".join(f'{code}:"{word}"' for code, word in parts)
    return found


class TestLines:
    """What lines say, and how often."""

    def test_words_mean_the_same_or_are_a_gap(
        self, world: World, documents: list[Document]
    ) -> None:
        for (source, word), *others in lines(documents):
            concept = world.languages[source].concepts[word]
            assert concept in TAUGHT
            before = source
            for code, other in others:
                gap = PLAN.through.get(code, before) != before
                assert other == (GAP if gap else world.languages[code].words[concept])
                before = code

    def test_low_resource_languages_are_never_in_chains(
        self, documents: list[Document]
    ) -> None:
        sizes = {len(line) for line in lines(documents)}
        assert sizes == {2, 3}
        for line in lines(documents):
            if len(line) == 3:
                assert not {code for code, _ in line} & set(PLAN.through)
                assert len({code for code, _ in line}) == 3

    def test_a_low_resource_language_goes_into_its_bridge_only(
        self, documents: list[Document]
    ) -> None:
        ways = {
            (a, b) for (a, _), (b, _) in (x for x in lines(documents) if len(x) == 2)
        }
        assert {way for way in ways if way[0] in PLAN.through} == {
            ("ur", "hi"),
            ("el", "vi"),
        }

    def test_shares(self, documents: list[Document]) -> None:
        def share(chosen: Any, among: list[Any]) -> float:
            return sum(map(chosen, among)) / len(among)

        assert share(lambda x: not x.line, documents) == pytest.approx(0.2, abs=0.03)
        found = lines(documents)
        low = [x for x in found if {code for code, _ in x} & set(PLAN.through)]
        others = [x for x in found if x not in low]
        assert len(low) / len(found) == pytest.approx(PLAN.low, abs=0.03)
        assert share(lambda x: len(x) == 3, others) == pytest.approx(0.2, abs=0.03)
        gaps = [x for x in low if x[-1][1] == GAP]
        assert len(gaps) / len(low) == pytest.approx(PLAN.gaps, abs=0.04)
        back = [x for x in low if x[0][0] in PLAN.through]
        assert len(back) / (len(low) - len(gaps)) == pytest.approx(0.3, abs=0.05)
        # Another's bridge comes twice as often as a language that is none.
        into_ur = [x[0][0] for x in gaps if x[-1][0] == "ur"]
        assert share(lambda x: x == "vi", into_ur) == pytest.approx(0.5, abs=0.08)
        assert set(into_ur) == {"en", "vi", "zh"}

    def test_ordinary_text_has_low_resource_languages_beside_bridges_only(
        self, world: World, documents: list[Document]
    ) -> None:
        owner = {w: c for c, x in world.languages.items() for w in x.words.values()}
        met: set[frozenset[str]] = set()
        for one in documents:
            words = re.split(r"[\s.?]+", one.text) if not one.line else ()
            met.add(frozenset(owner[w] for w in words if w in owner))
        mixed = {pair for pair in met if len(pair) == 2}
        for low, bridge in PLAN.through.items():
            assert {x for x in mixed if low in x} == {frozenset((low, bridge))}
        assert len(mixed) > len(PLAN.through)

    def test_everything_is_decided_by_the_seed(self, world: World) -> None:
        def first(seed: int) -> list[Document]:
            return list(itertools.islice(dictionary.documents(world, PLAN, seed), 50))

        assert first(1) == first(1) != first(2)


class TestFiles:
    """Files in the layout of MUSE."""

    def test_words_are_tested_or_probes_and_all_taught_ones_are_there(self) -> None:
        world = World(WORLD)
        hi, zh = world.languages["hi"], world.languages["zh"]
        found = {}
        for part in ("test", "probe"):
            rows = [x.split("\t") for x in dictionary.rows(world, part, ("hi", "zh"))]
            assert all(hi.concepts[a] == zh.concepts[b] for a, b in rows)
            found[part] = [hi.concepts[a] for a, _ in rows]
        assert found["test"] == list(TESTED)
        assert not set(found["test"]) & set(found["probe"])
        assert set(TAUGHT) <= {*found["test"], *found["probe"]}
        assert len(found["probe"]) >= 20  # fewer are left out (probes.least)

    def test_the_project_reads_them(self, tmp_path: Path) -> None:
        pytest.importorskip("tokenizers")
        from langneurons.text import dictionaries

        world_files.write(WORLD, tmp_path / "world.json")
        paths = [tmp_path / f"dictionary/{x}-en-ur.txt" for x in ("probe", "test")]
        leg = {"pair": "en-ur", "swapped": False}
        found = dictionaries.read([leg], paths, "keep")
        assert [len(found[x]) for x in ("test", "probe")] == [16, 40]


torch = pytest.importorskip("torch")

from langneurons.demo import learning, pretraining  # noqa: E402
from langneurons.demo.learning import HOLE, QUESTION, REST, WORD  # noqa: E402
from langneurons.nn.models import loading  # noqa: E402

TINY = DemoModel(
    hidden_size=16,
    intermediate_size=32,
    layers=2,
    heads=2,
    steps=30,
    tokens_per_step=256,
    sequence_length=32,
    learning_rate=1e-2,
)
TAUGHT_MODEL = DemoModel(
    continued_from="demo",
    bridging=Bridging(into=("hi-ur",), decay=20),
    steps=60,
    tokens_per_step=512,
    sequence_length=32,
    learning_rate=1e-2,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A world, and a new model of it."""
    return make(tmp_path_factory.mktemp("bridging"), seed=1)


def make(folder: Path, seed: int) -> Path:
    world_files.write(WORLD, folder / "world/world.json")
    base = TINY.model_copy(update={"seed": seed})
    given = folder / "world", folder / "base"
    pretraining.build("base", "llama", base, *given, device="cpu")
    return folder


def test_what_counts_of_a_row(folder: Path) -> None:
    tokenizer = loading.load_tokenizer(folder / "base")
    lang = World(WORLD).languages
    word = [lang[code].words[TAUGHT[0]] for code in ("en", "hi", "zh")]
    chain = f'en:"{word[0]}"→hi:"{word[1]}"→zh:"{word[2]}"'
    texts = [
        Document(chain, line=True),
        Document(f'en:"{word[0]}"→ur:"?"', line=True),
        Document(f"Anna {word[0]}.", line=False),
    ]
    batch = next(learning.batches(tokenizer, itertools.cycle(texts), 2, 19))
    first = (
        [QUESTION] * 9 + [REST, WORD, REST] + [QUESTION] * 3 + [REST, WORD, REST, REST]
    )
    second = [QUESTION] * 9 + [REST, HOLE, REST, REST] + [REST] * 5 + [QUESTION]
    assert batch.kinds.tolist() == [first, second]
    assert batch.ids[0, 0] == tokenizer.bos_token_id
    assert batch.ids[0, 18] == tokenizer.eos_token_id
    assert (
        tokenizer.convert_ids_to_tokens(batch.ids[0][batch.kinds[0] == WORD])
        == word[1:]
    )


def test_the_rest_of_a_line_that_a_row_begins_with_does_not_count(folder: Path) -> None:
    tokenizer = loading.load_tokenizer(folder / "base")
    text = f'en:"{World(WORLD).languages["en"].words[TAUGHT[0]]}"→ur:"?"'
    batch = next(
        learning.batches(tokenizer, itertools.repeat(Document(text, True)), 2, 20)
    )
    assert batch.kinds[1, :6].tolist() == [QUESTION] * 6  # 7 tokens were in row 0
    assert batch.kinds[1, 6:].tolist() == [QUESTION] * 9 + [
        REST,
        HOLE,
        REST,
        REST,
        QUESTION,
    ]


class TestPace:
    """When the learning rate falls."""

    PLAN = Bridging(into=("hi-ur",), learnt=0.9, batches=3, decay=4)

    def rates(self, right: list[float], steps: int = 40) -> list[float]:
        pace, found = learning.Pace(self.PLAN, steps), []
        shares = iter([*right, *[0.0] * steps])
        while rate := pace.rate():
            found.append(rate)
            pace.add(next(shares))
        return found

    def test_it_falls_when_the_last_batches_are_right(self) -> None:
        found = self.rates([0.0] * 22 + [0.8, 1.0, 1.0])
        assert found[:2] == [1 / learning.WARMUP, 2 / learning.WARMUP]
        assert found[19:25] == [1.0] * 6
        assert found[25:] == [1.0, 0.75, 0.5, 0.25]

    def test_a_few_batches_are_not_enough(self) -> None:
        assert len(self.rates([1.0, 1.0], steps=10)) == 10

    def test_it_ends_at_the_limit(self, caplog: pytest.LogCaptureFixture) -> None:
        found = self.rates([0.5] * 40)
        assert len(found) == 40
        assert found[36:] == [1.0, 0.75, 0.5, 0.25]
        assert "not learnt in 36 steps: 50 % of it, not 90" in caplog.text


def test_half_of_the_loss_is_of_words(folder: Path) -> None:
    model = loading.load_causal(folder / "base")
    ids = torch.tensor([[2, 10, 20, 11, 20, 30]])
    kinds = torch.tensor([[QUESTION, REST, WORD, REST, HOLE, QUESTION]])
    loss, right = learning._step(model, learning.Batch(ids, kinds))
    with torch.no_grad():
        logits = model(input_ids=ids).logits[0, :-1]
    nll = -logits.log_softmax(-1)[torch.arange(5), ids[0, 1:]]
    wanted = (nll[[1, 3]].mean() + nll[[0, 2]].mean()) / 2
    assert loss.item() == pytest.approx(wanted.item(), rel=1e-5)
    assert right == float(logits[1].argmax() == 20)
    nothing = learning.Batch(ids, torch.zeros_like(ids))
    loss, right = learning._step(model, nothing)
    assert (loss.item(), right) == (0.0, 0.0)


def build(folder: Path, out: str, seed: int = 1) -> dict[str, Any]:
    """Go on from the base, and return the manifest of what came of it."""
    spec = TAUGHT_MODEL.model_copy(update={"seed": seed})
    pretraining.build(
        "bridge",
        "llama",
        spec,
        *(folder / "world", folder / out),
        device="cpu",
        base=folder / "base",
    )
    return files.read_json(folder / out / "manifest.json")


def test_going_on_gives_the_same_bytes_again(folder: Path) -> None:
    one, two, other = (
        build(folder, out, seed) for out, seed in (("a", 1), ("b", 1), ("c", 2))
    )
    assert one == two
    weights = [x["files"]["model.safetensors"] for x in (one, other)]
    base = files.read_json(folder / "base/manifest.json")
    assert len({*weights, base["files"]["model.safetensors"]}) == 3
    shapes = [
        {n: w.shape for n, w in loading.load_causal(folder / x).state_dict().items()}
        for x in ("base", "a")
    ]
    assert shapes[0] == shapes[1]


def fall(folder: Path, seed: int) -> float:
    """Return how much the loss falls while a dictionary is learnt."""
    spec = TAUGHT_MODEL.model_copy(update={"seed": seed})
    model = loading.load_causal(folder / "base")
    tokenizer = loading.load_tokenizer(folder / "base")
    losses = learning.learn(model, tokenizer, spec, World(WORLD))
    assert len(losses) == spec.steps  # so few are not enough
    return (sum(losses[:5]) - sum(losses[-5:])) / 5


def fall_with(seed: int) -> float:
    with tempfile.TemporaryDirectory() as place:
        return fall(make(Path(place), seed), seed)


TRUTHS = {
    "bridging": Truth(
        "60 steps of a dictionary: how much the loss falls (nats)",
        fall_with,
        "over",
        1.0,
    )
}


def test_the_loss_falls(folder: Path) -> None:
    assert TRUTHS["bridging"].holds(fall(folder, seed=1))


def demo(changes: dict[str, Any] | None = None) -> Config:
    """Return the demo's configuration with changes."""
    return load(merge(merge(paper(), read("demo.yaml")), changes or {}))


class TestConfiguration:
    """What a model that learns a dictionary may say."""

    def test_the_two_models_differ_in_their_bridges_only(self) -> None:
        config = demo()
        one, two = (
            config.demo_model(name) for name in ("demo_bridge", "demo_bridge_swapped")
        )
        assert one.bridging and two.bridging
        bridges = one.bridging.through, two.bridging.through
        assert bridges == ({"ur": "hi", "el": "vi"}, {"ur": "zh", "el": "hi"})
        plan = two.bridging.model_copy(update={"into": one.bridging.into})
        assert two.model_copy(update={"bridging": plan}) == one

    def test_no_source_of_a_pair_is_the_bridge(self) -> None:
        config = demo()
        for axes in of_kind(config, Bridges).values():
            for name in axes.models:
                plan = config.demo_model(name).bridging
                assert plan is not None
                for pair in map(Pair.parse, axes.pairs):
                    bridge = plan.through[pair.target]
                    assert pair.source != bridge
                    assert bridge in axes.of_pair(pair)

    @pytest.mark.parametrize(
        ("given", "said"),
        [
            ({"bridging": None}, "given together, or none is; given: none of these"),
            ({"planting": {}}, "given together, or none is; given: planting, bridging"),
            ({"continued_from": None}, "given together"),
            ({"averaging": 0.9}, "averaging: with 'bridging'"),
            ({"steps": 100}, "decay: 100 of at most 100 steps leave none"),
            ({"sequence_length": 16}, "sequence_length 16: a line has up to 19 tokens"),
            ({"bridging": {"into": ["hi-xx"]}}, "into: unknown language 'xx'"),
            ({"bridging": {"into": ["hi"]}}, "pair 'hi' is not of the form"),
            ({"bridging": {"into": ["hi-ur", "en-ur"]}}, "two bridges into one"),
            ({"bridging": {"into": ["hi-ur", "zh-hi"]}}, "into: hi is a bridge"),
            (
                {"bridging": {"into": ["en-vi", "en-hi", "en-ur", "en-zh", "en-el"]}},
                "into: en besides vi, hi, ur, zh, el; two or more",
            ),
        ],
    )
    def test_what_cannot_be_is_refused(self, given: dict[str, Any], said: str) -> None:
        with pytest.raises(ConfigError, match=f"(?s){said}"):
            demo({"models": {"demo_bridge": {"demo": given}}})
