"""The GPU kernels give what plain torch gives, and compile, without a GPU.

They need Triton: make test-kernels. Each test is a process of its own,
because Triton decides at its first import whether it interprets or compiles.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from langneurons.nn.recording import accelerated, cores
from langneurons.nn.recording.accelerated import kernels_for

UNIT = Path(__file__).parent
SCRIPTS = UNIT.parents[1] / "workflow" / "scripts"
# `make test-kernels` has just installed Triton: there its absence is a failure.
needs_triton = pytest.mark.skipif(
    importlib.util.find_spec("triton") is None
    and "LANGNEURONS_COMPLETE" not in os.environ,
    reason="Triton is absent: make test-kernels installs it aside and runs these",
)


def run(cache, *arguments, **environment):
    # Triton may lie in a folder of its own: make test-kernels.
    paths = (str(SCRIPTS), str(UNIT), os.environ.get("PYTHONPATH", ""))
    environment |= {
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        "TRITON_CACHE_DIR": str(cache),
    }
    command = [sys.executable, str(UNIT / "kernel_runs.py"), *arguments]
    done = subprocess.run(
        command, env=os.environ | environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-3000:]


@needs_triton
@pytest.mark.slow
def test_kernels_equal_plain_torch_when_interpreted(tmp_path):
    run(tmp_path, "interpret", TRITON_INTERPRET="1")


@needs_triton
@pytest.mark.parametrize("architecture", [80, 90])
def test_kernels_compile_for_a100_and_h100(tmp_path, architecture):
    run(tmp_path, "compile", str(architecture), TRITON_INTERPRET="0")


def test_a_cpu_uses_its_cores_and_other_devices_plain_torch():
    assert kernels_for(torch.device("cpu")) is cores
    assert kernels_for(torch.device("meta")) is None


def test_one_line_says_why_there_are_no_kernels(monkeypatch, caplog):
    kernels_for.cache_clear()
    # Without Triton or without a GPU; a ROCm build gives its own reason.
    gpu = torch.device("cuda", 99)
    assert kernels_for(gpu) is None and kernels_for(gpu) is None
    assert len(caplog.records) == 1
    assert "without GPU kernels, which is slower" in caplog.text
    caplog.clear()
    kernels_for.cache_clear()
    monkeypatch.setattr(accelerated.torch.version, "hip", "6.4")
    assert kernels_for(gpu) is None and "for NVIDIA" in caplog.text
    kernels_for.cache_clear()
