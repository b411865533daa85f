"""Tuning of chosen neurons: nothing else changes, and stock PEFT reloads it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from langneurons.config.errors import ConfigError, DataError
from langneurons.jobs import cli, files
from langneurons.neurons.neuron_sets import NeuronSets
from langneurons.nn.models import architectures, folders, loading, tuned
from langneurons.nn.tuning import adapters, masking
from langneurons.nn.tuning.training import Checkpoint, Plan, fit, record
from langneurons.tasks.common import items
from test_classification import predict
from test_training import (
    ITEMS,
    MANIFEST,
    SEED,
    data,
    loss_of,
    saved,
    settings,
    small_nf4,
)
from tiny_models import HIDDEN, LAYERS, WIDTH, tokens
from tiny_models import build as tiny
from truths import Truth

FAMILIES = ("llama", "mistral", "gpt2", "bloom", "gemma3", "opt", "phi", "gpt_neox")
KINDS = masking.NEURON_KINDS
NEURONS = {1: [0, 3, 17]}  # none in layer 0


def tuning(kind, targets="gate_up_down", attention=False):
    return {"kind": kind, "mlp_targets": targets, "attention": attention}


def wrapped(family="llama", kind="masked_lora", neurons=NEURONS, base=None, **more):
    base = tuned.prepare(base or tiny(family, "classifier"))
    chosen = neurons if kind in KINDS else None
    return adapters.wrap(
        base, family, tuning(kind, **more), settings(), SEED, neurons=chosen
    )


def train(model, checkpoint=None, stop=None):
    """Take 12 steps of AdamW with weight decay; ``stop`` raises in that step."""
    of_rows, calls = loss_of(model), 0

    def loss(rows):
        nonlocal calls
        calls += 1
        if calls - 1 == stop:
            raise KeyboardInterrupt
        return of_rows(rows)

    plan = Plan.of(ITEMS, settings(), SEED)
    return fit(model, loss, plan, settings(), 4, checkpoint)


def trained(*given, **more):
    model = wrapped(*given, **more)
    train(model)
    return model


def adapted(model):
    """Names of the modules that have LoRA matrices, as in the bare model."""
    found = (n for n, m in model.named_modules() if hasattr(m, "lora_A"))
    return {n.removeprefix("base_model.model.") for n in found}


def names(family, targets, layers):
    """Names of MLP projections in the bare model, from the module tree."""
    ends = tuple(architectures.mlp_modules(family, targets))
    whole = (n for n, _ in tiny(family, "classifier").named_modules())
    return {n for n in whole if n.endswith(ends) and set(n.split(".")) & layers}


def plain(family, folder):
    from peft import PeftModel

    return PeftModel.from_pretrained(tiny(family, "classifier"), str(folder)).eval()


def sets(**neurons):
    return NeuronSets("lape", "set1", "lape", "tiny", "abc", 2, WIDTH, "s", neurons)


def test_union_of_languages():
    found = sets(en={0: [1, 5], 1: []}, vi={0: [2, 5], 1: [7]}, hi={0: [9]})
    assert masking.union(found, ["vi", "en"]) == {0: [1, 2, 5], 1: [7]}
    assert masking.union(found, ["en"]) == {0: [1, 5]}
    with pytest.raises(DataError, match="unknown language 'ur'"):
        masking.union(found, ["en", "ur"])


@given(st.lists(st.integers(0, 8), unique=True, min_size=1), st.integers(0, 1))
def test_scattering_keeps_the_chosen_part(ids, dim):
    whole = torch.arange(1.0, 82.0).view(9, 9)
    scatter = masking.Scatter(torch.tensor(sorted(ids)), 9, dim)
    part = scatter.right_inverse(whole)
    assert part.shape[dim] == len(ids) and part.numel() == 9 * len(ids)
    keep = torch.zeros(9, dtype=torch.bool)
    keep[ids] = True
    mask = keep[:, None] if dim == 0 else keep[None]
    assert torch.equal(scatter(part), whole * mask)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("family", FAMILIES)
def test_only_the_neurons_change_and_plain_peft_reloads(tmp_path, family, kind):
    model = trained(family, kind)
    scores = predict(model, data(), 4)
    folder = saved(tmp_path, model)
    assert np.array_equal(scores, predict(model, data(), 4))  # saving leaves it alone
    ours = tuned.open_adapter(tiny(family, "classifier"), folder)
    again = plain(family, folder)
    for reloaded in (ours, again):
        assert np.array_equal(scores, predict(reloaded, data(), 4))
        assert adapted(reloaded) == names(family, "gate_up_down", {"1"})

    merged = dict(again.merge_and_unload().named_parameters())
    sides = architectures.mlp_modules(family, "gate_up_down")
    seen = 0
    for name, before in tiny(family, "classifier").named_parameters():
        change = (merged[name] - before).detach()
        side = [s for end, s in sides.items() if f".1.{end}.weight" in name]
        if not side:
            assert change.any() == name.startswith("score"), name
            continue
        seen += 1
        if family == "gpt2":  # [in, out]
            change = change.T
        lines = change if side == ["out"] else change.T
        kept = torch.zeros(len(lines), dtype=torch.bool)
        kept[NEURONS[1]] = True
        assert not lines[~kept].any(), name
        assert lines[kept].any(1).all(), name
    assert seen == len(sides)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("family", ["xglm", "cohere", "cohere2"])
def test_language_models_of_families_without_a_classifier(tmp_path, family, kind):
    base, ids = tuned.prepare(tiny(family)), tokens()
    model = adapters.wrap(
        base, family, tuning(kind), settings(), SEED, None, "CAUSAL_LM", NEURONS
    )
    steps = torch.optim.AdamW(adapters.trainable(model).values(), lr=0.1)
    for _ in range(3):
        steps.zero_grad()
        model(input_ids=ids, labels=ids).loss.backward()
        steps.step()
    folder = saved(tmp_path, model)
    merged = tuned.open_adapter(tiny(family), folder).merge_and_unload()
    after = dict(merged.named_parameters())
    for name, before in tiny(family).named_parameters():
        change = (after[name] - before).detach()
        sides = architectures.mlp_modules(family, "gate_up_down")
        side = [s for end, s in sides.items() if f".1.{end}.weight" in name]
        lines = change.T if side == ["in"] else change
        touched = lines.flatten(1).any(1).nonzero().flatten() if side else lines
        assert (touched.tolist() == NEURONS[1]) if side else not touched.any(), name


@pytest.mark.parametrize("family", FAMILIES)
def test_full_mask_is_plain_lora_to_the_bit(family):
    width = 4 * HIDDEN if family == "bloom" else WIDTH
    full = {layer: list(range(width)) for layer in range(LAYERS)}
    states, losses = [], []
    for kind in ("all_mlp", "masked_lora"):
        model = wrapped(family, kind, full, attention=True)
        losses.append(train(model))
        states.append(masking.stock_state(model))
    one, two = states
    assert set(one) == set(two)
    assert all(torch.equal(one[n], two[n]) for n in one)
    assert np.array_equal(*losses)
    mlp = architectures.mlp_modules(family, "gate_up_down")
    assert any(one[n].any() for n in one for x in mlp if f".{x}.lora_B" in n)


def test_all_mlp_adapts_every_layer_with_stock_matrices():
    model = wrapped("llama", "all_mlp", targets="gate", attention=True)
    mine = names("llama", "gate", {"0", "1"})
    assert len(mine) == LAYERS
    assert {n for n in adapted(model) if "mlp" in n} == mine
    assert len(adapted(model)) == LAYERS * 5
    assert not any("parametrizations" in n for n, _ in model.named_parameters())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("family", FAMILIES)
def test_attention_is_adapted_everywhere_and_mlp_only_with_neurons(family, kind):
    model = wrapped(family, kind, {0: [], 1: [4]}, targets="gate_up", attention=True)
    found = adapted(model)
    mlp = names(family, "gate_up_down", {"0", "1"})
    assert found & mlp == names(family, "gate_up", {"1"})
    attention = wrapped(family, "attention")
    assert found - mlp == adapted(attention)
    trainable = adapters.trainable(model)
    for name, start in adapters.trainable(attention).items():
        assert torch.equal(trainable[name], start)  # the same in every tuning


def test_start_is_that_of_all_mlp_within_the_mask():
    chosen = {0: [1], 1: [2, 3]}
    states = [
        masking.stock_state(wrapped("llama", kind, chosen, attention=True))
        for kind in ("all_mlp", "masked_lora")
    ]
    whole, masked = states
    for name, start in whole.items():
        mask = torch.ones_like(start)
        if "mlp.down_proj.lora_A" in name:
            layer = int(name.split(".layers.")[1][0])
            mask = torch.zeros_like(start)
            mask[:, chosen[layer]] = 1
        assert torch.equal(masked[name], start * mask), name


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("family", FAMILIES)
def test_pre_activations_of_other_neurons_keep_their_bits(family, kind):
    model = trained(family, kind, {0: [2, 9]}, targets="gate_up_down")
    seen = []
    for m in (tiny(family, "classifier"), model):
        act = architectures.mlp_sites(m, family).layers[0].act
        act.register_forward_hook(lambda module, args, out: seen.append(args[0]))
        with torch.no_grad():
            m(input_ids=tokens())
    changed = (seen[0] != seen[1]).flatten(0, -2).any(0)
    assert changed.nonzero().flatten().tolist() == [2, 9]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        # rank 2: gate and up A [2, 16] and B [3, 2]; down A [2, 3] and B [16, 2]
        ("masked_lora", 2 * (2 * HIDDEN + 3 * 2) + 2 * 3 + HIDDEN * 2),
        ("subnetwork_rows", 3 * 3 * HIDDEN),
    ],
)
def test_optimiser_holds_the_chosen_part_only(tmp_path, kind, expected):
    model = wrapped(kind=kind)
    train(model, Checkpoint(tmp_path, "key", every=5))
    expected += 3 * HIDDEN  # the head
    state = torch.load(tmp_path / "training.pt", weights_only=True)
    for moment in ("exp_avg", "exp_avg_sq"):
        held = [part[moment] for part in state["optimizer"]["state"].values()]
        assert sum(part.numel() for part in held) == expected
    assert sum(w.numel() for w in state["weights"].values()) == expected
    plan = Plan.of(ITEMS, settings(), SEED)
    summary = record(model, plan, np.ones(plan.steps, np.float32), 0, 3)
    assert summary["trainable_parameters"] == expected
    assert summary["tuned_neurons"] == 3


@pytest.mark.parametrize("kind", KINDS)
def test_a_killed_job_ends_at_the_same_bits(tmp_path, kind):
    whole = wrapped(kind=kind, attention=True)
    losses = train(whole)
    checkpoint = Checkpoint(tmp_path, "key", every=3)
    with pytest.raises(KeyboardInterrupt):
        train(wrapped(kind=kind, attention=True), checkpoint, stop=8)
    resumed = wrapped(kind=kind, attention=True)
    assert np.array_equal(losses, train(resumed, checkpoint))
    one, two = masking.stock_state(whole), masking.stock_state(resumed)
    assert all(torch.equal(one[n], two[n]) for n in one)


@pytest.mark.parametrize("method", ["SGD", "AdamW"])
@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_rows_are_trained_as_plain_torch_trains_them(family, method):
    def steps(of_rows, weights):
        make = getattr(torch.optim, method)
        # A large eps keeps AdamW from blowing up rounding in gradients near zero.
        more = {"weight_decay": 0.0, "eps": 1e-3} if method == "AdamW" else {}
        optimizer = make(weights, lr=0.01, **more)
        for step in range(6):
            (of_rows(range(step, step + 8)) / 8).backward()
            yield
            optimizer.step()
            optimizer.zero_grad()

    ours = wrapped(family, "subnetwork_rows")
    head = ours.get_base_model().score.modules_to_save["default"].weight
    direct = tuned.prepare(tiny(family, "classifier"))
    direct.score.weight.data = head.detach().clone()
    weights = {"score.weight": direct.score.weight}
    masks = {}
    for end, side in architectures.mlp_modules(family, "gate_up_down").items():
        found = [n for n, _ in direct.named_parameters() if f".1.{end}.weight" in n]
        weights[found[0]] = direct.get_parameter(found[0])
        mask = torch.zeros_like(weights[found[0]])
        rows = (side == "out") != (family == "gpt2")  # GPT-2: [in, out]
        (mask if rows else mask.T)[NEURONS[1]] = 1
        masks[found[0]] = mask
    for weight in weights.values():
        weight.requires_grad_(True)
    for _ in steps(loss_of(direct), weights.values()):
        for name, mask in masks.items():
            weights[name].grad *= mask
    for _ in steps(loss_of(ours), adapters.trainable(ours).values()):
        pass
    mine = dict(ours.merge_and_unload().named_parameters())
    start = dict(tiny(family, "classifier").named_parameters())
    for name, weight in weights.items():
        torch.testing.assert_close(mine[name], weight, rtol=0, atol=2e-5)
        assert name not in masks or (weight - start[name]).abs().max() > 1e-3


def causal(kind, seed):
    """Train a language model on 8 texts; return it, and the loss of each epoch."""
    base = tuned.prepare(tiny("llama"))
    model = adapters.wrap(
        base, "llama", tuning(kind, attention=True), settings(), seed, None,
        "CAUSAL_LM", NEURONS,
    )  # fmt: skip

    def loss(rows):
        ids = tokens(8)[list(rows)]
        return model(input_ids=ids, labels=ids).loss * len(rows)

    training = settings(epochs=4)
    losses = fit(model, loss, Plan.of(8, training, seed), training, 4)
    return model, losses.reshape(4, -1).mean(1)  # each text once an epoch


def text_loss_left(losses):
    return losses[-1] / losses[0]


TRUTHS = {
    f"text_loss_left_{kind}": Truth(
        f"{kind} on 8 texts: loss of the last epoch over that of the first",
        lambda seed, kind=kind: text_loss_left(causal(kind, seed)[1]),
        "under",
        0.99,
    )
    for kind in KINDS
}


@pytest.mark.parametrize("kind", KINDS)
def test_causal_models_have_no_head_to_train(tmp_path, kind):
    from peft import PeftModel

    model, losses = causal(kind, SEED)
    assert all("lora" in name for name in adapters.trainable(model))
    assert TRUTHS[f"text_loss_left_{kind}"].holds(text_loss_left(losses))
    folder = saved(tmp_path, model)
    config = files.read_json(folder / adapters.CONFIG)
    assert config["task_type"] == "CAUSAL_LM" and config["modules_to_save"] is None
    with torch.no_grad():
        expected = model(input_ids=tokens()).logits
        ours = tuned.open_adapter(tiny("llama"), folder)
        assert torch.equal(ours(input_ids=tokens()).logits, expected)
        again = PeftModel.from_pretrained(tiny("llama"), str(folder)).eval()
        assert torch.equal(again(input_ids=tokens()).logits, expected)


@pytest.mark.parametrize("kind", KINDS)
def test_four_bit_weights(tmp_path, kind):
    folder = small_nf4(tmp_path)
    chosen = {0: [5, 100], 1: [127]}
    model = wrapped("llama", kind, chosen, loading.load_classifier(folder, 3))
    assert model.get_base_model().is_loaded_in_4bit
    train(model)
    after = masking.stock_state(model)
    assert all(w.dtype == torch.float32 for w in after.values())
    for name, side in architectures.mlp_modules("llama", "gate_up_down").items():
        for layer, ids in chosen.items():
            end = f"base_model.model.model.layers.{layer}.{name}"
            a, b = (after[f"{end}.lora_{m}.default.weight"] for m in "AB")
            lines = (b @ a) if side == "out" else (b @ a).T
            assert lines.any(1).nonzero().flatten().tolist() == ids
    scores = predict(model, data(), 4)
    again = tuned.open_adapter(
        loading.load_classifier(folder, 3), saved(tmp_path, model)
    )
    assert np.array_equal(scores, predict(again, data(), 4))


@pytest.mark.parametrize(
    ("kind", "neurons", "error", "message"),
    [
        ("masked_lora", None, ConfigError, "tunes chosen neurons, but none are named"),
        (
            "masked_lora",
            {},
            DataError,
            "has no neurons to tune: the selection is empty",
        ),
        ("subnetwork_rows", {0: []}, DataError, "no neurons to tune"),
        ("masked_lora", {2: [0]}, DataError, "layer 2: the model has layers 0 to 1"),
        ("subnetwork_rows", {0: [3, 24]}, DataError, "neuron 24, but.*0 to 23"),
        ("masked_lora", {0: [3, 3]}, DataError, "not sorted and unique"),
        ("all_mlp", {0: [3]}, ConfigError, "takes no neurons.*masked_lora, subnet"),
        ("attention", {0: [3]}, ConfigError, "takes no neurons"),
    ],
)
def test_errors_come_before_training(kind, neurons, error, message):
    base = tuned.prepare(tiny("llama", "classifier"))
    with pytest.raises(error, match=message):
        adapters.wrap(base, "llama", tuning(kind), settings(), SEED, neurons=neurons)


@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_unknown_targets(family):
    base = tuned.prepare(tiny(family, "classifier"))
    wrong = tuning("all_mlp", "gate_down")
    with pytest.raises(ConfigError, match="unknown mlp_targets 'gate_down' - did you"):
        adapters.wrap(base, family, wrong, settings(), SEED)


def test_reading_the_neurons_of_a_job(tmp_path):
    path = tmp_path / "lape.set1.json"
    sets(en={0: [1]}, vi={0: [2], 1: [7]}).write(path)
    wanted = {"selection": "lape.set1", "languages": ["en", "vi"]}
    manifest = {"layers": 2, "intermediate_size": WIDTH}
    assert masking.read([path], wanted, manifest) == {0: [1, 2], 1: [7]}
    assert masking.read([], None, manifest) is None
    with pytest.raises(DataError, match="lape.set1 is named, but 0 files given"):
        masking.read([], wanted, manifest)
    with pytest.raises(DataError, match="no selection is named, but 1 files given"):
        masking.read([path], None, manifest)
    with pytest.raises(DataError, match="2 layers of 24 neurons.*not 2 of 99"):
        masking.read([path], wanted, manifest | {"intermediate_size": 99})


def test_checkpoints_are_of_one_spec_code_and_input(tmp_path):
    def key(text="a", **changes):
        (tmp_path / "neurons.json").write_text(text)
        neurons = [tmp_path / "neurons.json"]
        given = {"spec": {"seed": 1}, "code": "c", "inputs": {"neurons": neurons}}
        given |= {"outputs": {"adapter": tmp_path / "out" / "a"}, "threads": 1}
        given |= {"micro_batch": 2, "checkpoint_every": 7}
        found = Checkpoint.of(cli.Job(**given | changes))
        assert (found.folder, found.every) == (tmp_path / "out" / ".checkpoints", 7)
        return found.key

    assert key() == key(threads=2, micro_batch=5)
    others = (key("b"), key(code="d"), key(spec={"seed": 2}), key(inputs={}))
    assert len({key(), *others}) == 5


def run_script(tmp_path, name, kind, wanted, neurons=()):
    """Call tune_model on a tiny pinned model and items of test_classification."""
    import tune_model
    from test_classification import make_items, word_tokenizer

    model = tmp_path / "model"
    tiny("llama", "causal").save_pretrained(model)
    word_tokenizer().save_pretrained(model)
    about = MANIFEST | {"model": "tiny", "dtype": "float32"} | folders.describe(model)
    files.write_json(model / "manifest.json", about)
    items.write_jsonl(tmp_path / "items.jsonl", make_items(11))
    training = settings().model_dump(mode="json", exclude={"checkpoint_every"})
    spec = {"task": "xnli", "kind": "xnli", "parameters": {"max_length": 12}}
    spec |= {"model": "tiny", "family": "llama", "tuning": tuning(kind, "gate", True)}
    spec |= {"neurons": wanted, "training": training, "seed": SEED}
    spec |= {"attn_implementation": None}
    inputs = {"model": model / "manifest.json", "items": tmp_path / "items.jsonl"}
    out = tmp_path / name
    outputs = {"adapter": out / adapters.ADAPTER, "config": out / adapters.CONFIG}
    job = cli.Job(
        spec=spec,
        code="c0de",
        inputs=inputs | {"neurons": list(neurons)},
        outputs=outputs | {"log": out / "training.json"},
        threads=1,
        micro_batch=3,
        checkpoint_every=2,
    )
    tune_model.main(job)
    assert not job.checkpoints.exists()
    return out, files.read_json(out / "training.json")


def test_script(tmp_path):
    path = tmp_path / "lape.set1.json"
    sets(en={0: [1, 8]}, vi={0: [2, 8]}, hi={1: [5]}).write(path)
    wanted = {"selection": "lape.set1", "languages": ["en", "vi"]}
    one, log = run_script(tmp_path, "one", "masked_lora", wanted, [path])
    two, _ = run_script(tmp_path, "two", "masked_lora", wanted, [path])
    for file in (adapters.ADAPTER, adapters.CONFIG, "training.json"):
        assert files.sha256(one / file) == files.sha256(two / file)
    assert log["tuned_neurons"] == 3
    assert adapted(plain("llama", one)) > {"model.layers.0.mlp.gate_proj"}
    _, every = run_script(tmp_path, "all", "all_mlp", None)
    assert every["tuned_neurons"] == LAYERS * WIDTH
    # Per layer A [2, 16] and B [24, 2], instead of B [3, 2] in one layer only.
    added = 2 * (2 * HIDDEN + 2 * WIDTH) - (2 * HIDDEN + 3 * 2)
    assert every["trainable_parameters"] == log["trainable_parameters"] + added
    _, none = run_script(tmp_path, "attention", "attention", None)
    assert none["tuned_neurons"] == 0
