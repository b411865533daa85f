"""Fine-tuning: schedule, resuming, micro-batches, and stock PEFT adapters."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from langneurons.config.errors import ConfigError, DataError
from langneurons.config.task_entries import Training
from langneurons.jobs import files
from langneurons.nn.evaluation.examples import Labelled, Reading
from langneurons.nn.models import families, folders, loading, quantising, tuned
from langneurons.nn.tuning import adapters
from langneurons.nn.tuning.losses import summed
from langneurons.nn.tuning.training import Checkpoint, Plan, curve, fit, record
from test_classification import predict, word_tokenizer
from tiny_models import PAD
from tiny_models import build as tiny
from truths import Truth

ITEMS, SEED = 21, 3
ATTENTION = {"kind": "attention"}
MANIFEST = {"source": "hub:owner/tiny", "revision": "abc"}


def settings(**changes):
    given = {"rank": 2, "alpha": 4, "learning_rate": 0.02, "batch_size": 4}
    return Training(**{**given, "epochs": 2, "warmup_ratio": 0.2, **changes})


def data(pool="last_real_token", items=ITEMS):
    """Token 5 anywhere means label 1, token 7 label 2, neither label 0."""
    rng = np.random.default_rng(0)
    labels = np.arange(items) % 3
    tokens = []
    for label in labels:
        row = rng.integers(10, 40, rng.integers(3, 8))
        if label:
            row[rng.integers(len(row))] = 3 + 2 * label
        tokens.append(row.astype(np.int64))
    return Labelled(tokens, labels, Reading(pool, 12, 2))


def loss_of(model, examples=None):
    """Return what training minimises."""
    return summed(model, data() if examples is None else examples, PAD)


def wrapped(family="llama", training=None, seed=SEED, **changes):
    base = tuned.prepare(tiny(family, "classifier", **changes))
    return adapters.wrap(base, family, ATTENTION, training or settings(), seed)


def trained(family="llama", micro_batch=4, checkpoint=None, stop=None, **changes):
    """Train a tiny model; ``stop`` raises in the middle of that step (from 0)."""
    training = settings()
    model = wrapped(family, training, **changes)
    of_rows = loss_of(model)
    calls = 0

    def loss(rows):
        nonlocal calls
        calls += 1
        if calls - 1 == stop:
            raise KeyboardInterrupt
        return of_rows(rows)

    plan = Plan.of(ITEMS, training, SEED)
    losses = fit(model, loss, plan, training, micro_batch, checkpoint)
    weights = {n: p.detach().clone() for n, p in adapters.trainable(model).items()}
    return model, losses, weights, calls


def test_start_is_the_untuned_model_and_a_function_of_the_seed():
    one, two, other = wrapped(), wrapped(), wrapped(seed=4)
    first = adapters.trainable(one)
    assert all(torch.equal(p, adapters.trainable(two)[n]) for n, p in first.items())
    a = [n for n in first if ".lora_A." in n]
    b = [n for n in first if ".lora_B." in n]
    assert (
        len(a) == len(b) == 8 and len(first) == 17
    )  # 2 layers x q k v o, and the head
    assert not any(torch.equal(first[n], adapters.trainable(other)[n]) for n in a)
    assert not any(first[n].any() for n in b)
    pooled = torch.cat([first[n].flatten() for n in a])
    assert 0.008 < float(pooled.detach().std()) < 0.012
    bare = tiny("llama", "classifier")
    name = next(n for n in first if n not in (*a, *b))
    bare.score.weight.data = first[name].detach().clone()
    assert np.allclose(predict(one, data(), 4), predict(bare, data(), 4), atol=1e-6)


@pytest.mark.parametrize(
    ("family", "modules", "expected"),
    [
        ("llama", ("q", "k", "v"), {"k_proj", "q_proj", "v_proj"}),
        ("gpt2", ("q", "k", "v", "o"), {"attn.c_proj", "c_attn"}),
        ("bloom", ("q", "v"), {"query_key_value"}),
    ],
)
def test_only_attention_is_adapted(family, modules, expected):
    model = wrapped(family, settings(attention_modules=modules))
    assert set(model.peft_config["default"].target_modules) == expected
    names = [n for n in adapters.trainable(model) if "lora" in n]
    assert names and not any("mlp" in n for n in names)
    assert all(p.dtype == torch.float32 for p in adapters.trainable(model).values())


@pytest.mark.parametrize("kind", ["attention", "all_mlp"])
@pytest.mark.parametrize(("key", "name"), [("k", "key_proj"), ("q", "proj")])
def test_a_mistyped_name_does_not_train_less(monkeypatch, kind, key, name):
    """PEFT complains only if it finds no module at all."""
    row = families.FAMILIES["llama"]
    wrong = replace(row, attention={**row.attention, key: name})
    monkeypatch.setitem(families.FAMILIES, "llama", wrong)
    base = tuned.prepare(tiny("llama", "classifier"))
    tuning = {**ATTENTION, "kind": kind, "mlp_targets": "gate", "attention": True}
    said = rf"FAMILIES\['llama'\].*attention\['{key}'\]: '{name}', found layers \[\]"
    with pytest.raises(DataError, match=said):
        adapters.wrap(base, "llama", tuning, settings(), SEED)


def test_unknown_tuning():
    base = tuned.prepare(tiny("llama", "classifier"))
    with pytest.raises(ConfigError, match="unknown kind 'full'.*Known: all_mlp, att"):
        adapters.wrap(base, "llama", {"kind": "full"}, settings(), SEED)


def test_plan_is_that_of_the_released_code():
    """98,150 kept examples at batch 8 (methods.md 2.2)."""
    plan = Plan.of(98_150, Training(), 42)
    assert (plan.per_epoch, plan.steps, plan.warmup) == (12_269, 24_538, 122)
    whole = Plan.of(98_150, Training(warmup_of="training"), 42)
    assert whole.warmup == 245
    assert Plan.of(30, Training(batch_size=1, epochs=0.1), 0).steps == 3
    assert Plan.of(31, Training(batch_size=1, epochs=0.1), 0).steps == 4


def test_schedule_is_that_of_transformers():
    from transformers import get_linear_schedule_with_warmup

    plan = Plan.of(ITEMS, settings(epochs=5), SEED)
    assert plan.warmup == 1 and plan.steps == 30
    plan = Plan(ITEMS, 4, 6, 30, 7, SEED)
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    theirs = get_linear_schedule_with_warmup(optimizer, 7, 30)
    for step in range(30):
        assert plan.factor(step) == pytest.approx(theirs.get_last_lr()[0])
        optimizer.step()
        theirs.step()
    assert plan.factor(30) == 0


def test_every_item_once_an_epoch_in_another_order():
    plan = Plan.of(ITEMS, settings(), SEED)
    epochs = []
    for epoch in range(2):
        order = plan.order(epoch)
        steps = range(epoch * plan.per_epoch, (epoch + 1) * plan.per_epoch)
        seen = [row for step in steps for row in plan.rows(step, order)]
        assert sorted(seen) == list(range(ITEMS))
        epochs.append(seen)
    assert epochs[0] != epochs[1]
    assert Plan.of(ITEMS, settings(), SEED + 1).order(0) != plan.order(0)


def learnt(seed):
    """Train until the items are known; return the model, before it, and the losses."""
    training = settings(epochs=24, learning_rate=0.05, rank=4, alpha=8)
    model = wrapped(training=training, seed=seed)
    before = {n: p.clone() for n, p in model.named_parameters()}
    plan = Plan.of(ITEMS, training, seed)
    losses = fit(model, loss_of(model), plan, training, 4)
    assert len(losses) == plan.steps
    return model, before, losses


def loss_left(losses):
    return losses[-6:].mean() / losses[:6].mean()


def items_known(model):
    return (predict(model, data(), 4).argmax(1) == data().labels).mean()


TRUTHS = {
    "loss_left": Truth(
        "classifier of 21 items: loss of the last steps over that of the first",
        lambda seed: loss_left(learnt(seed)[2]),
        "under",
        0.3,
    ),
    "items_known": Truth(
        "classifier of 21 items: accuracy on them (chance .33)",
        lambda seed: items_known(learnt(seed)[0]),
        "over",
        0.9,
    ),
}


def test_it_learns_and_leaves_the_base_alone():
    model, before, losses = learnt(SEED)
    assert TRUTHS["loss_left"].holds(loss_left(losses))
    assert TRUTHS["items_known"].holds(items_known(model))
    frozen = {n: p for n, p in model.named_parameters() if not p.requires_grad}
    assert frozen and all(torch.equal(p, before[n]) for n, p in frozen.items())


# GPT-2's configuration asks for dropout, which would draw random numbers.
@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_a_killed_job_ends_at_the_same_bits(tmp_path, capsys, family):
    _, losses, whole, _ = trained(family)
    steps = len(losses)
    checkpoint = Checkpoint(tmp_path, "key", every=3)
    with pytest.raises(KeyboardInterrupt):
        trained(family, checkpoint=checkpoint, stop=8)  # in the second epoch
    assert "resumed" not in capsys.readouterr().err
    torch.manual_seed(999)  # a new process has another random state
    _, again, resumed, calls = trained(family, checkpoint=checkpoint)
    assert calls == steps - 6
    told = f"resumed from step 6 of {steps} ({tmp_path}/training.pt)\n"
    assert capsys.readouterr().err.startswith(told)
    assert np.array_equal(losses, again)
    assert all(torch.equal(w, resumed[n]) for n, w in whole.items())


def test_checkpoints_of_other_jobs_or_damaged_ones_are_not_used(tmp_path, capsys):
    trained(checkpoint=Checkpoint(tmp_path, "mine", every=5))
    _, _, _, calls = trained(checkpoint=Checkpoint(tmp_path, "other", every=5))
    assert calls == 12
    assert (
        "other settings, data or code; training starts over" in capsys.readouterr().err
    )
    (tmp_path / "training.pt").write_bytes(b"half of a file")
    _, _, _, calls = trained(checkpoint=Checkpoint(tmp_path, "mine", every=5))
    assert calls == 12
    assert "damaged; training starts over" in capsys.readouterr().err


@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_micro_batch_changes_rounding_only(family):
    _, losses, whole, _ = trained(family)
    for micro_batch in (1, 3, 100):
        _, parts, weights, _ = trained(family, micro_batch)
        assert np.allclose(losses, parts, atol=1e-4)
        assert all(torch.allclose(w, weights[n], atol=1e-3) for n, w in whole.items())


def test_gradient_of_parts_is_that_of_the_whole():
    gradients = []
    for parts in ([[0, 1, 2, 3, 4]], [[0, 1], [2, 3], [4]]):
        model = wrapped()
        of_rows = loss_of(model)
        for rows in parts:
            (of_rows(rows) / 5).backward()
        gradients.append({n: p.grad for n, p in adapters.trainable(model).items()})
    one, two = gradients
    assert all(torch.allclose(one[n], two[n], atol=1e-6) for n in one)
    assert any(g.abs().max() > 1e-3 for g in one.values())


def test_loss_that_is_not_finite_is_refused():
    model = wrapped()
    of_rows = loss_of(model)
    plan = Plan.of(ITEMS, settings(), SEED)

    def loss(rows):
        return of_rows(rows) * float("inf")

    with pytest.raises(DataError, match="not finite at step 1; lower learning_rate"):
        fit(model, loss, plan, settings(), 4)


def test_record_is_small_and_complete():
    model = wrapped()
    plan = Plan.of(ITEMS, settings(epochs=100), SEED)
    losses = np.linspace(2, 1, plan.steps, dtype=np.float32)
    found = record(model, plan, losses, dropped=5)
    assert found["steps"] == 600 and found["items_dropped"] == 5
    assert len(found["loss_curve"]) == 100
    assert found["loss_curve"][-1]["step"] == 600
    assert found["final_loss"] == pytest.approx(losses[-6:].mean())
    expected = sum(p.numel() for p in model.parameters() if p.requires_grad)
    assert found["trainable_parameters"] == expected
    assert curve(np.array([1.0, 3.0])) == [
        {"step": 1, "loss": 1.0},
        {"step": 2, "loss": 3.0},
    ]


def saved(tmp_path, model, manifest=MANIFEST):
    folder = tmp_path / "adapter"
    paths = folder / adapters.ADAPTER, folder / adapters.CONFIG
    adapters.save(model, *paths, manifest, tmp_path / "model")
    assert sorted(p.name for p in folder.iterdir()) == [
        adapters.CONFIG,
        adapters.ADAPTER,
    ]
    return folder


@pytest.mark.parametrize("family", ["llama", "mistral", "gpt2", "gemma3"])
@pytest.mark.parametrize("pool", ["padded_last", "last_real_token"])
def test_adapter_opens_with_plain_peft(tmp_path, family, pool):
    from peft import PeftModel

    model, *_ = trained(family)
    folder = saved(tmp_path, model)
    expected = predict(model, data(pool), 4)
    ours = tuned.open_adapter(tiny(family, "classifier"), folder)
    assert np.array_equal(expected, predict(ours, data(pool), 4))
    plain = PeftModel.from_pretrained(tiny(family, "classifier"), str(folder)).eval()
    assert np.array_equal(expected, predict(plain, data(pool), 4))
    untrained = predict(tiny(family, "classifier"), data(pool), 4)
    assert not np.allclose(expected, untrained, atol=1e-2)
    if pool == "last_real_token":
        item = torch.from_numpy(data().tokens[0])[None]
        with torch.no_grad():
            assert np.allclose(plain(input_ids=item).logits, expected[:1], atol=1e-5)


def in_a_cache(tmp_path, folder, sha):
    """Lay a model's folder out as the hub's client keeps what it has downloaded."""
    place = tmp_path / "cache" / "models--owner--tiny" / "snapshots" / sha
    place.parent.mkdir(parents=True)
    folder.rename(place)
    return {"cache_dir": str(tmp_path / "cache"), "local_files_only": True}


@pytest.mark.parametrize("source", ["hub", "folder"])
@pytest.mark.parametrize("head", ["classifier", "causal"])
def test_it_opens_by_its_folder_alone(tmp_path, monkeypatch, source, head):
    """Its configuration names a base that is found from anywhere."""
    import peft

    autos = {
        "classifier": peft.AutoPeftModelForSequenceClassification,
        "causal": peft.AutoPeftModelForCausalLM,
    }
    base, sha = tmp_path / "base", "0123456789" * 4
    tiny("llama", "causal").save_pretrained(base)
    word_tokenizer().save_pretrained(base)
    kinds = {"classifier": ("score", "SEQ_CLS"), "causal": (None, "CAUSAL_LM")}
    load = {"classifier": loading.load_classifier, "causal": loading.load_causal}[head]
    model = tuned.prepare(load(base))
    model = adapters.wrap(model, "llama", ATTENTION, settings(), SEED, *kinds[head])
    for name, weight in adapters.trainable(model).items():
        if "lora_B" in name:
            torch.nn.init.normal_(weight)
    of = {"hub": "hub:owner/tiny", "folder": f"folder:{base}"}
    folder = saved(tmp_path, model, {"source": of[source], "revision": sha})
    item = torch.from_numpy(data().tokens[0])[None]
    with torch.no_grad():
        expected = tuned.open_adapter(load(base), folder)(input_ids=item).logits
        untuned = load(base)(input_ids=item).logits
    assert not torch.allclose(expected, untuned, atol=1e-2)
    more = in_a_cache(tmp_path, base, sha) if source == "hub" else {}
    more |= {"num_labels": 3} if head == "classifier" else {}
    monkeypatch.chdir(folder)  # not where the workflow runs
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with torch.no_grad():
        auto = autos[head].from_pretrained(str(folder), **more).eval()
        assert torch.equal(auto(input_ids=item).logits, expected)


def test_saved_bytes_are_deterministic(tmp_path):
    one, two = (saved(tmp_path / name, trained()[0]) for name in "ab")
    for name in (adapters.ADAPTER, adapters.CONFIG):
        assert files.sha256(one / name) == files.sha256(two / name)
    config = json.loads((one / adapters.CONFIG).read_text())
    assert config["target_modules"] == ["k_proj", "o_proj", "q_proj", "v_proj"]
    assert config["base_model_name_or_path"] == "owner/tiny"
    assert config["revision"] == "abc"
    assert config["modules_to_save"] == ["classifier", "score"]  # by SEQ_CLS
    assert config["lora_alpha"] == 4


def test_bf16_base_keeps_the_head_in_float32(tmp_path):
    def base():
        return tiny("llama", "classifier").bfloat16()

    training = settings()
    model = adapters.wrap(tuned.prepare(base()), "llama", ATTENTION, training, SEED)
    plan = Plan.of(ITEMS, training, SEED)
    fit(model, loss_of(model), plan, training, 4)
    folder = saved(tmp_path, model)
    again = tuned.open_adapter(base(), folder)
    assert np.array_equal(predict(model, data(), 4), predict(again, data(), 4))


def small_nf4(tmp_path):
    """Quantise a tiny Llama; rows of a 4-bit matrix come in blocks of 32 on the CPU."""
    pytest.importorskip("bitsandbytes", reason="4-bit weights need bitsandbytes")
    source, folder = tmp_path / "pinned", tmp_path / "nf4"
    sizes = {"hidden_size": 64, "intermediate_size": 128, "head_dim": 32}
    tiny("llama", "causal", **sizes, num_key_value_heads=2).save_pretrained(source)
    word_tokenizer().save_pretrained(source)
    hashes = {p.name: files.sha256(p) for p in source.iterdir()}
    about = folders.describe(source) | MANIFEST | {"dtype": "bfloat16", "files": hashes}
    files.write_json(source / "manifest.json", about)
    quantising.quantise(source, folder)
    return folder


def test_nf4_step_save_and_reload_give_the_same_scores(tmp_path):
    folder = small_nf4(tmp_path)

    def base():
        return loading.load_classifier(folder, 3)

    training = settings(epochs=1, batch_size=ITEMS, warmup_ratio=0)
    model = adapters.wrap(tuned.prepare(base()), "llama", ATTENTION, training, SEED)
    assert model.get_base_model().is_loaded_in_4bit
    assert model.get_base_model().model.norm.weight.dtype == torch.float32
    before = predict(model, data(), 4)
    plan = Plan.of(ITEMS, training, SEED)
    assert plan.steps == 1
    fit(model, loss_of(model), plan, training, 8)
    after = predict(model, data(), 4)
    assert not np.allclose(before, after, atol=1e-3)
    again = tuned.open_adapter(base(), saved(tmp_path, model))
    assert np.array_equal(after, predict(again, data(), 4))
