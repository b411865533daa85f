"""Loops over micro-batches leave the GPU busy: they fetch nothing before the end.

On a GPU each ``.item()``, ``.tolist()`` and ``.cpu()`` waits for all work that was
asked for before. The calls can be counted on a CPU. transformers looks at its masks
once a forward pass, before any layer runs; that is not ours and not counted.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

import test_classification as pair_tests
import test_generation as generation_tests
from langneurons.config.catalogue import Statistic
from langneurons.jobs.gpus import put
from langneurons.nn.evaluation import interventions
from langneurons.nn.recording.measuring import record
from test_classification import predict
from test_perplexity import chunk_nll
from tiny_models import LAYERS, WIDTH, build, tokens


def ours():
    """Tell whether our code, or a library called from it, made the present call."""
    frame = sys._getframe(1)
    while frame is not None:
        name = frame.f_code.co_filename
        if "/scripts/langneurons/" in name:
            return True
        if "/transformers/" in name:
            return False
        frame = frame.f_back
    return False


FETCHES = {"_local_scalar_dense", "item", "is_nonzero", "equal", "nonzero"}
FETCHES |= {"masked_select"}  # like nonzero, it must know how many there are


class Scalars(TorchDispatchMode):
    """Counts what needs a value: ``.item()``, ``bool()``, an index of booleans."""

    def __init__(self):
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func.overloadpacket.__name__
        chosen = args[1] if name == "index" else ()
        masked = any(i is not None and i.dtype == torch.bool for i in chosen)
        if (name in FETCHES or masked) and ours():
            self.count += 1
        return func(*args, **(kwargs or {}))


@contextmanager
def counted(found):
    """Put the number of waits inside the block at the end of ``found``."""
    whole = []

    def counting(original):
        def method(self, *args, **kwargs):
            if ours():
                whole.append(original.__name__)
            return original(self, *args, **kwargs)

        return method

    with pytest.MonkeyPatch.context() as patch, Scalars() as scalars:
        for name in ("cpu", "tolist"):
            patch.setattr(torch.Tensor, name, counting(getattr(torch.Tensor, name)))
        yield
    found.append(len(whole) + scalars.count)


def treatment(positions="last"):
    statistic = Statistic(value="mean", write="act_post", positions=positions)
    values = np.ones((LAYERS, WIDTH), np.float32)
    return interventions.build({0: [1, 5], 1: [0, 23]}, values, statistic)


@pytest.mark.parametrize("family", ["llama", "mistral", "gemma3"])
def test_recording_fetches_nothing_before_the_end(family):
    model, chunks = build(family, "base"), tokens(12, 9)
    found = []
    for micro_batch in (12, 1):
        with counted(found):
            record(
                model, chunks, 0, batch_chunks=4, histogram_every=3, label="x",
                batch_quantiles=["gate_pre"], micro_batch=micro_batch,
                chunk_means=5, contribution_top=0.2,
            )  # fmt: skip
    assert found[0] == found[1] > 0


@pytest.mark.parametrize("treated", [None, treatment()])
@pytest.mark.parametrize("family", ["llama", "gemma2", "gpt2"])
def test_perplexity_fetches_nothing_before_the_end(family, treated):
    model, chunks = build(family), tokens(12, 9)
    found = []
    for micro_batch in (12, 1):
        with counted(found):
            chunk_nll(model, chunks, micro_batch, treated)
    # Numbers of neurons are looked at once, on the CPU.
    assert found == 2 * [1 + (len(treated.edits) if treated else 0)]


@pytest.mark.parametrize("treated", [None, treatment()])
@pytest.mark.parametrize("pool", ["last_real_token", "mean"])
def test_classification_fetches_nothing_before_the_end(pool, treated):
    tokenizer = pair_tests.word_tokenizer()
    items = pair_tests.make_items(12)
    data = pair_tests.encoded(tokenizer, items, pool=pool)
    model = build("llama", "classifier")
    found = []
    for micro_batch in (12, 1):
        with counted(found):
            predict(model, data, micro_batch, treated)
    # Numbers of neurons are looked at once, on the CPU.
    assert found == 2 * [1 + (len(treated.edits) if treated else 0)]


def test_generation_fetches_once_a_token():
    model = generation_tests.exact("llama")
    given, change = generation_tests.raw(), treatment("generated")
    found = []
    for micro_batch in (7, 1):
        with counted(found):
            generation_tests.generate(model, given, micro_batch, change)
    steps = generation_tests.NEW
    assert [count - 2 for count in found] == [steps, 7 * steps]  # 2: two edits


def test_the_count_sees_what_it_should():
    """It tells what our code calls from what transformers calls."""
    model, chunks = build("llama"), tokens(4, 9)

    def look(module, args, output):
        assert float(output.sum()) != 0

    model.model.norm.register_forward_hook(look)
    found = []
    with counted(found):
        chunk_nll(model, chunks, 1)
    model.get_output_embeddings().register_forward_hook(look)
    with counted(found):
        chunk_nll(model, chunks, 1)
    assert found == [1, 1 + 4]


def test_copies_to_a_gpu_are_from_pinned_memory_and_do_not_wait(monkeypatch):
    """On a CPU nothing is pinned or copied; the calls for a GPU are looked at."""
    values = torch.arange(6)
    assert put(values, torch.device("cpu")) is values
    asked = []

    def to(self, *args, **kwargs):
        asked.append((args, kwargs))
        return self

    monkeypatch.setattr(
        torch.Tensor, "pin_memory", lambda self: asked.append("pin") or self
    )
    monkeypatch.setattr(torch.Tensor, "to", to)
    put(values, torch.device("cuda:1"))
    assert asked == ["pin", ((torch.device("cuda:1"),), {"non_blocking": True})]
