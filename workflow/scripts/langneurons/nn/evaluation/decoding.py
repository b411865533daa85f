"""Greedy decoding in batches, with a cache and with interventions (methods.md 2.4).

The released code decodes one item at a time and computes everything anew for each
token; the batches and the cache here give the same tokens. It also shows the model only
the last ``window`` tokens. A cache cannot follow that, because the tokens that stay
have seen those that leave: from there on everything is computed anew here too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from langneurons.config.errors import DataError
from langneurons.jobs import batching
from langneurons.jobs.batching import MicroBatch, Timer, Trial
from langneurons.jobs.gpus import put
from langneurons.jobs.progress import Progress
from langneurons.nn.models.backbone import Backbone

from .interventions import Handle, Intervention, applied
from .prompts import Encoded, pad_left, positions

CROWDED = 0.75
"""Finished rows leave a batch when at most this share of its rows goes on.

Leaving copies the cache of the others, about as much work as one more token.
"""


class _Decoder:
    """Greedy decoding of all items of a task.

    Attributes:
        made: per item, the tokens generated so far.
    """

    def __init__(
        self, model: Any, encoded: Encoded, handle: Handle, progress: Progress
    ) -> None:
        self.backbone = Backbone(model)
        self.encoded, self.handle, self.progress = encoded, handle, progress
        self.limit: int = encoded.parameters.max_new_tokens
        longest = max(map(len, encoded.prompts)) + self.limit - 1
        self.window: int = encoded.parameters.window or longest
        self.backbone.require_positions(
            min(longest, self.window),
            "the longest prompt with its answer",
            "max_length, max_new_tokens or window",
        )
        self.made: list[list[int]] = [[] for _ in range(len(encoded))]

    def run(self, batches: MicroBatch) -> None:
        """Generate the answers of all items, longest prompt first."""
        lengths = [len(prompt) for prompt in self.encoded.prompts]
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
        made = self.made[row]
        return len(made) == self.limit or self.encoded.eos in made[-1:]

    def _trial(self, longest: int) -> Trial:
        """Return a function that times decoding, from a cache of the full length."""

        def trial(count: int, timer: Timer) -> float:
            ids = torch.full((count, max(1, longest - 2)), self.encoded.filler)
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
        prompts = [self.encoded.prompts[row] for row in rows]
        ids, mask = (put(t, device) for t in pad_left(prompts, self.encoded.filler))
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
                elif len(self.encoded.prompts[row]) + len(self.made[row]) > self.window:
                    outgrown.append(row)
                    places[i] = None
            going = [i for i, row in enumerate(places) if row is not None]
            if not going:
                return outgrown
            if len(going) <= CROWDED * len(places):
                kept = put(torch.tensor(going), device)
                past.batch_select_indices(kept)
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
            text = np.concatenate([self.encoded.prompts[row], self.made[row]])
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
        # One wait for the GPU a token, to see whether it ends the answer.
        found = torch.where(best.values.isfinite(), best.indices, -1).tolist()
        for row, token in zip(places, found, strict=True):
            if row is None:
                continue
            if token < 0:
                raise DataError(
                    f"item {self.encoded.ids[row]}: the logits of token "
                    f"{len(self.made[row]) + 1} of its answer are not finite"
                )
            self.made[row].append(token)
        return best.indices


def generate(
    model: Any,
    encoded: Encoded,
    micro_batch: int | MicroBatch,
    intervention: Intervention | None = None,
    family: str | None = None,
    label: str = "generate",
) -> list[list[int]]:
    """Continue every prompt greedily, until EOS or ``max_new_tokens``.

    Batches hold prompts of similar length; neither they nor ``micro_batch`` change
    logits beyond rounding. Where two tokens are equally likely up to rounding, that can
    change which is taken.

    Args:
        model: a tuned language model.
        encoded: the items, with ``parameters.max_new_tokens`` and ``window``.
        micro_batch: items per forward pass; speed and memory only.
        intervention: None leaves the model as it is.
        family: see ``architectures.mlp_sites``.
        label: for the progress lines.

    Returns:
        Per item, the generated tokens; EOS is the last where the model stopped.

    Raises:
        DataError: logits are not finite, or the model has too few positions.
    """
    progress = Progress(len(encoded), "items", label)
    with torch.inference_mode(), applied(model, intervention, family) as handle:
        decoder = _Decoder(model, encoded, handle, progress)
        decoder.run(batching.of(micro_batch))
    progress.close()
    return decoder.made
