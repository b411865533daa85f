"""Perplexity equals the stock loss, chunk by chunk, whatever the slices."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from langneurons.config.catalogue import Statistic
from langneurons.config.errors import DataError
from langneurons.nn.evaluation import perplexity
from langneurons.nn.evaluation.interventions import build
from langneurons.nn.evaluation.perplexity import read_heldout, summary
from tiny_models import LAYERS, WIDTH, opened, tokens
from tiny_models import build as tiny

CHUNKS = tokens(rows=5, length=12)


def chunk_nll(model, chunks, micro_batch, change=None, label="", **options):
    lm = opened(model, micro_batch=micro_batch).under(change, label)
    return perplexity.chunk_nll(lm, chunks, **options)


def reference(model, chunks):
    """The stock model's own loss, one chunk at a time."""
    with torch.no_grad():
        return np.array(
            [float(model(input_ids=c[None], labels=c[None]).loss) for c in chunks]
        )


@pytest.mark.parametrize("family", ["llama", "gpt2", "bloom", "gemma2"])
def test_equals_the_stock_loss(family):
    model = tiny(family)
    assert np.allclose(chunk_nll(model, CHUNKS, 2), reference(model, CHUNKS), atol=1e-5)


def test_squashed_logits_of_gemma2_matter():
    model = tiny("gemma2", final_logit_softcapping=0.5)
    assert np.allclose(chunk_nll(model, CHUNKS, 5), reference(model, CHUNKS), atol=1e-5)


def test_slices_and_micro_batch_change_nothing():
    model = tiny("llama")
    whole = chunk_nll(model, CHUNKS, 5)
    for micro_batch, logits in ((1, 40), (2, 7 * 40), (3, 2**20)):
        sliced = chunk_nll(model, CHUNKS, micro_batch, logits=logits)
        assert np.allclose(whole, sliced, atol=1e-6)


def test_labels_do_not_cross_chunks():
    model = tiny("llama")
    assert np.allclose(
        chunk_nll(model, CHUNKS.flip(0), 5),
        chunk_nll(model, CHUNKS, 5)[::-1],
        atol=1e-6,
    )


@pytest.mark.parametrize("positions", ["all", "non_pad", "last"])
def test_zeroing_neurons_is_applied(positions):
    model = tiny("llama")
    statistic = Statistic(value="zero", write="act_post", positions=positions)
    every = {layer: list(range(WIDTH)) for layer in range(LAYERS)}
    zero = build(every, np.zeros((LAYERS, WIDTH), np.float32), statistic)
    treated = chunk_nll(model, CHUNKS, 2, zero)
    if positions == "last":  # the last token predicts nothing within its chunk
        assert np.allclose(treated, chunk_nll(model, CHUNKS, 2), atol=1e-6)
        return
    for layer in model.model.layers:
        layer.mlp.down_proj.weight.data.zero_()
    assert np.allclose(treated, reference(model, CHUNKS), atol=1e-5)


def test_likelihood_that_is_not_finite_is_refused():
    model = tiny("llama")
    model.lm_head.weight.data.fill_(float("nan"))
    with pytest.raises(DataError, match="vi zero: the likelihood of 5 chunks"):
        chunk_nll(model, CHUNKS, 5, label="vi zero")


def test_chunks_need_a_next_token():
    with pytest.raises(DataError, match="no next token"):
        chunk_nll(tiny("llama"), CHUNKS[:, :1], 1)


def test_summary():
    found = summary(np.array([1.0, 2.0]), 12)
    assert found["n_chunks"] == 2 and found["n_tokens"] == 22
    assert found["nll"] == 1.5 and found["perplexity"] == math.exp(1.5)
    assert summary(np.array([800.0]), 2)["perplexity"] is None


def test_heldout_chunks(tmp_path):
    path = tmp_path / "vi.safetensors"
    save_file({"heldout": np.arange(12, dtype=np.int32).reshape(3, 4)}, path)
    assert read_heldout(path, 2, "here").tolist() == [[0, 1, 2, 3], [4, 5, 6, 7]]
    with pytest.raises(DataError, match=r"3 held-out chunks.*Raise here to 16"):
        read_heldout(path, 4, "here")
