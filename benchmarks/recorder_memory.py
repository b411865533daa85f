"""Bytes that a recorder holds, whatever the length of the corpus.

The recorder is made on a model on torch's ``meta`` device, which has sizes but no data,
and sees bfloat16 activations: a forward pass over a whole batch of the per-batch
percentiles (4 chunks of 512 tokens). The space that it works in may be larger on a GPU
without its kernels, by up to 0.13 GB.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from langneurons.nn.models.architectures import Sites
from langneurons.nn.recording.moments import SITES
from langneurons.nn.recording.recorder import Recorder

from . import shapes
from .measuring import GB, Row, Setting, row
from .recording import BATCH, BATCHES, LENGTH, paper_options

TARGET_GB = {"llama8b": 3.0}
VARIANTS: dict[str, dict[str, Any]] = {
    "recorder": {},
    "recorder_paper": paper_options(),
    "recorder_both_sites": paper_options() | {"batch_quantiles": SITES},
}


def settings(names: list[str], device: str, repeats: int) -> list[Setting]:
    """List the shapes; none of them is run."""
    known = [n for n in names if n in BATCHES]
    return shapes.settings(known, device, repeats, any_device=True)


def rows(setting: Setting) -> list[Row]:
    """Measure the recorder with no, the paper's and all per-batch percentiles."""
    found = []
    for name, options in VARIANTS.items():
        both = name == "recorder_both_sites"
        target = TARGET_GB.get(setting.shape) if both else None
        size = held(setting, options) / GB
        values = {"measure": "GB held", "value": size, "target": target}
        found.append(row("recorder_memory", setting, name, dtype="bfloat16", **values))
    return found


def held(setting: Setting, options: dict[str, Any]) -> int:
    """Return the bytes of all tensors of a recorder.

    Args:
        setting: names the shape.
        options: arguments of the recorder.
    """
    import transformers

    configuration = shapes.configuration(setting.shape)
    with torch.device("meta"):
        model = transformers.AutoModel.from_config(configuration, dtype=torch.bfloat16)
    recorder = Recorder(model.eval(), **options)
    width = recorder.sites.width
    kind = {"dtype": torch.bfloat16, "device": "meta"}
    seen = torch.empty(BATCH, LENGTH, width, **kind)  # type: ignore[call-overload]
    with torch.no_grad(), recorder:
        # The model itself asks for values, which there are none of.
        for layer in recorder.sites.layers:
            layer.act(seen)
    return tensor_bytes(recorder)


def tensor_bytes(value: Any) -> int:
    """Sum up the bytes of the tensors in nested containers and the library's objects.

    The model is not among them: a recorder holds its layers only as ``Sites``.
    """
    if isinstance(value, Tensor):
        return value.nbytes
    if isinstance(value, dict):
        return sum(map(tensor_bytes, value.values()))
    if isinstance(value, list | tuple):
        return sum(map(tensor_bytes, value))
    ours = type(value).__module__.startswith("langneurons.")
    if ours and not isinstance(value, Sites):
        return tensor_bytes(vars(value))
    return 0
