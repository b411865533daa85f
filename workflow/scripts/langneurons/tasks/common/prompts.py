"""Prompts about a context, and the answers that follow them, as tokens.

Mondal et al. 2025, section 4 (methods.md 2.4).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np

from langneurons.config.errors import DataError
from langneurons.nn.evaluation.examples import Ids

if TYPE_CHECKING:
    from langneurons.nn.evaluation.open_model import OpenModel


class Wording(Protocol):
    """Parameters of a task that asks about a context."""

    @property
    def max_length(self) -> int:
        """Tokens of an item; what has ``max_length - 1`` or more is too long."""
        ...

    @property
    def long_test(self) -> Literal["skip", "cut"]:
        """What becomes of test items that are too long."""
        ...

    def prompt(self, item: Mapping[str, Any], eos: str) -> str:
        """Write the text that the answer follows."""
        ...


@dataclass(frozen=True)
class Encoded:
    """Items as tokens.

    Attributes:
        rows: which of the items these are.
        prompts: per item, the tokens that the answer follows, int64.
        golds: per item, the tokens of a blank, the first gold answer and EOS, int64.
    """

    rows: list[int]
    prompts: list[Ids]
    golds: list[Ids]


def encode(
    lm: OpenModel,
    items: Sequence[Mapping[str, Any]],
    wording: Wording,
    training: bool,
) -> Encoded:
    """Tokenise prompts and answers.

    Control tokens that an item's texts spell are characters of them. The released code
    leaves out whatever has ``max_length - 1`` tokens or more: in training the prompt
    with its answer and EOS, in a test the prompt alone.

    Args:
        lm: encodes texts. What its tokenizer puts in front of a text (BOS) is there,
            what it puts behind (EOS) is not: the answer follows the prompt.
        items: with ``id``, ``context`` and ``answers`` (texts).
        wording: the task's parameters.
        training: whether the answers are learnt.

    Raises:
        DataError: the tokenizer has no EOS, no item is left, or a prompt is too long
            even without its context.
    """
    eos, name = lm.eos, lm.plain.eos
    if eos is None or name is None:
        raise DataError(
            "the tokenizer has no EOS token, so answers could not end; set eos_token "
            "in its tokenizer_config.json"
        )
    if not items:
        raise DataError("there are no items")
    limit = wording.max_length - 1
    texts = [wording.prompt(item, name) for item in items]
    prompts = lm.encode(texts, beginning=True)
    answers = lm.encode([f" {item['answers'][0].strip()}" for item in items])
    golds = [[*answer, eos] for answer in answers]
    kept = []
    for row, item in enumerate(items):
        length = len(prompts[row]) + (len(golds[row]) if training else 0)
        if length >= limit and not training and wording.long_test == "cut":
            prompts[row] = _cut(lm, item, wording, name)
        elif length >= limit:
            continue
        kept.append(row)
    if not kept:
        raise DataError(
            f"no item is left of {len(items)}: none is shorter than max_length - 1 = "
            f"{limit} tokens. Raise max_length or, for a test, set long_test: cut"
        )
    return Encoded(
        rows=kept,
        prompts=[np.asarray(prompts[i], dtype=np.int64) for i in kept],
        golds=[np.asarray(golds[i], dtype=np.int64) for i in kept],
    )


def _cut(
    lm: OpenModel, item: Mapping[str, Any], wording: Wording, eos: str
) -> list[int]:
    """Keep as many characters of the context as give less than the limit of tokens."""
    limit = wording.max_length - 1

    def tokens(characters: int) -> list[int]:
        shorter = {**item, "context": item["context"].strip()[:characters]}
        return lm.plain([wording.prompt(shorter, eos)], beginning=True)[0]

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
