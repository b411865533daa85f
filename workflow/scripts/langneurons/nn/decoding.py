"""Greedy decoding in batches, with a cache and with interventions (methods.md 2.4).

The released code decodes one item at a time and computes everything anew for each
token; the batches and the cache here give the same tokens. It also shows the model only
the last ``window`` tokens. A cache cannot follow that, because the tokens that stay
have seen those that leave: from there on everything is computed anew here too.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..errors import DataError
from ..progress import Progress
from .backbones import Backbone
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

    def run(self, micro_batch: int) -> None:
        """Generate the answers of all items, longest prompt first."""
        lengths = [len(prompt) for prompt in self.encoded.prompts]
        order = sorted(range(len(lengths)), key=lambda row: -lengths[row])
        long = [row for row in order if lengths[row] > self.window]
        short = order[len(long) :]
        for start in range(0, len(short), micro_batch):
            long += self._remembering(short[start : start + micro_batch])
        while long:
            rows, rest = long[:micro_batch], long[micro_batch:]
            self._anew(rows)
            long = [row for row in rows if not self._finished(row)] + rest

    def _finished(self, row: int) -> bool:
        made = self.made[row]
        done = len(made) == self.limit or self.encoded.eos in made[-1:]
        if done:
            self.progress.update(1)
        return done

    def _remembering(self, rows: Sequence[int]) -> list[int]:
        """Decode rows with a cache; return those that outgrew the window."""
        places: list[int | None] = list(rows)  # None: a row that is done
        outgrown: list[int] = []
        device = self.backbone.device
        prompts = [self.encoded.prompts[row] for row in rows]
        ids, mask = (t.to(device) for t in pad_left(prompts, self.encoded.filler))
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
                kept = torch.tensor(going, device=device)
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
        found = zip(best.indices.tolist(), best.values.tolist(), strict=True)
        for row, (token, value) in zip(places, found, strict=True):
            if row is None:
                continue
            if not math.isfinite(value):
                raise DataError(
                    f"item {self.encoded.ids[row]}: the logits of token "
                    f"{len(self.made[row]) + 1} of its answer are not finite"
                )
            self.made[row].append(token)
        return best.indices


def generate(
    model: Any,
    encoded: Encoded,
    micro_batch: int,
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
        micro_batch: items per forward pass.
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
        decoder.run(micro_batch)
    progress.close()
    return decoder.made
