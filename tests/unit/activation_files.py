"""Small activations files, built with numpy by the definitions of each statistic."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from langneurons.config.catalogue import PERCENTILES
from langneurons.jobs import tensors
from langneurons.neurons.histogram import Bins, activation_function
from langneurons.neurons.recorded_activations import Activations
from langneurons.text.token_files import evenly


def heavy_tailed(seed: int, tokens: int, layers: int, width: int) -> np.ndarray:
    """Pre-activations like real ones: own mean and scale a neuron, heavy tails."""
    rng = np.random.default_rng(seed)
    centre = rng.normal(-0.3, 0.3, (layers, width))
    spread = rng.uniform(0.2, 1.0, (layers, width))
    values = centre + spread * rng.standard_t(4, (tokens, layers, width))
    return values.astype(np.float32)


def build(
    path: Path,
    pre: np.ndarray,
    *,
    language: str = "en",
    model: str = "toy",
    revision: str = "r1",
    activation: str = "silu",
    batch_tokens: int | None = None,
    every: int = 1,
    chunk_length: int = 1,
    chunk_means: int = 0,
    contribution_top: float = 0,
    contributions: np.ndarray | None = None,
    unit: str | None = None,
) -> Activations:
    """Write the activations file of pre-activations [tokens, L, F], and open it.

    Chunk means are of ``chunk_length`` tokens each. ``contributions`` [chunks, L, F]
    are the sums over the tokens of a chunk of |h|; all columns of the down projection
    have norm 1.
    """
    tokens, layers, width = pre.shape
    bins = Bins()
    wide = pre.astype(np.float64)
    post = activation_function(activation)(wide).astype(np.float32)
    sampled = bins.index(pre[::every]).reshape(-1, layers * width)
    counts = np.zeros((layers * width, bins.count), np.int32)
    for neuron in range(layers * width):
        counts[neuron] = np.bincount(sampled[:, neuron], minlength=bins.count)
    arrays = {
        "n": np.array([tokens]),
        "count_pos": (pre > 0).sum(0),
        "histogram": counts.reshape(layers, width, bins.count),
        "histogram_n": np.array([len(sampled)]),
    }
    for site, values in (("gate_pre", pre), ("act_post", post)):
        exact = values.astype(np.float64)
        arrays[f"{site}.sum"] = exact.sum(0)
        arrays[f"{site}.sumsq"] = (exact**2).sum(0)
        arrays[f"{site}.sumabs"] = np.abs(exact).sum(0)
        arrays[f"{site}.min"] = values.min(0)
        arrays[f"{site}.max"] = values.max(0)
        if batch_tokens:
            whole = tokens // batch_tokens
            arrays["batches"] = np.array([whole])
            arrays[f"{site}.batch_quantiles"] = sum(
                (
                    np.percentile(batch, PERCENTILES, axis=0)
                    for batch in np.split(exact[: whole * batch_tokens], whole or 1)
                    if whole
                ),
                np.zeros((len(PERCENTILES), layers, width)),
            )
        if chunk_means:
            chunks = exact.reshape(-1, chunk_length, layers, width)
            chosen = evenly(len(chunks), chunk_means)
            arrays["chunk_numbers"] = np.array(chosen)
            means = chunks[chosen].mean(1).transpose(1, 0, 2)
            arrays[f"{site}.chunk_means"] = means.astype(np.float16)
    if contributions is not None:
        most = round(contribution_top * width)
        last = np.sort(contributions, axis=2)[:, :, -most, None]
        among = (contributions >= last) & (contributions > 0)
        arrays["prod.top_chunks"] = among.sum(0)
        arrays["prod.sumabs"] = contributions.sum(0, dtype=np.float64)
        arrays["chunks"] = np.array([len(contributions)])
    metadata = {
        "activation": activation,
        "mantissa": str(bins.mantissa),
        "emin": str(bins.emin),
        "emax": str(bins.emax),
        "histogram_every": str(every),
        "percentiles": json.dumps(PERCENTILES),
        "model": model,
        "model_revision": revision,
        "tokens_sha256": f"hash of {language}",
        "language": language,
        "corpus": "made up",
    }
    asked: dict[str, object] = {"chunk_means": chunk_means, "unit": unit}
    asked["contribution_top"] = contribution_top
    metadata |= {key: str(value) for key, value in asked.items() if value}
    tensors.write(path, arrays, metadata)
    return Activations.open(path)


def family(
    folder: Path,
    languages: tuple[str, ...],
    tokens: int = 600,
    layers: int = 2,
    width: int = 60,
    batch_tokens: int | None = 100,
) -> dict[str, Activations]:
    """Write one file a language; languages differ in where their neurons lie."""
    return {
        lang: build(
            folder / f"{lang}.safetensors",
            heavy_tailed(seed, tokens, layers, width),
            language=lang,
            batch_tokens=batch_tokens,
        )
        for seed, lang in enumerate(languages)
    }
