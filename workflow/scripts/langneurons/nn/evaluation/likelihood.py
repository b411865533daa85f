"""Log-probabilities of given tokens: of whole texts, and of next tokens."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from langneurons.config.errors import DataError
from langneurons.jobs.batching import Timer
from langneurons.jobs.gpus import put
from langneurons.nn.models.backbone import Backbone

from .examples import Answered, Ids
from .padding import pad_left, pad_right, positions
from .running import Run

LOGITS = 2**26
"""Logits held at a time (256 MiB in float32): bounds memory for large vocabularies."""


def scored(
    backbone: Backbone, states: Tensor, targets: Tensor, logits: int = LOGITS
) -> Iterator[tuple[Tensor, Tensor]]:
    """Apply the output layer to some states at a time.

    Args:
        backbone: a language model.
        states: hidden states [tokens, size].
        targets: the tokens that follow them, int64 [tokens].
        logits: how many logits to hold at a time; memory only.

    Yields:
        Scores [part, vocabulary] and targets [part], both where the output layer is.
    """
    size = max(1, logits // backbone.vocabulary)
    for state, target in zip(states.split(size), targets.split(size), strict=True):
        scores = backbone.logits(state)
        yield scores, target.to(scores.device)


def token_nll(
    backbone: Backbone, states: Tensor, targets: Tensor, logits: int = LOGITS
) -> Tensor:
    """Return the negative log-likelihood of each target; see ``scored``.

    Returns:
        float32 [tokens] (nats), on the backbone's device.
    """
    parts = [
        nn.functional.cross_entropy(scores, target, reduction="none")
        for scores, target in scored(backbone, states, targets, logits)
    ]
    return torch.cat(parts).to(backbone.device)


def summed_loss(
    backbone: Backbone, examples: Answered, filler: int
) -> Callable[[Sequence[int]], Tensor]:
    """Return the loss of items as a function of their numbers.

    The paper's loss of a batch is the mean over its tokens, which cannot be summed up
    from parts of the batch. Here an item's loss is its summed token losses over the
    mean number of counted tokens of all items. So every token has the same weight in
    all batches, the mean over an epoch is the mean over its tokens, and the micro-batch
    changes nothing. The prompt's first token is predicted from nothing and not counted.

    Args:
        backbone: of a language model in training.
        examples: the items.
        filler: token in place of padding; nothing sees it.

    Returns:
        Function of rows: cross entropy summed over these items, a scalar (nats).
    """
    pairs = zip(examples.prompts, examples.answers, strict=True)
    texts = [np.concatenate(pair) for pair in pairs]
    full = examples.counted == "full"
    starts = [1 if full else len(prompt) for prompt in examples.prompts]
    counts = [len(text) - start for text, start in zip(texts, starts, strict=True)]
    mean = sum(counts) / len(counts)

    def loss(rows: Sequence[int]) -> Tensor:
        ids, mask = pad_right([texts[row] for row in rows], filler)
        counted = torch.zeros_like(ids, dtype=torch.bool)
        for i, row in enumerate(rows):
            counted[i, starts[row] : len(texts[row])] = True
        wanted = put(counted[:, 1:], backbone.device)
        with backbone.autocast:
            states = backbone.hidden(ids, mask, positions(mask))[:, :-1][wanted]
            scores = backbone.logits(states)
        targets = put(ids[:, 1:], backbone.device)[wanted].to(scores.device)
        return nn.functional.cross_entropy(scores, targets, reduction="sum") / mean

    return loss


def next_tokens(
    run: Run, prompts: Sequence[Ids], candidates: Sequence[int] | None = None
) -> np.ndarray[Any, Any]:
    """Return log-probabilities of the token that follows each prompt.

    Args:
        run: a language model, and what is done to it.
        prompts: token ids, at least one each.
        candidates: tokens that are wanted; None: the whole vocabulary.

    Returns:
        float32 [prompts, candidates] (nats).

    Raises:
        DataError: one is not finite.
    """
    backbone = run.backbone
    order = sorted(range(len(prompts)), key=lambda i: -len(prompts[i]))
    done: list[Tensor] = []
    with torch.inference_mode(), run.passes(len(prompts), "items") as (handle, bar):

        def score(rows: Sequence[int]) -> Tensor:
            padded = pad_left([prompts[row] for row in rows], run.filler)
            ids, mask = (put(t, backbone.device) for t in padded)
            handle.set_mask(mask, torch.zeros_like(ids))
            with backbone.autocast:
                states = backbone.hidden(ids, mask, positions(mask))[:, -1]
                logs = backbone.logits(states).log_softmax(dim=-1)
            if candidates is None:  # too much to keep on a GPU
                return logs.cpu()
            chosen = logs[:, put(torch.tensor(candidates), logs.device)]
            return chosen.to(backbone.device)

        def trial(count: int, timer: Timer) -> float:
            score(order[:count])
            return timer(lambda: score(order[:count]))

        def work(rows: Sequence[int]) -> None:
            done.append(score(rows))
            bar.update(len(rows))

        run.batches.settle("next", len(prompts[order[0]]), len(order), trial)
        run.batches.each(order, work)
        by_length = torch.cat(done).float().cpu().numpy()
    if not np.isfinite(by_length).all():
        raise DataError(f"{run.what}: the likelihood of a next token is not finite")
    found = np.empty_like(by_length)
    found[order] = by_length
    return found
