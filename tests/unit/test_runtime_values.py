"""Values of what a layer computes meanwhile: of an item's own tokens, and only these.

Rahmanisa et al. 2025 write the largest of all activations of a layer, or their 10th
percentile, into the neurons of a language.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch

from langneurons.config.catalogue import RUNTIME, Statistic
from langneurons.nn.evaluation import interventions
from langneurons.nn.evaluation.applying import applied
from langneurons.nn.evaluation.interventions import WRITES, build
from langneurons.nn.models.architectures import mlp_sites
from test_interventions import NEURONS, batch
from test_language_model import contexts, continuations, passes
from tiny_models import FAMILIES, LAYERS, opened
from tiny_models import build as tiny

UNTIED = {"tie_word_embeddings": False}


def change_of(model, value="runtime_max", op="set", write="act_post", where="non_pad"):
    width = mlp_sites(model).width
    statistic = Statistic(value=value, op=op, write=write, positions=where)
    return build(NEURONS, np.zeros((LAYERS, width), np.float32), statistic)


def by_numpy(value, activations):
    """Measure activations [tokens, neurons] as NumPy does."""
    return (
        activations.max() if value == "runtime_max" else np.percentile(activations, 10)
    )


def test_each_value_of_the_configuration_is_measured():
    assert set(interventions.RUNTIME) == set(RUNTIME)


def test_by_hand():
    """Two tokens of five neurons, 0 to 9; and a padding token that is not counted."""
    given = torch.arange(10.0).reshape(1, 2, 5)
    real = torch.ones(1, 2, 1, dtype=torch.bool)
    largest, tenth = (interventions.RUNTIME[name] for name in RUNTIME)
    assert largest(given, real).tolist() == [9]
    assert tenth(given, real).tolist() == [pytest.approx(0.9)]
    padded = torch.cat([torch.full((1, 1, 5), 99.0), given, given - 50], dim=1)
    real = torch.tensor([[[False], [True], [True], [False], [False]]])
    assert largest(padded, real).tolist() == [9]
    assert tenth(padded, real).tolist() == [pytest.approx(0.9)]


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
def test_each_item_of_a_batch_has_its_own(kind):
    generator = torch.Generator().manual_seed(0)
    given = torch.randn(4, 7, 13, generator=generator).to(kind)
    real = torch.arange(7)[None, :, None] >= torch.tensor([0, 3, 6, 5])[:, None, None]
    for name, measure in interventions.RUNTIME.items():
        wanted = [
            by_numpy(name, given[row][real[row, :, 0]].float().numpy())
            for row in range(4)
        ]
        assert np.allclose(measure(given, real).float(), wanted, rtol=0, atol=1e-6)


@torch.no_grad()
def seen_at(model, change, ids, mask, write="act_post"):
    """Return what the site of layer 0 is before and after it is written."""
    site, before, after = mlp_sites(model).layers[0], [], []
    is_output = write == "act_post"
    module = site.down if write == "prod" else site.act

    def watch(into):
        if is_output:
            return module.register_forward_hook(lambda m, a, o: into.append(o.clone()))
        return module.register_forward_pre_hook(lambda m, a: into.append(a[0].clone()))

    hooks = [watch(before)]
    with applied(model, change) as handle:
        hooks.append(watch(after))
        handle.set_mask(mask)
        model(input_ids=ids, attention_mask=mask)
    for hook in hooks:
        hook.remove()
    return before[0], after[0]


@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize("op", ["set", "add"])
@pytest.mark.parametrize("value", RUNTIME)
def test_only_the_neurons_and_no_padding_are_written(value, op, write):
    model = tiny("llama")
    _, ids, mask = batch("left")
    before, after = seen_at(model, change_of(model, value, op, write), ids, mask, write)
    chosen = torch.zeros(before.shape[-1], dtype=torch.bool)
    chosen[NEURONS[0]] = True
    assert torch.equal(after[..., ~chosen], before[..., ~chosen])
    assert torch.equal(after[mask == 0], before[mask == 0])
    for row in range(len(ids)):
        real = mask[row] == 1
        number = by_numpy(value, before[row][real].numpy())
        old = before[row][real][:, chosen] if op == "add" else 0
        wanted = torch.zeros(int(real.sum()), len(NEURONS[0])) + number + old
        found = after[row][real][:, chosen]
        torch.testing.assert_close(found, wanted, rtol=0, atol=1e-5)


@torch.no_grad()
def logits_by_hand(model, text, value, op, written):
    """Run the stock model over one whole text, with hooks of this test's own.

    Args:
        model: a stock language model.
        text: token ids.
        value: what is measured.
        op: set or add.
        written: bool [tokens], positions that are written.
    """
    hooks = []
    rows = torch.from_numpy(np.flatnonzero(written))
    for layer, ids in NEURONS.items():

        def write(module, args, output, ids=ids):
            output = output.clone()
            flat = output.view(-1, output.shape[-1])  # OPT's are so already
            number = float(by_numpy(value, flat.double().numpy()))
            spot = (rows[:, None], torch.tensor(ids))
            flat[spot] = number + (flat[spot] if op == "add" else 0)
            return output

        act = mlp_sites(model).layers[layer].act
        hooks.append(act.register_forward_hook(write))
    logits = model(input_ids=torch.from_numpy(np.asarray(text))[None]).logits[0]
    for hook in hooks:
        hook.remove()
    return logits.double()


@pytest.mark.parametrize("where", ["non_pad", "prompt", "generated"])
@pytest.mark.parametrize(
    ("value", "op"), [("runtime_max", "set"), ("runtime_p10", "add")]
)
@pytest.mark.parametrize("family", FAMILIES)
def test_a_continuation_is_measured_with_its_context(family, value, op, where):
    model = tiny(family, **({} if family == "bloom" else UNTIED))
    change = change_of(model, value, op, where=where)
    for micro_batch in (1, 5):
        lm = opened(model, micro_batch=micro_batch).under(change)
        found = lm.loglikelihood(contexts(), continuations())
        for context, texts, one in zip(contexts(), continuations(), found, strict=True):
            assert one.tokens.tolist() == [len(text) for text in texts]
            for text, logprob, greedy in zip(
                texts, one.logprob, one.greedy, strict=True
            ):
                whole, n = np.concatenate([context, text]), len(context)
                place = np.arange(len(whole))
                written = {"non_pad": place >= 0, "prompt": place < n,
                           "generated": place >= n}[where]  # fmt: skip
                logits = logits_by_hand(model, whole, value, op, written)
                logs = logits[n - 1 : -1].log_softmax(-1)
                target = torch.from_numpy(text)
                picked = logs[torch.arange(len(text)), target]
                assert logprob == pytest.approx(float(picked.sum()), abs=1e-4)
                assert bool(greedy) == bool((logs.argmax(-1) == target).all())


def test_each_continuation_is_a_text_of_its_own():
    model = tiny("llama")
    lm = opened(model, micro_batch=5).under(change_of(model))
    shapes = passes(model, lambda: lm.loglikelihood(contexts(), continuations()))
    texts = [
        len(context) + len(text)
        for context, each in zip(contexts(), continuations(), strict=True)
        for text in each
    ]
    assert shapes == [(len(texts), max(texts))]


def test_the_last_token_needs_a_position_too():
    from langneurons.config.errors import DataError

    model = tiny("llama")
    context, text = [4] * 60, [[4] * 5]
    opened(model).loglikelihood([context], [text])
    with pytest.raises(DataError, match="is 65 tokens"):
        opened(model).under(change_of(model)).loglikelihood([context], [text])


def test_while_text_is_generated_each_pass_is_measured():
    """The prompt together, then every token by itself."""
    model = tiny("llama", **UNTIED)
    measured = []
    names = interventions.RUNTIME
    for micro_batch in (1, 5):
        lm = opened(model, micro_batch=micro_batch).under(change_of(model))
        measured.append(lm.generate(contexts(), 5))
    assert measured[0] == measured[1] and set(names) == set(RUNTIME)
    past, text, made = None, contexts()[0], measured[0][0]
    for token in made:
        hooks = []
        for layer, ids in NEURONS.items():

            def write(module, args, output, ids=ids):
                output = output.clone()
                output[..., ids] = output.max()
                return output

            act = mlp_sites(model).layers[layer].act
            hooks.append(act.register_forward_hook(write))
        with torch.no_grad():
            out = model(
                input_ids=torch.as_tensor(text)[None], past_key_values=past,
                use_cache=True,
            )  # fmt: skip
        for hook in hooks:
            hook.remove()
        assert int(out.logits[0, -1].argmax()) == token
        past, text = out.past_key_values, [token]
