"""Sequences of different lengths in one batch, padded on the left or on the right."""

from __future__ import annotations

from collections.abc import Sequence

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
