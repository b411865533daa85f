"""The one way to run a model on items: likelihoods, answers, classes.

Wording and scoring are the task's. Batches by length, memory, padding, devices and
interventions are in here; none of them changes a result beyond rounding.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from langneurons.config.errors import DataError
from langneurons.jobs import batching
from langneurons.jobs.batching import MicroBatch
from langneurons.nn.models.backbone import Backbone

from .examples import Ids, Likelihood, Reading
from .interventions import Intervention
from .open_model import OpenModel
from .running import Run

if TYPE_CHECKING:
    from typing import Self

Tokens = Sequence[int] | Ids
"""Token ids of one sequence."""


class LanguageModel(OpenModel):
    """A model that items are run on, as it is or under an intervention.

    :meth:`of` takes a model that is in memory, :meth:`open` one that the workflow
    pinned; :meth:`under` treats it.

    Attributes:
        label: of progress lines and messages; empty: there are no progress lines.
    """

    label: str = ""
    _batches: int | MicroBatch = 1
    _intervention: Intervention | None = None
    _instruction: str = ""

    def in_batches(self, micro_batch: int | MicroBatch) -> Self:
        """Return the same model; so many sequences pass at once, instead of one."""
        same = copy.copy(self)
        same._batches = micro_batch
        return same

    def under(
        self,
        intervention: Intervention | None,
        label: str = "",
        instruction: str = "",
    ) -> Self:
        """Return the same model under a treatment; its weights are loaded once.

        Args:
            intervention: what is written while it runs, see ``interventions``; None:
                nothing.
            label: of progress lines and messages; empty: there are no progress lines.
            instruction: text before every context or prompt, behind what the tokenizer
                itself puts in front (BOS), or ``prefix``. It is tokenised by itself:
                the tokens of an item stay as they are, and which items are too long
                does too.
        """
        same = copy.copy(self)
        same._intervention, same.label = intervention, label
        same._instruction = instruction
        return same

    def _told(self, contexts: Sequence[Tokens]) -> tuple[list[Ids], int]:
        """Put the instruction before contexts; also say how many tokens it has."""
        given = _arrays(contexts)
        if not self._instruction:
            return given, 0
        own = self.encode([self._instruction])[0]
        begun = self.encode([self._instruction], beginning=True)[0]
        # An empty context is the prefix, which this tokenizer may not put anywhere.
        fronts: tuple[list[int], ...] = (
            [],
            begun[: len(begun) - len(own)],
            self.prefix,
        )
        told = []
        for ids in given:
            at = max(len(x) for x in fronts if ids[: len(x)].tolist() == x)
            told.append(np.concatenate([ids[:at], own, ids[at:]]).astype(np.int64))
        return told, len(own)

    def run(self) -> Run:
        """Load the model, if it is not yet, for one of the ways to run it."""
        return Run(
            Backbone(self.model),
            self.filler,
            batching.of(self._batches),
            intervention=self._intervention,
            family=self.family,
            label=self.label,
        )

    def loglikelihood(
        self, contexts: Sequence[Tokens], continuations: Sequence[Sequence[Tokens]]
    ) -> list[Likelihood]:
        """Say how likely continuations are; a context is run once for all of its own.

        For the positions of an intervention a continuation counts as generated:
        ``prompt`` writes the context only, ``last`` the context's last token and every
        one of the continuation. A runtime value is measured over both together, so that
        under one each continuation runs with its context, as one text.

        Args:
            contexts: per item, token ids, at least one.
            continuations: per item, token ids of one continuation or more.

        Returns:
            Per item, sums of log-probabilities (nats), token counts, and whether each
            continuation is the greedy choice.

        Raises:
            DataError: a sequence is empty, longer than the model allows, or has tokens
                that it does not know; or a likelihood is not finite.
        """
        from .continuing import loglikelihood

        if len(contexts) != len(continuations):
            raise DataError(
                f"{len(contexts)} contexts, but continuations of {len(continuations)}; "
                "each context needs a list of its own"
            )
        given, _ = self._told(contexts)
        texts = [_arrays(each) for each in continuations]
        if not all(texts):
            raise DataError("an item has no continuation to score")
        self.require_tokens([*given, *(ids for each in texts for ids in each)])
        # The last token is not read, unless a value is measured on it meanwhile.
        unread = 0 if self._intervention and self._intervention.runtime else 1
        whole = (
            len(context) + max(map(len, each)) - unread
            for context, each in zip(given, texts, strict=True)
        )
        what = "the longest context with its continuation"
        self.require_positions(max(whole), what, "the task's max_length")
        return loglikelihood(self.run(), given, texts)

    def next_tokens(
        self, prompts: Sequence[Tokens], candidates: Sequence[int] | None = None
    ) -> np.ndarray[Any, Any]:
        """Return log-probabilities of the token that follows each prompt.

        Args:
            prompts: token ids, at least one each.
            candidates: tokens that are wanted; None: the whole vocabulary.

        Returns:
            float32 [prompts, candidates] (nats).

        Raises:
            DataError: see ``loglikelihood``.
        """
        from .likelihood import next_tokens

        given, _ = self._told(prompts)
        wanted = [] if candidates is None else _arrays([candidates])
        self.require_tokens([*given, *wanted])
        longest = max(map(len, given))
        self.require_positions(longest, "the longest prompt", "the task's max_length")
        return next_tokens(self.run(), given, candidates)

    def generate(
        self,
        prompts: Sequence[Tokens],
        max_new_tokens: int | Sequence[int],
        *,
        window: int | None = None,
        stop: Sequence[str] = (),
    ) -> list[list[int]]:
        """Continue every prompt greedily, until EOS, a text of ``stop`` or the limit.

        Args:
            prompts: token ids, at least one each.
            max_new_tokens: tokens generated at most, EOS included; or of each prompt.
            window: the model sees the last so many tokens; None: all of them.
            stop: texts that end an answer; ``decode`` takes them off again.

        Returns:
            Per prompt, the generated tokens; EOS is the last where the model stopped.

        Raises:
            DataError: the tokenizer has no EOS; the model has too few positions or does
                not know a token; logits are not finite.
        """
        from .decoding import Limits, generate

        new = max_new_tokens
        each = [new] * len(prompts) if isinstance(new, int) else list(new)
        if len(each) != len(prompts):
            raise DataError(
                f"max_new_tokens has {len(each)} numbers, but there are {len(prompts)} "
                "prompts; each needs one, or all the same"
            )
        if min(each, default=1) < 1:
            raise DataError(f"max_new_tokens is {min(each)}; at least 1 is needed")
        if isinstance(stop, str) or not all(stop):
            raise DataError(
                f"stop is {stop!r}; a list of texts is needed, none of them empty"
            )
        if self.eos is None:
            raise DataError(
                "the tokenizer has no EOS token, so answers could not end; set "
                "eos_token in its tokenizer_config.json"
            )
        given, told = self._told(prompts)
        if window is not None:
            window += told  # it sees as much of an item as without an instruction
        self.require_tokens(given)
        # The last token is not read.
        longest = max(len(ids) + n - 1 for ids, n in zip(given, each, strict=True))
        self.require_positions(
            min(longest, window or longest),
            "the longest prompt with its answer",
            "the task's max_length, max_new_tokens or window",
        )
        stops = self._stops(stop) if stop else None
        limits = Limits(each, self.eos, window, stops)
        return generate(self.run(), given, limits)

    def _stops(self, stop: Sequence[str]) -> Callable[[Sequence[int]], bool]:
        def stops(made: Sequence[int]) -> bool:
            text = self.decode(made)
            return any(each in text for each in stop)

        return stops

    def classify(
        self, sequences: Sequence[Tokens], reading: Reading
    ) -> np.ndarray[Any, Any]:
        """Score sequences with the classifier's head.

        Args:
            sequences: token ids, at most ``reading.length`` each.
            reading: where the head reads them.

        Returns:
            float32 [sequences, labels].

        Raises:
            DataError: the model has too few positions or does not know a token; scores
                are not finite.
        """
        from .classifying import scores

        if self._instruction:
            raise DataError(
                f"{self.label}: a classifier reads no instruction; prompts are for "
                "tasks that a language model answers"
            )
        given = _arrays(sequences)
        if any(len(ids) > reading.length for ids in given):
            raise DataError(
                f"a sequence has {max(map(len, given))} tokens, but is read at the end "
                f"of {reading.length}; cut it, or raise the task's max_length"
            )
        filler = np.array([reading.filler])
        self.require_tokens([*given, filler] if given else given)
        length = reading.length
        self.require_positions(length, "max_length", "the task's max_length")
        return scores(self.run(), given, reading)


def _arrays(sequences: Sequence[Tokens]) -> list[Ids]:
    """Take token ids as arrays.

    Raises:
        DataError: one of them is no sequence of whole numbers.
    """
    found = []
    for ids in sequences:
        array = np.asarray(ids)
        if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
            raise DataError(f"token ids are a sequence of numbers, not {ids!r}")
        found.append(array.astype(np.int64))
    return found
