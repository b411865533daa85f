"""Which of several shares is the largest, and how sure that is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from .bootstrap import DRAWS_AT_ONCE

Floats = npt.NDArray[np.float64]
Part = tuple[npt.NDArray[np.int64], Floats]


def largest(parts: Sequence[Part], resamples: int = 10_000, seed: int = 0) -> Floats:
    """Return in which part of the resamples each share has the largest mean.

    Items are drawn with replacement, each with its numbers in all parts; the mean is
    that over parts of each one's mean over items. Of equal means the first counts.

    Args:
        parts: of each (a language of prompts) its items, each once, and their shares,
            [items, shares]; the same shares in all parts.
        resamples: number of resampled sets of items.
        seed: of the resampling.

    Returns:
        [shares] numbers from 0 to 1, together 1.
    """
    items = np.unique(np.concatenate([own for own, _ in parts]))
    width, n = parts[0][1].shape[1], len(items)
    places = [np.searchsorted(items, own) for own, _ in parts]
    rng = np.random.default_rng(seed)
    times = np.zeros(width)
    step = max(1, DRAWS_AT_ONCE // max(n, width))
    for start in range(0, resamples, step):
        drawn = rng.multinomial(n, [1 / n] * n, min(step, resamples - start))
        total = np.zeros((len(drawn), width))
        for place, (_, shares) in zip(places, parts, strict=True):
            counts = drawn[:, place].astype(np.float64)
            sizes = counts.sum(axis=1, keepdims=True)
            # A part of which no item was drawn adds nothing to any of the means.
            total += counts @ shares / np.maximum(sizes, 1)
        # Sums of the same numbers in another order may differ in the last digits.
        best = total.max(axis=1, keepdims=True) - 1e-12
        times += np.bincount((total >= best).argmax(axis=1), minlength=width)
    return times / resamples
