"""Attention within documents, in chunks that hold several (``attention: document``).

Chunks are packed without separators, so in the plain model a token sees the end of the
document before its own. Here it does not: position ids begin anew with each document,
and transformers, given these and no mask, hides documents from each other. A document
that a chunk cuts is two documents.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from langneurons.config.errors import DataError
from langneurons.jobs.gpus import put
from langneurons.nn.models import families

Array = np.ndarray[Any, Any]


class Documents:
    """Where documents begin in a corpus of chunks.

    Args:
        starts: int64 [documents], numbers of their first tokens in the corpus,
            increasing; two may be equal, where a document has no token.
        length: tokens in a chunk.
    """

    def __init__(self, starts: Array, length: int) -> None:
        if len(starts) and (starts[0] < 0 or (starts[1:] < starts[:-1]).any()):
            raise DataError("tokens: document_starts are not in order")
        self.starts, self.length = starts, length

    def position_ids(self, first: int, chunks: int) -> Tensor:
        """Number the tokens of each document of some chunks from 0.

        Args:
            first: number of the first chunk in the corpus.
            chunks: how many.

        Returns:
            int64 [chunks, length].
        """
        begin = first * self.length
        place = np.arange(chunks * self.length)
        opens = place % self.length == 0
        span = np.searchsorted(self.starts, (begin, begin + len(place)))
        opens[self.starts[slice(*span)] - begin] = True
        last = np.maximum.accumulate(np.where(opens, place, 0))
        return torch.from_numpy(place - last).view(chunks, self.length)


def require(model: Any, family: str) -> None:
    """Refuse models that cannot keep documents apart.

    Raises:
        DataError: a model that takes no position ids.
    """
    import inspect

    taken = inspect.signature(model.forward).parameters
    if not families.find(family).position_ids or "position_ids" not in taken:
        raise DataError(
            f"activations.attention 'document': {family} models take no position ids; "
            "use attention: chunk, or leave this model out"
        )


def inputs(model: Any, ids: Tensor, positions: Tensor | None) -> dict[str, Any]:
    """Lay out the arguments of a forward pass over whole chunks.

    Args:
        model: a backbone.
        ids: token ids [chunks, length], in main memory.
        positions: from ``Documents.position_ids``; None: the chunk is one text.

    Returns:
        Arguments for ``model``, on its device. With flash attention, documents are laid
        end to end in one row, which its kernels want; tokens keep their order.
    """
    device = next(model.parameters()).device
    if positions is None:
        return {"input_ids": put(ids, device).long()}
    given: dict[str, Any] = {}
    if model.config._attn_implementation == "flash_attention_2":
        ids, positions = ids.reshape(1, -1), positions.reshape(1, -1)
        begins = (positions[0] == 0).nonzero().flatten().tolist()
        bounds = [*begins, ids.numel()]
        longest = int(np.diff(bounds).max())
        cuts = put(torch.tensor(bounds, dtype=torch.int32), device)
        given |= {"cu_seq_lens_q": cuts, "cu_seq_lens_k": cuts}
        given |= {"max_length_q": longest, "max_length_k": longest}
    given |= {"input_ids": put(ids, device).long()}
    return given | {"position_ids": put(positions, device)}
