"""Log-probabilities of continuations, behind contexts that are run once for all."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from langneurons.config.errors import DataError
from langneurons.jobs.batching import Timer
from langneurons.jobs.gpus import put
from langneurons.nn.models.backbone import Backbone, branch

from .applying import Handle
from .examples import Ids, Likelihood
from .likelihood import scored
from .padding import alike, pad_left, pad_right, positions
from .running import Run

PASS = {"cpu": 16, "cuda": 512}
"""Tokens that run in the time that it takes to begin a forward pass, about."""


def loglikelihood(
    run: Run, contexts: Sequence[Ids], continuations: Sequence[Sequence[Ids]]
) -> list[Likelihood]:
    """Score continuations, each context run once for all of its own.

    The context's keys and values are copied for each continuation; where no context has
    several, each runs with its own as one text. For the positions of an intervention a
    continuation counts as generated: ``prompt`` writes the context only, ``last`` the
    context's last token and every one of the continuation.

    Args:
        run: a language model, and what is done to it.
        contexts: per item, token ids, at least one.
        continuations: per item, token ids of one or more, at least one each.

    Returns:
        Per item, the likelihoods of its continuations.

    Raises:
        DataError: a likelihood is not finite.
    """
    most = max(map(len, continuations))  # they share the memory
    is_whole = most == 1 or _is_measured(run)
    passed = _whole if is_whole else _continued
    sizes = [len(context) for context in contexts]
    if is_whole:
        longest = [max(map(len, texts)) for texts in continuations]
        sizes = [size + more for size, more in zip(sizes, longest, strict=True)]
    order = sorted(range(len(contexts)), key=lambda i: -sizes[i])
    done: list[Tensor] = []
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

        work_of = f"likelihood of {most}"
        run.batches.settle(work_of, sizes[order[0]], len(order), trial)
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
    lengths = np.array([len(ids) for ids in texts])
    starts = np.cumsum(lengths) - lengths
    # A token is predicted from the one before it; the first from the context's last.
    found = states.new_empty(int(lengths.sum()), states.shape[-1])
    found[_there(starts, device)] = states[:, -1][_there(rows, device)]
    longer = np.flatnonzero(lengths > 1)
    price = PASS.get(device.type, PASS["cuda"])
    for part in alike((lengths[longer] - 1).tolist(), price):
        read = longer[part]
        of = [rows[i] for i in read]
        begun, counted = pad_right([texts[i][:-1] for i in read], run.filler)
        ids, more = put(begun, device), put(counted, device)
        whole = torch.cat([mask[_there(of, device)], more], dim=1)
        handle.set_mask(more, torch.ones_like(ids))
        with backbone.autocast:
            after, _ = backbone.step(
                ids, whole, positions(whole)[:, -ids.shape[1] :], branch(past, of)
            )
        # Numbers on the CPU: a mask of booleans on a GPU would have to be waited for.
        wanted = counted.flatten().nonzero()[:, 0]
        spots = np.concatenate([starts[i] + np.arange(1, lengths[i]) for i in read])
        found[_there(spots, device)] = after.flatten(0, 1)[put(wanted, device)]
    return _judged(backbone, found, _there(np.concatenate(texts), device))


def _whole(
    run: Run,
    handle: Handle,
    contexts: Sequence[Ids],
    continuations: Sequence[Sequence[Ids]],
) -> Tensor:
    """Run each continuation with its context as one text.

    The last token, which predicts nothing, is read only by an intervention that
    measures something of all of an item's tokens.

    Returns:
        As ``_continued``.
    """
    backbone = run.backbone
    pairs = [
        (context, text)
        for context, texts in zip(contexts, continuations, strict=True)
        for text in texts
    ]
    end = None if _is_measured(run) else -1
    padded = pad_right([np.concatenate(pair)[:end] for pair in pairs], run.filler)
    made = torch.zeros_like(padded[0])
    width, spots = made.shape[1], []
    for row, (context, text) in enumerate(pairs):
        made[row, len(context) : len(context) + len(text)] = 1
        spots.append(row * width + len(context) - 1 + np.arange(len(text)))
    ids, mask, made_there = (put(t, backbone.device) for t in (*padded, made))
    handle.set_mask(mask, made_there)
    with backbone.autocast:
        states = backbone.hidden(ids, mask, positions(mask)).flatten(0, 1)
    target = np.concatenate([text for _, text in pairs])
    wanted = _there(np.concatenate(spots), backbone.device)
    return _judged(backbone, states[wanted], _there(target, backbone.device))


def _is_measured(run: Run) -> bool:
    """Whether a value is measured on all of an item's tokens while they run."""
    return run.intervention is not None and bool(run.intervention.runtime)


def _there(numbers: Sequence[int] | Ids, device: torch.device) -> Tensor:
    """Send whole numbers to a device without waiting for it."""
    return put(torch.from_numpy(np.asarray(numbers, np.int64)), device)


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
