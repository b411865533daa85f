"""Sentence pairs as tokens and right-padded batches (methods.md 2.3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from langneurons.config.errors import DataError
from langneurons.nn.models.tokenizing import PlainText


@dataclass(frozen=True)
class Encoded:
    """Items as tokens.

    Attributes:
        tokens: per item, its real tokens (int64, at most ``max_length``).
        ids: number of each item in its file, int64 [items].
        labels: int64 [items].
        dropped: items left out because they were too long.
        pool: ``padded_last``, ``last_real_token`` or ``mean``.
        max_length: length that items are padded or cut to.
        filler: token put in place of padding; ``padded_last`` reads at it.
    """

    tokens: list[np.ndarray[Any, Any]]
    ids: np.ndarray[Any, Any]
    labels: np.ndarray[Any, Any]
    dropped: int
    pool: str
    max_length: int
    filler: int

    def __len__(self) -> int:
        return len(self.tokens)


@dataclass(frozen=True)
class Batch:
    """One forward pass; padding is always on the right.

    Attributes:
        input_ids: int64 [rows, length].
        attention_mask: int64 [rows, length], 1 for real tokens.
        position_ids: int64 [1, length].
        read: index of the position that is read, int64 [rows].
    """

    input_ids: Tensor
    attention_mask: Tensor
    position_ids: Tensor
    read: Tensor


def encode(
    tokenizer: Any,
    items: Sequence[Mapping[str, Any]],
    parameters: Any,
    training: bool,
) -> Encoded:
    """Tokenise premise and hypothesis as one text.

    Control tokens that a premise or a hypothesis spells are characters of it; in a
    template they are tokens.

    The released code joins them by the EOS token between blanks, drops what fills
    ``max_length`` and pads with EOS (methods.md 2.3).

    Args:
        tokenizer: of the model. What it puts in front of a text (BOS) is there, what
            it puts behind (EOS) is not: the read-out is at the end of the text.
        items: with ``id``, ``premise``, ``hypothesis`` and ``label``.
        parameters: of the task: ``max_length``, ``pool``, ``drop_long``, ``separator``.
        training: test items are never dropped, only cut.

    Raises:
        DataError: no item is left, or EOS is needed and the tokenizer has none.
    """
    eos_id = tokenizer.eos_token_id
    padded = parameters.pool == "padded_last"
    if eos_id is None and (padded or parameters.separator == "eos"):
        raise DataError(
            "the tokenizer has no EOS token, which separator 'eos' and pool "
            "'padded_last' need; use separator: space and pool: last_real_token"
        )
    plain = PlainText(tokenizer)
    template = parameters.template
    if template is None:
        middle = f" {plain.eos} " if parameters.separator == "eos" else " "
        template = "{premise}" + middle + "{hypothesis}"
    template = plain.control(template)
    tokens = plain([fill(template, item) for item in items], beginning=True)
    limit = parameters.max_length
    # What a template says at its end is read, so it must survive the cut.
    ending = template.rpartition("{hypothesis}")[2]
    end = plain([ending])[0] if ending else []
    if len(end) >= limit:
        raise DataError(
            f"the template ends in {len(end)} tokens; max_length is {limit}"
        )
    drop = training and parameters.drop_long
    kept = [i for i, ids in enumerate(tokens) if not (drop and len(ids) >= limit)]
    if not kept:
        raise DataError(
            f"no item is left of {len(items)}: none is shorter than max_length={limit} "
            "tokens. Raise max_length or set drop_long: false"
            if items
            else "there are no items"
        )
    return Encoded(
        tokens=[np.asarray(cut(tokens[i], limit, end), np.int64) for i in kept],
        ids=np.asarray([items[i]["id"] for i in kept], dtype=np.int64),
        labels=np.asarray([items[i]["label"] for i in kept], dtype=np.int64),
        dropped=len(items) - len(kept),
        pool=parameters.pool,
        max_length=limit,
        # Elsewhere padding is hidden from every position that is read.
        filler=int(eos_id if padded else (tokenizer.pad_token_id or 0)),
    )


def fill(template: str, item: Mapping[str, Any]) -> str:
    """Put an item's texts into a template; braces in the texts mean nothing."""
    before, _, rest = template.partition("{premise}")
    middle, _, after = rest.partition("{hypothesis}")
    return f"{before}{item['premise']}{middle}{item['hypothesis']}{after}"


def cut(tokens: list[int], limit: int, end: list[int]) -> list[int]:
    """Shorten an item to ``limit`` tokens; the template's last ones stay."""
    if len(tokens) <= limit:
        return tokens
    return tokens[: limit - len(end)] + end


def collate(encoded: Encoded, rows: Sequence[int], compact: bool = True) -> Batch:
    """Put items into one right-padded batch.

    ``padded_last`` reads the last of ``max_length`` positions: an EOS that attends to
    all real tokens and to no padding. Nothing sees the padding in between, so one EOS
    with the last position's number gives the same scores without it (``compact``).

    Args:
        encoded: the items.
        rows: which of them.
        compact: False pads ``padded_last`` in full, as sliding windows require.
    """
    lengths = np.asarray([len(encoded.tokens[i]) for i in rows])
    if not lengths.all():
        raise DataError("an item has no tokens; is its text empty?")
    width, end = int(lengths.max()), encoded.max_length
    padded = encoded.pool == "padded_last"
    if padded:
        width = min(width + 1, end) if compact else end
    ids = np.full((len(rows), width), encoded.filler, dtype=np.int64)
    for row, i in enumerate(rows):
        ids[row, : lengths[row]] = encoded.tokens[i]
    positions = np.arange(width)
    if padded:
        positions[-1] = end - 1
    read = np.full(len(rows), width - 1) if padded else lengths - 1
    return Batch(
        input_ids=torch.from_numpy(ids),
        attention_mask=torch.from_numpy((np.arange(width) < lengths[:, None]) * 1),
        position_ids=torch.from_numpy(positions)[None],
        read=torch.from_numpy(read),
    )
