"""Log-probabilities of given tokens: of whole texts, continuations, next tokens."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from langneurons.config.errors import DataError
from langneurons.jobs.batching import Timer
from langneurons.jobs.gpus import put
from langneurons.nn.models.backbone import Backbone, select

from .applying import Handle
from .examples import Answered, Ids, Likelihood
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


def loglikelihood(
    run: Run, contexts: Sequence[Ids], continuations: Sequence[Sequence[Ids]]
) -> list[Likelihood]:
    """Score continuations, each context run once for all of its own.

    The context's keys and values are copied for each continuation. For the positions of
    an intervention a continuation counts as generated: ``prompt`` writes the context
    only, ``last`` the context's last token and every one of the continuation.

    Args:
        run: a language model, and what is done to it.
        contexts: per item, token ids, at least one.
        continuations: per item, token ids of one or more, at least one each.

    Returns:
        Per item, the likelihoods of its continuations.

    Raises:
        DataError: a likelihood is not finite.
    """
    order = sorted(range(len(contexts)), key=lambda i: -len(contexts[i]))
    done: list[Tensor] = []
    is_whole = run.intervention is not None and bool(run.intervention.runtime)
    passed = _whole if is_whole else _continued
    with torch.inference_mode(), run.passes(len(contexts), "items") as (handle, bar):

        def score(rows: Sequence[int]) -> Tensor:
            given = [contexts[row] for row in rows]
            return passed(run, handle, given, [continuations[row] for row in rows])

        def trial(count: int, timer: Timer) -> float:
            score(order[:count])
            return timer(lambda: score(order[:count]))

        def work(rows: Sequence[int]) -> None:
            done.append(score(rows))
            bar.update(len(rows))

        most = max(map(len, continuations))  # they share the memory
        longest = len(contexts[order[0]])
        run.batches.settle(f"likelihood of {most}", longest, len(order), trial)
        run.batches.each(order, work)
        # Only now: fetching the numbers of each part would wait for the GPU each time.
        tokens = torch.cat(done).cpu().numpy()
    found: list[Likelihood | None] = [None] * len(contexts)
    start = 0
    for row in order:
        lengths = np.array([len(ids) for ids in continuations[row]])
        ends = start + np.cumsum(lengths)
        parts = [tokens[a:b] for a, b in zip(ends - lengths, ends, strict=True)]
        start = int(ends[-1])
        logprob = np.array([-part[:, 0].sum() for part in parts])
        greedy = np.array([bool(part[:, 1].all()) for part in parts])
        found[row] = Likelihood(logprob, lengths, greedy)
    if not np.isfinite(tokens).all():
        raise DataError(f"{run.what}: the likelihood of a continuation is not finite")
    return [one for one in found if one is not None]


def _continued(
    run: Run,
    handle: Handle,
    contexts: Sequence[Ids],
    continuations: Sequence[Sequence[Ids]],
) -> Tensor:
    """Run a batch of contexts, then their continuations.

    Returns:
        float64 [tokens, 2]: of every token of every continuation, in their order, the
        negative log-likelihood (nats) and whether it is the most likely (1 or 0).
    """
    backbone = run.backbone
    device = backbone.device
    ids, mask = (put(t, device) for t in pad_left(contexts, run.filler))
    handle.set_mask(mask, torch.zeros_like(ids))
    with backbone.autocast:
        states, past = backbone.step(ids, mask, positions(mask))
    rows = [row for row, texts in enumerate(continuations) for _ in texts]
    texts = [ids for texts in continuations for ids in texts]
    # A token is predicted from the one before it; the first from the context's last.
    read = [i for i, ids in enumerate(texts) if len(ids) > 1]
    parts = states[:, -1:][put(torch.tensor(rows), device)]
    width = max(map(len, texts))
    if read:
        of = [rows[i] for i in read]
        begun = pad_right([texts[i][:-1] for i in read], run.filler)
        ids, more = (put(t, device) for t in begun)
        whole = torch.cat([mask[put(torch.tensor(of), device)], more], dim=1)
        select(past, of)
        handle.set_mask(more, torch.ones_like(ids))
        with backbone.autocast:
            after, _ = backbone.step(
                ids, whole, positions(whole)[:, -width + 1 :], past
            )
        rest = parts.new_zeros(len(texts), width - 1, parts.shape[-1])
        rest[put(torch.tensor(read), device)] = after
        parts = torch.cat([parts, rest], dim=1)
    targets, counted = pad_right(texts, run.filler)
    # Numbers on the CPU: a mask of booleans on a GPU would have to be waited for.
    wanted = counted.flatten().nonzero()[:, 0]
    states = parts.flatten(0, 1)[put(wanted, device)]
    return _judged(backbone, states, put(targets.flatten()[wanted], device))


def _whole(
    run: Run,
    handle: Handle,
    contexts: Sequence[Ids],
    continuations: Sequence[Sequence[Ids]],
) -> Tensor:
    """Run each continuation with its context as one text, to its last token.

    What an intervention measures meanwhile is then of all of an item's tokens.

    Returns:
        As ``_continued``.
    """
    backbone = run.backbone
    pairs = [
        (context, text)
        for context, texts in zip(contexts, continuations, strict=True)
        for text in texts
    ]
    padded = pad_right([np.concatenate(pair) for pair in pairs], run.filler)
    made = torch.zeros_like(padded[0])
    for row, (context, text) in enumerate(pairs):
        made[row, len(context) : len(context) + len(text)] = 1
    ids, mask, made_there = (put(t, backbone.device) for t in (*padded, made))
    handle.set_mask(mask, made_there)
    with backbone.autocast:
        states = backbone.hidden(ids, mask, positions(mask))
    # Numbers on the CPU, as in ``_continued``.
    wanted = put(made.flatten().nonzero()[:, 0], backbone.device)
    target = ids.flatten()[wanted]
    return _judged(backbone, states.flatten(0, 1)[wanted - 1], target)


def _judged(backbone: Backbone, states: Tensor, target: Tensor) -> Tensor:
    """Return of each token how unlikely it is (nats), and whether it is the likeliest.

    Args:
        backbone: a language model.
        states: that the tokens are predicted from, [tokens, size].
        target: the tokens, int64.
    """
    found = []
    for scores, aim in scored(backbone, states, target):
        nll = nn.functional.cross_entropy(scores, aim, reduction="none")
        best = scores.argmax(dim=-1) == aim
        found.append(torch.stack([nll.double(), best.double()], dim=1))
    return torch.cat(found).to(backbone.device)


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
