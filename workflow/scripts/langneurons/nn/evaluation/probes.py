"""Mean activations of neurons over the tokens of short texts, the probes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from langneurons.config.errors import DataError
from langneurons.jobs.batching import Timer
from langneurons.jobs.gpus import put
from langneurons.nn.models.architectures import Sites, mlp_sites

from .examples import Ids
from .padding import pad_right, positions
from .running import Run

if TYPE_CHECKING:
    from .language_model import LanguageModel

Ints = npt.NDArray[np.integer[Any]]


def read(
    lm: LanguageModel, texts: Sequence[str], new: int | None, stop: Sequence[str]
) -> list[list[int]]:
    """Return the tokens of texts, with those that the model goes on with.

    Args:
        lm: the model.
        texts: each gets the tokenizer's own beginning (BOS).
        new: tokens generated at most, and read again: all but the last, which the
            model never reads. None: the texts alone.
        stop: texts that end what is generated.
    """
    coded = lm.encode(texts, beginning=True)
    if new is None:
        return coded
    made = lm.generate(coded, new, stop=stop)
    return [ids + more[:-1] for ids, more in zip(coded, made, strict=True)]


def mean_activations(
    lm: LanguageModel, texts: Sequence[Sequence[int]], layers: Ints, neurons: Ints
) -> npt.NDArray[np.float32]:
    """Record neurons on texts: the mean of act_post over all tokens of each.

    The tokens that the tokenizer itself puts in front (BOS) count as the others do.

    Args:
        lm: the model as it is.
        texts: token ids, at least one each.
        layers: [n] of the neurons, in increasing order.
        neurons: [n] their numbers in these layers.

    Returns:
        float32 [n, texts]; batches and padding change it by rounding only.

    Raises:
        DataError: the model has no such neuron; it does not know a token, or a text is
            too long; or an activation is not finite.
    """
    given = [np.asarray(ids, np.int64) for ids in texts]
    lm.require_tokens(given)
    lm.require_positions(max(map(len, given)), "the longest probe", "max_new_tokens")
    run = lm.run()
    sites = mlp_sites(run.backbone.model, lm.family)
    if layers.max() >= len(sites.layers) or neurons.max() >= sites.width:
        raise DataError(
            f"neurons to record: the model has {len(sites.layers)} layers of "
            f"{sites.width} neurons. Do they belong to another model?"
        )
    found = _recorded(run, sites, given, layers, neurons)
    if not np.isfinite(found).all():
        raise DataError(f"{run.what}: an activation is not finite")
    return found


def _recorded(
    run: Run, sites: Sites, texts: Sequence[Ids], layers: Ints, neurons: Ints
) -> npt.NDArray[np.float32]:
    """Run the texts, the longest first, in batches of similar length."""
    order = sorted(range(len(texts)), key=lambda i: -len(texts[i]))
    means = _Means(sites, layers, neurons)
    done: list[Tensor] = []
    with torch.inference_mode(), means, run.passes(len(texts), "probes") as (_, bar):

        def record(rows: Sequence[int]) -> Tensor:
            padded = pad_right([texts[row] for row in rows], run.filler)
            ids, mask = (put(t, run.backbone.device) for t in padded)
            means.begin(mask)
            with run.backbone.autocast:
                run.backbone.hidden(ids, mask, positions(mask))
            return means.found()

        def trial(count: int, timer: Timer) -> float:
            record(order[:count])
            return timer(lambda: record(order[:count]))

        def work(rows: Sequence[int]) -> None:
            done.append(record(rows))
            bar.update(len(rows))

        run.batches.settle("probes", len(texts[order[0]]), len(order), trial)
        run.batches.each(order, work)
    by_length = torch.cat(done).numpy()
    found = np.empty_like(by_length)
    found[order] = by_length
    return np.ascontiguousarray(found.T)


class _Means:
    """Hooks that average chosen neurons over the tokens of each row.

    Args:
        sites: of the model.
        layers: [n] in increasing order.
        neurons: [n] in these layers.
    """

    def __init__(self, sites: Sites, layers: Ints, neurons: Ints) -> None:
        self._sites = sites
        self._chosen = {
            int(layer): torch.from_numpy(neurons[layers == layer].astype(np.int64))
            for layer in np.unique(layers)
        }
        self._mask = torch.empty(0)
        self._parts: dict[int, Tensor] = {}
        self._handles: list[Any] = []

    def __enter__(self) -> _Means:
        for layer in self._chosen:
            act = self._sites.layers[layer].act
            self._handles.append(act.register_forward_hook(self._hook(layer)))
        return self

    def __exit__(self, *error: object) -> None:
        for handle in self._handles:
            handle.remove()
        self._handles.clear()

    def begin(self, mask: Tensor) -> None:
        """Say which tokens of the next pass count: [rows, length], 1 for text."""
        self._mask = mask.float()
        self._parts.clear()

    def found(self) -> Tensor:
        """Return the means of the last pass, on the CPU: float32 [rows, n]."""
        return torch.cat([self._parts[x].cpu() for x in self._chosen], dim=1)

    def _hook(self, layer: int) -> Any:
        def hook(module: nn.Module, args: Any, output: Tensor) -> None:
            chosen = self._chosen[layer] = self._chosen[layer].to(output.device)
            mask = self._mask.to(output.device)
            values = output.index_select(-1, chosen).float()
            # OPT's MLPs see the tokens of all rows in one list.
            values = values.view(*mask.shape, -1)
            # What stands at padding may be anything, also not finite.
            values = values.masked_fill(mask[..., None] == 0, 0)
            count = mask.sum(dim=1, keepdim=True)
            self._parts[layer] = values.sum(dim=1) / count

        return hook
