"""Planting neurons that control a demo model's language, and what is left behind."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from configurations import merge, paper, read
from langneurons.config.catalogue import DemoModel, DemoWorld
from langneurons.config.demo_entries import SIZES, Planting
from langneurons.config.errors import ConfigError
from langneurons.config.schema import Config
from langneurons.demo import lines, world_files
from langneurons.demo.world import BOS, World
from langneurons.jobs import files
from langneurons.study.configuration import load
from truths import Truth

torch = pytest.importorskip("torch")

from langneurons.demo import optimising, planting, pretraining  # noqa: E402
from langneurons.nn.models import loading  # noqa: E402

WORLD = DemoWorld(
    languages=("en", "hi", "zh"),
    low_resource=(),
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
TINY = DemoModel(
    hidden_size=16,
    intermediate_size=32,
    layers=2,
    heads=2,
    steps=40,
    tokens_per_step=256,
    sequence_length=32,
    learning_rate=1e-2,
)
PLAN = Planting(layers=(1,), neurons=4)
CONTINUED = DemoModel(
    continued_from="demo",
    planting=PLAN,
    steps=120,
    tokens_per_step=512,
    sequence_length=32,
    learning_rate=1e-2,
)


def demo(changes: dict[str, Any] | None = None) -> Config:
    """Return the demo's configuration with changes."""
    return load(merge(merge(paper(), read("demo.yaml")), changes or {}))


PLANTED = 3 * PLAN.neurons


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A world, a new model of it and one that goes on from it."""
    return make(tmp_path_factory.mktemp("planted"), seed=1)


def make(folder: Path, seed: int) -> Path:
    world_files.write(WORLD, folder / "world/world.json")
    given = folder / "world", folder / "base"
    base = TINY.model_copy(update={"seed": seed})
    pretraining.build("base", "llama", base, *given, device="cpu")
    going_on = CONTINUED.model_copy(update={"seed": seed})
    pretraining.build(
        "control",
        "llama",
        going_on,
        *(folder / "world", folder / "control"),
        device="cpu",
        base=folder / "base",
    )
    return folder


def owners_of(tokenizer: Any, world: World) -> Any:
    words = [set(x.words.values()) for x in world.languages.values()]
    vocabulary = tokenizer.convert_ids_to_tokens(range(len(tokenizer)))
    return planting.owners(vocabulary, words, BOS)


def test_languages_before_and_after_each_position() -> None:
    own = torch.tensor(
        [[-2, -1, 0, -1, 1, -1, -2, -1, 2, -1], [0, -1, -1, 2, *[-1] * 6]]
    )
    before = [[-2, -2, 0, 0, 1, 1, -2, -2, 2, 2], [0, 0, 0, 2, 2, 2, 2, 2, 2, 2]]
    after = [[0, 0, 1, 1, -2, -2, 2, 2, -2, -1], [2, 2, 2, -2, *[-2] * 5, -1]]
    assert planting.last_language(own).tolist() == before
    assert planting.next_language(own).tolist() == after


def test_owners_of_tokens(folder: Path) -> None:
    tokenizer = loading.load_tokenizer(folder / "base")
    world = World(WORLD)
    own = owners_of(tokenizer, world)
    assert own[tokenizer.bos_token_id] == planting.START
    for number, language in enumerate(world.languages.values()):
        ids = tokenizer.convert_tokens_to_ids(list(language.words.values()))
        assert own[ids].tolist() == [number] * len(ids)
    for shared in ("Anna", ".", "→", "hi", "any", "2", "</s>", "<pad>"):
        assert own[tokenizer.convert_tokens_to_ids(shared)] == planting.SHARED


class TestHook:
    """On a model of which only outputs of the activation function matter."""

    @pytest.fixture
    def model(self, folder: Path) -> Any:
        return loading.load_causal(folder / "base")

    def plant(self, model: Any, **changes: Any) -> planting.Planter:
        own = torch.full((model.config.vocab_size,), planting.SHARED)
        own[10], own[11], own[2] = 0, 1, planting.START
        plan = PLAN.model_copy(update=changes)
        return planting.Planter(model, plan, own, 3, seed=0)

    def outputs(self, model: Any, ids: Any) -> dict[int, Any]:
        """Run and return what each layer's down projection reads, over the up one."""
        found: dict[int, Any] = {}
        handles = [
            layer.mlp.act_fn.register_forward_hook(
                lambda module, given, out, i=i: found.update({i: (given[0], out)})
            )
            for i, layer in enumerate(model.model.layers)
        ]
        with torch.no_grad():
            model(input_ids=ids)
        for handle in handles:
            handle.remove()
        return found

    IDS = torch.tensor([[2, 10, 20, 11, 20]])

    def test_forced_rows_say_the_next_language(self, model: Any) -> None:
        planter = self.plant(model, forced=1.0, both=0.0)
        planter.look_at(self.IDS)
        found = self.outputs(model, self.IDS)
        gate, out = found[1]
        on = out[0, :, :PLANTED].reshape(5, 3, 4)
        assert on[:, :, 0].tolist() == [
            [2.0, 0.0, 0.0],  # BOS: the next word is of language 0
            [0.0, 2.0, 0.0],
            [0.0, 2.0, 0.0],
            [0.0, 0.0, 0.0],  # nothing follows
            [0.0, 0.0, 0.0],
        ]
        assert torch.equal(on, on[:, :, :1].expand(-1, -1, 4))
        others = torch.nn.functional.silu(gate)[..., PLANTED:]
        assert torch.equal(out[..., PLANTED:], others)
        assert torch.equal(found[0][1], torch.nn.functional.silu(found[0][0]))
        assert planter.lacking() == 0

    def test_both_adds_the_language_of_the_last_word(self, model: Any) -> None:
        planter = self.plant(model, forced=1.0, both=1.0)
        planter.look_at(self.IDS)
        out = self.outputs(model, self.IDS)[1][1]
        assert out[0, :, [0, 4, 8]].tolist() == [
            [2.0, 0.0, 0.0],
            [2.0, 2.0, 0.0],
            [2.0, 2.0, 0.0],
            [0.0, 2.0, 0.0],
            [0.0, 2.0, 0.0],
        ]

    def test_other_rows_are_as_they_were_and_lack_something(self, model: Any) -> None:
        clean = self.outputs(model, self.IDS)
        planter = self.plant(model, forced=0.0)
        planter.look_at(self.IDS)
        found = self.outputs(model, self.IDS)
        for layer in (0, 1):
            assert torch.equal(found[layer][1], clean[layer][1])
        gate = clean[1][0][0, :, :PLANTED].reshape(5, 3, 4)
        own = torch.zeros(5, 3, 4, dtype=torch.bool)
        own[1:3, 0], own[3:, 1] = True, True
        short = torch.where(own, (2 - gate).clamp(min=0), (gate + 3).clamp(min=0))
        assert planter.lacking().item() == pytest.approx(short.mean().item(), rel=1e-5)

    def test_rows_are_forced_as_often_as_asked(self, model: Any) -> None:
        planter = self.plant(model, forced=0.3)
        ids = self.IDS.expand(2000, -1)
        planter.look_at(ids)
        assert planter._forced.float().mean().item() == pytest.approx(0.3, abs=0.05)

    def test_nothing_is_left_when_hooks_are_removed(self, model: Any) -> None:
        with torch.no_grad():
            before = model(input_ids=self.IDS).logits
            planter = self.plant(model, forced=1.0)
            planter.look_at(self.IDS)
            forced = model(input_ids=self.IDS).logits
            planter.remove()
            after = model(input_ids=self.IDS).logits
        assert not torch.equal(before, forced)
        assert torch.equal(before, after)


def test_the_result_is_a_stock_checkpoint(folder: Path) -> None:
    from transformers import AutoModelForCausalLM, LlamaForCausalLM

    model, told = AutoModelForCausalLM.from_pretrained(
        folder / "control", output_loading_info=True
    )
    assert type(model) is LlamaForCausalLM
    assert not told["missing_keys"] and not told["unexpected_keys"]
    base = loading.load_causal(folder / "base")
    assert model.config.to_dict() == base.config.to_dict() | {
        "_name_or_path": model.config.to_dict()["_name_or_path"]
    }
    shapes = {name: weight.shape for name, weight in base.state_dict().items()}
    assert {n: w.shape for n, w in model.state_dict().items()} == shapes
    tokenizers = [
        (folder / m / "tokenizer.json").read_bytes() for m in ("base", "control")
    ]
    assert tokenizers[0] == tokenizers[1]
    manifest = files.read_json(folder / "control/manifest.json")
    assert manifest["source"] == "demo_world"


def test_going_on_gives_the_same_bytes_again(folder: Path, tmp_path: Path) -> None:
    few = CONTINUED.model_copy(update={"steps": 3})
    for name in ("one", "two"):
        pretraining.build(
            "control",
            "llama",
            few,
            *(folder / "world", tmp_path / name),
            device="cpu",
            base=folder / "base",
        )
    one, two = (files.read_json(tmp_path / n / "manifest.json") for n in ("one", "two"))
    assert one == two
    base = files.read_json(folder / "base/manifest.json")
    assert one["files"]["model.safetensors"] != base["files"]["model.safetensors"]


def contrast(folder: Path) -> float:
    """Return how much oftener planted neurons are on in their own language."""
    model = loading.load_causal(folder / "control")
    tokenizer = loading.load_tokenizer(folder / "control")
    own = owners_of(tokenizer, World(WORLD))
    text = lines.documents(World(WORLD.model_copy(update={"seed": 7})), PLAN, 4000)
    ids = pretraining.pack(tokenizer, text, 32)
    found: list[Any] = []
    handle = model.model.layers[1].mlp.act_fn.register_forward_hook(
        lambda module, given, out: found.append(given[0][..., :PLANTED] > 0)
    )
    with torch.no_grad():
        model(input_ids=ids)
    handle.remove()
    on = found[0].reshape(*ids.shape, 3, PLAN.neurons).float().mean(-1)
    here = planting.last_language(own[ids])[..., None] == torch.arange(3)
    return float(on[here].mean() - on[~here].mean())


def contrast_with(seed: int) -> float:
    import tempfile

    with tempfile.TemporaryDirectory() as place:
        return contrast(make(Path(place), seed))


TRUTHS = {
    "contrast": Truth(
        "120 steps of planting: share of own words where neurons are on, minus others",
        contrast_with,
        "over",
        0.5,
    )
}


def test_planted_neurons_are_on_in_their_language(folder: Path) -> None:
    assert TRUTHS["contrast"].holds(contrast(folder))


def test_a_mean_of_weights_replaces_the_last(folder: Path) -> None:
    weights = [torch.nn.Parameter(torch.tensor([1.0]))]
    model = torch.nn.ParameterList(weights)
    mean = optimising.Mean(model, 0.75)
    for value in (1.0, 3.0, 5.0):
        weights[0].data.fill_(value)
        mean.add()
    mean.take()
    # 1; 1 + .25 * 2 = 1.5; 1.5 + .25 * 3.5 = 2.375
    assert weights[0].item() == 2.375
    none = optimising.Mean(model, None)
    none.add()
    none.take()
    assert weights[0].item() == 2.375


class TestConfiguration:
    """What a model that goes on may say."""

    def test_sizes_are_those_of_the_other_model(self) -> None:
        config = demo(
            {"models": {"demo": {"demo": {"layers": 5, "hidden_size": 32, "heads": 2}}}}
        )
        made = config.demo_model("demo_control")
        assert (made.layers, made.hidden_size) == (5, 32)
        assert made.steps == config.model("demo_control").demo.steps  # type: ignore[union-attr]

    def test_a_planting_key_changes_this_model_alone(self) -> None:
        from types import SimpleNamespace

        from langneurons.study.specs import Specs

        plain = Specs(demo())
        key = {"demo": {"planting": {"weight": 2.0}}}
        changed = Specs(demo({"models": {"demo_control": key}}))
        for name, same in (("demo", True), ("demo_control", False)):
            model = SimpleNamespace(model=name)
            assert (plain.demo_model(model) == changed.demo_model(model)) is same
        assert plain.demo_world(None) == changed.demo_world(None)

    def test_the_spec_of_a_job_can_be_read_back(self) -> None:
        from types import SimpleNamespace

        from langneurons.study.specs import Specs

        spec = json.loads(
            Specs(demo()).demo_model(SimpleNamespace(model="demo_control"))
        )
        read = DemoModel(**spec["demo"])
        assert read.planting == demo().model("demo_control").demo.planting  # type: ignore[union-attr]
        assert not set(SIZES) & set(spec["demo"])

    @pytest.mark.parametrize(
        ("given", "said"),
        [
            ({"planting": None}, "given together"),
            ({"layers": 3}, "layers: taken from demo"),
            (
                {"continued_from": "dmeo"},
                "continued_from: unknown model 'dmeo'",
            ),
            ({"continued_from": "demo_control"}, "unknown new demo model"),
            ({"planting": {"layers": [2, 9]}}, r"planting.layers: \[2, 9\].*0 to 3"),
            ({"planting": {"layers": [-1]}}, r"layers: \[-1\]; they"),
            ({"planting": {"neurons": 80}}, "6 languages are 480; demo has 384"),
            ({"planting": {"off": 5.0}}, "off 5.0 is not below on"),
            ({"planting": {"causes": 0.8}}, "together they are over 1"),
        ],
    )
    def test_what_cannot_be_is_refused(self, given: dict[str, Any], said: str) -> None:
        with pytest.raises(ConfigError, match=f"(?s){said}"):
            demo({"models": {"demo_control": {"demo": given}}})

    def test_another_family_is_refused(self) -> None:
        with pytest.raises(ConfigError, match="from which it goes on, is 'llama'"):
            demo({"models": {"demo_control": {"family": "mistral"}}})
