"""Language neurons planted by hand are the ones found, from tokens to neuron sets.

A two-layer Llama without attention reads off each token's language and word. Its
neurons are planted: some fire for one language only, one for two, some for a word in
any language, some always, the rest never.
"""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from langneurons.config.catalogue import Statistic
from langneurons.jobs import tensors
from langneurons.methods import MethodInputs, lape
from langneurons.neurons.recorded_activations import Activations
from langneurons.nn.evaluation.applying import applied
from langneurons.nn.evaluation.interventions import build
from langneurons.nn.recording.measuring import record
from tiny_models import build as tiny

LANGUAGES, WORDS, WIDTH, LAYERS = ("en", "vi", "hi"), 5, 40, 2
SCRATCH = len(LANGUAGES) + WORDS + 1  # makes the hidden size even
PLANTED = {"en": {(0, 3), (1, 0)}, "vi": {(0, 11), (1, 17)}, "hi": {(1, 5), (1, 39)}}
SHARED = (0, 20)  # fires for vi and hi
ALWAYS = [(0, 1), (1, 1), (1, 2)]
WORD = [(layer, 25 + word) for layer in range(LAYERS) for word in range(WORDS)]


@pytest.fixture(scope="module")
def model():
    model = tiny(
        "llama", "base", hidden_size=SCRATCH + 1, intermediate_size=WIDTH, head_dim=4,
        vocab_size=len(LANGUAGES) * WORDS,
    )  # fmt: skip
    langs = range(len(LANGUAGES))
    with torch.no_grad():
        embedding = model.embed_tokens.weight.zero_()
        for token in range(len(LANGUAGES) * WORDS):
            embedding[token, token // WORDS] = 1
            embedding[token, len(LANGUAGES) + token % WORDS] = 1
        for layer in model.layers:
            layer.self_attn.o_proj.weight.zero_()
            # Never active unless planted; and no neuron reads what neurons write.
            layer.mlp.gate_proj.weight.zero_()[:, langs] = -1
            layer.mlp.down_proj.weight.zero_()[SCRATCH] = 1
            layer.mlp.up_proj.weight.zero_()[:, langs] = 1
        gates = [layer.mlp.gate_proj.weight for layer in model.layers]
        for lang, planted in PLANTED.items():
            for layer, neuron in planted:
                gates[layer][neuron, LANGUAGES.index(lang)] = 1
        gates[SHARED[0]][SHARED[1], [1, 2]] = 1
        for layer, neuron in ALWAYS:
            gates[layer][neuron, langs] = 1
        for layer, neuron in WORD:
            gates[layer][neuron, len(LANGUAGES) + neuron - 25] = 2
    return model


def text(lang: str) -> torch.Tensor:
    """Draw chunks in which nine tokens of ten are of the language."""
    place = LANGUAGES.index(lang)
    rng = np.random.default_rng(place)
    other = (place + rng.integers(1, 3, (30, 16))) % 3
    spoken = np.where(rng.random((30, 16)) < 0.9, place, other)
    return torch.from_numpy(spoken * WORDS + rng.integers(0, WORDS, (30, 16)))


@pytest.fixture(scope="module")
def activations(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("planted")
    for lang in LANGUAGES:
        state, metadata = record(
            model, text(lang), 0, batch_chunks=4, histogram_every=1,
            batch_quantiles=["gate_pre"], micro_batch=7, label=lang,
        )  # fmt: skip
        metadata |= {"language": lang, "model": "planted"}
        tensors.write(folder / f"{lang}.safetensors", state, metadata)
    return {
        lang: Activations.open(folder / f"{lang}.safetensors") for lang in LANGUAGES
    }


def test_counts_are_known_exactly(activations):
    for lang, measured in activations.items():
        ids = text(lang).flatten()
        spoken, words = ids // WORDS, ids % WORDS
        wanted = np.zeros((LAYERS, WIDTH), np.int64)
        for owner, planted in PLANTED.items():
            for place in planted:
                wanted[place] = (spoken == LANGUAGES.index(owner)).sum()
        wanted[SHARED] = (spoken > 0).sum()
        for place in ALWAYS:
            wanted[place] = len(ids)
        for place in WORD:
            wanted[place] = (words == place[1] - 25).sum()
        assert measured.n == len(ids) == 480
        np.testing.assert_array_equal(measured.counts(), wanted)


def test_lape_finds_exactly_the_planted_neurons(activations):
    inputs = MethodInputs(activations, LAYERS, WIDTH, None, (), "gate_pre", "pooled")
    parameters = lape.Parameters(top_rate=7 / 80, filter_rate=0.9, bar_ratio=0.9)
    found = {
        lang: {tuple(place) for place in np.argwhere(mask).tolist()}
        for lang, mask in lape.METHOD.select(inputs, parameters).neurons.items()
    }
    assert found == {
        "en": PLANTED["en"],
        "vi": PLANTED["vi"] | {SHARED},
        "hi": PLANTED["hi"] | {SHARED},
    }


@torch.no_grad()
def test_switching_a_language_off_touches_its_tokens_only(model):
    # SiLU lets a little through where a neuron is not active; ReLU does not.
    model = copy.deepcopy(model)
    for layer in model.layers:
        layer.mlp.act_fn = torch.nn.ReLU()
    ids = torch.arange(len(LANGUAGES) * WORDS)[None]
    zero = Statistic(value="zero", write="act_post")
    for lang, planted in PLANTED.items():
        neurons: dict[int, list[int]] = {}
        for layer, neuron in planted:
            neurons.setdefault(layer, []).append(neuron)
        change = build(neurons, np.zeros((LAYERS, WIDTH), np.float32), zero)
        plain = model(input_ids=ids).last_hidden_state
        with applied(model, change):
            changed = model(input_ids=ids).last_hidden_state
        touched = (plain != changed).any(-1)[0].view(len(LANGUAGES), WORDS)
        assert touched.all(-1).tolist() == [lang == other for other in LANGUAGES]
        assert touched.any(-1).tolist() == [lang == other for other in LANGUAGES]


def test_pooled_quantiles_agree_with_all_activations(tmp_path):
    """The recorder's bins are those that ``recorded_activations`` reads."""
    model = tiny("llama", "base")
    chunks = torch.randint(3, 40, (200, 16), generator=torch.manual_seed(0))
    kept = {"gate_pre": [], "act_post": []}

    def keep(module, args, output):
        kept["gate_pre"].append(args[0].flatten(0, 1))
        kept["act_post"].append(output.flatten(0, 1))

    hook = model.layers[1].mlp.act_fn.register_forward_hook(keep)
    state, metadata = record(
        model, chunks, 0, batch_chunks=4, histogram_every=1,
        batch_quantiles=["gate_pre", "act_post"], micro_batch=4, label="test",
    )  # fmt: skip
    hook.remove()
    tensors.write(tmp_path / "x.safetensors", state, metadata)
    measured = Activations.open(tmp_path / "x.safetensors")
    for site, parts in kept.items():
        values = torch.cat(parts).double().numpy()
        for percent in (5, 10, 25, 50, 75, 90, 95):
            found = measured.value(f"p{percent}", site, "pooled")[1]
            wanted = np.quantile(values, percent / 100, axis=0)
            # A bin is at most 1/16 of its values wide, and 2^-8 around zero.
            assert (abs(found - wanted) <= abs(wanted) / 16 + 2**-8).all()
            found = measured.value(f"p{percent}", site, "batch_mean")[1]
            batches = values.reshape(50, 64, -1)
            wanted = np.quantile(batches, percent / 100, axis=1).mean(0)
            np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)
        for name, wanted in (
            ("mean", values.mean(0)),
            ("min", values.min(0)),
            ("max", values.max(0)),
        ):
            found = measured.value(name, site, "pooled")[1]
            np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)
