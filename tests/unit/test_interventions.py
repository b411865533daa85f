"""Interventions write exactly what they should, where they should."""

from __future__ import annotations

import re
from collections import Counter

import numpy as np
import pytest
import torch

from langneurons.config.catalogue import Statistic
from langneurons.config.errors import ConfigError, DataError
from langneurons.nn.evaluation.applying import applied
from langneurons.nn.evaluation.interventions import (
    POSITIONS,
    WRITES,
    Intervention,
    build,
    overwrite,
)
from langneurons.nn.models.architectures import mlp_sites
from test_recorder_cost import Cost
from tiny_models import FAMILIES, LAYERS, PAD, WIDTH, tokens
from tiny_models import build as tiny

NEURONS = {0: [1, 5, 7], 1: [0, 23]}


def statistic(op="set", value="mean", write="act_post", **more):
    return Statistic(value=value, op=op, write=write, **more)


def values(fill=None, width=WIDTH):
    if fill is not None:
        return np.full((LAYERS, width), fill, np.float32)
    return np.random.default_rng(0).normal(size=(LAYERS, width)).astype(np.float32)


@torch.no_grad()
def logits(model, intervention=None, ids=None, mask=None):
    ids = tokens() if ids is None else ids
    with applied(model, intervention) as handle:
        handle.set_mask(mask)
        return model(input_ids=ids, attention_mask=mask).logits


@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize("family", FAMILIES)
def test_identity_is_bit_equal(family, write):
    model = tiny(family)
    width = mlp_sites(model).width
    plain = logits(model)
    assert torch.equal(logits(model, None), plain)
    for op, weight, value in (
        ("add", 0.0, values(width=width)),
        ("add", 1.0, values(0, width)),
        ("scale", 1.0, values(1, width)),
        ("interpolate", 0.0, values(width=width)),
        ("clamp_min", 1.0, values(-1e9, width)),
        ("clamp_max", 1.0, values(1e9, width)),
    ):
        same = build(NEURONS, value, statistic(op, write=write, weight=weight))
        assert torch.equal(logits(model, same), plain), op
    other = build(NEURONS, values(3.0, width), statistic(write=write))
    assert not torch.equal(logits(model, other), plain)


@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize("family", FAMILIES)
def test_zero_removes_the_neuron(family, write):
    model = tiny(family)
    width = mlp_sites(model).width
    zero = build(NEURONS, values(0, width), statistic(value="zero", write=write))
    switched_off = logits(model, zero)
    plain = logits(model)
    with torch.no_grad():
        for layer, ids in NEURONS.items():
            weight = mlp_sites(model).layers[layer].down.weight
            # nn.Linear stores [out, in], GPT-2's Conv1D [in, out].
            (weight if family == "gpt2" else weight.T)[ids] = 0
    removed = logits(model)
    torch.testing.assert_close(switched_off, removed, rtol=0, atol=1e-6)
    assert (removed - plain).abs().max() > 1e-3


OPS = {
    "set": lambda a, v, w: v.expand_as(a),
    "add": lambda a, v, w: a + w * v,
    "scale": lambda a, v, w: a * v,
    "clamp_min": lambda a, v, w: a.clamp(min=v),
    "clamp_max": lambda a, v, w: a.clamp(max=v),
    "interpolate": lambda a, v, w: (1 - w) * a + w * v,
}


@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize("op", OPS)
def test_equals_a_patched_mlp(op, write):
    model = tiny("llama")
    value, weight = values(), 0.3
    chosen = statistic(op, write=write, weight=weight)
    hooked = logits(model, build(NEURONS, value, chosen))

    def forward(mlp, layer):
        ids = NEURONS[layer]
        v = torch.from_numpy(value)[layer, ids]

        def edit(site, a):
            if site == write:
                a = a.clone()
                a[..., ids] = OPS[op](a[..., ids], v, weight)
            return a

        def run(x):
            act = edit("act_post", mlp.act_fn(edit("gate_pre", mlp.gate_proj(x))))
            return mlp.down_proj(edit("prod", act * mlp.up_proj(x)))

        return run

    for layer, block in enumerate(model.model.layers):
        block.mlp.forward = forward(block.mlp, layer)
    torch.testing.assert_close(hooked, logits(model), rtol=0, atol=1e-6)


def test_hooks_are_gone_after_the_block_and_after_an_error():
    model = tiny("llama")
    plain = logits(model)
    change = build(NEURONS, values(5.0), statistic())
    assert not torch.equal(logits(model, change), plain)
    assert torch.equal(logits(model), plain)
    with pytest.raises(KeyError), applied(model, change):
        raise KeyError
    assert torch.equal(logits(model), plain)
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())


@pytest.mark.parametrize("write", WRITES)
def test_works_in_a_peft_model_with_adapted_mlp(write):
    from peft import LoraConfig, get_peft_model

    model = tiny("llama")
    change = build(NEURONS, values(), statistic(write=write))
    plain, before = logits(model), logits(model, change)
    wanted = LoraConfig(r=2, target_modules=["q_proj", "gate_proj", "down_proj"])
    wrapped = get_peft_model(model, wanted).eval()
    # A fresh adapter changes nothing, so the results must be the same.
    assert torch.equal(logits(wrapped), plain)
    torch.testing.assert_close(logits(wrapped, change), before, rtol=0, atol=1e-6)


def batch(side):
    rows = [tokens(1, n, seed=n)[0] for n in (4, 9, 6)]
    ids = torch.full((3, 9), PAD)
    mask = torch.zeros(3, 9, dtype=torch.long)
    for row, text in enumerate(rows):
        place = slice(0, len(text)) if side == "right" else slice(9 - len(text), 9)
        ids[row, place], mask[row, place] = text, 1
    return rows, ids, mask


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("positions", ["all", "non_pad", "last", "prompt"])
@pytest.mark.parametrize("family", ["llama", "opt", "xglm", "phi", "cohere2"])
def test_a_padded_batch_equals_its_rows_one_by_one(family, positions, side):
    model = tiny(family)
    change = build(NEURONS, values(), statistic(positions=positions))
    rows, ids, mask = batch(side)
    place = mask.cumsum(-1).sub(1).clamp(min=0)
    with torch.no_grad(), applied(model, change) as handle:
        handle.set_mask(mask)
        found = model(input_ids=ids, attention_mask=mask, position_ids=place).logits
    for row, text in enumerate(rows):
        alone = logits(model, change, text[None], torch.ones(1, len(text)))[0]
        torch.testing.assert_close(found[row][mask[row] == 1], alone, rtol=0, atol=1e-5)


@pytest.mark.parametrize("side", ["left", "right"])
def test_positions_are_the_ones_written(side):
    model = tiny("llama", "base")
    _, ids, mask = batch(side)
    seen = {}
    for positions in ("all", "non_pad", "last"):
        change = build({0: [4]}, values(9.0), statistic(positions=positions))
        with torch.no_grad(), applied(model, change) as handle:
            # A hook added later sees what the earlier one wrote.
            hook = model.layers[0].mlp.act_fn.register_forward_hook(
                lambda m, a, o: seen.__setitem__(positions, o[..., 4] == 9)  # noqa: B023
            )
            handle.set_mask(mask)
            model(input_ids=ids, attention_mask=mask)
            hook.remove()
    last = torch.zeros_like(mask)
    for row in range(3):
        last[row, mask[row].nonzero().max()] = 1
    assert seen["all"].all()
    assert torch.equal(seen["non_pad"], mask == 1)
    assert torch.equal(seen["last"], last == 1)


def written(positions, mask, made):
    """Return where the handle writes, as lists of 0 and 1."""
    change = build({0: [4]}, values(9.0), statistic(positions=positions))
    with applied(tiny("llama", "base"), change) as handle:
        handle.set_mask(torch.tensor(mask), made)
        return handle.where(torch.zeros(len(mask), len(mask[0]), 1))[..., 0].tolist()


@pytest.mark.parametrize(
    ("positions", "expected"),
    [
        ("non_pad", [[0, 0, 1, 1, 1, 1], [1, 1, 1, 1, 0, 0]]),
        ("prompt", [[0, 0, 1, 1, 0, 0], [1, 1, 1, 1, 0, 0]]),
        ("generated", [[0, 0, 0, 0, 1, 1], [0, 0, 0, 0, 0, 0]]),
        # What would have been last in each pass if a cache kept the earlier ones.
        ("last", [[0, 0, 0, 1, 1, 1], [0, 0, 0, 1, 0, 0]]),
    ],
)
def test_positions_of_generated_tokens(positions, expected):
    mask = [[0, 0, 1, 1, 1, 1], [1, 1, 1, 1, 0, 0]]
    # Padding is never generated, whatever is said of it.
    made = torch.tensor([[0, 0, 0, 0, 1, 1], [0, 0, 0, 0, 1, 1]])
    assert written(positions, mask, made) == [[bool(x) for x in r] for r in expected]


@pytest.mark.parametrize("positions", ["last", "generated"])
def test_a_token_read_back_alone(positions):
    assert written(positions, [[1], [1]], torch.ones(2, 1)) == [[True], [True]]
    assert written("prompt", [[1], [1]], torch.ones(2, 1)) == [[False], [False]]


def test_nothing_is_generated():
    assert written("prompt", [[0, 1, 1]], None) == [[False, True, True]]
    with pytest.raises(ConfigError, match="allowed: all, non_pad, last, prompt"):
        written("generated", [[0, 1, 1]], None)


def test_a_missing_or_stale_mask_is_an_error():
    model = tiny("llama")
    change = build(NEURONS, values(), statistic(positions="non_pad"))
    with pytest.raises(ValueError, match="set_mask"):
        logits(model, change)
    with applied(model, change) as handle, pytest.raises(ValueError, match=r"\(3, 4\)"):
        handle.set_mask(torch.ones(3, 4))
        model(input_ids=tokens())


def test_layers_outside_the_range_are_left_alone():
    neurons = {layer: [1] for layer in range(6)}
    chosen = statistic(layers=(2, 4))
    change = build(neurons, np.ones((6, 3), np.float32), chosen)
    assert [edit.layer for edit in change.edits] == [2, 3, 4]
    assert change.n_neurons == 3
    assert build({0: []}, np.ones((6, 3), np.float32), statistic()).edits == ()


@pytest.mark.parametrize("layers", [(-1, 4), (2, 6), (6, 9), (4, 2), (-3, -1)])
def test_layers_that_the_model_does_not_have(layers):
    """They left everything as it was, and counted as a test."""
    neurons = {layer: [1] for layer in range(6)}
    given = re.escape(f"statistics.late.layers: {list(layers)}")
    with pytest.raises(ConfigError, match=f"{given} - the model has layers 0 to 5"):
        build(
            neurons, np.ones((6, 3), np.float32), statistic(layers=layers),
            "statistics.late",
        )  # fmt: skip


def test_build_sorts_neurons_with_their_values():
    change = build({1: [9, 2, 9]}, values(), statistic())
    assert change.edits[0].neurons.tolist() == [2, 9]
    assert change.edits[0].values.tolist() == values()[1, [2, 9]].tolist()
    assert isinstance(change, Intervention) and change.op == "set"


def test_gradients_pass_through():
    model = tiny("llama", "classifier")
    change = build(NEURONS, values(), statistic())
    with applied(model, change):
        model(input_ids=tokens(), labels=torch.tensor([0, 1, 2])).loss.backward()
    grad = model.model.layers[0].mlp.gate_proj.weight.grad
    # What was overwritten has no gradient, its neighbours have.
    assert grad[NEURONS[0]].abs().max() == 0
    assert grad[2].abs().max() > 0


def test_half_precision_keeps_the_other_neurons():
    model = tiny("llama").bfloat16()
    plain = logits(model)
    same = build(NEURONS, values(1), statistic("scale"))
    assert torch.equal(logits(model, same), plain)
    assert (
        logits(model, build(NEURONS, values(4.0), statistic())).dtype == torch.bfloat16
    )


@pytest.mark.parametrize("write", WRITES)
def test_writing_numbers_everywhere_is_one_operation_a_layer(write):
    """On a GPU, small operations cost their start, not what they write."""
    model = tiny("llama", "base").bfloat16()
    change = build(NEURONS, values(), statistic(write=write))
    counts = []
    for given in (None, change, change):
        with applied(model, given), torch.no_grad():
            model(tokens())  # takes the values to where and what they are needed as
            with Cost() as cost:
                model(tokens())
        counts.append(Counter(cost.names))
    assert counts[1] - counts[0] == {"index_copy": len(NEURONS)}
    assert counts[1] == counts[2] and not counts[0] - counts[1]


@pytest.mark.parametrize("neurons", [{2: [0]}, {0: [WIDTH]}])
def test_neurons_of_another_model_are_refused(neurons):
    with pytest.raises(DataError, match="another model"):
        build(neurons, values(), statistic())


@pytest.mark.parametrize("value", [0.0, values()])
@pytest.mark.parametrize("neurons", [{0: [-1]}, {-1: [0]}, {0: [0.5]}, {0: 3}])
def test_what_numbers_no_neuron_is_refused(neurons, value):
    with pytest.raises(DataError, match="whole numbers from 0 are needed"):
        overwrite(neurons, value)


def test_a_number_is_written_into_all_neurons():
    model = tiny("llama")
    wanted = logits(model, build(NEURONS, values(1.5), statistic()))
    assert torch.equal(logits(model, overwrite(NEURONS, 1.5)), wanted)
    given = {0: np.array([7, 5, 1, 1]), 1: (0, 23), 2: []}
    assert torch.equal(logits(model, overwrite(given, 1.5)), wanted)


@pytest.mark.parametrize(
    "given",
    [{"op": "scale"}, {"write": "prod"}, {"op": "interpolate", "weight": 0.3},
     {"write": "gate_pre", "positions": "last"}],
)  # fmt: skip
def test_overwriting_by_hand_is_that_of_the_configuration(given):
    model, mask = tiny("llama"), torch.ones_like(tokens())
    plain = logits(model, mask=mask)
    wanted = logits(model, build(NEURONS, values(), statistic(**given)), mask=mask)
    found = logits(model, overwrite(NEURONS, values(), **given), mask=mask)
    assert torch.equal(found, wanted) and not torch.equal(found, plain)


def test_what_cannot_be_written_is_refused():
    for name in ("op", "write", "positions"):
        with pytest.raises(ConfigError, match=f"unknown {name} 'al'.*Known: "):
            overwrite(NEURONS, 0, **{name: "al"})
    for value in ("p90", [1.0, 2.0], values()[0]):
        with pytest.raises(DataError, match="a number is needed, or an array"):
            overwrite(NEURONS, value)
    for value in (np.nan, values(np.inf)):
        with pytest.raises(DataError, match="not finite"):
            overwrite(NEURONS, value)


def test_the_lists_of_the_configuration_are_those_of_overwriting():
    for name, known in (("op", OPS), ("write", WRITES), ("positions", POSITIONS)):
        declared = Statistic.model_json_schema()["properties"][name]
        allowed = declared.get("enum") or declared["anyOf"][0]["enum"]
        assert allowed == [*known], name


def test_an_intervention_of_a_larger_model_is_refused():
    change = build({3: [2]}, np.zeros((4, 8), np.float32), statistic())
    with (
        pytest.raises(DataError, match="another model"),
        applied(tiny("llama"), change),
    ):
        pass


def test_bad_values_and_unresolved_sites_are_refused():
    with pytest.raises(DataError, match="not finite"):
        build(NEURONS, values(np.nan), statistic())
    with pytest.raises(ConfigError, match="'write' is null"):
        build(NEURONS, values(), Statistic(value="mean"))


@pytest.mark.parametrize("write", WRITES)
def test_activations_are_copied_only_where_gradients_may_need_them(write):
    model = tiny("llama")
    layer, seen = mlp_sites(model).layers[0], []
    if write == "act_post":
        layer.act.register_forward_hook(lambda m, a, o: seen.append(o))
    else:
        module = layer.down if write == "prod" else layer.act
        module.register_forward_pre_hook(lambda m, a: seen.append(a[0]))
    for with_gradients in (True, False):
        change = overwrite({0: [1, 3]}, 2.0, write=write)
        with torch.set_grad_enabled(with_gradients), applied(model, change):
            model(input_ids=tokens())
    copied, written = (bool((x[..., [1, 3]] != 2).any()) for x in seen)
    assert copied and not written
