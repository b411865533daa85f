"""Perplexity equals the stock loss, chunk by chunk, whatever the slices."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from langneurons.config.catalogue import Statistic
from langneurons.config.errors import DataError
from langneurons.nn.evaluation.interventions import build
from langneurons.nn.evaluation.perplexity import (
    HeldOut,
    read,
    read_heldout,
    summary,
    table,
    text_nll,
)
from tiny_models import FAMILIES, LAYERS, WIDTH, opened, tokens
from tiny_models import build as tiny

CHUNKS = tokens(rows=5, length=12)


def chunk_nll(model, chunks, micro_batch, change=None, label="", **options):
    lm = opened(model, micro_batch=micro_batch).under(change, label)
    return text_nll(lm, HeldOut(list(chunks.numpy())), **options)


def reference(model, chunks):
    """The stock model's own loss, one chunk at a time."""
    with torch.no_grad():
        return np.array(
            [float(model(input_ids=c[None], labels=c[None]).loss) for c in chunks]
        )


@pytest.mark.parametrize("family", FAMILIES)
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
    with pytest.raises(DataError, match="vi zero: the likelihood of 5 texts"):
        chunk_nll(model, CHUNKS, 5, label="vi zero")


def test_chunks_need_a_next_token():
    with pytest.raises(DataError, match="no next token"):
        chunk_nll(tiny("llama"), CHUNKS[:, :1], 1)


def test_summary():
    found = summary(np.array([1.0, 2.0]), np.array([11, 11]))
    assert found["n_chunks"] == 2 and found["n_tokens"] == 22
    assert found["nll"] == 1.5 and found["perplexity"] == math.exp(1.5)
    assert summary(np.array([800.0]), np.array([1]))["perplexity"] is None


def test_every_token_has_the_same_weight_and_equal_lengths_change_no_bit():
    """(2 x 1 + 6 x 3) / 8 nats per token."""
    found = summary(np.array([1.0, 3.0]), np.array([2, 6]))
    assert found["nll"] == 2.5 and found["n_tokens"] == 8 and found["n_chunks"] == 2
    nll = np.random.default_rng(0).gamma(3, 1, 777)
    assert summary(nll, np.full(777, 511))["nll"] == float(nll.mean())
    columns = table(np.array([1.0, 3.0]), np.array([2, 6]))
    assert columns.to_dict("list") == {
        "chunk": [0, 1], "nll": [1.0, 3.0], "tokens": [2, 6]
    }  # fmt: skip


def test_heldout_chunks(tmp_path):
    path = tmp_path / "vi.safetensors"
    save_file({"heldout": np.arange(12, dtype=np.int32).reshape(3, 4)}, path)
    found = read_heldout(path, 2, "here")
    assert [x.tolist() for x in found.texts] == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert found.tokens.tolist() == [3, 3]
    with pytest.raises(DataError, match=r"3 held-out chunks.*Raise here to 16"):
        read_heldout(path, 4, "here")


SENTENCES = [tokens(1, length, seed=length)[0].numpy() for length in (4, 9, 3, 12, 9)]


@pytest.mark.parametrize("unread", [1, 2])
@pytest.mark.parametrize("family", FAMILIES)
def test_sentences_in_a_batch_equal_each_alone(family, unread):
    """Whatever fills up the shorter ones; and the stock loss from the first word on."""
    model = tiny(family)
    lm = opened(model, micro_batch=5)
    whole = text_nll(lm, HeldOut(SENTENCES, unread))
    for sentence, found in zip(SENTENCES, whole, strict=True):
        labels = torch.from_numpy(sentence)[None].clone()
        labels[:, :unread] = -100
        with torch.no_grad():
            ids = torch.from_numpy(sentence)[None]
            wanted = float(model(input_ids=ids, labels=labels).loss)
        assert abs(found - wanted) < 1e-5
        alone = text_nll(lm, HeldOut([sentence], unread))
        assert abs(alone[0] - found) < 1e-6
    few = text_nll(opened(model, micro_batch=2), HeldOut(SENTENCES, unread))
    assert np.allclose(few, whole, atol=1e-6)


def test_sentences_have_a_token_to_predict():
    lm = opened(tiny("llama"))
    with pytest.raises(DataError, match="texts of 3 tokens have no next token"):
        text_nll(lm, HeldOut(SENTENCES, 3))


def test_heldout_sentences(tmp_path):
    path = tmp_path / "vi.safetensors"
    arrays = {"heldout": np.arange(9, dtype=np.int32)}
    save_file(arrays | {"heldout_starts": np.array([0, 2, 5])}, path)
    spec = {"corpus": "c", "chunks": 2, "unit": "document", "skip_tokens": 0}
    found = read(path, spec)
    assert [x.tolist() for x in found.texts] == [[0, 1], [2, 3, 4]]
    assert found.tokens.tolist() == [1, 2]
    with pytest.raises(DataError, match=r"3 held-out sentences.*corpora.c.held_out"):
        read(path, spec | {"chunks": 4})
    with pytest.raises(DataError, match="no more than 2 tokens"):
        read(path, spec | {"skip_tokens": 2})
