"""The streaming statistics equal those of all activations, kept and reduced at once."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from langneurons.config.catalogue import PERCENTILES
from langneurons.config.errors import DataError
from langneurons.jobs import tensors
from langneurons.nn.models.architectures import mlp_sites
from langneurons.nn.recording.chunks import ChunkRecorder, down_norms
from langneurons.nn.recording.distributions import (
    BINS,
    HALF,
    histogram_bins,
    percentiles,
)
from langneurons.nn.recording.measuring import passes, record, shard_chunks
from langneurons.nn.recording.recorder import SITES, Recorder, merge
from langneurons.text.token_files import evenly
from tiny_models import FAMILIES, LAYERS, WIDTH, build, tokens

SCRIPTS = Path(__file__).parents[2] / "workflow" / "scripts"
BATCH, EVERY = 4, 3


def measure(model, chunks, micro_batch=BATCH, first=0, both=SITES, every=EVERY, skip=1):
    state, _ = record(
        model,
        chunks,
        first,
        batch_chunks=BATCH,
        histogram_every=every,
        batch_quantiles=both,
        micro_batch=micro_batch,
        label="test",
        batch_quantiles_every=skip,
    )
    return state


def measure_and_keep(model, chunks):
    """Return the state, and each site's activations [tokens, layers, width].

    Both come from the same passes: repeating one may round otherwise.
    """
    kept = {site: [[] for _ in range(LAYERS)] for site in SITES}
    hooks = []
    for index, layer in enumerate(mlp_sites(model).layers):

        def hook(module, args, output, index=index):
            width = output.shape[-1]
            kept["gate_pre"][index].append(args[0].reshape(-1, width))
            kept["act_post"][index].append(output.reshape(-1, width))

        hooks.append(layer.act.register_forward_hook(hook))
    state = measure(model, chunks)
    for hook in hooks:
        hook.remove()
    return state, {
        site: torch.stack([torch.cat(x) for x in layers], 1).float().numpy()
        for site, layers in kept.items()
    }


@pytest.mark.parametrize("family", FAMILIES)
def test_equals_statistics_of_all_activations(family):
    model = build(family, "base")
    chunks = tokens(11, 9).int()
    state, kept = measure_and_keep(model, chunks)
    pre = kept["gate_pre"]
    assert state["n"].tolist() == [99] and state["n"].dtype == np.int64
    assert state["count_pos"].dtype == np.int64
    np.testing.assert_array_equal(state["count_pos"], (pre > 0).sum(0))
    np.testing.assert_array_equal(state["count_pos"], (kept["act_post"] > 0).sum(0))
    for site, values in kept.items():
        wide = values.astype(np.float64)
        for name, wanted in (
            ("sum", wide.sum(0)),
            ("sumsq", (wide**2).sum(0)),
            ("sumabs", abs(wide).sum(0)),
        ):
            found = state[f"{site}.{name}"]
            assert found.dtype == np.float64
            np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-5)
        np.testing.assert_array_equal(state[f"{site}.min"], values.min(0))
        np.testing.assert_array_equal(state[f"{site}.max"], values.max(0))
        assert state[f"{site}.min"].dtype == np.float32
        # Two whole batches of four chunks; the last three chunks are dropped.
        batches = wide[: 2 * BATCH * 9].reshape(2, BATCH * 9, *wide.shape[1:])
        wanted = np.quantile(batches, np.array(PERCENTILES) / 100, axis=1).sum(1)
        found = state[f"{site}.batch_quantiles"]
        assert found.shape == (7, *wide.shape[1:]) and found.dtype == np.float64
        np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-6)
    assert state["batches"].tolist() == [2]
    assert state["histogram_n"].tolist() == [33]
    bins = histogram_bins(torch.from_numpy(pre[::EVERY])).numpy()
    wanted = (bins[..., None] == np.arange(BINS)).sum(0)
    assert state["histogram"].dtype == np.int32
    np.testing.assert_array_equal(state["histogram"], wanted)


EXACT = ("n", "count_pos", "histogram_n", "batches")


def same(one, two, exact=EXACT):
    assert one.keys() == two.keys()
    for key in one:
        assert one[key].dtype == two[key].dtype
        if key in exact:
            np.testing.assert_array_equal(one[key], two[key], err_msg=key)
        else:
            np.testing.assert_allclose(
                one[key], two[key], rtol=1e-5, atol=1e-5, err_msg=key
            )


@pytest.mark.parametrize("micro_batch", [1, 3, 4, 5, 8, 11])
def test_micro_batch_does_not_matter(micro_batch):
    model, chunks = build("llama", "base"), tokens(11, 9)
    whole, other = measure(model, chunks), measure(model, chunks, micro_batch)
    moved = np.abs(
        whole.pop("histogram").cumsum(-1) - other.pop("histogram").cumsum(-1)
    )
    # Another micro-batch rounds otherwise: a value at a bin's edge may change its bin.
    assert moved.sum() <= 3
    same(whole, other)


@pytest.mark.parametrize("shards", [1, 2, 3, 7])
def test_shards_add_up_to_the_whole(shards):
    model, chunks = build("gemma3", "base"), tokens(11, 9)
    whole, parts = measure(model, chunks), []
    for shard in range(shards):
        first, end = shard_chunks(11, BATCH, shard, shards)
        parts.append(measure(model, chunks[first:end], first=first))
    merged = merge(iter(parts))
    exact = ("n", "count_pos", "histogram_n", "batches", "histogram")
    same(whole, merged, exact)
    for key in whole:
        if key.endswith((".min", ".max")):
            np.testing.assert_array_equal(whole[key], merged[key])


@given(st.integers(0, 40), st.integers(1, 6), st.integers(1, 9))
def test_shards_partition_the_chunks_at_batches(chunks, batch, shards):
    spans = [shard_chunks(chunks, batch, i, shards) for i in range(shards)]
    assert [i for a, b in spans for i in range(a, b)] == list(range(chunks))
    assert all(a % batch == 0 or a == chunks for a, _ in spans)


def test_shard_out_of_range():
    with pytest.raises(DataError, match="shard 2"):
        shard_chunks(10, 4, 2, 2)


def test_hand_computed():
    """One neuron per token id: the pre-activations are chosen, not computed."""
    model = build("llama", "base", num_hidden_layers=1)
    recorder = Recorder(
        model, histogram_every=2, batch_quantiles=["gate_pre"], batch_tokens=4
    )
    pre = torch.zeros(6, WIDTH)
    pre[:, 0] = torch.tensor([1.0, -2.0, 3.0, 0.0, 4.0, -1.0])
    recorder._record(0, pre[:4], pre[:4].relu())
    recorder._record(0, pre[4:], pre[4:].relu())
    state = recorder.state()
    assert state["n"].tolist() == [6]
    assert state["count_pos"][0, :2].tolist() == [3, 0]
    assert state["gate_pre.sum"][0, 0] == 5
    assert state["gate_pre.sumsq"][0, 0] == 31
    assert state["gate_pre.sumabs"][0, 0] == 11
    assert state["act_post.sum"][0, 0] == 8
    assert (state["gate_pre.min"][0, 0], state["gate_pre.max"][0, 0]) == (-2, 4)
    assert (state["act_post.min"][0, 0], state["act_post.max"][0, 0]) == (0, 4)
    # Tokens 0, 2 and 4: values 1, 3, 4; neuron 1 is always in the middle bin.
    filled = state["histogram"][0, 0].nonzero()[0]
    assert filled.tolist() == histogram_bins(torch.tensor([1.0, 3.0, 4.0])).tolist()
    assert state["histogram"][0, 1, HALF] == 3
    # One batch: -2, 0, 1, 3; the median is 0.5 and the 25th percentile -0.5.
    found = dict(
        zip(PERCENTILES, state["gate_pre.batch_quantiles"][:, 0, 0], strict=True)
    )
    assert (found[50], found[25]) == (0.5, -0.5)
    assert state["batches"].tolist() == [1]


def test_bins_grow_with_the_value_and_are_symmetric():
    values = torch.linspace(-200, 200, 40001)
    bins = histogram_bins(values)
    assert (bins.diff() >= 0).all()
    assert (int(bins[0]), int(bins[-1])) == (0, BINS - 1)
    assert torch.equal(bins + bins.flip(0), torch.full_like(bins, 2 * HALF))
    assert histogram_bins(torch.tensor([0.0, -0.0, 1e-3, -1e-3])).tolist() == [HALF] * 4
    # 2^4 bins between a number and its double.
    one, two = histogram_bins(torch.tensor([1.0, 2.0])).tolist()
    assert two - one == 16


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 30), st.integers(1, 5), st.integers(0, 99))
def test_percentiles_equal_numpy(rows, columns, seed):
    values = np.random.default_rng(seed).normal(size=(rows, columns)).astype(np.float32)
    wanted = np.quantile(values.astype(np.float64), np.array(PERCENTILES) / 100, axis=0)
    found = percentiles(torch.from_numpy(values.copy()))
    np.testing.assert_allclose(found.numpy(), wanted, rtol=1e-6, atol=1e-7)


def test_percentiles_do_not_depend_on_the_number_of_threads():
    values, threads = torch.randn(50, 11), torch.get_num_threads()
    found = []
    for n in (1, 3, 20):
        torch.set_num_threads(n)
        found.append(percentiles(values))
    torch.set_num_threads(threads)
    assert torch.equal(found[0], found[1]) and torch.equal(found[0], found[2])


def test_percentiles_leave_the_values_alone():
    # The transpose of a single column is no copy; the model's activations must live.
    values = torch.tensor([[3.0], [1.0], [2.0]])
    percentiles(values)
    assert values.flatten().tolist() == [3, 1, 2]


def test_half_precision_models_are_summed_in_single():
    model = build("llama", "base").bfloat16()
    chunks = tokens(8, 9)
    state, kept = measure_and_keep(model, chunks)
    kept = kept["gate_pre"][:, 1].astype(np.float64)
    np.testing.assert_allclose(state["gate_pre.sumsq"][1], (kept**2).sum(0), rtol=1e-6)
    np.testing.assert_array_equal(state["count_pos"][1], (kept > 0).sum(0))
    halves = kept.reshape(2, -1, WIDTH)
    wanted = np.quantile(halves, np.array(PERCENTILES) / 100, axis=1).sum(1)
    np.testing.assert_allclose(
        state["gate_pre.batch_quantiles"][:, 1], wanted, rtol=1e-6
    )


def test_no_batch_is_begun_by_one_pass_and_ended_by_another():
    model = build("llama", "base")
    recorder = Recorder(model, 8, SITES, batch_tokens=20)
    with torch.no_grad(), recorder:
        model(input_ids=tokens(2, 10))
        model(input_ids=tokens(5, 10))
        with pytest.raises(ValueError, match="inside a batch, at token 70"):
            model(input_ids=tokens(1, 10))
    assert recorder.state()["batches"].tolist() == [3]
    assert not any(m._forward_hooks for m in model.modules())


@given(
    st.integers(0, 60), st.integers(0, 60), st.integers(1, 20), st.integers(1, 6),
    st.integers(1, 5),
)  # fmt: skip
def test_passes_split_no_batch_that_is_used(start, count, micro, size, every):
    first = start * size
    spans = list(passes(first, first + count, micro, size, every))
    covered = [i for a, b in spans for i in range(a, b)]
    assert covered == list(range(first, first + count))
    ends = {b for _, b in spans[:-1]}
    for batch in range(0, first + count, size * every):
        assert not ends & set(range(batch + 1, batch + size))
    assert all(b - a <= max(micro, size) for a, b in spans)


@pytest.mark.parametrize("every", [2, 3, 4])
def test_every_kth_batch_of_the_corpus_is_used_whatever_the_shards(every):
    model, chunks = build("llama", "base"), tokens(23, 9)  # five whole batches
    whole = measure(model, chunks, skip=every)
    assert whole["batches"].tolist() == [-(-5 // every)]
    for shards in (1, 2, 5, 7):
        spans = [shard_chunks(23, BATCH, i, shards) for i in range(shards)]
        parts = [measure(model, chunks[a:b], first=a, skip=every) for a, b in spans]
        # Some shards hold none of the batches that are used, or no chunk at all.
        assert shards < 5 or min(p["batches"][0] for p in parts) == 0
        merged = merge(iter(parts))
        same(whole, merged, (*EXACT, "histogram"))
    used = [measure(model, chunks[b : b + 4], first=b) for b in range(0, 20, 4 * every)]
    for site in SITES:
        key = f"{site}.batch_quantiles"
        np.testing.assert_array_equal(whole[key], sum(part[key] for part in used))


def test_a_corpus_without_a_whole_batch_has_no_batch_quantiles():
    state = measure(build("llama", "base"), tokens(3, 9), skip=2)
    assert state["batches"].tolist() == [0]
    assert not state["gate_pre.batch_quantiles"].any()


def test_quantiles_only_where_asked():
    model, chunks = build("llama", "base"), tokens(4, 9)
    assert "batches" not in measure(model, chunks, both=())
    state = measure(model, chunks, both=("act_post",))
    assert "act_post.batch_quantiles" in state
    assert "gate_pre.batch_quantiles" not in state


def test_misuse_is_refused():
    model = build("llama", "base")
    with pytest.raises(ValueError, match="unknown site"):
        Recorder(model, batch_quantiles=["up"])
    with pytest.raises(ValueError, match="start of a batch"):
        Recorder(model, batch_quantiles=["gate_pre"], batch_tokens=8, first_token=4)
    with Recorder(model), pytest.raises(RuntimeError, match="no_grad"):
        model(input_ids=tokens())


def test_activations_that_are_not_finite_are_refused():
    model = build("llama", "base")
    with torch.no_grad():
        model.layers[1].mlp.gate_proj.weight[3] = float("nan")
    with pytest.raises(DataError, match="layer 1 are not finite"):
        measure(model, tokens(4, 9))


def test_merge_refuses_what_does_not_fit():
    model, chunks = build("llama", "base"), tokens(4, 9)
    one = measure(model, chunks)
    with pytest.raises(DataError, match="no parts"):
        merge([])
    with pytest.raises(DataError, match="different arrays"):
        merge([one, measure(model, chunks, both=())])
    full = one | {"histogram_n": np.array([2**31 - 2])}
    with pytest.raises(DataError, match="raise histogram_every"):
        merge([full, one])


MEANS, TOP = 5, 0.25


def measure_chunks(model, chunks, micro_batch=BATCH, first=0, total=None, **changes):
    asked = {"chunk_means": MEANS, "contribution_top": TOP} | changes
    state, metadata = record(
        model,
        chunks,
        first,
        batch_chunks=BATCH,
        histogram_every=EVERY,
        batch_quantiles=(),
        micro_batch=micro_batch,
        label="test",
        corpus_chunks=total,
        **asked,
    )
    return state, metadata


@torch.no_grad()
def plain_chunks(model, chunks):
    """Compute the chunk quantities from kept activations, a chunk at a time."""
    sites = mlp_sites(model).layers
    kept = {}

    def keep(layer, name):
        def hook(module, args, output):
            values = output if name == "post" else args[0]
            kept[layer, name] = values.reshape(-1, values.shape[-1]).double()

        return hook

    hooks = []
    for index, layer in enumerate(sites):
        for name, module in (
            ("pre", layer.act),
            ("post", layer.act),
            ("prod", layer.down),
        ):
            hooks.append(module.register_forward_hook(keep(index, name)))
    means, sums, importance = [], [], []
    for chunk in chunks:
        model(input_ids=chunk[None].long())
        means.append(
            torch.stack([kept[i, n].mean(0) for n in ("pre", "post") for i in (0, 1)])
        )
        products = [kept[i, "prod"].abs().sum(0) for i in range(LAYERS)]
        sums.append(torch.stack(products))
        # What is missing from the output without neuron k: its column, times h_k.
        rows = []
        for i, layer in enumerate(sites):
            eye = torch.eye(len(products[i]))
            columns = layer.down(eye) - layer.down(torch.zeros_like(eye))
            rows.append(products[i] * columns.double().norm(dim=1))
        importance.append(torch.stack(rows))
    for hook in hooks:
        hook.remove()
    means = torch.stack(means).unflatten(1, (len(SITES), LAYERS))
    return means.numpy(), torch.stack(sums).numpy(), torch.stack(importance).numpy()


@pytest.mark.parametrize("family", FAMILIES)
def test_chunk_quantities_equal_those_of_kept_activations(family):
    model, chunks = build(family, "base"), tokens(11, 9).int()
    state, metadata = measure_chunks(model, chunks)
    means, sums, importance = plain_chunks(model, chunks)
    chosen = evenly(11, MEANS)
    assert state["chunk_numbers"].tolist() == chosen == [1, 3, 5, 7, 9]
    for place, site in enumerate(SITES):
        found = state[f"{site}.chunk_means"]
        wanted = means[chosen, place].swapaxes(0, 1)
        assert found.dtype == np.float16 and found.shape == wanted.shape
        np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-4)
    assert state["chunks"].tolist() == [11]
    assert state["prod.sumabs"].dtype == np.float64
    np.testing.assert_allclose(state["prod.sumabs"], sums.sum(0), rtol=1e-5)
    most = round(TOP * importance.shape[2])
    last = np.sort(importance, axis=2)[:, :, -most, None]
    assert state["prod.top_chunks"].dtype == np.int64
    np.testing.assert_array_equal(
        state["prod.top_chunks"], (importance >= last * (1 - 1e-9)).sum(0)
    )
    assert (metadata["chunk_means"], metadata["contribution_top"]) == ("5", "0.25")


def same_chunks(one, two):
    np.testing.assert_array_equal(one["chunk_numbers"], two["chunk_numbers"])
    np.testing.assert_array_equal(one["chunks"], two["chunks"])
    for site in SITES:
        key = f"{site}.chunk_means"
        assert one[key].dtype == two[key].dtype == np.float16
        np.testing.assert_allclose(one[key], two[key], rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(one["prod.sumabs"], two["prod.sumabs"], rtol=1e-5)
    np.testing.assert_array_equal(one["prod.top_chunks"], two["prod.top_chunks"])


@pytest.mark.parametrize("micro_batch", [1, 3, 5, 11])
def test_micro_batch_does_not_matter_for_chunks(micro_batch):
    model, chunks = build("llama", "base"), tokens(11, 9)
    whole, _ = measure_chunks(model, chunks)
    same_chunks(whole, measure_chunks(model, chunks, micro_batch)[0])


@pytest.mark.parametrize("shards", [1, 2, 3, 7])
@pytest.mark.parametrize("kept", [2, MEANS, 40])
def test_shards_keep_the_same_chunks(shards, kept):
    model, chunks = build("gemma3", "base"), tokens(26, 9)
    whole, _ = measure_chunks(model, chunks, chunk_means=kept)
    parts = []
    for shard in range(shards):
        first, end = shard_chunks(26, BATCH, shard, shards)
        part = chunks[first:end]
        state, _ = measure_chunks(model, part, first=first, total=26, chunk_means=kept)
        assert state["gate_pre.chunk_means"].shape[1] == len(state["chunk_numbers"])
        parts.append(state)
    assert len(whole["chunk_numbers"]) == min(kept, 26)
    merged = merge(iter(parts))
    assert merged.keys() == whole.keys()
    same_chunks(whole, merged)
    # The order in which the parts are read does not matter.
    backwards = merge(parts[::-1])
    for key in ("chunk_numbers", "gate_pre.chunk_means", "act_post.chunk_means"):
        np.testing.assert_array_equal(merged[key], backwards[key])


def test_shards_without_a_chosen_chunk_can_be_written(tmp_path):
    model = build("llama", "base")
    state, _ = measure_chunks(model, tokens(4, 9), first=8, total=100, chunk_means=2)
    assert state["gate_pre.chunk_means"].shape == (LAYERS, 0, WIDTH)
    tensors.write(tmp_path / "x.safetensors", state)
    found, _ = tensors.read(tmp_path / "x.safetensors")
    assert found["gate_pre.chunk_means"].shape == (LAYERS, 0, WIDTH)


def test_nothing_is_recorded_or_hooked_when_off():
    model, chunks = build("llama", "base"), tokens(4, 9)
    recorder = Recorder(model)
    with recorder:
        layers = recorder.sites.layers
        assert all(len(layer.act._forward_hooks) == 1 for layer in layers)
        assert not any(layer.down._forward_pre_hooks for layer in layers)
    assert recorder.chunks is None
    state, metadata = measure_chunks(model, chunks, chunk_means=0, contribution_top=0)
    assert state.keys() == measure(model, chunks, both=()).keys()
    assert not {"chunk_means", "contribution_top"} & metadata.keys()
    only, _ = measure_chunks(model, chunks, contribution_top=0)
    assert "prod.top_chunks" not in only and "chunk_numbers" in only
    with pytest.raises(DataError, match="different arrays"):
        merge([only, state])
    chunkless, _ = measure_chunks(model, chunks, chunk_means=0)
    assert "prod.top_chunks" in chunkless and "chunk_numbers" not in chunkless
    assert not any(m._forward_pre_hooks for m in model.modules())


def test_chunks_computed_by_hand():
    model = build("llama", "base", num_hidden_layers=1)
    down = model.layers[0].mlp.down_proj.weight
    with torch.no_grad():
        down.zero_()
        # Norms 5, 1 and 0 of neurons 0, 1 and 2; the others write nothing either.
        down[0, 0], down[1, 0], down[3, 1] = 3, -4, 1
    sites = mlp_sites(model)
    chunks = ChunkRecorder(sites, torch.device("cpu"), 2, [4, 6], 2 / WIDTH)
    first, second = torch.zeros(4, WIDTH), torch.zeros(2, WIDTH)
    first[:, 0] = torch.tensor([1.0, -1.0, 0.5, 0.0])
    first[:, 1] = torch.tensor([2.0, 3.0, 0.0, 0.0])
    first[:, 2] = 100
    second[:, 1] = torch.tensor([1.0, -9.0])
    chunks.add_means(0, [4, 5], first, first * 2)
    chunks.add_means(0, [6], second, second * 2)
    chunks.add_products(0, first)
    chunks.add_products(0, second)
    state = chunks.state()
    assert state["chunk_numbers"].tolist() == [4, 6]
    assert state["gate_pre.chunk_means"][0, :, :3].tolist() == [
        [0, 2.5, 100],
        [0, -4, 0],
    ]
    assert state["act_post.chunk_means"][0, :, :2].tolist() == [[0, 5], [0, -8]]
    # Contributions: 10 and 5; 2.5 and 0; 0 and 10. Neuron 2 writes nothing.
    assert state["prod.top_chunks"][0].tolist() == [2, 2] + [0] * (WIDTH - 2)
    assert state["prod.sumabs"][0, :3].tolist() == [2.5, 15, 400]
    assert state["chunks"].tolist() == [3]


def test_neurons_that_contribute_equally_are_all_among_the_top():
    model = build("llama", "base", num_hidden_layers=1)
    with torch.no_grad():
        model.layers[0].mlp.down_proj.weight.fill_(1)
    chunks = ChunkRecorder(
        mlp_sites(model), torch.device("cpu"), 1, contribution_top=2 / WIDTH
    )
    row = torch.zeros(1, WIDTH)
    row[0, :4] = torch.tensor([3.0, -2.0, 2.0, 1.0])
    chunks.add_products(0, row)
    assert chunks.state()["prod.top_chunks"][0, :4].tolist() == [1, 1, 1, 0]


def test_means_beyond_half_precision_are_its_largest_number():
    sites = mlp_sites(build("llama", "base", num_hidden_layers=1))
    chunks = ChunkRecorder(sites, torch.device("cpu"), 1, [0])
    values = torch.zeros(1, WIDTH)
    values[0, :2] = torch.tensor([1e6, -1e6])
    chunks.add_means(0, [0], values, values)
    found = chunks.state()["gate_pre.chunk_means"][0, 0, :3]
    assert found.tolist() == [65504, -65504, 0]


def test_misuse_of_chunks_is_refused():
    model = build("llama", "base")
    with pytest.raises(DataError, match=r"contribution_top: 0\.001 .* 24 neurons"):
        measure_chunks(model, tokens(4, 9), contribution_top=0.001)
    with pytest.raises(ValueError, match="length of a chunk"):
        Recorder(model, mean_chunks=[0])
    recorder = Recorder(model, chunk_length=4, mean_chunks=[0])
    with torch.no_grad(), recorder, pytest.raises(ValueError, match="not whole chunks"):
        model(input_ids=tokens(2, 9))
    whole = Recorder(model, chunk_length=9, contribution_top=0.5)
    whole.chunks._sums[1, 3] = float("nan")
    with pytest.raises(DataError, match="down projection of layer 1 are not finite"):
        whole.state()
    odd = torch.nn.Linear(3, 4)
    odd.weight = torch.nn.Parameter(torch.ones(4, 3, dtype=torch.int8), False)
    with pytest.raises(DataError, match="int8 are not supported"):
        down_norms(odd)


@pytest.mark.parametrize("family", ["llama", "gpt2", "bloom"])
def test_norms_are_those_of_what_a_neuron_writes(family):
    down = mlp_sites(build(family, "base")).layers[1].down
    eye = torch.eye(down_norms(down).numel())
    with torch.no_grad():
        written = down(eye) - down(torch.zeros_like(eye))
    torch.testing.assert_close(down_norms(down), written.norm(dim=1))


def test_norms_of_4_bit_weights():
    bnb = pytest.importorskip("bitsandbytes", reason="nf4 needs bitsandbytes")
    plain = torch.nn.Linear(128, 64, bias=False)
    with torch.no_grad():
        plain.weight *= torch.linspace(1, 3, 128)  # each neuron has its own norm
    down = bnb.nn.Linear4bit(
        128, 64, bias=False, quant_type="nf4", compress_statistics=True
    )
    down.load_state_dict(plain.state_dict())
    down = down.to("cpu")
    state = down.weight.quant_state
    dequantised = bnb.functional.dequantize_4bit(down.weight.data, state)
    assert down_norms(down).shape == (128,)
    torch.testing.assert_close(down_norms(down), dequantised.float().norm(dim=0))
    torch.testing.assert_close(
        down_norms(down), plain.weight.norm(dim=0), rtol=0.1, atol=0
    )
    state.packing_format_for_cpu = True
    with pytest.raises(DataError, match="before the model is run"):
        down_norms(down)


def run(script, *arguments):
    command = [sys.executable, str(SCRIPTS / f"{script}.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True)


def test_scripts_measure_and_merge(tmp_path):
    """From files to files: all shard counts give the same counts; bytes repeat."""
    model = build("llama", "base")
    folder = tmp_path / "pinned"
    model.save_pretrained(folder)
    manifest = {"model": "tiny", "source": "test", "revision": "r1", "family": "llama"}
    manifest |= {"layers": LAYERS, "intermediate_size": WIDTH, "quantization": "none"}
    manifest |= {"files": {}, "hidden_size": 16}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    text = tokens(11, 9).int().numpy()
    tensors.write(tmp_path / "en.safetensors", {"tokens": text, "heldout": text[:1]})
    (tmp_path / "en.json").write_text(json.dumps({"tokens_sha256": "abc"}))
    spec = {"model": "tiny", "corpus": "c", "language": "en", "family": "llama"}
    spec |= {"histogram_every": EVERY, "batch_quantiles": ["gate_pre"]}
    spec |= {"batch_quantiles_every": 1, "batch_chunks": BATCH}
    spec |= {"chunk_means": 5, "contribution_top": 0.25}
    spec |= {"attention": "chunk", "attn_implementation": None}

    def measured(shard, shards):
        out = tmp_path / f"{shard}-of-{shards}.safetensors"
        done = run(
            "measure_activations", "--model", folder / "manifest.json", "--out", out,
            "--tokens", tmp_path / "en.safetensors", "--micro-batch", BATCH,
            "--spec", json.dumps(spec | {"shard": shard, "shards": shards}),
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert "99/99 tokens" in done.stderr or shards == 2
        return out

    parts = {n: [measured(i, n) for i in range(n)] for n in (1, 2)}
    merged = {}
    for shards, paths in parts.items():
        out = tmp_path / f"merged-{shards}.safetensors"
        done = run("merge_activations", "--out", out, "--shards", *paths)
        assert done.returncode == 0, done.stderr
        merged[shards] = tensors.read(out)
    assert merged[1][1] == merged[2][1] == {
        "activation": "silu", "mantissa": "4", "emin": "-8", "emax": "6",
        "histogram_every": str(EVERY), "batch_quantiles_every": "1",
        "percentiles": "[5, 10, 25, 50, 75, 90, 95]",
        "model_revision": "r1", "tokens_sha256": "abc", "language": "en",
        "corpus": "c", "model": "tiny", "chunk_means": "5", "contribution_top": "0.25",
    }  # fmt: skip
    exact = ("n", "count_pos", "histogram", "histogram_n", "batches")
    same(merged[1][0], merged[2][0], exact)
    bytes_before = parts[2][1].read_bytes()
    assert measured(1, 2).read_bytes() == bytes_before

    missing = run("merge_activations", "--out", tmp_path / "x", "--shards", parts[2][1])
    assert missing.returncode == 1 and "needs the shards 0 to 1" in missing.stderr
    mixed = [parts[2][0], parts[1][0]]
    mixed = run("merge_activations", "--out", tmp_path / "x", "--shards", *mixed)
    assert mixed.returncode == 1 and "they differ in shards" in mixed.stderr
    assert not (tmp_path / "x").exists()


def test_tensor_files_are_deterministic_and_refused_when_damaged(tmp_path):
    path = tmp_path / "x.safetensors"
    arrays = {"b": np.arange(3), "a": np.ones((2, 2), np.float32)}
    metadata = {key: "ü" + key for key in "qwertyuiop"}
    contents = set()
    for _ in range(4):
        tensors.write(path, arrays, metadata)
        contents.add(path.read_bytes())
    assert len(contents) == 1
    found, header = tensors.read(path)
    assert header == metadata
    for key, value in arrays.items():
        np.testing.assert_array_equal(found[key], value)
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(DataError, match="cannot be read as safetensors"):
        tensors.read(path)
