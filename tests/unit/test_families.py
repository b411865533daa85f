"""A family of models is one row of a table: a new one records, is changed, is tuned."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from configurations import merge, paper
from langneurons.config.catalogue import Statistic
from langneurons.config.errors import ConfigError, DataError
from langneurons.jobs.fingerprint import SCRIPTS, code_hash
from langneurons.nn.evaluation.applying import applied
from langneurons.nn.evaluation.interventions import build
from langneurons.nn.models import folders
from langneurons.nn.models.architectures import mlp_sites
from langneurons.nn.models.families import FAMILIES, REFUSED, Family
from langneurons.nn.recording.measuring import record
from langneurons.study import targets
from langneurons.study.configuration import load
from langneurons.study.specs import Specs
from test_masking import saved, train, wrapped
from tiny_models import HIDDEN, LAYERS, PAD, VOCAB, WIDTH, tokens

# Without a gate, as GPT-2, but with plain linear layers in "layers".
ROW = Family("starcoder2", act="mlp.act", gate="mlp.c_fc", up=None, down="mlp.c_proj")
NEURONS = {1: [0, 3, 17]}  # none in layer 0


@pytest.fixture
def row(monkeypatch: pytest.MonkeyPatch) -> Family:
    monkeypatch.setitem(FAMILIES, "starcoder2", ROW)
    return ROW


def starcoder(head: str):
    """Build a tiny random model of a family that the table does not have."""
    import transformers as t

    sizes = {"hidden_size": HIDDEN, "intermediate_size": WIDTH, "vocab_size": VOCAB}
    sizes |= {"num_hidden_layers": LAYERS, "num_attention_heads": 2, "num_labels": 3}
    sizes |= {"num_key_value_heads": 1, "max_position_embeddings": 64}
    ends = {"pad_token_id": PAD, "bos_token_id": 1, "eos_token_id": 2}
    config = t.Starcoder2Config(**sizes, **ends, initializer_range=0.3)
    torch.manual_seed(0)
    auto = {
        "base": t.AutoModel,
        "causal": t.AutoModelForCausalLM,
        "classifier": t.AutoModelForSequenceClassification,
    }
    return auto[head].from_config(config).float().eval()


def test_without_a_row_the_error_says_what_to_add(tmp_path: Path) -> None:
    model = starcoder("base")
    said = "starcoder2.*Known: bloom.*one row of FAMILIES in nn/models/families.py"
    with pytest.raises(DataError, match=said):
        mlp_sites(model)
    model.save_pretrained(tmp_path)
    with pytest.raises(DataError, match="one row of FAMILIES"):
        folders.read_config(tmp_path, "llama")
    with pytest.raises(ConfigError, match=r"models\.nemo\.family.*one row of FAMILIES"):
        load(paper(models={"nemo": {"family": "starcoder2"}}))


def test_a_new_family_is_planned_and_read(row: Family, tmp_path: Path) -> None:
    config = load(paper(models={"nemo": {"family": "starcoder2"}}))
    wildcards = SimpleNamespace(
        model="nemo", corpus="wikipedia", lang="en", shard="0", shards="1"
    )
    assert '"gate":"mlp.c_fc"' in Specs(config).measure_activations(wildcards)
    starcoder("base").save_pretrained(tmp_path)
    assert folders.read_config(tmp_path, "starcoder2")
    with pytest.raises(DataError, match="Set family: starcoder2"):
        folders.read_config(tmp_path, "llama")


def test_a_new_family_is_recorded(row: Family) -> None:
    model, kept = starcoder("base"), []
    chunks = tokens(6, 8)
    sites = mlp_sites(model)
    assert (sites.family, sites.width, len(sites.layers)) == (
        "starcoder2",
        WIDTH,
        LAYERS,
    )
    hook = sites.layers[1].act.register_forward_hook(lambda m, a, o: kept.append(a[0]))
    state, _ = record(
        model,
        chunks.int(),
        0,
        batch_chunks=2,
        histogram_every=1,
        batch_quantiles=["gate_pre"],
        micro_batch=2,
        label="test",
    )
    hook.remove()
    pre = torch.cat([x.flatten(0, 1) for x in kept])
    assert state["count_pos"][1].tolist() == (pre > 0).sum(0).tolist()
    np.testing.assert_allclose(state["gate_pre.sum"][1], pre.sum(0), rtol=1e-4)


@pytest.mark.parametrize("write", ["gate_pre", "act_post", "prod"])
def test_neurons_of_a_new_family_are_switched_off(row: Family, write: str) -> None:
    model, nothing = starcoder("causal"), np.zeros((LAYERS, WIDTH), np.float32)
    zero = build(NEURONS, nothing, Statistic(value="zero", write=write))
    with torch.no_grad():
        plain = model(input_ids=tokens()).logits
        with applied(model, zero) as handle:
            handle.set_mask(None)
            off = model(input_ids=tokens()).logits
        down = model.model.layers[1].mlp.c_proj
        down.weight[:, NEURONS[1]] = 0
        removed = model(input_ids=tokens()).logits
    torch.testing.assert_close(off, removed, rtol=1e-4, atol=1e-5)
    assert not torch.allclose(off, plain, atol=1e-3)


def test_only_chosen_neurons_of_a_new_family_are_tuned(
    row: Family, tmp_path: Path
) -> None:
    from peft import PeftModel

    model = wrapped("starcoder2", "masked_lora", NEURONS, starcoder("classifier"))
    train(model)
    folder = saved(tmp_path, model)
    bare = starcoder("classifier")
    merged = PeftModel.from_pretrained(starcoder("classifier"), str(folder))
    after = dict(merged.merge_and_unload().named_parameters())
    chosen = set()
    for name, before in bare.named_parameters():
        change = (after[name] - before).detach()
        if name.endswith(("mlp.c_fc.weight", "mlp.c_proj.weight")) and ".1." in name:
            lines = change if "c_fc" in name else change.T
            touched = lines.any(1).nonzero().flatten().tolist()
            assert touched == NEURONS[1], name
            chosen.add(name)
        elif not name.startswith("score"):
            assert not change.any(), name
    assert len(chosen) == 2


EXPERTS = "is a mixture of experts: .*Only dense models are known.*Known: bloom"


@pytest.mark.parametrize(
    ("kind", "sizes", "said"),
    [
        ("phi3", {}, "phi3 is not supported: its gate and up projection are one"),
        ("mixtral", {"num_local_experts": 2}, f"mixtral {EXPERTS}"),
        ("qwen3_moe", {"num_experts": 2}, f"qwen3_moe {EXPERTS}"),
    ],
)
def test_what_no_row_can_describe_is_refused_with_the_reason(
    tmp_path: Path, kind: str, sizes: dict[str, int], said: str
) -> None:
    import transformers as t

    with pytest.raises(ConfigError, match=rf"(?s)models\.nemo\.family: {said}"):
        load(paper(models={"nemo": {"family": kind}}))
    sizes |= {"hidden_size": HIDDEN, "intermediate_size": WIDTH, "vocab_size": VOCAB}
    sizes |= {"num_hidden_layers": 1, "num_attention_heads": 2, "pad_token_id": PAD}
    config = t.AutoConfig.for_model(kind, num_key_value_heads=1, **sizes)
    config.save_pretrained(tmp_path)
    with pytest.raises(DataError, match=said.partition(".*Known")[0]):
        folders.read_config(tmp_path, "llama")
    with pytest.raises(DataError, match=said):
        mlp_sites(t.AutoModel.from_config(config))


def test_names_that_are_refused_are_those_of_transformers() -> None:
    from transformers import CONFIG_MAPPING

    assert set(REFUSED) <= set(CONFIG_MAPPING)
    assert not set(REFUSED) & {row.model_type for row in FAMILIES.values()}


def test_a_family_without_a_classifier_is_not_tuned_as_one() -> None:
    of_cohere = {"models": {"nemo": {"family": "cohere2"}}, "run": ["finetuning"]}
    said = (
        r"experiments\.finetuning\.models: nemo cannot be tuned on tasks\.xnli \(kind "
        r"xnli\): transformers has no classifier of family cohere2.*has one of: bloom"
    )
    with pytest.raises(ConfigError, match=said):
        load(paper(**of_cohere))
    answered = {"experiments": {"finetuning": {"tasks": ["xquad"]}}}
    load(paper(**merge(of_cohere, answered)))


@pytest.mark.parametrize("name", ["opt-6.7b", "phi-2"])
def test_published_neurons_of_a_family_are_drawn_beside_ours(name: str) -> None:
    family = name.partition("-")[0]
    model = {"family": family, "published_as": name}
    config = load(paper(models={"nemo": model}, run=["perplexity"]))
    wanted = f"figures/published/{name}.lape.tang2024/counts.svg"
    assert any(path.endswith(wanted) for path in targets.figures(config))


def test_a_row_changes_the_jobs_of_its_family_and_no_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def spec(model: str) -> str:
        wildcards = SimpleNamespace(
            model=model, corpus="wikipedia", lang="en", shard="0", shards="1"
        )
        return Specs(load(paper())).measure_activations(wildcards)

    before = {model: spec(model) for model in ("llama31", "nemo")}
    monkeypatch.setitem(FAMILIES, "starcoder2", ROW)
    assert {model: spec(model) for model in before} == before
    other = replace(FAMILIES["mistral"], act="mlp.other")
    monkeypatch.setitem(FAMILIES, "mistral", other)
    assert spec("llama31") == before["llama31"] and spec("nemo") != before["nemo"]


def test_a_new_row_changes_no_code(tmp_path: Path) -> None:
    ours = tmp_path / "scripts"
    shutil.copytree(SCRIPTS, ours, ignore=shutil.ignore_patterns("__pycache__"))
    table = ours / "langneurons/nn/models/families.py"
    text = table.read_text(encoding="utf-8")
    assert '    "llama": Family("llama"),\n' in text
    row = '    "llama": Family("llama"),\n    "new": Family("new", up=None),\n'
    table.write_text(text.replace('    "llama": Family("llama"),\n', row))
    for script in ("measure_activations", "tune_model", "fetch_model"):
        assert code_hash(script, root=ours) == code_hash(script)


def test_the_table_is_read_without_torch() -> None:
    code = (
        "import sys; from langneurons.nn.models import families; families.described"
        "('bloom'); assert not {'torch', 'transformers'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=SCRIPTS)


def test_the_recipes_name_each_family() -> None:
    text = (SCRIPTS.parents[1] / "docs/recipes.md").read_text(encoding="utf-8")
    tested = text.partition("Families that are tested")[2].partition("transformers")[0]
    assert set(re.findall(r"`(\w+)`", tested)) == set(FAMILIES)
