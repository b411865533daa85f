"""What a task hands to a model: token sequences, and how a classifier reads them.

Imported by tasks, and so without torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

Ids = np.ndarray[Any, Any]
"""Token ids of one sequence, int64."""


@dataclass(frozen=True)
class Reading:
    """Where a classifier's head reads a sequence.

    Attributes:
        pool: ``padded_last``, the last of ``length`` positions, where a filler attends
            to the whole sequence; ``last_real_token``; or ``mean`` over the sequence.
        length: tokens that sequences have at most; those of ``padded_last`` in all.
        filler: token in place of padding, the one that ``padded_last`` reads.
    """

    pool: Literal["padded_last", "last_real_token", "mean"]
    length: int
    filler: int


@dataclass(frozen=True)
class Labelled:
    """Training items of a classifier.

    Attributes:
        tokens: per item, its tokens.
        labels: per item, the number of its class, int64.
        reading: where the head reads them.
        dropped: items left out because they were too long.
    """

    HEAD: ClassVar[str | None] = "score"
    TASK_TYPE: ClassVar[str] = "SEQ_CLS"

    tokens: Sequence[Ids]
    labels: Ids
    reading: Reading
    dropped: int = 0

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def texts(self) -> list[Ids]:
        """All token sequences that the model will read."""
        return list(self.tokens)


@dataclass(frozen=True)
class Answered:
    """Training items of a language model.

    Attributes:
        prompts: per item, the tokens that the answer follows.
        answers: per item, the tokens of the answer, with EOS.
        counted: tokens that are learnt: ``full``, all but the first of the prompt,
            which is predicted from nothing, or ``answer_only``.
        dropped: items left out because they were too long.
    """

    HEAD: ClassVar[str | None] = None  # the output layer is there and stays as it is
    TASK_TYPE: ClassVar[str] = "CAUSAL_LM"

    prompts: Sequence[Ids]
    answers: Sequence[Ids]
    counted: Literal["full", "answer_only"]
    dropped: int = 0

    def __len__(self) -> int:
        return len(self.prompts)

    @property
    def texts(self) -> list[Ids]:
        """All token sequences that the model will read."""
        return [*self.prompts, *self.answers]


Examples = Labelled | Answered


@dataclass(frozen=True)
class Likelihood:
    """How likely a model finds the continuations of one context.

    Attributes:
        logprob: sum of the log-probabilities of each continuation's tokens (nats),
            float64 [continuations].
        tokens: number of tokens of each, int64 [continuations].
        greedy: whether each is what greedy decoding gives, bool [continuations].
    """

    logprob: np.ndarray[Any, Any]
    tokens: np.ndarray[Any, Any]
    greedy: np.ndarray[Any, Any]
