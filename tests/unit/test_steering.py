"""What is added to the residual stream: where, how much, and nothing else."""

from __future__ import annotations

import re
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import evaluate_task
import measure_perplexity
from langneurons.config.errors import DataError
from langneurons.config.names import Treatment
from langneurons.jobs import files
from langneurons.neurons.directions import Directions
from langneurons.nn.evaluation import overwriting
from langneurons.nn.evaluation.applying import applied
from langneurons.nn.evaluation.interventions import RESIDUAL, Intervention, steer
from langneurons.nn.models.architectures import decoder_layers, hidden_size
from test_interventions import batch
from test_language_model import contexts, continuations
from test_treatments import (
    evaluation,
    neurons,  # noqa: F401 (a fixture that another needs)
    perplexity_job,
    read_tables,
    study,  # noqa: F401 (a fixture)
    treatment,
)
from tiny_models import FAMILIES, HIDDEN, LAYERS, heads, opened, tokens
from tiny_models import build as tiny

DIRECTION = np.random.default_rng(3).normal(size=HIDDEN).astype(np.float32)
UNTIED = {"tie_word_embeddings": False}


@torch.no_grad()
def states_of(model, change, ids, mask=None):
    """Return the output of every decoder layer, and the logits, under a treatment."""
    seen: list[torch.Tensor] = []
    with applied(model, change) as handle:
        # Hooks that are added later see what earlier ones wrote.
        hooks = [
            layer.register_forward_hook(
                lambda m, a, o: seen.append(o[0] if isinstance(o, tuple) else o)
            )
            for layer in decoder_layers(model)
        ]
        mask = torch.ones_like(ids) if mask is None else mask
        handle.set_mask(mask)
        place = mask.cumsum(-1).sub(1).clamp(min=0)
        options = {} if model.config.model_type == "bloom" else {"position_ids": place}
        logits = model(input_ids=ids, attention_mask=mask, **options).logits
        for hook in hooks:
            hook.remove()
    return seen, logits


@pytest.mark.parametrize(("family", "head"), heads("base", "causal", "classifier"))
def test_decoder_layers_are_found_in_order(family, head):
    model = tiny(family, head)
    layers = decoder_layers(model)
    assert len(layers) == LAYERS and hidden_size(model) == HIDDEN
    seen = []
    for index, layer in enumerate(layers):
        layer.register_forward_hook(lambda m, a, o, i=index: seen.append(i))
    with torch.no_grad():
        model(input_ids=tokens())
    assert seen == list(range(LAYERS))


@pytest.mark.parametrize("family", FAMILIES)
def test_a_multiple_is_added_to_the_output_of_one_layer(family):
    model, ids = tiny(family), tokens()
    plain, logits = states_of(model, None, ids)
    for layer in range(LAYERS):
        moved, changed = states_of(model, steer(DIRECTION, layer, 2.5), ids)
        for below in range(layer):
            assert torch.equal(moved[below], plain[below])
        wanted = plain[layer] + 2.5 * torch.from_numpy(DIRECTION)
        torch.testing.assert_close(moved[layer], wanted, rtol=0, atol=1e-6)
        assert not torch.equal(changed, logits)


@pytest.mark.parametrize("family", FAMILIES)
def test_strength_zero_and_no_direction_leave_logits_bit_equal(family):
    for model in (tiny(family), tiny(family).bfloat16()):
        _, plain = states_of(model, None, tokens())
        nothing = steer(np.zeros(HIDDEN, np.float32), 0, 2.0)
        for change in (steer(DIRECTION, 1, 0.0), nothing):
            assert torch.equal(states_of(model, change, tokens())[1], plain)
        assert not any(m._forward_hooks for m in model.modules())


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("family", FAMILIES)
def test_padding_keeps_its_bits_and_a_batch_equals_its_rows(family, side):
    model = tiny(family)
    rows, ids, mask = batch(side)
    change = steer(DIRECTION, 0, 1.5)
    plain, _ = states_of(model, None, ids, mask)
    moved, logits = states_of(model, change, ids, mask)
    assert torch.equal(moved[0][mask == 0], plain[0][mask == 0])
    assert not torch.equal(moved[0][mask == 1], plain[0][mask == 1])
    for row, text in enumerate(rows):
        alone = states_of(model, change, text[None])[1][0]
        torch.testing.assert_close(
            logits[row][mask[row] == 1], alone, rtol=0, atol=1e-5
        )


@torch.no_grad()
def by_hand(model, text, layer, strength):
    """Run the stock model over one text, with a hook of this test's own."""

    def add(module, args, output):
        direction = strength * torch.from_numpy(DIRECTION)
        if isinstance(output, tuple):
            return (output[0] + direction, *output[1:])
        return output + direction

    hook = decoder_layers(model)[layer].register_forward_hook(add)
    logits = model(input_ids=torch.from_numpy(np.asarray(text))[None]).logits[0]
    hook.remove()
    return logits.double()


@pytest.mark.parametrize("family", FAMILIES)
def test_contexts_and_what_follows_them_are_steered(family):
    model = tiny(family, **({} if family == "bloom" else UNTIED))
    change = steer(DIRECTION, 1, 2.0)
    for micro_batch in (1, 3):
        lm = opened(model, micro_batch=micro_batch).under(change)
        found = lm.loglikelihood(contexts(), continuations())
        for context, texts, one in zip(contexts(), continuations(), found, strict=True):
            for text, logprob in zip(texts, one.logprob, strict=True):
                logits = by_hand(model, np.concatenate([context, text]), 1, 2.0)
                logs = logits[len(context) - 1 : -1].log_softmax(-1)
                wanted = logs[torch.arange(len(text)), torch.from_numpy(text)].sum()
                assert logprob == pytest.approx(float(wanted), abs=1e-4)
        following = lm.next_tokens(contexts())
        for context, logs in zip(contexts(), following, strict=True):
            wanted = by_hand(model, context, 1, 2.0)[-1].log_softmax(-1)
            assert np.allclose(logs, wanted.numpy(), atol=1e-4)


def test_text_that_is_generated_is_steered():
    model = tiny("llama", **UNTIED)
    lm = opened(model).under(steer(DIRECTION, 0, 3.0))
    made = lm.generate(contexts(), 6)
    for context, answer in zip(contexts(), made, strict=True):
        text = list(context)
        for token in answer:
            assert int(by_hand(model, text, 0, 3.0)[-1].argmax()) == token
            text.append(token)
    assert made != opened(model).generate(contexts(), 6)


def test_a_direction_of_another_model_is_refused():
    model = tiny("llama")
    for change in (steer(DIRECTION, LAYERS, 1.0), steer(DIRECTION[:-1], 0, 1.0)):
        said = re.escape(f"the model has {LAYERS} layers of hidden size {HIDDEN}")
        with pytest.raises(DataError, match=said), applied(model, change):
            pass
    for wrong in (DIRECTION[None], np.full(HIDDEN, np.nan)):
        with pytest.raises(DataError, match="finite numbers"):
            steer(wrong, 0, 1.0)


def test_what_is_read_before_the_model_is_loaded(tmp_path):
    path = tmp_path / "diffmean.set1.safetensors"
    Directions({"hi": np.stack([DIRECTION, 2 * DIRECTION])}, {}).write(path)
    manifest = {"model": "tiny", "layers": 2}

    def run(name):
        return SimpleNamespace(name=name, directions=path, settings={})

    found = overwriting.read([run("diffmean-l1-s0_5.hi")], manifest, False)
    change = found["diffmean-l1-s0_5.hi"]
    assert isinstance(change, Intervention) and change.write == RESIDUAL
    assert (change.op, change.weight, change.positions) == ("add", 0.5, "non_pad")
    edit = change.edits[0]
    assert edit.layer == 1 and np.array_equal(edit.values.numpy(), 2 * DIRECTION)
    assert overwriting.count(change) == 0  # of neurons
    for name, said in {
        "diffmean-l2-s1.hi": "tiny has layers 0 to 1",
        "diffmean-l1-s1.vi": "unknown language 'vi'",
        "diffmean-l1-s1": "no language",
    }.items():
        Treatment.parse(name)
        with pytest.raises(DataError, match=said):
            overwriting.read([run(name)], manifest, False)
    with pytest.raises(DataError, match="has shape"):
        overwriting.read([run("diffmean-l1-s1.hi")], {"model": "x", "layers": 3}, False)


def runtime(value, op="set"):
    """Say what a treatment writes that is measured meanwhile."""
    return treatment(value, op=op, positions="non_pad")


STEERED = {
    "none": {},
    "diffmean-l0-s4.hi": {"language_set": "set1"},
    "diffmean-l1-s4.hi": {"language_set": "set1"},
    "diffmean-l1-s4.vi": {"language_set": "set1"},
    "lape.set1.vi.top": runtime("runtime_max"),
    "lape.set1.vi.low": runtime("runtime_p10", op="add"),
}
ASKED = STEERED | {
    "prompt.hi": {"instruction": "w7 w8\n"},
    "prompt.vi": {"instruction": "w9\n"},
}


@pytest.fixture
def with_directions(study):  # noqa: F811
    """A tiny model with directions of two languages."""
    path = study[0] / "diffmean.set1.safetensors"
    both = np.random.default_rng(0).normal(size=(2, LAYERS, HIDDEN)).astype(np.float32)
    Directions({"hi": both[0], "vi": np.zeros_like(both[1])}, {}).write(path)
    study[3]["directions"].append(path)
    return study


def test_every_treatment_goes_through_a_task(with_directions):
    job, outs = evaluation(with_directions, None, ASKED, "xquad")
    evaluate_task.main(job)
    records = files.read_json(job.outputs["out"])["treatments"]
    assert {k: r["n_neurons"] for k, r in records.items()} == {
        k: 3 * k.startswith("lape") for k in ASKED
    }
    tables = read_tables(outs)
    same = {k for k, table in tables.items() if table.equals(tables["none"])}
    assert same == {"none", "diffmean-l1-s4.vi"}  # that direction is zero
    for table in tables.values():
        assert table["item"].tolist() == tables["none"]["item"].tolist()


def test_every_treatment_but_prompts_goes_through_text(with_directions):
    job = perplexity_job(with_directions, STEERED)
    measure_perplexity.main(job)
    nll = {
        k: r["nll"]
        for k, r in files.read_json(job.outputs["out"])["treatments"].items()
    }
    assert nll["none"] == nll["diffmean-l1-s4.vi"]
    assert len(set(nll.values())) == len(nll) - 1


def test_a_treatment_is_redone_when_what_it_reads_is_another(with_directions, capsys):
    job, _ = evaluation(with_directions, None, ASKED, "xquad")
    evaluate_task.main(job)

    def again(treated):
        capsys.readouterr()
        job, _ = evaluation(with_directions, None, treated, "xquad")
        evaluate_task.main(job)
        return set(job.notes["computed"])

    assert again(ASKED) == set()
    other = "diffmean-l0-s2.hi"
    assert again(ASKED | {other: {"language_set": "set1"}}) == {other}
    assert again(ASKED | {"prompt.hi": {"instruction": "w9 w7\n"}}) == {"prompt.hi"}
    path = with_directions[3]["directions"][0]
    Directions(
        {x: np.ones((LAYERS, HIDDEN), np.float32) for x in ("hi", "vi")}, {}
    ).write(path)
    assert again(ASKED) == {"prompt.hi", *(x for x in ASKED if x.startswith("diffm"))}
