"""Prompts and answers as tokens (methods.md 2.4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from langneurons.config.errors import DataError
from langneurons.nn.models.tokenizing import PlainText

Ids = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Encoded:
    """Items of a text task as tokens.

    Attributes:
        prompts: per item, the tokens that the answer follows, int64.
        golds: per item, the tokens of a blank, the first gold answer and EOS, int64.
        ids: number of each item in its file, int64 [items].
        answers: per item, all gold answers.
        dropped: items left out because they were too long.
        parameters: of the task.
        tokenizer: turns generated tokens into text.
        language: code of the items' language; empty where it is not known.
    """

    prompts: list[Ids]
    golds: list[Ids]
    ids: Ids
    answers: list[tuple[str, ...]]
    dropped: int
    parameters: Any
    tokenizer: Any
    language: str = ""

    def __len__(self) -> int:
        return len(self.prompts)

    @property
    def eos(self) -> int:
        """Token that ends an answer."""
        return int(self.tokenizer.eos_token_id)

    @property
    def filler(self) -> int:
        """Token in place of padding; nothing sees it."""
        pad = self.tokenizer.pad_token_id
        return self.eos if pad is None else int(pad)


def encode(
    tokenizer: Any,
    items: Sequence[Mapping[str, Any]],
    parameters: Any,
    training: bool,
    language: str = "",
) -> Encoded:
    """Tokenise prompts and answers.

    Control tokens that an item's texts spell are characters of them. The released code
    leaves out whatever has ``max_length - 1`` tokens or more: in
    training the prompt with its answer and EOS, in a test the prompt alone.

    Args:
        tokenizer: of the model. What it puts in front of a text (BOS) is there, what
            it puts behind (EOS) is not: the answer follows the prompt.
        items: with ``id``, ``context``, ``question`` and ``answers`` (texts).
        parameters: of the task: ``prompt``, ``max_length``, ``long_test``, and what
            ``generation`` reads.
        training: whether the answers are learnt.
        language: code of the items' language, for metrics that depend on it.

    Raises:
        DataError: the tokenizer has no EOS, no item is left, or a question alone is too
            long.
    """
    if tokenizer.eos_token_id is None:
        raise DataError(
            "the tokenizer has no EOS token, so answers could not end; set eos_token "
            "in its tokenizer_config.json"
        )
    if not items:
        raise DataError("there are no items")
    limit, plain = parameters.max_length - 1, PlainText(tokenizer)
    texts = [parameters.prompt(item, plain.eos) for item in items]
    prompts = plain(texts, beginning=True)
    golds = plain([f" {item['answers'][0].strip()}" for item in items])
    kept = []
    for row, item in enumerate(items):
        golds[row] = [*golds[row], tokenizer.eos_token_id]
        length = len(prompts[row]) + (len(golds[row]) if training else 0)
        if length >= limit and not training and parameters.long_test == "cut":
            prompts[row] = _cut(plain, item, parameters, limit)
        elif length >= limit:
            continue
        kept.append(row)
    if not kept:
        raise DataError(
            f"no item is left of {len(items)}: none is shorter than max_length - 1 = "
            f"{limit} tokens. Raise max_length or, for a test, set long_test: cut"
        )
    return Encoded(
        prompts=[np.asarray(prompts[i], dtype=np.int64) for i in kept],
        golds=[np.asarray(golds[i], dtype=np.int64) for i in kept],
        ids=np.asarray([items[i]["id"] for i in kept], dtype=np.int64),
        answers=[tuple(items[i]["answers"]) for i in kept],
        dropped=len(items) - len(kept),
        parameters=parameters,
        tokenizer=tokenizer,
        language=language,
    )


def _cut(
    plain: PlainText, item: Mapping[str, Any], parameters: Any, limit: int
) -> list[int]:
    """Keep as many characters of the context as give less than ``limit`` tokens."""

    def tokens(characters: int) -> list[int]:
        shorter = {**item, "context": item["context"].strip()[:characters]}
        ids = plain([parameters.prompt(shorter, plain.eos)], beginning=True)
        return ids[0]

    best, low, high = tokens(0), 0, len(item["context"])
    if len(best) >= limit:
        raise DataError(
            f"item {item['id']}: the prompt has {len(best)} tokens even without its "
            f"context, max_length allows {limit - 1}; raise max_length"
        )
    while high - low > 1:
        middle = (low + high) // 2
        found = tokens(middle)
        if len(found) < limit:
            best, low = found, middle
        else:
            high = middle
    return best


def pad_left(sequences: Sequence[Ids], filler: int) -> tuple[Tensor, Tensor]:
    """Put sequences below each other so that all end in the last column.

    Args:
        sequences: token ids, int64.
        filler: token in place of padding.

    Returns:
        Token ids and mask (1 for text), both int64 [rows, longest].
    """
    width = max(len(s) for s in sequences)
    ids = torch.full((len(sequences), width), filler)
    mask = torch.zeros_like(ids)
    for row, sequence in enumerate(sequences):
        ids[row, width - len(sequence) :] = torch.from_numpy(sequence)
        mask[row, width - len(sequence) :] = 1
    return ids, mask


def positions(mask: Tensor) -> Tensor:
    """Number the text of each row from 0; padding gets 0."""
    return (mask.cumsum(-1) - 1).clamp(min=0)
