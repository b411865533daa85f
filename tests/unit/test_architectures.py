"""The MLP sites are found in every family, however the model is wrapped."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from transformers.activations import ACT2FN

from langneurons.config.errors import ConfigError, DataError
from langneurons.nn.models import architectures, families
from tiny_models import FAMILIES, HIDDEN, LAYERS, WIDTH, build, heads, tokens


def test_every_family_has_a_tiny_model():
    assert set(families.FAMILIES) == set(FAMILIES)


@pytest.mark.parametrize(("family", "head"), heads("base", "causal", "classifier"))
def test_sites_are_found_in_order(family, head):
    model = build(family, head)
    sites = architectures.mlp_sites(model)
    assert sites.family == family
    assert sites.width == (4 * HIDDEN if family == "bloom" else WIDTH)
    assert len(sites.layers) == LAYERS
    seen = []
    for index, layer in enumerate(sites.layers):
        layer.act.register_forward_hook(lambda m, a, o, i=index: seen.append(i))
    with torch.no_grad():
        model(input_ids=tokens())
    assert seen == list(range(LAYERS))


@pytest.mark.parametrize("family", FAMILIES)
def test_the_named_activation_is_the_one_computed(family):
    model = build(family, "base")
    sites = architectures.mlp_sites(model)
    seen = []
    sites.layers[0].act.register_forward_hook(lambda m, a, o: seen.append((a[0], o)))
    with torch.no_grad():
        model(input_ids=tokens())
    pre, post = seen[0]
    torch.testing.assert_close(
        ACT2FN[sites.activation](pre), post, rtol=1e-5, atol=1e-6
    )
    assert torch.equal(pre > 0, post > 0)


@pytest.mark.parametrize("family", FAMILIES)
def test_lora_reaches_the_attention_modules_only(family):
    from peft import LoraConfig, get_peft_model

    targets = families.find(family).attention
    assert list(targets) == ["q", "k", "v", "o"]
    model = build(family)
    fan = families.find(family).conv1d
    wanted = LoraConfig(
        r=2, target_modules=sorted(set(targets.values())), fan_in_fan_out=fan
    )
    wrapped = get_peft_model(model, wanted)
    adapted = [n for n, _ in wrapped.named_modules() if n.endswith("lora_A.default")]
    assert len(adapted) == LAYERS * len(set(targets.values()))
    mlp = tuple(architectures.mlp_modules(family, "gate_up_down"))
    assert not any(
        name.removesuffix(".lora_A.default").endswith(mlp) for name in adapted
    )
    sites = architectures.mlp_sites(wrapped)
    assert (sites.family, len(sites.layers)) == (family, LAYERS)


@pytest.mark.parametrize("family", FAMILIES)
def test_mlp_projections_compute_what_the_sites_read(family):
    model = build(family)
    names = families.find(family)
    gated = names.up is not None
    wanted = {names.gate: "out", names.down: "in"}
    wanted |= {names.up: "out"} if gated else {}
    assert architectures.mlp_modules(family, "gate_up_down") == wanted
    assert architectures.mlp_modules(family, "gate") == {names.gate: "out"}
    without = {k: v for k, v in wanted.items() if k != names.down}
    assert architectures.mlp_modules(family, "gate_up") == without

    sites = architectures.mlp_sites(model)
    for layer, site in enumerate(sites.layers):
        seen = {}

        def keep(what, seen=seen):
            return lambda module, args, out: seen.update({what: (args[0], out)})

        for name in wanted:
            module = architectures.by_layer(model, names.layers, name)[layer]
            module.register_forward_hook(keep(name))
        site.act.register_forward_hook(keep("act"))
        with torch.no_grad():
            model(input_ids=tokens())
        assert torch.equal(seen[names.gate][1], seen["act"][0])
        prod = seen["act"][1] * (seen[names.up][1] if gated else 1)
        assert torch.equal(prod, seen[names.down][0])


def test_unknown_mlp_targets():
    with pytest.raises(ConfigError, match="tunings: unknown mlp_targets 'up'.*Known"):
        architectures.mlp_modules("llama", "up")


def test_a_multimodal_gemma_gives_the_sites_of_its_language_model():
    import transformers as t

    vision = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 3}
    vision |= {"num_attention_heads": 2, "image_size": 28, "patch_size": 14}
    config = t.Gemma3Config(
        text_config=build("gemma3").config.to_dict(), vision_config=vision
    )
    sites = architectures.mlp_sites(t.Gemma3ForConditionalGeneration(config))
    assert (sites.family, len(sites.layers), sites.width) == ("gemma3", LAYERS, WIDTH)


def test_unknown_family_lists_the_known_ones():
    with pytest.raises(DataError, match="lama.*did you mean 'llama'.*FAMILIES"):
        architectures.mlp_sites(build("llama"), "lama")


def test_unknown_architecture_is_refused():
    import transformers as t

    config = t.GPTJConfig(
        vocab_size=8, n_positions=8, n_embd=8, n_layer=1, n_head=1, rotary_dim=2
    )
    with pytest.raises(
        DataError, match="gptj.*row of FAMILIES in nn/models/families.py"
    ):
        architectures.mlp_sites(t.GPTJModel(config))


def test_opt_350m_has_the_same_sites():
    """Its layers norm after the MLP, its embeddings are narrower than its layers."""
    changes = {"do_layer_norm_before": False, "word_embed_proj_dim": HIDDEN // 2}
    model = build("opt", **changes)
    sites = architectures.mlp_sites(model)
    assert (sites.width, len(sites.layers), sites.activation) == (WIDTH, LAYERS, "relu")
    assert architectures.hidden_size(model) == HIDDEN
    states = []
    layer = architectures.decoder_layers(model)[1]
    layer.register_forward_hook(lambda m, a, o: states.append(o))
    with torch.no_grad():
        logits = model(input_ids=tokens()).logits
        read = model.lm_head(model.model.decoder.project_out(states[0]))
    assert states[0].shape == (3, 10, HIDDEN) and torch.equal(logits, read)


def test_wrong_family_is_refused():
    said = "FAMILIES\\['gpt2'\\].*layers: no list 'h'.*Modules in lists: model.layers.0"
    with pytest.raises(DataError, match=said):
        architectures.mlp_sites(build("llama"), "gpt2")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"act": "mlp.act"}, "act: 'mlp.act', found layers []"),
        ({"gate": "mlp.gate"}, "gate: 'mlp.gate', found layers []"),
        ({"up": "mlp.up"}, "up: 'mlp.up', found layers []"),
        ({"down": "mlp.down"}, "down: 'mlp.down', found layers []"),
        ({"layers": "blocks"}, "layers: no list 'blocks'"),
        ({"activation": "act"}, "activation: no 'act' in config.json, but hidden_act"),
        ({"attention": {"k": "key"}}, "attention['k']: 'key', found layers []"),
        ({"attention": {"o": "proj"}}, "attention['o']: 'proj', found layers []"),
        ({"attention": {"k": None}}, "attention: no 'k'"),
    ],
)
def test_a_wrong_name_in_a_row_is_named(monkeypatch, change, said):
    row = families.FAMILIES["llama"]
    if "attention" in change:
        changed = {**row.attention, **change["attention"]}
        change = {**change, "attention": {k: v for k, v in changed.items() if v}}
    monkeypatch.setitem(families.FAMILIES, "llama", replace(row, **change))
    with pytest.raises(DataError) as error:
        architectures.mlp_sites(build("llama"))
    text = str(error.value)
    assert said in text
    assert "FAMILIES['llama']" in text and families.HINT in text
    there = "model.layers.0" if "layers" in change else "self_attn.q_proj"
    assert there in text


def test_all_wrong_names_of_a_row_are_named_together(monkeypatch):
    row = replace(
        families.FAMILIES["gpt2"],
        up="mlp.up",
        activation="hidden_act",
        attention={"q": "c_attn", "k": "c_attn", "v": "c_attn", "o": "c_proj"},
    )
    monkeypatch.setitem(families.FAMILIES, "gpt2", row)
    with pytest.raises(DataError) as error:
        architectures.mlp_sites(build("gpt2"))
    # "c_proj" is in the MLP as well.
    for said in ("up: 'mlp.up'", "attention['o']: 'c_proj', found layers [0, 0, 1, 1]"):
        assert said in str(error.value)
    assert "activation: no 'hidden_act' in config.json, but activation_function" in str(
        error.value
    )


def test_a_module_shared_by_layers_is_refused():
    model = build("llama", "base")
    model.layers[1].mlp.act_fn = model.layers[0].mlp.act_fn
    with pytest.raises(DataError, match="found layers \\[0\\]"):
        architectures.mlp_sites(model)


def test_layers_of_unequal_width_are_refused():
    model = build("llama", "base")
    model.layers[1].mlp.down_proj = torch.nn.Linear(7, HIDDEN)
    with pytest.raises(DataError, match="different numbers of neurons"):
        architectures.mlp_sites(model)
