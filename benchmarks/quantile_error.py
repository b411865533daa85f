"""How far pooled percentiles, as a user reads them, are from the exact ones.

The same activations are recorded, written to an activations file, read back through
``statistics.Activations.quantiles``, and kept whole for ``numpy.quantile``. Every token
enters the histogram here: what every eighth adds is sampling error, which depends on
the length of the corpus only (in rank 8.5e-5 for 100 M tokens).

Rank error of a percentile p: how far p is from the shares of tokens below, and not
above, the value read. Value error: the difference from the exact value. Both are over
the neurons and ``PERCENTILES``, mean and largest.

* ``model``: first and last layer of the shape. Random weights make nearly normal
  pre-activations.
* ``heavy tails``: a stream fed to the same recorder: Student's t with 4 degrees of
  freedom, shifted and scaled for each neuron, as in trained models.

At ``act_post`` rank error says little: SiLU and GELU fold half of the line onto a short
piece around their minimum, where a value error of 1e-4 already passes many tokens.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from langneurons.config.catalogue import PERCENTILES
from langneurons.jobs import tensors
from langneurons.neurons.activation_layout import SITES
from langneurons.neurons.recorded_activations import Activations
from langneurons.nn.models.architectures import mlp_sites
from langneurons.nn.recording import measuring as library

from . import shapes
from .measuring import Row, Setting, row, silence

TARGET = 0.002
"""Largest mean rank error hoped for."""

LENGTH = 512
# Chunks of the model's text; neurons and tokens of the stream, in two layers.
SIZES = {
    "tiny": (4, 60, 2048),
    "gemma270m": (8, 512, 16384),
    "llama8b": (32, 512, 16384),
    "nemo": (32, 512, 16384),
}
FRACTIONS = [p / 100 for p in PERCENTILES]


def settings(names: list[str], device: str, repeats: int) -> list[Setting]:
    """List the shapes that can run."""
    return shapes.settings([n for n in names if n in SIZES], device, repeats)


def rows(setting: Setting) -> list[Row]:
    """Measure rank and value error, by site and kind of data."""
    chunks, width, tokens = SIZES[setting.shape]
    model = shapes.build(setting)
    text = shapes.token_ids(setting, chunks, LENGTH)
    stream = Stream(mlp_sites(model), heavy_tailed(2, tokens, width))
    numbers = torch.arange(tokens).view(-1, LENGTH)
    found = []
    for data, source, ids in (
        ("model", model, text),
        ("heavy tails", stream.to(setting.device).eval(), numbers),
    ):
        for site, errors in measure(source, ids).items():
            for measured, value in errors.items():
                target = TARGET if measured == "mean rank error" else None
                name = f"{data}, {site}"
                values = {"measure": measured, "value": value, "target": target}
                amount = {"amount": ids.numel(), "unit": "tokens"}
                found.append(row("quantile_error", setting, name, **values, **amount))
    return found


def heavy_tailed(layers: int, tokens: int, width: int, seed: int = 0) -> Tensor:
    """Draw pre-activations like real ones: float32 [layers, tokens, F]."""
    rng = np.random.default_rng(seed)
    centre = rng.normal(-0.3, 0.3, (layers, 1, width))
    spread = rng.uniform(0.2, 1.0, (layers, 1, width))
    drawn = centre + spread * rng.standard_t(4, (layers, tokens, width))
    return torch.from_numpy(drawn.astype(np.float32))


class Stream(nn.Module):
    """Given pre-activations in the place of a model; token ids are their rows.

    Args:
        sites: of the model whose activation function is taken.
        values: float32 [layers, tokens, width].
    """

    values: Tensor

    def __init__(self, sites: Any, values: Tensor) -> None:
        from transformers import LlamaConfig

        super().__init__()
        layers, _, width = values.shape
        self.config = LlamaConfig(
            num_hidden_layers=layers,
            intermediate_size=width,
            hidden_act=sites.activation,
        )
        self.layers = nn.ModuleList(nn.Module() for _ in range(layers))
        for layer in self.layers:
            mlp = nn.Module()
            mlp.act_fn = _activation(sites.activation)
            mlp.down_proj = nn.Linear(width, 1, bias=False)
            layer.mlp, layer.self_attn = mlp, nn.Module()
            # Never run: a layer of this family has them.
            for block, names in ((mlp, "gate up"), (layer.self_attn, "q k v o")):
                for name in names.split():
                    block.add_module(f"{name}_proj", nn.Identity())
        self.register_buffer("values", values)

    def forward(self, input_ids: Tensor, use_cache: bool = False) -> None:
        """Pass these rows through the activation functions."""
        for layer, values in zip(self.layers, self.values, strict=True):
            layer.mlp.act_fn(values[input_ids])  # type: ignore[union-attr,operator]


def _activation(name: str) -> nn.Module:
    from transformers.activations import ACT2FN

    function: nn.Module = ACT2FN[name]
    return function


def measure(model: nn.Module, chunks: Tensor) -> dict[str, dict[str, float]]:
    """Record the chunks and compare: site -> name of the error -> its value.

    Args:
        model: backbone, or a ``Stream``.
        chunks: int64 [chunks, length].
    """
    sites = mlp_sites(model)
    looked_at = sorted({0, len(sites.layers) - 1})
    kept: dict[tuple[str, int], list[np.ndarray[Any, Any]]] = {}

    def keep(layer: int) -> Any:
        def hook(module: nn.Module, args: tuple[Tensor, ...], output: Tensor) -> None:
            for site, values in (("gate_pre", args[0]), ("act_post", output)):
                whole = values.detach().flatten(0, -2).float().cpu().numpy()
                kept.setdefault((site, layer), []).append(whole)

        return hook

    handles = [
        sites.layers[layer].act.register_forward_hook(keep(layer))
        for layer in looked_at
    ]
    with silence():
        state, metadata = library.record(
            model,
            chunks,
            0,
            batch_chunks=4,
            histogram_every=1,
            batch_quantiles=(),
            micro_batch=4,
            label="quantile error",
        )
    for handle in handles:
        handle.remove()
    found: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "en.safetensors"
        tensors.write(path, state, metadata)
        opened = Activations.open(path)
        for site in SITES:
            read = opened.quantiles(FRACTIONS, site).astype(np.float64)
            parts = [
                errors(np.concatenate(kept[site, layer]), read[:, layer])
                for layer in looked_at
            ]
            rank, value = (np.concatenate(x) for x in zip(*parts, strict=True))
            found[site] = {
                "mean rank error": float(rank.mean()),
                "largest rank error": float(rank.max()),
                "mean value error": float(value.mean()),
                "largest value error": float(value.max()),
            }
    return found


def errors(
    values: np.ndarray[Any, Any], read: np.ndarray[Any, Any]
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Compare percentiles with the values that they are of.

    Args:
        values: [tokens, F].
        read: [percentiles, F] what was read.

    Returns:
        Rank error and value error, flat.
    """
    ordered = np.sort(values, axis=0).astype(np.float64)
    exact = np.quantile(ordered, FRACTIONS, axis=0)
    rank = np.empty_like(read)
    wanted = np.asarray(FRACTIONS)
    for neuron in range(read.shape[1]):
        column = ordered[:, neuron]
        low = np.searchsorted(column, read[:, neuron], "left") / len(column)
        high = np.searchsorted(column, read[:, neuron], "right") / len(column)
        rank[:, neuron] = np.maximum(0, np.maximum(low - wanted, wanted - high))
    return rank.ravel(), np.abs(read - exact).ravel()
