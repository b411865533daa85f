"""Which sentences go through the model together: those of one length, without padding.

So nothing has to be masked or taken out, and a sentence's numbers do not depend on the
others in its pass, whatever side a tokenizer pads on.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from langneurons.config.errors import DataError
from langneurons.jobs import tensors
from langneurons.text.sentence_tokens import flat

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Pass:
    """Sentences of one length.

    Attributes:
        ids: token ids [sentences, length].
        numbers: of the sentences in the corpus.
        skip: first tokens of each that do not count.
        sampled: places, among the tokens that count, of those in the histogram; int64,
            on the device of the recorder.
    """

    ids: Tensor
    numbers: list[int]
    skip: int
    sampled: Tensor

    @property
    def length(self) -> int:
        """Tokens in each sentence, those that do not count among them."""
        return self.ids.shape[1]


@dataclass(frozen=True)
class Sentences:
    """Some successive sentences of a corpus.

    Attributes:
        tokens: int32 [tokens], token ids of all of the corpus.
        starts: int64 [sentences + 1], where each sentence of the corpus begins; the
            last is the end of all.
        first: number of the first sentence that is meant.
        end: number of the one after the last.
        skip: first tokens of each sentence that do not count.
    """

    tokens: Array
    starts: Array
    first: int
    end: int
    skip: int

    @property
    def corpus(self) -> int:
        """How many sentences the whole corpus has."""
        return len(self.starts) - 1

    @property
    def size(self) -> int:
        """How many tokens are run."""
        return int(self.starts[self.end] - self.starts[self.first])

    @property
    def longest(self) -> int:
        """Tokens in the longest of the sentences meant; 0 if there is none."""
        return int(self._lengths().max(initial=0))

    def _lengths(self) -> Array:
        lengths: Array = np.diff(self.starts[self.first : self.end + 1])
        return lengths

    def passes(self, most: int, every: int, device: torch.device) -> Iterator[Pass]:
        """Put sentences of one length together, the longest first.

        Args:
            most: tokens in a pass; more only where one sentence is longer.
            every: every how many-th counted token of the corpus is in the histogram,
                which so does not depend on what is put together.
            device: where the recorder is.
        """
        lengths = self._lengths()
        for length in sorted(set(lengths.tolist()), reverse=True):
            same = self.first + np.flatnonzero(lengths == length)
            rows = max(1, most // length)
            for start in range(0, len(same), rows):
                yield self._pass(same[start : start + rows], length, every, device)

    def _pass(self, rows: Array, length: int, every: int, device: torch.device) -> Pass:
        places = self.starts[rows][:, None] + np.arange(length)
        # Each sentence before leaves out as many tokens of the corpus's count.
        counted = self.starts[rows] - rows * self.skip
        numbers = counted[:, None] + np.arange(length - self.skip)
        sampled = np.flatnonzero(numbers.ravel() % every == 0)
        return Pass(
            ids=torch.from_numpy(self.tokens[places]),
            numbers=rows.tolist(),
            skip=self.skip,
            sampled=torch.from_numpy(sampled).to(device),
        )


def read_sentences(path: Path, shard: int, shards: int, skip: int) -> Sentences:
    """Read the sentences of a token file that a job measures.

    Args:
        path: with ``tokens`` and ``document_starts``; see ``sentence_tokens.record``.
        shard: which part of them.
        shards: of how many, about equally many sentences each.
        skip: first tokens of each that do not count.

    Raises:
        DataError: there is no such shard, the file does not hold sentences, or one has
            no token that counts.
    """
    if not 0 <= shard < shards:
        raise DataError(f"shard {shard} is not among 0 to {shards - 1}")
    with tensors.open_file(path) as handle:
        tokens, starts = flat(path, handle, "tokens", "document_starts", skip)
    count = len(starts) - 1
    first, end = (count * i // shards for i in (shard, shard + 1))
    return Sentences(tokens, starts, first, end, skip)
