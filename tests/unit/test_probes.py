"""Words that a model is asked, neurons recorded on them, and how both are planned."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import yaml

import record_probes
from configurations import shipped, tiny
from langneurons.config.errors import ConfigError, DataError
from langneurons.config.names import Pair
from langneurons.costs.job_estimates import JobEstimates
from langneurons.costs.requests import Requests
from langneurons.grid import bridges
from langneurons.jobs.cli import Job
from langneurons.jobs.fingerprint import code_hash
from langneurons.neurons import recorded_probes
from langneurons.neurons.asked_words import NO_PROBES, AskedWords
from langneurons.neurons.neuron_sets import NeuronSets
from langneurons.neurons.recorded_probes import RecordedProbes
from langneurons.nn.evaluation import probes
from langneurons.nn.models.architectures import mlp_sites
from langneurons.study import probing
from langneurons.study.configuration import load
from langneurons.study.specs import Specs
from langneurons.tasks.common import asking
from langneurons.text.dictionaries import Word
from test_classification import word_tokenizer
from tiny_models import FAMILIES, WIDTH, opened, tokens
from tiny_models import build as tiny_model

PAIR = Pair("en", "hi")
WORDING = {"names": {"en": "English", "hi": "Hindi"}, "post": "clean",
           "max_new_tokens": 5}  # fmt: skip

# ------------------------------------------------------------------- recording neurons

LENGTHS = (5, 12, 3, 12, 9, 1)
LAYERS = np.array([0, 0, 0, 1, 1], np.int32)
NEURONS = np.array([0, 7, 23, 3, 22], np.int32)


def plainly(model: Any, texts: Sequence[Any]) -> np.ndarray:
    """Run one text after the other, without padding, and average what hooks see."""
    sites = mlp_sites(model)
    seen: dict[int, np.ndarray] = {}
    for number, layer in enumerate(sites.layers):
        layer.act.register_forward_hook(
            lambda m, a, out, n=number: seen.update(
                {n: out.reshape(-1, out.shape[-1]).double().numpy()}
            )
        )
    rows = []
    for ids in texts:
        with torch.no_grad():
            model(torch.as_tensor(ids)[None])
        rows.append([seen[x].mean(0)[i] for x, i in zip(LAYERS, NEURONS, strict=True)])
    return np.array(rows).T


@pytest.mark.parametrize(
    ("family", "side"),
    [*((family, "right") for family in FAMILIES), ("llama", "left"), ("gpt2", "left")],
)
def test_batches_give_what_single_probes_give(family: str, side: str) -> None:
    texts = [tokens(1, n, seed=n)[0].tolist() for n in LENGTHS]
    tokenizer = word_tokenizer()
    tokenizer.padding_side = side
    lm = opened(tiny_model(family), tokenizer, micro_batch=4)
    neurons = np.minimum(NEURONS, WIDTH - 1)
    found = probes.mean_activations(lm, texts, LAYERS, neurons)
    assert (found.shape, found.dtype) == ((5, 6), np.float32)
    expected = plainly(tiny_model(family), texts)
    assert found == pytest.approx(expected, rel=1e-4, abs=1e-5)
    again = probes.mean_activations(lm.in_batches(1), texts, LAYERS, neurons)
    assert again == pytest.approx(found, rel=1e-4, abs=1e-5)


def test_no_hook_is_left_behind() -> None:
    model = tiny_model("llama")
    texts = [[3, 4, 5]]
    probes.mean_activations(opened(model, word_tokenizer()), texts, LAYERS, NEURONS)
    acts = [layer.act for layer in mlp_sites(model).layers]
    assert not any(act._forward_hooks for act in acts)


def test_neurons_of_another_model_are_refused() -> None:
    lm = opened(tiny_model("llama"), word_tokenizer())
    for layers, neurons in (([2], [0]), ([0], [WIDTH])):
        with pytest.raises(DataError, match="belong to another model"):
            probes.mean_activations(lm, [[3]], np.array(layers), np.array(neurons))


def test_generated_tokens_are_read_but_for_the_last() -> None:
    lm = opened(tiny_model("llama"), word_tokenizer())
    texts = ["w5 w9", "w7"]
    plain = probes.read(lm, texts, None, ())
    assert plain == [[1, 5, 9], [1, 7]]  # BOS in front
    made = lm.generate(plain, 4)
    whole = probes.read(lm, texts, 4, ())
    assert whole == [a + b[:-1] for a, b in zip(plain, made, strict=True)]
    assert len(whole[0]) > 3


def test_the_union_of_all_languages_is_recorded() -> None:
    neurons = {"en": {1: [4, 5], 0: [9]}, "hi": {1: [4], 2: [0]}, "vi": {}}
    sets = NeuronSets("m", "s", "k", "toy", "r", 3, 10, "act_post", neurons)
    layers, ids = recorded_probes.union(sets)
    both = list(zip(layers.tolist(), ids.tolist(), strict=True))
    assert both == [(0, 9), (1, 4), (1, 5), (2, 0)]
    assert layers.dtype == ids.dtype == np.int32


def test_too_few_probes_are_told_of_and_a_file_without_any_comes_back(
    tmp_path: Path,
) -> None:
    words = [{"word": f"w{i}"} for i in range(8)]
    asked = AskedWords("toy", "en-hi", "muse", "correct", words, [1, 4, 5])
    assert recorded_probes.too_few(asked, 3) == ""
    why = recorded_probes.too_few(asked, 4)
    assert "3 of 8 words are translated right by toy, and 4 are needed" in why
    assert "keep: all" in why
    none = np.empty((2, 0), np.float32)
    place = np.array([0, 1], np.int32)
    made = RecordedProbes(none, place, place, "toy", "m.s", "en-hi", "prompt", (), why)
    made.write(tmp_path / "none.safetensors")
    again = RecordedProbes.read(tmp_path / "none.safetensors")
    assert (again.left_out, again.values.shape, again.words) == (why, (2, 0), ())


def test_a_selection_without_any_neuron_leaves_the_pair_out(tmp_path: Path) -> None:
    words = [{"word": f"w{i}"} for i in range(8)]
    asked = AskedWords("toy", "en-hi", "muse", "correct", words, [1, 4, 5])
    asked.write(tmp_path / "asked.json")
    empty: dict[str, dict[int, list[int]]] = {"en": {}, "hi": {1: []}}
    sets = NeuronSets("top", "set", "k", "toy", "r", 3, 10, "act_post", empty)
    sets.write(tmp_path / "neurons.json")
    given = {
        "model": "toy",
        "selection": "top.set",
        "pair": "en-hi",
        "tokens": "prompt",
    }
    paths = {"asked": tmp_path / "asked.json", "neurons": tmp_path / "neurons.json"}
    out = tmp_path / "out.safetensors"
    # There is no model to load.
    inputs, outputs = paths | {"model": tmp_path / "none"}, {"out": out}
    record_probes.main(Job(given | {"least": 2}, "", inputs, outputs, 1, 1, 1))
    found = RecordedProbes.read(out)
    assert "top.set selects no neuron of toy for any language" in found.left_out
    assert (found.values.shape, found.words) == ((0, 0), ())


# --------------------------------------------------------------------- asking for words


class Knows:
    """A model that knows some translations, by prompt."""

    def __init__(self, answers: dict[str, str]) -> None:
        self.answers, self.prompts = answers, []

    def encode(self, prompts: Sequence[str], beginning: bool) -> Sequence[str]:
        assert beginning
        self.prompts += prompts
        return prompts

    def generate(
        self, coded: Sequence[str], new: int, stop: Sequence[str]
    ) -> list[str]:
        assert (new, stop) == (5, ("\n",))
        return [self.answers.get(x, '"?"') for x in coded]

    def decode(self, made: str, stop: Sequence[str]) -> str:
        return made


WORDS = [Word("water", ("pani", "jal")), Word("dog", ("kutta",)), Word("go", ("ja",))]


def test_words_are_asked_and_judged() -> None:
    lm: Any = Knows(
        {
            'English:"water"→Hindi:': '"Jal"\nmore',
            'English:"dog"→Hindi:': '"kutta"',
            'Hindi:"jal"→English:': '"water"',
            'Hindi:"kutta"→English:': '"hound"',
        }
    )
    found = asking.ask(lm, WORDS, PAIR, WORDING, back=True)
    assert [x["correct"] for x in found] == [True, True, False]
    assert [x["back_correct"] for x in found] == [True, False, False]
    assert found[0]["answer"] == "Jal"
    assert found[2]["back"] is None
    # The way back is asked of what is right, from the word of the dictionary.
    assert lm.prompts[3:] == ['Hindi:"jal"→English:', 'Hindi:"kutta"→English:']
    assert asking.kept(found, "correct", 5) == [0, 1]
    assert asking.kept(found, "correct", 1) == [0]
    assert asking.kept(found, "both", 5) == [0]
    assert asking.kept(found, "all", 2) == [0, 1]
    forth = asking.ask(lm, WORDS, PAIR, WORDING, back=False)
    assert list(forth[0]) == ["word", "gold", "answer", "correct"]


def test_the_order_is_seeded_and_fewer_are_the_first_of_more() -> None:
    words = [Word(f"w{i}", ("x",)) for i in range(50)]
    many = asking.drawn(words, 0, 40)
    assert asking.drawn(words, 0, 7) == many[:7] != words[:7]
    assert asking.drawn(words, 1, 7) != many[:7]
    assert len(asking.drawn(words, 0, 100)) == 50
    untold = asking.untold(many[:2])
    assert untold[0]["correct"] is None
    assert asking.kept(untold, "all", 9) == [0, 1]


# ----------------------------------------------------------------------------- planning

BRIDGED = """
run: [bridged]
experiments:
  bridged:
    kind: bridges
    models: [demo]
    tasks: [words]
    pairs: [vi-hi, en-hi]
    candidates: [en, vi]
    selection: always.world
    similarities: [hsic, overlap, cosine, measured]
    probes: {dictionary: own}
dictionaries:
  own: {probe: "d/{source}-{target}.1", test: "d/{source}-{target}.2"}
methods:
  always: {kind: top_probability}
similarities:
  hsic: {kind: hsic}
  overlap: {kind: overlap}
  cosine: {kind: cosine}
  measured: {kind: measured}
tasks:
  words:
    kind: bli
    data: {dictionary: own}
    parameters: {names: {vi: Việt, hi: Hindi}}
"""


def bridged(text: str = "") -> Any:
    from configurations import merge

    return load(merge(tiny(BRIDGED), yaml.safe_load(text) or {}))


def spec(config: Any, rule: str, **names: str) -> dict[str, Any]:
    given = {"model": "demo", "method": "always", "langset": "world"} | names
    return json.loads(getattr(Specs(config), rule)(SimpleNamespace(**given)))


def test_measured_asks_for_the_pairs_over_each_candidate() -> None:
    config = bridged("similarities: {measured: {parameters: {answers: 30}}}")
    words = {str(pair): n for (_, pair), n in probing.asked(config).items()}
    assert words == {
        "vi-hi": 1500, "en-hi": 1500, "vi-en": 30, "en-vi": 30,
    }  # fmt: skip
    assert spec(config, "ask_probes", pair="vi-en")["asked"] == 30
    fewer = "experiments: {bridged: {similarities: [hsic]}}"
    assert [str(x) for _, x in probing.asked(bridged(fewer))] == ["vi-hi", "en-hi"]
    with pytest.raises(ConfigError, match="no similarity of an experiment of run"):
        spec(bridged(fewer), "ask_probes", pair="vi-en")


def test_jobs_are_told_what_they_read_and_no_more() -> None:
    config = bridged()
    asked = spec(config, "ask_probes", pair="vi-hi")
    assert asked["names"] == {"vi": "Việt", "hi": "Hindi"}
    assert {x: asked[x] for x in ("keep", "asked", "max_pairs", "post")} == {
        "keep": "correct", "asked": 1500, "max_pairs": 500, "post": "clean",
    }  # fmt: skip
    assert "least" not in asked
    recorded = spec(config, "record_probes", pair="vi-hi")
    assert recorded["selection"] == "always.world"
    assert "max_new_tokens" not in recorded
    generated = "experiments: {bridged: {probes: {tokens: prompt+generated}}}"
    whole = spec(bridged(generated), "record_probes", pair="vi-hi")
    assert whole["max_new_tokens"] == 30
    with pytest.raises(ConfigError, match="compares its neurons"):
        spec(config, "record_probes", pair="vi-hi", method="lape")
    compared = spec(config, "compare_languages", pair="vi-hi", similarity="overlap")
    assert compared == {
        "model": "demo",
        "pair": "vi-hi",
        "similarity": "overlap",
        "kind": "overlap",
        "parameters": {},
        "candidates": ["en"],
        "selection": "always.world",
    }
    cosine = spec(config, "compare_languages", pair="vi-hi", similarity="cosine")
    assert cosine["languages"] == ["en", "vi", "hi"]
    measured = spec(config, "compare_languages", pair="vi-hi", similarity="measured")
    assert "selection" not in measured


def test_writing_out_every_default_changes_no_job() -> None:
    short = bridged()
    written = {
        "experiments": {
            "bridged": {
                "probes": bridges.probes(short).model_dump(mode="json", warnings=False)
            }
        },
        "similarities": {
            name: {"parameters": probing.plugin(short, name)[1].model_dump(mode="json")}
            for name in short.similarities
        },
    }
    long = bridged(yaml.safe_dump(written))
    for rule in ("ask_probes", "record_probes"):
        assert spec(short, rule, pair="vi-hi") == spec(long, rule, pair="vi-hi")
    for name in short.similarities:
        names = {"pair": "vi-hi", "similarity": name}
        rule = "compare_languages"
        assert spec(short, rule, **names) == spec(long, rule, **names)


def test_words_that_are_not_asked_need_no_model() -> None:
    config = bridged(
        "experiments: {bridged: {similarities: [hsic], probes: {keep: all}}}"
    )
    asked = spec(config, "ask_probes", pair="vi-hi")
    assert not {"family", "asked", "names"} & set(asked)


@pytest.mark.parametrize("most", [100, 2000])
def test_as_many_words_are_probes_whether_or_not_they_are_asked(most: int) -> None:
    text = (
        "experiments: {bridged: {similarities: [%s], probes: {keep: all, asked: 1500, "
        "max_pairs: " + str(most) + "}}}"
    )
    told, untold = (
        spec(bridged(text % name), "ask_probes", pair="vi-hi")
        for name in ("measured", "hsic")
    )
    assert "asked" in told and "asked" not in untold
    assert told["max_pairs"] == untold["max_pairs"] == min(most, 1500)


def test_of_a_pair_on_the_way_only_the_answers_are_read() -> None:
    both = "experiments: {bridged: {probes: {keep: both, max_pairs: 70}}}"
    step, whole = (
        spec(bridged(both), "ask_probes", pair=x) for x in ("vi-en", "vi-hi")
    )
    assert not {"keep", "max_pairs"} & set(step) and step["asked"] > 0
    assert (whole["keep"], whole["max_pairs"]) == ("both", 70)
    assert step == spec(bridged(), "ask_probes", pair="vi-en")
    assert asking.kept([{"correct": True}], NO_PROBES, 0) == []


def test_answers_that_a_similarity_reads_are_asked_for_whatever_is_kept() -> None:
    config = bridged(
        "{experiments: {bridged: {probes: {keep: all}}}, "
        "similarities: {measured: {parameters: {answers: 30}}}}"
    )
    asked = spec(config, "ask_probes", pair="vi-en")
    assert asked["asked"] == 30 and "keep" not in asked


def test_another_candidate_reruns_comparisons_only() -> None:
    before = bridged("experiments: {bridged: {similarities: [hsic, overlap]}}")
    after = bridged(
        "experiments: {bridged: {similarities: [hsic, overlap], candidates: [en, vi, "
        "hi]}}"
    )
    for rule in ("ask_probes", "record_probes"):
        assert spec(before, rule, pair="en-hi") == spec(after, rule, pair="en-hi")
    names = {"pair": "vi-hi", "similarity": "hsic"}
    assert spec(before, "compare_languages", **names) == spec(
        after, "compare_languages", **names
    )
    more = "experiments: {bridged: {candidates: [vi, en]}}"
    assert spec(bridged(more), "compare_languages", **names)["candidates"] == ["en"]


def test_a_comparison_reads_only_the_files_of_its_kind() -> None:
    config, pair = bridged(), Pair("vi", "hi")
    read = {x: probing.files(config, "demo", x, pair) for x in config.similarities}
    assert read["hsic"] == {
        "neurons": ["results/neurons/demo/always.world.json"],
        "activations": [],
        "probes": ["results/probes/demo/always.world/vi-hi.safetensors"],
        "asked": [],
        "dictionary": [],
    }
    assert read["measured"]["asked"] == [
        "results/probes/demo/vi-en.json",
        "results/probes/demo/en-hi.json",
    ]
    assert not read["measured"]["neurons"]
    # What is tested is no ground to choose by.
    assert read["measured"]["dictionary"] == ["results/dictionaries/own/vi-hi.json"]
    assert len(read["cosine"]["activations"]) == 3
    assert read["overlap"]["probes"] == []


def test_the_code_of_a_comparison_is_that_of_its_kind() -> None:
    specs = Specs(bridged())
    codes = {
        name: specs.similarity_code(SimpleNamespace(similarity=name))
        for name in ("hsic", "overlap", "cosine", "measured")
    }
    assert len(set(codes.values())) == 4
    assert codes["overlap"] == code_hash("compare_languages", ("similarities.overlap",))


@pytest.mark.parametrize(
    ("similarities", "asks"), [("[hsic]", False), ("[hsic, measured]", True)]
)
def test_a_gpu_is_asked_for_where_a_model_is_asked(
    similarities: str, asks: bool
) -> None:
    config = bridged(
        f"experiments: {{bridged: {{similarities: {similarities}, probes: "
        "{keep: all}}}\nmodels: {demo: {parameters: 8.03e+9}}"
    )
    requests = Requests(config)
    job = SimpleNamespace(model="demo", pair="vi-hi")
    assert requests.gpu(job) > 0
    assert requests.asking_gpu(job) == (requests.gpu(job) if asks else 0)
    memory = requests.memory(job, 2)
    assert requests.asking_memory(job, 2) == (memory if asks else 8000) > 0
    assert memory > 8000


def test_costs_know_the_rules() -> None:
    estimates = JobEstimates(bridged())
    names = {"model": "demo", "pair": "vi-hi", "similarity": "hsic"}
    asked, recorded, compared = (
        estimates.job(rule, SimpleNamespace(**names))
        for rule in ("ask_probes", "record_probes", "compare_languages")
    )
    assert asked.tokens == 1500 * 12
    assert asked.seconds > recorded.seconds
    # 458,752 neurons, 15 languages with a hundredth of them each, 500 words.
    study = load(shipped() | {"run": ["bridges"]})
    names_ = {"model": "llama3-8b", "pair": "zh-sw", "method": "m", "langset": "s"}
    job = JobEstimates(study).job("record_probes", SimpleNamespace(**names_))
    assert job.disk == pytest.approx(15 * 0.01 * 458_752 * 500 * 4, rel=0.15)
    overlap = SimpleNamespace(**names | {"similarity": "overlap"})
    assert compared.seconds > estimates.job("compare_languages", overlap).seconds
    large = JobEstimates(study).job(
        "compare_languages",
        SimpleNamespace(model="llama3-8b", pair="zh-sw", similarity="hsic"),
    )
    assert large.seconds == pytest.approx(110, rel=0.05)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("experiments: {bridged: {candidates: [en, zh]}}", "'zh'"),
        ("experiments: {bridged: {candidates: [en]}}", "none is left for en-hi"),
        ("experiments: {bridged: {pairs: [en-zh]}}", "'zh'"),
        ("experiments: {bridged: {probes: {asked: 9, least: 9}}}", "probes.asked is 9"),
        ("experiments: {bridged: {similarities: [hsicc]}}", "hsic"),
        ("similarities: {hsic: {kind: hsicc}}", "unknown similarity kind 'hsicc'"),
        (
            "similarities: {hsic: {parameters: {variant: hsic}}}",
            "similarities.hsic.parameters.variant",
        ),
        (
            "similarities: {hsic: {parameters: "
            "{layers: [0.31, 0.66], layer_ids: [10, 21]}}}",
            "demo: layer_ids go up to 21, but it has layers 0 to 1",
        ),
        ("similarities: {hsic: {parameters: {layer: 3}}}", "parameters.layer"),
        ("similarities: {overlap: {kind: family}}", "no family of vi, hi; add it"),
        ("similarities: {Hsic: {kind: hsic}}", "similarities.Hsic"),
        (
            "methods: {always: {parameters: {top_rate: 0}}}",
            "methods.always.parameters.top_rate",
        ),
    ],
)
def test_what_cannot_be_compared_is_refused_before_the_first_job(
    text: str, said: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        bridged(text)
    assert said in str(caught.value)


def test_every_language_that_is_asked_for_needs_a_name() -> None:
    raw = tiny(BRIDGED.replace(", hi: Hindi", ""))
    with pytest.raises(ConfigError, match="tasks.words.parameters.names.*'hi'"):
        load(raw)


def test_probes_without_a_task_of_words_are_asked_for_as_by_default() -> None:
    config = bridged()
    assert set(probing.all_translating(config)) == {"words"}
    assert probing.wording(config, PAIR)["names"]["hi"] == "Hindi"
    other = bridges.all_axes(config)["bridged"].model_copy(update={"tasks": ()})
    alone = config.model_copy(update={"experiments": {"bridged": other}})
    assert probing.translating(alone).post == "clean"
    with pytest.raises(ConfigError, match="no name for hi"):
        probing.wording(alone, PAIR)
