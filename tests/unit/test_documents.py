"""With attention: document, activations are those of each document alone."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from langneurons.config.errors import DataError
from langneurons.jobs import tensors
from langneurons.nn.models import families
from langneurons.nn.models.architectures import mlp_sites
from langneurons.nn.recording import documents
from langneurons.nn.recording.documents import Documents
from langneurons.nn.recording.measuring import read_shard, record, shard_chunks
from langneurons.nn.recording.recorder import merge
from test_recorder import run, same
from tiny_models import FAMILIES, LAYERS, WIDTH, build, tokens

LENGTH, CHUNKS, BATCH = 20, 6, 2
# Cut by chunks, empty, of one token, two in one chunk, and longer than a chunk and than
# the sliding windows of 16; the second chunk holds one document only.
STARTS = np.array([0, 7, 7, 18, 40, 41, 42, 59, 60, 73, 110], np.int64)
KINDS = [
    (family, kernels)
    for family in FAMILIES
    for kernels in ("eager", "sdpa")
    if families.find(family).position_ids and kernels in families.find(family).kernels
]


def activations(model, **given):
    """Return gate_pre of a forward pass, float64 [layers, tokens, width]."""
    kept = []
    hooks = [
        layer.act.register_forward_hook(
            lambda module, args, output: kept.append(args[0].reshape(-1, WIDTH))
        )
        for layer in mlp_sites(model).layers
    ]
    with torch.no_grad():
        model(**given, use_cache=False)
    for hook in hooks:
        hook.remove()
    return torch.stack(kept)


def pieces():
    """Cut the corpus at each document's start and each chunk's."""
    cuts = sorted({*STARTS.tolist(), *range(0, CHUNKS * LENGTH, LENGTH)})
    return list(zip(cuts, [*cuts[1:], CHUNKS * LENGTH], strict=True))


def alone(model, ids):
    flat = ids.flatten()
    parts = [activations(model, input_ids=flat[a:b][None]) for a, b in pieces()]
    return torch.cat(parts, dim=1)


def exact(family, kernels):
    model = build(family, "base", attn_implementation=kernels)
    # Eager attention takes its softmax in single precision.
    return model if kernels == "eager" else model.double()


@pytest.mark.parametrize(("family", "kernels"), KINDS)
def test_equals_each_document_alone(family, kernels):
    model, ids = exact(family, kernels), tokens(CHUNKS, LENGTH)
    places = Documents(STARTS, LENGTH).position_ids(0, CHUNKS)
    found = activations(model, **documents.inputs(model, ids, places))
    tolerance = 1e-4 if kernels == "eager" else 1e-9
    assert torch.allclose(found, alone(model, ids), atol=tolerance)
    whole = activations(model, **documents.inputs(model, ids, None))
    assert (found - whole).abs().max() > 0.1  # the option is not without effect


@pytest.mark.parametrize("family", ["llama", "mistral", "gemma3", "gpt2"])
def test_a_chunk_with_one_document_is_as_ever(family):
    model, ids = build(family, "base"), tokens(3, LENGTH)
    places = Documents(np.array([0, LENGTH]), LENGTH).position_ids(0, 3)
    found = activations(model, **documents.inputs(model, ids, places))
    assert torch.equal(found, activations(model, input_ids=ids))


@given(st.lists(st.integers(0, 9), max_size=30), st.integers(1, 7), st.integers(0, 4))
@settings(deadline=None)
def test_positions_are_those_of_a_loop(sizes, length, first):
    starts = np.cumsum([0, *sizes], dtype=np.int64)
    chunks = 4
    expected, place = [], 0
    for number in range(first * length, (first + chunks) * length):
        at_start = number % length == 0 or number in starts
        place = 0 if at_start else place + 1
        expected.append(place)
    found = Documents(starts, length).position_ids(first, chunks)
    assert found.dtype == torch.int64 and found.shape == (chunks, length)
    assert found.flatten().tolist() == expected


def test_starts_that_are_not_in_order_are_refused():
    with pytest.raises(DataError, match="not in order"):
        Documents(np.array([0, 5, 4]), 8)


def measured(model, ids, first=0, micro_batch=BATCH, kept=True, **changes):
    given = {
        "batch_chunks": BATCH, "histogram_every": 3, "label": "test",
        "batch_quantiles": ["gate_pre"],
        "documents": Documents(STARTS, LENGTH) if kept else None,
    }  # fmt: skip
    return record(model, ids, first, micro_batch=micro_batch, **given | changes)


def test_what_is_recorded_is_that_of_each_document_alone():
    model, ids = build("llama", "base").double(), tokens(CHUNKS, LENGTH)
    state, about = measured(model, ids)
    wanted = alone(model, ids)
    np.testing.assert_allclose(
        state["gate_pre.sum"], wanted.sum(1), rtol=1e-5, atol=1e-4
    )
    np.testing.assert_array_equal(state["count_pos"], (wanted > 0).sum(1))
    assert about["attention"] == "document"
    plain, about = measured(model, ids, kept=False)
    assert not np.array_equal(plain["count_pos"], state["count_pos"])
    assert "attention" not in about


@pytest.mark.parametrize("micro_batch", [1, 4, 5, 6])
def test_micro_batch_does_not_matter(micro_batch):
    model, ids = build("gemma3", "base"), tokens(CHUNKS, LENGTH)
    whole, _ = measured(model, ids, contribution_top=0.2)
    other, _ = measured(model, ids, micro_batch=micro_batch, contribution_top=0.2)
    # A value at a bin's edge may change its bin: single precision rounds otherwise.
    moved = whole.pop("histogram").cumsum(-1) - other.pop("histogram").cumsum(-1)
    assert np.abs(moved).sum() <= 3
    same(whole, other)


@pytest.mark.parametrize("shards", [2, 3])
def test_shards_add_up_to_the_whole(shards):
    model, ids = build("mistral", "base").double(), tokens(CHUNKS, LENGTH)
    whole, _ = measured(model, ids)
    parts = []
    for shard in range(shards):
        first, end = shard_chunks(CHUNKS, BATCH, shard, shards)
        parts.append(measured(model, ids[first:end], first)[0])
    same(whole, merge(iter(parts)))


@pytest.mark.parametrize("family", ["bloom", "opt", "xglm"])
def test_whose_attention_is_not_told_is_refused(family):
    """And rightly: what OPT and XGLM see of a document changes with the one before."""
    with pytest.raises(DataError, match=f"{family} models take no position ids"):
        measured(build(family, "base"), tokens(CHUNKS, LENGTH))
    if family != "bloom":
        model, ids = build(family, "base"), tokens(CHUNKS, LENGTH)
        places = Documents(STARTS, LENGTH).position_ids(0, CHUNKS)
        found = activations(model, **documents.inputs(model, ids, places))
        assert (found - alone(model, ids)).abs().max() > 0.1


class Flash:
    """Stands in for the functions of flash_attn, on a CPU, by their documentation."""

    def __init__(self, monkeypatch):
        from transformers import modeling_flash_attention_utils as utils

        functions = (self.equal, self.varied, None, None, None)
        monkeypatch.setattr(
            utils, "lazy_import_flash_attention",
            lambda name: (functions, (lambda **given: given, None)),
        )  # fmt: skip
        self.called = []

    def equal(self, q, k, v, **given):
        rows, length = q.shape[:2]
        self.called.append("equal")
        cuts = torch.arange(0, (rows + 1) * length, length)
        flat = (x.flatten(0, 1) for x in (q, k, v))
        return self._attend(*flat, cuts, given).view(q.shape)

    def varied(self, q, k, v, cu_seqlens_q, cu_seqlens_k, **given):
        self.called.append("varied")
        assert cu_seqlens_q.dtype == torch.int32
        assert torch.equal(cu_seqlens_q, cu_seqlens_k)
        assert cu_seqlens_q[0] == 0 and cu_seqlens_q[-1] == len(q)
        longest = int(cu_seqlens_q.diff().max())
        assert given["max_seqlen_q"] == given["max_seqlen_k"] == longest
        return self._attend(q, k, v, cu_seqlens_q, given)

    def _attend(self, q, k, v, cuts, given):
        """Attend within each sequence; [tokens, heads, size], fewer heads of k, v."""
        assert given["is_causal"]
        out = torch.empty_like(q)
        for a, b in zip(cuts.tolist(), cuts.tolist()[1:], strict=False):
            place = torch.arange(b - a)
            back = place[:, None] - place
            window = given["sliding_window"] or LENGTH
            out[a:b] = torch.nn.functional.scaled_dot_product_attention(
                *(x[a:b].transpose(0, 1)[None] for x in (q, k, v)),
                attn_mask=(back >= 0) & (back < window),
                scale=given["softmax_scale"],
                enable_gqa=True,
            )[0].transpose(0, 1)
        return out


@pytest.mark.parametrize("family", ["llama", "mistral", "qwen3", "gemma3"])
def test_flash_attention_gets_the_documents_bounds(family, monkeypatch):
    """The package needs a GPU; what transformers hands over to it is looked at."""
    ids = tokens(CHUNKS, LENGTH)
    wanted, _ = measured(exact(family, "sdpa"), ids)
    plain, _ = measured(exact(family, "sdpa"), ids, kept=False)
    model, flash = exact(family, "sdpa"), Flash(monkeypatch)
    model.config._attn_implementation = "flash_attention_2"
    found, _ = measured(model, ids, micro_batch=4)
    assert flash.called == ["varied"] * 2 * LAYERS
    same(wanted, found)
    flash.called.clear()
    found, _ = measured(model, ids, micro_batch=4, kept=False)
    assert flash.called == ["equal"] * 2 * LAYERS
    same(plain, found)


def test_the_script_reads_where_documents_begin(tmp_path):
    model = build("llama", "base")
    folder = tmp_path / "pinned"
    model.save_pretrained(folder)
    manifest = {"model": "tiny", "source": "test", "revision": "r1", "family": "llama"}
    manifest |= {"layers": LAYERS, "intermediate_size": WIDTH, "quantization": "none"}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    ids = tokens(CHUNKS, LENGTH).int()
    arrays = {"tokens": ids.numpy(), "document_starts": STARTS}
    tensors.write(tmp_path / "en.safetensors", arrays)
    (tmp_path / "en.json").write_text(json.dumps({"tokens_sha256": "abc"}))
    spec = {"model": "tiny", "corpus": "c", "language": "en", "family": "llama"}
    spec |= {"histogram_every": 3, "batch_quantiles": [], "batch_chunks": BATCH}
    spec |= {"batch_quantiles_every": 1, "chunk_means": 0, "contribution_top": 0}
    spec |= {"attn_implementation": "sdpa"}
    spec |= {"attention": "document", "shard": 1, "shards": 2}
    out = tmp_path / "out.safetensors"
    done = run(
        "measure_activations", "--model", folder / "manifest.json", "--out", out,
        "--tokens", tmp_path / "en.safetensors", "--spec", json.dumps(spec),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    state, about = tensors.read(out)
    first, _ = shard_chunks(CHUNKS, BATCH, 1, 2)
    assert first > 0 and about["attention"] == "document"
    wanted = alone(build("llama", "base", attn_implementation="sdpa"), ids.long())
    positive = (wanted[:, first * LENGTH :] > 0).sum(1)
    np.testing.assert_array_equal(state["count_pos"], positive)

    path = tmp_path / "old.safetensors"
    tensors.write(path, {"tokens": ids.numpy()})
    assert read_shard(path, BATCH, 0, 1, "chunk").documents is None
    with pytest.raises(DataError, match="does not say where documents begin"):
        read_shard(path, BATCH, 0, 1, "document")
