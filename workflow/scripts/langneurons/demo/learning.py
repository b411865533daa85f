"""Training of a demo model until it has learnt a dictionary with gaps.

When it has depends on the model that it goes on from, on the seed and the processor;
after a fixed number of steps some would know every word and others none.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from langneurons.config.demo_entries import Bridging, DemoModel
from langneurons.config.errors import ConfigError
from langneurons.jobs.progress import Progress

from . import dictionary, optimising
from .world import BOS, EOS, World

if TYPE_CHECKING:
    import torch

log = logging.getLogger(__name__)

WARMUP = 20  # steps
READ = 256  # documents encoded at a time
QUESTION, REST, HOLE, WORD = range(4)
"""Kinds of tokens: what is given, and does not count; ordinary text, quotes and ends of
lines; ``?`` for a word that the dictionary lacks; words that translate another."""


@dataclass(frozen=True)
class Batch:
    """Rows of text, of which some tokens are to be learnt.

    Attributes:
        ids: token ids, int64 [rows, length].
        kinds: which of ``QUESTION`` to ``WORD`` each is, int64 [rows, length].
    """

    ids: torch.Tensor
    kinds: torch.Tensor


def learn(model: Any, tokenizer: Any, spec: DemoModel, world: World) -> list[float]:
    """Train a decoder on a dictionary until it knows it, then let the rate fall.

    Args:
        model: of the demo world, trained in place and left in eval mode.
        tokenizer: of the same.
        spec: with ``bridging``; ``steps`` are the most it takes.
        world: whose languages.

    Returns:
        Loss of each step, nats; half of it is of answers, whatever their share.
    """
    import torch

    plan = spec.bridging
    if plan is None:
        raise ConfigError("demo.bridging: no dictionary; leave continued_from out")
    documents = dictionary.documents(world, plan, spec.seed)
    optimiser = optimising.adamw(model, spec.learning_rate)
    pace = Pace(plan, spec.steps)
    rows = max(1, spec.tokens_per_step // spec.sequence_length)
    text = batches(tokenizer, documents, rows, spec.sequence_length)
    tokens = spec.steps * rows * spec.sequence_length
    progress = Progress(tokens, "tokens", "pretraining")
    losses: list[float] = []
    model.train()
    while rate := pace.rate():
        for group in optimiser.param_groups:
            group["lr"] = rate * spec.learning_rate
        batch = next(text)
        loss, right = _step(model, batch)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), optimising.GRADIENT_NORM)
        optimiser.step()
        losses.append(float(loss.detach()))
        pace.add(right)
        progress.update(batch.ids.numel())
    progress.close()
    model.eval()
    return losses


def _step(model: Any, batch: Batch) -> tuple[torch.Tensor, float]:
    """Return the loss of a batch, and the share of its translations that are right.

    In a batch without any, none is.
    """
    from torch.nn.functional import cross_entropy

    ids, kinds = batch.ids.to(model.device), batch.kinds.to(model.device)[:, 1:]
    logits, wanted = model(input_ids=ids, use_cache=False).logits[:, :-1], ids[:, 1:]
    each = cross_entropy(logits.transpose(1, 2), wanted, reduction="none")
    # Quotes are soon learnt; in a mean over all tokens they would hide the words.
    parts = [kinds >= HOLE, kinds == REST]
    means = [(each * part).sum() / part.sum().clamp(min=1) for part in parts]
    right = (logits.argmax(-1) == wanted)[kinds == WORD]
    return (means[0] + means[1]) / 2, float(right.float().mean().nan_to_num())


class Pace:
    """The learning rate, as a share of its peak: constant until learnt, then falling.

    Args:
        plan: what counts as learnt, and how long the rate falls.
        steps: after which it ends, learnt or not.
    """

    def __init__(self, plan: Bridging, steps: int) -> None:
        self.plan, self.last = plan, steps - plan.decay
        self.recent: deque[float] = deque(maxlen=plan.batches)
        self.step, self.learnt = 0, False
        self.turn: int | None = None  # step at which the rate begins to fall

    def add(self, right: float) -> None:
        """Count a step.

        Args:
            right: share of the translations in its batch that are right.
        """
        self.step += 1
        self.recent.append(right)
        if self.turn is not None:
            return
        whole = len(self.recent) == self.plan.batches
        mean = sum(self.recent) / len(self.recent)
        self.learnt = whole and mean >= self.plan.learnt
        if self.learnt:
            log.info("the dictionary is learnt after %d steps", self.step)
        elif self.step >= self.last:
            log.warning(
                "the dictionary is not learnt in %d steps: %.0f %% of it, not %.0f",
                *(self.step, 100 * mean, 100 * self.plan.learnt),
            )
        else:
            return
        self.turn = self.step

    def rate(self) -> float:
        """Return the share of the peak for the next step; 0: there is none."""
        if self.turn is None:
            return min(1.0, (self.step + 1) / WARMUP)
        return max(0.0, 1 - (self.step - self.turn) / self.plan.decay)


def batches(
    tokenizer: Any, documents: Iterator[dictionary.Document], rows: int, length: int
) -> Iterator[Batch]:
    """Join documents and cut them into batches, as they come.

    What a row begins with, in the middle of a document, does not count: the word that
    is translated is in another row.
    """
    import torch

    marks = Marks(tokenizer)
    text: list[tuple[int, int]] = []
    wanted = rows * length
    while True:
        while len(text) < wanted:
            read = list(islice(documents, READ))
            coded = tokenizer([one.text for one in read])["input_ids"]
            for one, ids in zip(read, coded, strict=True):
                text += marks.of(ids, one.line)
        now = torch.tensor(text[:wanted]).view(rows, length, 2)
        del text[:wanted]
        begun = (now[..., 0] == marks.bos).cumsum(1) > 0
        yield Batch(now[..., 0], now[..., 1] * begun)


class Marks:
    """What kinds the tokens of a document are, by its signs.

    Args:
        tokenizer: of the world.
    """

    def __init__(self, tokenizer: Any) -> None:
        number = tokenizer.convert_tokens_to_ids
        self.bos, self.eos = number(BOS), number(EOS)
        self.arrow, self.gap = number(dictionary.ARROW), number(dictionary.GAP)

    def of(self, ids: Sequence[int], line: bool) -> list[tuple[int, int]]:
        """Return the tokens of a document, and EOS, each with its kind.

        Args:
            ids: of a document, with BOS.
            line: whether it is a line of the dictionary.
        """
        if not line:
            return [(token, REST) for token in (*ids, self.eos)]
        found, arrow = [], len(ids) + 1
        for at, token in enumerate((*ids, self.eos)):
            if token == self.arrow:
                arrow = at
            behind = at - arrow  # 1: code, 2: colon, 3 to 5: word in quotes, 6: EOS
            kind = REST if behind >= 3 else QUESTION
            if behind == 4:
                kind = HOLE if token == self.gap else WORD
            found.append((token, kind))
        return found
