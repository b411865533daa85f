"""On an NVIDIA GPU: what steering records, writes and measures is as on a CPU."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from langneurons.nn.evaluation.interventions import steer
from test_language_model import contexts, continuations
from test_recording_sentences import measure
from test_runtime_values import change_of
from tiny_models import HIDDEN, build, opened

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU"),
]

TREATMENTS = {
    "residual": lambda model: steer(np.linspace(-1, 1, HIDDEN), 1, 2.0),
    "largest": change_of,
    "largest added": lambda model: change_of(model, op="add"),
    "10th percentile": lambda model: change_of(model, "runtime_p10"),
}


@pytest.mark.parametrize("family", ["llama", "gemma3"])
def test_sentences_are_recorded_as_on_a_cpu(family):
    model = build(family, "base")
    cpu, told = measure(model)
    gpu, told_gpu = measure(model.cuda())
    assert told_gpu == told and gpu.keys() == cpu.keys()
    for key in ("n", "histogram_n", "chunk_numbers"):
        assert np.array_equal(gpu[key], cpu[key]), key
    for key in ("gate_pre.sum", "act_post.max", "residual.sum"):
        np.testing.assert_allclose(gpu[key], cpu[key], rtol=1e-4, atol=1e-4)
    means = gpu["act_post.chunk_means"], cpu["act_post.chunk_means"]
    np.testing.assert_allclose(*means, rtol=2e-3, atol=1e-3)
    # A value at a bin's edge, or at zero, may be rounded to the other side.
    assert np.abs(gpu["count_pos"] - cpu["count_pos"]).sum() <= 2
    moved = gpu["histogram"].cumsum(-1) - cpu["histogram"].cumsum(-1)
    assert np.abs(moved).sum() <= 4


@pytest.mark.parametrize("name", TREATMENTS)
@pytest.mark.parametrize("family", ["llama", "gemma3"])
def test_treated_likelihoods_are_those_of_a_cpu(family, name):
    found = []
    for device in ("cpu", "cuda"):
        model = build(family).to(device)
        plain = opened(model, micro_batch=2)
        for lm in (plain, plain.under(TREATMENTS[name](model))):
            likely = lm.loglikelihood(contexts(), continuations())
            found.append(np.concatenate([one.logprob for one in likely]))
    plain, changed, plain_gpu, changed_gpu = found
    np.testing.assert_allclose(plain_gpu, plain, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(changed_gpu, changed, rtol=1e-4, atol=1e-4)
    assert np.abs(changed - plain).max() > 1e-2
