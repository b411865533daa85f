"""Sequences of different lengths in one batch, padded on the left or on the right."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from .examples import Ids


def pad_left(sequences: Sequence[Ids], filler: int) -> tuple[Tensor, Tensor]:
    """Put sequences below each other so that all end in the last column.

    Args:
        sequences: token ids, int64.
        filler: token in place of padding.

    Returns:
        Token ids and mask (1 for text), both int64 [rows, longest].
    """
    return _padded(sequences, filler, left=True)


def pad_right(sequences: Sequence[Ids], filler: int) -> tuple[Tensor, Tensor]:
    """Put sequences below each other so that all begin in the first column.

    Args:
        sequences: token ids, int64.
        filler: token in place of padding.

    Returns:
        Token ids and mask (1 for text), both int64 [rows, longest].
    """
    return _padded(sequences, filler, left=False)


def _padded(sequences: Sequence[Ids], filler: int, left: bool) -> tuple[Tensor, Tensor]:
    width = max(len(s) for s in sequences)
    ids = torch.full((len(sequences), width), filler)
    mask = torch.zeros_like(ids)
    for row, sequence in enumerate(sequences):
        start = width - len(sequence) if left else 0
        ids[row, start : start + len(sequence)] = torch.from_numpy(sequence)
        mask[row, start : start + len(sequence)] = 1
    return ids, mask


def positions(mask: Tensor) -> Tensor:
    """Number the text of each row from 0; padding gets 0."""
    return (mask.cumsum(-1) - 1).clamp(min=0)


def alike(lengths: Sequence[int], price: float) -> list[list[int]]:
    """Part sequences into batches so that little padding is run.

    Args:
        lengths: of the sequences, at least 1.
        price: of a batch, in tokens that could be run instead.

    Returns:
        Numbers of sequences, from the shortest to the longest: of all ways to cut that
        order, the one with the fewest tokens, padding and prices included.
    """
    order = np.argsort(np.asarray(lengths, np.int64), kind="stable").tolist()
    sizes = [lengths[i] for i in order]
    # Cuts between equally long ones would not save anything.
    cuts = [i for i in range(len(sizes)) if i == 0 or sizes[i - 1] < sizes[i]]
    cuts.append(len(sizes))
    cheapest: list[tuple[float, int]] = [(0.0, 0)]
    for end in range(1, len(cuts)):
        rows, longest = cuts[end], sizes[cuts[end] - 1]
        ways = (
            (cheapest[begin][0] + price + (rows - cuts[begin]) * longest, begin)
            for begin in range(end)
        )
        cheapest.append(min(ways))
    parts: list[list[int]] = []
    end = len(cuts) - 1
    while end > 0:
        begin = cheapest[end][1]
        parts.append(order[cuts[begin] : cuts[end]])
        end = begin
    return parts[::-1]
