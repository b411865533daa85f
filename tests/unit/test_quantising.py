"""nf4 on the CPU: quantise, save, load again."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import tiny_models
from langneurons.config.errors import DataError
from langneurons.jobs import files
from langneurons.nn.models import fetching, loading, quantising
from test_layout import SCRIPTS
from test_models import save_tokenizer

pytest.importorskip("bitsandbytes", reason="nf4 needs bitsandbytes")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A pinned tiny Llama and its nf4 copy."""
    place = tmp_path_factory.mktemp("nf4")
    # On the CPU, rows of a 4-bit matrix come in blocks of 32.
    sizes = {"hidden_size": 64, "intermediate_size": 128, "head_dim": 32}
    model = tiny_models.build("llama", **sizes)
    model.save_pretrained(place / "source")
    special = {"bos_token": "<s>", "eos_token": "</s>"}
    save_tokenizer(place / "source", ["<pad>", "<s>", "</s>"], **special)
    entry = {
        "family": "llama",
        "dtype": "bfloat16",
        "folder": str(place / "source"),
    }
    fetching.fetch("tiny", entry, place / "pinned")
    quantising.quantise(place / "pinned", place / "nf4")
    return place / "pinned", place / "nf4"


def test_weights_are_nf4_with_double_quantisation(folders: tuple[Path, Path]) -> None:
    model = loading.load_base(folders[1])
    linear = model.layers[0].mlp.gate_proj
    assert type(linear).__name__ == "Linear4bit"
    assert linear.weight.quant_state.quant_type == "nf4"
    assert linear.weight.quant_state.nested
    assert linear.compute_dtype == torch.bfloat16
    assert model.norm.weight.dtype == torch.bfloat16


def test_saved_weights_give_the_same_logits_to_the_bit(
    folders: tuple[Path, Path],
) -> None:
    from transformers import AutoModelForCausalLM

    pinned, nf4 = folders
    fresh = AutoModelForCausalLM.from_pretrained(
        pinned,
        dtype=torch.bfloat16,
        quantization_config=quantising.nf4_config(),
        device_map={"": "cpu"},
    ).eval()
    ids = tiny_models.tokens()
    with torch.inference_mode():
        first = fresh(ids).logits
        again = loading.load_causal(nf4)(ids).logits
        full = loading.load_causal(pinned)(ids).logits
    assert torch.isfinite(first).all()
    assert torch.equal(first, again)
    assert not torch.equal(first, full), "4 bits lose something"


def test_the_classifier_head_is_not_quantised(folders: tuple[Path, Path]) -> None:
    torch.manual_seed(0)
    model = loading.load_classifier(folders[1], 3)
    assert type(model.score) is torch.nn.Linear
    with torch.inference_mode():
        assert torch.isfinite(model(tiny_models.tokens()).logits).all()


def test_manifest_and_tokenizer_go_along(folders: tuple[Path, Path]) -> None:
    pinned, nf4 = (files.read_json(f / "manifest.json") for f in folders)
    assert nf4["quantization"] == "nf4"
    assert pinned["quantization"] == "none"
    same = ("model", "revision", "family", "layers", "intermediate_size")
    assert {k: nf4[k] for k in same} == {k: pinned[k] for k in same}
    for name, digest in nf4["files"].items():
        assert files.sha256(folders[1] / name) == digest
    assert nf4["files"]["tokenizer.json"] == pinned["files"]["tokenizer.json"]
    assert loading.load_tokenizer(folders[1]).pad_token == "<pad>"


def test_quantising_twice_is_refused(
    folders: tuple[Path, Path], tmp_path: Path
) -> None:
    with pytest.raises(DataError, match="already quantised"):
        quantising.quantise(folders[1], tmp_path / "again")
    assert list(tmp_path.iterdir()) == []


AS_WITH_AVX512 = """
import ctypes, sys
really = ctypes.CDLL.__getattr__
def pretended(library, name):
    return (lambda: True) if name == "has_avx512bf16_cpu" else really(library, name)
ctypes.CDLL.__getattr__ = pretended
sys.modules["kernels"] = None  # not installed
"""
IMPORT = """
import logging, bitsandbytes
logging.getLogger("bitsandbytes.backends.cpu.ops").warning("Failed to do more")
"""


def test_a_kernel_that_is_not_there_is_no_news() -> None:
    """Nothing but that message of bitsandbytes is kept from the logs of jobs."""
    told = []
    for ours in ("", "import langneurons.nn\n"):
        done = subprocess.run(
            [sys.executable, "-c", AS_WITH_AVX512 + ours + IMPORT],
            env=os.environ | {"PYTHONPATH": str(SCRIPTS)},
            capture_output=True,
            text=True,
            check=True,
        )
        told.append(done.stderr)
    assert "Failed to load CPU gemm_4bit_forward" in told[0]
    assert "gemm_4bit_forward" not in told[1]
    assert all("Failed to do more" in text for text in told)
