"""On an NVIDIA GPU: evaluations and training give what they give on a CPU."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest
import torch

import tiny_models
from langneurons.config.task_entries import Training
from langneurons.jobs import files
from langneurons.jobs.batching import MicroBatch
from langneurons.nn.evaluation.examples import Labelled, Reading
from langneurons.nn.evaluation.interventions import overwrite
from langneurons.nn.evaluation.language_model import LanguageModel
from langneurons.nn.models import fetching, loading, quantising, tuned
from langneurons.nn.recording.recorder import SITES, Recorder
from langneurons.nn.tuning import adapters, losses
from langneurons.nn.tuning.training import Plan, fit
from test_models import save_tokenizer

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU"),
]

# Multiples of 32: nf4 on a CPU needs them.
SIZES = {"hidden_size": 64, "intermediate_size": 128, "head_dim": 32}
READING = Reading("last_real_token", 12, 0)
NEURONS = {0: [1, 5, 77], 1: [3]}
NEAR = {"none": 1e-4, "nf4": 0.15}
"""Largest difference of a score: float32 throughout; bfloat16 between 4-bit weights."""


@pytest.fixture(scope="module")
def pinned(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Manifests of a tiny Llama in float32 and its nf4 copy, quantised on the GPU."""
    place = tmp_path_factory.mktemp("gpu")
    model = tiny_models.build("llama", initializer_range=0.1, **SIZES)
    model.save_pretrained(place / "source")
    special = {"bos_token": "<s>", "eos_token": "</s>"}
    save_tokenizer(place / "source", ["<pad>", "<s>", "</s>"], **special)
    entry = {"family": "llama", "dtype": "float32", "folder": str(place / "source")}
    fetching.fetch("tiny", entry, place / "none")
    quantising.quantise(place / "none", place / "nf4", "cuda")
    return {name: place / name / "manifest.json" for name in ("none", "nf4")}


def sequences(items: int = 9) -> list[np.ndarray]:
    lengths = 4 + np.arange(items) % 6
    rows = tiny_models.tokens(items, 12).numpy()
    return [row[:length] for row, length in zip(rows, lengths, strict=True)]


def treated(lm: LanguageModel, positions: str = "all") -> LanguageModel:
    return lm.under(overwrite(NEURONS, value=1.5, positions=positions))


@pytest.mark.parametrize("kind", ["none", "nf4"])
def test_scores_are_those_of_a_cpu(pinned, kind):
    found = []
    for device in ("cpu", "cuda"):
        torch.manual_seed(0)
        lm = LanguageModel.open(pinned[kind], device, labels=3, prepared=True)
        head = torch.randn(3, 64, generator=torch.Generator().manual_seed(1))
        lm.model.score.weight.data.copy_(head)
        for each in (lm, treated(lm)):
            found.append(each.in_batches(4).classify(sequences(), READING))
    plain, changed, plain_gpu, changed_gpu = found
    np.testing.assert_allclose(plain_gpu, plain, atol=NEAR[kind], rtol=NEAR[kind])
    np.testing.assert_allclose(changed_gpu, changed, atol=NEAR[kind], rtol=NEAR[kind])
    assert np.abs(changed - plain).max() > 2 * np.abs(changed_gpu - changed).max()


@pytest.mark.parametrize("kind", ["none", "nf4"])
def test_likelihoods_and_answers_are_those_of_a_cpu(pinned, kind):
    contexts = sequences(5)
    answers = [[row[:2], row[1:4]] for row in sequences(5)]
    found = {}
    for device in ("cpu", "cuda"):
        lm = treated(LanguageModel.open(pinned[kind], device), "last").in_batches(2)
        likely = lm.loglikelihood(contexts, answers)
        following = lm.next_tokens(contexts)
        made = lm.generate(contexts, 4)
        found[device] = np.stack([each.logprob for each in likely]), following, made
    (scores, following, made), (scores_gpu, following_gpu, made_gpu) = found.values()
    near = 4 * NEAR[kind]  # sums over three tokens
    np.testing.assert_allclose(scores_gpu, scores, atol=near, rtol=near)
    np.testing.assert_allclose(following_gpu, following, atol=near, rtol=near)
    if kind == "none":  # rounding may turn the choice between two tokens
        assert made_gpu == made
    assert list(map(len, made_gpu)) == list(map(len, made))


@pytest.mark.parametrize("kind", ["none", "nf4"])
@pytest.mark.parametrize("tuned_weights", ["attention", "masked_lora"])
def test_training_is_that_of_a_cpu(pinned, kind, tuned_weights, tmp_path):
    """Three steps, saved, opened again on the GPU and evaluated there."""
    training = Training(rank=4, alpha=8, learning_rate=0.01, batch_size=4, epochs=1)
    data = Labelled(sequences(12), np.arange(12) % 3, READING)
    plan = Plan.of(12, training, 0)
    tuning = {"kind": tuned_weights, "mlp_targets": "gate", "attention": True}
    neurons = None if tuned_weights == "attention" else NEURONS
    curves, last = {}, None
    for device in ("cpu", "cuda"):
        torch.manual_seed(0)
        base = tuned.prepare(loading.load_classifier(pinned[kind].parent, 3, device))
        last = adapters.wrap(base, "llama", tuning, training, 0, neurons=neurons)
        loss = losses.summed(last, data, 0)
        curves[device] = np.array(fit(last, loss, plan, training, 2))
    np.testing.assert_allclose(*curves.values(), atol=NEAR[kind], rtol=NEAR[kind])
    saved = tmp_path / adapters.ADAPTER, tmp_path / adapters.CONFIG
    manifest = files.read_json(pinned[kind])
    adapters.save(last, *saved, manifest, pinned[kind].parent)
    again = LanguageModel.open(pinned[kind], "cuda", labels=3, adapter=tmp_path)
    here = LanguageModel.of(last, again.tokenizer)
    scores = [lm.in_batches(4).classify(sequences(), READING) for lm in (here, again)]
    np.testing.assert_allclose(*scores, atol=1e-5, rtol=1e-5)


def test_a_micro_batch_is_found_and_remembered(pinned, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    lm = LanguageModel.open(pinned["none"], "cuda", labels=3, prepared=True)
    for said in ("sequences/s", "found by an earlier job"):
        batches = MicroBatch.for_model(2, True, pinned["none"], {})
        few = lm.in_batches(batches).classify(sequences(40), READING)
        assert batches.size >= 2 and said in capsys.readouterr().err
    one = lm.in_batches(1).classify(sequences(40), READING)
    np.testing.assert_allclose(few, one, atol=1e-4)


def test_recordings_are_those_of_a_cpu(pinned):
    """With per-chunk means, whose norms are read from the 4-bit weights."""
    for kind, near in (("none", 1e-4), ("nf4", 0.1)):
        states = []
        for device in ("cpu", "cuda"):
            model = loading.load_base(pinned[kind].parent, device)
            ids = tiny_models.tokens(4, 10).to(device)
            recorder = Recorder(model, 1, SITES, 20, chunk_length=10, mean_chunks=[1])
            with torch.no_grad(), recorder:
                model(input_ids=ids)
            states.append(copy.deepcopy(recorder.state()))
        cpu, gpu = states
        assert cpu.keys() == gpu.keys()
        for key in cpu:
            assert cpu[key].shape == gpu[key].shape, key
        for key in ("gate_pre.sum", "act_post.sumsq"):
            np.testing.assert_allclose(gpu[key], cpu[key], rtol=near, atol=near)
