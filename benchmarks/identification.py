"""Choosing neurons from the counts of a model of 70B, and reading its histograms.

Each method runs once in a process of its own, as a job does: from opening the files of
30 languages to the lists of neurons. Files hold real counts; what these methods do not
read, above all 4.4 GB of histogram each, is a hole in the file. ``extra_mb`` is the
largest resident memory minus that before the files were opened; pages of the files that
are mapped at the time count too (18 MB a file of counts, 55 MB a layer's histogram).

``quantiles``: the percentiles of one layer of 28,672 neurons, pooled over 30 languages.
All languages are one file, opened 30 times, which is therefore in the page cache.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from langneurons import methods
from langneurons.config.catalogue import PERCENTILES
from langneurons.jobs import tensors
from langneurons.neurons.activation_layout import SITES
from langneurons.neurons.histogram import Bins
from langneurons.neurons.recorded_activations import Activations, pooled_quantiles

from .measuring import (
    MB,
    Row,
    Setting,
    high_water,
    peak_of,
    resident,
    row,
)

TARGET_SECONDS = 60.0
TOKENS = 100_000_000
METHODS: dict[str, tuple[str, dict[str, Any]]] = {
    "lape": ("lape", {}),
    "act_prob": ("actprob", {"percentile": 0}),
    "act_prob_zero": ("act_prob_zero", {}),
    "entropy_lambda": ("entropy_lambda", {}),
}
# Layers, neurons in each, languages, and the share that is selected where that of the
# method would be no neuron at all.
SIZES: dict[str, tuple[int, int, int, float | None]] = {
    "tiny": (2, 24, 3, 0.1),
    "llama70b": (80, 28672, 30, None),
}
BINS = Bins()


def settings(names: list[str], device: str, repeats: int) -> list[Setting]:
    """List the sizes; there is no model, and always a CPU."""
    return [Setting(n, "int64", "cpu", 1) for n in names if n in SIZES]


def rows(setting: Setting) -> list[Row]:
    """Measure every method that reads counts only, and percentiles at both sites."""
    layers, width, number, share = SIZES[setting.shape]
    target = None if setting.shape == "tiny" else TARGET_SECONDS
    found = []
    with tempfile.TemporaryDirectory() as folder:
        paths = [
            sparse_file(Path(folder) / f"l{i:02}.safetensors", i, layers, width)
            for i in range(number)
        ]
        calls: list[tuple[str, Callable[..., Any], tuple[Any, ...], int]] = [
            (name, select, (name, paths, share), layers * width * number)
            for name in METHODS
        ]
        one = histogram_file(Path(folder) / "layer.safetensors", width)
        for site in SITES:
            arguments = ([one] * number, site)
            calls.append((f"quantiles_{site}", read, arguments, width * number))
        for name, function, arguments, amount in calls:
            outcome: Outcome = peak_of(function, *arguments)
            values = {"measure": "seconds", "value": outcome.seconds, "target": target}
            seconds, extra = outcome.seconds, outcome.extra_mb
            values |= {"seconds": seconds, "repeats": 1, "extra_mb": extra}
            values |= {"amount": amount, "unit": "neurons x languages"}
            values |= {"per_second": amount / seconds}
            found.append(row("identification", setting, name, **values))
    return found


@dataclass(frozen=True)
class Outcome:
    """What a job took.

    Attributes:
        seconds: of wall time.
        extra_mb: peak above what was resident before; None where it is not known.
        result: the number of neurons selected, or the largest percentile.
    """

    seconds: float
    extra_mb: float | None
    result: float


def measured(work: Callable[[], float]) -> Outcome:
    """Time some work in a process of its own, and say what memory it took."""
    before, start = resident(), time.perf_counter()
    result = work()
    seconds, peak = time.perf_counter() - start, high_water()
    extra = None if before is None or peak is None else (peak - before) / MB
    return Outcome(seconds, extra, result)


def select(name: str, paths: list[Path], share: float | None) -> Outcome:
    """Run a method on files of counts; the result is the number of neurons."""
    kind, parameters = METHODS[name]
    known = methods.load(kind).PARAMETERS.model_fields
    if share is not None:
        parameters = parameters | {k: share for k in ("top_rate", "frac") if k in known}

    def work() -> float:
        files = [Activations.open(path) for path in paths]
        languages = [one.metadata["language"] for one in files]
        spec: dict[str, Any] = {
            "model": "random",
            "method": name,
            "kind": kind,
            "language_set": "all",
        }
        spec |= {
            "languages": languages,
            "parameters": parameters,
            "draw": None,
            "reads": [],
            "outside": [],
        }
        spec |= {"site": "gate_pre", "quantile": "pooled"}
        sets = methods.identify(spec, files)
        return sum(len(ids) for of in sets.neurons.values() for ids in of.values())

    return measured(work)


def read(paths: list[Path], site: str) -> Outcome:
    """Read ``PERCENTILES`` of all files pooled; the result is the largest."""

    def work() -> float:
        files = [Activations.open(path) for path in paths]
        fractions = [p / 100 for p in PERCENTILES]
        return float(pooled_quantiles(files, fractions, site).max())

    return measured(work)


def _metadata(language: str) -> dict[str, str]:
    return {
        "activation": "silu",
        "mantissa": str(BINS.mantissa),
        "emin": str(BINS.emin),
        "emax": str(BINS.emax),
        "percentiles": json.dumps(PERCENTILES),
        "model": "random",
        "model_revision": "none",
        "language": language,
    }


def sparse_file(path: Path, seed: int, layers: int, width: int) -> Path:
    """Write an activations file with counts; its other large tensors are holes.

    A neuron has a probability of being active, and a few neurons are several times as
    active in a language as that.
    """
    p = np.random.default_rng(0).beta(2, 6, (layers, width))
    rng = np.random.default_rng([1, seed])
    p = np.where(rng.random(p.shape) < 0.02, p * rng.uniform(1, 5, p.shape), p)
    p = np.clip(p * rng.lognormal(0, 0.1, p.shape), 0, 1)
    given = {
        "n": np.array([TOKENS]),
        "histogram_n": np.array([TOKENS // 8]),
        "count_pos": (p * TOKENS).astype(np.int64),
    }
    holes = {"histogram": ("I32", [layers, width, BINS.count], 4)}
    for site in SITES:
        holes[f"{site}.sum"] = ("F64", [layers, width], 8)
        holes |= {f"{site}.{x}": ("F32", [layers, width], 4) for x in ("min", "max")}
    header: dict[str, Any] = {"__metadata__": _metadata(path.stem)}
    end = 0
    sizes = {k: ("I64", list(v.shape), 8) for k, v in given.items()} | holes
    for key, (kind, shape, itemsize) in sizes.items():
        start, end = end, end + int(np.prod(shape)) * itemsize
        header[key] = {"dtype": kind, "shape": shape, "data_offsets": [start, end]}
    text = json.dumps(header).encode()
    text = text.ljust(-(-len(text) // 8) * 8)
    with path.open("wb") as handle:
        handle.write(len(text).to_bytes(8, "little") + text)
        for values in given.values():
            handle.write(values.tobytes())
        handle.truncate(8 + len(text) + end)
    return path


def histogram_file(path: Path, width: int, tokens: int = 256) -> Path:
    """Write an activations file of one layer with heavy-tailed histograms.

    Each of the few values drawn for a neuron counts as many tokens.
    """
    rng = np.random.default_rng(0)
    centre, spread = rng.normal(-0.3, 0.3, width), rng.uniform(0.2, 1.0, width)
    values = centre + spread * rng.standard_t(4, (tokens, width))
    cells = BINS.index(values) + BINS.count * np.arange(width)
    size = width * BINS.count
    counts = np.bincount(cells.ravel(), minlength=size).reshape(1, width, BINS.count)
    weight = TOKENS // 8 // tokens
    arrays = {
        "n": np.array([TOKENS]),
        "histogram_n": np.array([weight * tokens]),
        "count_pos": ((values > 0).sum(0) * (TOKENS // tokens))[None],
        "histogram": (counts * weight).astype(np.int32),
    }
    for site in SITES:
        arrays[f"{site}.sum"] = np.zeros((1, width))
        arrays[f"{site}.min"] = np.full((1, width), -100, np.float32)
        arrays[f"{site}.max"] = np.full((1, width), 100, np.float32)
    tensors.write(path, arrays, _metadata("all"))
    return path
