"""On an NVIDIA GPU: kernels against plain torch, and no waiting for the GPU."""

from __future__ import annotations

import pytest
import torch

import kernel_runs
from langneurons.nn.recording import recorder
from langneurons.nn.recording.accelerated import kernels_for
from langneurons.nn.recording.recorder import SITES, Recorder
from tiny_models import HIDDEN, build

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(
        not torch.cuda.is_available() or bool(torch.version.hip),
        reason="needs an NVIDIA GPU",
    ),
]


@pytest.fixture(scope="module")
def kernels():
    pytest.importorskip("triton", reason="CUDA builds of torch bring Triton")
    found = kernels_for(torch.device("cuda", 0))
    assert found is not None, "Triton is there but its kernels do not run"
    return found


def test_kernels_equal_plain_torch(kernels):
    kernel_runs.compare_all(kernels, torch.device("cuda", 0))


def test_kernels_equal_plain_torch_at_the_shape_of_8b(kernels):
    pre = kernel_runs.draw(2048, 14336, torch.bfloat16, torch.device("cuda", 0))
    kernel_runs.compare(kernels, pre, torch.nn.functional.silu(pre))


def test_recorders_with_and_without_kernels_agree(kernels, monkeypatch):
    monkeypatch.setattr(recorder, "kernels_for", kernels_for)  # put back afterwards
    kernel_runs.compare_recorders(kernels, torch.device("cuda", 0))


def test_sums_repeat_bit_for_bit(kernels):
    pre = kernel_runs.draw(2048, 4096, torch.bfloat16, torch.device("cuda", 0))
    found = []
    for _ in range(3):
        moments = recorder.Moments(1, 4096, pre.device, kernels)
        moments.add(0, pre, pre.relu())
        found.append(moments.sums)
    assert torch.equal(found[0], found[1]) and torch.equal(found[0], found[2])


@pytest.mark.parametrize("fused", [True, False])
def test_no_hook_waits_for_the_gpu(kernels, monkeypatch, fused):
    monkeypatch.setattr(recorder, "kernels_for", lambda _: kernels if fused else None)
    model = build("llama", "base").cuda()
    hidden = torch.randn(4, 10, HIDDEN, device="cuda")
    found = Recorder(model, 3, SITES, 20, chunk_length=10, mean_chunks=[1, 5])
    with torch.no_grad(), found:
        for mode in ("default", "error"):  # the first pass compiles
            torch.cuda.set_sync_debug_mode(mode)
            try:
                # Not the whole model: transformers itself waits once a forward pass.
                for layer in model.layers:
                    layer.mlp(hidden)
            finally:
                torch.cuda.set_sync_debug_mode("default")
    assert found.state()["batches"].tolist() == [4]
