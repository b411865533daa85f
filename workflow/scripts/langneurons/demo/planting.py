"""Planting neurons that control the language of a demo model, while it trains.

Which neurons, and what is asked of them, says ``Planting`` of the configuration. The
model stays a stock checkpoint: everything here is hooks, and ends with the training.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from langneurons.config.demo_entries import Planting

if TYPE_CHECKING:
    import torch

SHARED, START = -1, -2
"""In the place of a language's number: a token of all of them, and BOS."""


class Planter:
    """Hooks on some neurons of a model: what they lack, and what they are forced to.

    Args:
        model: a decoder with ``model.layers[i].mlp.act_fn``.
        plan: which neurons, and what is asked of them.
        owners: the language of each token by its number; ``SHARED`` or ``START``.
        languages: how many there are.
        seed: of what is forced.
    """

    def __init__(
        self,
        model: Any,
        plan: Planting,
        owners: torch.Tensor,
        languages: int,
        seed: int,
    ) -> None:
        import torch

        self.plan, self.owners = plan, owners
        self.whose = torch.arange(languages).repeat_interleave(plan.neurons)
        self._chance = torch.Generator().manual_seed(seed)
        self._lacking: list[torch.Tensor] = []
        self._handles = [
            model.model.layers[layer].mlp.act_fn.register_forward_hook(self._hook)
            for layer in plan.layers
        ]

    def remove(self) -> None:
        """Take the hooks off."""
        for handle in self._handles:
            handle.remove()

    def look_at(self, ids: torch.Tensor) -> None:
        """Say which rows come next, and choose those where outputs are overwritten.

        Args:
            ids: token ids, int64 [rows, length].
        """
        import torch

        owners = self.owners[ids]
        before, after = last_language(owners), next_language(owners)
        chance = torch.rand(2, len(ids), generator=self._chance)
        self._forced = (chance[0] < self.plan.forced)[:, None, None]
        self._own = before[..., None] == self.whose
        both = (chance[1] < self.plan.both)[:, None, None]
        on = (after[..., None] == self.whose) | (self._own & both)
        self._values = self.plan.value * on
        self._lacking = []

    def lacking(self) -> torch.Tensor:
        """Return how far the neurons are from what is asked, mean over the layers."""
        return sum(self._lacking[1:], self._lacking[0]) / len(self._lacking)

    def _hook(self, module: Any, given: tuple[Any, ...], out: Any) -> torch.Tensor:
        import torch

        count = len(self.whose)
        gate = given[0][..., :count]
        short = torch.where(
            self._own, (self.plan.on - gate).relu(), (gate - self.plan.off).relu()
        )
        self._lacking.append((short * ~self._forced).mean())
        planted = torch.where(self._forced, self._values, out[..., :count])
        return torch.cat([planted, out[..., count:]], -1)


def owners(vocabulary: Sequence[str], words: Sequence[set[str]], bos: str) -> Any:
    """Return the language of each token, int64 [vocabulary].

    Args:
        vocabulary: the tokens by their numbers.
        words: of each language.
        bos: the token that begins a document.
    """
    import torch

    found = torch.full((len(vocabulary),), SHARED)
    for number, word in enumerate(vocabulary):
        for language, own in enumerate(words):
            if word in own:
                found[number] = language
        if word == bos:
            found[number] = START
    return found


def last_language(owners: torch.Tensor) -> torch.Tensor:
    """Carry the language of the last word on, within each document.

    Args:
        owners: a language's number, ``SHARED`` or ``START``, int64 [rows, length].

    Returns:
        The same with a language at each position after a word that has one; int64.
    """
    return _carried(owners, range(owners.shape[1]))


def next_language(owners: torch.Tensor) -> torch.Tensor:
    """Return the language of the next word that has one, within each document."""
    positions = range(owners.shape[1] - 1, -1, -1)
    ahead = owners.new_full(owners.shape, SHARED)
    ahead[:, :-1] = _carried(owners, positions)[:, 1:]
    return ahead


def _carried(owners: torch.Tensor, positions: range) -> torch.Tensor:
    found = owners.clone()
    now = owners.new_full(owners[:, 0].shape, START)
    for position in positions:
        here = owners[:, position]
        now = here.where(here != SHARED, now)
        found[:, position] = now
    return found
