"""Greedy decoding in batches, with a cache and with interventions (methods.md 2.4).

The released code decodes one item at a time and computes everything anew for each
token; the batches and the cache here give the same tokens. It also shows the model only
the last ``window`` tokens. A cache cannot follow that, because the tokens that stay
have seen those that leave: from there on everything is computed anew here too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from langneurons.config.errors import DataError
from langneurons.jobs.batching import MicroBatch, Timer, Trial
from langneurons.jobs.gpus import put
from langneurons.jobs.progress import Progress
from langneurons.nn.models.backbone import select

from .applying import Handle
from .examples import Ids
from .padding import pad_left, positions
from .running import Run

CROWDED = 0.75
"""Finished rows leave a batch when at most this share of its rows goes on.

Leaving copies the cache of the others, about as much work as one more token.
"""


@dataclass(frozen=True)
class Limits:
    """When an answer ends, and how much of the text the model sees meanwhile.

    Attributes:
        new: per prompt, tokens generated at most.
        eos: token that ends an answer.
        window: the model sees the last so many tokens; None: all of them.
        stops: whether an answer has said all that is wanted, EOS apart; None: never.
    """

    new: Sequence[int]
    eos: int
    window: int | None = None
    stops: Callable[[Sequence[int]], bool] | None = None


class _Decoder:
    """Greedy decoding of all items of a task.

    Attributes:
        made: per item, the tokens generated so far.
    """

    def __init__(
        self,
        run: Run,
        prompts: Sequence[Ids],
        limits: Limits,
        *,
        handle: Handle,
        progress: Progress,
    ) -> None:
        self.backbone, self.filler, self.label = run.backbone, run.filler, run.what
        self.prompts, self.limits = prompts, limits
        self.handle, self.progress = handle, progress
        self.limit = max(limits.new)
        wholes = (len(p) + new - 1 for p, new in zip(prompts, limits.new, strict=True))
        longest = max(wholes)
        self.window: int = limits.window or longest
        self.made: list[list[int]] = [[] for _ in prompts]

    def run(self, batches: MicroBatch) -> None:
        """Generate the answers of all items, longest prompt first."""
        lengths = [len(prompt) for prompt in self.prompts]
        order = sorted(range(len(lengths)), key=lambda row: -lengths[row])
        long = [row for row in order if lengths[row] > self.window]
        short = order[len(long) :]

        def decode(rows: Sequence[int]) -> None:
            for row in rows:  # what is there where the memory ran out before
                self.made[row].clear()
            outgrown = self._remembering(rows)
            long.extend(outgrown)
            self.progress.update(len(rows) - len(outgrown))

        if short:
            longest = min(self.window, lengths[short[0]] + self.limit - 1)
            batches.settle("generate", longest, len(short), self._trial(longest))
            batches.each(short, decode)
        while long:
            rows, long = long[: batches.size], long[batches.size :]
            batches.each(rows, self._anew)
            going = [row for row in rows if not self._finished(row)]
            self.progress.update(len(rows) - len(going))
            long = going + long

    def _finished(self, row: int) -> bool:
        made, stops = self.made[row], self.limits.stops
        if len(made) == self.limits.new[row] or self.limits.eos in made[-1:]:
            return True
        return bool(made) and stops is not None and stops(made)

    def _trial(self, longest: int) -> Trial:
        """Return a function that times decoding, from a cache of the full length."""

        def trial(count: int, timer: Timer) -> float:
            ids = torch.full((count, max(1, longest - 2)), self.filler)
            caches: list[Any] = []

            def step(ids: Tensor) -> None:
                past = caches.pop() if caches else None
                seen = 0 if past is None else past.get_seq_length()
                mask = torch.ones(count, seen + ids.shape[1], dtype=torch.long)
                made = torch.ones_like(ids) if seen else torch.zeros_like(ids)
                self.handle.set_mask(torch.ones_like(ids), made)
                place = positions(mask)[:, seen:]
                with self.backbone.autocast:
                    states, past = self.backbone.step(ids, mask, place, past)
                self.backbone.logits(states[:, -1])
                caches.append(past)

            step(ids)
            caches.clear()
            first = timer(lambda: step(ids))
            step(ids[:, :1])
            return first + self.limit * timer(lambda: step(ids[:, :1]))

        return trial

    def _remembering(self, rows: Sequence[int]) -> list[int]:
        """Decode rows with a cache; return those that outgrew the window."""
        places: list[int | None] = list(rows)  # None: a row that is done
        outgrown: list[int] = []
        device = self.backbone.device
        prompts = [self.prompts[row] for row in rows]
        ids, mask = (put(t, device) for t in pad_left(prompts, self.filler))
        place, past = positions(mask), None
        made = torch.zeros_like(ids)
        while True:
            self.handle.set_mask(mask[:, -ids.shape[1] :], made)
            with self.backbone.autocast:
                states, past = self.backbone.step(ids, mask, place, past)
            tokens = self._pick(states[:, -1], places)
            for i, row in enumerate(places):
                if row is None:
                    continue
                if self._finished(row):
                    places[i] = None
                elif len(self.prompts[row]) + len(self.made[row]) > self.window:
                    outgrown.append(row)
                    places[i] = None
            going = [i for i, row in enumerate(places) if row is not None]
            if not going:
                return outgrown
            if len(going) <= CROWDED * len(places):
                select(past, going)
                kept = put(torch.tensor(going), device)
                tokens, mask, place = tokens[kept], mask[kept], place[kept]
                places = [places[i] for i in going]
            ids = tokens[:, None]
            made = torch.ones_like(ids)
            mask = torch.cat([mask, made], dim=1)
            place = place[:, -1:] + 1

    def _anew(self, rows: Sequence[int]) -> None:
        """Generate one token of each row from its last ``window`` tokens."""
        parts, made = [], torch.zeros(len(rows), self.window, dtype=torch.long)
        for i, row in enumerate(rows):
            text = np.concatenate([self.prompts[row], self.made[row]])
            parts.append(torch.from_numpy(text[-self.window :].astype(np.int64)))
            made[i, max(0, self.window - len(self.made[row])) :] = 1
        ids = torch.stack(parts)
        mask = torch.ones_like(ids)
        self.handle.set_mask(mask, made)
        with self.backbone.autocast:
            states = self.backbone.hidden(ids, mask, positions(mask))
        self._pick(states[:, -1], rows)

    def _pick(self, states: Tensor, places: Sequence[int | None]) -> Tensor:
        """Append the most likely token to each row; of equals, the lowest id.

        Returns:
            int64 [places]; what stands for a row that is done means nothing.
        """
        best = self.backbone.logits(states).max(dim=-1)
        # One wait for the GPU per token, to see whether it ends the answer.
        found = torch.where(best.values.isfinite(), best.indices, -1).tolist()
        for row, token in zip(places, found, strict=True):
            if row is None:
                continue
            if token < 0:
                raise DataError(
                    f"{self.label}: the logits of token {len(self.made[row]) + 1} of "
                    f"the answer to prompt {row + 1} are not finite"
                )
            self.made[row].append(token)
        return best.indices.to(self.backbone.device)


def generate(run: Run, prompts: Sequence[Ids], limits: Limits) -> list[list[int]]:
    """Continue every prompt greedily.

    Batches hold prompts of similar length; neither they nor the micro-batch change
    logits beyond rounding. Where two tokens are equally likely up to rounding, that can
    change which is taken.

    Args:
        run: a language model, and what is done to it.
        prompts: token ids.
        limits: when an answer ends.

    Returns:
        Per prompt, the generated tokens; EOS is the last where the model stopped.

    Raises:
        DataError: logits are not finite.
    """
    with torch.inference_mode(), run.passes(len(prompts), "items") as (handle, bar):
        decoder = _Decoder(run, prompts, limits, handle=handle, progress=bar)
        decoder.run(run.batches)
    return decoder.made
