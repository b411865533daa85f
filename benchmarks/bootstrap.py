"""Bootstrap intervals against a loop over resamples.

``accuracy`` is a paired difference of XNLI's 5,010 items, -1, 0 or 1; ``f1`` one of
XQuAD's 238 test items, with a value of its own for each item.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from langneurons.stats.bootstrap import bootstrap_mean

from .measuring import Row, Run, Setting, Variant, compare

# Items of either kind, and resamples.
SIZES = {"tiny": (60, 40, 50), "paper_items": (5010, 238, 10_000)}
Array = np.ndarray[Any, Any]


def settings(names: list[str], device: str, repeats: int) -> list[Setting]:
    """List the sizes; there is no model, and always a CPU."""
    return [Setting(n, "float64", "cpu", repeats) for n in names if n in SIZES]


def rows(setting: Setting) -> list[Row]:
    """Time the library and the loop on both kinds of scores."""
    return compare("bootstrap", variants, setting)


def differences(kind: str, items: int) -> Array:
    """Draw paired differences: float64 [items]."""
    rng = np.random.default_rng(0)
    if kind == "accuracy":
        return rng.choice([-1.0, 0.0, 1.0], items, p=[0.05, 0.88, 0.07])
    return rng.normal(0.02, 0.2, items)


def loop(values: Array, resamples: int, seed: int = 0) -> tuple[float, float, float]:
    """Return the mean and its 95 % interval, one resample after the other."""
    rng = np.random.default_rng(seed)
    n = len(values)
    means = [values[rng.integers(0, n, n)].mean() for _ in range(resamples)]
    low, high = np.quantile(means, [0.025, 0.975])
    return float(values.mean()), float(low), float(high)


def variants(setting: Setting) -> list[Variant]:
    """List loop and library for both kinds; the loop is the baseline."""
    several, few, resamples = SIZES[setting.shape]
    found = []
    for kind, items in (("accuracy", several), ("f1", few)):
        values = differences(kind, items)

        def slow(values: Array = values) -> Run:
            return lambda: loop(values, resamples)

        def fast(values: Array = values) -> Run:
            return lambda: bootstrap_mean(values, resamples)

        base = f"loop_{kind}"
        amount = (resamples, "resamples")
        found.append(Variant(base, slow, *amount, None))
        found.append(Variant(f"library_{kind}", fast, *amount, base))
    return found
