"""A model whose last layers are on another device gives what it gives on one."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from langneurons.nn.evaluation import perplexity
from langneurons.nn.models import tuned
from langneurons.nn.models.backbone import Backbone
from langneurons.nn.tuning import adapters
from langneurons.nn.tuning.losses import summed
from langneurons.nn.tuning.training import Plan, fit
from split_devices import FIRST, SECOND, machine, split
from test_classification import POOLS
from test_generation import an_end, answered, generate, raw, treatment
from test_language_model import contexts, continuations
from test_training import ATTENTION, ITEMS, SEED, data, settings
from tiny_models import PAD, opened, tokens
from tiny_models import build as tiny

CHANGES = (None, "last")


def on_both(model, work):
    """Do some work with a model on one device, then on two."""
    before = work(model)
    with machine():
        return before, work(split(model))


def test_devices_count():
    """Tensors of two devices do not go together, and layers are on both."""
    model = tiny("llama", tie_word_embeddings=False)
    with machine():
        one, two = (torch.ones(2).to(device) for device in (FIRST, SECOND))
        with pytest.raises(RuntimeError, match="add: tensors on .'cpu:1', 'cpu:2'"):
            one + two
        assert (one + two.to(FIRST)).device == FIRST
        split(model)
        assert {w.device for w in model.parameters()} == {FIRST, SECOND}
        ids = tokens(2, 5).to(FIRST)
        # What a submodule returns stays where it was made; only the root gathers.
        assert model.model(input_ids=ids).last_hidden_state.device == SECOND
        assert model(input_ids=ids).logits.device == FIRST


def test_hidden_states_come_back_and_heads_work_where_they_are():
    with machine():
        for head in ("causal", "classifier"):
            model = split(tiny("llama", head, tie_word_embeddings=False))
            backbone, ids = Backbone(model), tokens(2, 5)
            mask, place = torch.ones_like(ids), torch.arange(5)[None]
            hidden = backbone.hidden(ids, mask, place)
            state, _ = backbone.step(ids, mask, place)
            assert backbone.device == hidden.device == state.device == FIRST
            if head == "causal":
                assert backbone.logits(hidden[:, -1]).device == SECOND
            else:
                assert backbone.classes(hidden[:, -1]).device == FIRST


@pytest.mark.parametrize("where", CHANGES)
@pytest.mark.parametrize("pool", POOLS)
def test_classification(pool, where):
    def work(model):
        given = data(pool)
        change = treatment(model, where) if where else None
        return opened(model).under(change).classify(given.tokens, given.reading)

    one, two = on_both(tiny("llama", "classifier"), work)
    assert np.array_equal(one, two)


@pytest.mark.parametrize("where", CHANGES)
@pytest.mark.parametrize("family", ["llama", "gemma3", "gpt2"])
def test_generation(family, where):
    """Answers end at different places, so that rows leave the cache."""
    model = tiny(family, tie_word_embeddings=False)
    change = treatment(model, where) if where else None
    eos = an_end(generate(model, raw(), 7, change))

    def work(model):
        return [
            generate(model, raw(), 3, change, eos, window=window)
            for window in (None, 14)
        ]

    one, two = on_both(model, work)
    assert one == two


@pytest.mark.parametrize("where", CHANGES)
def test_likelihoods(where):
    def work(model):
        lm = opened(model).under(treatment(model, where) if where else None)
        found = lm.loglikelihood(contexts(), continuations())
        numbers = [np.concatenate([one.logprob for one in found])]
        numbers += [lm.next_tokens(contexts()), lm.next_tokens(contexts(), [7, 9])]
        held_out = perplexity.HeldOut(list(tokens(5, 12).numpy()))
        return [*numbers, perplexity.text_nll(lm, held_out)]

    one, two = on_both(tiny("llama", tie_word_embeddings=False), work)
    for before, after in zip(one, two, strict=True):
        assert np.array_equal(before, after)


@pytest.mark.parametrize("head", ["classifier", "causal"])
def test_tuning(head):
    examples = data("mean") if head == "classifier" else answered(raw() * 3)

    def work(model):
        plan = Plan.of(ITEMS, settings(epochs=1), SEED)
        loss = summed(model, examples, PAD)
        losses = fit(model, loss, plan, settings(), 3)
        weights = adapters.trainable(model)
        return losses, {name: w.detach().cpu() for name, w in weights.items()}

    def model():
        base = tuned.prepare(tiny("llama", head, tie_word_embeddings=False))
        kind = examples.HEAD, examples.TASK_TYPE
        return adapters.wrap(base, "llama", ATTENTION, settings(), SEED, *kind)

    losses, weights = work(model())
    with machine():
        there = model()
        split(there.get_base_model())
        again, moved = work(there)
    assert np.allclose(losses, again, atol=1e-6) and losses[-1] != losses[0]
    for name, weight in weights.items():
        assert torch.allclose(weight, moved[name], atol=1e-6)
