"""Checks of the recorder's GPU kernels, for tests that set up where they run.

Run as: kernel_runs.py interpret (in Python, with TRITON_INTERPRET=1)
    or: kernel_runs.py compile ARCHITECTURE (to machine code, without a GPU)
"""

from __future__ import annotations

import sys

import numpy as np
import torch

from langneurons.nn.recording import recorder
from langneurons.nn.recording.distributions import (
    BINS,
    HALF,
    HIGHEST,
    LOWEST,
    MANTISSA,
    add_histogram,
    percentiles,
)
from langneurons.nn.recording.moments import Moments
from langneurons.nn.recording.recorder import SITES, Recorder
from tiny_models import build, tokens

# One row; rows and neurons that fill no tile; whole tiles.
SHAPES = {
    torch.float32: ((1, 5), (70, 33)),
    torch.bfloat16: ((70, 33), (128, 32)),
    torch.float16: ((70, 33),),
}


def draw(rows, width, dtype, device):
    """Draw heavy-tailed values, many repeated, that are every second column or so."""
    generator = torch.Generator().manual_seed(rows)
    wide = torch.randn(rows, 2 * width, generator=generator)
    wide = (wide**3 * 4).round(decimals=2).to(dtype)
    wide[0, 0], wide[-1, 1] = -0.0, 300.0
    return wide.to(device)[:, :width]


def compare_all(kernels, device):
    """Compare the kernels with plain torch; counts and histograms must be equal."""
    for dtype, shapes in SHAPES.items():
        for rows, width in shapes:
            pre = draw(rows, width, dtype, device)
            compare(kernels, pre, torch.nn.functional.silu(pre))
    turned = draw(24, 20, torch.float32, device).t()
    compare(kernels, turned, turned.contiguous().relu())
    for value in (float("nan"), float("inf"), float("-inf")):
        pre = draw(70, 33, torch.bfloat16, device).clone()
        pre[69, 32] = value
        moments = Moments(1, 33, pre.device, kernels)
        moments.add(0, pre, pre)
        wrong = ~moments.sums[0].isfinite()
        assert wrong[[2, 5], 32].all() and not wrong[:, :32].any()


def compare(kernels, pre, post):
    rows, width = pre.shape
    plain = Moments(2, width, pre.device)
    fused = Moments(2, width, pre.device, kernels)
    for moments in (plain, fused):
        moments.add(1, pre, post)
        moments.add(1, post, pre)
    torch.testing.assert_close(fused.sums, plain.sums, rtol=2e-6, atol=1e-4)
    assert torch.equal(fused.sums[:, 0], plain.sums[:, 0])
    assert torch.equal(fused.low, plain.low) and torch.equal(fused.high, plain.high)
    for sample in (pre, pre[rows // 2 :: 3]):
        found = [
            torch.zeros(width * BINS, dtype=torch.int32, device=pre.device)
            for _ in range(2)
        ]
        for _ in range(2):
            add_histogram(sample, found[0])
            add_histogram(sample, found[1], kernels)
        assert found[1].sum() == 2 * sample.numel()
        assert torch.equal(*found)
    assert torch.equal(percentiles(pre), percentiles(pre, kernels))


def compare_recorders(kernels, device):
    """Record a model with and without the kernels."""
    model = build("llama", "base").to(device)
    states = []
    for used in (None, kernels):
        recorder.kernels_for = lambda device, used=used: used
        with torch.no_grad(), Recorder(model, 3, SITES, batch_tokens=20) as found:
            for seed in range(2):
                model(input_ids=tokens(4, 10, seed).to(device))
        states.append(found.state())
    plain, fused = states
    assert plain.keys() == fused.keys() and plain["batches"][0] == 4
    for key, wanted in plain.items():
        if key.endswith((".sum", ".sumsq", ".sumabs")):
            np.testing.assert_allclose(fused[key], wanted, rtol=2e-6, atol=1e-5)
        else:
            np.testing.assert_array_equal(fused[key], wanted, err_msg=key)


def compile_all(kernels, architecture):
    """Compile each kernel as it is called for the shape of Llama 3.1 8B."""
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    target = GPUTarget("cuda", architecture, 32)

    def machine_code(kernel, types, options):
        warps = options.pop("num_warps")
        names = kernel.arg_names
        source = ASTSource(
            kernel,
            {name: types.get(name, "constexpr") for name in names},
            {(names.index(name),): value for name, value in options.items()},
            # As at run time: addresses and sizes are multiples of 16.
            {(names.index(name),): [["tt.divisibility", 16]] for name in types},
        )
        done = triton.compile(source, target=target, options={"num_warps": warps})
        assert len(done.asm["cubin"]) > 1000
        assert done.metadata.shared <= 96 * 1024
        return done.asm["ptx"]

    sizes = dict.fromkeys(("rows", "width", "pre_stride", "post_stride"), "i32")
    shape = dict.fromkeys(("rows", "width", "stride"), "i32")
    names = {torch.bfloat16: "*bf16", torch.float16: "*fp16", torch.float32: "*fp32"}
    for dtype, kind in names.items():
        into = {"sums": "*fp64", "low": "*fp32", "high": "*fp32"}
        text = machine_code(
            kernels.moments_kernel,
            {"pre": kind, "post": kind, **into, **sizes},
            {"TILES": 128, **kernels.MOMENTS},
        )
        # Fetched ahead, sixteen bytes at a time; and nothing is added atomically.
        assert "cp.async.cg.shared.global" in text and "atom" not in text
        bins = {"MIDDLE": HALF, "FIRST": LOWEST, "LAST": HIGHEST}
        text = machine_code(
            kernels.histogram_kernel,
            {"sample": kind, "histogram": "*i32", **shape},
            {**bins, "KEPT": 7 - MANTISSA, "COUNT": BINS, **kernels.HISTOGRAM},
        )
        assert "add.f" not in text
        for rows in (1, 2048, kernels.LONGEST):
            found = {"ranks": "*i32", "below": "*fp32", "above": "*fp32"}
            machine_code(
                kernels.order_kernel,
                {"values": kind, **found, **shape},
                {"RANKS": 7, "BITS": kernels.BITS[dtype], **kernels.order_tile(rows)},
            )


def main() -> None:
    from langneurons.nn.recording import kernels

    if sys.argv[1] == "compile":
        compile_all(kernels, int(sys.argv[2]))
    else:
        compare_all(kernels, torch.device("cpu"))
        compare_recorders(kernels, torch.device("cpu"))


if __name__ == "__main__":
    main()
