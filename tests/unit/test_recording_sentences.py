"""Sentences are recorded as if each had gone through the model alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from langneurons.config.errors import DataError
from langneurons.jobs import tensors
from langneurons.nn.evaluation.padding import pad_left, pad_right, positions
from langneurons.nn.models.architectures import decoder_layers, mlp_sites
from langneurons.nn.recording.distributions import BINS, histogram_bins
from langneurons.nn.recording.recorder import SITES, Recorder, merge
from langneurons.nn.recording.sentence_passes import (
    Sentences,
    read_sentences,
)
from langneurons.nn.recording.sentences import record_sentences
from test_recorder import plain_chunks
from tiny_models import FAMILIES, HIDDEN, PAD, VOCAB, build

EVERY, SKIP, MEANS, TOP = 3, 2, 4, 0.25
LENGTHS = (7, 3, 9, 7, 5, 3, 7, 12, 9, 4)


def sentences(first=0, end=10, skip=SKIP):
    rng = np.random.default_rng(0)
    ids = rng.integers(3, VOCAB, sum(LENGTHS)).astype(np.int32)
    return Sentences(ids, np.cumsum([0, *LENGTHS]), first, end, skip)


def measure(model, part=None, micro_batch=3, **changes):
    asked = {"chunk_means": MEANS, "contribution_top": TOP} | changes
    return record_sentences(
        model,
        sentences() if part is None else part,
        histogram_every=EVERY,
        micro_batch=micro_batch,
        label="test",
        **asked,
    )


def rows(part):
    return [
        part.tokens[a:b].astype(np.int64)
        for a, b in zip(part.starts, part.starts[1:], strict=False)
    ]


@torch.no_grad()
def kept(model, run):
    """Return what three places of each layer put out while something is run."""
    found = {}

    def keep(key, site):
        def hook(module, args, output):
            value = args[0] if site == "pre" else output
            found[key] = value[0] if isinstance(value, tuple) else value

        return hook

    places = []
    for i, layer in enumerate(mlp_sites(model).layers):
        places += [(("pre", i), layer.act), (("post", i), layer.act)]
        places.append((("residual", i), decoder_layers(model)[i]))
    hooks = [module.register_forward_hook(keep(key, key[0])) for key, module in places]
    run()
    for hook in hooks:
        hook.remove()
    return found


def alone(model, part):
    """Return, per sentence, the activations of its tokens that count."""
    found = []
    for ids in rows(part):
        one = kept(model, lambda ids=ids: model(input_ids=torch.tensor(ids[None])))
        # The activation function may see [tokens, width] only.
        flat = {k: v.reshape(-1, v.shape[-1])[part.skip :] for k, v in one.items()}
        found.append({key: value.double().numpy() for key, value in flat.items()})
    return found


@pytest.mark.parametrize("skip", [0, SKIP])
@pytest.mark.parametrize("family", FAMILIES)
def test_equals_each_sentence_alone(family, skip):
    model, part = build(family, "base"), sentences(skip=skip)
    state, metadata = measure(model, part)
    single = alone(model, part)
    count = sum(LENGTHS) - skip * len(LENGTHS)
    assert state["n"].tolist() == [count]
    numbers = np.arange(0, count, EVERY)
    assert state["histogram_n"].tolist() == [len(numbers)]
    for i in range(state["count_pos"].shape[0]):
        for name, site in (("pre", "gate_pre"), ("post", "act_post")):
            values = np.concatenate([one[name, i] for one in single])
            assert len(values) == count
            np.testing.assert_allclose(
                state[f"{site}.sum"][i], values.sum(0), rtol=1e-5, atol=1e-4
            )
            np.testing.assert_allclose(
                state[f"{site}.max"][i], values.max(0), rtol=1e-5, atol=1e-5
            )
            means = [one[name, i].mean(0) for one in single[:MEANS]]
            np.testing.assert_allclose(
                state[f"{site}.chunk_means"][i], means, rtol=2e-3, atol=1e-3
            )
        pre = np.concatenate([one["pre", i] for one in single]).astype(np.float32)
        assert (state["count_pos"][i] == (pre > 0).sum(0)).all()
        bins = histogram_bins(torch.from_numpy(pre[numbers])).numpy()
        wanted = (bins[..., None] == np.arange(BINS)).sum(0)
        # A value at a bin's edge may be rounded to the next one.
        moved = state["histogram"][i].cumsum(-1) - wanted.cumsum(-1)
        assert np.abs(moved).sum() <= 2
        residual = np.concatenate([one["residual", i] for one in single]).sum(0)
        assert residual.shape == (HIDDEN,)
        np.testing.assert_allclose(
            state["residual.sum"][i], residual, rtol=1e-5, atol=1e-4
        )
    assert state["chunk_numbers"].tolist() == [0, 1, 2, 3]
    assert metadata["unit"] == "document" and metadata["chunk_means"] == str(MEANS)
    assert metadata.get("skip_tokens") == (str(skip) if skip else None)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("pad", [pad_left, pad_right])
def test_equals_a_padded_batch_at_the_tokens_that_are_none(family, pad):
    """What models that pad on either side compute at text; padding counts nowhere."""
    model, part = build(family, "base"), sentences(skip=0)
    ids, mask = pad(rows(part), PAD)
    given = {"input_ids": ids, "attention_mask": mask}
    if family != "bloom":
        given["position_ids"] = positions(mask)
    found = kept(model, lambda: model(**given))
    state, _ = measure(model, part)
    text = mask.bool().reshape(-1)
    for (name, layer), values in found.items():
        wide = values.reshape(len(text), -1)[text].double()
        key = {"pre": "gate_pre.sum", "post": "act_post.sum"}.get(name, "residual.sum")
        np.testing.assert_allclose(
            state[key][layer], wide.sum(0), rtol=1e-4, atol=1e-3, err_msg=key
        )
        if name == "pre":
            flips = state["count_pos"][layer] - (wide > 0).sum(0).numpy()
            assert np.abs(flips).sum() <= 1


def test_contributions_are_those_of_the_tokens_that_count():
    model, part = build("llama", "base"), sentences(skip=0)
    state, _ = measure(model, part)
    single = [plain_chunks(model, torch.tensor(row)[None]) for row in rows(part)]
    sums = np.concatenate([one[1] for one in single])
    np.testing.assert_allclose(state["prod.sumabs"], sums.sum(0), rtol=1e-5)
    importance = np.concatenate([one[2] for one in single])
    last = np.sort(importance, axis=2)[:, :, -round(TOP * sums.shape[2]), None]
    tops = (importance >= last * (1 - 1e-9)).sum(0)
    np.testing.assert_array_equal(state["prod.top_chunks"], tops)
    assert state["chunks"].tolist() == [len(LENGTHS)]
    fewer, _ = measure(model)
    assert (fewer["prod.sumabs"] < state["prod.sumabs"]).all()


EXACT = (
    "n", "count_pos", "histogram", "histogram_n", "chunk_numbers", "chunks",
    "prod.top_chunks",
)  # fmt: skip


def same(one, two):
    assert one.keys() == two.keys()
    for key in one:
        assert one[key].dtype == two[key].dtype and one[key].shape == two[key].shape
        if key in EXACT:
            np.testing.assert_array_equal(one[key], two[key], err_msg=key)
        else:
            np.testing.assert_allclose(
                one[key], two[key], rtol=2e-3, atol=1e-4, err_msg=key
            )


@pytest.mark.parametrize("micro_batch", [1, 2, 20])
def test_micro_batch_does_not_matter(micro_batch):
    model = build("gemma3", "base")
    same(measure(model)[0], measure(model, micro_batch=micro_batch)[0])


@pytest.mark.parametrize("shards", [1, 2, 3, 7, 20])
def test_shards_add_up_to_the_whole(shards, tmp_path):
    model, whole = build("llama", "base"), sentences()
    path = tmp_path / "x.safetensors"
    starts = whole.starts[:-1]
    tensors.write(path, {"tokens": whole.tokens, "document_starts": starts})
    parts = [
        measure(model, read_sentences(path, shard, shards, SKIP))[0]
        for shard in range(shards)
    ]
    assert [part["n"][0] for part in parts].count(0) == max(0, shards - len(LENGTHS))
    same(measure(model)[0], merge(iter(parts)))


def test_sentences_run_in_passes_of_one_length_that_lose_none():
    part = sentences(first=1, end=9)
    passes = list(part.passes(14, EVERY, torch.device("cpu")))
    assert [len(one.numbers) for one in passes] == [1, 1, 1, 2, 1, 2]
    assert [one.length for one in passes] == [12, 9, 9, 7, 5, 3]
    assert sorted(n for one in passes for n in one.numbers) == list(range(1, 9))
    for one in passes:
        for number, ids in zip(one.numbers, one.ids, strict=True):
            assert ids.tolist() == rows(part)[number].tolist()
    # The histogram takes every third token that counts: 0, 3, ...
    counted = np.cumsum([0, *(n - SKIP for n in LENGTHS)])
    for one in passes:
        numbers = [counted[n] + i for n in one.numbers for i in range(one.length - 2)]
        assert one.sampled.tolist() == [i for i, n in enumerate(numbers) if n % 3 == 0]


def test_what_does_not_fit_is_refused(tmp_path):
    model = build("llama", "base")
    with pytest.raises(DataError, match="means of 11 sentences, and the corpus has 10"):
        measure(model, chunk_means=11)
    with pytest.raises(DataError, match="shard 2"):
        read_sentences(tmp_path / "x", 2, 2, 0)
    path = tmp_path / "x.safetensors"
    chunks = np.zeros((2, 3), np.int32)
    tensors.write(path, {"tokens": chunks, "document_starts": np.array([0])})
    with pytest.raises(DataError, match=r"tokens has shape \[2, 3\]"):
        read_sentences(path, 0, 1, 0)
    tensors.write(path, {"tokens": chunks[0], "document_starts": np.array([0, 1])})
    assert read_sentences(path, 0, 1, 0).longest == 2
    with pytest.raises(DataError, match="no more than 1 tokens"):
        read_sentences(path, 0, 1, 1)
    recorder = Recorder(model, batch_quantiles=["gate_pre"])
    with pytest.raises(ValueError, match="no batches"):
        recorder.begin(next(sentences().passes(9, 1, torch.device("cpu"))))


def test_an_output_that_is_not_finite_is_refused():
    model = build("llama", "base")
    recorder = Recorder(model)
    recorder._residual._sums[1, 3] = float("inf")
    with pytest.raises(DataError, match="output of layer 1 is not finite"):
        recorder.state()
    assert SITES == ("gate_pre", "act_post")
